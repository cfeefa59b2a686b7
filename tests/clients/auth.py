"""pyzmq's authenticators keep the wrong ones out: auth.py LIBRARY_PATH FOLDER, the path being the servers'.

Servers of each mechanism run in another process with an authenticator, once in a thread and once
in asyncio. They answer with the User-Id that the authenticator gave to whoever asks.
"""
import asyncio
import os
import subprocess
import sys

import zmq
import zmq.asyncio
import zmq.auth
from zmq.auth.asyncio import AsyncioAuthenticator
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

LIMIT_MS = 60000
NAMES = "control", "null", "plain", "curve"
FAILED = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | \
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL


def libraries():
    with open("/proc/self/maps") as maps:
        return {line.split()[-1] for line in maps if "/libzmq" in line}


def same(got, expected):
    if got != expected:
        raise AssertionError(f"{got!r} instead of {expected!r}")


# ---- The servers

def open_servers(context, folder):
    sockets = {name: context.socket(zmq.REP) for name in NAMES}
    for name in NAMES[1:]:
        sockets[name].zap_domain = name.encode()
    sockets["plain"].plain_server = True
    public, secret = zmq.auth.load_certificate(os.path.join(folder, "server.key_secret"))
    sockets["curve"].curve_secretkey, sockets["curve"].curve_publickey = secret, public
    sockets["curve"].curve_server = True
    for socket in sockets.values():
        socket.linger = 0
        socket.bind("tcp://127.0.0.1:*")
        print("endpoint", socket.last_endpoint.decode())
    for path in libraries():
        print("library", path)
    print("ready", flush=True)
    return sockets


def configure(auth, folder):
    auth.configure_plain(domain="plain", passwords={"admin": "secret"})
    auth.configure_curve(domain="curve", location=os.path.join(folder, "known"))


def obey(auth, command):
    if command == b"deny":
        auth.deny("127.0.0.1")
    elif command == b"allow":
        auth.allow("127.0.0.1", "127.0.0.2")
    elif command == b"any key":
        auth.configure_curve(domain="curve", location=zmq.auth.CURVE_ALLOW_ANY)


def user_of(frame):
    try:
        return frame.get("User-Id").encode()
    except zmq.ZMQError:
        return b"nobody"


def serve_with_thread(folder):
    context = zmq.Context()
    auth = ThreadAuthenticator(context)
    auth.start()
    configure(auth, folder)
    sockets = open_servers(context, folder)
    poller = zmq.Poller()
    for socket in sockets.values():
        poller.register(socket, zmq.POLLIN)
    command = None
    while command != b"stop":
        for socket, _ in poller.poll(LIMIT_MS):
            frame = socket.recv(copy=False)
            if socket is sockets["control"]:
                command = frame.bytes
                obey(auth, command)
                socket.send(b"done")
            else:
                socket.send(user_of(frame))
    sockets["control"].close(linger=LIMIT_MS)
    auth.stop()
    context.destroy()


async def serve_with_asyncio(folder):
    context = zmq.asyncio.Context()
    auth = AsyncioAuthenticator(context)
    auth.start()
    configure(auth, folder)
    sockets = open_servers(context, folder)

    async def answer(socket):
        while True:
            await socket.send(user_of(await socket.recv(copy=False)))

    tasks = [asyncio.ensure_future(answer(sockets[name])) for name in NAMES[1:]]
    command = None
    while command != b"stop":
        command = await sockets["control"].recv()
        obey(auth, command)
        await sockets["control"].send(b"done")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sockets["control"].close(linger=LIMIT_MS)
    auth.stop()
    context.destroy()


# ---- Who asks

