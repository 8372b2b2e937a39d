# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Many at one processor: whoever is interrupted while a program of the monitor, or the kernel's work for one, is under way
must not make the work of others go unseen."""
import contextlib
import os
import signal
import subprocess
import threading

import pytest
import work
from monitor import tagged
from where import WORK
from work import FILE

READERS = 23
CHUNK = 61
SIZE = FILE // 8


@pytest.fixture
def one_processor():
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    yield min(every)
    os.sched_setaffinity(0, every)


def read_by_many(actor, dataset):
    truth = actor(f"fork:{READERS}{{", f"chunk:{CHUNK}", f"read:{dataset}/f", "}").truth()
    assert truth.total("read") == READERS * SIZE
    return READERS * SIZE


def missed(r):
    return [p for p in r.of("health")[-1]["programs"] if p["recursion_misses"]]


@contextlib.contextmanager
def mapper(*options):
    with subprocess.Popen([os.path.join(WORK, "mapper"), *options], stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout.readline() == "ready\n"
        yield
        assert p.poll() is None
        p.kill()


@pytest.fixture
def watched(sluice, dataset):
    work.make_file(f"{dataset}/f", SIZE)
    return sluice(tagged(dataset))


def test_readers_that_interrupt_each_other(watched, dataset, actor, one_processor):
    truth = read_by_many(actor, dataset)
    r = watched.stop()
    assert r.read() == truth, missed(r)


def test_readers_that_interrupt_the_monitor(watched, dataset, actor, one_processor):
    """A policy in force again and again: the monitor is at work in the maps all the time, and interrupted there."""
    stop = threading.Event()

    def bother():
        while not stop.wait(0.02):
            watched.signal(signal.SIGHUP)

    os.sched_setaffinity(watched.process.pid, {one_processor})
    thread = threading.Thread(target=bother)
    thread.start()
    try:
        truth = read_by_many(actor, dataset)
    finally:
        stop.set()
        thread.join()
    r = watched.stop()
    assert r.read() == truth, missed(r)


def test_calls_as_the_monitor_makes_them(watched, dataset, actor, one_processor):
    """Not in one of its calls on maps can the monitor be preempted, however many there are."""
    with mapper("--guarded"):
        truth = read_by_many(actor, dataset)
    r = watched.stop()
    assert r.read() == truth, missed(r)


def test_calls_of_another_agent(watched, dataset, actor, one_processor):
    """One that is preempted there hides what others do, on kernels that preempt tracepoints. That is told."""
    with mapper():
        truth = read_by_many(actor, dataset)
    r = watched.stop(losses=True)
    assert r.read() <= truth
    if r.read() < truth:
        assert missed(r)
        assert [f for f in r.findings("monitor.gap").values() if "not all is counted of" in f["title"]]
