# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The other rules: who may read, how much may leave, who may talk, and what was not watched."""
import json
import re
import signal
import time

import pytest

import work
from work import FILE

pytestmark = pytest.mark.one_set


def with_dataset(config, **more):
    return {**config, "datasets": [{**config["datasets"][0], **more}]}


def with_network(config, **more):
    return {**config, "network": {**config["network"], **more}}


# --- access.unauthorized ---------------------------------------------------------------------

def test_reader_by_user(sluice, config, dataset, actor):
    m = sluice(with_dataset(config, readers={"users": ["root"]}))
    actor(f"read:{dataset}/f").truth()
    stranger = actor("comm:stranger", "uid:65534", f"read:{dataset}/f:10007")
    stranger.truth()
    f = m.stop().finding("access.unauthorized")
    assert f["process"]["pid"] == stranger.pid
    assert f["process"]["uid"] == 65534
    assert f["dataset"] == "set"
    assert f["remote"] is None


def test_reader_by_job(sluice, config, dataset, actor, job):
    m = sluice(with_dataset(config, readers={"jobs": ["slurm:*"]}))
    actor(f"read:{dataset}/f", cgroup=job).truth()
    stranger = actor(f"read:{dataset}/f:10007")
    stranger.truth()
    assert m.stop().finding("access.unauthorized")["process"]["pid"] == stranger.pid


def test_reader_by_program(sluice, config, dataset, tmp, actor):
    m = sluice(with_dataset(config, readers={"exe": [work.program("reader")]}))
    work.reader(tmp, dataset)
    stranger = actor(f"read:{dataset}/f:10007")
    stranger.truth()
    assert m.stop().finding("access.unauthorized")["process"]["pid"] == stranger.pid


def test_nobody_is_refused_without_readers(sluice, config, dataset, actor):
    m = sluice(config)
    actor("uid:65534", f"read:{dataset}/f").truth()
    assert m.stop().findings() == {}


def test_a_million_reads_by_a_stranger_are_one_finding(sluice, config, dataset, actor):
    m = sluice(with_dataset(config, readers={"users": ["root"]}))
    p = actor("uid:65534", "chunk:97", *[f"read:{dataset}/f", "say:again", "sleep:300"] * 4)
    p.truth()
    r = m.stop()
    assert r.read() == 4 * FILE
    assert r.finding("access.unauthorized")["process"]["pid"] == p.pid


# --- allow, budget -----------------------------------------------------------------------------

