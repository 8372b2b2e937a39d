# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
A network of our own: this host's namespace, and hosts that are network namespaces joined to it by veth pairs.

    vpc       10.x.7.2      2001:db8:x:7::2    inside vpc_cidrs
    internet  203.0.113.x   2001:db8:x:b::2    outside
    office    192.168.x.2                      RFC 1918, outside vpc_cidrs
    pod       198.51.100.x                     a job's own namespace, joined to internet alone

Each namespace lives as long as a process that holds it, which dies with us: nothing stays behind even after kill -9.
"""
import ipaddress
import itertools
import json
import os
import signal
import subprocess
import time

from where import PATIENCE, program

HOLD = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "7200"]
LABS = 24
# Below those the kernel gives out: a port given back may be given to the next sink, and what went to two is told as one.
PORTS = itertools.cycle(range(20011, 32003))


class Unavailable(Exception):
    """This machine does not let us make it; the text says what is missing."""


def ip(*words, netns=None, check=True):
    p = subprocess.run([*inside(netns), "ip", *words], capture_output=True, text=True)
    if check and p.returncode:
        raise Unavailable(f"ip {' '.join(words)}: {p.stderr.strip()}")
    return p.stdout


def inside(host):
    return ["nsenter", f"--net=/proc/{host.pid}/ns/net", "--"] if host else []


class Host:
    def __init__(self, name):
        self.name = name
        self.addresses = {}
        self.gateway = None  # of its link, this end's IPv4 address
        try:
            self.process = subprocess.Popen(HOLD, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except OSError as e:
            raise Unavailable(f"no network namespaces: {e.filename}: {e.strerror}")
        self.pid = self.process.pid
        ours = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if os.readlink(f"/proc/{self.pid}/ns/net") != ours and comm(self.pid) == "sleep":
                    break
            except OSError:
                pass
            if self.process.poll() is not None:
                raise Unavailable(f"no network namespaces: {self.process.stderr.read().strip()}")
            if time.monotonic() > deadline:
                raise Unavailable("no network namespaces: unshare --net does not come to an end")
            time.sleep(0.01)
        ip("link", "set", "lo", "up", netns=self)

    def address(self, family=4):
        return self.addresses[family]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def comm(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
        return f.read().strip()


class Lab:
    def __init__(self):
        self.hosts, self.links = [], []
        self.v6 = os.path.exists("/proc/sys/net/ipv6") and \
            read("/proc/sys/net/ipv6/conf/all/disable_ipv6").strip() == "0"
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def build(self):
        k = self.k = self.reserve()
        self.vpc, self.internet, self.office, self.pod = \
            (self.host(name) for name in ("vpc", "internet", "office", "pod"))
        # The first link was made when the number was reserved.
        self.move(f"sl{k}v", self.vpc)
        self.address(f"sl{k}v", self.vpc, f"10.{64 + k}.7.", 1, 24, f"2001:db8:{k:x}:7::")
        self.link(f"sl{k}i")
        self.move(f"sl{k}i", self.internet)
        self.address(f"sl{k}i", self.internet, "203.0.113.", 8 * k + 1, 29, f"2001:db8:{k:x}:b::")
        self.link(f"sl{k}o")
        self.move(f"sl{k}o", self.office)
        self.address(f"sl{k}o", self.office, f"192.168.{100 + k}.", 1, 24)
        self.join_pod(f"198.51.100.{8 * k + 1}", f"198.51.100.{8 * k + 2}")
        # Given to the configuration.
        self.vpc_cidrs = [f"10.{64 + k}.7.0/24"] + ([f"2001:db8:{k:x}:7::/64"] if self.v6 else [])
        self.network = {"vpc": "off", "aws_ranges": "off", "vpc_cidrs": self.vpc_cidrs}

    def reserve(self):
        """A number nobody uses: the name of a link can be taken only once."""
        taken = [ipaddress.ip_network(r["dst"], strict=False)
                 for r in json.loads(ip("-j", "-4", "route", "show") or "[]") if r["dst"] != "default"]
        why = "no free addresses"
        for k in range(LABS):
            wanted = [ipaddress.ip_network(n) for n in
                      (f"10.{64 + k}.7.0/24", f"203.0.113.{8 * k}/29", f"192.168.{100 + k}.0/24")]
            if any(a.overlaps(b) for a in taken for b in wanted):
                continue
            try:
                self.link(f"sl{k}v")
                return k
            except Unavailable as e:
                why = str(e)
        raise Unavailable(f"no veth pairs: {why}")

    def host(self, name):
        self.hosts.append(Host(name))
        return self.hosts[-1]

    def link(self, name):
        ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
        self.links.append(name)

    def move(self, name, host):
        ip("link", "set", f"{name}p", "netns", str(host.pid))

    def address(self, name, host, v4, first, bits, v6=None):
        ip("addr", "add", f"{v4}{first}/{bits}", "dev", name)
        ip("addr", "add", f"{v4}{first + 1}/{bits}", "dev", f"{name}p", netns=host)
        host.addresses[4], host.gateway = f"{v4}{first + 1}", f"{v4}{first}"
        if v6 and self.v6:
            ip("addr", "add", f"{v6}1/64", "dev", name, "nodad")
            ip("addr", "add", f"{v6}2/64", "dev", f"{name}p", "nodad", netns=host)
            host.addresses[6] = f"{v6}2"
        ip("link", "set", name, "up")
        ip("link", "set", f"{name}p", "up", netns=host)

    def join_pod(self, pod, internet):
        ip("link", "add", "eth0", "type", "veth", "peer", "name", "pod0", "netns", str(self.internet.pid), netns=self.pod)
        for host, name, address in ((self.pod, "eth0", pod), (self.internet, "pod0", internet)):
            ip("addr", "add", f"{address}/29", "dev", name, netns=host)
            ip("link", "set", name, "up", netns=host)
        self.pod.addresses[4] = pod
        self.internet_for_pod = internet

    def close(self):
        for name in self.links:
            ip("link", "del", name, check=False)
        for host in self.hosts:
            host.kill()


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Sink:
    """Counts the payload that arrives at one of the lab's hosts. `senders`: the hosts it may come from, beside this one."""
    running = []

    def __init__(self, host, family=4, udp=False, address=None, port=0, send=0, senders=()):
        address = address or (host.address(family) if host else "127.0.0.1" if family == 4 else "::1")
        self.host, self.udp, self.family, self.senders = host, udp, family, senders
        self.ip = address
        port = port or (next(PORTS) if host else 0)
        self.options = ["--send", str(send)] if send else []
        self.process = subprocess.Popen(
            [*inside(host), program("sink"), "--udp" if udp else "--tcp", f"{self.bracket()}:{port}", *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if words[:1] != ["ready"]:
            raise RuntimeError(f"sink at {address} did not start")
        self.port = int(words[1].rpartition(":")[2])
        self.result = None
        Sink.running.append(self)

    def bracket(self):
        return f"[{self.ip}]" if self.family == 6 else self.ip

    @property
    def at(self):
        """ADDR:PORT as actor takes it."""
        return f"{self.bracket()}:{self.port}"

    @property
    def to(self):
        """The actor's step that connects to it."""
        return f"connect:{'udp' if self.udp else 'tcp'}:{self.at}"

    def wait_quiet(self):
        """Until nothing is under way to it any more: a process may be gone while its socket still sends."""
        if self.process.poll() is None:
            wait_quiet(self)

    def finish(self):
        """The receiver's own report."""
        if self.result is None:
            self.wait_quiet()
            self.process.send_signal(signal.SIGTERM)
            out, _ = self.process.communicate(timeout=PATIENCE)
            self.result = json.loads(out)
        return self.result

    def bytes(self):
        return self.finish()["bytes"]

    def kill(self):
        Sink.running.remove(self)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def wait_quiet(sink):
    deadline = time.monotonic() + PATIENCE
    calm = 0
    while calm < 2:
        busy = queued(sink.process.pid, sink.port, local=True) + \
            sum(queued(pid, sink.port, local=False) for pid in ("self", *(h.pid for h in sink.senders)))
        calm = 0 if busy else calm + 1
        if time.monotonic() > deadline:
            raise RuntimeError(f"{busy} bytes stay on their way to {sink.at}")
        time.sleep(0.02)


def queued(pid, port, local):
    """Bytes in the receive queues of local port `port`, or in the send queues towards it, in that process's namespace."""
    total = 0
    for name in ("tcp", "tcp6", "udp", "udp6"):
        try:
            lines = read(f"/proc/{pid}/net/{name}").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            f = line.split()
            # A listener's queue holds connections, not bytes.
            if int(f[1 if local else 2].rpartition(":")[2], 16) != port or f[3] == "0A":
                continue
            sent, received = f[4].split(":")
            total += int(received if local else sent, 16)
    return total
