# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A strict double of CloudWatch Logs, Security Hub, STS, the instance metadata service and the credentials of containers: what
AWS refuses it refuses, by the same names; every signature is recomputed by botocore. All of it answers on one port.

In a test:
    with Awsd(tmp_dir) as aws:                     # in this process; or AwsdProcess(tmp_dir): in one that kill9() can end
        env = aws.environment("static")            # or "instance", "container", "web": for a client, beside aws.url
        aws.fault("throttle", op="PutLogEvents", n=3)
        aws.fault("reset", when="after", p=0.1, n=None)
        aws.set(clock_offset=600, policy=[{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}])
        aws.expire()                               # all temporary credentials end now
        aws.events(), aws.batches(), aws.calls(), aws.findings(), aws.imports(), aws.state()
By itself, with an HTTP interface to the same commands (POST /NAME with a JSON object, or GET /NAME):
    python3 awsd.py --dir D [--port P] [--control P] [--cert FILE --key FILE] [--set NAME=JSON]...
    curl -d '{"kind": "throttle", "n": 3}' 127.0.0.1:CONTROL/fault
It says {"port": ..., "control": ...} on its standard output when it is ready.

Faults are in awsd_faults.KINDS: fault(kind, op="*", n=1, skip=0, p=1.0, ...): for the next n calls (None: all) after `skip` whose
operation matches ("PutLogEvents", "logs.*", "sts.AssumeRole", "imds.token", "imds.credentials", "container.get"), each with
probability p.
What was stored is in D/state.jsonl, each call in D/calls.jsonl, also one whose answer a fault withheld: both are written before
the answer is sent. Killed at any time and started again it has what it acknowledged, and what it stored and could not
acknowledge any more. Settings and faults are not kept."""
import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

import awsd_credentials
import awsd_policy
import awsd_sign
from awsd_faults import Faults
from awsd_hub import Hub
from awsd_logs import Logs
from awsd_server import Controller, Front
from awsd_store import Lines, read_lines
from awsd_wire import ApiError, Reply, json_error, mangled, rest_error, xml_error

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT, REGION, PARTITION = "123456789012", "eu-central-1", "aws"
SETTINGS = {
    "clock_offset": 0.0,      # seconds that this AWS is ahead of the machine's clock: Date, signatures, ages
    "date_offset": 0.0,       # the same for the Date header alone
    "event_max": 1_048_576,   # bytes of a log event, its 26 included; once 262144
    "put_tps": None,          # calls of PutLogEvents a second
    "stream_tps": 50,         # calls of CreateLogStream a second
    "visible_after": 0.0,     # seconds until GetLogEvents gives what was put
    "hub_enabled": True, "hub_tps": 10,
    "policy": None,           # statements of an IAM policy; None: all is allowed
    "credential_life": 6 * 3600,
    "instance_role": "sluice", "imds_mode": "ok",
    "container_paths": ["/v1/credentials", "/v2/credentials/0a1b2c3d"], "container_token": "container-token",
    "roles": [f"arn:aws:iam::{ACCOUNT}:role/sluice"], "web_tokens": ["web-identity-token"], "old_web_tokens": [],
}


class Awsd:
    """ports: 0 for any that is free. certificate: (file, key file), then it speaks TLS."""

    def __init__(self, directory, port=0, control=0, certificate=None, address="127.0.0.1", **settings):
        self.account, self.region, self.partition = ACCOUNT, REGION, PARTITION
        self.settings, self.lock, self.crashes = dict(SETTINGS), threading.RLock(), []
        self.faults, self.imds = Faults(), awsd_credentials.RoleImds(self)
        self.keys, self.logs, self.hub, self.sts = awsd_credentials.Keys(self), Logs(self), Hub(self), awsd_credentials.Sts(self)
        self.services = {service.name: service for service in (self.logs, self.hub, self.sts)}
        self.set(**settings)
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.store, self.log = (Lines(os.path.join(directory, name)) for name in ("state.jsonl", "calls.jsonl"))
        self.cached_batch = (None, None)
        for offset, record in read_lines(self.store.path):
            self.apply(record, offset)
        if ACCESS not in self.keys.by_access:
            self.keys.add(access=ACCESS, secret=SECRET, arn=f"arn:aws:iam::{ACCOUNT}:user/sluice")
        self.front = Front(self, address, port, certificate)
        self.controller = Controller(self, address, control, COMMANDS)
        self.port, self.control = self.front.port, self.controller.port
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'https' if certificate else 'http'}://{host}:{self.port}"

    def close(self):
        self.front.close()
        self.controller.close()
        with self.lock:
            self.store.close()
            self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- the clock, and what is kept ---

    def now(self):
        return time.time() + self.settings["clock_offset"]

    def now_ms(self):
        return int(self.now() * 1000)

    def commit(self, record):
        """Stores it; then it is so."""
        with self.lock:
            self.apply(record, self.store.append(record))

    def apply(self, record, offset):
        for part in (self.keys, self.logs, self.hub):
            part.apply(record, offset)

    def batch_at(self, offset):
        if self.cached_batch[0] != offset:
            self.cached_batch = (offset, self.store.at(offset))
        return self.cached_batch[1]

    # --- a call ---

    def op_of(self, call):
        """ "service.Operation", as far as the head, and a form's body, tell."""
        path, _, query = call.target.partition("?")
        scope = call.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
        service, kind = scope[3] if len(scope) == 5 else None, call.headers.get("Content-Type", "")
        if path.startswith("/latest/"):
            return "imds." + ("token" if path == "/latest/api/token" else
                              "credentials" if path.startswith(awsd_credentials.ROLES) else "get")
        if path in self.settings["container_paths"]:
            return "container.get"
        if path in ("/findings", "/findings/import") and call.method == "POST":
            return "securityhub." + ("BatchImportFindings" if path.endswith("import") else "GetFindings")
        if "X-Amz-Target" in call.headers or kind.startswith("application/x-amz-json") or service == "logs":
            return "logs." + (call.headers.get("X-Amz-Target", "").partition(".")[2] or "?")
        if "Action=" in query or kind.startswith("application/x-www-form-urlencoded") or service == "sts":
            return self.sts.op_of(call)
        return "nothing.here"

    def service_of(self, call):
        return self.services.get(call.op.partition(".")[0])

    def answer(self, call, handler):
        """The Reply, or None when there is to be none; both with the fault that is upon it in call.fault."""
        fault = call.fault = self.faults.take(call.op, "call")
        kind = fault["kind"] if fault else None
        if kind == "delay" and fault["when"] == "before" or kind == "reset":
            time.sleep(fault["seconds"])
        reply = self.carried_out(call, handler)
        if kind == "delay" and fault["when"] == "after":
            time.sleep(fault["seconds"])
        reply = mangled(reply, fault) if fault else reply
        silent = kind == "reset"
        self.record(call, None if silent else reply)
        return None if silent else reply

    def carried_out(self, call, handler):
        fault, reply = call.fault, None
        kind = fault["kind"] if fault else None
        withheld = fault and (not fault.get("store", True) or kind == "reset" and fault["when"] == "body")
        refused = self.judged(call)
        if not withheld:
            reply = refused or self.run(call, handler)
        if kind == "throttle":
            service = self.service_of(call)
            reply = self.rendered(call, service.throttled() if service else ApiError("Throttled", "slow down", 429))
        elif kind == "error":
            reply = self.rendered(call, ApiError(fault["error"], fault["message"], fault["status"]))
        reply = reply or Reply.json({}, "application/json")
        if self.service_of(call):
            reply.headers.append(("x-amzn-RequestId", call.request_id))
        return reply

    def judged(self, call):
        """The error for a signature that is none, or None. Who signed is in call.key then."""
        service = self.service_of(call)
        if service is None or call.op == "sts.AssumeRoleWithWebIdentity":
            return None
        try:
            call.key = awsd_sign.verify(call, self.keys.by_access, service.name, self.region, self.now())
            call.signature = "ok"
            return None
        except awsd_sign.Refused as why:
            call.signature = f"{why.what}: {why.message}"
            name = awsd_sign.NAMES[why.what][service.protocol == "query"]
            status = 400 if service.protocol == "json" or why.what == "incomplete" else 403
            return self.rendered(call, ApiError(name, why.message, status))

    def run(self, call, handler):
        service = self.service_of(call)
        with self.lock:
            try:
                if service:
                    return service.run(call.op, call)
                return self.unsigned(call, handler)
            except ApiError as error:
                return self.rendered(call, error)
            except Exception:   # the double's own fault: told to the test by state()
                self.crashes.append(traceback.format_exc())
                traceback.print_exc()
                return self.rendered(call, ApiError("InternalFailure", "the double failed", 500))

    def unsigned(self, call, handler):
        if call.op == "container.get":
            return awsd_credentials.container(self, call)
        if call.op.startswith("imds.") and call.method in ("GET", "PUT"):
            handler.made = None
            self.imds.mode = self.settings["imds_mode"]
            (self.imds.put if call.method == "PUT" else self.imds.get)(handler)
            if handler.made:
                return handler.made
            call.fault = {"kind": "reset", "when": "after", "how": "fin"}   # it kept silent
        return Reply(404, b"not found\n", [("Content-Type", "text/plain")])

    def rendered(self, call, error):
        service = self.service_of(call)
        if service is None:
            return Reply(error.status, error.message.encode(), [("Content-Type", "text/plain")], error.bare)
        if service.protocol == "query":
            return xml_error(error, call.request_id)
        return json_error(error) if service.protocol == "json" else rest_error(error)

    def authorize(self, call, action, *resources):
        if self.settings["policy"] is None:
            return
        for resource in resources or ("*",):
            if not awsd_policy.allows(self.settings["policy"], action, resource, self.region):
                service = self.service_of(call)
                name, status = {"json": ("AccessDeniedException", 400), "rest": ("AccessDeniedException", 403),
                                "query": ("AccessDenied", 403)}[service.protocol]
                raise ApiError(name, f"User: {call.key.arn} is not authorized to perform: {action} on resource: {resource} because"
                                     f" no identity-based policy allows the {action} action", status)

    def record(self, call, reply):
        self.log.append({"at": self.now_ms(), "op": call.op, "method": call.method, "target": call.target,
                         "headers": call.headers.items(), "bytes": len(call.body),
                         "body": call.body.decode(errors="replace") if len(call.body) <= 8192 else None,
                         "signature": call.signature, "key": call.key.access if call.key else None,
                         "fault": call.fault["kind"] if call.fault else None, "status": reply.status if reply else None,
                         "error": reply.error if reply else None, "request_id": call.request_id})

    # --- commands ---

    def fault(self, kind, **said):
        self.faults.add(kind, **said)

    def clear(self):
        """Ends all faults."""
        self.faults.clear()

    def seed(self, number):
        self.faults.random.seed(number)

    def set(self, **settings):
        for name in settings:
            if name not in SETTINGS:
                raise ValueError(f"no setting is called {name!r}; there are {', '.join(SETTINGS)}")
        self.settings.update(settings)

    def expire(self, access=None):
        with self.lock:
            self.keys.expire(access)

    def issue(self, life, source="test"):
        """New temporary keys: {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}."""
        with self.lock:
            key = self.keys.issue(source, f"arn:aws:sts::{self.account}:assumed-role/{source}/session", life)
            return awsd_credentials.as_json(self, key)

    def forget(self, group, stream=None):
        """Deletes the stream, or the group, as somebody else in the account might."""
        with self.lock:
            self.commit({"do": "no_stream", "group": group, "name": stream} if stream else {"do": "no_group", "name": group})

    def state(self):
        with self.lock:
            return {"settings": self.settings, "faults": self.faults.left(), "crashes": self.crashes,
                    "imds_faults": self.imds.faults, "batches": self.logs.n_batches, "findings": len(self.hub.findings),
                    "groups": {g.name: {"retention": g.retention, **g.more,
                                        "streams": {s.name: len(s.index) for s in g.streams.values()}}
                               for g in self.logs.groups.values()},
                    "keys": [{"access": k.access, "source": k.source, "ends": k.ends} for k in self.keys.by_access.values()]}

    def records(self):
        return read_lines(self.store.path)

    def batches(self):
        return read_batches(self.directory)

    def events(self, group=None, stream=None):
        return read_events(self.directory, group, stream)

    def calls(self, op=None):
        return read_calls(self.directory, op)

    def findings(self):
        """The newest version of each, by Id."""
        with self.lock:
            return dict(self.hub.findings)

    def imports(self):
        """Each call that imported findings: {"request", "at", "good": [...], "failed": [...]}."""
        return [record for _, record in self.records() if record["do"] == "findings"]

    def environment(self, source="static"):
        return environment(self.url, self.directory, source, self.settings)


