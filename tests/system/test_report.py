# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`sluice report`: records summed up again, and a finding told hop by hop, held against what the work says of itself."""
import collections
import json
import os
import pwd
import time

import pytest

import findings
from monitor import run_sluice, wait_for
from where import SCALE
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


# --- the journal -----------------------------------------------------------------------------------

@pytest.fixture
def written(sluice, config, dataset, lab, sink, actor, job, tmp):
    """As `leaked`, into a journal too. -> (monitor, its journal, sink, finding)"""
    s = sink(lab.internet)
    m = sluice({**config, "journal": {"dir": f"{tmp}/journal"}})
    actor("comm:loader", f"read:{dataset}/f", s.to, "send:300007", cgroup=job).truth()
    m.wait_records("the leak is found", lambda r: [f for f in r.findings().values() if f["leak_bound"] == 300007])
    return m, f"{tmp}/journal", s


def without_time(text):
    d = json.loads(text)
    assert d.pop("time")
    return d


def test_journal_says_what_the_events_say(written, job):
    m, journal, s = written
    wait_for("the journal has it, while it is written",
             lambda: json.loads(report("--journal", journal, "--json"))["left"] == {"set": s.bytes()})
    found = m.stop().exfil(s)
    by_journal = without_time(report("--journal", journal, "--json"))
    by_events = without_time(report("--events", m.events, "--json"))
    assert by_journal["records"]["missing"] == by_journal["records"]["damaged"] == by_journal["records"]["unknown"] == 0
    for part in ("access", "destinations", "transfers", "findings", "left", "coverage"):
        assert by_journal[part] == by_events[part], part
    assert found in by_journal["findings"]
    assert by_journal == without_time(report("-c", m.file, "--json")), "the configured one, and the same again"
    assert by_journal["access"][0]["user"] == "root" and by_journal["access"][0]["job"] == job.name
    os.rename(f"{os.path.dirname(journal)}/journal", f"{os.path.dirname(journal)}/moved")
    assert "no such journal" in report("-c", m.file, status=2)
    text = report("--journal", f"{os.path.dirname(journal)}/moved", "--fail-on", "exfil.volume", status=1)
    assert "who read" in text and f"at most {s.bytes()} bytes" in text and " by TCP (tcp)" in text, "with the story of the finding"


def test_story_after_the_monitor(written):
    """A finding's story without the monitor that found it: from the journal, and from nowhere else."""
    m, journal, s = written
    found = m.stop().exfil(s)
    assert f"at most {s.bytes()} bytes" in report("--journal", journal, "--finding", found["id"])
    assert "no finding" in report("--journal", journal, "--finding", "f-0", status=2)
    report("--socket", m.socket, "--finding", found["id"], status=2)


def test_ocsf(written):
    m, journal, s = written
    found = m.stop().exfil(s)
    events = [json.loads(line) for line in report("--journal", journal, "--ocsf").splitlines()]
    e = next(e for e in events if e["finding_info"]["uid"].endswith(found["id"]))
    assert (e["class_uid"], e["category_uid"], e["metadata"]["version"]) == (2006, 2, "1.6.0")
    assert e["type_uid"] == e["class_uid"] * 100 + e["activity_id"]
    assert e["severity_id"] == 1 + ["info", "low", "medium", "high", "critical"].index(found["severity"])
    assert e["unmapped"]["leak_bound"] == s.bytes() and e["unmapped"]["chain"] == found["chain"]
    assert (e["dst_endpoint"]["ip"], e["dst_endpoint"]["port"]) == (s.ip, s.port)
    assert e["actor"]["process"]["pid"] == found["process"]["pid"]
    one = report("--journal", journal, "--ocsf", "--finding", found["id"]).splitlines()
    assert [json.loads(line) for line in one] == [e]
    assert "leave --json out" in report("--journal", journal, "--ocsf", "--json", status=2)


