# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`show processes --tree`: who comes from whom, what each holds and by what it came."""
import json

import pytest

from monitor import run_sluice, wait_for
from work import FILE

pytestmark = pytest.mark.one_set


def tree(m, *words):
    p = run_sluice("show", "processes", "--tree", "--socket", m.socket, *words)
    assert p.returncode == 0, p.stderr
    return p.stdout


def test_tree(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    p = actor("comm:trainer", "pipe", "fork{", "comm:loader", f"read:{dataset}/f", "write-pipe:300007", "}",
              "fork{", "comm:sender", s.to, "read-pipe:300007", "send:300007", "say:sent", "wait-line", "}")
    p.wait_said("sent")

    def sent():
        items = {i["process"]["comm"]: i for i in json.loads(tree(m, "--json"))["items"] if i["process"]}
        return {"loader", "sender"} <= set(items) and items["sender"]["bytes_out"] == 300007 and not items["loader"]["alive"] and items
    items = wait_for("all was sent, and who read it has ended", sent)
    loader, sender = items["loader"], items["sender"]
    assert loader["process"]["parent"] == sender["process"]["parent"]
    assert loader["bytes"]["read"] == loader["volume"]["set"] == FILE
    assert loader["alive"] is False and sender["alive"] is True
    assert sender["volume"]["set"] == 300007
    way = next(w for w in sender["received"] if w["via"] == "pipe_read")
    assert way["bytes"] == 300007
    assert way["from"] == [f"loader[{loader['process']['pid']}]"]
    assert way["object"].startswith("pipe:[")

    text = tree(m)
    lines = text.splitlines()
    assert any(f"loader[{loader['process']['pid']}] (ended)" in line for line in lines), text
    at = next(i for i, line in enumerate(lines) if f"sender[{sender['process']['pid']}]" in line)
    assert "set 293 KiB" in lines[at], text
    assert any("← pipe_read 293 KiB of set from loader[" in line for line in lines[at + 1:at + 4]), text
    p.go()
    p.truth()
    m.stop()


def test_image_and_child_are_below(sluice, config, dataset, actor):
    m = sluice(config)
    p = actor(f"read:{dataset}/f:70001", "exec", "fork{", "say:there", "wait-line", "}")
    p.wait_said("there")

    def seen():
        items = [i for i in json.loads(tree(m, "--json"))["items"] if i["process"] and i["datasets"]]
        return len(items) == 3 and items
    first, second, child = wait_for("three holders", seen)
    assert first["process"]["pid"] == second["process"]["pid"] == p.pid
    assert second["image"] == first["image"] + 1
    assert second["depth"] == first["depth"] + 1
    assert child["depth"] == second["depth"] + 1
    assert child["process"]["parent"]["pid"] == p.pid
    assert [w["via"] for w in second["received"]] == ["exec"]
    assert [w["via"] for w in child["received"]] == ["fork"]
    p.go()
    p.truth()
    m.stop()


def test_only_processes_have_one(root):
    p = run_sluice("show", "flows", "--tree")
    assert p.returncode == 2
    assert "--tree" in p.stderr
