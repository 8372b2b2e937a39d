# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`derived:` what a declared job makes of a dataset holds no bytes of it any more; and what is no such derivation."""
import os
import signal

import pytest

import work
from monitor import wait_for
from test_async import health, need, run
from test_moves import MOVER, N, PYTHON, connect, done, mover, reflink_place  # noqa: F401  (mover: a fixture)
from test_shared import ended, sharer  # noqa: F401
from work import program

pytestmark = pytest.mark.one_set
SENT = 500009
EXE = os.path.realpath(PYTHON)


@pytest.fixture
def masked(data):
    path = os.path.join(data, "masked")
    os.mkdir(path)
    return path


@pytest.fixture
def other(data):
    """Another dataset, which nothing is made from."""
    work.make_file(f"{data}/other/f", 70001)
    return f"{data}/other"


def policy(config, path, writers=None, declared=True, first=False, more=()):
    derived = {"derived": {"from": ["set"], **({"writers": writers} if writers else {})}} if declared else {}
    entry = {"id": "masked", "path": path, "tags": {"DataType": "Masked"}, **derived}
    datasets = [entry, *config["datasets"]] if first else [*config["datasets"], entry]
    return {**config, "datasets": [*datasets, *({"id": i, "path": p} for i, p in more)]}


def upload(mover, path, s, *before):
    done(mover(connect(s), *before, f"read:{path}", f"send:net:{SENT}"))


def exfiltrated(r, s):
    """Dataset -> leak bound of the one finding about it."""
    found = [f for f in r.findings("exfil.volume", s).values()]
    assert len({f["dataset"] for f in found}) == len(found)
    return {f["dataset"]: f["leak_bound"] for f in found}


def assert_only_masked(r, s, bound=N):
    assert s.bytes() == SENT
    assert exfiltrated(r, s) == {"masked": bound}
    assert r.findings("staging.copy") == {}
    assert [f["datasets"] for f in r.of("flow") if f["remote"]["port"] == s.port and f["tainted_out"]] == [["masked"]]


def assert_passed(r, s, bound=N):
    assert s.bytes() == SENT
    assert exfiltrated(r, s)["set"] == bound
    assert r.finding("staging.copy", dataset="set")["leak_bound"] == bound


def transfers(r, path, via):
    return r.of("transfer", via=via, to__object__ino=os.stat(path).st_ino)


def item(m, name):
    return next(d for d in m.now("datasets")["items"] if d["id"] == name)


# --- every way of writing -----------------------------------------------------------------------

def mask(mover, verb, dataset, path):
    steps = [f"read:{dataset}/f", f"write:{path}:{N}"] if verb == "write" else [f"{verb}:{dataset}/f:{path}:{N}"]
    return done(mover(*steps))


@pytest.mark.parametrize("verb", ["write", "splice", "tee", "sendfile", "copy"])
def test_declared(sluice, config, dataset, masked, lab, sink, mover, verb):
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked))
    mask(mover, verb, dataset, out)
    assert os.stat(out).st_size == N
    upload(mover, out, s)
    told = item(m, "masked")
    r = m.stop()
    assert_only_masked(r, s)
    assert r.read(dataset="masked") == N
    ways = transfers(r, out, "file_write")
    assert sum(t["bytes"] for t in ways) == N
    assert {tuple(t["datasets"]) for t in ways} == {tuple(t["declared"]) for t in ways} == {("set",)}
    assert told["derived"]["from"] == ["set"] and told["derived"]["bytes"] == N and told["derived"]["mapped"] == 0
    assert [t for t in r.of("transfer", via="file_read") if "set" in t["datasets"]] == []


@pytest.mark.parametrize("engine", ["uring", "aio"])
def test_written_by_requests(sluice, config, dataset, masked, tmp, lab, sink, mover, engine):
    s, out = sink(lab.internet), f"{masked}/out"
    with open(f"{dataset}/g", "wb") as f:
        f.write(os.urandom(N))
    m = sluice(policy(config, masked))
    if engine == "aio" and health(m)["backend"] != "trampoline":
        pytest.skip("libaio without direct I/O is seen by trampolines only")
    need(m, "read.libaio" if engine == "aio" else "read.io_uring")
    run(tmp, "copy", "--engine", engine, "--size", "4099", f"{dataset}/g", out)
    size = os.stat(out).st_size
    assert size > 4099
    upload(mover, out, s)
    r = m.stop()
    assert_only_masked(r, s, size)
    assert sum(t["bytes"] for t in transfers(r, out, "file_write") if t["declared"] == ["set"]) == size


