# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Bytes that never pass through the mover's own memory, files made of tagged ones, and other processes' memory."""
import os
import resource
import shutil

import pytest

import work
from work import FILE

PYTHON = "/usr/bin/python3"
MOVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mover.py")
TIMES = 7  # for what goes wrong now and then
N = 262147  # a prime, four pages beyond 256 KiB


@pytest.fixture
def mover(tmp):
    running = []

    def start(*steps, **options):
        p = work.Process(tmp, f"mover{len(running)}", [PYTHON, MOVER, "REPORT", *map(str, steps)], **options)
        running.append(p)
        return p

    yield start
    for p in running:
        p.kill()


@pytest.fixture
def place(dataset):
    """Beside the dataset: copy_file_range wants both on one filesystem."""
    return os.path.dirname(dataset)


def done(p):
    status = p.wait()
    assert status == 0, f"mover: status {status}: {p.said()}"
    return p.last_report()


def ways(finding):
    return [hop["via"] for hop in finding["chain"]]


def connect(sink):
    return f"connect:net:{sink.ip}:{sink.port}"


# --- the mover's own account ---------------------------------------------------------

@pytest.mark.parametrize("verb", ["splice", "tee", "sendfile", "copy"])
def test_every_byte_moved_is_read(sluice, config, dataset, tmp, place, mover, verb):
    m = sluice(config)
    truth = done(mover(f"{verb}:{dataset}/f:{place}/out:{N}"))
    r = m.stop()
    assert truth["moved"] == N == os.stat(f"{place}/out").st_size
    assert r.read() == N
    assert r.read("mmap") == 0
    assert {a["exact"] for a in r.access()} == {True}


@pytest.mark.parametrize("verb", ["splice", "sendfile"])
def test_straight_into_a_connection(sluice, config, dataset, lab, sink, mover, verb):
    """The process was not tainted before the very call that sends: all of it counts, and nothing of what it sent before."""
    s = sink(lab.internet)
    m = sluice(config)
    for _ in range(TIMES):
        done(mover(connect(s), "send:net:10007", f"{verb}:{dataset}/f:net:{N}"))
    r = m.stop()
    assert s.bytes() == TIMES * (N + 10007)
    assert r.read() == TIMES * N
    assert sum(f["leak_bound"] for f in r.findings("exfil.volume", s).values()) == TIMES * N
    assert r.to(s) == TIMES * N


def test_reader_waits_at_the_pipe(sluice, config, dataset, lab, sink, tmp, mover):
    """It has the bytes before splice returns to the process that moved them."""
    s = sink(lab.internet)
    m = sluice(config)
    os.mkfifo(f"{tmp}/fifo")
    first = mover(f"fifo:p:{tmp}/fifo:r", connect(s), f"drain:p:{N}", f"send:net:{N}")
    done(mover(f"fifo:p:{tmp}/fifo:w", f"fill:{dataset}/f:p:{N}"))
    done(first)
    f = m.stop().exfil(s)
    assert s.bytes() == f["leak_bound"] == N
    assert ways(f) == ["read", "pipe_write", "pipe_read", "tcp"]


def test_memory_into_a_pipe(sluice, config, dataset, lab, sink, tmp, mover):
    s = sink(lab.internet)
    m = sluice(config)
    os.mkfifo(f"{tmp}/fifo")
    first = mover(f"fifo:p:{tmp}/fifo:r", connect(s), f"drain:p:{N}", f"send:net:{N}")
    done(mover(f"fifo:p:{tmp}/fifo:w", f"read:{dataset}/f", f"vmsplice:p:{N}"))
    done(first)
    f = m.stop().exfil(s)
    assert s.bytes() == f["leak_bound"] == N


# --- files made of tagged bytes --------------------------------------------------------

@pytest.mark.parametrize("verb", ["splice", "sendfile", "copy", "write"])
def test_derived_file(sluice, config, dataset, lab, sink, tmp, place, mover, verb):
    """Made by one process, sent by another that has nothing to do with it."""
    s = sink(lab.internet)
    m = sluice(config)
    steps = [f"read:{dataset}/f", f"write:{place}/out:{N}"] if verb == "write" else [f"{verb}:{dataset}/f:{place}/out:{N}"]
    done(mover(*steps))
    done(mover(connect(s), f"read:{place}/out", "send:net:500009"))
    f = m.stop().finding("exfil.volume", s)
    assert s.bytes() == 500009
    assert f["leak_bound"] == N
    assert ways(f) == ["read", "file_write", "file_read", "tcp"]


def test_copy_of_a_copy_under_another_name(sluice, config, dataset, lab, sink, tmp, place, mover):
    s = sink(lab.internet)
    m = sluice(config)
    done(mover(f"copy:{dataset}/f:{place}/one:{N}"))
    done(mover(f"copy:{place}/one:{place}/two:100003"))
    os.rename(f"{place}/two", f"{place}/three")
    done(mover(connect(s), f"read:{place}/three", "send:net:500009"))
    f = m.stop().finding("exfil.volume", s)
    assert f["leak_bound"] == 100003


