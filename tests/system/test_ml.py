# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
Which jobs are ML jobs: by code of a framework that they map, or an accelerator that they hold. Nothing here reads tagged data.

No machine of ours has an accelerator: a pseudo-terminal and /dev/zero take its part, for a monitor whose /proc/devices gives
their drivers' numbers to nvidia. All else is as it would be.
"""
import glob
import json
import os
import shutil

import pytest

import work
from monitor import wait_for

SENT = 10007
LOADS = "import ctypes, sys; ctypes.CDLL(sys.argv[1])\n"
SENDS = """
import socket, sys
s = socket.create_connection((sys.argv[-2], int(sys.argv[-1])))
s.sendall(b"x" * %d)
""" % SENT
WAITS = "import sys; print('ready', flush=True); sys.stdin.readline()\n"


@pytest.fixture
def python(tmp):
    """python(code, argument, ..., cgroup=job): a script of that text. Ended with the test."""
    made = []

    def start(code, *argv, **options):
        p = work.Process(tmp, f"python{len(made)}", ["/usr/bin/python3", "-c", code, *argv], **options)
        made.append(p)
        return p

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def library(tmp):
    """library("libtorch_cpu.so"): a shared object of that name."""
    one = next(iter(glob.glob("/usr/lib/*/libz.so.1") + glob.glob("/lib/*/libz.so.1") + glob.glob("/usr/lib*/libz.so.1")), None)
    if not one:
        pytest.skip("no shared object to give another name")

    def make(name):
        path = os.path.join(tmp, name)
        shutil.copyfile(os.path.realpath(one), path)
        return path
    return make


@pytest.fixture
def other_job():
    made = work.Job()
    yield made
    made.close()


def done(p):
    assert p.wait() == 0, p.said()


def reasons(m, job):
    """As `show jobs` gives them; None: not an ML job."""
    for item in m.now("jobs")["items"]:
        if item["job"] == job.name:
            assert item["ml"] == bool(item["ml_reason"]), item
            return [(r["sign"], r["name"], r["pid"]) for r in item["ml_reason"]] or None
    return None


def unexpected(r):
    return list(r.findings("egress.unexpected").values())


# --- by a framework ------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["libtorch_cpu.so", "libcuda.so.1", "_pywrap_tensorflow_internal.so", "xla_extension.so"])
def test_framework(sluice, config, lab, sink, python, library, job, other_job, name):
    """Gone before anyone could have looked: only the kernel saw it. The same without a framework is nobody's concern."""
    s, t = sink(lab.internet), sink(lab.internet)
    m = sluice(config)
    p = python(LOADS + SENDS, library(name), s.ip, str(s.port), cgroup=job)
    done(p)
    done(python(LOADS + SENDS, library("torch.so"), t.ip, str(t.port), cgroup=other_job))
    r = m.stop()
    assert s.bytes() == t.bytes() == SENT
    found = unexpected(r)
    assert len(found) == 1, json.dumps(found, indent=1)
    assert (found[0]["job"], found[0]["remote"]["port"], found[0]["leak_bound"]) == (job.name, s.port, None)
    assert found[0]["ml_reason"] == [{"sign": "framework", "name": name, "pid": p.pid, "comm": "python3"}]
    assert r.findings("exfil.volume") == {}


def test_framework_mapped_before_the_monitor(sluice, config, lab, sink, python, library, job):
    s = sink(lab.internet)
    p = python(LOADS + WAITS + SENDS, library("libtorch.so"), s.ip, str(s.port), cgroup=job)
    p.wait_said("ready")
    m = sluice(config)
    assert reasons(m, job) == [("framework", "libtorch.so", p.pid)]
    p.go()
    done(p)
    assert len(unexpected(m.stop())) == 1
    assert s.bytes() == SENT


def test_another_process_of_the_job(sluice, config, lab, sink, python, library, actor, job):
    """Once an ML job, whatever runs in it: even after the one that showed it has ended."""
    s = sink(lab.internet)
    m = sluice(config)
    done(python(LOADS, library("libtensorflow.so.2"), cgroup=job))
    p = actor(s.to, f"send:{SENT}", cgroup=job)
    p.truth()
    r = m.stop()
    assert s.bytes() == SENT
    assert [f["process"]["pid"] for f in unexpected(r)] == [p.pid]


def test_who_only_reads_a_framework(sluice, config, lab, sink, python, library, job):
    """Copies it, and maps it as data."""
    s = sink(lab.internet)
    m = sluice(config)
    path = library("libtorch_cpu.so")
    looks = "import mmap, sys\nf = open(sys.argv[1], 'rb')\nf.read()\nmmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:]\n"
    done(python(looks + SENDS, path, s.ip, str(s.port), cgroup=job))
    r = m.stop()
    assert s.bytes() == SENT
    assert r.flow("bytes_out", job=job.name) == SENT
    assert r.findings() == {}


