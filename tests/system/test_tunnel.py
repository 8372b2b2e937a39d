# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What leaves by a WireGuard device is plain to its socket, and is not on the wire: it is outside all the same, but no plain text."""
import shutil
import subprocess

import pytest

import work
from lab import Unavailable, inside, ip
from monitor import tagged

pytestmark = pytest.mark.one_set

SIZE = 300007
NEAR, FAR, PORT = "10.222.0.1", "10.222.0.2", 51820


def wg(*words, netns=None, given=""):
    p = subprocess.run([*inside(netns), "wg", *words], input=given, capture_output=True, text=True)
    if p.returncode:
        raise Unavailable(f"wg {' '.join(words)}: {p.stderr.strip()}")
    return p.stdout.strip()


def end(name, address, key, peer, tmp, netns=None, endpoint=()):
    private = f"{tmp}/{name}.key"
    with open(private, "w", encoding="utf-8") as f:
        f.write(key)
    listen = [] if endpoint else ["listen-port", str(PORT)]
    wg("set", name, "private-key", private, *listen, "peer", peer, "allowed-ips", "10.222.0.0/24", *endpoint, netns=netns)
    ip("addr", "add", f"{address}/24", "dev", name, netns=netns)
    ip("link", "set", name, "up", netns=netns)


@pytest.fixture
def tunnel(lab, tmp):
    """From this host to the lab's internet; the address at its other end."""
    if not shutil.which("wg"):
        pytest.skip("wg is not installed (package wireguard-tools)")
    name = f"slwg{lab.k}"
    try:
        ip("link", "add", name, "type", "wireguard")
    except Unavailable as why:
        pytest.skip(f"no WireGuard in this kernel: {why}")
    try:
        ip("link", "add", "wg0", "type", "wireguard", netns=lab.internet)
        keys = [wg("genkey"), wg("genkey")]
        public = [wg("pubkey", given=k) for k in keys]
        end("wg0", FAR, keys[1], public[0], tmp, netns=lab.internet)
        end(name, NEAR, keys[0], public[1], tmp, endpoint=("endpoint", f"{lab.internet.address()}:{PORT}"))
        yield FAR
    finally:
        ip("link", "del", name, check=False)


def test_tunnel_is_no_plain_text(sluice, lab, sink, tunnel, dataset, actor):
    work.make_file(f"{dataset}/f", SIZE)
    through, beside = sink(lab.internet, address=tunnel), sink(lab.internet)
    m = sluice(tagged(dataset, network=lab.network))
    for s in (through, beside):
        actor(f"read:{dataset}/f", s.to, f"send:{SIZE}").truth()
    r = m.stop()
    for s in (through, beside):
        assert s.bytes() == r.to(s, "bytes_out") == SIZE
        assert r.finding("exfil.volume", s)["leak_bound"] == SIZE
    assert {f["encrypted"] for f in r.of("flow", remote__port=through.port, proto="tcp") if f["bytes_out"]} == {"wireguard"}
    assert {f["encrypted"] for f in r.of("flow", remote__port=beside.port, proto="tcp") if f["bytes_out"]} == {False}
    plain = [f["remote"]["port"] for f in r.of("finding", rule="egress.plaintext")]
    assert set(plain) == {beside.port}
