"""pyzmq, in one of four ways: python.py blocking|poller|asyncio|eventloop CONTROL FOLDER"""
import asyncio
import signal
import sys
import threading
import time

import zmq
import zmq.asyncio
from zmq.devices import ThreadProxy
from zmq.utils.monitor import recv_monitor_message

MESSAGES = 200
LIMIT_MS = 60000
BYTES = bytes(range(256)) * 400


def print_library():
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "/libzmq" in line}
    for path in paths:
        print("library", path)


def body(number):
    size = 100000 if number == MESSAGES // 2 else number * number * 37 % 3000
    return BYTES[number % 256:number % 256 + size]


def numbered(prefix, number):
    return [f"{prefix}{number}".encode(), body(number)]


def same(got, expected):
    if got != expected:
        raise AssertionError(f"{got[0]!r} of {[len(part) for part in got]} bytes instead of "
                             f"{expected[0]!r} of {[len(part) for part in expected]}")


class Blocking:
    """Nothing suspends, so that a coroutine runs to its end when it is started."""
    name = "blocking"

    def __init__(self):
        self.context = zmq.Context()

    def run(self, coroutine):
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("a blocking call was suspended")

    def socket(self, kind):
        socket = self.context.socket(kind)
        socket.rcvtimeo = socket.sndtimeo = LIMIT_MS
        return socket

    async def send(self, socket, parts):
        socket.send_multipart(parts)

    async def receive(self, socket):
        return socket.recv_multipart()

    def finish(self, socket):
        socket.close()


class Polling(Blocking):
    name = "poller"

    def wait(self, socket, event):
        poller = zmq.Poller()
        poller.register(socket, event)
        ready = dict(poller.poll(LIMIT_MS))
        if ready.get(socket) != event:
            raise AssertionError(f"poll says {ready}")

    async def send(self, socket, parts):
        self.wait(socket, zmq.POLLOUT)
        socket.send_multipart(parts, zmq.NOBLOCK)

    async def receive(self, socket):
        self.wait(socket, zmq.POLLIN)
        return socket.recv_multipart(zmq.NOBLOCK)


class Asyncio(Blocking):
    name = "asyncio"

    def __init__(self):
        self.context = zmq.asyncio.Context()

    def run(self, coroutine):
        asyncio.run(coroutine)

    def socket(self, kind):
        return self.context.socket(kind)

    async def send(self, socket, parts):
        await asyncio.wait_for(socket.send_multipart(parts), LIMIT_MS / 1000)

    async def receive(self, socket):
        return await asyncio.wait_for(socket.recv_multipart(), LIMIT_MS / 1000)


class Eventloop(Blocking):
    """ZMQStream of zmq.eventloop, a loop of tornado's."""
    name = "eventloop"

    def __init__(self):
        super().__init__()
        self.streams = {}

    def run(self, coroutine):
        from tornado.ioloop import IOLoop
        IOLoop.current().run_sync(lambda: coroutine)

    def stream(self, socket):
        from zmq.eventloop.zmqstream import ZMQStream
        if socket not in self.streams:
            stream = ZMQStream(socket)
            queue = asyncio.Queue()
            if socket.type not in (zmq.PUSH, zmq.PUB):
                stream.on_recv(queue.put_nowait)
            self.streams[socket] = stream, queue
        return self.streams[socket]

    async def send(self, socket, parts):
        stream, _ = self.stream(socket)
        sent = asyncio.get_running_loop().create_future()
        stream.on_send(lambda *_: sent.done() or sent.set_result(None))
        stream.send_multipart(parts)
        await asyncio.wait_for(sent, LIMIT_MS / 1000)

    async def receive(self, socket):
        _, queue = self.stream(socket)
        return await asyncio.wait_for(queue.get(), LIMIT_MS / 1000)

    def finish(self, socket):
        if socket in self.streams:
            self.streams.pop(socket)[0].close()
        else:
            socket.close()