def test_expect_tainted_asks_for_no_ml(sluice, config, lab, sink, python, library, job):
    s = sink(lab.internet)
    m = sluice({**config, "network": {**config["network"], "expect": "tainted"}})
    done(python(LOADS + SENDS, library("libtorch_cpu.so"), s.ip, str(s.port), cgroup=job))
    r = m.stop()
    assert s.bytes() == SENT
    assert r.findings() == {}


# --- by an accelerator -----------------------------------------------------------------------------

@pytest.fixture
def accelerated(tmp, sluice, config):
    """accelerated(136): a monitor on a host where that major number is nvidia's."""
    def start(major):
        fake = os.path.join(tmp, "devices")
        with open(fake, "w", encoding="ascii") as f:
            f.write(f"Character devices:\n  4 tty\n{major:3} nvidia\n\nBlock devices:\n259 blkext\n")
        return sluice(config, prefix=["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc/devices && exec "$@"', fake])
    return start


OPENS = "import os\na, b = os.openpty()\n"
MAPS = "import mmap, os\nm = mmap.mmap(os.open('/dev/zero', os.O_RDWR), 4096)\n"


def test_accelerator_held_before_the_monitor(accelerated, python, job, other_job):
    p = python(OPENS + "print(os.ttyname(b), flush=True)\n" + WAITS, cgroup=job)
    q = python(WAITS, cgroup=other_job)
    q.wait_said("ready")
    p.wait_said("/dev/pts/0\nready")
    m = accelerated(136)
    found = reasons(m, job)
    assert [(f[0], f[2]) for f in found] == [("accelerator", p.pid)]
    assert found[0][1] == p.said().split()[0].rpartition("/")[2]
    assert reasons(m, other_job) is None
    m.stop()


def test_accelerator_mapped(accelerated, lab, sink, python, job):
    """Under whatever names libraries go."""
    s = sink(lab.internet)
    m = accelerated(1)
    p = python(MAPS + SENDS, s.ip, str(s.port), cgroup=job)
    done(p)
    r = m.stop()
    assert s.bytes() == SENT
    found = unexpected(r)
    assert len(found) == 1, json.dumps(found, indent=1)
    assert found[0]["ml_reason"] == [{"sign": "accelerator", "name": "zero", "pid": p.pid, "comm": "python3"}]


def test_accelerator_held(accelerated, python, job):
    """Opened while the monitor runs and not mapped: by the next look at all descriptors."""
    m = accelerated(136)
    p = python(OPENS + WAITS, cgroup=job)
    p.wait_said("ready")
    wait_for("the look at descriptors", lambda: reasons(m, job))
    assert [(f[0], f[2]) for f in reasons(m, job)] == [("accelerator", p.pid)]
    m.stop()


# --- what a job says of itself -------------------------------------------------------------------------

FORGED = {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "trusted", "SLURM_STEP_ID": "0", "RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "8",
          "KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "pod\x1b[2J-0", "STAGE": "eval",
          "SM_TRAINING_ENV": '{"job_name": "another"}', "TRAINING_JOB_NAME": "resnet"}
SAID = {"job_name": "resnet", "pod": "pod?[2J-0", "stage": "eval", "world_size": 8, "rank": 3, "local_rank": 1}


def labelled(m, job):
    items = {i["job"]: i for i in m.now("jobs")["items"]}
    return items if items.get(job, {}).get("job_labels") else None


def test_labels_decorate_and_decide_nothing(sluice, config, dataset, lab, sink, actor, job, other_job):
    """The same work twice, once with an environment that names jobs which may read: the same findings, but for labels."""
    s = sink(lab.internet)
    readers = {"readers": {"jobs": ["slurm:1", "slurm:1.*", "resnet", "trusted", "k8s:*"]}}
    m = sluice({**config, "datasets": [{**config["datasets"][0], **readers}], "jobs": ["resnet", "trusted", "slurm:1.0"]})
    steps = [f"read:{dataset}/f", s.to, f"send:{SENT}", "say:sent", "wait-line"]
    env = ["env", *(f"{k}={v}" for k, v in FORGED.items())]
    plain, forged = actor(*steps, cgroup=other_job), actor(*steps, cgroup=job, prefix=env)
    for p in (plain, forged):
        p.wait_said("sent")
    items = wait_for("labels", lambda: labelled(m, job.name))
    assert items[job.name]["job_labels"] == {k: SAID[k] for k in ("job_name", "pod", "stage", "world_size")}
    assert items[other_job.name]["job_labels"] == {}
    assert not items[job.name]["ml"] and not items[other_job.name]["ml"]
    assert next(i for i in m.now("processes")["items"] if i["process"]["pid"] == forged.pid)["job_labels"] == SAID
    for p in (plain, forged):
        p.go()
        p.truth()
    r = m.stop()
    assert s.bytes() == 2 * SENT
    of = {j.name: sorted((f["rule"], f["leak_bound"], f["severity"]) for f in r.findings(job=j.name).values()) for j in (job, other_job)}
    assert of[job.name] == of[other_job.name]
    assert {rule for rule, *_ in of[job.name]} == {"access.unauthorized", "exfil.volume"}
