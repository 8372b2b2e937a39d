# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The self-test: canaries come out to the byte, leave nothing behind, and a hook that sees nothing is a gap."""
import glob
import json
import os
import resource
import shutil
import subprocess

import pytest

import work
from monitor import run_sluice, tagged
from where import DATA, PATIENCE, SCALE, SLUICE
from work import FILE

# Facts whose canary needs nothing that a host may lack.
CORE = {"taint.fork", "taint.exec", "subject.exit", "read.read", "read.readv", "read.mmap", "taint.pipe_write",
        "taint.pipe_read", "taint.pipe_readv", "taint.descriptor", "identity.names", "flow.tcp", "flow.accept",
        "flow.sweep", "flow.udp_owner", "flow.udp_connect4", "flow.udp_sendmsg4", "flow.udp_release", "flow.udp_out",
        "flow.udp_in"}
DATAGRAMS = {"flow.udp_owner", "flow.udp_connect4", "flow.udp_sendmsg4", "flow.udp_out", "flow.udp_in"}
PROOFS = {"exact", "silent", "wrong", "not tested", "fires", "no canary", "gap"}


def self_test(*words, prefix=(), env=None, status=0, **options):
    p = subprocess.run([*prefix, SLUICE, "probe", "--self-test", "--json", *words], capture_output=True, text=True,
                       timeout=4 * PATIENCE, stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": DATA, **(env or {})},
                       **options)
    assert p.returncode == status, f"status {p.returncode}: {p.stderr}\n{p.stdout[-2000:]}"
    return json.loads(p.stdout)


def facts(document):
    return {f["fact"]: f for f in document["self_test"]["facts"]}


def results(document):
    return {name: f["result"] for name, f in facts(document).items()}


def left_behind():
    return glob.glob(f"{DATA}/.sluice-canary-*") + glob.glob("/var/tmp/.sluice-canary-*")


def canaries_alive():
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                if f.read().strip() == "sluice-canary":
                    found.append(path)
        except OSError:
            pass
    return found


def test_every_path_comes_out(root, hooks):
    told = self_test("--hooks", hooks)
    found = facts(told)
    assert told["self_test"]["why"] is None
    assert {f["result"] for f in found.values()} <= PROOFS
    gaps = {g["fact"] for g in told["gaps"] if not g["partial"]}
    for name in CORE - gaps:
        assert found[name]["result"] == "exact", found[name]
    assert len(CORE & gaps) == 0, gaps
    for name, f in found.items():
        assert (f["result"] == "gap") == (name in gaps), f
        if f["result"] == "exact":
            assert all(p["seen"] for p in f["paths"] if p["result"] == "exact")
            assert any(p["result"] == "exact" for p in f["paths"])
    read = {p["path"]: p for p in found["read.readv"]["paths"]}
    assert (read["preadv2"]["bytes"], read["preadv2"]["seen"]) == (1031, 1031)
    assert not left_behind() and not canaries_alive()
    if SCALE == 1:  # the machine may be slow for a moment
        assert told["self_test"]["took_ms"] < 3000 or self_test("--hooks", hooks)["self_test"]["took_ms"] < 3000


@pytest.mark.one_set
def test_programs_ran(root, hooks):
    """The second witness: the kernel's own count of runs."""
    found = facts(self_test("--hooks", hooks))
    if found["read.read"]["runs"] is None:
        pytest.skip("this kernel does not count runs of programs on request")
    for name in ("read.read", "taint.fork", "flow.tcp", "flow.udp_out"):
        assert found[name]["runs"] > 0, found[name]


@pytest.mark.one_set
def test_table(root, hooks):
    p = run_sluice("probe", "--self-test", "--hooks", hooks, timeout=4 * PATIENCE, env={**os.environ, "TMPDIR": DATA})
    assert p.returncode == 0, p.stderr
    table = p.stdout[p.stdout.index("\nFACT"):].split("\n")
    assert table[1].split() == ["FACT", "RESULT", "DETAIL"]
    assert [line.split()[:2] for line in table if line.startswith("read.readv ")] == [["read.readv", "exact"]]