class Jobs:
    def __init__(self, way, control, folder):
        self.way = way
        self.folder = folder
        self.control = way.socket(zmq.REQ)
        self.control.connect(control)
        self.binds = 0
        self.done = 0

    async def ask(self, order):
        await self.way.send(self.control, [order.encode()])
        return (await self.way.receive(self.control))[0].decode()

    async def order(self, order):
        answer = await self.ask(order)
        if answer.split()[0] != "ok":
            raise AssertionError(f"the peer, asked to {order}: {answer}")
        return answer[3:]

    async def req(self, socket):
        for i in range(MESSAGES):
            await self.way.send(socket, numbered("", i))
            same(await self.way.receive(socket), numbered("re ", i))

    async def rep(self, socket):
        for i in range(MESSAGES):
            same(await self.way.receive(socket), numbered("", i))
            await self.way.send(socket, numbered("re ", i))

    async def push(self, socket):
        for i in range(MESSAGES):
            await self.way.send(socket, numbered("", i))

    async def pull(self, socket):
        for i in range(MESSAGES):
            same(await self.way.receive(socket), numbered("", i))

    async def pub(self, socket):
        while await self.ask("synced") == "no":
            await self.way.send(socket, [b"a.sync", b""])
        for i in range(MESSAGES):
            await self.way.send(socket, numbered("b." if i % 2 else "a.", i))
        await self.way.send(socket, [b"a.end", b""])

    async def sub(self, socket):
        for i in range(0, MESSAGES, 2):
            same(await self.way.receive(socket), numbered("a.", i))
        same(await self.way.receive(socket), [b"a.end", b""])

    async def job(self, mine, theirs, transport, bound):
        socket = self.way.socket(getattr(zmq, mine.upper()))
        if mine == "sub":
            socket.subscribe(b"a.")
        if bound == "here":
            self.binds += 1
            socket.bind("tcp://127.0.0.1:*" if transport == "tcp"
                        else f"ipc://{self.folder}/client-{self.binds}")
            await self.order(f"start {theirs} connect {socket.last_endpoint.decode()}")
        else:
            socket.connect(await self.order(f"start {theirs} bind {transport}"))
        await getattr(self, mine)(socket)
        await self.order("result")
        self.way.finish(socket)
        self.done += 1

    async def all(self):
        for transport in "tcp", "ipc":
            for bound in "here", "there":
                for mine, theirs in (("req", "rep"), ("rep", "req"), ("push", "pull"),
                                     ("pull", "push"), ("pub", "sub"), ("sub", "pub")):
                    try:
                        await self.job(mine, theirs, transport, bound)
                    except BaseException:
                        print(f"{mine} over {transport}, bound {bound}", file=sys.stderr)
                        raise
        if self.way.name == "asyncio":
            await many_tasks(self)
        elif self.way.name == "eventloop":
            await busy_stream(self)
        elif self.way.name == "poller":
            await polls(self)
            await proxied(self)
        else:
            await monitored(self)
            await interrupted(self)
            await unwritten_copies(self)
        await self.order("quit")
        self.way.finish(self.control)


