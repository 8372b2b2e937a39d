# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Floods: very many of one thing at once. Bytes stay exact, lost detail is counted, and who sends tagged bytes
meanwhile is found."""
import json
import os
import shutil
import subprocess

import pytest

import work
from monitor import tagged, wait_for
from where import SCALE, program

SENT = 500009
SOON = 30 if SCALE == 1 else 60
MEMORY = 256 << 20
FLOODED = "127.77.0."  # where `flood` connects and sends to; nothing else does

# What may be lost in each: detail only. Everything else must be whole.
DETAIL = {
    "connects": {"ring_full", "flow_full", "flow_taint_full", "object_full"},
    "datagrams": {"flow_folded", "flow_taint_full"},
    "sockets": {"flow_full", "flow_folded", "flow_taint_full", "ring_full"},
    "pipes": {"object_full", "edge_full"},
    "files": {"object_full", "edge_full", "ring_full"},
}
ELSEWHERE = {"no_file", "walk_deep", "fds_deep"}

STORMS = {
    "opens": (1000000, ["--procs", "4", "TAGGED", "OTHER"]),
    "reads": (4000037, ["--procs", "8", "TAGGED"]),
    "forks": (300007, ["--procs", "4", "--taint", "SMALL"]),
    "connects": (100003, ["--procs", "2"]),
    "connects-tainted": (30011, ["--procs", "2", "--taint", "SMALL"]),
    "datagrams": (100003, ["--hold", "3"]),
    "datagrams-tainted": (20011, ["--hold", "3", "--taint", "SMALL"]),
    "sockets": (100003, ["--procs", "2"]),
    "pipes": (100003, ["--procs", "2", "--taint", "SMALL"]),
    "renames": (300007, ["--procs", "2", "--uid", "65534", "ELSEWHERE"]),
    "files": (30011, ["--procs", "8", "--taint", "SMALL", "ELSEWHERE"]),
}


class Place:
    """A dataset with a large file, some small ones, and a directory beside it where anybody may write."""

    def __init__(self, data, dataset):
        self.dataset, self.elsewhere = dataset, os.path.join(data, "elsewhere")
        os.mkdir(self.elsewhere)
        os.chmod(self.elsewhere, 0o777)
        # A bound is never above the dataset's size: there must be room for all of it.
        for name, size in (("f", work.FILE), ("small", 101), ("large", 1 << 30)):
            work.make_file(f"{dataset}/{name}", size)
        for i in range(64):
            work.make_file(f"{dataset}/t/{i}", 997)
            work.make_file(f"{data}/other/{i}", 997)
        self.words = {"TAGGED": [f"{dataset}/t/{i}" for i in range(64)],
                      "OTHER": [f"{data}/other/{i}" for i in range(64)],
                      "SMALL": [f"{dataset}/small"], "ELSEWHERE": [self.elsewhere]}

    def argv(self, storm, scale=1):
        count, words = STORMS[storm]
        argv = [program("flood"), "-o", "REPORT", "--wait-stdin", "--count", str(max(1, count // SCALE // scale)),
                "--limit", str(120 if SCALE == 1 else 400), storm.partition("-")[0]]
        for word in words:
            argv += self.words.get(word, [word])
        return argv


@pytest.fixture
def place(data, dataset):
    return Place(data, dataset)


def found(m, sink):
    """Has the finding been written? Not by parsing it all: a flood writes hundreds of thousands of records."""
    with open(m.events, encoding="utf-8") as f:
        return any('"exfil.volume"' in line and f'"port":{sink.port}' in line.replace(" ", "") for line in f)


def exfiltrate(m, actor, place, sink, via_pipe=False):
    """One process reads all and sends some; or hands it to another that sends. Says how much was read."""
    steps = ["pipe", "fork{", f"read:{place.dataset}/f", f"write-pipe:{SENT}", "}", "close-write", "fork{", sink.to,
             f"read-pipe:{SENT}", f"send:{SENT}", "}"] if via_pipe else \
        [f"read:{place.dataset}/f", sink.to, f"send:{SENT}"]
    truth = actor(*steps).truth()
    wait_for("exfil.volume among the noise", lambda: found(m, sink), SOON)
    return truth.total("read")


def check_exfiltration(r, sink):
    assert sink.bytes() == SENT
    assert r.to(sink, "bytes_out") == r.to(sink) == SENT
    assert [f["leak_bound"] for f in r.findings("exfil.volume", sink).values()] == [SENT]


def check_flooded(r, storm, truth):
    """Every byte sent is in a flow, or in the account of those for which there was no room."""
    if not storm.startswith(("connects", "datagrams", "sockets")):
        return
    spilled = sum(f["bytes_out"] for f in r.of("flow") if f.get("overflow"))
    sent = sum(f["bytes_out"] or 0 for f in r.of("flow") if f["remote"] and (f["remote"]["addr"] or "").startswith(FLOODED))
    print(f"{storm}: {truth['out']} sent, {sent} by flow, {spilled} without an end of their own; {r.losses()}")
    if spilled:  # what else had no room meanwhile may be there too
        assert truth["out"] <= sent + spilled <= truth["out"] + 16 * SENT
        assert {"flow_full", "flow_folded"} & set(r.losses()) or r.of("health")[-1]["model"]["refused"]
    else:
        assert sent == truth["out"]
    if storm.startswith("datagrams"):  # whoever sent to very many ends is known to the byte all the same
        assert sum(f["bytes_out"] for f in r.of("flow") if f["process"] and f["process"]["comm"] == "flood") == truth["out"]


def check_health(r, allowed):
    lost = set(r.losses()) - ELSEWHERE
    assert lost <= allowed, f"lost what must not be: {r.losses()}"
    # A loss that can make a bound too low says so by a finding.
    if lost & {"object_full", "edge_full", "flow_full"}:
        assert r.findings("monitor.gap")
    assert max(h["memory"]["rss"] for h in r.of("health")) < MEMORY


def wait_calm(m):
    """What the flood left behind is taken out of the kernel's maps again."""
    def empty():
        fill = {f["name"]: f["entries"] for f in m.now("health")["health"]["maps"]}
        return fill["flows"] < 1000 and fill["tainted"] < 1000

    wait_for("the maps are nearly empty again", empty, 4 * SOON)


