# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What stands in the journal arrives in CloudWatch Logs, each record once: in spite of every failure the double knows, of kills of
either side, and of hours without it. But for the last tests it is `exporting` that runs: the journal and the exporter alone."""
import collections
import glob
import json
import os
import random
import signal
import subprocess
import time

import pytest

pytest.importorskip("botocore", reason="python3-botocore is not installed: scripts/deps.sh test")

from awsd import Awsd, AwsdProcess
from awsd_client import client
from monitor import run_sluice, tagged, wait_for
from where import PATIENCE, SCALE, program

ROUNDS = int(os.environ.get("SLUICE_TEST_KILLS", 200 // SCALE))
EMF = {"BytesRead", "TaintedBytesOut", "LeakBound", "Findings", "RecordsDropped", "ExportLagSeconds"}


@pytest.fixture
def world(tmp_path):
    made = []

    class World:
        journal, state = f"{tmp_path}/j", f"{tmp_path}/s"

        def aws(self, kind=Awsd, **settings):
            made.append(kind(f"{tmp_path}/aws", **settings))
            return made[-1]

        def start(self, aws, source="static", url=None, **said):
            env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
            argv = [program("exporting"), f"dir={self.journal}", f"state={self.state}", f"endpoint={url or aws.url}",
                    *(f"{k}={v}" for k, v in said.items())]
            env.update(aws.environment(source), AWS_CONFIG_FILE=f"{tmp_path}/none", AWS_SHARED_CREDENTIALS_FILE=f"{tmp_path}/none")
            return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    text=True)

        def run(self, aws, good=True, **said):
            """To the end; what it says of itself."""
            p = self.start(aws, **said)
            out, err = p.communicate(timeout=4 * PATIENCE)
            assert not good or p.returncode == 0, f"status {p.returncode}: {err}{out}"
            return json.loads(out)

        def lines(self):
            """seq -> the journal's line."""
            found = {}
            for name in sorted(glob.glob(f"{self.journal}/sluice-*.jsonl")):
                with open(name, encoding="utf-8") as f:
                    for line in f.read().splitlines():
                        found[json.loads(line)["seq"]] = line
            return found

    yield World()
    for one in made:
        one.close()


class Arrived:
    """What the double holds, taken apart."""

    def __init__(self, aws):
        self.events = aws.events()
        self.records, self.metrics, self.notices = collections.defaultdict(list), [], []
        for event in self.events:
            message = json.loads(event["message"])
            if "_aws" in message:
                self.metrics.append(message)
            elif message["type"] == "exporter":
                self.notices.append(message)
            else:
                self.records[message["seq"]].append(event["message"])

    def told(self, kind):
        return sum(notice["dropped"].get(kind, 0) for notice in self.notices)

    def sum(self, name):
        return sum(document.get(name, 0) for document in self.metrics)


def figures(lines):
    """The truth of the metrics that are sums."""
    read = out = 0
    for line in lines.values():
        record = json.loads(line)
        if record["type"] == "access":
            read += sum(n or 0 for n in (record["bytes"] or {}).values())
        if record["type"] == "flow":
            out += record["tainted_out"] * len(record["datasets"])
    return read, out


def assert_each_once(world, aws, first=1):
    """All that the journal holds is there once, to the letter, and its figures are in the metrics once."""
    lines, arrived = world.lines(), Arrived(aws)
    assert sorted(lines) == list(range(1, len(lines) + 1))
    times = {seq: len(arrived.records.get(seq, ())) for seq in lines}
    assert {seq: n for seq, n in times.items() if n != 1} == {}
    assert {seq: texts[0] for seq, texts in arrived.records.items()} == lines
    assert (arrived.sum("BytesRead"), arrived.sum("TaintedBytesOut")) == figures(lines)
    return arrived


# --- the ordinary ---

def test_all_arrives(world):
    aws = world.aws()
    said = world.run(aws, records=3001)
    arrived = assert_each_once(world, aws)
    assert said["exporter"]["state"] == "good"
    assert said["exporter"]["sent"] == len(world.lines())
    assert not arrived.notices
    assert {event["group"] for event in arrived.events} == {"/sluice/i-0abc"}
    stamps = [json.loads(e["message"]).get("time") for e in arrived.events]
    assert [s for s in stamps if s] == sorted(s for s in stamps if s)


