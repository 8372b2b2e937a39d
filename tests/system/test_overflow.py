# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Maps that are too small: detail is lost and says so, bytes are not."""
import json

import work
from monitor import run_sluice, tagged, wait_for

ROOM = 64


def test_a_full_ledger_loses_no_byte(sluice, dataset, tmp, monkeypatch):
    monkeypatch.setenv("SLUICE_MAP_MAX", str(ROOM))
    work.make_file(f"{dataset}/f", 12289)
    m = sluice(tagged(dataset))
    crowd = [work.Process(tmp, f"reader{i}", [work.program("reader"), "-o", "REPORT", "--wait-stdin", "--hold", "3",
                                              f"{dataset}/f"]) for i in range(2 * ROOM)]
    try:
        for p in crowd:
            p.wait_said("ready")
        for p in crowd:
            p.go()
        for p in crowd:
            assert p.wait() == 0, p.said()
    finally:
        for p in crowd:
            p.kill()
    r = m.stop(losses=True)
    assert r.read() == 12289 * len(crowd)
    spilled = [a for a in r.access() if a.get("overflow")]
    assert spilled and all(a["process"] is None for a in spilled)
    assert sum(a["bytes"]["read"] for a in spilled) >= 12289 * (len(crowd) - ROOM)
    assert r.losses()["ledger_full"] >= len(crowd) - ROOM
    assert r.losses()["taint_full"] > 0
    # What a full map can make too low is a finding; what only costs detail is not.
    gaps = [f["title"] for f in r.findings("monitor.gap").values()]
    assert any("taint of processes" in t for t in gaps), gaps


def test_a_full_flow_map_is_a_gap(sluice, dataset, lab, sink, actor, monkeypatch):
    monkeypatch.setenv("SLUICE_MAP_MAX", "16")
    m = sluice(tagged(dataset))
    s = sink(lab.internet)
    actor("fork:40{", s.to, "send:101", "sleep:1500", "}").truth()
    assert s.bytes() == 40 * 101
    r = m.stop(losses=True)
    assert r.losses()["flow_full"] >= 24
    spilled = sum(f["bytes_out"] for f in r.of("flow") if f.get("overflow"))
    assert 40 * 101 <= r.to(s, "bytes_out") + spilled < 40 * 101 + (1 << 20)  # others on this machine have no room either
    assert any("connections" in f["title"] for f in r.findings("monitor.gap").values())
    p = run_sluice("report", "--events", m.events, "--json")
    assert p.returncode == 0, p.stderr
    assert json.loads(p.stdout)["records"]["read"] == len(r), "those without a remote among them"


def test_more_files_than_there_is_room_to_know(sluice, dataset, monkeypatch):
    """Known by their names alone, and the administrator hears what that means."""
    monkeypatch.setenv("SLUICE_MAP_MAX", str(ROOM))
    for i in range(2 * ROOM):
        work.make_file(f"{dataset}/{i}", 101)
    m = sluice(tagged(dataset))
    wait_for("the walk said so", lambda: "too many files in the datasets: files that are moved out" in m.said())
    assert m.show("datasets")["items"][0]["used"]["files_total"] == 2 * ROOM
    work.must("cat", f"{dataset}/7")
    assert m.stop().read() == 101
