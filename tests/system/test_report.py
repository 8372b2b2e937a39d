# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`sluice report`: records summed up again, and a finding told hop by hop, held against what the work says of itself."""
import json
import os
import pwd

import pytest

from monitor import run_sluice
from work import FILE

pytestmark = pytest.mark.one_set


def report(*words, status=0, **options):
    p = run_sluice("report", *words, **options)
    assert p.returncode == status, f"{p.returncode}: {p.stderr}"
    return p.stdout if status in (0, 1) else p.stderr


@pytest.fixture
def leaked(sluice, config, dataset, lab, sink, actor, job):
    """A reader hands 300007 bytes to a sender, which sends them outside; another user reads a little. -> (file, sink, ...)"""
    s = sink(lab.internet)
    m = sluice(config)
    p = actor("pipe", "fork{", "comm:loader", f"read:{dataset}/f", "write-pipe:300007", "}",
              "fork{", "comm:sender", s.to, "read-pipe:300007", "send:300007", "}", cgroup=job)
    truth = p.truth()
    actor("comm:other", "uid:65534", f"read:{dataset}/f:10007").truth()
    found = m.stop()
    assert s.bytes() == 300007
    return m.events, s, found.exfil(s), truth, job


def test_report_equals_truth(leaked):
    events, s, finding, truth, job = leaked
    d = json.loads(report("--events", events, "--json"))
    assert d["v"] == 1 and d["type"] == "report"
    assert d["records"]["missing"] == 0 and d["records"]["torn"] is False and d["records"]["unknown"] == 0
    by = {(a["job"], a["uid"]): a for a in d["access"]}
    assert sum(a["bytes_total"] for a in d["access"]) == truth.total("read") + 10007 == FILE + 10007
    loader = by[job.name, 0]
    assert loader["comm"] == "loader" and loader["user"] == "root" and loader["processes"] == 1
    assert loader["bytes_total"] == loader["bytes"]["read"] == FILE
    assert loader["files"] == 1 and loader["exact"] is True
    stranger = next(a for a in d["access"] if a["uid"] == 65534)
    assert stranger["user"] == pwd.getpwuid(65534).pw_name
    assert stranger["bytes_total"] == 10007

    out = [f for f in d["destinations"] if f["remote"]["addr"] == s.ip and f["remote"]["port"] == s.port]
    assert [f["tainted_out"] for f in out] == [s.bytes()]
    assert out[0]["outside"] is True and out[0]["job"] == job.name and out[0]["datasets"] == ["set"]
    assert d["left"] == {"set": s.bytes()}
    pipe = {t["via"]: t for t in d["transfers"] if "pipe" in (t["from"], t["to"])}
    assert pipe["pipe_write"]["bytes"] == pipe["pipe_read"]["bytes"] == 300007
    assert (pipe["pipe_write"]["from"], pipe["pipe_read"]["to"]) == ("loader", "sender")
    assert finding["id"] in [f["id"] for f in d["findings"]]

    text = report("--events", events)
    assert "who read" in text and "where it can have gone" in text
    assert f"set  {s.bytes()} bytes" in text
    assert finding["id"] in text


def test_report_of_one_job(leaked):
    events, s, _, _, job = leaked
    d = json.loads(report("--events", events, "--json", "--job", job.name, "--dataset", "set"))
    assert [(a["comm"], a["bytes_total"]) for a in d["access"]] == [("loader", FILE)]
    assert d["transfers"] is None
    assert [f["tainted_out"] for f in d["destinations"]] == [s.bytes()]
    d = json.loads(report("--events", events, "--json", "--dataset", "another"))
    assert d["access"] == d["destinations"] == d["transfers"] == d["findings"] == []


def test_spans_add_up(leaked):
    """What lies before a moment and what lies after it are together what there is, at every record's time."""
    events = leaked[0]
    with open(events, encoding="utf-8") as f:
        times = sorted({json.loads(line)["time"] for line in f})

    def read(*words):
        return sum(a["bytes_total"] for a in json.loads(report("--events", events, "--json", *words))["access"])
    assert len(times) > 1
    for a, b in zip(times, times[1:]):
        assert read("--until", a) + read("--since", b) == FILE + 10007
    assert read("--since", "2100-01-01T00:00:00Z") == 0