async def many_tasks(jobs):
    """Both ends of many sockets in one loop: each wake-up of a descriptor comes once."""
    async def echo(socket):
        for _ in range(50):
            await jobs.way.send(socket, await jobs.way.receive(socket))

    async def ask(socket, name):
        for i in range(50):
            await jobs.way.send(socket, [name, str(i).encode()])
            same(await jobs.way.receive(socket), [name, str(i).encode()])

    sockets, tasks = [], []
    for i in range(10):
        server, client = jobs.way.socket(zmq.REP), jobs.way.socket(zmq.REQ)
        server.bind("tcp://127.0.0.1:*")
        client.connect(server.last_endpoint.decode())
        sockets += server, client
        tasks += echo(server), ask(client, b"task %d" % i)
    await asyncio.gather(*tasks)
    for socket in sockets:
        socket.close()
    # A poll that ends, a wait that is cancelled and a message after it.
    push, pull = jobs.way.socket(zmq.PUSH), jobs.way.socket(zmq.PULL)
    pull.bind("tcp://127.0.0.1:*")
    push.connect(pull.last_endpoint.decode())
    if await pull.poll(20) != 0:
        raise AssertionError("an empty socket is ready")
    waiting = asyncio.ensure_future(pull.recv())
    await asyncio.sleep(0)
    waiting.cancel()
    await push.send(b"after")
    same([await asyncio.wait_for(pull.recv(), LIMIT_MS / 1000)], [b"after"])
    poller = zmq.asyncio.Poller()
    poller.register(pull, zmq.POLLIN)
    await push.send(b"polled")
    if await poller.poll(LIMIT_MS) != [(pull, zmq.POLLIN)]:
        raise AssertionError("the poller saw nothing")
    push.close()
    pull.close()
    print("did the loop over edge-triggered descriptors")


async def busy_stream(jobs):
    """A stream that answers from its own callback, and one that is told to stop and go on."""
    from zmq.eventloop.zmqstream import ZMQStream
    dealer, router = jobs.way.socket(zmq.DEALER), jobs.way.socket(zmq.ROUTER)
    router.bind("tcp://127.0.0.1:*")
    dealer.connect(router.last_endpoint.decode())
    server, client = ZMQStream(router), ZMQStream(dealer)
    server.on_recv(server.send_multipart)
    got, whole = [], asyncio.get_running_loop().create_future()

    def keep(parts):
        got.append(parts)
        if len(got) == 500:
            client.stop_on_recv()
            asyncio.get_running_loop().call_soon(lambda: client.on_recv(keep))
        if len(got) == 1000 and not whole.done():
            whole.set_result(None)

    client.on_recv(keep)
    for i in range(1000):
        client.send_multipart([b"%d" % i, b""])
    await asyncio.wait_for(whole, LIMIT_MS / 1000)
    same(got, [[b"%d" % i, b""] for i in range(1000)])
    server.close()
    client.close()
    print("did streams that answer from callbacks")


async def polls(jobs):
    """A poll of 0 and of 50 ms on nothing; of many sockets one is ready; a file beside them."""
    poller = zmq.Poller()
    sockets = []
    for _ in range(20):
        socket = jobs.way.socket(zmq.PULL)
        socket.bind("tcp://127.0.0.1:*")
        poller.register(socket, zmq.POLLIN)
        sockets.append(socket)
    if poller.poll(0) != []:
        raise AssertionError("empty sockets are ready")
    begin = time.monotonic()
    if poller.poll(50) != []:
        raise AssertionError("empty sockets are ready")
    if not 0.045 < time.monotonic() - begin < 30:
        raise AssertionError(f"50 ms took {time.monotonic() - begin} s")
    push = jobs.way.socket(zmq.PUSH)
    push.connect(sockets[7].last_endpoint.decode())
    push.send(b"x")
    if poller.poll(LIMIT_MS) != [(sockets[7], zmq.POLLIN)]:
        raise AssertionError("another socket is ready")
    if zmq.select(sockets, [push], [], 0)[1] != [push]:
        raise AssertionError("select sees no room")
    for socket in sockets + [push]:
        socket.close()
    print("did polls with timeouts")


async def proxied(jobs):
    """The peer's requests through a proxy in a thread, with a capture socket."""
    proxy = ThreadProxy(zmq.ROUTER, zmq.DEALER, zmq.PUB)
    proxy.context_factory = lambda: jobs.way.context
    front = proxy.bind_in_to_random_port("tcp://127.0.0.1")
    back = proxy.bind_out_to_random_port("tcp://127.0.0.1")
    proxy.bind_mon("inproc://capture")
    proxy.start()
    worker = jobs.way.socket(zmq.REP)
    worker.connect(f"tcp://127.0.0.1:{back}")
    await jobs.order(f"start req connect tcp://127.0.0.1:{front}")
    await jobs.rep(worker)
    await jobs.order("result")
    worker.close()
    print("did a proxy")


