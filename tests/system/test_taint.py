# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""From hand to hand: fork, exec, pipes, FIFOs, inherited descriptors; and the chain that tells of it."""
import os

import pytest

import work
from work import FILE


PIPE = ("pipe_write", "pipe_read")


def assert_chain(finding, *ways):
    """Each hop from the dataset to the destination, one's end the next one's beginning; the narrowest is the bound."""
    chain = finding["chain"]
    assert [h["via"] for h in chain] == list(ways), chain
    assert all(a["to"] == b["from"] for a, b in zip(chain, chain[1:])), chain
    assert min(h["bytes"] for h in chain if h["bytes"] is not None) == finding["leak_bound"], chain
    for h in chain:
        assert (h["bytes"] is None) is (h["via"] in ("fork", "exec")), chain


def test_direct(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor(f"read:{dataset}/f", s.to, "send:10007").truth()
    assert_chain(m.stop().exfil(s), "read", "tcp")


def test_fork(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor(f"read:{dataset}/f:70001", "fork{", "fork{", s.to, "send:500009", "}", "}").truth()
    f = m.stop().exfil(s)
    assert s.bytes() == 500009
    assert f["leak_bound"] == 70001
    assert_chain(f, "read", "fork", "fork", "tcp")


def test_exec(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    p = actor(f"read:{dataset}/f:70001", "exec", s.to, "send:500009")
    p.truth()
    f = m.stop().exfil(s)
    assert s.bytes() == 500009
    assert f["leak_bound"] == 70001
    assert f["process"]["pid"] == p.pid
    assert_chain(f, "read", "exec", "tcp")


def test_socket_kept_over_exec(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor(s.to, "send:50021", f"read:{dataset}/f:70001", "exec", "send:500009").truth()
    r = m.stop()
    assert s.bytes() == 550030
    assert r.to(s) == 500009
    assert r.exfil(s)["leak_bound"] == 70001


def test_fork_and_exec(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor(f"read:{dataset}/f:70001", "spawn{", s.to, "send:10007", "}").truth()
    f = m.stop().exfil(s)
    assert f["leak_bound"] == s.bytes() == 10007
    # Between its birth and the exec the child did nothing: that is one hop.
    assert_chain(f, "read", "fork", "tcp")


def test_fork_before_the_read(sluice, config, dataset, lab, sink, actor):
    """A child born before its parent read holds nothing."""
    s = sink(lab.internet)
    m = sluice(config)
    p = actor("fork{", "wait-line", s.to, "send:500009", "}", f"read:{dataset}/f", "say:read")
    p.wait_said("read")
    p.go()
    p.truth()
    r = m.stop()
    assert s.bytes() == 500009
    assert r.to(s) == 0
    assert r.findings() == {}


def test_pipe(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor("pipe", "fork{", f"read:{dataset}/f", "write-pipe:70001", "}",
          "fork{", "read-pipe:70001", s.to, "send:500009", "}").truth()
    f = m.stop().exfil(s)
    # 1,048,583 read, 70,001 handed over, 500,009 sent: the pipe was the narrow place.
    assert f["leak_bound"] == 70001
    assert f["exposed"] == FILE
    assert_chain(f, "read", *PIPE, "tcp")


def test_fork_then_pipe(sluice, config, dataset, lab, sink, actor):
    """The loader's ordinary shape: a worker of the reader hands over to a sender that was there before."""
    s = sink(lab.internet)
    m = sluice(config)
    actor("pipe", "fork{", "read-pipe:70001", s.to, "send:70001", "}",
          f"read:{dataset}/f", "fork{", "write-pipe:70001", "}").truth()
    f = m.stop().exfil(s)
    assert f["leak_bound"] == s.bytes() == 70001
    assert_chain(f, "read", "fork", *PIPE, "tcp")


def test_two_pipes_in_a_row(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet, udp=True)
    m = sluice(config)
    actor("pipe@a", "pipe@b", "fork{", f"read:{dataset}/f", "write-pipe@a:90001", "}",
          "fork{", "read-pipe@a:90001", "write-pipe@b:9001", "}",
          "fork{", "read-pipe@b:9001", s.to, "rate:2M", "send:50021", "}").truth()
    f = m.stop().exfil(s)
    assert s.bytes() == 50021
    assert f["leak_bound"] == 9001
    assert_chain(f, "read", *PIPE, *PIPE, "udp")


def test_workers_into_one_sender(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor("pipe", "fork:8{", f"read:{dataset}/f:20011", "write-pipe:20011", "}",
          "fork{", f"read-pipe:{8 * 20011}", s.to, f"send:{8 * 20011}", "}").truth()
    f = m.stop().exfil(s)
    # All eight may have read different parts for all the monitor knows.
    assert f["leak_bound"] == s.bytes() == 8 * 20011


def test_pipe_written_before_the_read(sluice, config, dataset, lab, sink, actor):
    """What its writer put in before it read anything taints nobody."""
    s = sink(lab.internet)
    m = sluice(config)
    actor("pipe", "pipe@done", "fork{", "read-pipe:50021", "write-pipe@done:1", s.to, "send:500009", "}",
          "write-pipe:50021", "read-pipe@done:1", f"read:{dataset}/f").truth()
    r = m.stop()
    assert s.bytes() == 500009
    assert r.findings() == {}
    assert r.to(s) == 0


def test_same_pipe_before_and_after_the_read(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor("pipe", "pipe@done",
          "fork{", "read-pipe:50021", "write-pipe@done:1", "read-pipe:10007", s.to, "send:500009", "}",
          "write-pipe:50021", "read-pipe@done:1", f"read:{dataset}/f", "write-pipe:10007").truth()
    f = m.stop().exfil(s)
    assert s.bytes() == 500009
    assert f["leak_bound"] == 10007


def test_pipe_that_existed_before_the_monitor(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    p = actor("pipe", "pipe@go", "fork{", "read-pipe@go:1", "read-pipe:70001", s.to, "send:70001", "}",
              "say:ready", "wait-line", f"read:{dataset}/f", "write-pipe@go:1", "write-pipe:70001")
    p.wait_said("ready")
    m = sluice(config)
    p.go()
    p.truth()
    f = m.stop().exfil(s)
    assert 70001 <= f["leak_bound"] <= 70002
    assert s.bytes() == 70001


def test_fifo_between_strangers(sluice, config, dataset, data, lab, sink, actor):
    os.mkfifo(f"{data}/fifo")
    s = sink(lab.internet)
    m = sluice(config)
    a = actor(f"open-fifo:{data}/fifo:w", f"read:{dataset}/f", "write-fifo:70001")
    b = actor(f"open-fifo:{data}/fifo:r", "read-fifo", s.to, "send:500009")
    a.truth()
    b.truth()
    f = m.stop().exfil(s)
    assert s.bytes() == 500009
    assert f["leak_bound"] == 70001
    assert f["process"]["pid"] == b.pid
    assert_chain(f, "read", *PIPE, "tcp")


def test_fifo_used_again_by_others(sluice, config, dataset, data, lab, sink, actor):
    """Emptied and closed by all, a FIFO holds nothing: its next users are clean."""
    os.mkfifo(f"{data}/fifo")
    s = sink(lab.internet)
    m = sluice(config)
    for first in (f"read:{dataset}/f", "sleep:1"):
        a = actor(f"open-fifo:{data}/fifo:w", first, "write-fifo:70001")
        b = actor(f"open-fifo:{data}/fifo:r", "read-fifo")
        a.truth()
        b.truth()
    c = actor(f"open-fifo:{data}/fifo:w", "write-fifo:10007")
    d = actor(f"open-fifo:{data}/fifo:r", "read-fifo", s.to, "send:500009")
    c.truth()
    d.truth()
    r = m.stop()
    # An upper bound may keep the suspicion for as long as the FIFO exists, but no more than went through it.
    for f in r.findings().values():
        assert f["leak_bound"] <= 10007


def test_descriptor_passed_by_fork(sluice, config, dataset, lab, sink, actor):
    """The parent opens, the child reads: the bytes are the child's."""
    s = sink(lab.internet)
    m = sluice(config)
    p = actor(f"open:{dataset}/f", "fork{", "read-fd:70001", s.to, "send:10007", "}")
    truth = p.truth()
    child = next(t for t in truth if t["sent"])
    r = m.stop()
    assert r.read(process__pid=child["pid"]) == r.read() == 70001
    assert r.exfil(s)["process"]["pid"] == child["pid"]


def test_socket_passed_by_fork(sluice, config, dataset, lab, sink, actor):
    """Connected by the parent, sent on by a tainted child, closed by nobody in between."""
    s = sink(lab.internet)
    m = sluice(config)
    actor(s.to, "send:50021", "fork{", f"read:{dataset}/f", "send:10007", "}", "wait", "send:3001").truth()
    r = m.stop()
    assert s.bytes() == 63029
    # The child's 10,007 for certain; what its parent sends later on the same socket at most besides.
    assert 10007 <= r.exfil(s)["leak_bound"] <= 13008
    assert 10007 <= r.to(s) <= 13008


def test_mapped_data_counts(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    actor(f"mmap:{dataset}/f", s.to, "send:500009").truth()
    assert m.stop().exfil(s)["leak_bound"] == s.bytes() == 500009


def test_mapping_inherited(sluice, config, dataset, lab, sink, actor):
    """Mapped by the parent and touched by nobody else, sent by the child."""
    s = sink(lab.internet)
    m = sluice(config)
    actor(f"mmap:{dataset}/f", "fork{", s.to, "send:500009", "}").truth()
    assert m.stop().exfil(s)["leak_bound"] == s.bytes() == 500009


def test_two_datasets(sluice, data, lab, sink, actor):
    """Each has its own finding and its own bound."""
    for name, size in (("a", 70001), ("b", 30011)):
        work.make_file(f"{data}/{name}/f", size)
    s = sink(lab.internet)
    m = sluice({"datasets": [{"id": n, "path": f"{data}/{n}"} for n in "ab"], "network": lab.network})
    actor(s.to, f"read:{data}/a", "send:50021", f"read:{data}/b", "send:20011").truth()
    r = m.stop()
    assert s.bytes() == 70032
    assert r.to(s) == 70032
    assert r.finding("exfil.volume", s, dataset="a")["leak_bound"] == 70001
    assert r.finding("exfil.volume", s, dataset="b")["leak_bound"] == 20011


@pytest.mark.parametrize("depth", [40])
def test_long_line_of_forks(sluice, config, dataset, lab, sink, actor, depth):
    s = sink(lab.internet)
    m = sluice(config)
    actor(f"read:{dataset}/f", *["fork{"] * depth, s.to, "send:10007", *["}"] * depth).truth()
    assert m.stop().exfil(s)["leak_bound"] == s.bytes() == 10007
