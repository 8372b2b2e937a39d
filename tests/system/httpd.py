# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
An HTTP server that takes whatever is posted or put, and counts: all that came over its sockets, and the bodies alone. Run as
a program inside one of the lab's hosts; HttpSink is the same kind of thing as lab.Sink.
"""
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = 65536


class Counting:
    """The reading half of a socket, as a file that counts what was taken from it."""

    def __init__(self, file, counts):
        self.file, self.counts = file, counts

    def _took(self, data):
        with self.counts["lock"]:
            self.counts["bytes"] += len(data)
        return data

    def readline(self, *most):
        return self._took(self.file.readline(*most))

    def read(self, n):
        return self._took(self.file.read(n))

    def __getattr__(self, name):
        return getattr(self.file, name)


def handler(counts):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            self.rfile = Counting(self.rfile, counts)

        def take(self, n):
            while n:
                got = len(self.rfile.read(min(n, BLOCK)))
                if not got:
                    return
                n -= got
                with counts["lock"]:
                    counts["bodies"] += got

        def take_chunks(self):
            while True:
                n = int(self.rfile.readline().split(b";")[0] or b"0", 16)
                self.take(n)
                self.rfile.readline()
                if not n:
                    return

        def answer(self):
            if self.headers.get("Transfer-Encoding", "") == "chunked":
                self.take_chunks()
            else:
                self.take(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"ok\n")

        do_POST = do_PUT = do_GET = answer

        def log_message(self, *words):
            pass
    return Handler


def serve(address):
    counts = {"bytes": 0, "bodies": 0, "lock": threading.Lock()}
    server = ThreadingHTTPServer((address, 0), handler(counts))
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"ready {address}:{server.server_port}", flush=True)
    server.serve_forever(0.05)
    print(json.dumps({k: counts[k] for k in ("bytes", "bodies")}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
    sys.exit(0)

import lab  # noqa: E402: the server itself needs none of it


class HttpSink(lab.Sink):
    def __init__(self, host, address=None):
        self.host, self.udp, self.family, self.senders = host, False, 4, ()
        self.ip, self.result = address or host.address(4), None
        self.process = subprocess.Popen(
            [*lab.inside(host), "/usr/bin/python3", os.path.abspath(__file__), self.ip],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if words[:1] != ["ready"]:
            raise RuntimeError(f"HTTP server at {self.ip} did not start")
        self.port = int(words[1].rpartition(":")[2])
        lab.Sink.running.append(self)

    @property
    def url(self):
        return f"http://{self.at}/"

    def bodies(self):
        return self.finish()["bodies"]
