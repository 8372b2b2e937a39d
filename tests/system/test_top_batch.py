# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`sluice top --batch`: of a running monitor, of one of its own, of what was recorded."""
import glob
import json
import os
import signal
import subprocess
import time

import pytest

import work
from monitor import run_sluice, tagged, wait_for, yaml
from where import PATIENCE, SLUICE

pytestmark = pytest.mark.one_set

WORDS = ("jobs", "processes", "datasets", "destinations", "flows", "findings", "health")


def rounds(*words):
    p = run_sluice("top", *words, "--json", timeout=4 * PATIENCE)
    assert p.returncode == 0, p.stderr
    return [json.loads(line) for line in p.stdout.splitlines()]


def mine(document):
    """Items that have to do with the dataset: others on this machine do as they like."""
    return sorted(json.dumps(i) for i in document["items"] if "set" in (i.get("id"), i.get("dataset"), *i.get("datasets", ())))


def test_rounds_of_a_running_monitor(sluice, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(config)
    p = actor("comm:uploader", f"read:{dataset}/f", s.to, "send:300007", "say:sent", "wait-line")
    p.wait_said("sent")
    m.wait_records("all of it", lambda r: r.to(s) == 300007)
    time.sleep(0.5)
    for what in WORDS:
        documents = rounds("--socket", m.socket, "--batch", "2", "--interval", "0.2", "--view", what)
        assert len(documents) == 2
        assert [d["type"] for d in documents] == [what, what]
        assert documents[0]["time"] < documents[1]["time"]
        if what != "health":
            assert mine(documents[1]) == mine(m.now(what)) != []
    table = run_sluice("top", "--socket", m.socket, "--batch", "3", "--interval", "0.2", "--view", "processes")
    assert table.returncode == 0
    assert table.stdout.count("uploader[") == 3
    assert len([line for line in table.stdout.splitlines() if line.endswith("Z processes")]) == 3
    p.go()
    p.truth()
    m.stop()


def test_replay_tells_what_the_monitor_told(sluice, config, dataset, lab, sink, actor):
    s, near = sink(lab.internet), sink(lab.vpc)
    m = sluice(config)
    actor(f"read:{dataset}/f", s.to, "send:100003").truth()
    actor(f"read:{dataset}/f", near.to, "send:5003").truth()
    p = actor("pipe", "fork{", f"read:{dataset}/f", "write-pipe:70001", "}", "read-pipe:70001", s.to, "send:70001", "say:sent", "wait-line")
    p.wait_said("sent")
    m.wait_records("all of it", lambda r: r.to(s) == 170004 and r.to(near) == 5003)
    time.sleep(0.5)
    told = {what: m.now(what)["items"] for what in WORDS if what != "health"}
    p.go()
    p.truth()
    m.stop()

    def replayed(what):
        d, = rounds("--replay", m.events, "--batch", "1", "--view", what)
        return d["items"]

    def same(what, key, *members):
        was, now = {json.dumps(key(i)): i for i in told[what]}, {json.dumps(key(i)): i for i in replayed(what)}
        for k, item in now.items():
            if k in was:
                assert {x: item[x] for x in members} == {x: was[k][x] for x in members}, k
        # Who did nothing is in no record.
        for k in set(was) - set(now):
            assert not any(was[k][x] for x in members if isinstance(was[k][x], int)), was[k]
        return now

    def who(item):
        return item["process"] and [item["process"]["pid"], item["process"]["start"], item["process"]["exe"]]

    assert same("datasets", lambda i: i["id"], "bytes_read", "readers", "findings")
    assert same("processes", who, "bytes_out", "tainted_out")
    by_process = {json.dumps(who(i)): i["bytes"]["read"] for i in replayed("processes")}
    assert {k: n for k, n in by_process.items() if n} == {json.dumps(who(i)): i["bytes"]["read"] for i in told["processes"] if i["bytes"]["read"]}
    assert same("destinations", lambda i: i["remote"], "bytes_out", "tainted_out", "allowed")
    # What is exposed is judged once more at the end.
    assert same("findings", lambda i: i["id"], "rule", "leak_bound", "severity")
    assert same("jobs", lambda i: i["job"], "bytes_read", "bytes_out")
    # What records do not carry is not known, and never 0.
    assert all(i["volume"] is None and i["alive"] is None for i in replayed("processes"))
    assert all(i["leak_bound"] is None for i in replayed("jobs"))
    # Some rounds of it, an interval apart.
    d = rounds("--replay", m.events, "--batch", "4", "--interval", "1", "--view", "datasets")
    figures = [sum(i["bytes_read"] for i in x["items"]) for x in d]
    assert figures == sorted(figures) and figures[-1] == told["datasets"][0]["bytes_read"]


# --- a monitor of one's own -----------------------------------------------------------------------

def leftovers():
    return glob.glob("/run/sluice-top-*") + glob.glob("/tmp/sluice-top-*")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(n) for n in f.read().split()]


