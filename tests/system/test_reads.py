# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Bytes read, against what fio and reader say of themselves."""
import os

import pytest

import work
from monitor import tagged
from work import FILE

PRIME_BLOCK = 4099


# --- fio -----------------------------------------------------------------------------

@pytest.mark.parametrize("engine, jobs, count", [
    ("sync", 1, 997), ("psync", 1, 997), ("vsync", 1, 997), ("pvsync", 1, 997), ("pvsync2", 1, 997),
    ("psync", 64, 101), ("vsync", 64, 101),
])
def test_fio(sluice, dataset, tmp, engine, jobs, count):
    path = work.make_file(f"{dataset}/f", 10 * FILE)
    m = sluice(tagged(dataset))
    try:
        read, ops = work.fio(tmp, path, engine, jobs, PRIME_BLOCK, count)
    except work.Unavailable as why:
        pytest.skip(str(why))
    r = m.stop()
    assert read > 0
    assert r.read(dataset="set") == read
    assert {(a["process"] or {}).get("comm") for a in r.access()} == {"fio"}
    if engine != "vsync":  # which may put several blocks into one call
        assert r.ops(dataset="set") == ops
    assert len({a["process"]["pid"] for a in r.access()}) == jobs


# --- every call ------------------------------------------------------------------------

@pytest.mark.parametrize("via", ["read", "pread", "readv", "preadv", "preadv2"])
def test_each_call(sluice, dataset, tmp, via):
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, "--via", via, "--size", "7919", "--count", "1009", f"{dataset}/f")
    r = m.stop()
    assert r.read() == truth["bytes"]
    assert r.ops() == truth["ops"] == 1009
    assert r.files() == 1
    assert {a["exact"] for a in r.access()} == {True}
    assert r.read("mmap") == 0


@pytest.mark.parametrize("processes", [1, 64])
def test_each_process_has_its_own_account(sluice, dataset, tmp, processes):
    for i in range(7):
        work.make_file(f"{dataset}/d{i}/f", FILE // 7 + i)
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, "--procs", str(processes), "--size", "65521", dataset)
    r = m.stop()
    assert len(truth["processes"]) == processes
    for p in truth["processes"]:
        assert r.read(process__pid=p["pid"]) == p["bytes"]
        assert r.ops(process__pid=p["pid"]) == p["ops"]
        assert r.files(process__pid=p["pid"]) == p["files"] == 7
    assert r.read() == truth["bytes"]


def test_threads_are_one_process(sluice, dataset, tmp):
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, "--threads", "13", "--size", "4099", dataset)
    r = m.stop()
    assert r.read() == truth["bytes"] == 13 * FILE
    assert len({(a["process"]["pid"], a["process"]["start"]) for a in r.access()}) == 1


def test_one_file_as_dataset(sluice, data, tmp):
    path = work.make_file(f"{data}/one", 70001)
    work.make_file(f"{data}/two", 70003)
    m = sluice(tagged(path))
    work.reader(tmp, f"{data}/one", f"{data}/two")
    r = m.stop()
    assert r.read(dataset="set") == 70001


def test_datasets_are_told_apart(sluice, data, tmp):
    for i in range(5):
        work.make_file(f"{data}/s{i}/a/b/c/f", 10007 + i)
    m = sluice({"datasets": [{"id": f"s{i}", "path": f"{data}/s{i}", "tags": {"n": str(i)}} for i in range(5)]})
    work.reader(tmp, data)
    r = m.stop()
    for i in range(5):
        assert r.read(dataset=f"s{i}", tags={"n": str(i)}) == 10007 + i


def test_deep_file(sluice, dataset, tmp):
    deep = dataset + "/d" * 60
    work.make_file(f"{deep}/f", 10007)
    m = sluice(tagged(dataset))
    work.reader(tmp, f"{deep}/f")
    assert m.stop().read() == 10007


