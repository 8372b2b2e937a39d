# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Ways out that no byte can be counted of: a finding as soon as one who may hold tagged bytes has one, none before."""
import os

import pytest

from test_egress import Net
from work import FILE

# kind -> what the finding calls it
CHANNELS = {
    "packet": "AF_PACKET socket",
    "xdp": "AF_XDP socket",
    "vsock": "AF_VSOCK socket",
    "tun": "TUN device",
}
LOCAL = ["netlink", "unix", "alg", "inet"]


@pytest.fixture
def net(tmp):
    made = []

    def start(*words, **options):
        made.append(Net(tmp, len(made), [str(w) for w in words], **options))
        return made[-1]

    yield start
    for one in made:
        one.kill()


def check(r, pid, name, bound):
    f = r.finding("channel.unobservable")
    assert f["severity"] == "high"
    assert (f["dataset"], f["leak_bound"]) == ("set", bound)
    assert f["exposed"] == bound
    assert f["process"]["pid"] == pid
    known = {k: v for k, v in f["remote"].items() if v is not None}
    assert known == {"class": "unobservable", "name": name}
    assert f["chain"][0]["from"] == "dataset set" and f["chain"][-1]["to"] == name
    assert f["chain"][-1]["via"] == "channel" and f["chain"][-1]["bytes"] is None
    assert name in f["title"]
    return f


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("when", ["--before", "--between"])
def test_channel(sluice, config, dataset, lab, net, kind, when):
    """Opened after the read, and held when it comes."""
    m = sluice(config)
    pid = net(when, f"{dataset}/f", "--hold", 0.5, "channel", kind).truth()["pid"]
    r = m.stop()
    check(r, pid, CHANNELS[kind], FILE)
    assert r.findings("exfil.volume") == {}
    assert r.of("flow", process__pid=pid) == []


@pytest.mark.parametrize("kind", LOCAL)
def test_sockets_that_stay_here(sluice, config, dataset, lab, net, kind):
    m = sluice(config)
    assert net("--before", f"{dataset}/f", "--hold", 0.3, "channel", kind).truth()["read"] == FILE
    r = m.stop()
    assert r.read() == FILE
    assert r.findings() == {}


@pytest.mark.parametrize("kind", CHANNELS)
def test_who_has_not_read(sluice, config, dataset, lab, net, kind):
    m = sluice(config)
    net("--hold", 0.3, "channel", kind).truth()
    net("--before", f"{dataset}/f", "channel", "inet").truth()
    r = m.stop()
    assert r.read() == FILE
    assert r.findings() == {}


def test_all_of_it_while_it_goes_on(sluice, config, dataset, lab, actor, net):
    """The bound follows what is read later."""
    m = sluice(config)
    p = net("--before", f"{dataset}/f", "--wait", "--hold", 0.1, "channel", "packet")
    p.wait_said("ready")
    m.wait_records("the finding", lambda r: r.findings("channel.unobservable"))
    shown = m.findings()
    assert [(f["rule"], f["leak_bound"]) for f in shown] == [("channel.unobservable", FILE)]
    assert m.now("health")["health"]["channels"] == {"packet": 1}
    p.go()
    p.truth()
    check(m.stop(), p.pid, "AF_PACKET socket", FILE)


@pytest.fixture
def core_file(tmp):
    """Core dumps go into a file of ours."""
    with open("/proc/sys/kernel/core_pattern", "r+", encoding="ascii") as f:
        before = f.read().strip()
        f.seek(0)
        f.write(f"{tmp}/core.%p")
    yield tmp
    with open("/proc/sys/kernel/core_pattern", "w", encoding="ascii") as f:
        f.write(before)


def test_core_dump(sluice, config, dataset, lab, net, core_file):
    m = sluice(config)
    p = net("--before", f"{dataset}/f", "core")
    status = p.wait()
    assert status == -6
    if not os.path.exists(f"{core_file}/core.{p.pid}"):
        pytest.skip("this kernel writes no core dumps")
    r = m.stop()
    check(r, p.pid, "core dump to a file", FILE)


def test_core_dump_of_nothing(sluice, config, dataset, lab, net, core_file):
    m = sluice(config)
    assert net("core").wait() == -6
    net("--before", f"{dataset}/f", "channel", "inet").truth()
    r = m.stop()
    assert r.read() == FILE
    assert r.findings() == {}
