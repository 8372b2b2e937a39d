# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""File systems that a process of this host serves (FUSE), as a way out: what a tainted process writes there its daemon sends."""
import os
import subprocess
import sys

import pytest

import work
from monitor import tagged, wait_for
from work import FILE

MOVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mover.py")
WRITTEN = 300007
FEW = 10007
WAYS = {
    "read": [], "readv": ["--by", "readv"], "splice": ["--by", "splice"], "late": ["--late"], "cloned": ["--clone"],
    "writeback": ["--writeback"],
}


class Served:
    """Our own daemon, which sends on what is written to /w0 to /w9 below .point."""

    def __init__(self, tmp, point, words, cgroup=None):
        os.makedirs(point)
        self.point = point
        self.process = work.Process(tmp, f"fuse-{os.path.basename(point)}",
                                    [work.program("fuse"), "-o", "REPORT", *words, point, str(FILE)], cgroup=cgroup)
        try:
            self.process.wait_said("ready")
        except AssertionError:
            if self.process.process.poll() == 77:
                pytest.skip(f"no FUSE here: {self.process.said().strip()}")
            raise

    @property
    def pid(self):
        return self.process.pid

    def close(self):
        """Unmounts it, by which all that was written is handed over. Its report is to be read when the monitor has ended."""
        work.must("umount", self.point)
        assert self.process.wait() == 0, self.process.said()
        return self.process.last_report()

    def kill(self):
        subprocess.run(["umount", "-l", self.point], check=False, capture_output=True)
        self.process.kill()


@pytest.fixture
def served(tmp, data):
    made = []

    def start(*words, name="served", **options):
        made.append(Served(tmp, f"{data}/{name}", words, **options))
        return made[-1]

    subprocess.run(["modprobe", "-q", "fuse"], check=False)
    yield start
    for one in made:
        one.kill()


def ways(finding):
    return [hop["via"] for hop in finding["chain"]]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_written_is_sent_by_the_daemon(sluice, config, dataset, actor, served, sink, lab, job, way):
    s = sink(lab.internet)
    fs = served("--sink", s.at, *WAYS[way])
    m = sluice(config)
    writer = actor("comm:trainer", f"read:{dataset}/f", f"write:{fs.point}/w0:{WRITTEN}", cgroup=job)
    truth = writer.truth()
    daemon = fs.close()
    r = m.stop()
    assert truth.total("written") == daemon["written"] == daemon["sent"] == s.bytes() == WRITTEN
    f = r.finding("exfil.volume", s)
    assert f["leak_bound"] == WRITTEN
    assert f["exposed"] == FILE
    assert f["process"]["pid"] == fs.pid
    assert ways(f) == ["read", "served_write", "served_read", "tcp"]
    assert f"trainer[{writer.pid}]" in f["chain"][1]["from"]
    assert [hop["bytes"] for hop in f["chain"]][:2] == [FILE, WRITTEN]
    assert WRITTEN < f["chain"][2]["bytes"] <= daemon["taken"]
    assert r.to(s) == WRITTEN
    assert {a["process"]["pid"] for a in r.access()} == {writer.pid}


def test_written_before_the_taint_is_not_counted(sluice, config, dataset, actor, served, sink, lab):
    """The daemon sends all; only what a tainted process wrote can be of the dataset."""
    s = sink(lab.internet)
    fs = served("--sink", s.at)
    m = sluice(config)
    truth = actor(f"write:{fs.point}/w0:{WRITTEN}", f"read:{dataset}/f", f"write:{fs.point}/w1:{FEW}").truth()
    fs.close()
    r = m.stop()
    assert truth.total("written") == s.bytes() == WRITTEN + FEW
    assert r.finding("exfil.volume", s)["leak_bound"] == FEW


def test_among_others_bytes(sluice, config, dataset, actor, served, sink, lab):
    """Who writes without taint adds nothing to the bound, before and after."""
    s = sink(lab.internet)
    fs = served("--sink", s.at)
    m = sluice(config)
    actor(f"write:{fs.point}/w0:{WRITTEN}").truth()
    actor(f"read:{dataset}/f", f"write:{fs.point}/w1:{FEW}").truth()
    actor(f"write:{fs.point}/w2:{WRITTEN}").truth()
    fs.close()
    r = m.stop()
    assert s.bytes() == 2 * WRITTEN + FEW
    assert r.finding("exfil.volume", s)["leak_bound"] == FEW


