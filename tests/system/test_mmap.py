# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mapped files: a bound that no access gets around, and no larger than what the kernel mapped where it tells that."""
import json
import os
import sys

import pytest

import work
from monitor import sluice_json, tagged

PAGE = os.sysconf("SC_PAGESIZE")
PAGES = 8209
TOUCHED = 101

# Run by a Python of its own: how[, argument]. Says how many pages it touched and what the kernel mapped of the file.
TOUCH = r"""
import ctypes, json, mmap, os, sys
path, report, how, touched = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
page = mmap.PAGESIZE
fd = os.open(path, os.O_RDWR if how == "write" else os.O_RDONLY)
size = os.fstat(fd).st_size
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
RANDOM, MAYMOVE, POPULATE = 1, 1, 0x8000
flags = (mmap.MAP_PRIVATE if how == "write" else mmap.MAP_SHARED) | (POPULATE if how == "populate" else 0)
first = page if how == "grow" else size
at = libc.mmap(None, first, mmap.PROT_READ | (mmap.PROT_WRITE if how == "write" else 0), flags, fd, 0)
assert at != ctypes.c_void_p(-1).value, ctypes.get_errno()
if how == "grow":
    at = libc.mremap(at, first, size, MAYMOVE)
    assert at != ctypes.c_void_p(-1).value, ctypes.get_errno()
libc.madvise(at, size, RANDOM)
pages = (size + page - 1) // page
step = max(1, pages // max(1, touched))

def touch():
    for i in range(touched):
        byte = ctypes.c_char.from_address(at + (i * step % pages) * page)
        if how == "write":
            byte.value = b"x"
        else:
            byte.value

def rss():
    inside, kb = False, 0
    for line in open("/proc/self/smaps"):
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            inside = line.rstrip().endswith(path)
        elif inside and words[0] == "Rss:":
            kb += int(words[1])
    return kb * 1024

if how == "fork":
    child = os.fork()
    if child:
        os._exit(os.waitpid(child, 0)[1] != 0)
if touched:
    touch()
with open(report, "w") as f:
    json.dump({"touched": touched * page, "rss": rss(), "size": size}, f)
"""


def touch(tmp, path, how, touched=TOUCHED):
    report = os.path.join(tmp, "touch.json")
    work.must(sys.executable, "-c", TOUCH, path, report, how, str(touched))
    with open(report, encoding="utf-8") as f:
        return json.load(f)


@pytest.fixture
def told(hooks):
    """Are pages told one by one?"""
    owned = {o["fact"] for o in sluice_json("probe", "--hooks", hooks)["owners"]}
    return {"read.mmap_pages", "read.mmap_huge"} <= owned


def filesystem(path):
    return work.must("stat", "-f", "-c", "%T", path).stdout.strip()


def bound_of(m):
    r = m.stop()
    assert all(a["exact"] is False for a in r.access()), "a mapping is no exact figure"
    return r.read("mmap"), r


@pytest.mark.parametrize("how", ["read", "write", "fork", "grow", "populate"])
def test_bound(how, sluice, told, dataset, tmp):
    size = PAGES * PAGE - 1009
    work.make_file(f"{dataset}/f", size)
    m = sluice(tagged(dataset))
    t = touch(tmp, f"{dataset}/f", how)
    bound, _ = bound_of(m)
    assert t["touched"] <= t["rss"] + PAGE
    assert bound >= t["touched"]
    if told and filesystem(dataset) in ("ext2/ext3", "xfs", "btrfs"):
        # a child sees what its parent saw, and is charged only what it saw itself
        assert min(t["rss"], size) - PAGE <= bound <= t["rss"]
        assert how == "populate" or bound < size / 4
    else:
        assert bound == size


def test_mapped_and_never_touched(sluice, told, dataset, tmp):
    """Tainted from the moment it is mapped, though nothing was seen yet."""
    work.make_file(f"{dataset}/f", PAGES * PAGE)
    m = sluice(tagged(dataset))
    touch(tmp, f"{dataset}/f", "read", 0)
    bound, r = bound_of(m)
    assert r.access()
    if told and filesystem(dataset) in ("ext2/ext3", "xfs", "btrfs"):
        assert bound == 0
    else:
        assert bound == PAGES * PAGE


def test_tmpfs_counts_in_full(sluice, tmp):
    """Its pages can be mapped in ways that are not told."""
    if filesystem("/dev/shm") != "tmpfs":
        pytest.skip("/dev/shm is no tmpfs")
    path = f"/dev/shm/sluice-test-{os.getpid()}"
    os.mkdir(path)
    try:
        work.make_file(f"{path}/f", PAGES * PAGE)
        m = sluice(tagged(path))
        touch(tmp, f"{path}/f", "read")
        assert bound_of(m)[0] == PAGES * PAGE
    finally:
        os.unlink(f"{path}/f")
        os.rmdir(path)


def test_growing_beside_other_threads(sluice, hooks, dataset, actor, tmp):
    """What grew cannot always be looked at then: a gap if it can have been of a dataset, and none if not."""
    work.make_file(f"{dataset}/f", 10007)
    m = sluice(tagged(dataset))
    actor(f"read:{dataset}/f").truth()

    def missed(path):
        before = m.now("health")["health"]["losses"].get("no_file", 0)
        assert work.Process(tmp, "paths", [work.program("paths"), "grow-busy", path]).wait() == 0
        return m.now("health")["health"]["losses"].get("no_file", 0) - before

    assert missed("/dev/null") < 20  # a few may be others' on this machine
    if hooks == "trampoline":
        assert missed(f"{dataset}/f") < 20
    elif os.cpu_count() > 1 and [int(n) for n in os.uname().release.split(".")[:2]] >= [5, 17]:
        assert any(missed(f"{dataset}/f") for _ in range(13))  # how often depends on how busy the machine is
    m.stop()
