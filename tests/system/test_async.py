# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Bytes read by io_uring and libaio, against the sum of what their completions said."""
import os
import shutil

import pytest

import work
from monitor import tagged
from where import SCALE

SIZE = 4099
COUNT = 1009 // SCALE | 1
BLOCK = 4096
KEEP = ("--count", str(COUNT), "--depth", "7")


def real_file(path, size=work.FILE):
    """With blocks of its own: what is read directly must come from a device, and later."""
    with open(path, "wb") as f:
        f.write(os.urandom(size))
        f.flush()
        os.fsync(f.fileno())
    return path


def run(tmp, *words, status=0, name="async", **options):
    """Its reports, by role."""
    p = work.Process(tmp, name, [work.program("async"), "-o", "REPORT", *map(str, words)], **options)
    try:
        code = p.wait()
        if code == 77:
            pytest.skip(p.said().strip().splitlines()[-1])
        assert code == status, f"async: status {code}: {p.said()}"
        return p.reports()
    finally:
        p.kill()


def health(m):
    return m.show("health")["health"]


def need(m, *facts):
    owned = {o.split("=")[0] for o in health(m)["owners"]}
    for fact in facts:
        if fact not in owned:
            pytest.skip(f"{fact} is a named gap of this set on this kernel")


def exact(r, reports):
    for t in reports:
        assert t["bytes"] > 0
        assert r.read(process__pid=t["pid"]) == t["bytes"] + t["pread"]
        assert r.files(process__pid=t["pid"]) == 1
    assert r.read() == sum(t["bytes"] + t["pread"] for t in reports)
    assert {a["exact"] for a in r.access()} == {True}


def followed(r, reports):
    """Where the end of a request is told from an interrupt, a program may be left out: then what was asked for stands in, and
    says so. Both together are the truth."""
    for t in reports:
        read, asked = r.read(process__pid=t["pid"]), r.read("asked", process__pid=t["pid"])
        assert read + asked == t["bytes"] + t["pread"] > 0
        assert asked < read
        assert {a["exact"] for a in r.access(process__pid=t["pid"]) if a["bytes"]["asked"]} <= {False}
    assert r.read() + r.read("asked") == sum(t["bytes"] + t["pread"] for t in reports)


def via(r, what, **wanted):
    return sum(t["bytes"] or 0 for t in r.of("transfer", via=what, **wanted))


# --- io_uring ---------------------------------------------------------------------------

URING = {
    "buffered": ("--size", SIZE),
    "vector": ("--size", SIZE, "--vector"),
    "worker": ("--size", SIZE, "--worker"),
    "sqpoll": ("--size", SIZE, "--sqpoll"),
    "fixed": ("--size", SIZE, "--fixed-files", "--fixed-buffers"),
    "fixed-sqpoll": ("--size", SIZE, "--fixed-files", "--fixed-buffers", "--sqpoll"),
    "linked": ("--size", SIZE, "--link"),
    "open": ("--size", SIZE, "--open"),
    "open-direct": ("--size", SIZE, "--open-direct"),
    "direct": ("--size", BLOCK, "--direct"),
    "direct-worker": ("--size", 3 * BLOCK, "--direct", "--worker"),
    "direct-vector": ("--size", 3 * BLOCK, "--direct", "--vector"),
    "thread": ("--size", SIZE, "--thread"),
    "forks": ("--size", SIZE, "--procs", "5"),
    "beside-pread": ("--size", SIZE, "--pread"),
    "direct-beside-pread": ("--size", BLOCK, "--direct", "--pread"),
}


@pytest.mark.parametrize("how", URING)
def test_uring(sluice, dataset, tmp, how):
    path = real_file(f"{dataset}/f")
    m = sluice(tagged(dataset))
    need(m, "read.io_uring")
    truth = run(tmp, "read", *KEEP, *URING[how], path)
    r = m.stop()
    exact(r, truth)
    if "--pread" not in URING[how]:
        assert r.ops() == sum(t["ops"] for t in truth)


