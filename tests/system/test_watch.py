# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Clients that watch the monitor: what they are told is what there is, whoever else is connected and whatever he does."""
import json
import os
import socket
import subprocess
import threading
import time

import pytest

import work
from monitor import tagged, wait_for
from watcher import Watcher
from where import PATIENCE, SCALE, SLUICE

pytestmark = pytest.mark.one_set

TICKS = os.sysconf("SC_CLK_TCK")
GROUP = 42424


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def by_key(document):
    """As a watcher has it."""
    key = "job" if document["type"] == "jobs" else "id"
    return {item[key] or "": item for item in document["items"]}


def test_what_is_told_is_what_there_is(sluice, dataset, lab, sink, actor, tmp):
    work.make_file(f"{dataset}/f", 100003)
    s = sink(lab.internet)
    m = sluice(tagged(dataset, network=lab.network))
    whats = ["jobs", "processes", "datasets", "destinations", "flows", "findings"]
    w = Watcher(m.socket, whats)
    for i in range(3):
        actor(f"read:{dataset}/f", s.to, f"send:{1009 * (i + 1)}").truth()
        w.follow(0.5)
    p = actor(f"read:{dataset}/f", s.to, "send:777", "say:ready", "wait-line")
    p.wait_said("ready")
    total = 1009 * 6 + 777
    w.until(lambda items: sum(f["bytes_out"] for f in items["flows"].values() if f["remote"]["addr"] == s.ip) == total)
    for what in whats:
        # it may change between the two: then both say the same soon after
        wait_for(f"{what}: the watcher's and show's are the same",
                 lambda: w.follow(0.3) and by_key(m.now(what)) == w.items[what])
    w.close()
    p.go()
    p.truth()
    m.stop()


def test_only_changes_are_sent(sluice, dataset, actor):
    """Of what stands still nothing is said but that time goes on."""
    work.make_file(f"{dataset}/f", 4099)
    m = sluice(tagged(dataset))
    p = actor("repeat:200{", "fork{", f"read:{dataset}/f", "wait-line", "}", "}", "say:ready", "wait-line")
    p.wait_said("ready")
    w = Watcher(m.socket, ["processes"])
    w.until(lambda items: len(items["processes"]) >= 200)
    w.follow(2)
    assert w.told[-1][0] - w.told[0][0] > 1
    whole, w.bytes = w.bytes, 0
    w.follow(1)
    assert w.bytes < whole / 20, (w.bytes, whole)
    w.close()
    p.kill()
    m.stop(losses=True)


