# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""One process reads FILE and passes some of it on by unix sockets; another, which never had it, sends SENT bytes to a
receiver, as fast as it can. What each did it writes to REPORT, a line each.

usage: passer.py REPORT WAY FILE ADDRESS PORT FOLDER

They wait for one another by eventfd and waitpid, which carry no bytes."""
import array
import ctypes
import json
import multiprocessing.connection
import os
import socket
import struct
import sys

REPORT, WAY, FILE, ADDRESS, PORT, FOLDER = sys.argv[1:]
SENT = 500009
PASSED = 70001
PART = 10007
MESSAGE = 1009
NAME = os.path.join(FOLDER, "name")
libc = ctypes.CDLL(None, use_errno=True)
children = []


def role(name, do, *arguments):
    """A process of its own. `do` returns what it counted."""
    pid = os.fork()
    if pid:
        children.append(pid)
        return pid
    try:
        figures = do(*arguments)
        line = json.dumps({"role": name, "pid": os.getpid(), **(figures or {})}) + "\n"
        fd = os.open(REPORT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(fd, line.encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def ended(pid):
    children.remove(pid)
    assert os.waitpid(pid, 0)[1] == 0, f"process {pid} failed"


class Event:
    def __init__(self):
        self.fd = os.eventfd(0)

    def set(self):
        os.eventfd_write(self.fd, 1)

    def wait(self):
        os.eventfd_read(self.fd)


def taste(n):
    with open(FILE, "rb", buffering=0) as f:
        data = f.read(n)
    assert len(data) == n
    return data


def send_out(got):
    s = socket.create_connection((ADDRESS, int(PORT)))
    left = SENT
    while left:
        left -= s.send(bytes(min(left, 65536)))
    return {"got": got}


def take(s, n, most=1013):
    got = 0
    while got < n:
        data = s.recv(min(most, n - got))
        assert data
        got += len(data)
    return got


def put(s, n, most=997):
    data = taste(n)
    done = 0
    while done < n:
        done += s.send(data[done:done + most])
    return {"put": done}


def messages(s, n, target=None):
    data = taste(n)
    for at in range(0, n, MESSAGE):
        s.sendto(data[at:at + MESSAGE], target) if target else s.send(data[at:at + MESSAGE])
    return {"put": n}


def reader(s, n, **options):
    return role("sender", lambda: send_out(take(s, n, **options)))


# --- ways ----------------------------------------------------------------------------

def way_part():
    """More is written than is read."""
    a, b = socket.socketpair()
    reader(b, PART)
    role("source", put, a, PASSED)


def way_truncated():
    """Of each datagram only the beginning is taken."""
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    role("sender", lambda: send_out(sum(len(b.recv(499)) for _ in range(13))))
    role("source", messages, a, 13 * MESSAGE)


def way_peek():
    a, b = socket.socketpair()

    def look():
        peeked = len(b.recv(MESSAGE, socket.MSG_PEEK | socket.MSG_WAITALL))
        return send_out(peeked + take(b, PART))

    role("sender", look)
    role("source", put, a, PART)


def workers(kind):
    """Eight write to one socket."""
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    reader(b, 8 * PART, most=65536)
    for _ in range(8):
        role("source", messages, a, PART)


def way_workers_packet():
    workers(socket.SOCK_SEQPACKET)


def way_workers_datagram():
    workers(socket.SOCK_DGRAM)


def way_workers_stream():
    workers(socket.SOCK_STREAM)


def listener(kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(NAME)
    if kind != socket.SOCK_DGRAM:
        s.listen(3)
    return s


def dial(kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind)
    s.connect(NAME)
    return s


def accepted_later(kind):
    """The writer is gone before anyone accepts."""
    s = listener(kind)
    ended(role("source", lambda: put(dial(kind), PART)))
    role("sender", lambda: send_out(take(s.accept()[0], PART)))


def way_accepted_later():
    accepted_later(socket.SOCK_STREAM)


def way_accepted_later_packet():
    accepted_later(socket.SOCK_SEQPACKET)


def way_connected_before_taint():
    """Connected, not accepted, and only then tainted."""
    s = listener()
    connected, go = Event(), Event()

    def source():
        c = dial()
        connected.set()
        go.wait()
        return put(c, PART)

    pid = role("source", source)
    connected.wait()
    go.set()
    ended(pid)
    role("sender", lambda: send_out(take(s.accept()[0], PART)))


def way_answer():
    """The bytes go the other way: from who accepted to who connected."""
    s = listener()
    role("sender", lambda: send_out(take(dial(), PART)))
    role("source", lambda: put(s.accept()[0], PART))


def way_writer_gone():
    a, b = socket.socketpair()
    pid = role("source", put, a, PART)
    a.close()
    ended(pid)
    reader(b, PART)


def way_inherited():
    """Accepted by one, read by its child."""
    s = listener()
    role("source", lambda: put(dial(), PART))
    c = s.accept()[0]
    reader(c, PART)


def way_addressed():
    """Datagrams to a name; the sender's socket is connected to nobody."""
    s = listener(socket.SOCK_DGRAM)
    reader(s, PART, most=65536)
    role("source", lambda: messages(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), PART, NAME))


