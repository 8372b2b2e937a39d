# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`vpc: auto`: the VPC's blocks from the metadata service, told apart from all that can be wrong with it."""
import json
import os
import shutil
import subprocess
import time

import pytest

from imds import Imds
from monitor import tagged, wait_for
from work import FILE

pytestmark = pytest.mark.one_set

SENT = 10007


@pytest.fixture
def imds(monkeypatch):
    double = Imds()
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", double.url + "/")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    yield double
    double.close()


@pytest.fixture
def auto(config, lab):
    """As other tests' configuration, but the blocks are for the metadata service to tell."""
    return {**config, "network": {"vpc": "auto", "aws_ranges": "off"}}


def interface(lab):
    """The lab's own blocks as one interface's."""
    return {"vpc-ipv4-cidr-blocks": "\n".join(c for c in lab.vpc_cidrs if ":" not in c),
            "vpc-ipv6-cidr-blocks": "\n".join(c for c in lab.vpc_cidrs if ":" in c), "vpc-id": "vpc-0a0b0c0d"}


def vpc(m):
    return m.now("health")["health"]["vpc"]


def test_blocks_are_the_vpc(sluice, auto, imds, dataset, lab, sink, actor):
    imds.macs = {"0e:11:22:33:44:55": interface(lab)}
    inside, outside = sink(lab.vpc), sink(lab.internet)
    m = sluice(auto)
    wait_for("it is told", lambda: vpc(m)["state"] == "ok")
    assert vpc(m)["source"] == "metadata"
    assert vpc(m)["blocks"] == len(lab.vpc_cidrs)
    actor(f"read:{dataset}/f", inside.to, f"send:{SENT}", outside.to, f"send:{SENT}").truth()
    r = m.stop()
    assert r.classes(inside) == {"vpc"}
    assert r.classes(outside) == {"internet"}
    assert r.exfil(outside)["leak_bound"] == SENT
    host = r[-1]["host"]
    assert host["instance_id"] == "i-0123456789abcdef0" and host["account"] == "123456789012" and host["region"] == "eu-central-1"
    assert imds.faults == []
    # one token for all that is asked
    assert [path for method, path, _ in imds.requests if method == "PUT"] == ["/latest/api/token"]


def test_configured_blocks_are_added(sluice, auto, imds, dataset, lab, sink, actor):
    inside = sink(lab.vpc)
    auto["network"]["vpc_cidrs"] = lab.vpc_cidrs
    m = sluice(auto)
    wait_for("they are told", lambda: vpc(m)["blocks"] == len(lab.vpc_cidrs) + 3)
    actor(f"read:{dataset}/f", inside.to, f"send:{SENT}").truth()
    r = m.stop()
    assert r.classes(inside) == {"vpc"} and r.findings() == {}


def test_a_token_that_ends_is_asked_for_anew(sluice, auto, imds, lab):
    imds.token_life = 0  # refused at once, as after a restart of the service
    imds.macs = {"0e:11:22:33:44:55": interface(lab)}
    m = sluice(auto)
    wait_for("it was refused", lambda: ("GET", "/latest/dynamic/instance-identity/document", 401) in imds.requests)
    wait_for("and it is said", lambda: vpc(m)["state"] == "broken")
    imds.token_life = 21600
    m.signal(1)  # SIGHUP: nothing changes by that, but by the time
    assert imds.faults == []
    assert len([1 for method, _, _ in imds.requests if method == "PUT"]) == 2
    m.stop()


@pytest.mark.parametrize("mode, state, said", [("hop-limit", "hop-limit", "hop limit"), ("refused", "refused", "switched off"),
                                               ("garbage", "broken", "makes no sense")])
def test_what_is_wrong_is_said(sluice, auto, imds, dataset, lab, sink, actor, mode, state, said):
    """And then only what is configured is the VPC."""
    imds.mode = mode
    inside = sink(lab.vpc)
    m = sluice(auto)
    wait_for("it is told", lambda: vpc(m)["state"] == state)
    assert said in m.said() and said in vpc(m)["why"]
    assert vpc(m)["blocks"] == 0
    actor(f"read:{dataset}/f", inside.to, f"send:{SENT}").truth()
    r = m.stop()
    assert r.classes(inside) == {"private"}
    assert r.exfil(inside)["leak_bound"] == SENT
    assert r[-1]["host"]["instance_id"] is None


def test_no_answer_is_not_ec2(sluice, auto, imds):
    imds.close()  # the port is nobody's
    m = sluice(auto)
    wait_for("it is told", lambda: vpc(m)["state"] == "not-ec2")
    assert "no EC2 instance" in m.said()
    m.stop()


def test_another_maker_is_not_asked(sluice, auto, monkeypatch):
    """Where firmware names another maker the address may be anyone's: nothing is sent there."""
    monkeypatch.delenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", raising=False)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    maker = "/sys/class/dmi/id/sys_vendor"
    if os.path.exists(maker) and open(maker, encoding="ascii").read().startswith("Amazon EC2"):
        pytest.skip("this is an EC2 instance")
    m = sluice(auto)
    assert vpc(m)["state"] == "not-ec2"
    r = m.stop()
    assert not r.of("flow", remote__addr="169.254.169.254")


def test_switched_off(sluice, auto, imds, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    m = sluice(auto)
    assert vpc(m)["state"] == "off"
    m.stop()
    assert imds.requests == []


def test_hostile_blocks_are_refused(sluice, auto, imds, dataset, lab, sink, actor):
    """Whoever answers there must not make the internet a VPC."""
    imds.macs = {"0e:11:22:33:44:55": {**interface(lab), "vpc-ipv4-cidr-blocks": "10.11.0.0/16\n0.0.0.0/0"}}
    out = sink(lab.internet)
    m = sluice(auto)
    wait_for("it is told", lambda: vpc(m)["state"] == "broken")
    actor(f"read:{dataset}/f", out.to, f"send:{SENT}").truth()
    r = m.stop()
    assert r.classes(out) == {"internet"} and r.exfil(out)["leak_bound"] == SENT


def test_an_end_does_not_wait_for_an_answer(sluice, auto, imds):
    imds.mode = "hop-limit"
    m = sluice(auto)
    begun = time.monotonic()
    m.stop()
    assert time.monotonic() - begun < 30


def test_the_double_is_taken_for_the_real_one(imds):
    """By a client that is not ours."""
    if not shutil.which("aws"):
        pytest.skip("awscli is not installed")
    made = subprocess.run(["aws", "configure", "list"], capture_output=True, text=True, check=False,
                          env={**os.environ, "HOME": "/nonexistent", "AWS_METADATA_SERVICE_TIMEOUT": "60"})
    assert imds.faults == [], (made.stdout, made.stderr, json.dumps(imds.requests))
    assert ("PUT", "/latest/api/token", 200) in imds.requests