def test_reflink(sluice, config, tmp, lab, sink, mover):
    point = reflink_place(tmp)
    try:
        for name in ("set", "masked"):
            os.mkdir(f"{point}/{name}")
        with open(f"{point}/set/f", "wb") as f:
            f.write(os.urandom(N))
        work.must("sync", "-f", f"{point}/set/f")
        s, out = sink(lab.internet), f"{point}/masked/out"
        here = {**config, "datasets": [{**config["datasets"][0], "path": f"{point}/set"}]}
        m = sluice(policy(here, f"{point}/masked"))
        truth = done(mover(f"clone:{point}/set/f:{out}"))
        upload(mover, out, s)
        r = m.stop()
        assert r.read(dataset="set") == truth["moved"] == N
        assert_only_masked(r, s)
    finally:
        work.unmount_below(tmp)


@pytest.mark.parametrize("how", ["read", "mapped"])
def test_written_through_a_mapping(sluice, config, dataset, masked, lab, sink, sharer, how):
    """How many bytes that was nobody can tell, so the mapping is told of instead."""
    s, out = sink(lab.internet), work.make_file(f"{masked}/out", 1 << 20)
    m = sluice(policy(config, masked))
    writer = sharer(f"map:m:{out}", f"read:{dataset}/f:70001", "put:m:10007", "say:done", "go")
    writer.wait_said("done")
    get = f"read:{out}" if how == "read" else f"map:m:{out}:ro"
    reader = sharer(f"connect:net:{s.ip}:{s.port}", get, *(["wait:m:10007"] if how == "mapped" else []), f"send:net:{SENT}")
    ended(reader)
    told = item(m, "masked")
    writer.go()
    ended(writer)
    r = m.stop()
    assert s.bytes() == SENT
    assert list(exfiltrated(r, s)) == ["masked"]
    assert told["derived"]["mapped"] > 0
    ways = transfers(r, out, "shared_write")
    assert ways and {tuple(t["declared"]) for t in ways} == {("set",)}


# --- names ------------------------------------------------------------------------------------------

def test_put_in_place_by_a_rename(sluice, config, dataset, masked, lab, sink, mover):
    """As careful programs write: to a file beside it, which then takes its name."""
    s = sink(lab.internet)
    m = sluice(policy(config, masked))
    mask(mover, "write", dataset, f"{masked}/.out.tmp")
    os.rename(f"{masked}/.out.tmp", f"{masked}/out")
    upload(mover, f"{masked}/out", s)
    assert_only_masked(m.stop(), s)


def test_written_elsewhere_and_moved_in(sluice, config, dataset, masked, data, lab, sink, mover):
    s = sink(lab.internet)
    m = sluice(policy(config, masked))
    mask(mover, "write", dataset, f"{data}/out")
    os.rename(f"{data}/out", f"{masked}/out")
    upload(mover, f"{masked}/out", s)
    assert_passed(m.stop(), s)


@pytest.mark.parametrize("read", [True, False], ids=["read", "unread"])
def test_moved_in_from_the_source(sluice, config, dataset, masked, tmp, lab, sink, mover, read):
    """It is the same file still; met by a walk, it need not have been read."""
    s = sink(lab.internet)
    m = sluice(policy(config, masked))
    if read:
        work.reader(tmp, f"{dataset}/f")
    else:
        wait_for("the dataset was walked", lambda: item(m, "set")["used"]["files_total"] == 1)
    os.rename(f"{dataset}/f", f"{masked}/f")
    upload(mover, f"{masked}/f", s)
    r = m.stop()
    assert r.read(dataset="set") == (1 + read) * work.FILE and r.read(dataset="masked") == 0
    assert exfiltrated(r, s) == {"set": SENT}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("first", [False, True], ids=["", "listed-first"])
def test_linked_into_it(sluice, config, dataset, masked, lab, sink, mover, when, first):
    """Never read under its own name."""
    s = sink(lab.internet)
    if when == "before":
        os.link(f"{dataset}/f", f"{masked}/f")
    m = sluice(policy(config, masked, first=first))
    if when == "after":
        os.link(f"{dataset}/f", f"{masked}/f")
    upload(mover, f"{masked}/f", s)
    r = m.stop()
    assert r.read(dataset="set") == work.FILE and r.read(dataset="masked") == 0
    assert exfiltrated(r, s) == {"set": SENT}


# --- who writes ----------------------------------------------------------------------------------------

def test_declared_writers(sluice, config, dataset, masked, lab, sink, mover, job):
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked, {"exe": [EXE], "users": ["root"], "jobs": [job.name]}))
    done(mover(f"read:{dataset}/f", f"write:{out}:{N}", cgroup=job))
    upload(mover, out, s)
    assert_only_masked(m.stop(), s)


