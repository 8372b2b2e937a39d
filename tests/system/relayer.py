# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""One process reads FILE and passes some of it on over connections or datagrams that stay on this host; another, which
never had it, sends SENT bytes to a receiver. What each did it writes to REPORT, a line each.

usage: relayer.py REPORT WAY FILE ADDRESS PORT [NEAR]

NEAR: the address that the other listens at, 127.0.0.1 if none is given. They wait for one another by eventfd and
waitpid, which carry no bytes."""
import http.client
import http.server
import json
import os
import socket
import struct
import sys

REPORT, WAY, FILE, ADDRESS, PORT = sys.argv[1:6]
NEAR = sys.argv[6] if len(sys.argv) > 6 else "127.0.0.1"
SENT = 500009
PART = 10007
OTHER = 50021  # of who never had any
MESSAGE = 1009
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


def send_out(got, n=SENT):
    s = socket.create_connection((ADDRESS, int(PORT)))
    left = n
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


def put(s, data, most=997):
    done = 0
    while done < len(data):
        done += s.send(data[done:done + most])
    return {"put": done}


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(address=NEAR, kind=socket.SOCK_STREAM, n=16):
    s = socket.socket(family(address), kind)
    s.bind((address, 0))
    if kind == socket.SOCK_STREAM:
        s.listen(n)
    return s


def dial(s, kind=socket.SOCK_STREAM):
    c = socket.socket(s.family, kind)
    c.connect(s.getsockname())
    return c


def source(s, n=PART):
    return role("source", lambda: put(dial(s), taste(n)))


def accepting(s, n=PART):
    def do():
        return send_out(take(s.accept()[0], n))
    return role("sender", do)


# --- connections ---------------------------------------------------------------------

def way_part(s=None):
    """More is sent out than came in."""
    s = s or listener()
    accepting(s)
    source(s)


def way_v6():
    way_part(listener("::1"))


def way_mapped():
    """A server for both families sees its client's address another way than the client does."""
    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", 0))
    s.listen(3)
    port = s.getsockname()[1]
    accepting(s)
    role("source", lambda: put(socket.create_connection(("127.0.0.1", port)), taste(PART)))