async def monitored(jobs):
    socket = jobs.way.socket(zmq.PULL)
    monitor = socket.get_monitor_socket()
    monitor.rcvtimeo = LIMIT_MS
    socket.bind("tcp://127.0.0.1:*")
    await jobs.order(f"start push connect {socket.last_endpoint.decode()}")
    await jobs.pull(socket)
    await jobs.order("result")
    seen = []
    while zmq.EVENT_DISCONNECTED not in seen:
        event = recv_monitor_message(monitor)
        if event["endpoint"] == b"":
            raise AssertionError(f"an event without an endpoint: {event}")
        seen.append(event["event"])
    expected = [zmq.EVENT_LISTENING, zmq.EVENT_ACCEPTED, zmq.EVENT_HANDSHAKE_SUCCEEDED,
                zmq.EVENT_DISCONNECTED]
    if seen != expected:
        raise AssertionError(f"events {seen}")
    socket.disable_monitor()
    socket.close()
    print("did a monitor")


async def interrupted(jobs):
    """A handler runs while recv waits, and the receive goes on after it."""
    push, pull = jobs.way.socket(zmq.PUSH), jobs.way.socket(zmq.PULL)
    pull.bind("tcp://127.0.0.1:*")
    push.connect(pull.last_endpoint.decode())
    calls = []

    def handle(*_):
        calls.append(1)
        if len(calls) == 3:
            push.send(b"from the handler")

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    same([pull.recv()], [b"from the handler"])
    signal.setitimer(signal.ITIMER_REAL, 0)
    push.close()
    pull.close()
    print("did signals")


async def unwritten_copies(jobs):
    """A large message without a copy: the tracker is done once the library let go of it."""
    push, pull = jobs.way.socket(zmq.PUSH), jobs.way.socket(zmq.PULL)
    pull.bind("tcp://127.0.0.1:*")
    push.connect(pull.last_endpoint.decode())
    data = BYTES * 20
    tracker = push.send(data, copy=False, track=True)
    frame = pull.recv(copy=False)
    tracker.wait(LIMIT_MS / 1000)
    push.close()
    pull.close()
    if frame.buffer != data:
        raise AssertionError("other bytes")
    print("did sends without a copy")


def terminated():
    """term in one thread while another waits in recv: it is told, closes, and term returns."""
    context = zmq.Context()
    waits = threading.Event()
    told = []

    def wait():
        socket = context.socket(zmq.PULL)
        socket.bind("tcp://127.0.0.1:*")
        waits.set()
        try:
            socket.recv()
        except zmq.ContextTerminated:
            told.append(1)
        socket.close()

    thread = threading.Thread(target=wait)
    thread.start()
    waits.wait()
    context.term()
    thread.join()
    if not told:
        raise AssertionError("recv was not told that the context ends")
    closed = zmq.Context()
    socket = closed.socket(zmq.PUSH)
    socket.connect("tcp://127.0.0.1:1")
    socket.send(b"to nobody")
    closed.destroy(linger=0)
    if not socket.closed:
        raise AssertionError("destroy left a socket")
    print("did term with open sockets")


way = {"blocking": Blocking, "poller": Polling, "asyncio": Asyncio,
       "eventloop": Eventloop}[sys.argv[1]]()
print(f"client pyzmq {zmq.__version__}, Python {sys.version.split()[0]}")
print_library()


async def main():
    jobs = Jobs(way, sys.argv[2], sys.argv[3])
    await jobs.all()
    print("jobs", jobs.done)


way.run(main())
way.context.term()
if way.name == "blocking":
    terminated()
print("done")