COMMANDS = ("fault", "clear", "seed", "set", "expire", "issue", "forget", "state", "batches", "events", "calls", "findings",
            "imports")


# --- what a directory holds, with or without one that runs ---

def read_batches(directory):
    """Each PutLogEvents that was carried out, in order, with its events: {"batch", "request", "group", "stream", "at", "events":
    [[timestamp, message]], "rejected": [...], "info": {...}}."""
    return [record for _, record in read_lines(os.path.join(directory, "state.jsonl")) if record["do"] == "events"]


def read_events(directory, group=None, stream=None):
    """Each event that was stored, in the order of its coming."""
    return [{"batch": b["batch"], "request": b["request"], "group": b["group"], "stream": b["stream"], "ingested": b["at"],
             "timestamp": when, "message": message} for b in read_batches(directory)
            if group in (None, b["group"]) and stream in (None, b["stream"]) for when, message in b["events"]]


def read_calls(directory, op=None):
    return [record for _, record in read_lines(os.path.join(directory, "calls.jsonl"))
            if op is None or op in (record["op"], record["op"].partition(".")[2])]


def token_file(directory, token):
    path = os.path.join(directory, "token")
    with open(path, "w") as file:
        file.write(token)
    return path


def environment(url, directory, source, settings):
    """For a client that shall take its credentials from there; it still has to be told the url as its endpoint."""
    env = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "HOME": directory,
           "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    if source == "static":
        env.update(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET)
    elif source == "instance":
        env.update(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=url + "/")
    elif source in ("container", "container-file"):
        env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url + settings["container_paths"][0]
        if source == "container":
            env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = settings["container_token"]
        else:
            env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = token_file(directory, settings["container_token"])
    elif source == "web":
        env.update(AWS_WEB_IDENTITY_TOKEN_FILE=token_file(directory, settings["web_tokens"][0]), AWS_ROLE_ARN=settings["roles"][0],
                   AWS_ROLE_SESSION_NAME="test")
    else:
        raise ValueError(f"no source of credentials is called {source!r}")
    return env