def test_file_of_an_untainted_process(sluice, config, dataset, lab, sink, tmp, place, mover):
    s = sink(lab.internet)
    work.make_file(f"{tmp}/plain", FILE)
    m = sluice(config)
    done(mover(f"read:{tmp}/plain", f"write:{place}/out:{N}", f"read:{dataset}/f"))
    done(mover(connect(s), f"read:{place}/out", "send:net:500009"))
    r = m.stop()
    assert r.to(s) == 0
    assert r.findings() == {}


def reflink_place(tmp):
    """A small filesystem that shares blocks, on a loop device."""
    image, point = f"{tmp}/image", f"{tmp}/mnt"
    work.make_file(image, 400 << 20)
    os.mkdir(point)
    for words in (["mkfs.xfs", "-q", image], ["mkfs.btrfs", "-q", image]):
        if shutil.which(words[0]) and not work.subprocess.run(words, check=False).returncode:
            p = work.subprocess.run(["mount", "-o", "loop", image, point], capture_output=True, text=True, check=False)
            if not p.returncode:
                return point
    pytest.skip("no filesystem here can share blocks: mkfs.xfs, mkfs.btrfs or loop devices are missing")


@pytest.mark.parametrize("verb", ["clone", "clone-range"])
def test_reflink(sluice, config, lab, sink, tmp, mover, verb):
    point = reflink_place(tmp)
    try:
        os.mkdir(f"{point}/set")
        with open(f"{point}/set/f", "wb") as f:
            f.write(os.urandom(1 << 20))
        work.must("sync", "-f", f"{point}/set/f")
        s = sink(lab.internet)
        m = sluice(work.json.loads(work.json.dumps(config).replace(config["datasets"][0]["path"], f"{point}/set")))
        tail, n = ("", 1 << 20) if verb == "clone" else (":65536:131072", 131072)
        truth = done(mover(f"{verb}:{point}/set/f:{point}/copy{tail}"))
        assert truth["moved"] == n
        done(mover(connect(s), f"read:{point}/copy", "send:net:3000017"))
        r = m.stop()
        assert r.read() == n
        assert r.finding("exfil.volume", s)["leak_bound"] == n
    finally:
        work.unmount_below(tmp)


# --- memory of others --------------------------------------------------------------------

@pytest.mark.parametrize("verb", ["memory", "peek", "mem"])
def test_memory_of_a_tainted_process(sluice, config, dataset, lab, sink, mover, verb):
    s = sink(lab.internet)
    m = sluice(config)
    victim = mover(f"read:{dataset}/f:{N}", "say:ready", "line")
    victim.wait_said("ready")
    step = f"{verb}:{victim.pid}" + ("" if verb == "peek" else ":1009")
    done(mover(connect(s), step, "send:net:500009"))
    victim.go()
    done(victim)
    f = m.stop().exfil(s)
    assert f["leak_bound"] == N
    assert ways(f) == ["read", "peek", "tcp"]


def test_memory_of_an_untainted_process(sluice, config, dataset, lab, sink, mover):
    s = sink(lab.internet)
    m = sluice(config)
    victim = mover("say:ready", "line", f"read:{dataset}/f")
    victim.wait_said("ready")
    done(mover(connect(s), f"memory:{victim.pid}:1009", "send:net:500009"))
    victim.go()
    done(victim)
    r = m.stop()
    assert r.to(s) == 0
    assert r.findings() == {}


@pytest.fixture
def core_pattern(tmp):
    path = "/proc/sys/kernel/core_pattern"
    with open(path, encoding="ascii") as f:
        before = f.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(f"{tmp}/core")
    yield
    with open(path, "w", encoding="ascii") as f:
        f.write(before)


def test_core_dump(sluice, hooks, config, dataset, lab, sink, tmp, mover, core_pattern):
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("this shell's hard limit forbids core dumps")
    s = sink(lab.internet)
    m = sluice(config)
    victim = mover(f"read:{dataset}/f:{N}", "crash")
    assert victim.wait() < 0
    cores = [f"{tmp}/{name}" for name in os.listdir(tmp) if name.startswith("core")]
    assert len(cores) == 1, os.listdir(tmp)
    done(mover(connect(s), f"read:{cores[0]}:1000003", "send:net:500009"))
    r = m.stop()
    unseen = [f for f in r.findings("channel.unobservable").values() if "core" in f["title"]]
    assert unseen, [f["title"] for f in r.findings().values()]
    if hooks == "trampoline":
        f = r.finding("exfil.volume", s)
        assert f["leak_bound"] == N
        assert ways(f) == ["read", "core_dump", "file_read", "tcp"]