def test_nothing_of_it_is_told(sluice, config, dataset, actor):
    m = sluice(config)
    assert not left_behind() and not canaries_alive()
    for what in ("processes", "flows", "jobs", "findings"):
        assert "canary" not in json.dumps(m.show(what)), what
    read = [d["bytes_read"] for d in m.show("datasets")["items"]]
    assert read == [0]
    p = actor(f"read:{dataset}/f", "say:done", "wait-line")
    p.wait_said("done")
    m.wait_records("the read", lambda r: r.read() == FILE)
    p.go()
    p.truth()
    r = m.stop()
    assert r.read() == FILE and len(r.access()) >= 1
    assert all(a["process"]["pid"] == p.pid for a in r.access())
    assert "canary" not in json.dumps(list(r))
    before = [t for t in r.of("transfer") if t["time"] < r.of("policy")[0]["time"]]
    # a descriptor that is closed during a call may be anyone's on this machine
    assert not before and not [f for f in r.findings("monitor.gap").values() if "loss.no_file" not in f["coverage"]]


@pytest.mark.one_set
def test_health_counts_programs(sluice, config):
    health = sluice(config).show("health")["health"]
    programs = {p["name"]: p for p in health["programs"]}
    owners = {o.split("=")[1] for o in health["owners"]}
    assert owners <= set(programs)
    assert all(p["recursion_misses"] in (0, None) for p in programs.values())
    assert all(p["runs"] is None or p["runs"] >= 0 for p in programs.values())
    assert isinstance(health["limits"], list)


@pytest.mark.one_set
def test_limits_stand_in_findings(sluice, config, dataset, lab, sink, actor, hooks):
    """What the set cannot know of a fact weakens what it says."""
    s = sink(lab.internet)
    m = sluice(config)
    limited = {text.split(":")[0] for text in m.show("health")["health"]["limits"]}
    p = actor(f"read:{dataset}/f", s.to, "send:5003", "close")
    p.truth()
    m.wait_records("the finding", lambda r: r.findings("exfil.volume", s))
    finding = m.stop().finding("exfil.volume", s)
    partly = {c.removeprefix("partly ") for c in finding["coverage"] if c.startswith("partly ")}
    assert partly <= limited
    assert ("read.read" in limited) == ("read.read" in partly)
    if hooks == "tracepoint":
        assert "read.read" in partly


# --- where a path cannot be walked --------------------------------------------------------------

@pytest.mark.one_set
def test_without_loopback(root, hooks):
    found = results(self_test("--hooks", hooks, prefix=("unshare", "-n")))
    for name in ("flow.tcp", "flow.accept", "flow.sweep", "flow.udp_connect4", "flow.udp_out", "flow.udp_in"):
        assert found[name] == "not tested", name
    assert found["read.read"] == found["flow.udp_owner"] == "exact"


@pytest.mark.one_set
def test_in_a_pid_namespace(root, hooks):
    told = self_test("--hooks", hooks, prefix=("unshare", "-f", "-p", "--mount-proc"))
    assert set(results(told).values()) <= {"not tested", "gap"}
    assert "namespace" in told["self_test"]["why"]


@pytest.mark.one_set
def test_with_no_place_for_files(root, hooks):
    """Files of no size: the directories can be made, the canary's file cannot."""
    def no_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    told = self_test("--hooks", hooks, preexec_fn=no_files)
    assert set(results(told).values()) <= {"not tested", "gap"}
    assert told["self_test"]["why"]
    assert not left_behind() and not canaries_alive()


@pytest.mark.one_set
def test_what_a_killed_one_left_is_removed(root, hooks):
    """The old one's; not what is new, which may be at work."""
    old, new = (f"{DATA}/.sluice-canary-{name}{os.getpid()}" for name in ("old", "new"))
    for path in (old, new):
        os.makedirs(f"{path}/in")
        os.mkdir(f"{path}/out")
        work.make_file(f"{path}/in/f", 101)
    os.utime(old, (1, 1))
    try:
        self_test("--hooks", hooks)
        assert not os.path.exists(old) and os.path.exists(f"{new}/in/f")
    finally:
        shutil.rmtree(new)


