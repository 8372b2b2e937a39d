# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The commands: one JSON document each, tables that agree with it, statuses that scripts can rely on."""
import json
import re

import pytest

import work
from monitor import run_sluice, sluice_json, tagged, yaml
from work import FILE

pytestmark = pytest.mark.one_set

WORDS = ("datasets", "jobs", "processes", "destinations", "flows", "findings", "health")


def find(value, wanted):
    """Does this value stand anywhere in the document?"""
    if isinstance(value, dict):
        return any(find(v, wanted) for v in value.values())
    if isinstance(value, list):
        return any(find(v, wanted) for v in value)
    return value == wanted and type(value) is type(wanted)


@pytest.fixture
def after_a_leak(sluice, config, dataset, lab, sink, actor, job):
    s = sink(lab.internet)
    m = sluice(config)
    p = actor("comm:uploader", f"read:{dataset}/f", s.to, "send:300007", "say:sent", "wait-line", cgroup=job)
    p.wait_said("sent")
    m.wait_records("the finding", lambda r: r.to(s) == 300007 and r.findings("exfil.volume", s))
    yield m, p, s, job
    p.go()
    p.truth()
    m.stop()


def test_show_json(after_a_leak):
    m, p, s, job = after_a_leak
    told = {word: m.show(word) for word in WORDS}
    for word in WORDS:
        assert told[word]["v"] == 1
        assert told[word]["type"] == word
    assert find(told["datasets"], "set") and find(told["datasets"], FILE)
    assert find(told["jobs"], job.name)
    assert find(told["processes"], p.pid) and find(told["processes"], "uploader")
    assert find(told["flows"], s.ip) and find(told["flows"], s.port) and find(told["flows"], 300007)
    items = [f for f in told["findings"]["items"] if f["rule"] != "monitor.gap"]  # others on this machine may make one
    assert sorted(f["rule"] for f in items) == ["egress.plaintext", "exfil.volume"]
    assert {f["leak_bound"] for f in items} == {300007}
    finding, = [f for f in items if f["rule"] == "exfil.volume"]
    # The same id as in the records.
    assert m.so_far().finding("exfil.volume", s)["id"] == finding["id"]
    assert find(told["health"], m.hooks)


def test_show_tables(after_a_leak):
    m, p, s, job = after_a_leak
    tables = {}
    for word in WORDS:
        got = run_sluice("show", word, "--socket", m.socket)
        assert got.returncode == 0, got.stderr
        # For a pipe: no colours, no control characters.
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", got.stdout), repr(got.stdout)
        tables[word] = got.stdout
    assert "set" in tables["datasets"] and "1.0 MiB" in tables["datasets"], tables["datasets"]
    assert job.name in tables["jobs"]
    assert str(p.pid) in tables["processes"] and "uploader" in tables["processes"]
    assert s.ip in tables["flows"] and "internet" in tables["flows"]
    assert "exfil.volume" in tables["findings"] and "293.0 KiB" in tables["findings"] or "293 KiB" in tables["findings"]
    assert m.hooks in tables["health"]


def test_hostile_names(sluice, data, actor, show):
    """A process and a file may be called anything; a terminal must not obey them, JSON must stay JSON."""
    work.make_file(f"{data}/set/f\x1b]0;owned\x07\n\xff", 4099)
    m = sluice(tagged(f"{data}/set"))
    p = actor("comm:\x1b[31m\n\xfe\u202e", f"read:{data}/set", "say:read", "wait-line")
    p.wait_said("read")
    m.wait_records("it", lambda r: r.read() == 4099)
    table = run_sluice("show", "processes", "--socket", m.socket).stdout
    assert str(p.pid) in table
    assert "\x1b" not in table and "\u202e" not in table
    comm = next(a["process"]["comm"] for a in m.so_far().access())
    assert not re.search("[\x00-\x1f\x7f\u202e]", comm), repr(comm)
    p.go()
    p.truth()
    assert m.stop().read() == 4099


def test_show_without_a_monitor(root, tmp):
    p = run_sluice("show", "datasets", "--socket", f"{tmp}/none.sock")
    assert p.returncode not in (0, 1)
    assert f"{tmp}/none.sock" in p.stderr
    assert "sluice run" in p.stderr, p.stderr


