# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`show destinations`: who talks to what, one line for each remote end, and by which entry it may."""
import os

import pytest

from monitor import run_sluice

pytestmark = pytest.mark.one_set


def ends(m, sink=None):
    items = m.now("destinations")["items"]
    return [d for d in items if not sink or (d["remote"]["addr"], d["remote"]["port"]) == (sink.ip, sink.port)]


def test_one_line_for_each_end(sluice, config, dataset, lab, sink, actor, job):
    allowed, out, inside = sink(lab.internet), sink(lab.internet), sink(lab.vpc)
    config["network"] = {**config["network"], "allow": [{"cidr": "192.0.2.0/24"}, {"cidr": f"{allowed.ip}/32", "port": allowed.port}]}
    m = sluice(config)
    for name, size in (("one", 10007), ("two", 20011)):
        actor(f"comm:{name}", f"read:{dataset}/f:70001", allowed.to, f"send:{size}", out.to, f"send:{size}", inside.to,
              f"send:{size}", cgroup=job).truth()
    for one in (allowed, out, inside):
        one.wait_quiet()
    to_allowed, to_out, to_inside = (ends(m, s) for s in (allowed, out, inside))
    assert len(to_allowed) == len(to_out) == len(to_inside) == 1
    for d in (*to_allowed, *to_out, *to_inside):
        assert d["bytes_out"] == d["tainted_out"] == 30018
        assert d["flows"] == 2 and d["live"] == 0 and d["proto"] == "tcp" and d["direction"] == "out"
        assert d["datasets"] == ["set"] and d["jobs"] == [job.name]
        assert sorted(p.split("[")[0] for p in d["processes"]) == ["one", "two"]
    line = next(i for i, text in enumerate(open(m.file, encoding="utf-8"), 1) if text.startswith("network"))
    assert to_allowed[0]["allowed"] is True and to_allowed[0]["because"] == f"network.allow[1], line {line}"
    assert to_out[0]["allowed"] is False and to_out[0]["because"] == "no entry of network.allow covers it"
    assert to_inside[0]["allowed"] is None and to_inside[0]["because"] == "vpc is inside"
    shown = run_sluice("show", "destinations", "--socket", m.socket).stdout
    assert f"{out.ip}:{out.port}" in shown and "ALLOWED" in shown and "BECAUSE" in shown
    r = m.stop()
    assert {f["allowed"] for f in r.of("flow", remote__port=allowed.port)} == {f"network.allow[1], line {line}"}
    assert {f["allowed"] for f in r.of("flow", remote__port=out.port)} == {None}


def test_who_comes_in_is_one_by_its_address(sluice, config, dataset, lab, actor):
    """A server's clients come from another port each time. (At loopback anyone on this machine may come in meanwhile.)"""
    client, at = lab.vpc.address(), f"{lab.vpc.gateway}:47123"
    m = sluice(config)
    server = actor(f"read:{dataset}/f", f"listen@door:tcp:{at}", "say:ready",
                   "repeat:3{", "accept:door", "send:1009", "shutdown", "recv", "close", "}")
    server.wait_said("ready")
    for _ in range(3):
        actor(f"connect:tcp:{at}", "recv:1009", "shutdown", host=lab.vpc).truth()
    server.truth()
    found = [d for d in ends(m) if d["direction"] == "in" and d["remote"]["addr"] == client]
    assert len(found) == 1 and found[0]["flows"] >= 1 and found[0]["remote"]["port"] is None
    assert found[0]["bytes_out"] == 3 * 1009
    assert found[0]["allowed"] is None
    m.stop()


def test_a_rule_for_one_dataset_covers_no_other(sluice, config, data, dataset, lab, sink, actor):
    out = sink(lab.internet)
    config["network"] = {**config["network"], "allow": [{"cidr": f"{out.ip}/32", "datasets": ["set"]}]}
    other = f"{data}/other"
    os.mkdir(other)
    config["datasets"] = [*config["datasets"], {"id": "other", "path": other}]
    with open(f"{other}/f", "wb") as f:
        f.truncate(10007)
    m = sluice(config)
    actor(f"read:{dataset}/f", out.to, "send:1009").truth()
    assert [d["allowed"] for d in ends(m, out)] == [True]
    actor(f"read:{other}/f", out.to, "send:1013").truth()
    found = ends(m, out)
    assert [d["allowed"] for d in found] == [False]
    assert found[0]["because"].startswith("only in part by network.allow[0], line ")
    assert found[0]["tainted_out"] == 1009 + 1013
    m.stop()
