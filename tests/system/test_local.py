# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Connections and datagrams that stay on this host: who reads what another sent there has no more of it than so many bytes."""
import os
import shutil

import pytest

import lab as lab_module
import work
from monitor import wait_for

RELAYER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relayer.py")
SENT = 500009  # by the last one, to the receiver
PART = 10007
MESSAGE = 1009
QUESTION = 29

# How many bytes the last one can have. What the two were told to move is what relayer.py counts.
EXACT = {
    "part": PART,
    "v6": PART,
    "mapped": PART,
    "own_address": PART,
    "connected_before_taint": PART,
    "queued_before_taint": PART,
    "accepted_later": PART,
    "reset": PART,
    "answer": PART,
    "among_others": PART,
    "many_connections": 97 * 101,
    "inherited": PART,
    "two_hops": 4999,
    "peeked": PART,
    "calls": PART,
    "sendfile": PART,
    "spliced": PART,
    "udp_sendto": 7 * MESSAGE,
    "udp_connected": 7 * MESSAGE,
    "udp_v6": 7 * MESSAGE,
    "udp_among_others": 7 * MESSAGE,
}
# Read with the rest, from who had nothing of it.
OTHERS = {"among_others": 100042, "connected_before_taint": 50021, "queued_before_taint": 50021,
          "udp_among_others": 7 * (MESSAGE + 2)}
V6 = ("v6", "mapped", "udp_v6")


@pytest.fixture
def relayer(tmp, lab, sink):
    running = []

    def start(way, dataset, s, **options):
        near = options.pop("near", [])
        p = work.Process(tmp, f"relayer{len(running)}",
                         ["/usr/bin/python3", RELAYER, "REPORT", way, f"{dataset}/f", s.ip, str(s.port), *near], **options)
        running.append(p)
        return p

    def run(way, dataset, s=None, **options):
        s = s or sink(lab.internet, **options)
        p = start(way, dataset, s)
        status = p.wait()
        assert status == 0, f"relayer: status {status}: {p.said()}"
        return s, p.reports()

    run.start = start
    yield run
    for p in running:
        p.kill()


def pid_of(reports, name):
    return next(r["pid"] for r in reports if r["role"] == name)


@pytest.mark.parametrize("way", EXACT)
def test_the_bound_is_exact(sluice, config, dataset, lab, relayer, way):
    if way in V6 and not lab.v6:
        pytest.skip("this kernel has IPv6 switched off")
    m = sluice(config)
    s, reports = relayer(way, dataset)
    f = m.stop().exfil(s)
    assert s.bytes() == SENT
    assert f["leak_bound"] == EXACT[way] == sum(r.get("got", 0) for r in reports) - OTHERS.get(way, 0)
    assert f["process"]["pid"] == pid_of(reports, "sender")


def test_the_chain_names_it(sluice, config, dataset, relayer):
    m = sluice(config)
    s, reports = relayer("two_hops", dataset)
    f = m.stop().exfil(s)
    assert [hop["via"] for hop in f["chain"]] == ["read", "local_write", "local_read", "local_write", "local_read", "tcp"]
    assert [hop["bytes"] for hop in f["chain"]] == [PART, PART, PART, 4999, 4999, SENT]
    assert all(a["to"] == b["from"] for a, b in zip(f["chain"], f["chain"][1:])), f["chain"]
    assert f["chain"][1]["to"].startswith("socket 127.0.0.1:")
    assert f"[{pid_of(reports, 'relay')}]" in f["chain"][2]["to"]


def test_the_relay_is_no_egress(sluice, config, dataset, relayer):
    """The flow to the relay is told of, as one to this host. (Others of this machine talk there, too.)"""
    m = sluice(config)
    _, reports = relayer("part", dataset)
    r = m.stop()
    ours = {one["pid"] for one in reports}
    flows = [f for f in r.of("flow", remote__class="host", remote__addr="127.0.0.1") if f["process"] and f["process"]["pid"] in ours]
    assert sum(f["bytes_out"] for f in flows) == PART
    assert sum(f["tainted_out"] for f in flows) == PART


def test_resolver(sluice, config, dataset, relayer):
    """Of what a resolver asks in turn, no more can be tagged than it was asked."""
    m = sluice(config)
    s, reports = relayer("resolver", dataset, udp=True)
    f = m.stop().exfil(s)
    assert s.bytes() == 3 * (QUESTION + 11)
    assert f["leak_bound"] == 3 * QUESTION == sum(r.get("got", 0) for r in reports)
    assert f["process"]["pid"] == pid_of(reports, "sender")
    assert [hop["via"] for hop in f["chain"]] == ["read", "local_write", "local_read", "udp"]


def test_http_proxy(sluice, config, dataset, relayer):
    """Beside the bytes there are the request's lines."""
    m = sluice(config)
    s, reports = relayer("http", dataset)
    f = m.stop().exfil(s)
    assert s.bytes() == SENT
    assert PART <= f["leak_bound"] <= PART + 300
    assert f["process"]["pid"] == pid_of(reports, "sender")


