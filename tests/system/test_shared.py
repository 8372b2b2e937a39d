# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Memory that processes share: no call passes its bytes, and still nobody gets away with them."""
import ctypes
import os
import signal

import pytest

import work
from monitor import wait_for

PYTHON = "/usr/bin/python3"
SHARER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sharer.py")
READ = 70001  # of the dataset
BEFORE, AFTER = 10007, 500009  # sent before there was anything, and after
SHARED = ["read", "shared_write", "shared_read", "tcp"]
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def sharer(tmp):
    running = []

    def start(*steps, **options):
        p = work.Process(tmp, f"sharer{len(running)}", [PYTHON, SHARER, "REPORT", *map(str, steps)], **options)
        running.append(p)
        return p

    yield start
    for p in running:
        p.kill()


@pytest.fixture(params=["posix", "file", "sysv"])
def memory(request, data):
    """How to have it: words of a step, after the verb and a name."""
    if request.param == "sysv":
        number = libc.shmget(0, 1 << 20, 0o1600)
        assert number >= 0
        yield lambda name, how="rw": f"attach:{name}:{number}:{how}"
        libc.shmctl(number, 0, None)
        return
    path = f"/dev/shm/sluice-test-{os.getpid()}" if request.param == "posix" else f"{data}/memory"
    work.make_file(path, 1 << 20)
    yield lambda name, how="rw": f"map:{name}:{path}:{how}"
    os.unlink(path)


@pytest.fixture
def shm():
    """shm("x"): a file of shared memory; gone after the test."""
    made = []

    def make(name):
        made.append(work.make_file(f"/dev/shm/sluice-test-{os.getpid()}-{name}", 1 << 20))
        return made[-1]

    yield make
    for path in made:
        if os.path.exists(path):
            os.unlink(path)


def ended(*processes):
    for p in processes:
        status = p.wait()
        assert status == 0, f"sharer: status {status}: {p.said()}"
    return processes[-1].last_report()


def connect(sink):
    return f"connect:net:{sink.ip}:{sink.port}"


def ways(finding):
    return [hop["via"] for hop in finding["chain"]]


def judge(r, sink, consumer, bound=READ, chain=None):
    """All that it sent after, and nothing of what went before; the bound is what was read."""
    assert sink.bytes() == BEFORE + AFTER
    assert r.to(sink) == AFTER
    f = r.finding("exfil.volume", sink)
    assert f["leak_bound"] == bound
    assert f["process"]["pid"] == consumer
    assert ways(f) == (chain or SHARED)


@pytest.mark.parametrize("order", ["mapped_then_tainted", "tainted_then_mapped"])
def test_consumer_that_only_sends(sluice, config, dataset, lab, sink, sharer, memory, order):
    """It had the memory and its connection before anyone had read anything, and calls nothing but send."""
    s = sink(lab.internet)
    m = sluice(config)
    b = sharer(memory("m"), connect(s), f"send:net:{BEFORE}", "say:ready", f"wait:m:{READ}", f"send:net:{AFTER}")
    b.wait_said("ready")
    taint = f"read:{dataset}/f:{READ}"
    a = sharer(*([memory("m"), taint] if order == "mapped_then_tainted" else [taint, memory("m")]), f"put:m:{READ}")
    truth = ended(a, b)
    r = m.stop()
    assert truth["got"] == READ
    judge(r, s, b.pid)
    assert r.read() == READ


@pytest.mark.parametrize("how", ["rw", "ro", "private"])
def test_consumer_that_comes_later(sluice, config, dataset, lab, sink, sharer, shm, how):
    s, path = sink(lab.internet), shm("x")
    m = sluice(config)
    ended(sharer(f"map:m:{path}", f"read:{dataset}/f:{READ}", f"put:m:{READ}"))
    b = sharer(connect(s), f"send:net:{BEFORE}", f"map:m:{path}:{how}", f"wait:m:{READ}", f"send:net:{AFTER}")
    ended(b)
    chain = SHARED if how != "private" else ["read", "shared_write", "file_read", "tcp"]
    judge(m.stop(), s, b.pid, chain=chain)


def test_consumer_that_cannot_write(sluice, config, dataset, lab, sink, sharer, memory):
    s = sink(lab.internet)
    m = sluice(config)
    b = sharer(memory("m", "ro"), connect(s), f"send:net:{BEFORE}", "say:ready", f"wait:m:{READ}", f"send:net:{AFTER}")
    b.wait_said("ready")
    ended(sharer(memory("m"), f"read:{dataset}/f:{READ}", f"put:m:{READ}"), b)
    judge(m.stop(), s, b.pid)