def test_metrics_are_valid(world):
    emf = pytest.importorskip("emf_schema", reason="python3-jsonschema is not installed: scripts/deps.sh test")
    aws = world.aws()
    world.run(aws, records=2003)
    arrived = assert_each_once(world, aws)
    names = collections.Counter()
    for document in arrived.metrics:
        found = emf.check(document)
        assert {json.dumps(sorted(d)) for d, _, _ in found if ("Node", "i-0abc") in d}
        assert any(("Node", "i-0abc") not in d for d, _, _ in found)  # with it and without
        names.update(name for _, name, _ in found)
        assert document["first"] <= document["last"]
    assert set(names) >= EMF


@pytest.mark.parametrize("source", ("instance", "container-file", "web"))
def test_credentials_expire(world, source):
    """In the middle of it, and without a word before."""
    aws = world.aws()
    p = world.start(aws, source=source, records=400, rate=200)
    wait_for("something arrives", aws.events)
    aws.expire()
    out, err = p.communicate(timeout=PATIENCE)
    assert p.returncode == 0, err + out
    assert_each_once(world, aws)


def test_a_stream_each(world, tmp_path):
    """Two monitors that export to one group, even with one instance's name."""
    aws = world.aws()
    world.run(aws, records=101)
    first, world.journal, world.state = world.lines(), f"{tmp_path}/j2", f"{tmp_path}/s2"
    world.run(aws, records=53)
    streams = collections.Counter(e["stream"] for e in aws.events() if "seq" in json.loads(e["message"]))
    assert sorted(streams.values()) == sorted((len(first), len(world.lines())))


# --- what fails ---

