# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The monitor under test: configured, started, waited for, stopped, and its records read."""
import functools
import json
import os
import signal
import subprocess
import time

import lab
import records
from where import PATIENCE, SLUICE

TYPES = {"access", "flow", "transfer", "finding", "health", "policy", "journal", "digest"}
# Reasons that have to do with what else runs on the machine, not with the room that maps have.
ELSEWHERE = {"no_file", "walk_deep", "fds_deep"}


FRESH = 0.25


class DidNotStart(Exception):
    pass


def wait_for(what, condition, seconds=PATIENCE):
    """Polls until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline  # seen before it is asked: to ask may be what takes long
        got = condition()
        if got:
            return got
        if late:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def yaml(config):
    """JSON is YAML; one top-level key a line makes messages readable."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


def tagged(path, name="set", **more):
    """The least configuration: one dataset."""
    return {"datasets": [{"id": name, "path": path, "tags": {"DataType": "PII"}}], **more}


def run_sluice(*words, timeout=PATIENCE, **options):
    return subprocess.run([SLUICE, *words], capture_output=True, text=True, errors="replace", timeout=timeout,
                          **{"stdin": subprocess.DEVNULL, **options})


def sluice_json(*words, **options):
    """A command's one JSON document."""
    p = run_sluice(*words, "--json", **options)
    assert p.returncode in (0, 1), f"sluice {' '.join(words)} --json: status {p.returncode}: {p.stderr}"
    return json.loads(p.stdout)


@functools.cache
def probe(hooks):
    """What `sluice probe --json` says of a hook set; asked once, it takes a minute where processors are emulated."""
    return run_sluice("probe", "--json", "--hooks", hooks, timeout=1200)


class Monitor:
    def __init__(self, tmp, config, hooks="auto", name="m", events=True, once=None, prefix=()):
        """config: a dict, or the text of a file. events: a path, True for one of our own, False for none."""
        self.file = os.path.join(tmp, f"{name}.yaml")
        self.socket = os.path.join(tmp, f"{name}.sock")
        self.events = os.path.join(tmp, f"{name}.jsonl") if events is True else events
        self.log = os.path.join(tmp, f"{name}.err")
        self.hooks = hooks
        self.write(config)
        self.argv = [*prefix, SLUICE, "run", "-c", self.file, "--socket", self.socket, "--hooks", hooks]
        if self.events:
            self.argv += ["--events", self.events]
        if once:
            self.argv += ["--once", str(once)]
        self.process = None
        self.read_from = 0

    def write(self, config):
        text = config if isinstance(config, str) else yaml({"interval": "200ms", "state": f"{self.file[:-5]}.state", **config})
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.file + ".new", self.file)

    # --- running ---

    def start(self, ready=True, stdout=subprocess.DEVNULL):
        with open(self.log, "ab") as err:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=err)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def answers():
            if self.process.poll() is not None:
                raise DidNotStart(f"status {self.process.returncode}: {self.said()}")
            return self.show("health", check=False)

        wait_for(f"the monitor answers; it said: {self.said()}", answers, 4 * PATIENCE)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, losses=False):
        """Ends it as an administrator would, checks the form of all it wrote, and returns that. All that was sent has
        left by then: a process may be gone while its socket still sends."""
        for sink in lab.Sink.running:
            sink.wait_quiet()
        self.signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        assert status == 0, f"status {status}: {self.said()}"
        return self.records(losses)

    def wait(self):
        return self.process.wait(4 * PATIENCE)

    def again(self):
        """Ended as an administrator would, and another one in its place."""
        for sink in lab.Sink.running:
            sink.wait_quiet()
        self.signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        assert status == 0, f"status {status}: {self.said()}"
        return self.start()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    # --- what it knows ---

    def show(self, what, check=True):
        p = run_sluice("show", what, "--json", "--socket", self.socket)
        if p.returncode and not check:
            return None
        assert p.returncode == 0, f"show {what}: status {p.returncode}: {p.stderr}"
        return json.loads(p.stdout)

    def so_far(self):
        with open(self.events, encoding="utf-8") as f:
            return records.parse(f.read())

    def records(self, losses=False):
        found = self.so_far()
        check_form(found)
        if not losses:
            lost = {k: n for k, n in found.losses().items() if k not in ELSEWHERE}
            assert not lost, f"the monitor lost detail: {lost}"
        return found

    def wait_records(self, what, condition, seconds=PATIENCE):
        """Until condition(records) is true; returns it."""
        return wait_for(f"{what}; records: {self.so_far().counts()}", lambda: condition(self.so_far()), seconds)

    def now(self, what):
        """As `show`, and not a moment old: an answer may otherwise be as old as FRESH seconds."""
        time.sleep(FRESH)
        return self.show(what)

    def findings(self):
        """Those of now, but gaps and egress.plaintext: see records.findings()."""
        return [f for f in self.now("findings")["items"] if f["rule"] not in ("monitor.gap", "egress.plaintext")]

    def dataset_read(self, name):
        """Bytes read of a dataset so far."""
        return next(d["bytes_read"] for d in self.now("datasets")["items"] if d["id"] == name)


def check_form(found):
    """What the contract says of every record."""
    last = 0
    for r in found:
        assert r["v"] == 1, r
        assert r["type"] in TYPES, r
        assert len(r["time"]) == 24 and r["time"][10] == "T" and r["time"].endswith("Z"), r
        # A monitor that was started again begins anew in the same file.
        assert r["seq"] > last or r["seq"] == 1, f"seq {r['seq']} after {last}"
        last = r["seq"]
        assert isinstance(r["host"], dict), r
    assert found.of("policy"), "no policy record"