def start_storm(tmp, place, storm, scale=1):
    p = work.Process(tmp, f"flood-{storm}", place.argv(storm, scale))
    p.wait_said("ready")
    return p


@pytest.mark.parametrize("storm", STORMS)
def test_found_among(storm, sluice, place, lab, sink, actor, tmp):
    m = sluice(tagged(place.dataset, network=lab.network))
    first, second = sink(lab.internet), sink(lab.internet)
    p = start_storm(tmp, place, storm)
    try:
        p.go()
        read = exfiltrate(m, actor, place, first, via_pipe=storm == "pipes")
        assert p.wait() == 0, f"{p.said()} {p.reports()}"
        truth = p.reports()[-1]
    finally:
        p.kill()
    wait_calm(m)
    read += exfiltrate(m, actor, place, second)
    r = m.stop(losses=True)
    assert truth["done"] and r.read() == truth["read"] + truth["taint"] + read
    check_flooded(r, storm, truth)
    print(storm, r.losses(), r.of("health")[-1]["model"])
    check_health(r, DETAIL.get(storm.partition("-")[0], set()))
    check_exfiltration(r, first)
    check_exfiltration(r, second)


def test_found_among_all_at_once(sluice, place, lab, sink, actor, tmp):
    m = sluice(tagged(place.dataset, network=lab.network))
    s = sink(lab.internet)
    names = ("opens", "reads", "forks", "connects", "sockets", "renames", "files")
    crowd = [start_storm(tmp, place, name, scale=8) for name in names]
    try:
        for p in crowd:
            p.go()
        read = exfiltrate(m, actor, place, s)
        for p in crowd:
            assert p.wait() == 0, f"{p.said()} {p.reports()}"
        truth = [p.reports()[-1] for p in crowd]
    finally:
        for p in crowd:
            p.kill()
    r = m.stop(losses=True)
    assert r.read() == sum(t["read"] + t["taint"] for t in truth) + read
    check_health(r, set().union(*DETAIL.values()))
    check_exfiltration(r, s)


