# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Many files, many processes, at once: totals stay exact."""
import pytest

import work
from monitor import tagged
from where import SCALE

SIZES = (101, 997, 4099, 12289)


def make_tree(path, files):
    for i in range(files):
        # 250 to a directory.
        work.make_file(f"{path}/{i // 250}/{i}", SIZES[i % len(SIZES)])
    return sum(SIZES[i % len(SIZES)] for i in range(files))


def test_100000_files_while_5000_processes_come_and_go(sluice, dataset, tmp):
    readers, files, births = 32, 100000 // SCALE // 32, 5000 // SCALE
    expected = [make_tree(f"{dataset}/r{i}", files) for i in range(readers)]
    work.make_file(f"{dataset}/small", 101)
    m = sluice(tagged(dataset))
    crowd = [work.Process(tmp, f"reader{i}", [work.program("reader"), "-o", "REPORT", "--wait-stdin", f"{dataset}/r{i}"])
             for i in range(readers)]
    # Half of them touch the dataset too; the other half are born of a process that is tainted.
    crowd.append(work.Process(tmp, "forker", [work.program("forker"), "-o", "REPORT", "--wait-stdin", "--count",
                                              str(births // 2), "--parallel", "16", "--touch", f"{dataset}/small"]))
    crowd.append(work.Process(tmp, "births", [work.program("actor"), "-o", "/dev/null", f"read:{dataset}/small",
                                              "say:ready", "wait-line", f"repeat:{births - births // 2}{{", "fork{",
                                              "exit", "}", "wait", "}"]))
    try:
        for p in crowd:
            p.wait_said("ready")
        for p in crowd:
            p.go()
        for p in crowd:
            assert p.wait() == 0, p.said()
        truth = [p.reports()[-1] for p in crowd[:readers + 1]]
    finally:
        for p in crowd:
            p.kill()
    r = m.stop(losses=True)
    assert [t["bytes"] for t in truth[:readers]] == expected
    total = sum(t["bytes"] for t in truth) + 101
    assert total == sum(expected) + 101 * (births // 2) + 101
    # Exact whatever was lost of the detail; and what was lost is counted.
    assert r.read() == total
    lost = r.losses()
    if not any(lost.get(reason) for reason in ("ledger_full", "ring_full", "taint_full")):
        assert r.ops() == sum(t["ops"] for t in truth) + 1
        assert r.files() == readers * files + births // 2 + 1
        for p, t in zip(crowd[:readers], truth):
            assert r.read(process__pid=t["pid"]) == t["bytes"]


@pytest.mark.parametrize("processes", [2000 // SCALE])
def test_many_short_senders(sluice, dataset, lab, sink, actor, processes):
    """Each reads, connects, sends and is gone; the bytes of all of them are there."""
    work.make_file(f"{dataset}/f", 4099)
    # A bound is never above the dataset's size: there must be room for all of it.
    work.make_file(f"{dataset}/large", 1 << 30)
    s = sink(lab.internet)
    m = sluice(tagged(dataset, network=lab.network))
    actor(f"repeat:{processes}{{", "fork{", f"read:{dataset}/f", s.to, "send:1009", "}", "wait", "}").truth()
    r = m.stop(losses=True)
    assert r.read() == processes * 4099
    assert r.to(s) == s.bytes() == processes * 1009
    bounds = sum(f["leak_bound"] for f in r.findings("exfil.volume", s).values())
    assert bounds == processes * 1009
