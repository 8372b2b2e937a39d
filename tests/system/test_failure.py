# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What goes wrong is said in clear words, with the right status, and loses nothing that can be kept."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import records
import work
from monitor import Monitor, run_sluice, tagged, wait_for, yaml
from where import SLUICE
from work import FILE

pytestmark = pytest.mark.one_set

NO_RIGHTS = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"]
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "-all"]


# --- bad configuration ------------------------------------------------------------------------------

BAD = {
    "unknown-key": ("datasets: []\nnetwrk: {}\n", 2, 1, "netwrk"),
    "unknown-key-below": ("network:\n  vpc: off\n  alow: []\n", 3, 3, "alow"),
    "duplicate-id": ("datasets:\n  - { id: a, path: DIR/a }\n  - { id: a, path: DIR/b }\n", 3, 11, "'a'"),
    "overlap": ("datasets:\n  - { id: a, path: DIR/a }\n  - { id: b, path: DIR/a/in }\n", 3, None, "a"),
    "same-path": ("datasets:\n  - { id: a, path: DIR/a }\n  - { id: b, path: DIR/a/ }\n", 3, None, "a"),
    "missing-path": ("datasets:\n  - { id: a, path: DIR/none }\n", 2, 20, "DIR/none"),
    "no-path": ("datasets:\n  - { id: a }\n", 2, None, "path"),
    "relative-path": ("datasets:\n  - { id: a, path: some/where }\n", 2, 20, "some/where"),
    "bad-id": ("datasets:\n  - { id: A b, path: DIR/a }\n", 2, 11, "A b"),
    "long-id": ("datasets:\n  - { id: " + "x" * 64 + ", path: DIR/a }\n", 2, 11, "63"),
    "bad-cidr": ("network:\n  vpc_cidrs: [10.0.0.0/33]\n", 2, 15, "10.0.0.0/33"),
    "host-bits": ("network:\n  vpc_cidrs: [10.0.0.1/16]\n", 2, 15, "10.0.0.1/16"),
    "bad-size": ("datasets:\n  - id: a\n    path: DIR/a\n    budget: { outside_vpc: lots, per: 24h }\n", 4, 28, "lots"),
    "bad-duration": ("interval: soon\n", 1, 11, "soon"),
    "bad-choice": ("network: { expect: nobody }\n", 1, 20, "nobody"),
    "bad-mode": ("datasets:\n  - id: a\n    path: DIR/a\n    mode: shout\n", 4, 11, "shout"),
    "list-wanted": ("datasets: { id: a, path: DIR/a }\n", 1, None, "list"),
    "no-yaml": ("datasets: [\n", None, None, ""),
    "tab": ("datasets:\n\t- id: a\n", 2, 1, ""),
    "twice": ("interval: 1s\ninterval: 2s\n", 2, 1, "interval"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["check", "run"])
def test_bad_configuration(root, tmp, data, name, command):
    text, line, column, word = BAD[name]
    os.makedirs(f"{data}/a/in")
    os.mkdir(f"{data}/b")
    path = f"{tmp}/bad.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("DIR", data))
    words = ["run", "--once", "1", "--events", f"{tmp}/never", "--socket", f"{tmp}/sock"] if command == "run" else ["check"]
    p = run_sluice(*words, "-c", path)
    assert p.returncode == 2, p.stderr
    where = re.search(r"bad\.yaml:(\d+):(\d+): ", p.stderr)
    assert where, p.stderr
    if line:
        assert int(where[1]) == line, p.stderr
    if column:
        assert int(where[2]) == column, p.stderr
    assert word.replace("DIR", data) in p.stderr
    # Nothing was begun.
    assert not os.path.exists(f"{tmp}/never")


def test_65_datasets(root, tmp, data):
    for i in range(65):
        os.mkdir(f"{data}/s{i}")
    path = f"{tmp}/many.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(yaml({"datasets": [{"id": f"s{i}", "path": f"{data}/s{i}"} for i in range(65)]}))
    p = run_sluice("check", "-c", path)
    assert p.returncode == 2
    assert "64" in p.stderr


def test_no_configuration_file(root, tmp):
    p = run_sluice("run", "--once", "1", "-c", f"{tmp}/none.yaml")
    assert p.returncode == 2
    assert f"{tmp}/none.yaml" in p.stderr
    assert "No such file" in p.stderr or "not found" in p.stderr or "does not exist" in p.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_unreadable_dataset(root, tmp, data, command):
    os.chmod(tmp, 0o777)
    os.makedirs(f"{data}/closed/inside")
    os.chmod(f"{data}/closed", 0o700)
    path = f"{tmp}/c.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"datasets:\n  - id: a\n    path: {data}/closed/inside\n")
    words = [command, "-c", path] + (["--once", "1", "--socket", f"{tmp}/s"] if command == "run" else [])
    p = subprocess.run([*NOBODY, SLUICE, *words], capture_output=True, text=True, timeout=60)
    assert p.returncode == 2, p.stderr
    assert "c.yaml:3:11: " in p.stderr
    assert f"{data}/closed/inside" in p.stderr
    assert "may not be read" in p.stderr or "ermission denied" in p.stderr, p.stderr


# --- no rights ----------------------------------------------------------------------------------------

def test_no_bpf_rights(root, tmp, dataset, hooks):
    m = Monitor(tmp, tagged(dataset), hooks=hooks, prefix=NO_RIGHTS).start(ready=False)
    assert m.wait() == 3
    said = m.said()
    # What is missing, and a command that would help.
    assert "CAP_" in said or "root" in said, said
    assert "sudo" in said or "sluice probe" in said or "setcap" in said or "AmbientCapabilities" in said, said
    assert len(said.splitlines()) <= 3, said


def test_probe_without_rights(root):
    p = subprocess.run([*NO_RIGHTS, SLUICE, "probe"], capture_output=True, text=True, timeout=60)
    assert p.returncode == 3
    assert "CAP_" in p.stdout + p.stderr or "root" in p.stdout + p.stderr


# --- --events ---------------------------------------------------------------------------------------------

def test_full_disk_and_room_again(sluice, dataset, tmp, small_disk):
    """While there is no room the figures wait; then they are all there."""
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset), events=f"{small_disk}/events.jsonl")
    work.fill(small_disk)
    for i in range(7):
        work.reader(tmp, dataset, name=f"r{i}")
    wait_for("it says that the disk is full", lambda: "No space left" in m.said())
    assert f"{small_disk}/events.jsonl" in m.said()
    assert m.dataset_read("set") == 7 * FILE
    lines = len(m.said().splitlines())
    os.unlink(f"{small_disk}/ballast")
    m.wait_records("all that was read", lambda r: r.read() == 7 * FILE)
    # Said once, not once an interval.
    assert lines <= 5, m.said()
    assert m.stop().read() == 7 * FILE


