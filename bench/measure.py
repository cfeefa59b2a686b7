#!/usr/bin/env python3
"""Runs the benchmarks that stand built in a directory, and prints what they measure.

Libraries take turns, so that what happens on the machine happens to all of them; a ratio is that
of two neighbouring runs, and what is printed is the median of the ratios with the least and the
largest. bench/README tells how to read it.
"""
import argparse
import csv
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

SIZES = {"8 B": 8, "64 B": 64, "256 B": 256, "1 KiB": 1024, "8 KiB": 8192, "64 KiB": 65536,
         "1 MiB": 1 << 20}
INPROC = {"8 B": 8, "64 B": 64, "1 KiB": 1024, "64 KiB": 65536}


class Row:
    """A line of the table: what is run, and what of its result is compared.

    must, aim   what the ratio to libzmq has to be and is hoped to be; at least for a rate, at most
                for a time (less=True). absolute=True: of sifr's own value instead
    raw         what of raw sockets' value sifr has to reach; for a rate it is enough to reach
                this, for a time both have to be met
    against     arguments of a second run of sifr, which takes the place of libzmq
    count       messages of a first run, from which the count of the others follows; None: not
                scaled
    lasts       how many times as long as others; where a queue is much memory, its first pages
                are most of a short run
    """

    def __init__(self, group, name, program, args, metric="rate", less=False, must=None, aim=None,
                 raw=None, absolute=False, against=None, count=None, unit="/s", libs=None,
                 repeat=None, lasts=1):
        self.group, self.name, self.program, self.metric = group, name, program, metric
        self.args, self.less, self.must, self.aim, self.raw = args, less, must, aim, raw
        self.absolute, self.against, self.count, self.unit = absolute, against, count, unit
        self.libs = libs or ["sifr", "zmq"] + (["raw"] if raw else [])
        self.repeat, self.lasts = repeat, lasts
        self.values = {}   # library: values, one a repetition, None where it failed
        self.failed = {}   # library: why