# --- as a process ---

def free_port():
    """One that no outgoing connection takes while the double is away."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class AwsdProcess:
    """The double in a process of its own. It has each of COMMANDS; they fail while it is dead, but for batches(), events() and
    calls(), which read its directory."""

    def __init__(self, directory, certificate=None, **settings):
        self.directory, self.certificate, self.settings = directory, certificate, settings
        self.port, self.control, self.process = free_port(), free_port(), None
        while self.control == self.port:
            self.control = free_port()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        argv = [sys.executable, os.path.abspath(__file__), "--dir", self.directory, "--port", str(self.port),
                "--control", str(self.control)]
        argv += ["--cert", self.certificate[0], "--key", self.certificate[1]] if self.certificate else []
        argv += [word for name, value in self.settings.items() for word in ("--set", f"{name}={json.dumps(value)}")]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline():
            raise RuntimeError(f"the double did not start: {self.process.wait()}")
        return self

    def kill9(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        if self.process.poll() is None:
            self.kill9()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def set(self, **settings):
        self.settings.update(settings)
        return self.command("set", settings)

    def command(self, name, arguments):
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=60)
        connection.request("POST", f"/{name}", json.dumps(arguments))
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        if reply.status != 200:
            raise ValueError(text.decode())
        return json.loads(text)

    def fault(self, kind, **said):
        return self.command("fault", {"kind": kind, **said})

    def batches(self):
        return read_batches(self.directory)

    def events(self, group=None, stream=None):
        return read_events(self.directory, group, stream)

    def calls(self, op=None):
        return read_calls(self.directory, op)

    def environment(self, source="static"):
        return environment(self.url, self.directory, source, {**SETTINGS, **self.settings})

    def __getattr__(self, name):
        if name not in COMMANDS:
            raise AttributeError(name)
        return lambda **arguments: self.command(name, arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--dir", required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON")
    asked = parser.parse_args()
    settings = {name: json.loads(value) for name, _, value in (one.partition("=") for one in asked.set)}
    certificate = (asked.cert, asked.key) if asked.cert else None
    with Awsd(asked.dir, asked.port, asked.control, certificate, asked.address, **settings) as aws:
        print(json.dumps({"port": aws.port, "control": aws.control}), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