def test_full_disk_to_the_end(sluice, dataset, tmp, small_disk):
    """What cannot be written must not end as if it had been."""
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset), events=f"{small_disk}/events.jsonl")
    work.fill(small_disk)
    work.reader(tmp, dataset)
    m.signal(signal.SIGTERM)
    assert m.wait() == 1
    assert "No space left" in m.said()


def test_events_cannot_be_opened(root, tmp, dataset, hooks):
    m = Monitor(tmp, tagged(dataset), hooks=hooks, events=f"{tmp}/none/events.jsonl").start(ready=False)
    assert m.wait() == 2
    assert f"{tmp}/none/events.jsonl" in m.said()


def test_reader_of_events_goes_away(root, dataset, tmp, hooks):
    """`sluice run --events - | head -n 1`: it ends or goes on, but it says so and is not killed by a signal."""
    work.make_file(f"{dataset}/f", FILE)
    m = Monitor(tmp, tagged(dataset), hooks=hooks, events="-")
    m.start(ready=False, stdout=subprocess.PIPE)
    try:
        assert json.loads(m.process.stdout.readline())["v"] == 1
        m.process.stdout.close()
        work.reader(tmp, dataset)
        wait_for("it notices", lambda: "roken pipe" in m.said() or m.process.poll() is not None)
        m.signal(signal.SIGTERM)
        assert m.wait() in (0, 1)
        assert "roken pipe" in m.said()
    finally:
        m.kill()


def test_slow_reader_of_events(root, dataset, tmp, hooks):
    """A reader that stops reading for a while gets it all in the end."""
    work.make_file(f"{dataset}/f", 4099)
    m = Monitor(tmp, tagged(dataset), hooks=hooks, events="-")
    m.start(ready=False, stdout=subprocess.PIPE)
    try:
        m.wait_ready()
        # More records than a pipe holds.
        truth = work.reader(tmp, "--procs", "400", dataset)
        wait_for("it counted them", lambda: m.dataset_read("set") == truth["bytes"])
        text = ""
        m.signal(signal.SIGTERM)
        with m.process.stdout as out:
            text = out.read().decode()
        assert m.wait() == 0, m.said()
        assert records.parse(text).read() == truth["bytes"] == 400 * 4099
    finally:
        m.kill()


# --- the socket ---------------------------------------------------------------------------------------------

def test_killed_readers_of_the_socket(sluice, dataset, tmp):
    work.make_file(f"{dataset}/f", 4099)
    m = sluice(tagged(dataset))
    truth = work.reader(tmp, "--procs", "200", dataset)
    for talk in (b"", b"{", b'{"show":"processes"}', b'{"show":"processes"}\n' * 50, b"\xff" * 70000, b"\n" * 9000):
        for linger in (0, 0.05):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(m.socket)
                s.settimeout(1)
                try:
                    s.sendall(talk)
                except OSError:
                    pass
                time.sleep(linger)
    for _ in range(10):
        p = subprocess.Popen([SLUICE, "show", "processes", "--json", "--socket", m.socket],
                             stdout=subprocess.PIPE)
        time.sleep(0.005)
        p.kill()
        p.communicate()
    assert m.dataset_read("set") == truth["bytes"]
    assert m.stop().read() == truth["bytes"]