def test_uring_of_untagged_files_is_quiet(sluice, dataset, data, tmp):
    real_file(f"{dataset}/f")
    path = real_file(f"{data}/untagged")
    m = sluice(tagged(dataset))
    truth = run(tmp, "read", *KEEP, "--size", SIZE, path)
    silent = run(tmp, "read", *KEEP, "--size", SIZE, "--silent", path, name="silent")
    r = m.stop()
    assert truth[0]["bytes"] > 0 and silent[0]["calls"] == COUNT
    assert not r.access() and not r.findings()


@pytest.mark.parametrize("how", [(), ("--fixed-files",), ("--direct",), ("--vector",)], ids="-".join)
def test_uring_without_completions_is_a_bound(sluice, dataset, tmp, how):
    """At least what was given out, at most what was asked for."""
    size = BLOCK if how == ("--direct",) else SIZE
    count = work.FILE // size  # none is short: a short one is completed after all
    path = real_file(f"{dataset}/f")
    m = sluice(tagged(dataset))
    need(m, "channel.io_uring")
    truth = run(tmp, "read", "--count", count, "--depth", "7", "--size", size, "--silent", *how, path)
    r = m.stop()
    assert truth[0]["bytes"] == 0
    pid = truth[0]["pid"]
    most = count * work.FILE if how == ("--vector",) else count * size
    assert count * size <= r.read("asked", process__pid=pid) <= most
    assert r.read(process__pid=pid) == 0
    assert {a["exact"] for a in r.access()} == {False}


RELAYS = {
    "plain": ("--size", SIZE), "worker": ("--size", SIZE, "--worker"), "vector": ("--size", SIZE, "--vector"),
    "sqpoll": ("--size", SIZE, "--sqpoll"), "multishot": ("--size", SIZE, "--multishot"),
    "aio": ("--size", SIZE, "--engine", "aio"),
}


@pytest.mark.parametrize("how", RELAYS)
def test_pipe(sluice, dataset, tmp, how):
    """Who reads the pipe may hold what was put in."""
    path = real_file(f"{dataset}/f")
    m = sluice(tagged(dataset))
    if how == "aio":
        if health(m)["backend"] != "trampoline":
            pytest.skip("libaio without direct I/O is seen by trampolines only")
        need(m, "read.libaio")
    else:
        need(m, "read.io_uring")
    truth = {t["role"]: t for t in run(tmp, "relay", "--count", COUNT, *RELAYS[how], path)}
    r = m.stop()
    assert r.read(process__pid=truth["read"]["pid"]) == truth["read"]["bytes"] > 0
    assert r.read(process__pid=truth["drain"]["pid"]) == 0
    assert truth["write"]["bytes"] == truth["drain"]["bytes"] > 0
    # a record of a transfer says what was added
    assert via(r, "pipe_read", to__process__pid=truth["drain"]["pid"]) == truth["drain"]["bytes"]
    assert via(r, "pipe_write", **{"from__process__pid": truth["read"]["pid"]}) == truth["write"]["bytes"]


@pytest.mark.parametrize("how", [(), ("--fixed-files",)], ids="-".join)
def test_uring_splice(sluice, dataset, data, tmp, how):
    path = real_file(f"{dataset}/f")
    m = sluice(tagged(dataset))
    need(m, "read.io_uring", "read.splice")
    truth = {t["role"]: t for t in run(tmp, "splice", "--size", SIZE, "--count", COUNT, *how, path, f"{data}/out")}
    r = m.stop()
    assert r.read(process__pid=truth["read"]["pid"]) == truth["read"]["bytes"] > 0


# --- libaio -----------------------------------------------------------------------------

AIO_DIRECT = {
    "blocks": ("--size", BLOCK), "large": ("--size", 19 * BLOCK), "vector": ("--size", 3 * BLOCK, "--vector"),
    "thread": ("--size", BLOCK, "--thread"), "forks": ("--size", BLOCK, "--procs", "5"),
    "beside-pread": ("--size", BLOCK, "--pread"), "refused": ("--size", BLOCK, "--refused", "13"),
}