def test_check_good(root, tmp, dataset):
    path = f"{tmp}/good.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(yaml({**tagged(dataset), "network": {"vpc": "off", "vpc_cidrs": ["10.0.0.0/16"], "aws_ranges": "off"}}))
    p = run_sluice("check", "-c", path)
    # 1: something about this host's posture failed, which is none of our business here.
    assert p.returncode in (0, 1), p.stderr
    document = sluice_json("check", "-c", path)
    assert document["v"] == 1


def test_check_bad_json(root, tmp):
    path = f"{tmp}/bad.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write("intervall: 1s\n")
    p = run_sluice("check", "-c", path, "--json")
    assert p.returncode == 2
    assert find(json.loads(p.stdout), path) or "bad.yaml:1:1" in p.stdout


def test_contract_configuration(root, tmp, data, hooks):
    """The whole file of the contract is valid; what has no effect yet is named at the start."""
    work.make_file(f"{data}/patients/f", 4099)
    text = f"""
datasets:
  - id: patients            # [a-z0-9._-]{{1,63}}
    path: {data}/patients
    tags: {{ DataType: PII, Owner: radiology }}
    readers: {{ users: [root], jobs: ["slurm:*"], exe: [/usr/bin/python3*] }}
    budget: {{ outside_vpc: 1MiB, per: 24h }}
    mode: alert
jobs: ["slurm:train-*"]
network:
  vpc: off
  vpc_cidrs: [10.0.0.0/16]
  expect: ml
  aws_ranges: off
  allow:
    - {{ name: "*.example.org", port: 443 }}
    - {{ bucket: approved-models }}
    - {{ cidr: 203.0.113.0/24 }}
trusted: [/usr/bin/true]
journal: {{ dir: {tmp}/log, max_size: 1GiB, retain: 30d }}
export:
  cloudwatch: {{ log_group: "/sluice/{{instance_id}}", namespace: Sluice, endpoint: auto, retain_days: 30 }}
  security_hub: false
interval: 1s
"""
    path = f"{tmp}/contract.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    p = run_sluice("check", "-c", path)
    assert p.returncode in (0, 1), p.stderr
    p = run_sluice("run", "-c", path, "--once", "1", "--hooks", hooks, "--socket", f"{tmp}/s", "--events", "-")
    assert p.returncode == 0, p.stderr
    records = [json.loads(line) for line in p.stdout.splitlines()]
    assert [r for r in records if r["type"] == "policy"]
    assert [r for r in records if r["type"] == "health"]


def test_probe(root, hooks):
    document = sluice_json("probe", "--hooks", hooks, timeout=1200)
    assert document["v"] == 1
    assert find(document, hooks)
    # Exact reads have an owner under either set; that is what the set was chosen by.
    text = json.dumps(document)
    for fact in ("read.read", "read.readv", "taint.fork", "flow.tcp"):
        assert fact in text
    p = run_sluice("probe", "--hooks", hooks, timeout=1200)
    assert p.returncode == 0
    assert hooks in p.stdout
    assert "read.io_uring" in p.stdout, "a gap is named"


def test_probe_auto_takes_trampolines_where_it_can(set_refusals):
    document = json.dumps(sluice_json("probe", timeout=1200))
    wanted = "trampoline" if set_refusals["trampoline"] is None else "tracepoint"
    assert f'"{wanted}"' in document


def test_one_set_loads(set_refusals):
    """Else every test of the monitor would be a skip, and nobody would notice."""
    assert None in set_refusals.values(), set_refusals


def test_health_record(sluice, dataset):
    m = sluice(tagged(dataset))
    h = m.stop().of("health")[-1]
    assert find(h, m.hooks)
    assert isinstance(h["losses"], dict) and h["losses"]
    text = json.dumps(h)
    assert "read.io_uring" in text, "a gap is named"
    assert "read.read" in text


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["run", "--nonsense"], ["run", "--once", "soon"], ["run", "--hooks", "kprobe"], ["show"],
    ["show", "nonsense"], ["run", "--once"], ["probe", "extra"],
])
def test_usage(root, words):
    p = run_sluice(*words)
    assert p.returncode == 2, p.stderr
    assert p.stderr.strip() and len(p.stderr.splitlines()) <= 3
    assert p.stdout == ""


@pytest.mark.parametrize("words", [["--help"], ["help"], ["run", "--help"], ["--version"]])
def test_help(root, words):
    p = run_sluice(*words)
    assert p.returncode == 0
    assert "sluice" in p.stdout
