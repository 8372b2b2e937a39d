# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The commands of the README, as a newcomer runs them."""
import os
import re
import shutil
import subprocess

import pytest

from where import ROOT
from work import cgroup2_mount


def leftovers():
    links = set(re.findall(r"^\d+: ([^:@]+)", subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout, re.M))
    cgroups = {at for at, _, _ in os.walk(cgroup2_mount())}
    files = {f for f in os.listdir("/tmp") if f.startswith("sluice-demo")}
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = {line.split()[4] for line in f}
    processes = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read()
        except OSError:
            continue
        if b"sluice-demo" in line:
            processes.add(line)
    return {"links": links, "cgroups": cgroups, "files": files, "mounts": mounts, "processes": processes}


@pytest.fixture
def demo(root, set_refusals):
    script = os.path.join(ROOT, "scripts", "run.sh")
    if not os.path.exists(script) or not shutil.which("make"):
        pytest.skip("no source tree and compiler here, as in a virtual machine of the tests")
    return script


def test_demo(demo):
    before = leftovers()
    p = subprocess.run(["sh", demo], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    assert p.returncode == 0, p.stdout + p.stderr
    for word in ("exfil.volume", "slurm:4242.0", "203.0.113.", "datasets:", "sluice run"):
        assert word in p.stdout, p.stdout
    assert {k: v - before[k] for k, v in leftovers().items()} == {k: set() for k in before}


def test_demo_interrupted(demo):
    """Ctrl-C in the middle leaves nothing behind either."""
    before = leftovers()
    p = subprocess.Popen(["sh", demo], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    for line in p.stdout:
        if "training job" in line:
            break
    p.terminate()
    p.stdout.read()
    assert p.wait(60) not in (0, None)
    assert {k: v - before[k] for k, v in leftovers().items()} == {k: set() for k in before}
