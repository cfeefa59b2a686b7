"""A Jupyter kernel executes code: jupyter.py LIBRARY_PATH FOLDER, the path being the kernel's."""
import os
import sys

import ipykernel
import jupyter_client
from jupyter_client.manager import KernelManager

LIMIT = 60
MAPS = "print(*{l.split()[-1] for l in open('/proc/self/maps') if '/libzmq' in l})"


def run(client, code):
    """Executes CODE: what it printed, and how it ended."""
    printed = []

    def keep(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    # Else what comes soon after a failure is aborted: not run, though it was received.
    reply = client.execute_interactive(code, timeout=LIMIT, output_hook=keep, stop_on_error=False)
    return "".join(printed), reply["content"]


def same(got, expected):
    if got != expected:
        raise AssertionError(f"{got!r} instead of {expected!r}")


def session(transport, library_path, folder):
    manager = KernelManager(transport=transport)
    manager.kernel_spec.argv[0] = sys.executable
    if transport == "ipc":
        manager.ip = os.path.join(folder, "kernel")
    environment = dict(os.environ, IPYTHONDIR=folder, LD_LIBRARY_PATH=library_path)
    manager.start_kernel(env=environment)
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=LIMIT)
        printed, reply = run(client, MAPS)
        same(reply["status"], "ok")
        print("kernel", printed.strip())
        same(run(client, "x = 6 * 7; print(x)")[0], "42\n")
        same(run(client, "for i in range(2000): print(i)")[0],
             "".join(f"{i}\n" for i in range(2000)))
        same(run(client, "1 / 0")[1]["ename"], "ZeroDivisionError")
        same(len(run(client, "print('z' * 300000)")[0]), 300001)
        # The heartbeat answers, and a cell that waits is interrupted.
        client.execute("import time\nprint('waits', flush=True)\ntime.sleep(1000)")
        while True:
            message = client.get_iopub_msg(timeout=LIMIT)
            if message["msg_type"] == "stream":
                break
        manager.interrupt_kernel()
        same(client.get_shell_msg(timeout=LIMIT)["content"]["ename"], "KeyboardInterrupt")
        if not client.is_alive():
            raise AssertionError("no heartbeat")
        client.shutdown()
        manager.finish_shutdown()
        client.stop_channels()
    finally:
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


print(f"client ipykernel {ipykernel.__version__}, jupyter-client {jupyter_client.__version__}")
jobs = 0
for way in "tcp", "ipc":
    session(way, sys.argv[1], sys.argv[2])
    jobs += 1
with open("/proc/self/maps") as maps:
    for path in {line.split()[-1] for line in maps if "/libzmq" in line}:
        print("library", path)
print("did execution, output, errors, interrupts and the heartbeat")
print("jobs", jobs)
print("done")
