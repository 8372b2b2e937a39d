# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Who asks the instance's metadata and a container's credential endpoint, and whether by version 1."""
import shutil

import pytest

import lab as lab_module
import work
from httpd import HttpSink

pytestmark = pytest.mark.one_set

IMDS, CONTAINER = "169.254.169.254", "169.254.170.2"


@pytest.fixture
def endpoint(lab):
    """endpoint(address): a server there, which the lab's pod alone can reach."""
    made, given = [], []

    def start(address):
        lab_module.ip("addr", "add", f"{address}/32", "dev", "pod0", netns=lab.internet)
        given.append(address)
        lab_module.ip("route", "add", f"{address}/32", "dev", "eth0", netns=lab.pod)
        made.append(HttpSink(lab.internet, address))
        return made[-1]

    yield start
    for one in made:
        one.kill()
    for address in given:
        lab_module.ip("route", "del", f"{address}/32", netns=lab.pod, check=False)
        lab_module.ip("addr", "del", f"{address}/32", "dev", "pod0", netns=lab.internet, check=False)


@pytest.fixture
def curl(tmp, lab, job):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")

    def run(*words):
        p = work.Process(tmp, "curl", ["curl", "-sS", "--max-time", "30", "-o", "/dev/null", *words], cgroup=job, host=lab.pod)
        try:
            assert p.wait() == 0, p.said()
        finally:
            p.kill()
    return run


def uses(r, job):
    return sorted((a["credential"]["kind"], a["credential"]["path"], a["process"]["comm"], a["ops"])
                  for a in r.of("access", job=job.name) if a.get("credential"))


def test_instance(sluice, config, endpoint, curl, job):
    s = endpoint(IMDS)
    role = f"{s.url}latest/meta-data/iam/security-credentials/trainer"
    m = sluice(config)
    curl("-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", f"{s.url}latest/api/token")
    curl("-H", "X-aws-ec2-metadata-token: secret-that-no-record-has", f"{role}?secret=yes")
    curl(f"{s.url}latest/meta-data/instance-id")
    r = m.stop()
    path = f"http://{IMDS}/latest/"
    assert uses(r, job) == [
        ("imds", f"{path}api/token", "curl", 1),
        ("imds", f"{path}meta-data/iam/security-credentials/trainer", "curl", 1),
        ("imds-v1", f"{path}meta-data/instance-id", "curl", 1),
    ]
    assert "secret" not in str(uses(r, job)).replace("security-credentials", "")
    assert r.classes(s) == {"imds"}
    assert r.findings() == {} and not r.findings("egress.plaintext")


def test_container(sluice, config, endpoint, curl, job):
    s = endpoint(CONTAINER)
    m = sluice(config)
    curl("-H", "Authorization: secret", f"{s.url}v2/credentials/0f0f-11")
    r = m.stop()
    assert uses(r, job) == [("container", f"http://{CONTAINER}/v2/credentials/0f0f-11", "curl", 1)]