FAULTS = {
    "throttled": [("throttle", {"op": "PutLogEvents", "n": 3})],
    "throttled-stream": [("throttle", {"op": "CreateLogStream", "n": 2})],
    "internal": [("error", {"op": "PutLogEvents", "n": 3})],
    "unavailable": [("http", {"n": 3})],
    "internal-but-stored": [("error", {"op": "PutLogEvents", "n": 2, "store": True})],
    "portal": [("http", {"op": "PutLogEvents", "status": 200, "body": "<html>log in</html>", "n": 2})],
    "garbage": [("garbage", {"op": "PutLogEvents", "n": 2})],
    "no-request-id": [("no_request_id", {"op": "PutLogEvents", "n": 2})],
    "huge": [("huge", {"op": "PutLogEvents"})],
    "cut-body": [("truncate", {"op": "PutLogEvents", "n": 2})],
    "cut-head": [("truncate", {"op": "PutLogEvents", "where": "head", "n": 2})],
    "reset-accept": [("reset", {"when": "accept", "n": 2})],
    "reset-before": [("reset", {"when": "body", "op": "PutLogEvents", "n": 2})],
    "reset-after": [("reset", {"when": "after", "op": "PutLogEvents", "n": 2})],
    "closed-after": [("reset", {"when": "after", "how": "fin", "op": "PutLogEvents", "n": 2})],
    "slow": [("drip", {"op": "PutLogEvents", "every": 0.002})],
    "late": [("delay", {"op": "PutLogEvents", "seconds": 0.5, "when": "after"})],
    "late-and-lost": [("reset", {"when": "after", "op": "PutLogEvents", "seconds": 0.3})],
    "lost-twice": [("reset", {"when": "after", "op": "PutLogEvents"}), ("reset", {"when": "after", "op": "GetLogEvents", "n": 2})],
    "asked-long": [("reset", {"when": "after", "op": "PutLogEvents"}), ("huge", {"op": "GetLogEvents", "n": 3})],
    "asked-empty": [("reset", {"when": "after", "op": "PutLogEvents"}), ("empty_page", {"op": "GetLogEvents", "n": 2})],
    "all-at-random": [("reset", {"when": "after", "p": 0.2, "n": 10}), ("reset", {"when": "body", "p": 0.2, "n": 10}),
                      ("throttle", {"p": 0.2, "n": 5}), ("error", {"p": 0.2, "n": 10}), ("truncate", {"p": 0.2, "n": 10})],
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(world, name):
    aws = world.aws(visible_after=0.03)
    for kind, said in FAULTS[name]:
        aws.fault(kind, **said)
    said = world.run(aws, records=701, rate=2000)
    assert_each_once(world, aws)
    assert said["exporter"]["maybe_repeated"] == 0
    left = sum(fault["n"] for fault in aws.state()["faults"])
    assert left < sum(said.get("n", 1) for _, said in FAULTS[name]), "the fault did not happen"


def test_not_allowed_to_ask(world):
    """Then a lost answer means: again, and said."""
    aws = world.aws(policy=[{"Effect": "Allow", "Action": ["logs:PutLogEvents", "logs:Create*", "logs:PutRetentionPolicy"],
                             "Resource": "*"}])
    aws.fault("reset", when="after", op="PutLogEvents")
    said = world.run(aws, records=211)
    arrived, lines = Arrived(aws), world.lines()
    assert set(arrived.records) == set(lines)
    twice = sum(len(texts) == 2 for texts in arrived.records.values())
    assert 0 < twice == said["exporter"]["maybe_repeated"]
    assert sum(n["maybe_repeated"] for n in arrived.notices) == twice
    assert "GetLogEvents" in said["exporter"]["last_error"]


def test_not_allowed_to_make_the_group(world):
    aws = world.aws(policy=[{"Effect": "Allow", "Action": ["logs:PutLogEvents", "logs:CreateLogStream", "logs:GetLogEvents"],
                             "Resource": "*"}])
    said = world.run(aws, good=False, records=101, seconds=2)
    assert said["exporter"]["state"] == "stuck"
    assert "/sluice/i-0abc" in said["exporter"]["why"] and "logs:CreateLogGroup" in said["exporter"]["why"]
    assert not aws.events()
    aws.set(policy=None)
    world.run(aws, records=1)
    assert_each_once(world, aws)


def test_the_stacks_rights_are_enough(world):
    """Those that scripts/aws/sluice.yaml gives a host, an answer being lost and the hosts' group being there."""
    cfn = pytest.importorskip("test_templates", reason="python3-yaml is not installed: scripts/deps.sh test")
    aws = world.aws()
    client(aws, "logs").create_log_group(logGroupName="/sluice/hosts")
    aws.set(policy=cfn.statements(cfn.stack()))
    aws.fault("reset", when="after", op="PutLogEvents")
    said = world.run(aws, records=211, group="/sluice/hosts")
    assert_each_once(world, aws)
    assert said["exporter"]["maybe_repeated"] == 0


def test_group_goes(world):
    """Someone deletes it while records come."""
    aws = world.aws()
    p = world.start(aws, records=900, rate=900)
    wait_for("something arrives", aws.events)
    before = len(aws.batches())
    aws.forget("/sluice/i-0abc")
    out, err = p.communicate(timeout=PATIENCE)
    assert p.returncode == 0, err + out
    assert len(aws.batches()) > before
    assert_each_once(world, aws)  # it remembers what the group had


# --- what cannot arrive as it is ---

def test_too_long(world):
    aws = world.aws()
    said = world.run(aws, records=23, long=1_300_003)
    assert said["exporter"]["cut"] == 1
    lines, arrived = world.lines(), Arrived(aws)
    assert set(arrived.records) == set(lines)
    cut = {seq: texts for seq, texts in arrived.records.items() if texts != [lines[seq]]}
    assert len(cut) == 1
    (seq, (text,)), = cut.items()
    message, whole = json.loads(text), json.loads(lines[seq])
    assert message["truncated"] is True and message["size"] == len(lines[seq].encode())
    assert {k: message[k] for k in ("v", "type", "time", "seq", "host", "prev")} == \
        {k: whole[k] for k in ("v", "type", "time", "seq", "host", "prev")}
    assert message["left_out"] == ["filling"]


def test_less_is_taken(world):
    """An event of 256 KB at most, as it once was."""
    aws = world.aws(event_max=262_144)
    said = world.run(aws, records=23, long=300_007)
    assert said["exporter"]["cut"] == 1
    calls = len(aws.calls("PutLogEvents"))
    world.run(aws, records=23, long=300_007)
    refused = [c for c in aws.calls("PutLogEvents")[calls:] if c["status"] != 200]
    assert not refused  # it remembers
    assert set(Arrived(aws).records) == set(world.lines())


@pytest.mark.parametrize("hours", (-30, -3, 3, 30))
def test_clocks_differ(world, hours):
    """By so much that every event would be too new, or the signature worth nothing."""
    aws = world.aws(clock_offset=hours * 3600.0)
    said = world.run(aws, records=311, group="/sluice/{account}")   # whose name must be asked for first
    assert_each_once(world, aws)
    assert said["exporter"]["retimed"] == (len(world.lines()) if hours < 0 else 0)


def test_rejected(world):
    """The clock of AWS jumps between two batches: what it does not take it says, and so does the exporter."""
    aws = world.aws()
    world.run(aws, records=101)
    p = world.start(aws, records=400, rate=400)
    before = len(aws.batches())
    wait_for("something arrives", lambda: len(aws.batches()) > before)
    aws.set(clock_offset=15 * 86400.0)
    out, err = p.communicate(timeout=PATIENCE)
    assert p.returncode == 0, err + out
    said, arrived, lines = json.loads(out), Arrived(aws), world.lines()
    left_out = sum(len(b["rejected"]) for b in aws.batches())
    assert left_out > 0
    missing = set(lines) - set(arrived.records)
    dropped = said["exporter"]["dropped"]
    assert dropped["too_old"] + dropped["expired"] == len(missing) > 0
    assert said["exporter"]["sent"] + len(missing) == len(lines)


# --- hours without it ---

def test_outage(world):
    aws = world.aws(AwsdProcess)
    world.run(aws, records=307)
    aws.kill9()
    said = world.run(aws, good=False, records=40_009, rate=40_000, seconds=2)
    assert said["exporter"]["state"] == "failing"
    assert said["exporter"]["lag_records"] > 40_000
    aws.start()
    world.run(aws, records=11)
    arrived = assert_each_once(world, aws)
    assert not arrived.notices


def test_retention_takes_unsent(world):
    """What the journal had no room for any more before the endpoint came back is counted, and said in the log."""
    aws = world.aws(AwsdProcess)
    world.run(aws, records=101)
    aws.kill9()
    world.run(aws, good=False, records=60_000, seconds=3, max=2_000_000)
    aws.start()
    said = world.run(aws, records=11, max=2_000_000)
    arrived = Arrived(aws)
    gone = said["exporter"]["dropped"]["gone"]
    assert gone > 10_000
    assert arrived.told("gone") == gone == arrived.sum("RecordsDropped")
    assert len(arrived.records) + gone == said["seq"]
    assert all(len(texts) == 1 for texts in arrived.records.values())


def test_dead_endpoint_costs_nothing(world):
    """1,000 records a second and nobody there: memory and the tick stay as they are with everything in order."""
    aws = world.aws(AwsdProcess)
    well = world.run(aws, good=False, records=10_000_000, rate=1000, seconds=6)
    aws.kill9()
    for _ in range(3):  # what the machine does to one of them it does not do to all
        dead = world.run(aws, good=False, records=10_000_000, rate=1000, seconds=12)
        if dead["worst_tick_us"] < 200_000 and dead["late_ticks"] <= well["late_ticks"] + 3:
            break
    assert dead["exporter"]["state"] == "failing" and dead["exporter"]["lag_records"] > 9000
    assert dead["rss"] - dead["rss_first"] < 4096, dead       # KiB, in 11 seconds: of the batch that waits
    assert dead["rss"] < well["rss"] + 4096, (dead, well)
    assert dead["worst_tick_us"] < 200_000 and dead["late_ticks"] <= well["late_ticks"] + 3, (dead, well)


# --- killed ---

def test_killed_at_random(world):
    """Either side, at any moment, so many times; then all is there once."""
    seed = int(os.environ.get("SLUICE_TEST_SEED", time.time_ns() % 10**9))
    print(f"SLUICE_TEST_SEED={seed}")
    dice = random.Random(seed)
    aws = world.aws(AwsdProcess, visible_after=0.02)
    killed = collections.Counter()
    for _ in range(ROUNDS):
        p = world.start(aws, records=dice.randrange(50, 500), rate=dice.choice((0, 300, 1000)), flush=dice.choice((1, 10, 50)),
                        settle=150)
        victim = "double" if dice.random() < 0.15 else "exporter"
        time.sleep(dice.random() * 0.4)
        if victim == "double":
            aws.kill9()
            aws.start()
            time.sleep(dice.random() * 0.1)
        p.send_signal(signal.SIGKILL)
        p.communicate()
        killed[victim] += 1
        killed["late"] += p.returncode != -signal.SIGKILL
    world.run(aws, records=7, settle=150)
    arrived = assert_each_once(world, aws)
    print(f"{dict(killed)}; {len(world.lines())} records in {len(aws.batches())} batches, {len(aws.calls('GetLogEvents'))} questions")
    assert killed["exporter"] > ROUNDS / 2 and killed["late"] < ROUNDS / 2
    assert len(aws.calls("GetLogEvents")) > 0 and len(aws.batches()) > ROUNDS / 2
    assert not any(n["maybe_repeated"] for n in arrived.notices)


# --- the monitor itself ---

@pytest.fixture
def exporting(tmp_path, config, monkeypatch):
    """exporting(aws, ...): the configuration of a monitor that exports there."""
    def made(aws, group="/sluice/{hostname}", source="static", **more):
        for name, value in aws.environment(source).items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, f"{tmp_path}/none")
        return {**config, "journal": {"dir": f"{tmp_path}/j"}, **more,
                "export": {"cloudwatch": {"endpoint": aws.url, "log_group": group, "retain_days": 7}}}

    return made