@pytest.mark.parametrize("processes", [2000 // SCALE])
def test_cost_with_thousands_of_processes(sluice, dataset, actor, processes):
    work.make_file(f"{dataset}/f", 4099)
    m = sluice(tagged(dataset, interval="1s"))
    p = actor(f"repeat:{processes}{{", "fork{", f"read:{dataset}/f", "wait-line", "}", "}", "say:ready", "wait-line")
    p.wait_said("ready")
    wait_for("all are known", lambda: len(m.show("processes")["items"]) >= processes)
    seconds = 8
    used = cpu_seconds(m.process.pid)
    time.sleep(seconds)
    alone = (cpu_seconds(m.process.pid) - used) / seconds
    whats = ["jobs", "processes", "datasets", "destinations", "flows", "findings", "health"]
    several = [Watcher(m.socket, whats, 1000) for _ in range(4)]
    for w in several:
        w.until(lambda items: len(items["processes"]) >= processes)
    for w in several:
        w.follow(1.5)
        w.bytes = 0
    used = cpu_seconds(m.process.pid)
    threads = [threading.Thread(target=w.follow, args=(seconds,)) for w in several]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    watched = (cpu_seconds(m.process.pid) - used) / seconds
    print(f"{processes} processes, {len(several)} viewers at 1 s: {100 * (watched - alone):.2f} % of a core more than "
          f"{100 * alone:.2f} %, {several[0].bytes / seconds / 1024:.1f} KiB/s each")
    for w in several:
        assert w.generation["processes"] > seconds / 2, "nothing was told"
        w.close()
    # what it does now and then, and a machine that is slower for a while, must not fall on one side alone
    used = cpu_seconds(m.process.pid)
    time.sleep(seconds)
    alone = max(alone, (cpu_seconds(m.process.pid) - used) / seconds)
    assert watched - alone < 0.015
    p.kill()
    m.stop(losses=True)


# --- clients that mean no good -----------------------------------------------------------

def hostile(path, stop, made):
    """One after the other, as fast as it goes."""
    kinds = [
        lambda s: s.sendall(b'{"watch":["processes","flows","jobs"],"interval_ms":100}\n'),  # never reads
        lambda s: s.sendall(os.urandom(3000)),
        lambda s: s.sendall(b"x" * 5000),
        lambda s: s.sendall(b'{"watch":[' + b'"flows",' * 300),
        lambda s: [s.sendall(b'{"watch":[]}\n{"watch":["processes"],"again":["processes"]}\n') for _ in range(50)],
        lambda s: s.shutdown(socket.SHUT_WR),
        lambda s: None,
    ]
    kept = []
    while not stop.is_set():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(0.2)
        try:
            s.connect(path)
            kinds[made[0] % len(kinds)](s)
        except OSError:
            pass
        made[0] += 1
        kept.append(s)
        if len(kept) > 12:
            kept.pop(0).close()


def test_nobody_slows_the_monitor(sluice, dataset, actor):
    work.make_file(f"{dataset}/f", 100003)
    m = sluice(tagged(dataset))
    stuck = socket.socket(socket.AF_UNIX)
    stuck.connect(m.socket)
    stuck.sendall(b'{"watch":["processes","jobs","health"],"interval_ms":100}\n')
    good = Watcher(m.socket, ["datasets"], 200)
    stop, made = threading.Event(), [0]
    threads = [threading.Thread(target=hostile, args=(m.socket, stop, made)) for _ in range(3)]
    used, began = cpu_seconds(m.process.pid), time.monotonic()
    for t in threads:
        t.start()
    try:
        truth = actor("repeat:40{", f"read:{dataset}/f", "sleep:100", "}")
        while time.monotonic() - began < 8:
            assert good.line() is not None, "the one that reads was dropped"
        truth.truth()
    finally:
        stop.set()
        for t in threads:
            t.join()
    spent = (cpu_seconds(m.process.pid) - used) / (time.monotonic() - began)
    assert made[0] > 1000
    times = [when for when, _ in good.told]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert sorted(gaps)[len(gaps) // 2] < 0.5, gaps
    assert spent < 0.6, f"{made[0]} connections took {spent:.2f} of a core"
    good.until(lambda items: items["datasets"]["set"]["bytes_read"] == 40 * 100003)
    good.close()
    stuck.close()
    r = m.stop()
    assert r.read() == 40 * 100003
    # Its own intervals came when they were due.
    assert max(h["late_ms"] or 0 for h in r.of("health")) < 500


# --- who may --------------------------------------------------------------------------------

def as_other(argv, groups):
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, user=65534, group=65534,
                          extra_groups=groups, cwd="/")


def test_members_of_the_group_need_no_root(sluice, config, tmp):
    """The group is one in the monitor's eyes alone: this machine's own groups stay as they are."""
    os.chmod(tmp, 0o755)
    groups = os.path.join(tmp, "group")
    with open("/etc/group", encoding="utf-8") as f, open(groups, "w", encoding="utf-8") as g:
        g.write("".join(line for line in f if not line.startswith("sluice:")) + f"sluice:x:{GROUP}:\n")
    m = sluice(config, prefix=("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"', groups))
    st = os.stat(m.socket)
    assert st.st_gid == GROUP and st.st_mode & 0o777 == 0o660
    words = [SLUICE, "top", "--socket", m.socket, "--batch", "1", "--view", "datasets"]
    p = as_other(words, [GROUP])
    assert p.returncode == 0, p.stderr
    assert "set" in p.stdout
    p = as_other(words, [])
    assert p.returncode == 2 and p.stdout == ""
    assert p.stderr == f"sluice top: {m.socket}: only root and group {GROUP} may ask: use sudo\n"
    # Nor does he start a monitor of his own.
    p = as_other([*words[:2], "--socket", f"{tmp}/nobody.sock", *words[4:]], [GROUP])
    assert p.returncode == 2
    assert "only root can start one" in p.stderr
    m.stop()


# --- a monitor that ends, and another ----------------------------------------------------------

def test_viewer_outlives_the_monitor(sluice, config, dataset, actor):
    m = sluice(config)
    viewer = subprocess.Popen([SLUICE, "top", "--socket", m.socket, "--batch", "200", "--interval", "0.2", "--json", "--view", "datasets"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = json.loads(viewer.stdout.readline())
        assert first["items"][0]["bytes_read"] == 0
        m.again()
        actor(f"read:{dataset}/f").truth()
        deadline = time.monotonic() + PATIENCE
        while json.loads(viewer.stdout.readline())["items"][0]["bytes_read"] != work.FILE:
            assert time.monotonic() < deadline
        assert viewer.poll() is None
    finally:
        viewer.kill()
        viewer.communicate()
    m.stop()
