# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
A name server and a web server over TLS, to be run inside the lab's hosts; NameServer and TlsSink start them. What they tell at
their end is what came in, as they saw it: each question, and each byte off the wire.
"""
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading

# --- DNS -------------------------------------------------------------------------


def read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels), at + 1


def answer_to(question, table):
    """Of a message with one question; aliases are followed in the answer, as a resolver does."""
    name, at = read_name(question, 12)
    kind = struct.unpack("!H", question[at:at + 2])[0]
    records, alias = [], name.lower()
    for target in table.get(alias, []):
        if target.startswith("alias:"):
            alias = target[6:]
            wire = b"".join(bytes([len(part)]) + part.encode() for part in alias.split(".")) + b"\0"
            records.append(b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 300, len(wire)) + wire)
            records += [wire + struct.pack("!HHIH", 1, 1, 300, 4) + socket.inet_aton(a) for a in table[alias] if kind == 1]
        elif ":" in target and kind == 28:
            records.append(b"\xc0\x0c" + struct.pack("!HHIH", 28, 1, 300, 16) + socket.inet_pton(socket.AF_INET6, target))
        elif ":" not in target and kind == 1:
            records.append(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + socket.inet_aton(target))
    known = name.lower() in table
    head = question[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, len(records), 0, 0)
    return name, head + question[12:at + 4] + b"".join(records)


def serve_names(address, table, port=53):
    asked, lock = [], threading.Lock()

    def take(question):
        name, answer = answer_to(question, table)
        with lock:
            asked.append(name)
        return answer

    def datagrams():
        while True:
            data, whom = udp.recvfrom(4096)
            udp.sendto(take(data), whom)

    def stream(c):
        with c, c.makefile("rb") as f:
            while len(head := f.read(2)) == 2:
                answer = take(f.read(struct.unpack("!H", head)[0]))
                c.sendall(struct.pack("!H", len(answer)) + answer)

    def streams():
        while True:
            threading.Thread(target=stream, args=(tcp.accept()[0],), daemon=True).start()

    udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for s in (udp, tcp):
        s.bind((address, port))
    tcp.listen()
    for work in (datagrams, streams):
        threading.Thread(target=work, daemon=True).start()
    return udp.getsockname()[1], lambda: {"asked": asked}


# --- TLS -------------------------------------------------------------------------

def serve_tls(address, certificate, versions):
    """Takes what is put or posted, and counts all that came off the wire."""
    counts, lock = {"bytes": 0, "bodies": 0, "connections": 0}, threading.Lock()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if versions:
        context.maximum_version = getattr(ssl.TLSVersion, versions)

    def stream(c):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        s = context.wrap_bio(incoming, outgoing, server_side=True)

        def as_proxy(c):
            """Says that it goes on, and stays."""
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += c.recv(1)
            with lock:
                counts["bytes"] += len(head)
            c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        def as_socks(c):
            """The same by SOCKS 5."""
            def exactly(n):
                data = c.recv(n, socket.MSG_WAITALL)
                with lock:
                    counts["bytes"] += len(data)
                return data

            exactly(exactly(2)[1])
            c.sendall(b"\5\0")
            exactly(exactly(5)[4] + 2)
            c.sendall(b"\5\0\0\1" + bytes(6))

        def pump(step):
            """Until OpenSSL has what it wants."""
            while True:
                try:
                    got = step()
                    c.sendall(outgoing.read())
                    return got
                except ssl.SSLWantReadError:
                    c.sendall(outgoing.read())
                    data = c.recv(65536)
                    with lock:
                        counts["bytes"] += len(data)
                    if not data:
                        raise EOFError from None
                    incoming.write(data)

        with c:
            try:
                first = c.recv(8, socket.MSG_PEEK)
                if first == b"CONNECT ":
                    as_proxy(c)
                elif first[:1] == b"\5":
                    as_socks(c)
                pump(s.do_handshake)
                while True:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        more = pump(lambda: s.read(65536))
                        if not more:
                            return
                        head += more
                    head, _, body = head.partition(b"\r\n\r\n")
                    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
                    left = int(fields.get(b"content-length", 0))
                    if b"100-continue" in fields.get(b"expect", b""):
                        pump(lambda: s.write(b"HTTP/1.1 100 Continue\r\n\r\n"))
                    chunked = b"chunked" in fields.get(b"transfer-encoding", b"")
                    while len(body) < left or (chunked and not (body.endswith(b"\r\n\r\n") and b"\r\n0\r\n" in body[-500:])):
                        body += pump(lambda: s.read(65536))
                    with lock:
                        counts["bodies"] += len(body) if chunked else left
                    pump(lambda: s.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
            except (EOFError, OSError):
                # what else came is still counted: alerts and the like
                while data := drained(c):
                    with lock:
                        counts["bytes"] += len(data)

    def streams():
        while True:
            c = tcp.accept()[0]
            counts["connections"] += 1
            threading.Thread(target=stream, args=(c,), daemon=True).start()

    tcp = socket.socket()
    tcp.bind((address, 0))
    tcp.listen()
    threading.Thread(target=streams, daemon=True).start()
    return tcp.getsockname()[1], lambda: counts


def drained(c):
    try:
        return c.recv(65536)
    except OSError:
        return b""


def main(kind, address, *words):
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    if kind == "names":
        port, told = serve_names(address, json.loads(words[0]))
    else:
        port, told = serve_tls(address, *words)
    print(f"ready {address}:{port}", flush=True)
    done.wait()
    print(json.dumps(told()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.exit(0)

import lab  # noqa: E402: the servers themselves need none of it


class Talker(lab.Sink):
    def __init__(self, host, *words, address=None):
        self.host, self.udp, self.family, self.senders = host, False, 4, ()
        self.ip, self.result = address or (host.address(4) if host else "127.0.0.1"), None
        self.process = subprocess.Popen(
            [*lab.inside(host), "/usr/bin/python3", os.path.abspath(__file__), words[0], self.ip, *words[1:]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        if ready[:1] != ["ready"]:
            raise RuntimeError(f"{words[0]} at {self.ip} did not start")
        self.port = int(ready[1].rpartition(":")[2])
        lab.Sink.running.append(self)


class NameServer(Talker):
    """NameServer(lab.vpc, {"api.example.org": ["203.0.113.2"]})"""

    def __init__(self, host, table, address=None):
        super().__init__(host, "names", json.dumps(table), address=address)

    def asked(self):
        return self.finish()["asked"]


class TlsSink(Talker):
    def __init__(self, host, certificate, versions=""):
        super().__init__(host, "tls", certificate, versions)

    def bodies(self):
        return self.finish()["bodies"]


def certificate(folder):
    """Self-signed, with its key behind it."""
    path = os.path.join(folder, "server.pem")
    p = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=test", "-days", "2", "-keyout", path + ".key", "-out", path + ".crt"],
                       capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(p.stderr)
    with open(path, "w", encoding="utf-8") as f:
        f.write(lab.read(path + ".crt") + lab.read(path + ".key"))
    return path
