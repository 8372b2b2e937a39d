# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a monitor knows of who holds tagged bytes the next one knows too: stopped, killed or of a boot before."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

import work
from monitor import tagged, wait_for
from work import FILE

pytestmark = pytest.mark.usefixtures("brisk")

PART = 300007
READ = 500009
SENT = 70001


@pytest.fixture
def brisk(monkeypatch):
    """Each test here starts its monitor twice or more: canaries are for others to look at."""
    monkeypatch.setenv("SLUICE_SELF_TEST", "off")


@pytest.fixture(params=("stopped", "killed"))
def ended(request):
    """How the monitor before this one ended: ended(m) does it. What was known at that moment is on the disk by then."""
    def end(m):
        if request.param == "stopped":
            m.signal(signal.SIGTERM)
            assert m.process.wait() == 0
        else:
            m.signal(signal.SIGKILL)
            m.process.wait()
    return end


def state_file(m):
    folder = f"{m.file[:-5]}.state"
    names = [n for n in os.listdir(folder) if n.endswith(".lineage")] if os.path.isdir(folder) else []
    return os.path.join(folder, names[0]) if names else None


def kept(m):
    """What would be known again now."""
    path = state_file(m)
    if not path:
        return []
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def wait_kept(m, what, condition):
    """Until one of the kept holders is like that."""
    wait_for(f"kept: {what}; {kept(m)}", lambda: any(condition(k) for k in kept(m)))


def is_object(name, least=1):
    return lambda k: k["type"] == "object" and os.path.basename(k.get("path") or "") == name and k["bound"] >= least


def is_process(a, least=1):
    return lambda k: k["type"] == "process" and k["pid"] == a.pid and k["bound"] >= least


def chain(f):
    return [(h["via"], h["bytes"]) for h in f["chain"]]


def exfiltrations(r, sink):
    return list(r.findings("exfil.volume", sink).values())


# --- files ---------------------------------------------------------------------------------------

def test_a_file_is_uploaded_after(sluice, config, dataset, tmp, ended, actor, sink, lab):
    """Written under one monitor, renamed while none runs, read and sent under the next."""
    out = sink(lab.internet)
    m = sluice(config)
    actor("comm:packer", f"read:{dataset}/f", f"write:{tmp}/archive:{PART}").truth()
    wait_kept(m, "the archive", is_object("archive", PART))
    ended(m)
    os.rename(f"{tmp}/archive", f"{tmp}/renamed")
    m.start()
    actor("comm:sender", f"read:{tmp}/renamed", out.to, f"send:{READ}").truth()
    r = m.stop()
    f = r.finding("exfil.volume", out)
    assert f["leak_bound"] == PART
    assert f["exposed"] == FILE
    assert chain(f) == [("read", FILE), ("file_write", PART), ("file_read", PART), ("tcp", READ)]
    assert f["chain"][0]["from"] == "dataset set" and f["chain"][0]["to"].startswith("process packer[")
    assert f["chain"][1]["to"].endswith("/archive") and f["chain"][2]["from"].endswith("/renamed")
    assert f["chain"][2]["to"].startswith("process sender[")
    assert [h["time"] for h in f["chain"]] == sorted(h["time"] for h in f["chain"])
    assert r.read(dataset="set") == FILE  # told once
    assert out.bytes() == READ


@pytest.mark.parametrize("ended", ("stopped",), indirect=True)
def test_other_files_are_still_nobodys(sluice, config, dataset, tmp, ended, actor, sink, lab):
    out = sink(lab.internet)
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{tmp}/archive:{PART}").truth()
    work.make_file(f"{tmp}/other", READ)
    wait_kept(m, "the archive", is_object("archive", PART))
    ended(m)
    # one in the place of another is another one
    os.unlink(f"{tmp}/archive")
    work.make_file(f"{tmp}/archive", READ)
    m.start()
    actor(f"read:{tmp}/other", f"read:{tmp}/archive", out.to, f"send:{SENT}").truth()
    r = m.stop()
    assert r.findings() == {}
    assert r.to(out) == 0
    assert kept(m) == [] or all(k["type"] != "process" for k in kept(m))


