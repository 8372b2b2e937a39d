# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Every way a byte is handed to a socket, and every protocol: what is reported is what the receiver counted."""
import json
import signal

import pytest

import lab as lab_module
import work
from where import program

SENT = 300007
WAYS = ["write", "send", "writev", "sendmsg", "sendmmsg", "sendfile", "splice", "vmsplice", "tee", "zerocopy", "uring"]
REFUSED = 77  # of a workload: this kernel has no such thing


class Net(work.Process):
    """tests/work/paths_net: sends, receives, or opens; reports sums of what its calls returned."""

    def __init__(self, tmp, number, words, **options):
        super().__init__(tmp, f"net{number}", [program("paths_net"), "-o", "REPORT", *words], **options)

    def truth(self):
        status = self.wait()
        self.skip_if(status)
        assert status == 0, f"paths_net: status {status}: {self.said()}"
        return self.last_report()

    def skip_if(self, status):
        if status == REFUSED:
            pytest.skip(f"this kernel refuses it: {self.said().strip()}")

    def address(self):
        """Where a receiver listens."""
        while not self.said().startswith("ready "):
            if self.process.poll() is not None:
                self.skip_if(self.process.returncode)
                raise AssertionError(self.said())
        return self.said().split()[1]

    def received(self):
        """Of a receiver: all that has come, after it was told that nothing more will."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.truth()["received"]


@pytest.fixture
def net(tmp):
    """net("tcp", "splice", "ADDR:PORT", "300007", host=...): starts one. Ended with the test."""
    made = []

    def start(*words, **options):
        made.append(Net(tmp, len(made), [str(w) for w in words], **options))
        return made[-1]

    yield start
    for one in made:
        one.kill()


def here(lab, family=4):
    """This host's end of the link to the internet host."""
    address = lab.internet.address(family)
    return address[:-1] + "1" if family == 6 else f"{address.rpartition('.')[0]}.{int(address.rpartition('.')[2]) - 1}"


def bracket(address):
    return f"[{address}]" if ":" in address else address


def told(r, proto, figure="tainted_out", **wanted):
    return r.flow(figure, proto=proto, **wanted)


def show_flows(r):
    return json.dumps([{k: f[k] for k in ("proto", "remote", "bytes_out", "tainted_out", "process")} for f in r.of("flow")])


# --- TCP by every way ----------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
def test_tcp(sluice, config, dataset, lab, sink, net, way):
    s = sink(lab.internet)
    m = sluice(config)
    truth = net("--before", f"{dataset}/f", "tcp", way, s.at, SENT).truth()
    arrived = s.bytes()
    r = m.stop()
    assert arrived == truth["sent"] == SENT
    assert r.to(s, "bytes_out") == r.to(s) == arrived
    assert {f["process"]["pid"] for f in r.of("flow", remote__port=s.port)} == {truth["pid"]}
    assert r.exfil(s)["leak_bound"] == arrived


@pytest.mark.parametrize("way", ["sendfile", "splice", "uring", "zerocopy"])
def test_tcp_before_and_after(sluice, config, dataset, lab, sink, net, way):
    """What was handed over before the read is no leak, by whatever way."""
    s = sink(lab.internet)
    m = sluice(config)
    net("--first", 70001, "--between", f"{dataset}/f", "tcp", way, s.at, 30011).truth()
    r = m.stop()
    assert r.to(s, "bytes_out") == s.bytes() == 100012
    assert r.to(s) == 30011


def test_tcp_flood(sluice, config, dataset, lab, sink, net):
    """Non-blocking sends of far more than there is room for: refused and partial ones count as what was taken."""
    s = sink(lab.internet)
    m = sluice(config)
    truth = net("--before", f"{dataset}/f", "tcp", "flood", s.at, 50 << 20).truth()
    r = m.stop()
    assert r.to(s) == r.to(s, "bytes_out") == s.bytes() == truth["sent"] == 50 << 20


def test_tcp_fast_open(sluice, config, dataset, lab, net):
    """Data in the SYN. The first connection asks for a cookie, the second carries data."""
    for host in (lab.pod, lab.internet):
        work.must(*lab_module.inside(host), "sysctl", "-q", "-w", "net.ipv4.tcp_fastopen=1027")
    sinks = [lab_module.Sink(lab.internet, address=lab.internet_for_pod, senders=[lab.pod]) for _ in range(2)]
    m = sluice(config)
    try:
        for s in sinks:
            assert net("--before", f"{dataset}/f", "tcp", "fastopen", s.at, 20011, host=lab.pod).truth()["sent"] == 20011
        r = m.stop()
        assert [(r.to(s), r.to(s, "bytes_out")) for s in sinks] == [(s.bytes(), s.bytes()) for s in sinks] == [(20011, 20011)] * 2
    finally:
        for s in sinks:
            s.kill()