@pytest.mark.one_set
def test_io_uring_switched_off(root, hooks):
    path = "/proc/sys/kernel/io_uring_disabled"
    if not os.path.exists(path):
        pytest.skip("this kernel cannot switch io_uring off")
    with open(path, encoding="ascii") as f:
        before = f.read()
    try:
        with open(path, "w", encoding="ascii") as f:
            f.write("2")
        found = facts(self_test("--hooks", hooks))["read.io_uring"]
    finally:
        with open(path, "w", encoding="ascii") as f:
            f.write(before)
    assert found["result"] in ("not tested", "gap"), found
    if found["result"] == "not tested":
        assert "io_uring_setup" in found["detail"]


# --- attached, and silent --------------------------------------------------------------------------

@pytest.fixture
def outside_its_own_cgroups(tmp):
    """A shell that takes a small part of the cgroup tree for all of it, and is not in that part: programs that it attaches
    to its root never see it. A line on stdin lets it go on."""
    top = work.cgroup2_mount()
    part = os.path.join(top, f"sluice-part-{os.getpid()}")
    mount = os.path.join(tmp, "cgroups")
    os.mkdir(mount)
    try:
        os.mkdir(part)
    except OSError as e:
        pytest.skip(f"cannot make a cgroup: {e.strerror}")
    started = []

    def start(command):
        def enter():
            with open(os.path.join(part, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write("0")

        script = f"mount -t cgroup2 none {mount} && echo ready && read line && exec {command}"
        p = subprocess.Popen(["unshare", "-C", "-m", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, preexec_fn=enter, env={**os.environ, "TMPDIR": DATA})
        started.append(p)
        assert p.stdout.readline() == "ready\n", p.stderr.read()
        with open(os.path.join(top, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(p.pid))
        p.stdin.write("go\n")
        p.stdin.flush()
        return p

    yield start
    for p in started:
        if p.poll() is None:
            p.kill()
        p.wait()
    shutil.rmtree(mount, ignore_errors=True)
    os.rmdir(part)


@pytest.mark.one_set
def test_a_silent_hook_is_a_gap(root, hooks, outside_its_own_cgroups):
    p = outside_its_own_cgroups(f"{SLUICE} probe --self-test --json --hooks {hooks}")
    out, err = p.communicate(timeout=4 * PATIENCE)
    assert p.returncode == 1, err
    told = json.loads(out)
    found = facts(told)
    gaps = {g["fact"]: g["why"] for g in told["gaps"]}
    for name in DATAGRAMS:
        if name == "flow.udp_owner":
            continue  # of a process that holds tagged bytes, as the canary by then, sockets are also listed by that
        assert found[name]["result"] == "silent", found[name]
        assert gaps[name].startswith("attached but silent: canary")
    assert "canary of 1129 bytes by datagram out, IPv4 came out as 0" in gaps["flow.udp_out"]
    for name in ("read.read", "flow.tcp", "taint.fork"):
        assert found[name]["result"] == "exact", found[name]


@pytest.mark.one_set
def test_a_silent_hook_is_a_gap_of_the_monitor(root, hooks, outside_its_own_cgroups, tmp, dataset):
    """It says so when it starts, and in health."""
    with open(f"{tmp}/c.yaml", "w", encoding="utf-8") as f:
        json.dump(tagged(dataset), f)
    p = outside_its_own_cgroups(f"{SLUICE} run -c {tmp}/c.yaml --socket {tmp}/s --events {tmp}/e --once 1 --hooks {hooks}")
    _, err = p.communicate(timeout=4 * PATIENCE)
    assert p.returncode == 0, err
    assert "self-test: flow.udp_out: attached but silent" in err
    with open(f"{tmp}/e", encoding="utf-8") as f:
        health = [r for r in map(json.loads, f) if r["type"] == "health"][-1]
    assert any(g.startswith("flow.udp_out: attached but silent") for g in health["gaps"])
    assert not any(o.startswith("flow.udp_out=") for o in health["owners"])
    assert any(o.startswith("read.read=") for o in health["owners"])
