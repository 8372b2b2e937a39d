# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Findings to Security Hub, against a strict double: each under one Id, the newest state, whatever fails, whoever is killed."""
import json
import os
import random
import signal
import subprocess
import tempfile
import time

import pytest

from awsd import REGION, AwsdProcess
from awsd_client import CLIS, cli
from findings import Journal, finding
from monitor import run_sluice, wait_for
from where import program


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="sluice-hub-") as path:
        yield path


@pytest.fixture
def aws(folder):
    with AwsdProcess(os.path.join(folder, "aws")) as double:
        yield double


@pytest.fixture
def journal(folder):
    made = Journal(os.path.join(folder, "journal"))
    yield made
    made.close()


class Hubbing:
    """The importer by itself; all that it waits for is 50 times shorter."""

    def __init__(self, folder, journal, aws):
        self.argv = [program("hubbing"), f"journal={journal.path}", f"state={folder}/state", f"endpoint={aws.url}", "hurry=50"]
        self.out, self.aws, self.process = os.path.join(folder, "told.jsonl"), aws, None

    def start(self, source="static", **env):
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(self.argv, stdout=out, env={**os.environ, **self.aws.environment(source), **env})
        return self

    def told(self):
        with open(self.out, encoding="utf-8") as f:
            lines = [line for line in f if line.endswith("\n")]
        nothing = dict.fromkeys(("state", "why", "imported", "updated", "refused", "missed", "waiting"))
        return json.loads(lines[-1]) if lines else nothing

    def wait(self, what, condition, seconds=30):
        try:
            return wait_for(what, lambda: condition(self.told()), seconds)
        except AssertionError:
            raise AssertionError(f"{what}: {self.told()}, {self.aws.state()}") from None

    def end(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            assert self.process.wait(20) == (0 if how == signal.SIGTERM else -how)


@pytest.fixture
def hub(folder, journal, aws):
    made = Hubbing(folder, journal, aws)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def there(aws):
    """Number of the finding -> its leak bound, as Security Hub has it."""
    found = {}
    for f in aws.findings().values():
        number = int(f["Id"].rpartition("f-")[2], 16)
        assert number not in found, "one finding under two Ids"
        found[number] = int(f["ProductFields"]["sluice/leak_bound"])
    return found


def failed(aws):
    return [f for call in aws.imports() for f in call["failed"]]


def test_import_and_update(hub, journal, aws):
    journal.add("health", gaps=[])
    for n in (1, 2, 3):
        journal.add("finding", **finding(n, n))
    journal.add("finding", **finding(1, 10))
    hub.start()
    hub.wait("all are imported", lambda t: t["imported"] == 3 and t["waiting"] == 0)
    assert there(aws) == {1: 10, 2: 2, 3: 3}
    assert len(aws.imports()) == 1, "of a state that another replaced nobody heard"
    before = {i: f["CreatedAt"] for i, f in aws.findings().items()}
    for n in range(11, 100):
        journal.add("finding", **finding(2, n))
    hub.wait("the update is there", lambda t: there(aws)[2] == 99)
    assert there(aws) == {1: 10, 2: 99, 3: 3}
    assert len(aws.imports()) <= 6, "states in a row are one update"
    assert {i: f["CreatedAt"] for i, f in aws.findings().items()} == before
    hub.end()
    assert hub.told()["state"] == "good" and hub.told()["why"] is None
    assert not failed(aws)


@pytest.mark.skipif(not CLIS, reason="awscli is not installed")
def test_read_by_awscli(hub, journal, aws):
    journal.add("finding", **finding(1, 7, "critical", remote={"addr": "198.51.100.7", "port": 443, "class": "aws:S3:eu-central-1",
                                                             "name": "b.s3.amazonaws.com", "bucket": "b"}))
    hub.start()
    hub.wait("it is imported", lambda t: t["imported"] == 1)
    for path in CLIS:
        found = cli(path, aws, "securityhub", "get-findings", "--filters",
                    json.dumps({"GeneratorId": [{"Value": "sluice/exfil.volume", "Comparison": "EQUALS"}]}))["Findings"]
        assert len(found) == 1
        f = found[0]
        assert f["Id"] == f"sluice/{REGION}/123456789012/i-0123456789abcdef0/f-{1:016x}"
        assert f["Severity"] == {"Label": "CRITICAL", "Original": "critical"}
        assert f["FindingProviderFields"]["Severity"]["Label"] == "CRITICAL"
        assert f["Types"][0].startswith("Effects/Data Exfiltration/")
        assert [r["Type"] for r in f["Resources"]] == ["AwsEc2Instance", "AwsS3Bucket", "Other"]
        assert f["Resources"][1]["Id"] == "arn:aws:s3:::b"
        assert f["Network"]["DestinationIpV4"] == "198.51.100.7" and f["Network"]["DestinationPort"] == 443
        assert f["Process"]["Pid"] == 412
        assert f["ProductFields"]["sluice/chain/02"].endswith("python3[412] > 203.0.113.9:443, tcp, 7 bytes")
        assert "RecordState" not in f and "Workflow" not in f


def test_limits(hub, journal, aws):
    """Whatever a record holds, the format's limits are kept: nothing is refused."""
    odd = "\U0001f600" * 3000
    for n in range(250):
        journal.add("finding", **finding(n, n, title=odd, job=odd, dataset=odd[:40], chain=[
            {"from": odd, "to": odd, "via": "read", "bytes": 1, "time": None}] * (n % 70), coverage=[odd] * 5))
    for n, blank in enumerate(("", " ", "\u2003", None)):
        journal.add("finding", **finding(300 + n, 1, title=blank, job=blank, dataset=blank, severity=blank, action=blank))
    hub.start()
    hub.wait("all are imported", lambda t: t["imported"] == 254, 60)
    assert not failed(aws) and hub.told()["refused"] == 0
    assert all(len(call["good"]) <= 100 for call in aws.imports())


def test_partial_failure(hub, journal, aws):
    aws.fault("fail_findings", ids=f"*f-{2:016x}", code="InternalException", n=2)
    aws.fault("fail_findings", ids=f"*f-{3:016x}", code="InvalidInput", n=None, skip=1)
    for n in range(1, 6):
        journal.add("finding", **finding(n, n))
    hub.start()
    hub.wait("those that can be are imported", lambda t: t["imported"] == 5 and t["waiting"] == 0)
    assert hub.told()["refused"] == 0
    journal.add("finding", **finding(3, 30))
    hub.wait("the other is given up", lambda t: t["refused"] == 1)
    assert "InvalidInput" in hub.told()["why"] and hub.told()["state"] == "good"
    assert there(aws) == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
    aws.clear()
    journal.add("finding", **finding(3, 31))
    hub.wait("its next state is tried", lambda t: there(aws)[3] == 31)


FAULTS = [("throttle", {}), ("error", {"status": 500}), ("error", {"error": "TooManyRequestsException", "status": 429}), ("http", {}),
          ("garbage", {}), ("no_request_id", {}), ("huge", {}), ("truncate", {"where": "head"}),
          ("truncate", {"where": "body"}), ("reset", {"when": "head"}), ("reset", {"when": "body"}), ("reset", {"when": "after"})]


@pytest.mark.parametrize("kind,said", FAULTS, ids=[f"{k}-{'-'.join(str(v) for v in s.values())}" for k, s in FAULTS])
def test_faults(hub, journal, aws, kind, said):
    """What failed is done again; what was done, though it did not seem so, is an update of the same Id."""
    aws.fault(kind, op="BatchImportFindings", n=3, **said)
    for n in range(1, 4):
        journal.add("finding", **finding(n, n))
    hub.start()
    hub.wait("all are imported", lambda t: t["imported"] == 3 and t["waiting"] == 0 and t["state"] == "good", 60)
    assert there(aws) == {1: 1, 2: 2, 3: 3}
    assert not failed(aws)
    assert len(aws.calls("BatchImportFindings")) <= 8
    assert hub.told()["refused"] == 0


def test_one_wrong_request_among_many(hub, journal, aws):
    """A request that is refused as a whole is halved, not given up."""
    aws.fault("error", op="BatchImportFindings", error="InvalidInputException", status=400, n=4)
    for n in range(100):
        journal.add("finding", **finding(n, n))
    hub.start()
    hub.wait("all are imported", lambda t: t["imported"] == 100)
    assert hub.told()["refused"] == 0


def test_not_enabled(hub, journal, aws):
    aws.set(hub_enabled=False)
    journal.add("finding", **finding(1, 1))
    hub.start()
    told = hub.wait("it says so", lambda t: t if t["state"] == "not_enabled" else None)
    assert f"not enabled in {REGION} for account 123456789012" in told["why"] and "export.security_hub" in told["why"]
    time.sleep(2)
    assert len(aws.calls("BatchImportFindings")) == 1, "nobody enables it in a moment"
    aws.set(hub_enabled=True)
    journal.add("finding", **finding(1, 2))
    hub.wait("it goes on by itself", lambda t: t["state"] == "good", 60)
    assert there(aws) == {1: 2}
    assert hub.told()["why"] is None


def test_denied(hub, journal, aws):
    aws.set(policy=[{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}])
    journal.add("finding", **finding(1, 1))
    hub.start()
    told = hub.wait("it says so", lambda t: t if t["state"] == "denied" else None)
    assert "securityhub:BatchImportFindings" in told["why"]
    aws.set(policy=None)
    hub.wait("it goes on by itself", lambda t: t["state"] == "good", 60)
    assert there(aws) == {1: 1}


def test_no_credentials(hub, journal, aws):
    journal.add("finding", **finding(1, 1))
    hub.start(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    hub.wait("it says so", lambda t: t["state"] in ("no_credentials", "unplaced"))
    assert hub.told()["waiting"] == 1
    hub.end()
    hub.start()
    hub.wait("with some it goes on", lambda t: t["imported"] == 1)


@pytest.mark.parametrize("source", ("instance", "container-file", "web"))
def test_credentials_end(hub, journal, aws, source):
    journal.add("finding", **finding(1, 1))
    hub.start(source)
    hub.wait("the first is imported", lambda t: t["imported"] == 1)
    aws.expire()
    journal.add("finding", **finding(2, 2))
    hub.wait("fresh ones are taken", lambda t: t["imported"] == 2, 60)


def test_clocks_differ(hub, journal, aws):
    """Who this is must be asked first, and that is refused until the clock is reckoned with."""
    aws.set(clock_offset=7200.0)
    journal.add("finding", **finding(1, 1))
    hub.start()
    hub.wait("it is imported", lambda t: t["imported"] == 1)
    hub.end()


def test_last_words(hub, journal, aws):
    """What waits for its time is sent at the end: the host may be gone for good."""
    hub.argv = [a for a in hub.argv if not a.startswith("hurry")]
    journal.add("finding", **finding(1, 1))
    hub.start()
    hub.wait("the first is imported", lambda t: t["imported"] == 1)
    journal.add("finding", **finding(1, 2))
    hub.wait("the next waits", lambda t: t["waiting"] == 1)
    assert there(aws) == {1: 1}
    hub.end()
    assert there(aws) == {1: 2}


def test_retention_was_faster(hub, journal, aws):
    journal.add("finding", **finding(1, 1))
    hub.start()
    hub.wait("the first is imported", lambda t: t["imported"] == 1)
    hub.end()
    for n in range(journal.per_segment * 2 + 5):
        journal.add("health")
    journal.add("finding", **finding(2, 2))
    for name in sorted(os.listdir(journal.path))[:2]:
        os.unlink(os.path.join(journal.path, name))
    hub.start()
    hub.wait("it goes on behind the gap", lambda t: t["imported"] == 1)
    assert there(aws) == {1: 1, 2: 2}
    assert hub.told()["missed"] == 2 * journal.per_segment - 1


def test_killed_at_any_time(hub, journal, aws):
    """Both ends are killed, again and again: each finding is there once, in its newest state, and was first made when it was."""
    rounds, r, newest, created = 60, random.Random(7), {}, {}
    for i in range(rounds):
        for _ in range(r.randrange(1, 40)):
            number = r.randrange(120)
            newest[number] = newest.get(number, 0) + 1
            journal.add("finding", **finding(number, newest[number]))
            if r.random() < 0.3:
                journal.add("access", dataset="patients")
        hub.start()
        time.sleep(r.random() * 0.4)
        hub.end(signal.SIGKILL)
        for f in aws.findings().values():
            assert created.setdefault(f["Id"], f["CreatedAt"]) == f["CreatedAt"]
        if i % 5 == 4:
            aws.kill9()
            aws.start()
    hub.start()
    hub.wait("all is there", lambda t: t["waiting"] == 0 and there(aws) == newest, 60)
    hub.end()
    assert not failed(aws)
    assert hub.told()["refused"] == hub.told()["missed"] == 0


@pytest.mark.one_set
def test_monitor(sluice, config, lab, sink, actor, dataset, tmp, aws, monkeypatch):
    """The whole: a leak, its finding in Security Hub as it is in the journal, what `show health` says; and what grew last."""
    for name, value in aws.environment().items():
        if name != "HOME":
            monkeypatch.setenv(name, value)
    s = sink(lab.internet)
    m = sluice({**config, "journal": {"dir": f"{tmp}/journal"}, "export": {"security_hub": {"endpoint": aws.url}}})
    actor("fork{", f"read:{dataset}/f", "}", s.to, f"read:{dataset}/f", "send:70001").truth()
    m.wait_records("the leak is found", lambda r: r.findings("exfil.volume", s))
    wait_for("it is imported", lambda: [f for f in aws.findings().values() if f["GeneratorId"] == "sluice/exfil.volume"], 30)
    def hub():
        return m.show("health")["health"]["security_hub"]
    wait_for("health tells of it", lambda: hub()["imported"], 30)
    assert hub()["state"] == "good" and hub()["refused"] == hub()["missed"] == 0 and hub()["why"] is None
    assert "Security Hub" in run_sluice("show", "health", "--socket", m.socket).stdout
    actor(s.to, f"read:{dataset}/f", "send:5003").truth()
    found = m.stop().findings("exfil.volume", s)
    leaked = {f["id"]: f["leak_bound"] for f in found.values()}
    hubs = {f["ProductFields"]["sluice/finding"]: int(f["ProductFields"]["sluice/leak_bound"]) for f in aws.findings().values()
            if f["GeneratorId"] == "sluice/exfil.volume"}
    assert hubs == leaked and sum(leaked.values()) == s.bytes() == 75004
    assert not failed(aws)
    calls = len(aws.calls())
    p = run_sluice("run", "-c", m.file, "--socket", m.socket, "--hooks", m.hooks, "--once", "2",
                   env={**os.environ, "SLUICE_NO_STATE": "1"})
    assert p.returncode == 0 and "what the journal has the next monitor imports" in p.stderr and len(aws.calls()) == calls