def test_holder_that_cannot_write(sluice, config, dataset, lab, sink, sharer, memory):
    """What a tainted process can only read stays clean, and so does who writes it."""
    s = sink(lab.internet)
    m = sluice(config)
    a = sharer(memory("m", "ro"), f"read:{dataset}/f:{READ}", memory("again", "ro"), f"wait:m:{READ}")
    wait_for("it has read", lambda: m.so_far().read() == READ)
    b = sharer(memory("m"), f"put:m:{READ}", connect(s), f"send:net:{AFTER}")
    ended(a, b)
    r = m.stop()
    assert s.bytes() == AFTER
    assert r.to(s) == 0
    assert not r.findings(sink=s)


def test_bystander(sluice, config, dataset, lab, sink, sharer, shm):
    """Another file's memory is another matter."""
    s, mine, theirs = sink(lab.internet), shm("x"), shm("y")
    m = sluice(config)
    b = sharer(f"map:m:{theirs}", connect(s), "say:ready", "go", f"send:net:{AFTER}")
    b.wait_said("ready")
    ended(sharer(f"map:m:{mine}", f"read:{dataset}/f:{READ}", f"put:m:{READ}"))
    b.go()
    ended(b)
    r = m.stop()
    assert s.bytes() == AFTER
    assert r.to(s) == 0
    assert not r.findings(sink=s)


def test_chain_of_memories(sluice, config, dataset, lab, sink, sharer, shm):
    """A and B share one, B and C another: C is tainted when A reads, though none of them calls anything then."""
    s, x, y = sink(lab.internet), shm("x"), shm("y")
    m = sluice(config)
    c = sharer(f"map:y:{y}", connect(s), f"send:net:{BEFORE}", "say:ready", f"wait:y:{READ}", f"send:net:{AFTER}")
    b = sharer(f"map:x:{x}", f"map:y:{y}", "say:ready", f"pass:x:y:{READ}")
    for p in (b, c):
        p.wait_said("ready")
    ended(sharer(f"map:x:{x}", f"read:{dataset}/f:{READ}", f"put:x:{READ}"), b, c)
    judge(m.stop(), s, c.pid, chain=["read", "shared_write", "shared_read", "shared_write", "shared_read", "tcp"])


def test_unlinked_while_mapped(sluice, config, dataset, lab, sink, sharer, shm):
    s, path = sink(lab.internet), shm("x")
    m = sluice(config)
    b = sharer(f"map:m:{path}", connect(s), f"send:net:{BEFORE}", "say:ready", f"wait:m:{READ}", f"send:net:{AFTER}")
    a = sharer(f"map:m:{path}", "say:ready", "go", f"read:{dataset}/f:{READ}", f"put:m:{READ}")
    for p in (a, b):
        p.wait_said("ready")
    os.unlink(path)
    a.go()
    ended(a, b)
    judge(m.stop(), s, b.pid)


def test_file_written_by_call_and_seen_by_mapping(sluice, config, dataset, lab, sink, sharer, data):
    """What a call writes others see in their memory: no more than was written."""
    s, path = sink(lab.internet), work.make_file(f"{data}/plain", 1 << 20)
    m = sluice(config)
    b = sharer(f"map:m:{path}:ro", connect(s), "say:ready", f"wait:m:{READ}", f"send:net:{AFTER}")
    b.wait_said("ready")
    ended(sharer(f"read:{dataset}/f", f"write:{path}:{READ}"), b)
    r = m.stop()
    assert s.bytes() == r.to(s) == AFTER
    f = r.finding("exfil.volume", s)
    assert f["leak_bound"] == READ
    assert ways(f) == ["read", "file_write", "shared_read", "tcp"]


def test_all_of_it_before_the_monitor(sluice, config, dataset, lab, sink, sharer, shm):
    s, path = sink(lab.internet), shm("x")
    b = sharer(f"map:m:{path}", connect(s), f"send:net:{BEFORE}", "say:ready", f"wait:m:{READ}", f"send:net:{AFTER}")
    a = sharer(f"map:m:{path}", f"see:{dataset}/f", "say:ready", "go", f"put:m:{READ}")
    for p in (a, b):
        p.wait_said("ready")
    m = sluice(config)
    a.go()
    ended(a, b)
    r = m.stop()
    assert s.bytes() == BEFORE + AFTER
    assert r.to(s) == AFTER
    assert r.exfil(s)["leak_bound"] == AFTER
    assert ways(r.exfil(s)) == ["mmap", *SHARED[1:]]