class Session:
    def __init__(self, endpoints, folder, denies):
        self.context = zmq.Context()
        self.endpoints = endpoints
        self.folder = folder
        self.denies = denies
        self.control = self.context.socket(zmq.REQ)
        self.control.rcvtimeo = LIMIT_MS
        self.control.linger = 0
        self.control.connect(endpoints["control"])

    def tell(self, command):
        self.control.send(command)
        same(self.control.recv(), b"done")

    def socket(self, name, user=None, password=None, key=None):
        socket = self.context.socket(zmq.REQ)
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = LIMIT_MS
        if user is not None:
            socket.plain_username, socket.plain_password = user, password
        if key is not None:
            pair = zmq.auth.load_certificate(os.path.join(self.folder, key + ".key_secret"))
            socket.curve_publickey, socket.curve_secretkey = pair
            socket.curve_serverkey = zmq.auth.load_certificate(
                os.path.join(self.folder, "server.key"))[0]
        return socket

    def comes_in(self, expected, name, **credentials):
        socket = self.socket(name, **credentials)
        socket.connect(self.endpoints[name])
        for _ in range(3):
            socket.send(b"who am I?")
            same(socket.recv(), expected)
        socket.close()

    def stays_out(self, name, **credentials):
        """Its monitor says so, and nothing comes back."""
        socket = self.socket(name, **credentials)
        monitor = socket.get_monitor_socket(FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        monitor.rcvtimeo = LIMIT_MS
        socket.connect(self.endpoints[name])
        try:
            socket.send(b"who am I?", zmq.NOBLOCK)
        except zmq.Again:
            pass  # it has been refused already
        event = recv_monitor_message(monitor)["event"]
        same(event & FAILED, event)
        same(socket.poll(50), 0)
        socket.disable_monitor()
        monitor.close()
        socket.close()

    def run(self):
        key = zmq.auth.load_certificate(os.path.join(self.folder, "client.key"))[0]
        nobody = b"anonymous"  # as pyzmq calls who has said nothing of himself
        self.comes_in(nobody, "null")
        self.comes_in(b"admin", "plain", user=b"admin", password=b"secret")
        self.stays_out("plain", user=b"admin", password=b"Secret")
        self.stays_out("plain", user=b"nobody", password=b"secret")
        self.comes_in(key, "curve", key="client")
        self.stays_out("curve", key="stranger")
        self.tell(b"any key")
        stranger = zmq.auth.load_certificate(os.path.join(self.folder, "stranger.key"))[0]
        self.comes_in(stranger, "curve", key="stranger")
        self.tell(b"deny" if self.denies else b"allow")
        if self.denies:
            self.stays_out("null")
            self.stays_out("plain", user=b"admin", password=b"secret")
            self.stays_out("curve", key="client")
        else:
            self.comes_in(nobody, "null")
            self.comes_in(b"admin", "plain", user=b"admin", password=b"secret")
            self.comes_in(key, "curve", key="client")
        self.tell(b"stop")
        self.context.destroy()


def session(way, denies, library_path, folder):
    environment = dict(os.environ, LD_LIBRARY_PATH=library_path)
    server = subprocess.Popen([sys.executable, __file__, way, folder], env=environment,
                              stdout=subprocess.PIPE, text=True)
    try:
        endpoints = []
        for line in server.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "endpoint":
                endpoints.append(rest)
            elif word == "library":
                print("kernel", rest)
            else:
                break
        Session(dict(zip(NAMES, endpoints)), folder, denies).run()
        same(server.wait(LIMIT_MS / 1000), 0)
    finally:
        server.kill()


def main(library_path, folder):
    print(f"client pyzmq {zmq.__version__}")
    known = os.path.join(folder, "known")
    os.mkdir(known)
    for name in "server", "client", "stranger":
        zmq.auth.create_certificates(folder, name)
    os.link(os.path.join(folder, "client.key"), os.path.join(known, "client.key"))
    jobs = 0
    for way in "thread", "asyncio":
        for denies in False, True:
            session(way, denies, library_path, folder)
        jobs += 1
    for path in libraries():
        print("library", path)
    print("did NULL, PLAIN, CURVE, allow and deny, in a thread and in asyncio")
    print("jobs", jobs)
    print("done")


if sys.argv[1] == "thread":
    serve_with_thread(sys.argv[2])
elif sys.argv[1] == "asyncio":
    asyncio.run(serve_with_asyncio(sys.argv[2]))
else:
    main(*sys.argv[1:])