def test_allowed_by_address(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(with_network(config, allow=[{"cidr": f"{s.ip}/32"}]))
    actor(f"read:{dataset}/f", s.to, "send:500009").truth()
    r = m.stop()
    assert r.to(s) == s.bytes() == 500009
    assert r.findings() == {}


def test_allowed_at_another_port_is_not_allowed(sluice, config, dataset, lab, sink, actor):
    s, t = sink(lab.internet), sink(lab.internet)
    m = sluice(with_network(config, allow=[{"cidr": f"{s.ip}/32", "port": s.port}]))
    actor(f"read:{dataset}/f", s.to, "send:500009", t.to, "send:10007").truth()
    r = m.stop()
    assert r.finding("exfil.volume")["remote"]["port"] == t.port
    assert r.finding("exfil.volume")["leak_bound"] == t.bytes() == 10007


def test_budget(sluice, config, dataset, lab, sink, actor):
    """Allowed destinations count; inside the budget nothing is said."""
    s = sink(lab.internet)
    m = sluice(with_network(with_dataset(config, budget={"outside_vpc": "100KiB", "per": "24h"}),
                            allow=[{"cidr": f"{s.ip}/32"}]))
    p = actor(f"read:{dataset}/f", s.to, "send:90001", "say:half", "wait-line", "send:90001")
    p.wait_said("half")
    m.wait_records("the first half", lambda r: r.to(s) == 90001)
    assert m.findings() == []
    p.go()
    p.truth()
    r = m.stop()
    assert s.bytes() == 180002
    assert set(f["rule"] for f in r.findings().values()) == {"budget.exceeded"}
    f = r.finding("budget.exceeded")
    assert f["dataset"] == "set"
    assert f["leak_bound"] == 180002


def test_budget_is_not_touched_inside_the_vpc(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.vpc)
    m = sluice(with_dataset(config, budget={"outside_vpc": "1KiB", "per": "24h"}))
    actor(f"read:{dataset}/f", s.to, "send:500009").truth()
    r = m.stop()
    assert s.bytes() == 500009
    assert r.findings() == {}


# --- egress.unexpected ---------------------------------------------------------------------------

def unexpected(r):
    return [f for f in r.findings().values() if f["rule"] == "egress.unexpected"]


def test_ml_job_talks_outside(sluice, config, lab, sink, actor, job):
    s, v = sink(lab.internet), sink(lab.vpc)
    m = sluice({**config, "jobs": [job.name]})
    p = actor(v.to, "send:10007", s.to, "send:10007", cgroup=job)
    p.truth()
    actor(s.to, "send:10007").truth()
    r = m.stop()
    found = unexpected(r)
    assert len(found) == 1, json.dumps(found, indent=1)
    f = found[0]
    assert f["leak_bound"] is None
    assert f["job"] == job.name
    assert (f["remote"]["addr"], f["remote"]["port"]) == (s.ip, s.port)
    assert f["process"]["pid"] == p.pid
    assert r.findings("exfil.volume") == {}


def test_ml_job_by_pattern(sluice, config, lab, sink, actor, job):
    s = sink(lab.internet)
    m = sluice({**config, "jobs": ["slurm:*"]})
    actor(s.to, "send:10007", cgroup=job).truth()
    assert len(unexpected(m.stop())) == 1


def test_ml_job_talks_to_whom_it_may(sluice, config, lab, sink, actor, job):
    s = sink(lab.internet)
    m = sluice(with_network({**config, "jobs": [job.name]}, allow=[{"cidr": f"{s.ip}/32"}]))
    actor(s.to, "send:10007", cgroup=job).truth()
    assert m.stop().findings() == {}


@pytest.mark.parametrize("expect, untainted, tainted", [("ml", 0, 0), ("tainted", 0, 1), ("all", 1, 1)])
def test_who_must_not_talk(sluice, config, dataset, lab, sink, actor, expect, untainted, tainted):
    """Without any ML job."""
    s, t = sink(lab.internet), sink(lab.internet)
    m = sluice(with_network(config, expect=expect))
    actor(s.to, "send:10007").truth()
    actor(f"read:{dataset}/f", t.to, "send:10007").truth()
    r = m.stop()
    assert len(r.findings("egress.unexpected", s)) == untainted
    assert len(r.findings("egress.unexpected", t)) == tainted
    assert len(r.findings("exfil.volume")) == 1


# --- monitor.gap -----------------------------------------------------------------------------------

def gap(r):
    """The gaps that come from not having run at all."""
    return [f for f in r.findings("monitor.gap").values() if "before this start" in f["title"]]


def test_killed_and_started_again(sluice, config, dataset, tmp):
    m = sluice(config)
    work.reader(tmp, dataset)
    m.wait_records("the file", lambda r: r.read() == FILE)
    m.signal(signal.SIGKILL)
    m.process.wait()
    # The length of the gap is what is looked for, so here time itself is the subject.
    time.sleep(2)
    m.start()
    work.reader(tmp, dataset, name="again")
    m.wait_records("the finding", gap)
    r = m.stop()
    assert len(gap(r)) == 1
    f = gap(r)[0]
    assert f["leak_bound"] is None
    # Two seconds at least, and it says so.
    assert 2 <= float(re.search(r"for ([0-9.]+) s", f["title"])[1]) <= 60
    # Nothing the first one wrote is torn, nothing counted twice.
    assert r.read() == 2 * FILE


def test_stopped_and_started_again(sluice, config, dataset, tmp):
    """An orderly stop is no gap."""
    m = sluice(config)
    m.stop()
    m.start()
    work.reader(tmp, dataset)
    m.signal(signal.SIGTERM)
    assert m.process.wait() == 0
    r = m.so_far()
    assert gap(r) == []
    assert r.read() == FILE
