# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""How much of a dataset a job needs: files and bytes read, and the files never read, against a list of our own."""
import os
import sys

import pytest

import work
from monitor import run_sluice, sluice_json, tagged, wait_for

FILES, READ, OTHER = 211, 37, 23


def make_files(path, n=FILES):
    """n files in several directories; path -> size, sizes all different."""
    sizes = {f"d{i % 7}/e{i % 3}/f{i}": 1009 + 2 * i for i in range(n)}
    for name, size in sizes.items():
        work.make_file(f"{path}/{name}", size)
    return sizes


def unread(m, *words):
    return sluice_json("show", "datasets", "--unread", "set", "--socket", m.socket, *words)


def used(m, total=FILES, job=None):
    """What is said once the walk has met `total` files."""
    def known():
        if job:
            item = next((i for i in m.show("jobs")["items"] if i["job"] == job), None)
            found = item and item["used"].get("set")
        else:
            found = m.show("datasets")["items"][0]["used"]
        return found and found["files_total"] == total and found
    return wait_for(f"{total} files were met", known)


def read_all(dataset, names):
    return [f"read:{dataset}/{name}" for name in names]


def test_files_and_bytes(sluice, dataset, actor, job):
    sizes = make_files(dataset)
    names = sorted(sizes)
    m = sluice(tagged(dataset))
    used(m)
    first = names[:READ]
    # twice, and by two processes: a file is one file
    actor(*read_all(dataset, first), *read_all(dataset, first[:5]), "fork{", *read_all(dataset, first[3:11]), "}", "wait",
          cgroup=job).truth()
    second = names[READ - 5:READ - 5 + OTHER]
    actor(*read_all(dataset, second)).truth()
    both = set(first) | set(second)

    mine = wait_for("all that the job read", lambda: (u := used(m, job=job.name))["files_read"] == READ and u)
    assert mine["exact"] is True
    assert mine["files_unread"] == FILES - READ
    assert mine["files_share"] == READ / FILES
    assert mine["bytes_most"] == sum(sizes[n] for n in first)
    assert mine["bytes_share_most"] == mine["bytes_most"] / sum(sizes.values())
    all_of_us = wait_for("all that was read", lambda: (u := used(m))["files_read"] == len(both) and u)
    assert all_of_us["exact"] is True
    assert all_of_us["bytes_most"] == sum(sizes[n] for n in both)

    listed = unread(m)
    assert {i["path"]: i["size"] for i in listed["items"]} == {n: s for n, s in sizes.items() if n not in both}
    assert listed["rest"] == 0
    listed = unread(m, "--job", job.name)
    assert {i["path"] for i in listed["items"]} == set(sizes) - set(first)
    text = run_sluice("show", "datasets", "--socket", m.socket).stdout
    assert f"{len(both)} of {FILES}, " in text, text
    m.stop()


def test_a_part_of_each_file(sluice, dataset, actor):
    """What is left of a file is not known by its place: no more than was read in all."""
    sizes = make_files(dataset)
    m = sluice(tagged(dataset))
    used(m)
    actor(*[f"read:{dataset}/{n}:101" for n in sorted(sizes)[:READ]]).truth()
    u = wait_for("all was read", lambda: (u := used(m))["files_read"] == READ and u)
    assert u["bytes_most"] == 101 * READ
    m.stop()


@pytest.mark.parametrize("via", ["pread", "readv", "preadv2", "mmap"])
def test_ways_to_read(sluice, dataset, tmp, via):
    sizes = make_files(dataset)
    m = sluice(tagged(dataset))
    used(m)
    work.reader(tmp, "--via", via, *[f"{dataset}/{n}" for n in sorted(sizes)[:READ]])
    assert wait_for("all was read", lambda: (u := used(m))["files_read"] == READ and u)["files_unread"] == FILES - READ
    m.stop()