def test_a_copy_goes_on_over_many_monitors(sluice, config, dataset, tmp, actor, sink, lab):
    out = sink(lab.internet)
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{tmp}/0:{PART}").truth()
    for i in range(3):
        m.again()
        actor(f"comm:copier{i}", f"read:{tmp}/{i}", f"write:{tmp}/{i + 1}:{PART + i}").truth()
    m.again()
    actor("comm:sender", f"read:{tmp}/3", out.to, f"send:{READ}").truth()
    r = m.stop()
    f = r.finding("exfil.volume", out)
    assert f["leak_bound"] == PART
    assert [h["via"] for h in f["chain"]] == ["read"] + ["file_write", "file_read"] * 4 + ["tcp"]
    assert [h["to"].split()[-1].split("[")[0] for h in f["chain"][2:-2:2]] == ["copier0", "copier1", "copier2"]


@pytest.mark.parametrize("ended", ("killed",), indirect=True)
def test_shared_files_in_memory(sluice, config, dataset, tmp, ended, actor, sink, lab):
    out, name = sink(lab.internet), f"/dev/shm/sluice-{os.getpid()}"
    m = sluice(config)
    try:
        actor(f"read:{dataset}/f", f"write:{name}:{PART}").truth()
        wait_kept(m, "the file", is_object(os.path.basename(name), PART))
        ended(m)
        m.start()
        actor(f"mmap:{name}", out.to, f"send:{READ}").truth()
        r = m.stop()
    finally:
        os.unlink(name)
    assert PART <= r.finding("exfil.volume", out)["leak_bound"] <= READ


# --- processes -----------------------------------------------------------------------------------

def test_a_process_goes_on(sluice, config, dataset, tmp, ended, actor, sink, lab):
    """It has read, and sends when the monitor is another one: over a connection that it had and over a new one."""
    old, new = sink(lab.internet), sink(lab.internet)
    m = sluice(config)
    a = actor("comm:holder", old.to.replace("connect", "connect@old"), f"read:{dataset}/f:{PART}", "say:ready", "wait-line",
              f"send@old:{SENT}", new.to.replace("connect", "connect@new"), f"send@new:{READ}")
    a.wait_said("ready")
    wait_kept(m, "the process", is_process(a, PART))
    ended(m)
    m.start()
    a.go()
    a.truth()
    r = m.stop()
    assert r.finding("exfil.volume", old)["leak_bound"] == SENT
    f = r.finding("exfil.volume", new)
    assert f["leak_bound"] == PART and f["process"]["comm"] == "holder"
    assert chain(f) == [("read", PART), ("tcp", READ)]
    assert r.to(old) == SENT and r.to(new) == READ


@pytest.mark.parametrize("ended", ("killed",), indirect=True)
def test_children_born_between(sluice, config, dataset, tmp, ended, actor, sink, lab):
    """Forked, and replaced by another image, while nobody watched."""
    out = sink(lab.internet)
    m = sluice(config)
    a = actor(f"read:{dataset}/f:{PART}", "say:ready", "wait-line",
              "fork{", "comm:child", "say:born", "wait-line", out.to, f"send:{SENT}", "}",
              "spawn{", "comm:spawned", "say:born", "wait-line", out.to, f"send:{SENT}", "}", "wait")
    a.wait_said("ready")
    wait_kept(m, "the process", is_process(a, PART))
    ended(m)
    a.go()
    a.wait_said("born")
    a.wait_said("born")
    m.start()
    a.go()
    a.go()
    a.truth()
    r = m.stop()
    found = exfiltrations(r, out)
    assert len(found) == 1 and found[0]["leak_bound"] == 2 * SENT
    assert r.to(out, process__comm="child") == r.to(out, process__comm="spawned") == SENT


@pytest.mark.parametrize("ended", ("stopped",), indirect=True)
def test_who_came_by_nothing_holds_nothing(sluice, config, dataset, tmp, ended, actor, sink, lab):
    """A process that ran before, its children, and a stranger with the same number of nothing."""
    out = sink(lab.internet)
    m = sluice(config)
    holder = actor(f"read:{dataset}/f:{PART}", "say:ready", "wait-line")
    clean = actor("say:ready", "wait-line", "fork{", out.to, f"send:{SENT}", "}", "wait")
    holder.wait_said("ready")
    clean.wait_said("ready")
    wait_kept(m, "the process", is_process(holder, PART))
    ended(m)
    m.start()
    clean.go()
    clean.truth()
    holder.go()
    holder.truth()
    r = m.stop()
    assert r.findings() == {}
    assert r.to(out) == 0