def test_found_among_stress_ng(sluice, place, lab, sink, actor, tmp):
    """The stock tool, not ours: files opened inside the dataset, processes, sockets, pipes, renames."""
    if not shutil.which("stress-ng"):
        pytest.skip("stress-ng is not installed")
    m = sluice(tagged(place.dataset, network=lab.network))
    s = sink(lab.internet)
    ops = {"open": 1000000, "fork": 20000, "vfork": 20000, "sock": 2000, "udp": 20000, "pipe": 100000,
           "rename": 100000, "dentry": 50000}
    words = [w for name, n in ops.items() for w in (f"--{name}", "1", f"--{name}-ops", str(n // SCALE))]
    p = subprocess.Popen(["stress-ng", *words, "--temp-path", place.elsewhere, "--timeout", "20", "--quiet"],
                         cwd=place.elsewhere, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        read = exfiltrate(m, actor, place, s)
        assert p.wait(12 * SOON) == 0
    finally:
        p.kill()
        p.wait()
    r = m.stop(losses=True)
    assert r.read() == read
    check_exfiltration(r, s)


def test_a_rename_storm_hides_no_read(sluice, place, tmp):
    """Each rename makes what was decided of untagged files stale; none may make a tagged read go missing or an
    untagged one count."""
    m = sluice(tagged(place.dataset))
    storm = start_storm(tmp, place, "renames", scale=4)
    inside = work.Process(tmp, "inside", [program("flood"), "-o", "REPORT", "--wait-stdin", "--count",
                                          str(30011 // SCALE), "renames", place.dataset])
    tagged_reads, other_reads = (work.Process(tmp, f"reads{i}", [
        program("flood"), "-o", "REPORT", "--wait-stdin", "--count", str(500009 // SCALE), "--procs", "2", "reads",
        *place.words[where]]) for i, where in enumerate(("TAGGED", "OTHER")))
    crowd = (storm, inside, tagged_reads, other_reads)
    try:
        for p in crowd[1:]:  # start_storm() waits for its own
            p.wait_said("ready")
        for p in crowd:
            p.go()
        for p in crowd:
            assert p.wait() == 0, f"{p.said()} {p.reports()}"
        truth = tagged_reads.reports()[-1]
    finally:
        for p in crowd:
            p.kill()
    r = m.stop()
    assert truth["read"] and r.read() == truth["read"]


class Crowd:
    """Flows that carry nothing tagged take all the room that they may have, until it is left."""

    def __init__(self, m, tmp):
        # One socket alone is not given so much.
        self.process = work.Process(tmp, "hold", [program("flood"), "-o", "REPORT", "--count", "16001", "--procs", "16",
                                                  "--hold", str(12 * SOON), "datagrams"])
        self.monitor = m

    def __enter__(self):
        wait_for("the room is gone", lambda: self.monitor.now("health")["health"]["losses"]["flow_folded"] > 15000, 4 * SOON)

    def __exit__(self, *why):
        self.process.kill()


def test_no_room_is_left_for_none(sluice, place, lab, sink, actor, tmp, monkeypatch):
    """A flood of flows that carry nothing tagged must not take the room from one that does."""
    monkeypatch.setenv("SLUICE_MAP_MAX", "256")
    m = sluice(tagged(place.dataset, network=lab.network))
    s = sink(lab.internet)
    with Crowd(m, tmp):
        exfiltrate(m, actor, place, s)
    check_exfiltration(m.stop(losses=True), s)


def test_a_connection_without_room_is_found_when_tainted(sluice, place, lab, sink, actor, tmp, monkeypatch):
    """It began among the flood and had no record; what it sends from its taint on is known to the byte, and so is what
    it sent before."""
    monkeypatch.setenv("SLUICE_MAP_MAX", "256")
    m = sluice(tagged(place.dataset, network=lab.network))
    s = sink(lab.internet)
    with Crowd(m, tmp):
        a = actor(s.to, "send:10007", f"read:{place.dataset}/f", f"send:{SENT}")
        a.truth()
        wait_for("exfil.volume among the noise", lambda: found(m, s), SOON)
    assert s.bytes() == SENT + 10007
    r = m.stop(losses=True)
    assert r.losses()["flow_full"]
    assert r.to(s, "bytes_out") == SENT + 10007 and r.to(s) == SENT
    assert [f["leak_bound"] for f in r.findings("exfil.volume", s).values()] == [SENT]


def loopback():
    """Bytes that anyone on this machine has sent there."""
    with open("/sys/class/net/lo/statistics/tx_bytes", encoding="ascii") as f:
        return int(f.read())


def test_connections_without_room_are_counted(sluice, place, lab, sink, actor, tmp, monkeypatch):
    """They begin and end among the flood: nobody knows whose they were, but not a byte is missing, SYN and FIN are none."""
    monkeypatch.setenv("SLUICE_MAP_MAX", "256")
    m = sluice(tagged(place.dataset, network=lab.network))
    s = sink(lab.internet)
    with Crowd(m, tmp):
        others = loopback()
        actor("fork:67{", s.to, "send:10007", "}").truth()
        assert s.bytes() == 67 * 10007
    r = m.stop(losses=True)
    others = loopback() - others
    spilled = [f for f in r.of("flow") if f.get("overflow") and not f["process"]]
    assert all(f["remote"] is None and f["job"] is None and f["tainted_out"] == 0 for f in spilled)
    known = r.to(s, "bytes_out")  # one that is another's ends, and leaves room for one of them
    print(known, sum(f["bytes_out"] for f in spilled), others, r.losses())
    assert known < 67 * 10007
    # what else runs on this machine has no room either
    assert 67 * 10007 <= known + sum(f["bytes_out"] for f in spilled) < 67 * 10007 + 2 * SENT + others
    assert r.findings("monitor.gap")
