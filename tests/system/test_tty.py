# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Terminals: what a tainted process shows is carried away by who holds the other end, and what is typed goes the other way."""
import os
import subprocess
import sys

import pytest

import work
from work import FILE

SHOWN = 3001

# Holds a pseudo-terminal's master, and passes on what comes out of it, as sshd does: `ADDR PORT REPORT SECRET PROGRAM...`
HOLDER = r"""
import json, os, pty, socket, sys, termios, tty
addr, port, report, program = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
master, slave = pty.openpty()
tty.setraw(slave)
pid = os.fork()
if not pid:
    os.setsid()
    os.close(master)
    os.dup2(slave, 0)
    os.dup2(slave, 1)
    os.execvp(program[0], program)
os.close(slave)
sock, total = None, 0
while True:
    try:
        data = os.read(master, 4096)
    except OSError:
        break
    if not data:
        break
    total += len(data)
    if not sock:  # not before: who is born after a connection could have it
        sock = socket.create_connection((addr, port))
    sock.sendall(data)
status = os.waitpid(pid, 0)[1]
with open(report, "w") as f:
    json.dump({"pid": os.getpid(), "passed_on": total, "status": status}, f)
    f.write("\n")
"""

# Types into a terminal what it read; the program at the other end sends what it is typed.
TYPIST = r"""
import json, os, pty, sys, tty
dataset, report, n, program = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
master, slave = pty.openpty()
tty.setraw(slave)
pid = os.fork()
if not pid:
    os.close(master)
    os.dup2(slave, 0)
    os.execvp(program[0], program)
os.close(slave)
with open(dataset, "rb", buffering=0) as f:
    data = f.read(n)
done = 0
while done < n:
    done += os.write(master, data[done:done + 97])
status = os.waitpid(pid, 0)[1]
with open(report, "w") as f:
    json.dump({"pid": os.getpid(), "typed": done, "child": pid, "status": status}, f)
    f.write("\n")
"""

SENDER = r"""
import os, socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
left = int(sys.argv[3])
while left:
    data = os.read(0, left)
    sock.sendall(data)
    left -= len(data)
"""


@pytest.fixture
def run(tmp):
    made = []

    def start(script, *words, **options):
        made.append(work.Process(tmp, f"script{len(made)}", [sys.executable, "-c", script, *map(str, words)], **options))
        return made[-1]

    yield start
    for p in made:
        p.kill()


def done(p):
    assert p.wait() == 0, p.said()
    return p.last_report()


def ways(finding):
    return [hop["via"] for hop in finding["chain"]]


def test_what_is_shown_is_sent_by_the_holder(sluice, config, dataset, run, sink, lab):
    """`ssh host head -c 3001 FILE`, without ssh: few bytes, and no more than were shown."""
    s = sink(lab.internet)
    m = sluice(config)
    truth = done(run(HOLDER, s.ip, s.port, "REPORT", "head", "-c", SHOWN, f"{dataset}/f"))
    r = m.stop()
    assert truth["status"] == 0
    assert truth["passed_on"] == s.bytes() == SHOWN
    f = r.finding("exfil.volume", s)
    assert f["leak_bound"] == SHOWN
    assert f["severity"] == "info"
    assert f["process"]["pid"] == truth["pid"]
    assert ways(f)[-3:] == ["tty_write", "tty_read", "tcp"]
    assert "head[" in f["chain"][-3]["from"]
    assert f["chain"][-2]["from"].startswith("terminal ")
    assert r.to(s) == SHOWN


def test_what_others_show_there_is_not_counted(sluice, config, dataset, run, sink, lab):
    """A session in which a tainted process shows a little, and an untainted one much, before and after."""
    s = sink(lab.internet)
    m = sluice(config)
    script = 'head -c 50021 /dev/zero; head -c 101 "$1"; head -c 50021 /dev/zero'
    truth = done(run(HOLDER, s.ip, s.port, "REPORT", "sh", "-c", script, "sh", f"{dataset}/f"))
    r = m.stop()
    assert truth["passed_on"] == s.bytes() == 2 * 50021 + 101
    assert r.finding("exfil.volume", s)["leak_bound"] == 101


def test_nothing_shown(sluice, config, dataset, run, sink, lab):
    """The reader holds the terminal, and shows nothing of what it read."""
    s = sink(lab.internet)
    m = sluice(config)
    script = 'cat "$1" > /dev/null; head -c 50021 /dev/zero'
    truth = done(run(HOLDER, s.ip, s.port, "REPORT", "sh", "-c", script, "sh", f"{dataset}/f"))
    r = m.stop()
    assert truth["passed_on"] == s.bytes() == 50021
    assert r.read() == FILE
    assert not r.findings()
    assert r.to(s) == 0


def test_typed(sluice, config, dataset, run, sink, lab):
    """The other way: from the master to the slave, as `expect` does."""
    s = sink(lab.internet)
    m = sluice(config)
    truth = done(run(TYPIST, f"{dataset}/f", "REPORT", SHOWN, sys.executable, "-c", SENDER, s.ip, s.port, SHOWN))
    r = m.stop()
    assert truth["status"] == 0
    assert truth["typed"] == s.bytes() == SHOWN
    f = r.finding("exfil.volume", s)
    assert f["leak_bound"] == SHOWN
    assert f["process"]["pid"] == truth["child"]
    assert ways(f)[-3:] == ["tty_write", "tty_read", "tcp"]


def test_the_next_session_has_nothing_of_the_last(sluice, config, dataset, run, sink, lab):
    """The kernel gives the next terminal the same number at once."""
    first, second = sink(lab.internet), sink(lab.internet)
    m = sluice(config)
    done(run(HOLDER, first.ip, first.port, "REPORT", "head", "-c", SHOWN, f"{dataset}/f"))
    done(run(HOLDER, second.ip, second.port, "REPORT", "head", "-c", SHOWN, "/dev/zero"))
    r = m.stop()
    assert first.bytes() == second.bytes() == SHOWN
    assert r.finding("exfil.volume")["leak_bound"] == SHOWN
    assert r.to(first) == SHOWN and r.to(second) == 0


def test_script(sluice, config, dataset, tmp, sink, lab):
    """A stock tool: what script(1) records of its terminal goes into a file, and another sends it."""
    if subprocess.run(["sh", "-c", "command -v script socat"], capture_output=True).returncode:
        pytest.skip("script or socat is not installed")
    s = sink(lab.internet)
    m = sluice(config)
    log = os.path.join(tmp, "typescript")
    quiet = {"check": True, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run(["script", "-q", "-e", "-c", f"head -c {SHOWN} {dataset}/f | od -An -v -tx1", log], **quiet)
    subprocess.run(["socat", "-u", f"FILE:{log}", f"TCP:{s.at}"], **quiet)
    r = m.stop()
    f = r.finding("exfil.volume", s)
    assert 0 < f["leak_bound"] <= SHOWN
    assert f["exposed"] <= FILE
    assert "tty_read" in ways(f) and "file_read" in ways(f)