def test_reads_that_return_nothing_count_nothing(sluice, dataset, data, tmp):
    work.make_file(f"{dataset}/empty", 0)
    work.make_file(f"{data}/untagged", FILE)
    m = sluice(tagged(dataset))
    work.reader(tmp, dataset, f"{data}/untagged")
    with open(dataset + "/empty", "rb", buffering=0) as f:
        assert f.read(1) == b""
    r = m.stop()
    assert r.read() == 0
    assert r.ops() == 0


def test_who_it_was(sluice, dataset, actor, job):
    work.make_file(f"{dataset}/f", 4099)
    m = sluice(tagged(dataset))
    p = actor("comm:trainer-π", "uid:65534", f"read:{dataset}/f", cgroup=job)
    p.truth()
    access = m.stop().access()
    assert len(access) == 1
    assert access[0]["job"] == job.name
    who = access[0]["process"]
    assert who["pid"] == p.pid
    assert who["comm"] == "trainer-π"
    assert who["uid"] == 65534
    assert who["exe"] == os.path.realpath(work.program("actor"))
    # Who started it: one of ours, known or not, but never a made-up 0.
    parent = who["parent"]
    assert (parent if isinstance(parent, int) else parent["pid"]) == os.getpid()


# --- mappings ----------------------------------------------------------------------------

def page_up(n):
    page = os.sysconf("SC_PAGESIZE")
    return -(-n // page) * page


def test_mmap_is_an_upper_bound(sluice, dataset, tmp):
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, "--via", "mmap", dataset)
    r = m.stop()
    assert truth["touched"] <= r.read("mmap") <= page_up(truth["mapped"])
    assert r.read() == 0
    assert {a["exact"] for a in r.access()} == {False}


# --- open before the monitor was there -------------------------------------------------------

def test_descriptor_opened_before(sluice, dataset, actor):
    work.make_file(f"{dataset}/f", FILE)
    p = actor(f"open:{dataset}/f", "read-fd:10007", "say:ready", "wait-line", "chunk:4099", "read-fd:500009")
    p.wait_said("ready")
    m = sluice(tagged(dataset))
    p.go()
    truth = p.truth()
    r = m.stop()
    assert truth.total("read") == 10007 + 500009
    # What was read before nobody saw, and nobody may claim to have seen.
    assert r.read(process__pid=p.pid) == 500009


def test_mapping_made_before(sluice, dataset, tmp):
    work.make_file(f"{dataset}/f", FILE)
    p = work.Process(tmp, "early", [work.program("reader"), "-o", "REPORT", "--via", "mmap", "--open-first",
                                    "--wait-stdin", f"{dataset}/f"])
    try:
        p.wait_said("ready")
        m = sluice(tagged(dataset))
        p.go()
        assert p.wait() == 0, p.said()
        r = m.stop()
    finally:
        p.kill()
    assert p.reports()[0]["touched"] <= r.read("mmap", process__pid=p.pid) <= page_up(FILE)


def test_last_bytes_of_a_short_life(sluice, dataset, tmp):
    """A process that is gone before anyone could look at it is in the ledger all the same."""
    work.make_file(f"{dataset}/f", 70001)
    m = sluice(tagged(dataset))
    truth = [work.reader(tmp, "--exit-fast", "--procs", "8", dataset, name=f"fast{i}") for i in range(5)]
    r = m.stop()
    assert r.read() == sum(t["bytes"] for t in truth) == 5 * 8 * 70001
    # comm and exe of each are known, however short it lived.
    assert {a["process"]["comm"] for a in r.access()} == {"reader"}


def test_sums_are_totals_while_it_runs(sluice, dataset, tmp):
    """Interval figures: the sum so far never exceeds the truth and reaches it without the monitor's end."""
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset))
    for i in range(1, 4):
        work.reader(tmp, dataset, name=f"r{i}")
        m.wait_records(f"{i} files' worth", lambda r: r.read() == i * FILE)
    assert m.stop().read() == 3 * FILE