def test_inherited_memory(sluice, config, dataset, lab, sink, sharer):
    """Nobody has a descriptor of it, nor a name: children of one parent have it."""
    s = sink(lab.internet)
    m = sluice(config)
    count = 150  # more than wait in the kernel half at a time
    b = sharer("group", "anonymous:m", f"fork:{count}", connect(s), f"send:net:{BEFORE}", f"read:{dataset}/f:{READ}",
               f"put:m:{READ}", "say:done", "go")
    b.wait_said("done")
    found = wait_for("all are tainted", lambda: len(
        {t["to"]["process"]["pid"] for t in m.so_far().of("transfer", via="shared_read") if "process" in t["to"]}) > count)
    assert found
    os.killpg(b.pid, signal.SIGKILL)
    b.kill()
    r = m.stop()
    assert s.bytes() == BEFORE
    assert r.to(s) == 0


def test_many_memories(sluice, config, dataset, lab, sink, sharer, shm):
    """As many as a loader has that hands each batch over in one of its own."""
    s, count = sink(lab.internet), 300
    paths = [shm(f"n{i}") for i in range(count)]
    m = sluice(config)
    b = sharer(*(f"map:{i}:{p}" for i, p in enumerate(paths)), connect(s), f"send:net:{BEFORE}", "say:ready",
               f"wait:{count - 1}:{READ}", f"send:net:{AFTER}")
    b.wait_said("ready")
    ended(sharer(*(f"map:{i}:{p}" for i, p in enumerate(paths)), f"read:{dataset}/f:{READ}", f"put:{count - 1}:{READ}"), b)
    judge(m.stop(), s, b.pid)


def test_chain_of_memories(sluice, config, dataset, lab, sink, sharer, shm):
    """Each process has one memory in common with the one before it: a reader at one end taints them all at once."""
    s, count = sink(lab.internet), 40
    paths = [shm(f"n{i}") for i in range(count)]
    m = sluice(config)
    links = [sharer(f"map:0:{one}", f"map:1:{two}", "say:ready", f"pass:0:1:{READ}") for one, two in zip(paths, paths[1:])]
    b = sharer(f"map:m:{paths[-1]}", connect(s), f"send:net:{BEFORE}", "say:ready", f"wait:m:{READ}", f"send:net:{AFTER}")
    for p in [*links, b]:
        p.wait_said("ready")
    ended(sharer(f"map:0:{paths[0]}", f"read:{dataset}/f:{READ}", f"put:0:{READ}"), *links, b)
    r = m.stop()
    assert r.to(s) == AFTER
    assert r.finding("exfil.volume", s)["leak_bound"] == READ


PRODUCER = """
import sys
from multiprocessing import shared_memory
m = shared_memory.SharedMemory(sys.argv[1], create=True, size=1 << 20)
print("made", flush=True)
sys.stdin.readline()
data = open(sys.argv[2], "rb", buffering=0).read(int(sys.argv[3]))
m.buf[1:len(data)] = data[1:]
m.buf[0] = 120
sys.stdin.readline()
m.close()
try:
    m.unlink()
except FileNotFoundError:  # the consumer's resource tracker may take it for its own: bpo-38119
    pass
"""
CONSUMER = """
import socket, sys, time
from multiprocessing import shared_memory
m = shared_memory.SharedMemory(sys.argv[1])
s = socket.create_connection((sys.argv[2], int(sys.argv[3])))
s.sendall(bytes(int(sys.argv[4])))
print("ready", flush=True)
while m.buf[0] != 120:
    time.sleep(0.01)
s.sendall(bytes(int(sys.argv[5])))
m.close()
"""


def test_python_shared_memory(sluice, config, dataset, lab, sink, tmp):
    """The standard library's own pair, as data loaders use it."""
    s, name = sink(lab.internet), f"sluice-test-{os.getpid()}-py"
    m = sluice(config)
    a = work.Process(tmp, "producer", [PYTHON, "-c", PRODUCER, name, f"{dataset}/f", str(READ)])
    try:
        a.wait_said("made")
        b = work.Process(tmp, "consumer", [PYTHON, "-c", CONSUMER, name, s.ip, str(s.port), str(BEFORE), str(AFTER)])
        try:
            b.wait_said("ready")
            a.go()
            assert b.wait() == 0, b.said()
        finally:
            b.kill()
        a.go()
        assert a.wait() == 0, a.said()
    finally:
        a.kill()
    judge(m.stop(), s, b.pid)