@pytest.mark.parametrize("way", ["write", "sendfile", "splice"])
def test_accept_then_send(sluice, config, dataset, lab, net, way):
    m = sluice(config)
    p = net("--before", f"{dataset}/f", "serve", "tcp", way, f"{here(lab)}:0", SENT)
    got = net("pull", "mptcp", p.address(), host=lab.internet).truth()["received"]
    pid = p.truth()["pid"]
    r = m.stop()
    assert got == SENT
    assert told(r, "tcp", process__pid=pid) == told(r, "tcp", "bytes_out", process__pid=pid) == got
    assert r.finding("exfil.volume")["leak_bound"] == got


@pytest.mark.parametrize("way", ["sendmsg", "sendfile"])
def test_in_another_network_namespace(sluice, config, dataset, lab, sink, net, way):
    s = sink(lab.internet, address=lab.internet_for_pod)
    m = sluice(config)
    net("--before", f"{dataset}/f", "tcp", way, s.at, SENT, host=lab.pod).truth()
    r = m.stop()
    assert r.to(s) == r.to(s, "bytes_out") == s.bytes() == SENT


# --- MPTCP --------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["write", "sendfile", "splice"])
def test_mptcp(sluice, config, dataset, lab, net, way):
    far = net("recv", "mptcp", f"{lab.internet.address()}:0", host=lab.internet)
    at = far.address()
    m = sluice(config)
    p = net("--first", 20011, "--between", f"{dataset}/f", "mptcp", way, at, SENT)
    truth = p.truth()
    arrived = far.received()
    r = m.stop()
    assert arrived == truth["sent"] == SENT + 20011
    assert told(r, "tcp", "bytes_out", process__pid=truth["pid"]) == arrived, show_flows(r)
    assert told(r, "tcp", process__pid=truth["pid"]) == SENT, show_flows(r)
    assert r.finding("exfil.volume")["process"]["pid"] == truth["pid"]


def test_mptcp_accepted(sluice, config, dataset, lab, net):
    m = sluice(config)
    p = net("--before", f"{dataset}/f", "serve", "mptcp", "write", f"{here(lab)}:0", SENT)
    got = net("pull", "mptcp", p.address(), host=lab.internet).truth()["received"]
    pid = p.truth()["pid"]
    r = m.stop()
    assert got == SENT
    assert told(r, "tcp", process__pid=pid) == told(r, "tcp", "bytes_out", process__pid=pid) == got, show_flows(r)
    assert r.finding("exfil.volume")["leak_bound"] == got


@pytest.fixture
def two_paths(lab):
    """A second address of pod's, which its MPTCP connections add by themselves."""
    second = lab.pod.address()[:-1] + str(int(lab.pod.address()[-1]) + 3)
    inside = lab_module.inside(lab.pod)
    try:
        work.must(*inside, "ip", "addr", "add", f"{second}/29", "dev", "eth0")
        work.must(*inside, "ip", "mptcp", "limits", "set", "subflow", "2")
        work.must(*lab_module.inside(lab.internet), "ip", "mptcp", "limits", "set", "subflow", "2")
        work.must(*inside, "ip", "mptcp", "endpoint", "add", second, "dev", "eth0", "subflow")
    except work.subprocess.CalledProcessError as e:
        pytest.skip(f"no path manager of MPTCP: {e.stderr.strip()}")
    yield second
    work.must(*inside, "ip", "mptcp", "endpoint", "flush")
    work.must(*inside, "ip", "addr", "del", f"{second}/29", "dev", "eth0")


def test_mptcp_further_subflow(sluice, config, dataset, lab, net, two_paths):
    """A kernel worker connects it; it is the process's all the same, and so is its taint."""
    far = net("recv", "mptcp", f"{lab.internet_for_pod}:0", host=lab.internet)
    at = far.address()
    m = sluice(config)
    p = net("--first", 1009, "--wait", "--hold", 1, "mptcp", "write", at, 3000017, host=lab.pod)
    p.wait_said("ready")
    m.wait_records("two subflows", lambda r: len({json.dumps(f["local"]) for f in r.of("flow", proto="tcp", process__pid=p.pid)}) == 2)
    p.go()
    truth = p.truth()
    arrived = far.received()
    r = m.stop()
    assert arrived == truth["sent"]
    sent = told(r, "tcp", "bytes_out", process__pid=truth["pid"])
    # What one subflow could not deliver in time another sends again.
    assert arrived <= sent <= arrived * 1.05, show_flows(r)
    ours = [f for f in r.of("flow") if f["process"] and f["process"]["comm"].startswith("kworker")]
    assert ours == []


# --- datagrams ------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["send", "gso", "sendfile"])
def test_udp(sluice, config, dataset, lab, family, sink, net, way):
    s = sink(lab.internet, family, udp=True)
    m = sluice(config)
    truth = net("--first", 10007, "--between", f"{dataset}/f", "udp", way, s.at, 100003).truth()
    arrived = s.bytes()
    r = m.stop()
    assert arrived == truth["sent"] == 110010
    assert r.to(s, "bytes_out") == arrived
    assert r.to(s) == 100003


