# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
What the AWS client is tried against: a server that answers as it is told and recomputes each signature with botocore, and the
client itself (tests/work/awscall.c). What AWS's services themselves accept is not checked here.
"""
import http.server
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import imds
import where

KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "")
REGION = "eu-central-1"


class Reply:
    """`how`: "whole", "cut" (less comes than was announced), "reset", "silent", "close" (an end without an answer)."""

    def __init__(self, status=200, body=b"{}", how="whole", request_id="req-1", headers=None, delay=0):
        self.status, self.body, self.how, self.request_id = status, body, how, request_id
        self.headers, self.delay = headers or {}, delay


def error(name, status=400, message="no", **kw):
    return Reply(status, json.dumps({"__type": name, "message": message}).encode(), **kw)


class Asked:
    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body
        self.port = handler.client_address[1]  # of the connection
        auth = self.headers.get("Authorization", "")
        self.key = auth.split("Credential=")[1].split("/")[0] if "Credential=" in auth else None
        self.service = auth.split("Credential=")[1].split("/")[3] if self.key else None
        self.region = auth.split("Credential=")[1].split("/")[2] if self.key else None
        self.form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"))) if b"Action=" in body else {}

    def signed_by(self, secret, scheme="http"):
        """Is the signature what botocore makes of this very request?"""
        auth = self.headers["Authorization"]
        names = auth.split("SignedHeaders=")[1].split(",")[0].split(";")
        url = f"{scheme}://{self.headers['Host']}{self.path}"
        request = AWSRequest(self.method, url, data=self.body, headers={n: self.headers[n] for n in names if n != "host"})
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        signer = SigV4Auth(Credentials(self.key, secret, self.headers.get("X-Amz-Security-Token")), self.service, self.region)
        whole = signer.canonical_request(request)
        good = signer.signature(signer.string_to_sign(request, whole), request)
        unsigned = {n.lower() for n in self.headers} - set(names) - {"authorization", "content-length", "user-agent", "accept"}
        return auth.endswith(f"Signature={good}") and not unsigned


class Server:
    """`answer(asked)` gives a Reply; `secrets` maps key ids to secrets, and a signature that is not right goes to `faults`."""

    def __init__(self, answer=None, tls=None, address="127.0.0.1", port=0):
        self.answer = answer or (lambda asked: Reply())
        self.secrets = {KEYS[0]: KEYS[1]}
        self.asked, self.faults = [], []
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                double.handle(self)

            do_GET = do_PUT = do_POST

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.http = Quiet((address, port), Handler)
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.scheme = "https"
        self.port = self.http.server_address[1]
        self.url = f"{self.scheme}://{address}:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def handle(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        asked = Asked(h, body)
        self.asked.append(asked)
        if asked.key and asked.key in self.secrets and not asked.signed_by(self.secrets[asked.key], self.scheme):
            self.faults.append(f"signature of {asked.path}")
        if "Expect" in h.headers:
            self.faults.append("Expect")
        self.send(h, self.answer(asked))

    def send(self, h, reply):
        time.sleep(reply.delay)
        if reply.how == "reset":
            h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reply.how == "silent":
            time.sleep(10)
        if reply.how in ("reset", "close", "silent"):
            h.close_connection = True
            h.connection.close() if reply.how == "reset" else h.connection.shutdown(socket.SHUT_RDWR)
            return
        h.send_response_only(reply.status)
        if "Date" not in reply.headers:
            h.send_header("Date", h.date_time_string())
        if reply.request_id:
            h.send_header("x-amzn-RequestId", reply.request_id)
        for name, value in reply.headers.items():
            h.send_header(name, value)
        h.send_header("Content-Length", str(len(reply.body) + (100 if reply.how == "cut" else 0)))
        h.end_headers()
        h.wfile.write(reply.body)
        h.close_connection = reply.how == "cut" or reply.headers.get("Connection") == "close"


class Client:
    """The environment holds nothing of AWS's but what is given; HOME is `home`."""

    def __init__(self, home, region=REGION, endpoint=None, **env):
        base = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                base[name] = os.environ[name]
        self.process = subprocess.Popen([where.program("awscall"), region or "-", endpoint or "-"], env={**base, **env}, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()

    def ask(self, **question):
        self.send(**question)
        line = self.process.stdout.readline()
        assert line, f"awscall ended: {self.process.stderr.read()}"
        return json.loads(line)

    def call(self, **question):
        return self.ask(**{"op": "call", "service": "logs", "target": "Logs_20140328.PutLogEvents", "body": "{}", **question})

    def close(self):
        self.process.stdin.close()
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert status == 0, self.process.stderr.read()


def keys(access=KEYS[0], secret=KEYS[1], token=KEYS[2]):
    env = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    return {**env, "AWS_SESSION_TOKEN": token} if token else env


def expires(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def credentials(number, life=3600, **more):
    """As the metadata service and the container's endpoint give them."""
    return {"AccessKeyId": f"ASIA{number:012}", "SecretAccessKey": f"secret/of+number-{number}-{'s' * 20}",
            "Token": f"token+of/number={number}=" + "t" * 300, "Expiration": expires(life), **more}


def sts_xml(action, c):
    names = [("AccessKeyId", c["AccessKeyId"]), ("SecretAccessKey", c["SecretAccessKey"]), ("SessionToken", c["Token"]),
             ("Expiration", c["Expiration"])]
    inner = "".join(f"<{n}>{v}</{n}>" for n, v in names)
    return (f'<?xml version="1.0"?>\n<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
            f"<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser><Credentials>{inner}</Credentials>"
            f"</{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>").encode()


def sts_json(action, c, seconds):
    return json.dumps({f"{action}Response": {f"{action}Result": {"Credentials": {
        "AccessKeyId": c["AccessKeyId"], "SecretAccessKey": c["SecretAccessKey"], "SessionToken": c["Token"],
        "Expiration": seconds}}}}).encode()


# --- fixtures --------------------------------------------------------------------

@pytest.fixture
def serve():
    made = []

    def start(*args, **kw):
        made.append(Server(*args, **kw))
        return made[-1]

    yield start
    for s in made:
        s.close()
        assert s.faults == []


@pytest.fixture
def client(tmp_path):
    made = []

    def start(**kw):
        made.append(Client(tmp_path, **kw))
        return made[-1]

    yield start
    for c in made:
        c.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    d = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", d / "key",
                    "-out", d / "cert"], check=True, capture_output=True)
    return str(d / "cert"), str(d / "key")


def profile(home, name, text):
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / name).write_text(text)


class Instance(imds.Imds):
    """The metadata service of an instance with a role."""
    life, made, outage = 3600, 0, False

    def tree(self, path):
        base = "/latest/meta-data/iam/security-credentials"
        if path == base:
            return "the.role-1"
        if path == base + "/the.role-1":
            self.made += not self.outage
            return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": expires(0),
                               **credentials(self.made, self.life)})
        return super().tree(path)


@pytest.fixture
def instance():
    i = Instance()
    yield i
    i.close()
    assert i.faults == []


def on_ec2(instance, **env):
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": instance.url, "AWS_EC2_METADATA_DISABLED": "false", **env}


def knows(server):
    server.secrets.update({credentials(n)["AccessKeyId"]: credentials(n)["SecretAccessKey"] for n in range(9)})
    return server


JWT = "eyJ.one.sig-that-is-long-enough-to-be-found-nowhere-else"


def web_identity(server, tmp_path, **more):
    (tmp_path / "token").write_text(JWT + "\n")
    return {"endpoint": server.url, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod", **more}