def way_among_others():
    """As a log: most of what is read comes from others."""
    s = listener(socket.SOCK_DGRAM)

    def other():
        c = dial(socket.SOCK_DGRAM)
        for _ in range(50):
            c.send(bytes(MESSAGE))

    role("sender", lambda: send_out(take(s, PART + 50 * MESSAGE, most=65536)))
    role("other", other)
    role("source", lambda: messages(dial(socket.SOCK_DGRAM), PART))


def pass_fd(s, *fds):
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


def get_fd(s):
    _, found, _, _ = s.recvmsg(1, socket.CMSG_SPACE(4))
    return struct.unpack("i", found[0][2])[0]


def passed(make):
    """A tainted process is given a descriptor, writes into it, and another reads."""
    a, b = socket.socketpair()
    into, out_of = make()

    def source():
        data = taste(PART)
        into.close()
        got = socket.socket(fileno=get_fd(b)) if isinstance(into, socket.socket) else open(get_fd(b), "wb", buffering=0)
        done = 0
        while done < PART:
            done += got.send(data[done:]) if isinstance(into, socket.socket) else got.write(data[done:])
        return {"put": done}

    def take_all():
        got = 0
        while got < PART:
            got += len(os.read(out_of.fileno(), 1013))
        return send_out(got)

    role("sender", take_all)
    role("source", source)
    pass_fd(a, into.fileno())
    into.close()


def way_passed_pipe():
    def make():
        r, w = os.pipe()
        return open(w, "wb", buffering=0), open(r, "rb", buffering=0)
    passed(make)


def way_passed_stream():
    passed(socket.socketpair)


def way_passed_connection():
    """The connection to the receiver itself comes over a unix socket, after the taint."""
    a, b = socket.socketpair()
    tainted = Event()

    def source():
        taste(PART)
        tainted.set()
        s = socket.socket(fileno=get_fd(b))
        left = SENT
        while left:
            left -= s.send(bytes(min(left, 65536)))
        return {"got": PART}

    s = socket.create_connection((ADDRESS, int(PORT)))
    role("sender", source)
    tainted.wait()
    pass_fd(a, s.fileno())


def way_connection():
    """As torch and others do it: multiprocessing's connections, which write a length before each piece."""
    with multiprocessing.connection.Listener(NAME, "AF_UNIX") as server:
        role("source", lambda: multiprocessing.connection.Client(NAME, "AF_UNIX").send_bytes(taste(PART)))
        role("sender", lambda: send_out(len(server.accept().recv_bytes())))
        while children:
            ended(children[0])


def way_queue():
    """multiprocessing.Queue."""
    queue = multiprocessing.get_context("fork").Queue()

    def source():
        queue.put(taste(PART))
        queue.close()
        queue.join_thread()

    role("sender", lambda: send_out(len(queue.get())))
    role("source", source)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint), ("vector", ctypes.POINTER(Vector)),
                ("vectors", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Counted(ctypes.Structure):
    _fields_ = [("message", Message), ("length", ctypes.c_uint)]


def many(call, s, n):
    """sendmmsg or recvmmsg of n messages at once."""
    room = ctypes.create_string_buffer(n * MESSAGE)
    vectors = (Vector * n)(*(Vector(ctypes.addressof(room) + i * MESSAGE, MESSAGE) for i in range(n)))
    all_of = (Counted * n)(*(Counted(Message(None, 0, ctypes.pointer(vectors[i]), 1, None, 0, 0), 0) for i in range(n)))
    assert call(s.fileno(), all_of, n, 0, *((None,) if call is libc.recvmmsg else ())) == n
    return sum(m.length for m in all_of)


def way_many_sent():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader(b, 7 * MESSAGE, most=65536)

    def source():
        taste(PASSED)
        return {"put": many(libc.sendmmsg, a, 7)}

    role("source", source)


def way_many_received():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ended(role("source", messages, a, 7 * MESSAGE))
    role("sender", lambda: send_out(many(libc.recvmmsg, b, 7)))


def way_spliced():
    """File to pipe to socket, socket to pipe to memory."""
    a, b = socket.socketpair()

    def source():
        fd = os.open(FILE, os.O_RDONLY)
        r, w = os.pipe()
        left = PART
        while left:
            got = os.splice(fd, w, min(left, 4096))
            left -= got
            while got:
                got -= os.splice(r, a.fileno(), got)
        return {"put": PART}

    def sender():
        r, w = os.pipe()
        got = 0
        while got < PART:
            n = os.splice(b.fileno(), w, min(PART - got, 4096))
            assert n
            got += n
            while n:
                n -= len(os.read(r, n))
        return send_out(got)

    role("sender", sender)
    role("source", source)


globals()[f"way_{WAY}"]()
while children:
    ended(children[0])
