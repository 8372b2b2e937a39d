# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
The viewer on a monitor at work, in a terminal that people use (tmux): what a person sees, how soon, and that it goes on
when the monitor comes and goes.
"""
import os
import re
import shlex
import shutil
import subprocess
import time

import pytest

from monitor import run_sluice, wait_for, yaml
from where import PATIENCE, SLUICE

pytestmark = pytest.mark.one_set

WORKERS, PIPED, LEAKED = 4, 300007, 900001  # 879 KiB
SOON = 3  # seconds from the first byte that left to the finding on the screen


class Tmux:
    def __init__(self, tmp, columns=100, rows=30):
        self.server = ["tmux", "-f", "/dev/null", "-S", os.path.join(tmp, "tmux")]
        self.size = ["-x", str(columns), "-y", str(rows)]

    def do(self, *words):
        return subprocess.run([*self.server, *words], capture_output=True, text=True, timeout=PATIENCE).stdout

    def open(self, *argv):
        command = " ".join(shlex.quote(a) for a in argv)
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "tmux-256color"}
        subprocess.run([*self.server, "new-session", "-d", *self.size, f"{command}; echo it ended with $?; sleep 600"], check=True,
                       env=environment, timeout=PATIENCE)

    def screen(self):
        return self.do("capture-pane", "-p")

    def keys(self, *names):
        for name in names:
            self.do("send-keys", name)
            time.sleep(0.1)

    def wait(self, text, seconds=PATIENCE):
        return wait_for(f"{text} on the screen", lambda: re.search(text, self.screen()) and self.screen(), seconds)

    def close(self):
        self.do("kill-server")


@pytest.fixture
def terminal(tmp):
    if not shutil.which("tmux"):
        pytest.skip("tmux is not here")
    t = Tmux(tmp)
    yield t
    t.close()


def steps_of_a_leak(dataset, address):
    """As trainings are: loaders read, what they forked hands on by a pipe, and another one sends."""
    total = WORKERS * PIPED
    return ["comm:trainer", "pipe", "fork{", "comm:sender", f"read-pipe:{total}", f"connect@out:tcp:{address}", f"send@out:{LEAKED}",
            "sleep:1000", "close@out", "}", f"fork:{WORKERS}{{", "comm:loader", f"read:{dataset}", "fork{", "comm:augment",
            f"write-pipe:{PIPED}", "}", "}"]


def test_a_finding_is_on_the_screen_at_once(sluice, config, dataset, actor, sink, lab, job, terminal):
    m = sluice(config)
    out = sink(lab.internet)
    terminal.open(SLUICE, "top", "--socket", m.socket)
    terminal.wait("findings  none")
    assert "live, every 1 s" in terminal.screen()
    a = actor(*steps_of_a_leak(dataset, out.at), cgroup=job)
    wait_for("something that has left", lambda: m.show("flows")["items"] and any(
        f["tainted_out"] and f["remote"]["class"] == "internet" for f in m.show("flows")["items"]), PATIENCE)
    begin = time.monotonic()
    screen = terminal.wait(r"findings +\d+ (critical|high|medium|low|info)", SOON)
    print(f"{time.monotonic() - begin:.2f} s\n{screen}")
    a.truth()
    terminal.wait(re.escape(job.name) + r".*● set.*879 KiB")
    terminal.keys("6")
    terminal.wait(r"exfil\.volume.*set.*879 KiB")
    terminal.wait(r"pipe_read .*→ sender\[\d+\]")
    terminal.wait(r"└─ tcp +879 KiB → " + re.escape(out.at))
    terminal.keys("1")
    terminal.wait(re.escape(job.name) + r".*● set.*879 KiB")  # a table is empty until the monitor has told it
    terminal.keys("Enter")
    terminal.wait(rf"(?s)Jobs › {re.escape(job.name)} › Processes(?=.*sender\[)(?=.*loader\[)")
    terminal.keys("q")
    terminal.wait("it ended with 0")


def test_a_monitor_that_comes_back(sluice, config, terminal, tmp):
    m = sluice(config)
    terminal.open(SLUICE, "top", "--socket", m.socket)
    terminal.wait("live, every 1 s")
    m.stop()
    terminal.wait("MONITOR LOST")
    m.start()
    terminal.wait("live, every 1 s")
    terminal.keys("q")
    terminal.wait("it ended with 0")


def test_a_viewer_that_is_killed_leaves_the_monitor_alone(sluice, config, terminal):
    m = sluice(config)
    terminal.open(SLUICE, "top", "--socket", m.socket)
    terminal.wait("live, every 1 s")
    terminal.close()
    time.sleep(0.5)
    assert m.show("health")["health"]["backend"]


def test_a_replay_on_the_screen(sluice, config, dataset, actor, sink, lab, job, terminal):
    m = sluice(config)
    out = sink(lab.internet)
    actor(*steps_of_a_leak(dataset, out.at), cgroup=job).truth()
    wait_for("a finding", lambda: m.show("findings")["items"], PATIENCE)
    m.stop()
    terminal.open(SLUICE, "top", "--replay", m.events, "--view", "findings")
    terminal.wait("replay ")
    terminal.keys("}", "}", "}", "]", *["]"] * 40)
    terminal.wait(r"exfil\.volume")
    terminal.wait("replay (ENDED|PAUSED)? *100 %")
    terminal.keys("q")
    terminal.wait("it ended with 0")


def test_an_embedded_monitor_on_the_screen(config, terminal, tmp):
    path = os.path.join(tmp, "embedded.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(yaml(config))
    terminal.open(SLUICE, "top", "-c", path, "--socket", os.path.join(tmp, "nobody.sock"), "--view", "health")
    terminal.wait("live, every 1 s", 60)
    terminal.wait("own +hook set +(trampoline|tracepoint)")
    terminal.keys("q")
    terminal.wait("it ended with 0", 60)


def test_without_a_terminal():
    p = run_sluice("top")
    assert p.returncode == 2 and "--batch N" in p.stderr