def rows_of_targets(quick):
    """The table of what sifr is to reach."""
    rows = []
    musts = {"tcp": ((4, 3.5, 3, 2, 1.6, 1.3, 1.1), (8, 6, 5, 3.3, 3, 1.7, 1.4)),
             "ipc": ((4, 4, 3, 2.5, 2, 2.5, 1.1), (8, 8, 5, 4.5, 2.8, 5, 1.3)),
             "inproc": ((3, 4, 1.5, 0.9), (6, 8, 3, 1.5))}
    for transport, (must, aim) in musts.items():
        sizes = INPROC if transport == "inproc" else SIZES
        for (name, size), m, a in zip(sizes.items(), must, aim):
            rows.append(Row(f"throughput {transport}", name, "throughput",
                            dict(transport=transport, size=size, cores="apart"), must=m, aim=a,
                            raw=None if transport == "inproc" else 0.7,
                            count=max(200, min(50000, (8 << 20) // size))))
    for name, must in (("64 B", 2), ("1 KiB", 1.6), ("64 KiB", 1.8)):
        rows.append(Row("throughput tcp, CURVE", name, "throughput",
                        dict(size=SIZES[name], cores="apart", curve=1), must=must, raw=0.8,
                        count=max(200, min(50000, (8 << 20) // SIZES[name])), lasts=4))
    for name, must in (("8 B", 1 / 5), ("64 B", 1 / 4), ("1 KiB", 1 / 2.5)):
        rows.append(Row("CPU per message tcp", name, "throughput",
                        dict(transport="tcp", size=SIZES[name], cores="apart"), "cpu_ns",
                        less=True, must=must, count=50000, unit="ns",
                        libs=["sifr", "zmq", "raw"]))
    for cores in ("same", "free", "apart"):
        for transport in ("tcp", "ipc", "inproc"):
            if transport == "inproc" and cores != "same":
                continue
            rows.append(Row(f"round trip, cores {cores}", f"{transport} 64 B p50", "roundtrip",
                            dict(transport=transport, cores=cores), "p50_us", less=True,
                            must=1 / 2 if transport == "inproc" else 1 / 3,
                            raw=None if transport == "inproc" else
                            1.2 if cores == "same" else 1.0, count=2000, unit="us"))
    for name, gap, burst in (("one per 20 us", 20, 1), ("one per 100 us", 100, 1),
                             ("one per 1 ms", 1000, 1), ("10 per 1 ms", 1000, 10),
                             ("100 per 1 ms", 1000, 100)):
        rows.append(Row("one-way latency tcp p50", name, "latency",
                        dict(gap=gap, burst=burst, cores="apart"), "p50_us", less=True, must=1 / 2,
                        count=400 * burst, unit="us", libs=["sifr", "zmq", "raw"]))
    for peers in (1, 10, 100, 1000):
        for name in ("64 B", "1 KiB"):
            rows.append(Row("PUB, delivered", f"{name} to {peers}", "fanout",
                            dict(subscribers=peers, size=SIZES[name], cores="apart"),
                            must=3, aim=6, raw=0.7, count=max(1000, 100000 // peers)))
    rows.append(Row("PUB, one send", "64 B to 1000, p50", "fanout",
                    dict(subscribers=1000, size=64, cores="apart"), "send_p50_us", less=True,
                    must=5, absolute=True, count=1000, unit="us"))
    idle = dict(connections=1000)
    rows.append(Row("idle connections", "1,000: memory each", "idle", idle, "server_bytes",
                    less=True, must=1024, absolute=True, unit="B"))
    rows.append(Row("idle connections", "1,000: CPU", "idle", idle, "server_cpu_us_per_s",
                    less=True, must=100, absolute=True, unit="us/s"))
    for name, must in (("poll", 20), ("poller", 2)):
        rows.append(Row("waiting for 1,000 sockets", name, "poll", dict(pattern=name), "mean_us",
                        less=True, must=must, absolute=True, unit="us",
                        libs=["sifr", "zmq"] if name == "poll" else ["sifr"]))
    rows.append(Row("connecting at once", "500 peers" if quick else "5,000 peers", "connect",
                    dict(peers=500 if quick else 5000), "seconds", less=True, must=1.5,
                    absolute=True, unit="s"))
    rows.append(Row("marks", "64 B: 1000 against none", "throughput",
                    dict(size=64, cores="apart"), must=0.85, against=dict(hwm=0), count=50000,
                    libs=["sifr"]))
    rows.append(Row("memory", "1 in 10,000 messages kept", "keep", {}, "grown_bytes", less=True,
                    must=1 << 20, absolute=True, unit="B", repeat=1))
    return rows


def rows_beyond(quick):
    """What there is no target for. A full run asks for all of it."""
    rows = []
    for peers in (10, 100):
        rows.append(Row("direct path beyond one peer", f"DEALER-ROUTER, {peers} peers, p50",
                        "roundtrip", dict(pattern="dealer", peers=peers, cores="same"), "p50_us",
                        less=True, count=2000, unit="us"))
    rows.append(Row("direct path beyond one peer", "PUSH to 8 PULLs, 64 B", "throughput",
                    dict(receivers=8, cores="apart"), count=50000))
    rows.append(Row("direct path beyond one peer", "REQ-REP through poll, p50", "roundtrip",
                    dict(pattern="poll", cores="same"), "p50_us", less=True, count=2000,
                    unit="us"))
    rows.append(Row("direct path beyond one peer", "one isolated send", "latency",
                    dict(gap=1000, cores="apart"), "send_p50_us", less=True, count=400, unit="us"))
    if quick:
        return rows
    for transport in ("tcp", "ipc"):
        rows.append(Row(f"throughput {transport}", "1 B", "throughput",
                        dict(transport=transport, size=1, cores="apart"), count=50000))
    for name, size in (("16 MiB", 16 << 20), ("256 MiB", 256 << 20)):
        for transport in ("tcp", "ipc", "inproc"):
            rows.append(Row(f"throughput {transport}", name, "throughput",
                            dict(transport=transport, size=size, cores="apart",
                                 count=24 if size < 99 << 20 else 4)))
    for cores in ("same", "free"):
        for name in ("64 B", "1 KiB", "64 KiB"):
            rows.append(Row(f"throughput tcp, cores {cores}", name, "throughput",
                            dict(size=SIZES[name], cores=cores),
                            count=max(200, min(50000, (8 << 20) // SIZES[name]))))
    for metric in ("p99_us", "p999_us"):
        for cores in ("same", "free", "apart"):
            rows.append(Row(f"round trip, cores {cores}", f"tcp 64 B {metric[:-3]}", "roundtrip",
                            dict(cores=cores), metric, less=True, count=2000, unit="us"))
    for peers in (1, 10, 100, 1000):
        rows.append(Row("PUB that waits for the slowest", f"64 B to {peers}", "fanout",
                        dict(subscribers=peers, size=64, cores="apart", nodrop=1),
                        count=max(1000, 100000 // peers)))
    for cores in ("free", "apart"):
        rows.append(Row(f"round trip, cores {cores}", "inproc 64 B p50", "roundtrip",
                        dict(transport="inproc", cores=cores), "p50_us", less=True, count=2000,
                        unit="us"))
    for metric in ("p50_us", "p99_us", "p999_us"):
        rows.append(Row("DEALER-ROUTER, cores free", f"tcp 64 B {metric[:-3]}", "roundtrip",
                        dict(pattern="dealer"), metric, less=True, count=2000, unit="us"))
    rows += [
        Row("PUB, one send", "64 B to 1000, mean", "fanout",
            dict(subscribers=1000, size=64, cores="apart"), "send_mean_us", less=True,
            count=1000, unit="us"),
        Row("fan-in", "100 PUSH to 1 PULL, 64 B", "throughput", dict(senders=100, cores="apart"),
            count=50000),
        Row("multipart", "5 frames of 64 B", "throughput", dict(parts=5, cores="apart"),
            count=50000),
        Row("proxy", "PULL-PUSH between, 64 B", "throughput", dict(proxy=1), count=50000,),
        Row("subscriptions", "100,000: made in", "subscriptions", {}, "make_seconds", less=True,
            unit="s"),
        Row("subscriptions", "100,000: memory each", "subscriptions", {}, "publisher_bytes",
            less=True, unit="B"),
        Row("subscriptions", "100,000: messages matched", "subscriptions", {}),
        Row("connecting at once", "500 peers", "connect", dict(peers=500), "seconds", less=True,
            unit="s"),
        Row("created and closed", "sockets", "create", {}, "sockets_rate"),
        Row("created and closed", "contexts", "create", {}, "contexts_rate"),
    ]
    many = dict(connections=10000, idle=3000, limit=300)
    for name, metric, unit in (("memory each, bound side", "server_bytes", "B"),
                               ("memory each, dialling side", "client_bytes", "B"),
                               ("CPU, bound side", "server_cpu_us_per_s", "us/s"),
                               ("CPU, dialling side", "client_cpu_us_per_s", "us/s"),
                               ("round trip of one active, p50", "p50_us", "us")):
        rows.append(Row("10,000 idle connections", name, "idle", many, metric, less=True,
                        unit=unit, repeat=2))
    return rows


# ---- Running ------------------------------------------------------------------------------------

class Unsupported(Exception):
    """The library has no such thing."""


class Bench:
    """Runs programs and keeps what they said, for rows that ask for the same run."""

    def __init__(self, where, seconds, repeat, limit, log, priority):
        self.where, self.seconds, self.repeat, self.log = where, seconds, repeat, log
        self.before = (lambda: os.nice(-20)) if priority else None
        self.limit = limit  # seconds after which a run is given up
        self.counts, self.results = {}, {}

    def run(self, lib, row, args):
        words = [f"{k}={v}" for k, v in {"limit": self.limit, **args}.items()]
        try:
            done = subprocess.run([os.path.join(self.where, row.program), lib] + words,
                                  capture_output=True, text=True, timeout=600,
                                  preexec_fn=self.before)
        except subprocess.TimeoutExpired:
            raise RuntimeError("took more than 600 s") from None
        print(" ".join([row.program, lib] + words), "->", done.returncode, done.stdout.strip(),
              done.stderr.strip(), file=self.log, flush=True)
        if done.returncode == 77:
            raise Unsupported(done.stderr.strip())
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or f"status {done.returncode}")
        return {k: float(v) for k, v in re.findall(r"(\w+)=(\S+)", done.stdout)}

    def arguments(self, lib, row, extra):
        """The row's, with a count that makes the run last as long as wanted."""
        args = dict(row.args, **extra)
        if row.count is None:
            return args
        key = (lib, row.program, tuple(args.items()))
        if key not in self.counts:
            count, seconds = row.count, self.seconds * row.lasts
            for _ in range(2): # a short run is all beginning: the second knows better
                begun = time.monotonic()
                result = self.run(lib, row, dict(args, count=count))
                took = result.get("seconds") or time.monotonic() - begun
                if "rate" in result and "subscribers" not in args:
                    took = count / result["rate"]
                if row.program == "latency":
                    took = count * args["gap"] / args.get("burst", 1) / 1e6
                if took > seconds / 2:
                    break
                count = int(count * min(100, seconds / max(took, 1e-4)))
            count = int(count * min(100, seconds / max(took, 1e-4))) \
                if took > seconds else count
            self.counts[key] = max(16, count)
        return dict(args, count=self.counts[key])

    def once(self, lib, row, extra, turn):
        key = (lib, row.program, tuple(dict(row.args, **extra).items()), turn)
        if key not in self.results:
            self.results[key] = self.run(lib, row, self.arguments(lib, row, extra))
        return self.results[key][row.metric]

    def measure(self, row):
        runs = [(lib, lib, {}) for lib in row.libs]
        if row.against:
            runs.append(("against", "sifr", row.against))
        for turn in range(row.repeat or self.repeat):
            for name, lib, extra in runs:
                values = row.values.setdefault(name, [])
                if name in row.failed:
                    continue
                try:
                    try:
                        values.append(self.once(lib, row, extra, turn))
                    except RuntimeError as why: # said, and tried once more
                        print(f"again: {row.program} {lib} {row.args}: {why}", file=sys.stderr)
                        values.append(self.once(lib, row, extra, turn))
                except Unsupported:
                    row.failed[name] = "-"
                except RuntimeError as why:
                    row.failed[name] = f"failed: {why}"
                    print(f"{row.program} {lib} {row.args}: {why}", file=sys.stderr)


# ---- Judging ------------------------------------------------------------------------------------

def median(values):
    return statistics.median(values) if values else None


def ratios(row, name):
    return [a / b for a, b in zip(row.values.get("sifr", []), row.values.get(name, [])) if b > 0]


def judge(row):
    """MISS, must or aim; "" where nothing is asked."""
    if row.must is None:
        return ""
    own = row.values.get("sifr")
    if not own:
        return "MISS"
    value = median(own) if row.absolute else median(ratios(row, "against" if row.against else
                                                           "zmq"))
    if value is None:
        return "?"
    to_raw = median(ratios(row, "raw")) if row.raw else None
    if row.less:
        met = value <= row.must and (to_raw is None or to_raw <= row.raw)
        return "must" if met else "MISS"
    if row.aim and value >= row.aim:
        return "aim"
    if value >= row.must or (to_raw is not None and to_raw >= row.raw):
        return "must"
    return "MISS"


# ---- Printing -----------------------------------------------------------------------------------

def number(value):
    if value is None:
        return "-"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "K")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == 'K' else limit):.3g}{unit}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(values):
    if not values:
        return "-"
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def wanted(row):
    if row.must is None:
        return ""
    sign = "<=" if row.less else ">="
    text = f"{sign} {number(row.must) if row.absolute else f'{row.must:.3g}'}"
    if row.aim:
        text += f", aim {row.aim:g}"
    if row.raw:
        text += f"{' and' if row.less else ', or'} {sign} {row.raw:g} raw"
    return text


def cells(row, libs):
    shown = [row.failed[lib].split(":")[0] if lib in row.failed else
             number(median(row.values.get(lib))) for lib in libs]
    other = ratios(row, "against" if row.against else "zmq")
    return [row.group, row.name, *[f"{s} {row.unit}" if s[0].isdigit() else s for s in shown],
            spread(other), spread(ratios(row, "raw")), wanted(row), judge(row)]


def heads(libs):
    return ["", "", *["libzmq" if lib == "zmq" else lib for lib in libs], "to libzmq", "to raw",
            "target", ""]


WIDTHS = {"sifr": 11, "zmq": 11, "nng": 11, "raw": 11}


def print_head(libs):
    print(line(heads(libs), libs), flush=True)


def line(texts, libs):
    widths = [27, 34, *[WIDTHS[lib] for lib in libs], 20, 20, 28, 4]
    return "  ".join(t.ljust(w) for t, w in zip(texts, widths)).rstrip()


def print_row(row, libs):
    print(line(cells(row, libs), libs), flush=True)


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(["group", "row", "program", "arguments", "metric", "library", "run", "value"])
        for row in rows:
            words = " ".join(f"{k}={v}" for k, v in row.args.items())
            for lib, values in row.values.items():
                for i, value in enumerate(values):
                    out.writerow([row.group, row.name, row.program, words, row.metric, lib, i + 1,
                                  f"{value:.6g}"])


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for text in f:
            if text.startswith("model name"):
                model = text.split(":", 1)[1].strip()
                break
    return (f"{os.cpu_count()} x {model}, {os.uname().sysname} {os.uname().release}, "
            f"load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")


# ---- Plots --------------------------------------------------------------------------------------

def bytes_of(name):
    n, unit = name.split()[:2]
    return int(n) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


def plot(path, title, xlabel, ylabel, series, style="linespoints"):
    """series: {library: [(x, y)]}, on logarithmic axes."""
    blocks, plots = [], []
    for lib, points in series.items():
        if not points:
            continue
        name = f"$d{len(blocks)}"
        blocks.append(name + " << E\n" + "\n".join(f"{x} {y:.6g}" for x, y in sorted(points)) +
                      "\nE\n")
        plots.append(f"{name} using 1:2 with {style} pt 7 ps 0.4 lw 2 title "
                     f"'{'libzmq' if lib == 'zmq' else lib}'")
    if not plots:
        return
    script = "".join(blocks) + f"""
set terminal svg size 720,440 font 'sans,12' background 'white'
set output '{path}'
set title '{title}'
set xlabel '{xlabel}'
set ylabel '{ylabel}'
set logscale xy
set format y '%.0s%c'
set format x '%.0s%c'
set grid
set key outside right
plot {', '.join(plots)}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def plots(folder, rows):
    """Returns the names of the files that were written."""
    written = []

    def series(pick, x):
        found = {}
        for row in rows:
            if pick(row):
                for lib, values in row.values.items():
                    if values and lib != "against":
                        found.setdefault(lib, []).append((x(row), median(values)))
        return found

    def draw(name, *args):
        found = args[-1]
        if found:
            plot(os.path.join(folder, name), *args)
            written.append(name)

    for transport in ("tcp", "ipc", "inproc"):
        draw(f"throughput-{transport}.svg", f"PUSH to PULL over {transport}, roles on two cores",
             "bytes", "messages a second",
             series(lambda r, t=transport: r.group == f"throughput {t}", lambda r: r.args["size"]))
    draw("fanout.svg", "PUB, 64 B", "subscribers", "deliveries a second",
         series(lambda r: r.group == "PUB, delivered" and r.args["size"] == 64,
                lambda r: r.args["subscribers"]))
    draw("latency.svg", "One-way latency of a paced message over tcp, median", "us between",
         "us", series(lambda r: r.group.startswith("one-way") and r.args["burst"] == 1,
                      lambda r: r.args["gap"]))
    return written


# ---- The whole ----------------------------------------------------------------------------------

WORDS = "## What bounds the rest\n"


def write_page(path, rows, libs, pictures, folder, how):
    """docs/performance.md: the same table, and the plots."""
    where = os.path.relpath(folder, os.path.dirname(path))
    words = ""  # what people wrote below stays
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            words = "".join(f.read().partition(f"\n{WORDS}")[1:])
    with open(path, "w", encoding="utf-8") as f:
        f.write("# Performance\n\n"
                f"Measured by `bench/run{how}` on {machine()}. "
                "[bench/README](../bench/README) tells what the columns mean. Each run is in "
                f"[results.csv]({where}/results.csv).\n\n")
        met = [judge(row) for row in rows if row.must is not None]
        f.write(f"Of {len(met)} targets {sum(m in ('must', 'aim') for m in met)} are met, "
                f"{met.count('aim')} of them as far as was aimed.\n")
        for name in pictures:
            f.write(f"\n![{name[:-4]}]({where}/{name})\n")
        group = None
        for row in rows:
            if row.group != group:
                group = row.group
                f.write(f"\n## {group[0].upper() + group[1:]}\n\n")
                f.write("| " + " | ".join(heads(libs)[1:]) + " |\n")
                f.write("|" + "---|" * (len(heads(libs)) - 1) + "\n")
            f.write("| " + " | ".join(cells(row, libs)[1:]) + " |\n")
        f.write(words)


def main():
    p = argparse.ArgumentParser(prog="bench/run", description="Measures sifr beside libzmq, nng "
                                "and raw sockets.")
    p.add_argument("--quick", action="store_true", help="the table of targets, in under 5 minutes")
    p.add_argument("--only", default="", metavar="REGEX", help="rows whose name matches")
    p.add_argument("--repeat", type=int, help="repetitions [3 with --quick, else 5]")
    p.add_argument("--seconds", type=float, help="length of one run [0.12 with --quick, else 0.3]")
    p.add_argument("--priority", action="store_true", help="run all at the highest priority but "
                   "real-time, before what else the machine does (as root)")
    p.add_argument("--output", metavar="DIRECTORY", help="where CSV, plots and log go")
    p.add_argument("--page", metavar="FILE", help="write the table as Markdown")
    p.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    a = p.parse_args()

    folder = a.output or os.path.join(a.programs, "results")
    os.makedirs(folder, exist_ok=True)
    rows = rows_of_targets(a.quick)
    rows += rows_beyond(a.quick)
    if not a.quick:
        for row in rows: # whoever can; what a library has not is shown as -
            if not row.against and row.program != "subscriptions":
                row.libs = ["sifr", "zmq", "nng", "raw"]
            if max(row.args.get("subscribers", 0), row.args.get("peers", 0)) >= 1000:
                row.libs.remove("nng") # a run of it takes minutes
    rows = [r for r in rows if re.search(a.only, f"{r.group} {r.name}")]
    order = list(dict.fromkeys(r.group for r in rows))
    rows.sort(key=lambda r: order.index(r.group))
    libs = ["sifr", "zmq", "raw"] if a.quick else ["sifr", "zmq", "nng", "raw"]

    begun = time.monotonic()
    print(machine() + (", at raised priority" if a.priority else ""))
    print_head(libs)
    with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
        bench = Bench(a.programs, a.seconds or (0.12 if a.quick else 0.3),
                      a.repeat or (3 if a.quick else 5), 15 if a.quick else 120, log, a.priority)
        for row in rows:
            bench.measure(row)
            print_row(row, libs)
    write_csv(os.path.join(folder, "results.csv"), rows)
    pictures = plots(folder, rows) if shutil.which("gnuplot") else []
    if a.page:
        write_page(a.page, rows, libs, pictures, folder,
                   (" --quick" if a.quick else "") + (" --priority" if a.priority else ""))
    met = [judge(row) for row in rows if row.must is not None]
    print(f"{sum(m in ('must', 'aim') for m in met)} of {len(met)} targets met, "
          f"{time.monotonic() - begun:.0f} s; each run: {folder}/results.csv")
    return 1 if any(row.failed.get("sifr") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