@pytest.mark.parametrize("ended", ("killed",), indirect=True)
def test_what_waits_in_a_pipe(sluice, config, dataset, tmp, ended, actor, sink, lab):
    """The writer is gone when the next monitor starts; the reader never had anything."""
    out, held = sink(lab.internet), 40009
    m = sluice(config)
    a = actor("pipe", "fork{", "close-write", "say:ready", "wait-line", f"read-pipe:{held}", out.to, f"send:{READ}", "}",
              "fork{", "close-read", f"read:{dataset}/f", f"write-pipe:{held}", "say:written", "}", "wait")
    a.wait_said("ready")
    a.wait_said("written")
    wait_kept(m, "the pipe", lambda k: k.get("kind") == "pipe" and k["bound"] == held)
    ended(m)
    m.start()
    a.go()
    a.truth()
    r = m.stop()
    f = r.finding("exfil.volume", out)
    assert f["leak_bound"] == held
    assert [h["via"] for h in f["chain"]] == ["read", "pipe_write", "pipe_read", "tcp"]


# --- budgets ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("ended", ("killed",), indirect=True)
def test_a_budget_goes_on(sluice, lab, dataset, tmp, ended, actor, sink):
    out = sink(lab.internet)
    work.make_file(f"{dataset}/f", FILE)
    config = tagged(dataset, network={**lab.network, "allow": [{"cidr": f"{out.ip}/32"}]})
    config["datasets"][0]["budget"] = {"outside_vpc": "500KiB", "per": "24h"}
    m = sluice(config)
    actor(f"read:{dataset}/f", out.to, f"send:{PART}").truth()
    wait_for("kept: all that was spent", lambda: any(sum(n for _, n in k.get("spent") or ()) == PART for k in kept(m)))
    assert not m.so_far().findings("budget.exceeded")
    ended(m)
    m.start()
    actor(f"read:{dataset}/f", out.to, f"send:{PART}").truth()
    r = m.stop()
    assert r.finding("budget.exceeded")["leak_bound"] == 2 * PART


# --- another boot, and what is not as it should be -----------------------------------------------------

def rewrite(m, change):
    path = state_file(m)
    with open(path, encoding="utf-8") as f:
        lines = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(change(lines))


def as_of_another_boot(text):
    """Device numbers may be others then, kernel addresses are nothing, and boot time begins anew."""
    text = re.sub(r'"boot":"[0-9a-f]{4}', '"boot":"ffff', text)
    text = re.sub(r'"dev":\d+', '"dev":4321', text)
    return re.sub(r'"wall_offset":(\d+)', lambda m: f'"wall_offset":{int(m[1]) - 3600 * 10**9}', text)


@pytest.mark.parametrize("renamed", (False, True), ids=("in-place", "renamed"))
def test_a_file_of_another_boot(sluice, config, data, dataset, tmp, actor, sink, lab, renamed):
    out, archive = sink(lab.internet), f"{data}/archive"
    m = sluice(config)
    a = actor(f"read:{dataset}/f", f"write:{archive}:{PART}", "say:ready", "wait-line", out.to, f"send:{SENT}")
    a.wait_said("ready")
    wait_kept(m, "the archive", is_object("archive", PART))
    m.signal(signal.SIGTERM)
    assert m.process.wait() == 0
    rewrite(m, as_of_another_boot)
    if renamed:
        os.rename(archive, f"{data}/else")
    m.start()
    # no process goes over a reboot: one with that number is another one
    a.go()
    a.truth()
    actor(f"read:{data}/{'else' if renamed else 'archive'}", out.to, f"send:{READ}").truth()
    r = m.stop()
    f = r.finding("exfil.volume", out)
    assert f["leak_bound"] == PART
    assert f["chain"][0]["time"] < f["chain"][-1]["time"]
    assert r.to(out) == READ