def test_ring(sluice, config, dataset, relayer):
    """Ranks that exchange what one has read, and nobody sends any of it away."""
    m = sluice(config)
    _, reports = relayer("ring", dataset)
    r = m.stop()
    assert sum(x["got"] for x in reports) == 4 * 3 * 5 * PART
    assert r.findings() == {}
    got = [t for t in r.of("transfer") if t["via"] == "local_read"]
    assert sum(t["bytes"] for t in got) >= 3 * 5 * PART, "nobody is known to have received anything: nothing is proved"


def test_there_before_the_monitor(sluice, config, dataset, lab, sink, actor):
    """The connection is older than the monitor, and so are the bytes in it."""
    s = sink(lab.internet)
    with_port = next(lab_module.PORTS)
    server = actor(f"listen:tcp:127.0.0.1:{with_port}", "say:ready", "accept@c", "recv@c:50021", "say:read", "wait-line", "recv@c:10007", s.to,
                   "send:500009")
    server.wait_said("ready")
    client = actor(f"connect:tcp:127.0.0.1:{with_port}", "send:50021", "wait-line", f"read:{dataset}/f", "send:10007")
    server.wait_said("read")
    m = sluice(config)
    client.go()
    client.truth()
    server.go()
    server.truth()
    f = m.stop().exfil(s)
    assert s.bytes() == SENT
    assert f["leak_bound"] == PART
    assert f["process"]["pid"] == server.pid


def test_socat(sluice, config, dataset, lab, sink, actor, tmp):
    """A stock relay in both directions, and a stock client."""
    if not shutil.which("socat"):
        pytest.skip("socat is not installed")
    s, port = sink(lab.internet), next(lab_module.PORTS)
    m = sluice(config)
    relay = work.Process(tmp, "socat", ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", f"TCP:{s.at}"])
    try:
        wait_for("socat listens", lambda: f":{port:04X} 00000000:0000 0A" in lab_module.read("/proc/net/tcp"))
        client = work.Process(tmp, "client", ["sh", "-c", f'head -c 70001 "{dataset}/f" | socat -u - TCP:127.0.0.1:{port}'])
        assert client.wait() == 0
        assert relay.wait() == 0
        f = m.stop().exfil(s)
        assert s.bytes() == f["leak_bound"] == 70001
        assert f["process"]["pid"] == relay.pid
    finally:
        relay.kill()


# --- other network namespaces ----------------------------------------------------------------

CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def over_veth(sluice, config, dataset, lab, actor, prefix):
    """A relay in another namespace: from here to it over a veth, from it to the pod's receiver. What was said of the last
    step."""
    s = lab_module.Sink(lab.pod, address=lab.pod.address(), senders=[lab.internet])
    try:
        m = sluice(config)
        relay = actor("listen:tcp:0.0.0.0:7117", "say:ready", "accept@c", f"recv@c:{PART}", s.to, f"send:{SENT}",
                      host=lab.internet, prefix=prefix)
        relay.wait_said("ready")
        actor(f"read:{dataset}/f", f"connect:tcp:{lab.internet.address()}:7117", f"send:{PART}").truth()
        relay.truth()
        r = m.stop()
        assert s.bytes() == SENT
        assert r.finding("exfil.volume", remote__port=7117)["leak_bound"] == PART
        return r.findings("exfil.volume", s)
    finally:
        s.kill()


def test_container(sluice, config, dataset, lab, actor):
    """Processes that live in a PID namespace of their own are of this host, wherever their network is."""
    found = over_veth(sluice, config, dataset, lab, actor, CONTAINER)
    assert [f["leak_bound"] for f in found.values()] == [PART]
    chain = next(iter(found.values()))["chain"]
    assert [hop["via"] for hop in chain] == ["read", "local_write", "local_read", "tcp"]


def test_namespace_that_stands_for_another_host(sluice, config, dataset, lab, actor):
    """Without one of their own, what goes there has left: it is charged to who sent it there, and to nobody else."""
    assert over_veth(sluice, config, dataset, lab, actor, []) == {}


def test_from_a_container(sluice, config, dataset, lab, sink, actor):
    """The other way round: a container's client, a relay of the host."""
    s = sink(lab.internet)
    here = lab.internet.address().rpartition(".")
    here = f"{here[0]}.{int(here[2]) - 1}"
    m = sluice(config)
    relay = actor(f"listen:tcp:{here}:7127", "say:ready", "accept@c", f"recv@c:{PART}", s.to, f"send:{SENT}")
    relay.wait_said("ready")
    actor(f"read:{dataset}/f", f"connect:tcp:{here}:7127", f"send:{PART}", host=lab.internet, prefix=CONTAINER).truth()
    relay.truth()
    r = m.stop()
    assert s.bytes() == SENT
    assert r.exfil(s)["leak_bound"] == PART
    assert r.exfil(s)["process"]["pid"] == relay.pid