def way_own_address():
    """The host's own address on a link."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((ADDRESS, int(PORT)))
        own = s.getsockname()[0]
    way_part(listener(own))


def before_taint(ahead):
    """Connected, and sent other bytes, before the file is read. ahead: these are read before, too."""
    s, go, read = listener(), Event(), Event()

    def client():
        c = dial(s)
        put(c, bytes(OTHER))
        go.wait()
        figures = put(c, taste(PART))
        read.set()
        return figures

    def server():
        c = s.accept()[0]
        got = take(c, OTHER) if ahead else 0
        go.set()
        if not ahead:
            read.wait()
            got = take(c, OTHER)
        return send_out(got + take(c, PART))

    role("sender", server)
    role("source", client)


def way_connected_before_taint():
    before_taint(True)


def way_queued_before_taint():
    before_taint(False)


def way_accepted_later():
    """The client is gone before anyone accepts."""
    s = listener()
    ended(source(s))
    accepting(s)


def way_reset():
    """What came before a reset is still there to be read."""
    s, greeted, gone = listener(), Event(), Event()

    def client():
        c = dial(s)
        greeted.wait()
        figures = put(c, taste(PART))
        c.close()  # with the greeting unread: a reset
        gone.set()
        return figures

    def server():
        c = s.accept()[0]
        c.send(b"hello")
        greeted.set()
        gone.wait()
        return send_out(take(c, PART))

    role("sender", server)
    role("source", client)


def way_answer():
    """The bytes go to who connected."""
    s = listener()
    role("sender", lambda: send_out(take(dial(s), PART)))
    role("source", lambda: put(s.accept()[0], taste(PART)))


def way_among_others():
    """One server, one way out, three clients: one has something of it."""
    s = listener()

    def server():
        got = 0
        for _ in range(3):
            c = s.accept()[0]
            while True:
                data = c.recv(4093)
                if not data:
                    break
                got += len(data)
        return send_out(got)

    role("sender", server)
    role("other", lambda: put(dial(s), bytes(OTHER)))
    source(s)
    role("other", lambda: put(dial(s), bytes(OTHER)))


def way_many_connections():
    """A connection for each piece."""
    s = listener(n=64)

    def server():
        got = 0
        for _ in range(97):
            got += take(s.accept()[0], 101)
        return send_out(got)

    def client():
        data = taste(97 * 101)
        for at in range(0, len(data), 101):
            put(dial(s), data[at:at + 101])
        return {"put": 97 * 101}

    role("sender", server)
    role("source", client)


def way_inherited():
    """Accepted by one, read by its child."""
    s = listener()

    def server():
        c = s.accept()[0]
        ended(role("sender", lambda: send_out(take(c, PART))))

    role("server", server)
    source(s)


def way_two_hops():
    """The first relay passes on less than it got."""
    a, b = listener(), listener()

    def first():
        got = take(a.accept()[0], PART)
        put(dial(b), bytes(4999))
        return {"passed": got}

    accepting(b, 4999)
    role("relay", first)
    source(a)


def way_peeked():
    s = listener()

    def server():
        c = s.accept()[0]
        for _ in range(7):
            c.recv(MESSAGE, socket.MSG_PEEK | socket.MSG_WAITALL)
        return send_out(take(c, PART))

    role("sender", server)
    source(s)


def way_calls():
    """By readv, recvmsg, read and recv in turn."""
    s = listener()

    def server():
        c = s.accept()[0]
        got, turn = 0, 0
        while got < PART:
            n = min(503, PART - got)
            if turn % 4 == 0:
                got += os.readv(c.fileno(), [bytearray(n)])
            elif turn % 4 == 1:
                got += len(c.recvmsg(n)[0])
            elif turn % 4 == 2:
                got += len(os.read(c.fileno(), n))
            else:
                got += c.recv_into(bytearray(n))
            turn += 1
        return send_out(got)

    role("sender", server)
    source(s)


def way_sendfile():
    """The file itself, which its sender never has in its memory."""
    s = listener()

    def client():
        c = dial(s)
        with open(FILE, "rb") as f:
            done = 0
            while done < PART:
                done += os.sendfile(c.fileno(), f.fileno(), done, PART - done)
        return {"put": done}

    accepting(s)
    role("source", client)


def way_spliced():
    """From the connection into a pipe and on to the receiver: the relay never has it in its memory."""
    s = listener()

    def server():
        c, out = s.accept()[0], socket.create_connection((ADDRESS, int(PORT)))
        r, w = os.pipe()
        got = 0
        while got < PART:
            n = os.splice(c.fileno(), w, min(PART - got, 4096))
            assert n
            got += n
            while n:
                n -= os.splice(r, out.fileno(), n)
        left = SENT - PART
        while left:
            left -= out.send(bytes(min(left, 65536)))
        return {"got": got}

    role("sender", server)
    source(s)


# --- datagrams -----------------------------------------------------------------------

def datagrams(send, s=None, out=SENT):
    s = s or listener(kind=socket.SOCK_DGRAM)

    def server():
        return send_out(sum(len(s.recv(65536)) for _ in range(7)), out)

    def client():
        c = socket.socket(s.family, socket.SOCK_DGRAM)
        data = taste(7 * MESSAGE)
        for at in range(0, len(data), MESSAGE):
            send(c, s.getsockname(), data[at:at + MESSAGE])
        return {"put": 7 * MESSAGE}

    role("sender", server)
    role("source", client)


def way_udp_sendto(s=None):
    datagrams(lambda c, to, data: c.sendto(data, to), s)


def way_udp_connected():
    def send(c, to, data):
        c.connect(to)
        c.send(data)
    datagrams(send)


def way_udp_v6():
    way_udp_sendto(listener("::1", socket.SOCK_DGRAM))


def way_udp_among_others():
    """One socket, two senders."""
    s = listener(kind=socket.SOCK_DGRAM)

    def other():
        c = dial(s, socket.SOCK_DGRAM)
        for _ in range(7):
            c.send(bytes(MESSAGE + 2))

    ended(role("other", other))
    role("sender", lambda: send_out(sum(len(s.recv(65536)) for _ in range(14))))
    role("source", lambda: put(dial(s, socket.SOCK_DGRAM), taste(7 * MESSAGE), MESSAGE))


def way_resolver():
    """Questions to a resolver of this host, which asks another in turn."""
    s = listener(kind=socket.SOCK_DGRAM)

    def resolver():
        up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        got = 0
        for _ in range(3):
            question, who = s.recvfrom(512)
            got += len(question)
            up.sendto(question + bytes(11), (ADDRESS, int(PORT)))
            s.sendto(question + bytes(16), who)
        return {"got": got}

    def client():
        taste(PART)
        c = dial(s, socket.SOCK_DGRAM)
        for _ in range(3):
            c.send(struct.pack("!6H", 7, 256, 1, 0, 0, 0) + b"\x07example\x03org\x00\x00\x01\x00\x01")
            c.recv(512)
        return {}

    role("sender", resolver)
    role("source", client)


# --- what nothing must be said of ------------------------------------------------------

def way_ring():
    """As ranks of a training: each has a connection to each; one has read the data. Nothing leaves."""
    ranks = 4
    servers = [listener() for _ in range(ranks)]

    def rank(me):
        data = taste(PART) if not me else bytes(PART)
        to = [dial(servers[k]) for k in range(ranks) if k != me]
        of = [servers[me].accept()[0] for _ in range(ranks - 1)]
        got = 0
        for _ in range(5):
            for c in to:
                put(c, data)
            for c in of:
                got += take(c, PART)
        return {"got": got}

    for me in range(ranks):
        role("rank", rank, me)


# --- a proxy of the standard library -----------------------------------------------------

def way_http():
    class Proxy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            send_out(len(body))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer((NEAR, 0), Proxy)

    def serve():
        server.handle_request()
        return {"got": PART}

    def client():
        c = http.client.HTTPConnection(*server.server_address)
        c.request("POST", "http://files.example.org/upload", taste(PART))
        assert c.getresponse().status == 204
        c.close()
        return {"put": PART}

    role("sender", serve)
    role("source", client)


globals()[f"way_{WAY}"]()
while children:
    ended(children[0])