def test_damaged_journal(root, tmp):
    """What is missing or damaged is said at the end, and changes no status."""
    journal = findings.Journal(f"{tmp}/journal", per_segment=100)
    for n in range(1, 301):
        journal.add("access", job="j", process={"pid": 1, "start": None, "exe": "/bin/a", "comm": "a", "uid": 0, "parent": None},
                    dataset="patients", tags={}, bytes={"read": 1000 + n}, ops=1, files=1, exact=True)
    journal.close()
    whole = json.loads(report("--journal", journal.path, "--json"))
    assert whole["access"][0]["bytes_total"] == sum(range(1001, 1301)) and whole["records"]["read"] == 300
    path = f"{journal.path}/sluice-{101:020d}.jsonl"
    with open(path, "rb") as f:
        lines = f.readlines()
    with open(path, "wb") as f:
        f.writelines(lines[:10] + [b"x" + lines[10][1:]] + lines[11:50] + lines[53:])
    os.unlink(f"{journal.path}/sluice-{1:020d}.jsonl")
    d = json.loads(report("--journal", journal.path, "--json"))
    assert d["access"][0]["bytes_total"] == sum(range(1101, 1301)) - 1111 - 1151 - 1152 - 1153
    assert (d["records"]["removed"], d["records"]["damaged"]) == (100, 1)
    assert d["records"]["missing"] == 4, "the damaged one among them"
    since = json.loads(report("--journal", journal.path, "--json", "--since", "2020-01-01T00:00:00Z"))
    assert since["records"] == d["records"], "what is gone can have been of that time"
    text = report("--journal", journal.path)
    for words in ("4 records are missing", "1 records are damaged", "100 older records are no longer"):
        assert words in text


def test_month_of_a_busy_host(root, tmp):
    """A fifth of a million records; the whole million would take five times as long."""
    begin, n = 1795000000, 200000 // SCALE
    journal = findings.Journal(f"{tmp}/journal", per_segment=50000)
    sums = collections.Counter()
    for i in range(n):
        job, dataset = f"slurm:{i // 5000}", ("patients", "imagenet", "claims")[i % 3]
        process = {"pid": 1000 + i % 500, "start": "2026-11-18T00:00:00.000Z", "exe": "/usr/bin/python3", "comm": "worker",
                   "uid": 1000 + i % 2, "parent": None}
        when = begin + i * (30 * 86400 / n)
        if i % 2:
            journal.add("access", when, job=job, process=process, dataset=dataset, tags={"DataType": "PII"},
                        bytes={"read": i, "mmap": None}, ops=1, files=1, exact=True)
            sums[job, 1000 + i % 2, dataset] += i
        else:
            journal.add("flow", when, process=process, job=job, proto="tcp", local=None,
                        remote={"addr": "10.0.0.1", "port": 443, "class": "vpc", "name": None}, bytes_out=i, bytes_in=0,
                        tainted_out=0, datasets=[dataset] if i % 4 else [], encrypted=None)
    journal.close()
    t = time.monotonic()
    d = json.loads(report("--journal", journal.path, "--json", timeout=300))
    took = time.monotonic() - t
    assert {(a["job"], a["uid"], a["dataset"]): a["bytes_total"] for a in d["access"]} == sums
    assert d["records"]["read"] == n
    assert took < 20, f"{took} s for {n} records"
    mid = findings.rfc3339(begin + 15 * 86400)
    parts = [json.loads(report("--journal", journal.path, "--json", *words, timeout=300))["access"]
             for words in (("--until", mid), ("--since", mid))]
    total = sum(a["bytes_total"] for part in parts for a in part)
    at = [i for i in range(1, n, 2) if findings.rfc3339(begin + i * (30 * 86400 / n)) == mid]
    assert total == sum(sums.values()) + sum(at), "a record of that very moment is in both"


def test_usage(root, tmp):
    assert "--events" in report(status=2) and "--journal" in report(status=2)
    assert "--events" in report("--dataset", "x", status=2)
    report("--events", "/nonexistent/x", status=2)
    assert "no such journal" in report("--journal", "/nonexistent/x", status=2)
    assert "give one" in report("--journal", tmp, "--events", "x", status=2)
    with open(f"{tmp}/c.yaml", "w", encoding="utf-8") as f:
        f.write("datasets: [{ id: a, path: /nowhere/at/all }]\n")
    assert "no `journal`" in report("-c", f"{tmp}/c.yaml", status=2)
    assert "nobody read" in report("--journal", tmp)