def test_udp_lite(sluice, config, dataset, lab, net):
    far = net("recv", "lite", f"{lab.internet.address()}:0", host=lab.internet)
    at = far.address()
    m = sluice(config)
    pid = net("--before", f"{dataset}/f", "udp", "lite", at, 100003).truth()["pid"]
    arrived = far.received()
    r = m.stop()
    assert arrived == 100003
    assert told(r, "udplite", process__pid=pid) == told(r, "udplite", "bytes_out") == arrived


@pytest.mark.parametrize("way", ["connect", "implicit", "peeloff"])
def test_sctp(sluice, config, dataset, lab, family, net, way):
    far = net("recv", "sctp", f"{bracket(lab.internet.address(family))}:0", host=lab.internet)
    at = far.address()
    m = sluice(config)
    truth = net("--first", 10007, "--between", f"{dataset}/f", "sctp", way, at, 100003).truth()
    arrived = far.received()
    r = m.stop()
    assert arrived == truth["sent"] == 110010
    assert told(r, "sctp", "bytes_out") == told(r, "sctp", "bytes_out", process__pid=truth["pid"]) == arrived, show_flows(r)
    assert told(r, "sctp") == 100003
    assert r.finding("exfil.volume")["leak_bound"] == 100003


def test_sctp_accepted(sluice, config, dataset, lab, net):
    m = sluice(config)
    p = net("--before", f"{dataset}/f", "serve", "sctp", "send", f"{here(lab)}:0", 100003)
    got = net("pull", "sctp", p.address(), host=lab.internet).truth()["received"]
    pid = p.truth()["pid"]
    r = m.stop()
    assert got == 100003
    assert told(r, "sctp", process__pid=pid) == told(r, "sctp", "bytes_out", process__pid=pid) == got, show_flows(r)


@pytest.mark.parametrize("how", ["raw", "ping"])
def test_icmp(sluice, config, dataset, lab, family, net, how):
    """Echo requests that carry data. The kernel's replies on the way back are nobody's."""
    with open("/proc/sys/net/ipv4/ping_group_range", "r+", encoding="ascii") as f:
        before = f.read()
        f.seek(0)
        f.write("0 0")
    try:
        proto = "icmp" if family == 4 else "icmpv6"
        far = net("sniff", 1 if family == 4 else 58, here(lab, family), host=lab.internet)
        far.address()
        m = sluice(config)
        truth = net("--before", f"{dataset}/f", "icmp", how, lab.internet.address(family), 13).truth()
        arrived = far.received()
        r = m.stop()
    finally:
        with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as f:
            f.write(before)
    assert arrived == truth["sent"] == 13 * 1017
    assert told(r, proto, "bytes_out") == told(r, proto, process__pid=truth["pid"]) == arrived, show_flows(r)
    assert r.finding("exfil.volume")["leak_bound"] == arrived


def test_raw(sluice, config, dataset, lab, family, net):
    far = net("sniff", 253, here(lab, family), host=lab.internet)
    far.address()
    m = sluice(config)
    truth = net("--before", f"{dataset}/f", "raw", 253, lab.internet.address(family), 20011).truth()
    arrived = far.received()
    r = m.stop()
    assert arrived == truth["sent"] == 20011
    assert told(r, "253", "bytes_out") == told(r, "253", process__pid=truth["pid"]) == arrived, show_flows(r)


def test_packets_made_by_hand(sluice, config, dataset, lab, net):
    """IPPROTO_RAW: the sender writes the IP header too, and the packet looks like someone's UDP."""
    far = net("sniff", 17, here(lab), host=lab.internet)
    far.address()
    m = sluice(config)
    truth = net("--before", f"{dataset}/f", "ipraw", lab.internet.address(), 13).truth()
    arrived = far.received()
    r = m.stop()
    assert arrived == truth["sent"] == 13 * 1017
    assert told(r, "raw", "bytes_out") == told(r, "raw", process__pid=truth["pid"]) == arrived, show_flows(r)


def test_who_has_not_read(sluice, config, dataset, lab, net):
    """The same protocols from a process that read nothing: counted, and no finding."""
    far = net("sniff", 253, here(lab), host=lab.internet)
    far.address()
    m = sluice(config)
    net("raw", 253, lab.internet.address(), 20011).truth()
    net("icmp", "raw", lab.internet.address(), 13).truth()
    assert far.received() == 20011
    r = m.stop()
    assert told(r, "253", "bytes_out") == 20011
    assert told(r, "icmp", "bytes_out") == 13 * 1017
    assert told(r, "253") == told(r, "icmp") == 0
    assert r.findings() == {}
