# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the services of the double share: calls, replies, errors, rates, and the sending of a reply with a fault upon it."""
import dataclasses
import email.utils
import html
import json
import socket
import struct
import time


class ApiError(Exception):
    """An error as the service names it. name may carry a prefix ("com.amazon...#"), as it does at times."""

    def __init__(self, name, message, status=400):
        super().__init__(message)
        self.name, self.message, self.status = name, message, status

    @property
    def bare(self):
        return self.name.rpartition("#")[2]


@dataclasses.dataclass
class Call:
    """One request as it came over the wire. target: path and query. op: "logs.PutLogEvents"."""
    method: str
    target: str
    headers: object
    request_id: str
    body: bytes = b""
    op: str = ""
    fault: dict = None
    signature: str = "none"   # "ok", or what is wrong with it
    key: object = None        # who signed
    remarks: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: list = dataclasses.field(default_factory=list)
    error: str = None

    @classmethod
    def json(cls, value, kind, status=200):
        data = b"" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, data, [("Content-Type", kind)])

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Bucket:
    """A rate with a burst. rate(): calls a second, burst: at most at once; a rate of None is no limit."""

    def __init__(self, rate, burst=None):
        self.rate, self.burst, self.full, self.when = rate, burst, None, time.monotonic()

    def take(self):
        rate = self.rate()
        if not rate:
            return True
        most, now = self.burst or rate, time.monotonic()
        self.full = most if self.full is None else min(most, self.full + (now - self.when) * rate)
        self.when = now
        if self.full < 1:
            return False
        self.full -= 1
        return True


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def json_body(call):
    """The object in the body; each that is not of valid UTF-8, of one object, or compressed is refused."""
    if call.headers.get("Content-Encoding"):
        raise ApiError("SerializationException", "the body is compressed")
    try:
        value = json.loads(call.body.decode(), parse_constant=no_constant)
        json.dumps(value, ensure_ascii=False).encode()   # no half of a surrogate pair
    except (ValueError, RecursionError) as why:
        raise ApiError("SerializationException", f"{why}"[:200]) from None
    if not isinstance(value, dict):
        raise ApiError("SerializationException", "Start of structure or map found where not expected.")
    return value


# --- errors, in each protocol ---

def json_error(error, kind="application/x-amz-json-1.1"):
    said = {"__type": error.name, "message": error.message} if error.message else {"__type": error.name}
    reply = Reply.json(said, kind, error.status)
    reply.headers.append(("x-amzn-ErrorType", error.bare))
    reply.error = error.bare
    return reply


def rest_error(error):
    """As API Gateway has it: the name in the header alone, with the place where it is described."""
    reply = Reply.json({"message": error.message, "Message": error.message, "Code": error.bare}, "application/json", error.status)
    reply.headers.append(("x-amzn-ErrorType", f"{error.bare}:http://internal.amazon.com/coral/"))
    reply.error = error.bare
    return reply


STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def xml_error(error, request_id):
    side = "Sender" if error.status < 500 else "Receiver"
    text = (f'<ErrorResponse xmlns="{STS_NAMESPACE}">\n  <Error>\n    <Type>{side}</Type>\n'
            f"    <Code>{error.bare}</Code>\n    <Message>{html.escape(error.message)}</Message>\n  </Error>\n"
            f"  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n")
    return Reply(error.status, text.encode(), [("Content-Type", "text/xml")], error.bare)


# --- sending ---

GARBAGE = b"\x00\xff\xfe{]\"}<html>\x1b[2J" + bytes(range(256))


def mangled(reply, fault):
    """The reply as the fault leaves it."""
    kind = fault["kind"]
    if kind == "http":
        return Reply(fault["status"], fault["body"].encode(), [("Content-Type", fault["type"])], "http")
    if kind == "garbage":
        body = GARBAGE if fault["body"] is None else fault["body"].encode()
        return dataclasses.replace(reply, status=200, body=body)
    if kind == "huge":
        body = b'{"filler":"' + b"x" * (fault["bytes"] - 13) + b'"}'
        return dataclasses.replace(reply, status=200, body=body)
    if kind == "no_request_id":
        kept = [(name, value) for name, value in reply.headers if name.lower() != "x-amzn-requestid"]
        return dataclasses.replace(reply, headers=kept)
    return reply


def on_the_wire(reply, date):
    reason = {200: "OK", 100: "Continue"}.get(reply.status, "Error")
    lines = [f"HTTP/1.1 {reply.status} {reason}", f"Date: {email.utils.formatdate(date, usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines.append(f"Content-Length: {len(reply.body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def hang_up(handler, how):
    """Ends the connection: "rst" or "fin"."""
    handler.close_connection = True
    if how == "rst":
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.server.resets.add(handler.connection)


def send(handler, reply, fault, date):
    head = on_the_wire(reply, date)
    kind = fault["kind"] if fault else None
    body = b"" if handler.command == "HEAD" else reply.body
    if kind == "truncate":
        whole = head if fault["where"] == "head" else body
        kept = len(whole) // 2 if fault["keep"] is None else fault["keep"]
        handler.wfile.write(head[:kept] if fault["where"] == "head" else head + body[:kept])
        return hang_up(handler, "fin")
    if kind == "drip":
        data = head + body
        for at in range(0, len(data), fault["size"]):
            handler.wfile.write(data[at:at + fault["size"]])
            time.sleep(fault["every"])
        return None
    return handler.wfile.write(head + body)