def exporter(m):
    return m.now("health")["health"]["exporter"]


@pytest.mark.one_set
def test_monitor_exports(world, exporting, sluice, dataset, actor, lab, sink, show):
    aws, outside = world.aws(), sink(lab.internet)
    m = sluice(exporting(aws))
    wait_for("the policy arrives", lambda: any('"policy"' in e["message"] for e in aws.events()))
    began = time.monotonic()
    actor(f"read:{dataset}/f", outside.to, "send:10007").truth()
    wait_for("the finding arrives", lambda: any('"exfil.volume"' in e["message"] for e in aws.events()))
    assert time.monotonic() - began < 12
    told = exporter(m)
    assert told["state"] == "good" and told["sent"] > 0 and told["why"] is None
    assert told["credentials"] == {"source": "environment", "expire": None}
    assert told["log_group"] == "/sluice/" + os.uname().nodename
    r = m.stop()
    arrived = assert_each_once(world, aws)
    assert {seq for seq in arrived.records} >= {one["seq"] for one in r}  # to the last word
    health = [json.loads(t[0]) for t in arrived.records.values() if '"type":"health"' in t[0]]
    assert health[-1]["exporter"]["lag_records"] is not None
    assert aws.logs.groups["/sluice/" + os.uname().nodename].retention == 7
    assert not [f for f in r.findings().values() if f["remote"] and f["remote"]["addr"] == "127.0.0.1"]


