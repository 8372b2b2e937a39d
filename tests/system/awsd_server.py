# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The two servers of the double: the one that stands for AWS, and the one that takes commands."""
import http.server
import json
import socket
import ssl
import sys
import threading
import uuid

from awsd_wire import Call, hang_up, send

BODY_MAX = 64 << 20
HANG_UPS = (ConnectionError, TimeoutError, ssl.SSLError)


class Short(Exception):
    """The client went away within its request."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, handler, certificate=None):
        self.context, self.resets, self.open = None, set(), set()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        super().__init__(address, handler)
        self.port = self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def get_request(self):
        connection, peer = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.open.add(connection)
        return connection, peer

    def shutdown_request(self, request):
        """A close that is to be a reset must come without a FIN before it."""
        self.open.discard(request)
        if request in self.resets:
            self.resets.discard(request)
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], HANG_UPS + (ValueError,)):
            super().handle_error(request, client_address)

    def close(self):
        self.shutdown()
        self.server_close()
        for connection in list(self.open):   # those kept alive
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class FrontHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self):
        fault = self.server.awsd.faults.take("accept", "accept")
        if fault:
            hang_up(self, fault["how"])
            return
        try:
            super().handle()
        except HANG_UPS + (Short,):
            self.close_connection = True

    def handle_expect_100(self):
        return True   # said when the body is wanted

    def read_body(self):
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self.read_chunks()
        return self.read_exactly(int(self.headers.get("Content-Length") or 0))

    def read_exactly(self, length):
        if not 0 <= length <= BODY_MAX:
            raise Short
        data = self.rfile.read(length)
        if len(data) != length:
            raise Short
        return data

    def read_chunks(self):
        body = b""
        while True:
            size = int(self.rfile.readline(64).partition(b";")[0] or b"-1", 16)
            body += self.read_exactly(size)
            if self.rfile.readline(64) != b"\r\n":
                raise Short
            if size == 0:
                return body

    def serve(self):
        awsd = self.server.awsd
        call = Call(self.command, self.path, self.headers, str(uuid.uuid4()))
        call.op = awsd.op_of(call)
        fault = awsd.faults.take(call.op, "head")
        if fault:
            call.fault = fault
            awsd.record(call, None)
            return hang_up(self, fault["how"])
        call.body = self.read_body()
        call.op = awsd.op_of(call)
        reply = awsd.answer(call, self)
        if reply is None:
            return hang_up(self, call.fault["how"])
        if self.headers.get("Connection", "").lower() == "close":
            self.close_connection = True
        return send(self, reply, call.fault, awsd.now() + awsd.settings["date_offset"])

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve

    def log_message(self, *_):
        pass


class Front(Server):
    def __init__(self, awsd, address, port, certificate):
        self.awsd = awsd
        super().__init__((address, port), FrontHandler, certificate)
        self.thread.start()


class ControlHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        name, _, _ = self.path.lstrip("/").partition("?")
        try:
            if name not in self.server.commands:
                raise ValueError(f"no command is called {name!r}; there are {', '.join(self.server.commands)}")
            said = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            result = getattr(self.server.awsd, name)(**json.loads(said or b"{}"))
            status, text = 200, json.dumps(result)
        except (ValueError, TypeError, KeyError) as why:
            status, text = 400, f"{why}\n"
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = serve

    def log_message(self, *_):
        pass


class Controller(Server):
    def __init__(self, awsd, address, port, commands):
        self.awsd, self.commands = awsd, commands
        super().__init__((address, port), ControlHandler)
        self.thread.start()
