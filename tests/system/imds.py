# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A strict double of the EC2 instance metadata service, version 2: what the real one refuses it refuses. As documented in the EC2
User Guide; awscli takes it for the real one."""
import http.server
import json
import secrets
import socket
import threading
import time

IDENTITY = {"accountId": "123456789012", "architecture": "x86_64", "availabilityZone": "eu-central-1b", "imageId": "ami-0a1b2c3d",
            "instanceId": "i-0123456789abcdef0", "instanceType": "p5.48xlarge", "privateIp": "10.11.0.7", "region": "eu-central-1",
            "version": "2017-09-30"}
MACS = {
    "0e:11:22:33:44:55": {"vpc-ipv4-cidr-blocks": "10.11.0.0/16\n100.66.0.0/16", "vpc-ipv6-cidr-blocks": "2001:db8:11::/56",
                          "vpc-id": "vpc-0a0b0c0d"},
    "0e:11:22:33:44:66": {"vpc-ipv4-cidr-blocks": "10.11.0.0/16", "vpc-id": "vpc-0a0b0c0d"},
}


class ImdsAnswers:
    """What it answers. Settings may change while it runs: macs, mode ("ok", "hop-limit", "refused", "garbage",
    "no-tokens", "slow"), token_life in seconds (what it grants at most)."""

    def __init__(self):
        self.macs, self.identity, self.mode, self.token_life = dict(MACS), dict(IDENTITY), "ok", 21600
        self.tokens = {}     # token -> until when
        self.requests = []   # (method, path, status)
        self.faults = []     # what no client may do

    def answer(self, request, status, text="", **headers):
        data = text.encode()
        self.requests.append((request.command, request.path, status))
        request.send_response(status)
        request.send_header("Content-Type", "text/plain")
        request.send_header("Content-Length", str(len(data)))
        request.send_header("Server", "EC2ws")
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    def silent(self, request):
        """The answer to the PUT is lost on its way, as with a hop limit of 1 from inside a container."""
        self.requests.append((request.command, request.path, None))
        time.sleep(60)
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    def put(self, request):
        if self.mode == "hop-limit":
            return self.silent(request)
        if self.mode == "refused":
            return self.answer(request, 403, "Forbidden")
        if request.path != "/latest/api/token":
            return self.answer(request, 404)
        if request.headers.get("X-Forwarded-For"):
            self.faults.append("X-Forwarded-For")
            return self.answer(request, 403)
        ttl = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if not ttl.isdigit() or not 1 <= int(ttl) <= 21600 or int(request.headers.get("Content-Length") or 0):
            self.faults.append(f"token asked for with a life of {ttl!r}")
            return self.answer(request, 400)
        if self.mode == "garbage":
            return self.answer(request, 200, "\x00\x01 not a token \n" * 9)
        life = min(int(ttl), self.token_life)
        token = secrets.token_urlsafe(40) + "=="
        self.tokens[token] = time.monotonic() + life
        return self.answer(request, 200, token, X_aws_ec2_metadata_token_ttl_seconds=str(life))

    def get(self, request):
        token = request.headers.get("X-aws-ec2-metadata-token")
        if token is None:
            self.faults.append("a request of version 1")
        if self.tokens.get(token, 0) < time.monotonic():
            return self.answer(request, 401)
        if self.mode == "slow":
            time.sleep(0.5)
        found = self.tree(request.path.rstrip("/"))
        return self.answer(request, 404) if found is None else self.answer(request, 200, found)

    def tree(self, path):
        if path == "/latest/dynamic/instance-identity/document":
            return json.dumps(self.identity, indent=2)
        if path in ("/latest/meta-data/instance-id", "/latest/meta-data/placement/region",
                    "/latest/meta-data/placement/availability-zone"):
            key = {"instance-id": "instanceId", "region": "region", "availability-zone": "availabilityZone"}
            return self.identity[key[path.rsplit("/", 1)[1]]]
        macs = "/latest/meta-data/network/interfaces/macs"
        if path == macs:
            return "\n".join(f"{mac}/" for mac in self.macs)
        if path.startswith(macs + "/"):
            mac, _, what = path[len(macs) + 1:].partition("/")
            return self.macs.get(mac, {}).get(what) if what else "\n".join(self.macs.get(mac, {})) or None
        return None


class Imds(ImdsAnswers):
    """The service by itself. address: of the loopback."""

    def __init__(self, address="127.0.0.1"):
        super().__init__()
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self):
                double.put(self)

            def do_GET(self):
                double.get(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://{address}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