SEND = "import os, sys; i, o = open(sys.argv[1], 'rb'), open(sys.argv[2], 'wb'); "
WAYS = {
    "splice": [work.program("paths"), "-o", "REPORT", "splice", "FILE"],
    "map-private": [work.program("paths"), "-o", "REPORT", "map-private", "FILE"],
    "io_uring": [work.program("async"), "-o", "REPORT", "read", "--engine", "uring", "--size", "4096", "--count", "1", "FILE"],
    "libaio": [work.program("async"), "-o", "REPORT", "read", "--engine", "aio", "--direct", "--size", "4096", "--count", "1",
               "FILE"],
    "sendfile": [sys.executable, "-c", SEND + "os.sendfile(o.fileno(), i.fileno(), 0, 99)", "FILE", "OUT"],
    "copy_file_range": [sys.executable, "-c", SEND + "os.copy_file_range(i.fileno(), o.fileno(), 99)", "FILE", "OUT"],
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_without_a_read(sluice, dataset, tmp, way):
    sizes = {f"f{i}": 8192 + 4096 * i for i in range(3)}
    for name, size in sizes.items():
        work.make_file(f"{dataset}/{name}", size)
    m = sluice(tagged(dataset))
    used(m, 3)
    places = {"FILE": f"{dataset}/f1", "OUT": f"{tmp}/out"}
    p = work.Process(tmp, "way", [places.get(w, w) for w in WAYS[way]])
    status = p.wait()
    if status == 77:
        pytest.skip(f"{way}: not on this machine")
    assert status == 0, p.said()
    wait_for("one was read", lambda: used(m, 3)["files_read"] == 1)
    assert {i["path"] for i in unread(m)["items"]} == {"f0", "f2"}
    m.stop()


def test_by_identity(sluice, dataset, data, actor):
    """Names do not count: links, renames, and a file by two of its names."""
    sizes = make_files(dataset, 7)
    names = sorted(sizes)
    os.link(f"{dataset}/{names[0]}", f"{dataset}/second-name")
    os.link(f"{dataset}/{names[1]}", f"{data}/outside")
    m = sluice(tagged(dataset))
    used(m, 7)
    os.rename(f"{dataset}/{names[2]}", f"{dataset}/renamed")
    actor(f"read:{dataset}/{names[0]}", f"read:{dataset}/second-name", f"read:{data}/outside",
          f"read:{dataset}/renamed").truth()
    u = wait_for("three were read", lambda: (u := used(m, 7))["files_read"] == 3 and u)
    assert u["files_unread"] == 4 and u["exact"] is True
    m.stop()


def test_files_come_and_go(sluice, dataset, actor):
    """No share is above the whole."""
    sizes = make_files(dataset, 13)
    names = sorted(sizes)
    m = sluice(tagged(dataset))
    used(m, 13)
    work.make_file(f"{dataset}/new", 5003)
    actor(*read_all(dataset, names), f"read:{dataset}/new").truth()
    u = wait_for("14 were read", lambda: (u := m.show("datasets")["items"][0]["used"])["files_read"] == 14 and u)
    assert u["files_share"] == 1 and u["bytes_share_most"] <= 1
    for name in names[:5]:
        os.unlink(f"{dataset}/{name}")
    work.make_file(f"{dataset}/newer", 70001)
    u = used(m, 10)
    assert u["files_read"] == 14 and u["files_unread"] == 1 and u["exact"] is True
    assert 0 < u["bytes_most"] < 70001
    assert [i["path"] for i in unread(m)["items"]] == ["newer"]
    m.stop()


def test_more_than_are_listed(sluice, dataset, actor):
    sizes = {f"f{i:04}": 7 for i in range(1511)}
    for name, size in sizes.items():
        work.make_file(f"{dataset}/{name}", size)
    m = sluice(tagged(dataset))
    used(m, 1511)
    listed = unread(m)
    assert len(listed["items"]) == 1000 and listed["rest"] == 511
    text = run_sluice("show", "datasets", "--unread", "set", "--socket", m.socket).stdout
    assert text.endswith("and 511 more\n"), text[-200:]
    m.stop()


def test_hostile_names(sluice, dataset):
    work.make_file(f"{dataset}/a\x1b]0;x\x07\n\u202eb", 7)
    m = sluice(tagged(dataset))
    used(m, 1)
    text = run_sluice("show", "datasets", "--unread", "set", "--socket", m.socket).stdout
    assert not any(c in text for c in "\x1b\x07\u202e") and len(text.splitlines()) == 3, text
    m.stop()


def test_by_another_way_is_at_least(sluice, dataset, data, actor):
    """The same file through an overlay has another identity: then nobody says that it was never read."""
    make_files(dataset, 3)
    for name in ("upper", "work", "merged"):
        os.mkdir(f"{data}/{name}")
    try:
        work.must("mount", "-t", "overlay", "overlay", "-o",
                  f"lowerdir={dataset},upperdir={data}/upper,workdir={data}/work", f"{data}/merged")
    except Exception as why:
        pytest.skip(f"no overlay here: {why}")
    m = sluice(tagged(dataset))
    assert used(m, 3)["exact"] is True
    actor(f"read:{data}/merged/{sorted(make_files(dataset, 3))[0]}").truth()
    wait_for("it was read", lambda: m.show("datasets")["items"][0]["bytes_read"])
    u = wait_for("at least", lambda: (u := used(m, 3))["exact"] is False and u)
    assert u["files_read"] in (None, 1)
    m.stop()


def test_usage(root):
    for words in (("show", "jobs", "--unread", "set"), ("show", "jobs", "--job", "x")):
        p = run_sluice(*words)
        assert p.returncode == 2 and "--unread" in p.stderr, p.stderr