@pytest.mark.one_set
def test_monitor_ends_without_it(world, exporting, sluice, dataset, actor):
    """The endpoint is dead from the beginning: nothing is worse for it, the end comes soon, and the next one sends all."""
    aws = world.aws(AwsdProcess)
    aws.kill9()
    m = sluice(exporting(aws))
    actor(f"read:{dataset}/f").truth()
    wait_for("it says so", lambda: exporter(m)["state"] == "failing")
    assert exporter(m)["why"] and exporter(m)["sent"] == 0
    wait_for("and tells people", lambda: "export: " in m.said())
    began = time.monotonic()
    r = m.stop()
    assert time.monotonic() - began < 15
    assert r.read() > 0
    assert "not all has arrived" in m.said()
    aws.start()
    m.start()
    wait_for("all arrives", lambda: exporter(m)["state"] == "good" and exporter(m)["sent"] >= len(r))
    m.stop()
    assert_each_once(world, aws)


@pytest.mark.one_set
def test_monitor_once(world, exporting, sluice):
    """A run of so many seconds exports its last words too."""
    aws = world.aws()
    m = sluice(exporting(aws), once=3)
    assert m.wait() == 0, m.said()
    arrived = assert_each_once(world, aws)
    assert arrived.metrics


@pytest.mark.one_set
def test_a_viewers_own_monitor_sends_nothing_twice(world, exporting, sluice):
    """It does not know what was sent of the journal before, which the next one does."""
    aws = world.aws()
    m = sluice(exporting(aws, source="container-file"))
    wait_for("something arrives", aws.events)
    m.stop()
    sent, said = len(world.lines()), len(aws.calls())
    p = run_sluice("top", "-c", m.file, "--socket", m.socket, "--batch", "4", "--interval", "0.5", "--json", "--view", "datasets",
                   timeout=4 * PATIENCE)
    assert p.returncode == 0 and len(world.lines()) > sent, p.stderr
    assert len(aws.calls()) == said
    m.start()
    wait_for("all arrives", lambda: exporter(m)["state"] == "good" and exporter(m)["sent"] > sent)
    m.stop()
    assert_each_once(world, aws)


@pytest.mark.one_set
def test_monitor_reloads(world, exporting, sluice):
    aws = world.aws()
    m = sluice(exporting(aws, "/one/{account}"))
    wait_for("something arrives", aws.events)
    m.write(exporting(aws, "/two/{region}"))
    m.signal(signal.SIGHUP)
    wait_for("and in the other group", lambda: any(e["group"] == "/two/eu-central-1" for e in aws.events()))
    assert exporter(m)["log_group"] == "/two/eu-central-1"
    m.write({**exporting(aws), "export": {"cloudwatch": False}})
    m.signal(signal.SIGHUP)
    wait_for("it is off", lambda: exporter(m) is None)
    m.stop()
    groups = {e["group"] for e in aws.events()}
    assert groups == {"/one/123456789012", "/two/eu-central-1"}
    assert all(len(texts) == 1 for texts in Arrived(aws).records.values())