def test_only_opened_for_writing(sluice, config, dataset, actor, served, sink, lab):
    """A request is no byte of the dataset's: quiet until something is written."""
    s = sink(lab.internet)
    fs = served("--sink", s.at)
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{fs.point}/w0:0").truth()
    actor(f"write:{fs.point}/w1:{WRITTEN}").truth()
    fs.close()
    r = m.stop()
    assert s.bytes() == WRITTEN
    assert not r.findings()
    assert r.to(s) == 0


def test_another_daemon_stays_clean(sluice, config, dataset, actor, served, sink, lab):
    s, other = sink(lab.internet), sink(lab.internet)
    fs, beside = served("--sink", s.at), served("--sink", other.at, name="beside")
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{fs.point}/w0:{WRITTEN}").truth()
    actor(f"write:{beside.point}/w0:{WRITTEN}").truth()
    fs.close()
    beside.close()
    r = m.stop()
    assert other.bytes() == s.bytes() == WRITTEN
    assert r.finding("exfil.volume")["leak_bound"] == WRITTEN
    assert r.to(s) == WRITTEN and r.to(other) == 0


def test_moved_inside_the_kernel(sluice, config, dataset, tmp, served, sink, lab):
    s = sink(lab.internet)
    fs = served("--sink", s.at)
    m = sluice(config)
    p = work.Process(tmp, "mover", [sys.executable, MOVER, "REPORT", f"sendfile:{dataset}/f:{fs.point}/w0:{WRITTEN}"])
    assert p.wait() == 0, p.said()
    truth = p.last_report()
    fs.close()
    r = m.stop()
    assert truth["moved"] == s.bytes() == WRITTEN
    assert r.finding("exfil.volume", s)["leak_bound"] == WRITTEN


def test_one_daemon_over_another(sluice, config, dataset, actor, served, sink, lab):
    """Two in a row, as an encrypting file system over a mounted bucket."""
    s = sink(lab.internet)
    bucket = served("--sink", s.at)
    over = served("--into", f"{bucket.point}/w0", name="over")
    m = sluice(config)
    actor(f"read:{dataset}/f", f"write:{over.point}/w0:{WRITTEN}").truth()
    over.close()
    bucket.close()
    r = m.stop()
    assert s.bytes() == WRITTEN
    f = r.finding("exfil.volume", s)
    assert f["leak_bound"] == WRITTEN
    assert ways(f) == ["read", "served_write", "served_read", "served_write", "served_read", "tcp"]


def test_what_is_written_to_a_dataset_there_leaves_too(sluice, actor, served, sink, lab):
    """A tagged bucket: what its reader writes back is the dataset's, and the daemon sends it."""
    s = sink(lab.internet)
    fs = served("--sink", s.at)
    m = sluice(tagged(fs.point, network=lab.network))
    truth = actor(f"read:{fs.point}/f", f"write:{fs.point}/w0:{WRITTEN}").truth()
    fs.close()
    r = m.stop()
    assert truth.total("read") == r.read() == FILE
    assert s.bytes() == WRITTEN
    assert r.finding("exfil.volume", s)["leak_bound"] == WRITTEN


# --- as a dataset -----------------------------------------------------------------------------------------

def test_a_prefix_of_a_bucket(sluice, served, tmp, lab):
    """path: s3://, with where it is mounted."""
    fs = served()
    m = sluice({"datasets": [{"id": "set", "path": "s3://bucket/prefix", "mount": fs.point, "tags": {"DataType": "PII"}}],
                "network": lab.network})
    truth = work.reader(tmp, f"{fs.point}/f")
    fs.close()
    r = m.stop()
    assert truth["bytes"] == r.read(dataset="set") == FILE
    assert {a["process"]["comm"] for a in r.access()} == {"reader"}


def test_mounted_within_a_dataset(sluice, dataset, data, served, tmp, lab):
    """Before the monitor starts, and while it runs."""
    before = served(name="set/before")
    m = sluice(tagged(dataset, network=lab.network))
    first = work.reader(tmp, f"{before.point}/f", name="first")
    assert m.dataset_read("set") == first["bytes"] == FILE
    later = served(name="set/later")
    turn = iter(range(10000))

    def counted():
        work.reader(tmp, f"{later.point}/f", name=f"later{next(turn)}")
        return m.dataset_read("set") > FILE

    wait_for("the new mount is part of the dataset", counted)
    was = m.dataset_read("set")
    assert work.reader(tmp, f"{later.point}/f", name="last")["bytes"] == FILE
    before.close()
    later.close()
    assert m.stop().read() == was + FILE