@pytest.mark.parametrize("writers", [{"exe": ["/usr/bin/perl"]}, {"users": ["nobody"]}, {"jobs": ["slurm:*"]}],
                         ids=lambda w: next(iter(w)))
def test_anyone_else(sluice, config, dataset, masked, lab, sink, mover, writers):
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked, writers))
    mask(mover, "write", dataset, out)
    upload(mover, out, s)
    told = item(m, "masked")
    r = m.stop()
    assert_passed(r, s)
    assert exfiltrated(r, s)["masked"] == N
    assert told["derived"]["bytes"] == 0
    assert {tuple(t["declared"]) for t in transfers(r, out, "file_write")} == {()}
    f = r.finding("exfil.volume", s, dataset="set")
    assert [hop["via"] for hop in f["chain"]] == ["read", "file_write", "file_read", "tcp"]


def test_among_declared_writers_another(sluice, config, dataset, masked, tmp, lab, sink, mover):
    """Only what the other one wrote can have passed."""
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked, {"exe": [EXE]}))
    mask(mover, "write", dataset, out)
    work.must(program("actor"), "-o", f"{tmp}/actor.json", f"read:{dataset}/f:10007", f"write:{out}:4099")
    upload(mover, out, s)
    r = m.stop()
    assert_passed(r, s, 4099)
    chain = r.finding("exfil.volume", s, dataset="set")["chain"]
    assert "actor" in chain[1]["from"] and chain[1]["bytes"] == 4099


# --- what else one holds -----------------------------------------------------------------------------------

def test_other_datasets_pass(sluice, config, dataset, masked, other, lab, sink, mover):
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked, more=[("other", other)]))
    done(mover(f"read:{other}/f", f"read:{dataset}/f", f"write:{out}:{N}"))
    upload(mover, out, s)
    r = m.stop()
    assert exfiltrated(r, s) == {"masked": N, "other": 70001}
    assert r.finding("staging.copy")["dataset"] == "other"
    assert {(tuple(t["datasets"]), tuple(t["declared"])) for t in transfers(r, out, "file_write")} == {(("set", "other"), ("set",))}


def test_who_read_both(sluice, config, dataset, masked, lab, sink, mover):
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked))
    mask(mover, "write", dataset, out)
    upload(mover, out, s, f"read:{dataset}/f:10007")
    assert exfiltrated(m.stop(), s) == {"masked": N, "set": 10007}


def test_handed_on(sluice, config, dataset, masked, tmp, lab, sink, mover):
    """Through a pipe: the kernel half has marked it all the same, and nothing comes of that."""
    s, out = sink(lab.internet), f"{masked}/out"
    os.mkfifo(f"{tmp}/fifo")
    m = sluice(policy(config, masked))
    mask(mover, "write", dataset, out)
    last = mover(f"fifo:p:{tmp}/fifo:r", connect(s), "drain:p:100003", f"send:net:{SENT}", "say:sent", "line")
    done(mover(f"fifo:p:{tmp}/fifo:w", f"fill:{out}:p:100003"))
    last.wait_said("sent")
    process = next(p for p in m.now("processes")["items"] if p["process"]["pid"] == last.pid)
    last.go()
    done(last)
    assert process["datasets"] == ["masked"] and process["volume"] == {"masked": 100003}
    assert_only_masked(m.stop(), s, 100003)


# --- reload --------------------------------------------------------------------------------------------------

def test_reload(sluice, config, dataset, masked, lab, sink, mover):
    """For what was written before as well: first declared, then no more."""
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked))
    mask(mover, "write", dataset, out)
    upload(mover, out, s)
    assert {f["dataset"] for f in m.findings()} == {"masked"}
    m.write(policy(config, masked, declared=False))
    m.signal(signal.SIGHUP)
    wait_for("the new policy is in force", lambda: item(m, "masked")["derived"] is None)
    assert_passed(m.stop(), s)


def test_declared_later(sluice, config, dataset, masked, lab, sink, mover):
    s, out = sink(lab.internet), f"{masked}/out"
    m = sluice(policy(config, masked, declared=False))
    mask(mover, "write", dataset, out)
    m.write(policy(config, masked))
    m.signal(signal.SIGHUP)
    wait_for("the new policy is in force", lambda: item(m, "masked")["derived"])
    assert item(m, "masked")["derived"]["bytes"] == N
    upload(mover, out, s)
    r = m.stop()
    assert exfiltrated(r, s) == {"masked": N}