@pytest.mark.parametrize("how", AIO_DIRECT)
def test_aio_direct(sluice, hooks, dataset, tmp, how):
    """The last block is a partial one. The kernel may drop calls of set B's programs under load, as `probe` says: then it
    is tried again."""
    path = real_file(f"{dataset}/f")
    for left in (2, 1, 0) if hooks == "tracepoint" else (0,):
        try:
            return aio_direct_once(sluice, dataset, tmp, how, path, f"try{left}")
        except AssertionError:
            if not left:
                raise


def aio_direct_once(sluice, dataset, tmp, how, path, name):
    m = sluice(tagged(dataset), name=name)
    need(m, "read.libaio", "read.libaio_submit")
    truth = run(tmp, "read", *KEEP, "--engine", "aio", "--direct", *AIO_DIRECT[how], path, name=f"async-{name}")
    r = m.stop()
    followed(r, truth)
    if r.read("asked") == 0:
        exact(r, truth)


@pytest.mark.parametrize("how", [(), ("--vector",), ("--pread",), ("--thread",), ("--refused", "13")], ids="-".join)
def test_aio_buffered(sluice, dataset, tmp, how):
    path = real_file(f"{dataset}/f")
    m = sluice(tagged(dataset))
    if health(m)["backend"] != "trampoline":
        pytest.skip("libaio without direct I/O is seen by trampolines only")
    truth = run(tmp, "read", *KEEP, "--engine", "aio", "--size", SIZE, *how, path)
    r = m.stop()
    exact(r, truth)


@pytest.mark.parametrize("engine", ["uring", "aio"])
def test_copy_is_derived(sluice, dataset, data, tmp, engine):
    """A file written by such requests holds what was read; who reads it then holds it too."""
    path = real_file(f"{dataset}/f")
    out = f"{data}/copy"
    m = sluice(tagged(dataset))
    if engine == "aio":
        if health(m)["backend"] != "trampoline":
            pytest.skip("libaio without direct I/O is seen by trampolines only")
        need(m, "read.libaio")
    else:
        need(m, "read.io_uring")
    truth = {t["role"]: t for t in run(tmp, "copy", *KEEP, "--engine", engine, "--size", SIZE, path, out)}
    again = run(tmp, "read", *KEEP, "--engine", engine, "--size", SIZE, out, name="again")
    r = m.stop()
    assert r.read() == truth["read"]["bytes"] > 0
    # its report is a file that it wrote, too
    copied = {"object__ino": os.stat(out).st_ino}
    assert via(r, "file_write", **{f"to__{k}": v for k, v in copied.items()}) == truth["write"]["bytes"]
    assert via(r, "file_read", **{f"from__{k}": v for k, v in copied.items()}) == again[0]["bytes"] > 0


# --- fio, which counts for itself --------------------------------------------------------

@pytest.mark.parametrize("engine, words", [
    ("io_uring", ("--iodepth=13",)),
    ("io_uring", ("--iodepth=13", "--sqthread_poll=1", "--registerfiles=1", "--fixedbufs=1")),
    ("io_uring", ("--iodepth=13", "--direct=1")),
    ("libaio", ("--iodepth=13", "--direct=1")),
], ids=["uring", "uring-sqpoll-fixed", "uring-direct", "libaio-direct"])
def test_fio_async(sluice, dataset, tmp, engine, words):
    path = real_file(f"{dataset}/f", 263 * BLOCK)
    if not shutil.which("fio"):
        pytest.skip("fio is not installed")
    m = sluice(tagged(dataset))
    need(m, "read.libaio" if engine == "libaio" else "read.io_uring")
    read = fio(tmp, path, engine, words)
    r = m.stop()
    assert read > 0
    assert r.read() + (r.read("asked") if engine == "libaio" else 0) == read


def fio(tmp, path, engine, words):
    import json
    report = os.path.join(tmp, "fio.json")
    work.must("fio", "--name=job", f"--filename={path}", f"--ioengine={engine}", f"--bs={BLOCK}",
              f"--number_ios={COUNT}", "--rw=randread", "--norandommap", "--randrepeat=1", "--allow_file_create=0",
              "--invalidate=0", *words, "--output-format=json", f"--output={report}", cwd=tmp)
    with open(report, encoding="utf-8") as f:
        text = f.read()
    return sum(j["read"]["io_bytes"] for j in json.loads(text[text.index("{"):])["jobs"])