def test_one_that_is_not_there_yet_is_not_forgotten(sluice, config, data, dataset, tmp, actor, sink, lab):
    """Its file system is mounted later."""
    out, archive = sink(lab.internet), f"{data}/archive"
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{archive}:{PART}").truth()
    wait_kept(m, "the archive", is_object("archive", PART))
    m.signal(signal.SIGTERM)
    assert m.process.wait() == 0
    rewrite(m, lambda text: re.sub(r'"handle":"[0-9a-f]+"', '"handle":"00"', as_of_another_boot(text)))
    os.rename(archive, f"{data}/away")
    for i in range(2):
        m.start()
        assert m.said().count("can't be found yet") == i + 1
        m.signal(signal.SIGTERM)
        assert m.process.wait() == 0
        assert any(is_object("archive", PART)(k) for k in kept(m))
    m.start()
    os.rename(f"{data}/away", archive)
    os.mkdir(f"{data}/mnt")
    work.must("mount", "-t", "tmpfs", "sluice", f"{data}/mnt")
    time.sleep(1)
    actor(f"read:{archive}", out.to, f"send:{READ}").truth()
    r = m.stop()
    assert r.finding("exfil.volume", out)["leak_bound"] == PART


def test_a_dataset_that_is_another_one(sluice, config, data, dataset, tmp, actor, sink, lab):
    """The same word for another tree: nothing of the first is charged to it."""
    out, elsewhere = sink(lab.internet), f"{data}/elsewhere"
    os.mkdir(elsewhere)
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{tmp}/archive:{PART}").truth()
    m.signal(signal.SIGTERM)
    assert m.process.wait() == 0
    m.write(tagged(elsewhere, network=lab.network))
    m.start()
    assert "forgotten" in m.said()
    actor(f"read:{tmp}/archive", out.to, f"send:{SENT}").truth()
    assert m.stop().findings() == {}


@pytest.mark.parametrize("damage", ("cut", "garbled", "nonsense", "empty"))
def test_a_damaged_file_is_said(sluice, config, dataset, tmp, actor, sink, lab, damage):
    out = sink(lab.internet)
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{tmp}/archive:{PART}").truth()
    m.signal(signal.SIGTERM)
    assert m.process.wait() == 0
    assert [k["bound"] for k in kept(m) if is_object("archive")(k)] == [PART]
    rewrite(m, {"cut": lambda text: text[:-len('{"type":"end","holders":1}') // 2],
                "garbled": lambda text: text.replace('{"type":"end"', '{"type":"end\0"'),
                "nonsense": lambda text: "[]\n" + text,
                "empty": lambda text: ""}[damage])
    m.start()
    assert "is not known any more" in m.said()
    actor(f"read:{tmp}/archive", out.to, f"send:{READ}").truth()
    r = m.stop()
    if damage in ("cut", "garbled"):  # what stands before it still holds
        assert r.finding("exfil.volume", out)["leak_bound"] == PART
    else:
        assert r.findings() == {}
        assert os.path.exists(f"{state_file(m)}.bad") or os.path.exists(f"{m.file[:-5]}.state")


def test_a_folder_of_others_is_not_used(sluice, config, dataset, tmp, actor):
    folder = f"{tmp}/open"
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    m = sluice({**config, "state": folder})
    assert "others than root can write there" in m.said()
    actor(f"read:{dataset}/f", f"write:{tmp}/archive:{PART}").truth()
    r = m.stop()
    assert r.read(dataset="set") == FILE
    assert os.listdir(folder) == []


def test_nothing_is_kept_where_nothing_is_held(sluice, config, dataset):
    m = sluice(config)
    with open(f"{dataset}/f", "rb") as f:  # an actor's report would hold something
        subprocess.run(["cat"], stdin=f, stdout=subprocess.DEVNULL, check=True)
    m.wait_records("the read", lambda r: r.read(dataset="set") == FILE)
    m.stop()
    assert state_file(m) is None


def test_off(sluice, config, dataset, tmp, actor):
    m = sluice({**config, "state": "off"})
    actor(f"read:{dataset}/f", f"write:{tmp}/archive:{PART}").truth()
    m.stop()
    assert state_file(m) is None
