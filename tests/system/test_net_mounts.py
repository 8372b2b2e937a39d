# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""File systems of other hosts as a way out: what is written there leaves, by a kernel thread and for the writer."""
import ctypes
import errno
import json
import os
import signal
import subprocess
import sys

import pytest

import lab as lab_module
import work
from where import PATIENCE
from work import FILE

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nfs_server.py")
WRITTEN = 300007
FEW = 10007
OPTIONS = "vers=3,proto=tcp,port={p},addr={a},mountaddr={a},mountport={p},mountvers=3,mountproto=tcp,nolock,soft,timeo=600"


class Nfs:
    """A server of our own at one of the lab's hosts, mounted here."""

    def __init__(self, tmp, point, host, name):
        self.point, self.ip = point, host.address()
        self.report = os.path.join(tmp, f"{name}.json")
        self.process = subprocess.Popen([*lab_module.inside(host), sys.executable, SERVER, self.ip, self.report],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        assert words[:1] == ["ready"], words
        self.port = int(words[1])
        os.mkdir(point)
        libc = ctypes.CDLL(None, use_errno=True)
        options = OPTIONS.format(a=self.ip, p=self.port)
        if libc.mount(f"{self.ip}:/".encode(), point.encode(), b"nfs", 0, options.encode()):
            number = ctypes.get_errno()
            error = os.strerror(number)
            self.kill()
            if number in (errno.ENODEV, errno.EPROTONOSUPPORT):
                pytest.skip(f"no NFS client in this kernel: {error}")
            raise RuntimeError(f"mount: {error}")

    def unmount(self):
        work.must("umount", self.point)

    def written(self):
        """What arrived there in all; unmounting has sent the last of it."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        with open(self.report, encoding="utf-8") as f:
            return json.load(f)["written"]

    def kill(self):
        subprocess.run(["umount", "-l", self.point], check=False, capture_output=True)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def nfs(tmp, data):
    made = []

    def start(host, name="nfs"):
        made.append(Nfs(tmp, f"{data}/{name}", host, name))
        return made[-1]

    subprocess.run(["modprobe", "-q", "nfs"], check=False)
    subprocess.run(["modprobe", "-q", "nfsv3"], check=False)
    yield start
    for one in made:
        one.kill()


def flows(r, fs):
    return r.of("flow", proto="nfs", remote__addr=fs.ip, remote__port=fs.port)


def found(r, fs):
    return [f for f in r.findings("exfil.volume").values() if f["remote"]["addr"] == fs.ip and f["remote"]["port"] == fs.port]


def test_what_is_written_leaves(sluice, config, dataset, actor, nfs, lab):
    fs = nfs(lab.internet)
    m = sluice(config)
    writer = actor(f"write:{fs.point}/before:{FEW}", f"read:{dataset}/f", f"write:{fs.point}/x:{WRITTEN}",
                   f"write:{fs.point}/y:{FEW}")
    truth = writer.truth()
    fs.unmount()
    r = m.stop()
    assert truth.total("written") == fs.written() == WRITTEN + 2 * FEW
    (f,) = found(r, fs)
    assert f["leak_bound"] == WRITTEN + FEW
    assert f["exposed"] == FILE
    assert f["process"]["pid"] == writer.pid
    assert f["remote"]["class"] == "internet"
    assert [hop["via"] for hop in f["chain"]] == ["read", "nfs"]
    assert sum(x["bytes_out"] for x in flows(r, fs)) == sum(x["tainted_out"] for x in flows(r, fs)) == WRITTEN + FEW


def test_within_the_vpc_is_quiet(sluice, config, dataset, actor, nfs, lab):
    fs = nfs(lab.vpc)
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{fs.point}/x:{WRITTEN}").truth()
    fs.unmount()
    r = m.stop()
    assert fs.written() == WRITTEN
    assert not r.findings("exfil.volume")
    assert sum(x["tainted_out"] for x in flows(r, fs)) == WRITTEN
    assert {x["remote"]["class"] for x in flows(r, fs)} == {"vpc"}


def test_allowed(sluice, config, dataset, actor, nfs, lab):
    fs = nfs(lab.internet)
    config["network"] = {**config["network"], "allow": [{"cidr": f"{fs.ip}/32"}]}
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{fs.point}/x:{WRITTEN}").truth()
    fs.unmount()
    r = m.stop()
    assert fs.written() == WRITTEN
    assert not r.findings("exfil.volume")


def test_untainted(sluice, config, actor, nfs, lab):
    fs = nfs(lab.internet)
    m = sluice(config)
    actor(f"write:{fs.point}/x:{WRITTEN}").truth()
    fs.unmount()
    r = m.stop()
    assert fs.written() == WRITTEN
    assert not flows(r, fs) and not r.findings()


def test_in_a_mount_namespace_of_its_own(sluice, config, dataset, actor, nfs, lab):
    """Where our own mountinfo says nothing, the writer's does."""
    fs = nfs(lab.internet)
    writer = actor("say:ready", "wait-line", f"read:{dataset}/f", f"write:{fs.point}/x:{WRITTEN}", "say:written", "wait-line",
                   prefix=["unshare", "--mount", "--propagation", "private"])
    writer.wait_said("ready")
    fs.unmount()
    m = sluice(config)
    writer.go()
    writer.wait_said("written")
    m.wait_records("a flow to the server", lambda r: sum(x["tainted_out"] for x in flows(r, fs)) == WRITTEN)
    writer.truth()
    r = m.stop()
    assert fs.written() == WRITTEN
    (f,) = found(r, fs)
    assert f["leak_bound"] == WRITTEN
    assert f["process"]["pid"] == writer.pid