@pytest.fixture
def own(config, tmp, hooks):
    """Words for a monitor of one's own that watches the dataset."""
    path = os.path.join(tmp, "own.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(yaml({**config, "interval": "200ms"}))
    return ["top", "-c", path, "--socket", os.path.join(tmp, "nobody.sock"), "--interval", "0.2", "--json", "--view", "datasets"]


def viewer_of(own):
    p = subprocess.Popen([SLUICE, *own, "--batch", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    json.loads(p.stdout.readline())
    return p


def test_embedded(own, dataset, actor):
    before = leftovers()
    p = viewer_of(own)
    try:
        assert len(leftovers()) == len(before) + 1
        child, = children(p.pid)
        place, = set(leftovers()) - set(before)
        assert os.stat(place).st_mode & 0o777 == 0o700
        actor(f"read:{dataset}/f").truth()
        deadline = time.monotonic() + PATIENCE
        while json.loads(p.stdout.readline())["items"][0]["bytes_read"] != work.FILE:
            assert time.monotonic() < deadline
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=PATIENCE)
        assert p.returncode == 2
        assert not os.path.exists(f"/proc/{child}")
        assert leftovers() == before
    finally:
        p.kill()
        p.communicate()


def test_embedded_ends_with_a_killed_viewer(own):
    before = set(leftovers())
    p = viewer_of(own)
    child, = children(p.pid)
    p.kill()
    p.communicate()
    wait_for("its monitor ends", lambda: not os.path.exists(f"/proc/{child}"))
    for place in set(leftovers()) - before:
        assert os.listdir(place) == []
        os.rmdir(place)


def test_embedded_that_is_killed_is_told(own):
    p = viewer_of(own)
    child, = children(p.pid)
    os.kill(child, signal.SIGKILL)
    out, err = p.communicate(timeout=PATIENCE)
    assert p.returncode == 2
    assert err.splitlines()[-1].startswith("sluice top: the embedded monitor ended")


def test_why_it_did_not_start(own, tmp):
    with open(own[2], "a", encoding="utf-8") as f:
        f.write("nonsense: 1\n")
    before = leftovers()
    p = run_sluice(*own, "--batch", "1")
    assert p.returncode == 2 and p.stdout == ""
    assert p.stderr.splitlines()[-1].startswith(f"sluice top: the embedded monitor did not start: {own[2]}:")
    assert leftovers() == before


# --- usage -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, told", [
    (("--batch", "0"), "--batch: '0' is no number of times"),
    (("--batch", "-1"), "--batch: '-1'"),
    (("--batch", "1", "--view", "moon"), "--view: 'moon' is none of jobs|processes|"),
    (("--replay", "/nothing/there", "--batch", "1"), "/nothing/there: No such file or directory"),
    (("--replay", "/dev/null", "--batch", "1"), "neither a file nor a journal's directory"),
    (("--json",), "--json: it is for scripts: give --batch N too"),
])
def test_usage(root, words, told):
    p = run_sluice("top", *words)
    assert p.returncode == 2 and p.stdout == ""
    assert told in p.stderr


def test_nobody_reads(sluice, config):
    """A reader that has enough ends it."""
    m = sluice(config)
    p = subprocess.Popen([SLUICE, "top", "--socket", m.socket, "--batch", "1000", "--interval", "0.1"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    p.stdout.readline()
    p.stdout.close()
    assert p.wait(PATIENCE) == 2
    assert "could not write to standard output" in p.stderr.read()
    p.stderr.close()
    m.stop()
