# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
A real PyTorch training over tagged files (trainer.py): who read how much, that its metrics are quiet, and that its checkpoint's
upload is one finding with the right bound. Not in virtual machines: PyTorch and what it needs are 300 MB, and under
emulation its import alone takes minutes.
"""
import importlib.util
import json
import os
import random

import pytest

import lab as lab_module
import work
from carriers import needs

pytestmark = [pytest.mark.one_set, pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="python3-torch is not installed")]

TRAINER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trainer.py")
FILES, SIZE, KEPT = 61, 40009, 23
DATASET = FILES * SIZE
BUDGET = 64 << 10


class Training(work.Process):
    def __init__(self, tmp, name, *words, env=None, **options):
        settings = [f"{k}={v}" for k, v in (env or {}).items()]
        super().__init__(tmp, name, ["env", *settings, "/usr/bin/python3", TRAINER, "--report", "REPORT", *words], **options)

    def truth(self):
        status = self.wait()
        assert status == 0, f"trainer: status {status}: {self.said()}"
        return self.last_report()


@pytest.fixture
def samples(dataset):
    noise = random.Random(7)
    for i in range(FILES):
        with open(f"{dataset}/{i:03}.bin", "wb") as f:
            f.write(noise.randbytes(SIZE))
    return dataset


@pytest.fixture
def training(tmp, samples, job):
    made = []

    def start(*words, **options):
        made.append(Training(tmp, f"trainer{len(made)}", "--data", samples, "--keep", str(KEPT), *words, cgroup=job, **options))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def policy(lab, samples):
    """policy(allowed): the dataset with a budget, and one host that metrics may go to."""
    def make(allowed):
        return {"datasets": [{"id": "set", "path": samples, "tags": {"DataType": "PII"},
                              "budget": {"outside_vpc": "64KiB", "per": "24h"}}],
                "network": {**lab.network, "allow": [{"cidr": f"{allowed.ip}/32", "port": allowed.port}]}}
    return make


def upload(tmp, path, to, job):
    """By another process of the job, which read nothing else."""
    p = work.Process(tmp, "upload", ["curl", "-sS", "-o", os.devnull, "-T", path, to.url], cgroup=job)
    assert p.wait() == 0, p.said()
    return p


def about_upload(r, p, to, size):
    """One finding of each kind there must be, and its bound from both sides."""
    rules = sorted(f["rule"] for f in r.findings().values())
    assert rules == ["budget.exceeded", "egress.unexpected", "exfil.volume"], json.dumps(list(r.findings().values()), indent=1)
    f = r.finding("exfil.volume", to)
    assert f["process"]["pid"] == p.pid
    assert KEPT * SIZE <= f["leak_bound"] <= size
    assert KEPT * SIZE <= f["exposed"] <= DATASET
    return f


def quiet_metrics(m, r, vpc, allowed):
    assert r.to(vpc, "bytes_out") == vpc.bytes() > 0
    assert r.to(allowed, "bytes_out") == allowed.bytes()
    assert 0 < allowed.bytes() < BUDGET
    assert r.findings(sink=vpc) == r.findings(sink=allowed) == {}


@pytest.mark.parametrize("workers", [0, 4])
def test_training(sluice, policy, lab, http, training, tmp, job, workers):
    """Training itself: every byte, no finding, and what kind of job it is."""
    vpc, allowed = http(lab.vpc), http(lab.internet)
    m = sluice(policy(allowed))
    p = training("--workers", str(workers), "--metrics", vpc.at, "--metrics", allowed.at, "--checkpoint", f"{tmp}/model.pt",
                 env={"TRAINING_JOB_NAME": "tiny", "LOCAL_RANK": "0"})
    truth = p.truth()
    item = next(i for i in m.now("jobs")["items"] if i["job"] == job.name)
    assert item["ml"]
    assert [r["sign"] for r in item["ml_reason"]] == ["framework"]
    assert item["ml_reason"][0]["name"].startswith("libtorch")
    r = m.stop()
    assert r.read(job=job.name) == truth["read"] == DATASET
    assert r.files(job=job.name) == FILES
    assert len({a["process"]["pid"] for a in r.access()}) == max(workers, 1)
    quiet_metrics(m, r, vpc, allowed)
    assert r.findings() == {}


@pytest.mark.parametrize("workers", [0, 4])
def test_upload_of_the_checkpoint(sluice, policy, lab, http, training, tmp, job, workers):
    vpc, allowed, outside = http(lab.vpc), http(lab.internet), http(lab.internet)
    m = sluice(policy(allowed))
    if workers:
        needs(m, "taint.shm", "taint.shm_others", "taint.unix_write", "taint.unix_read")
    checkpoint = f"{tmp}/model.pt"
    p = training("--workers", str(workers), "--metrics", vpc.at, "--metrics", allowed.at, "--checkpoint", checkpoint)
    truth = p.truth()
    u = upload(tmp, checkpoint, outside, job)
    r = m.stop()
    size = os.stat(checkpoint).st_size
    assert outside.bodies() == size
    assert truth["kept"] == KEPT * SIZE
    f = about_upload(r, u, outside, size)
    assert [h["via"] for h in f["chain"]][-3:] == ["file_write", "file_read", "tcp"]
    quiet_metrics(m, r, vpc, allowed)


def ranks(training, tmp, vpc, allowed):
    env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": next(lab_module.PORTS), "WORLD_SIZE": 2, "GLOO_SOCKET_IFNAME": "lo"}
    return [training("--metrics", vpc.at, "--metrics", allowed.at, "--checkpoint", f"{tmp}/model{rank}.pt",
                     env={**env, "RANK": rank, "LOCAL_RANK": rank}) for rank in (0, 1)]


def test_two_ranks(sluice, policy, lab, http, training, tmp, job):
    """DDP over loopback: rank 0 alone reads; what the ranks say of themselves; nothing of it is outside."""
    vpc, allowed = http(lab.vpc), http(lab.internet)
    m = sluice(policy(allowed))
    p, q = ranks(training, tmp, vpc, allowed)
    truth, other = p.truth(), q.truth()
    r = m.stop()
    assert truth["kept"] == other["kept"] == KEPT * SIZE
    assert r.read(job=job.name) == truth["read"] == DATASET
    assert r.read(process__pid=p.pid) == DATASET
    assert {a["job_labels"].get("rank") for a in r.access()} <= {0, None}
    between = [f for f in r.of("flow") if f["remote"]["class"] == "host" and f["process"]]
    assert {f["process"]["pid"] for f in between} >= {p.pid, q.pid}
    assert sum(f["bytes_out"] for f in between if f["process"]["pid"] == p.pid) >= KEPT * SIZE
    quiet_metrics(m, r, vpc, allowed)
    assert r.findings() == {}


def test_upload_by_the_other_rank(sluice, policy, lab, http, training, tmp, job):
    """What rank 1 was sent over loopback, its checkpoint, and a third process."""
    vpc, allowed, outside = http(lab.vpc), http(lab.internet), http(lab.internet)
    m = sluice(policy(allowed))
    needs(m, "taint.loopback")
    for p in ranks(training, tmp, vpc, allowed):
        p.truth()
    u = upload(tmp, f"{tmp}/model1.pt", outside, job)
    r = m.stop()
    size = os.stat(f"{tmp}/model1.pt").st_size
    assert outside.bodies() == size
    about_upload(r, u, outside, size)
    quiet_metrics(m, r, vpc, allowed)