def test_fail_on(leaked):
    events = leaked[0]
    report("--events", events, "--fail-on", "exfil.volume", status=1)
    report("--events", events, "--fail-on", "monitor.gap,exfil.volume", status=1)
    report("--events", events, "--fail-on", "any", status=1)
    report("--events", events, "--fail-on", "budget.exceeded")
    report("--events", events, "--fail-on", "any", "--dataset", "another")
    assert "exfil.volume" in report("--events", events, "--fail-on", "exfil.volum", status=2)


def assert_story(text, finding, s):
    lines = text.splitlines()
    hops = [line for line in lines if line.startswith("   ")]
    assert len(hops) == len(finding["chain"])
    for line, hop in zip(hops, finding["chain"]):
        assert hop["from"] in line and hop["to"] in line and f"({hop['via']})" in line, line
        assert hop["time"] in line, line
    assert " read 1.0 MiB of dataset set" in hops[0]
    assert " wrote 293 KiB into pipe:[" in hops[1]
    assert " read 293 KiB from pipe:[" in hops[2]
    assert f" sent 293 KiB to {s.ip}:{s.port} by TCP" in hops[3]
    assert f"at most {s.bytes()} bytes" in text
    assert "user 0" in text


def test_story(leaked):
    events, s, finding, _, _ = leaked
    assert [h["via"] for h in finding["chain"]] == ["read", "pipe_write", "pipe_read", "tcp"]
    assert_story(report("--events", events, "--finding", finding["id"]), finding, s)
    d = json.loads(report("--events", events, "--finding", finding["id"], "--json"))
    assert d["finding"]["id"] == finding["id"] and len(d["story"]) > 4
    assert "no finding" in report("--events", events, "--finding", "f-0", status=2)


def test_story_of_a_running_monitor(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor("pipe", "fork{", f"read:{dataset}/f", "write-pipe:300007", "}",
          "fork{", s.to, "read-pipe:300007", "send:300007", "}").truth()
    finding = m.wait_records("the leak is found", lambda r: [f for f in r.findings().values() if f["leak_bound"] == 300007])[0]
    assert s.bytes() == 300007
    assert_story(report("--socket", m.socket, "--finding", finding["id"]), finding, s)
    assert "no finding" in report("--socket", m.socket, "--finding", "f-0", status=2)
    m.stop()


def test_torn_and_broken_lines(leaked, tmp):
    events = leaked[0]
    with open(events, "rb") as f:
        whole = f.read()
    lines = whole.splitlines(keepends=True)
    path = os.path.join(tmp, "torn.jsonl")

    def written(data):
        with open(path, "wb") as f:
            f.write(data)
        return path
    last = next(i for i in reversed(range(len(lines))) if b'"finding"' in lines[i])
    d = json.loads(report("--events", written(b"".join(lines[:last]) + lines[last][:40]), "--json"))
    assert d["records"]["torn"] is True and d["records"]["read"] == last
    assert "torn" in report("--events", path)
    d = json.loads(report("--events", written(whole[:-1]), "--json"))
    assert d["records"]["torn"] is False and d["records"]["read"] == len(lines)
    for bad in (b"{\n", b"[]\n", b"{}\n", b'{"v":2}\n', b"\xff\n", b'{"v":1,"v":1}\n', b"\n",
                lines[0].replace(b'"time"', b'"tim"'), lines[last].replace(b'"chain"', b'"chian"')):
        assert f"{path}:3:" in report("--events", written(lines[0] + lines[1] + bad + lines[2]), status=2), bad
    d = json.loads(report("--events", written(b"".join(lines[:2] + lines[5:])), "--json"))
    assert d["records"]["missing"] == 3
    with open(events, "rb") as f:
        assert json.loads(report("--events", "-", "--json", stdin=f))["records"]["read"] == len(lines)


def test_usage(root):
    assert "--events" in report(status=2)
    assert "--events" in report("--dataset", "x", status=2)
    report("--events", "/nonexistent/x", status=2)