def test_idle_clients_keep_nobody_out(sluice, dataset):
    """As many connections as it takes, none of which says anything."""
    m = sluice(tagged(dataset))
    idle = []
    try:
        for _ in range(100):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(m.socket)
            except (BlockingIOError, ConnectionRefusedError):
                pass
            idle.append(s)
        wait_for("an answer in spite of them", lambda: m.show("health", check=False))
    finally:
        for s in idle:
            s.close()
    m.stop()


def test_second_monitor_at_the_same_socket(sluice, dataset, tmp, hooks):
    m = sluice(tagged(dataset))
    second = Monitor(tmp, tagged(dataset), hooks=hooks, name="second")
    second.argv[second.argv.index("--socket") + 1] = m.socket
    second.start(ready=False)
    assert second.wait() == 2
    assert m.socket in second.said()
    assert m.show("health")
    m.stop()
    assert not os.path.exists(m.socket)


def test_socket_of_a_dead_monitor_is_taken_over(sluice, dataset):
    m = sluice(tagged(dataset))
    m.signal(signal.SIGKILL)
    m.process.wait()
    assert os.path.exists(m.socket)
    m.start()
    m.stop()


# --- reload --------------------------------------------------------------------------------------------------

def test_reload_good(sluice, data, tmp):
    for name in "ab":
        work.make_file(f"{data}/{name}/f", FILE)
    m = sluice(tagged(f"{data}/a"))
    work.reader(tmp, data)
    m.wait_records("one file", lambda r: r.read() == FILE)
    m.write({"datasets": [{"id": "set", "path": f"{data}/a"}, {"id": "more", "path": f"{data}/b"}]})
    m.signal(signal.SIGHUP)
    m.wait_records("a second policy", lambda r: len(r.of("policy")) == 2)
    work.reader(tmp, data, name="again")
    r = m.stop()
    assert r.read(dataset="set") == 2 * FILE
    assert r.read(dataset="more") == FILE
    first, second = r.of("policy")
    assert first["digest"] != second["digest"]


def test_reload_takes_a_dataset_away(sluice, data, tmp):
    """And puts another in its place: what the first had stays the first one's."""
    for name in "ab":
        work.make_file(f"{data}/{name}/f", FILE)
    m = sluice({"datasets": [{"id": "first", "path": f"{data}/a"}]})
    work.reader(tmp, data)
    m.wait_records("one file", lambda r: r.read() == FILE)
    m.write({"datasets": [{"id": "second", "path": f"{data}/b"}]})
    m.signal(signal.SIGHUP)
    m.wait_records("a second policy", lambda r: len(r.of("policy")) == 2)
    work.reader(tmp, data, name="again")
    r = m.stop()
    assert r.read(dataset="first") == FILE
    assert r.read(dataset="second") == FILE


@pytest.mark.parametrize("text", ["datasets: [\n", "datasets:\n  - { id: set, path: /nowhere/at/all }\n", "nonsense: 1\n"])
def test_reload_bad(sluice, dataset, tmp, text):
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset))
    m.write(text)
    m.signal(signal.SIGHUP)
    wait_for("it says so", lambda: re.search(r"m\.yaml:\d+:\d+: ", m.said()))
    work.reader(tmp, dataset)
    r = m.stop()
    assert r.read(dataset="set") == FILE
    assert len(r.of("policy")) == 1


# --- its own end ------------------------------------------------------------------------------------------------

def test_once(root, tmp, dataset, hooks, actor):
    work.make_file(f"{dataset}/f", FILE)
    m = Monitor(tmp, tagged(dataset), hooks=hooks, once=3)
    m.start()
    started = time.monotonic()
    work.reader(tmp, dataset)
    assert m.wait() == 0, m.said()
    assert time.monotonic() - started > 1
    assert m.records().read() == FILE


def test_once_drains_what_is_still_open(root, tmp, dataset, hooks, lab, sink, actor):
    """Final totals hold live flows and live readers too."""
    work.make_file(f"{dataset}/f", FILE)
    s = sink(lab.internet)
    m = Monitor(tmp, tagged(dataset, network=lab.network), hooks=hooks, once=4)
    m.start()
    p = actor(s.to, f"read:{dataset}/f", "send:300007", "say:sent", "wait-line")
    p.wait_said("sent")
    assert m.wait() == 0, m.said()
    p.go()
    p.truth()
    r = m.records()
    assert r.read() == FILE
    assert r.to(s) == s.bytes() == 300007
    assert r.finding("exfil.volume", s)["leak_bound"] == 300007


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_well(sluice, dataset, tmp, number):
    work.make_file(f"{dataset}/f", FILE)
    m = sluice(tagged(dataset))
    work.reader(tmp, dataset)
    m.signal(number)
    assert m.wait() == 0, m.said()
    assert m.records().read() == FILE
    assert not os.path.exists(m.socket)


def pins():
    return {os.path.join(at, name) for at, dirs, files in os.walk("/sys/fs/bpf") for name in dirs + files}


def test_nothing_stays_pinned(sluice, dataset):
    before = pins()
    m = sluice(tagged(dataset))
    m.stop()
    assert pins() <= before
