# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The journal of a running monitor: the same records as its events, through kills and full disks; and what verifying it finds."""
import contextlib
import glob
import hashlib
import json
import os
import shutil
import subprocess
import time

import pytest

import records
import work
from monitor import Monitor, check_form, run_sluice, tagged, wait_for
from work import FILE

pytestmark = pytest.mark.one_set


class Journal:
    """A directory with one, and the monitor's state beside it."""

    def __init__(self, tmp, path=None, **bounds):
        self.dir, self.state, self.bounds = path or f"{tmp}/journal", f"{tmp}/state", bounds

    def config(self, dataset, **more):
        return tagged(dataset, journal={"dir": self.dir, **self.bounds}, state=self.state, **more)

    def text(self):
        """Only whole lines: the last one may be torn, or be written now."""
        whole = b""
        for path in sorted(glob.glob(f"{self.dir}/sluice-*.jsonl")):
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:  # retention may have taken it
                whole += f.read()
        return whole[:whole.rfind(b"\n") + 1].decode()

    def records(self):
        return records.parse(self.text())

    def seqs(self):
        return [r["seq"] for r in self.records()]

    def verify(self, status=0):
        p = run_sluice("verify", self.dir, "--state", self.state, "--json")
        assert p.returncode == status, f"{p.returncode}: {p.stdout}{p.stderr}"
        return json.loads(p.stdout)

    def newest(self, pattern):
        return sorted(glob.glob(f"{self.dir}/{pattern}"))[-1]


@pytest.fixture
def journal(tmp):
    return Journal(tmp)


def edit(path, change):
    with open(path, "rb") as f:
        old = f.read()
    new = change(old)
    assert new != old
    with open(path, "wb") as f:
        f.write(new)
    return old


# --- two sinks ---------------------------------------------------------------------------------

def test_journal_and_events_are_the_same(sluice, journal, config, dataset, lab, sink, actor):
    s = sink(lab.internet)
    m = sluice(journal.config(dataset, network=config["network"]))
    truth = actor(f"read:{dataset}/f", s.to, "send:300007").truth()
    found = m.stop()
    with open(m.events, encoding="utf-8") as f:
        assert f.read() == journal.text()
    assert found.read() == truth.total("read") == FILE
    assert found.to(s) == s.bytes() == 300007
    assert journal.seqs() == list(range(1, len(found) + 1))
    check_form(journal.records())
    assert found.of("journal", event="opened") and found.of("digest")
    d = journal.verify()
    assert d["good"] and d["records"]["count"] == len(found)
    assert d["digests"]["found"] == d["digests"]["good"] >= 1
    # by other means
    before = "0" * 64
    for line in journal.text().splitlines():
        assert json.loads(line)["prev"] == before
        before = hashlib.sha256(line.encode()).hexdigest()
    for name, mode in ((journal.dir, 0o40750), (journal.newest("sluice-*"), 0o100640),
                       (f"{journal.state}/journal-key.pem", 0o100600)):
        assert os.stat(name).st_mode == mode, name


def test_journal_alone(sluice, journal, config, dataset, tmp):
    m = sluice(journal.config(dataset), events=False)
    work.reader(tmp, dataset)
    wait_for("it is written", lambda: journal.records().read() == FILE)
    h = m.show("health")["health"]["journal"]
    assert h["dir"] == journal.dir and h["error"] is None and h["events_dropped"] == 0 and h["seq"] > 0
    m.signal(15)
    assert m.wait() == 0, m.said()
    assert journal.verify()["good"]


def test_reader_of_events_goes_away(root, journal, config, dataset, tmp, hooks):
    """With a journal nothing is lost by that, and the monitor goes on."""
    m = Monitor(tmp, journal.config(dataset), hooks=hooks, events="-")
    m.start(ready=False, stdout=subprocess.PIPE)
    try:
        m.wait_ready()
        m.process.stdout.close()
        work.reader(tmp, dataset)
        wait_for("it is written", lambda: journal.records().read() == FILE)
        wait_for("it says so", lambda: "Broken pipe" in m.said())
        work.reader(tmp, dataset)
        wait_for("it goes on", lambda: journal.records().read() == 2 * FILE)
        m.signal(15)
        assert m.wait() == 0, m.said()
    finally:
        m.kill()
    assert journal.verify()["good"]


def test_slow_reader_of_events(root, journal, config, dataset, tmp, hooks):
    """One that reads nothing: the journal has all, and no interval waits for it."""
    work.make_file(f"{dataset}/f", 4099)
    m = Monitor(tmp, journal.config(dataset), hooks=hooks, events="-")
    m.start(ready=False, stdout=subprocess.PIPE)
    try:
        m.wait_ready()
        truth = work.reader(tmp, "--procs", "400", dataset)
        wait_for("the journal has them", lambda: journal.records().read() == truth["bytes"] == 400 * 4099)
        with m.process.stdout as out:
            m.signal(15)
            text = out.read().decode()
        assert m.wait() == 0, m.said()
    finally:
        m.kill()
    assert text == journal.text()


# --- ends, good and bad ---------------------------------------------------------------------------

@pytest.fixture
def quick(monkeypatch):
    """Many starts in a row."""
    monkeypatch.setenv("SLUICE_SELF_TEST", "off")


def test_killed_and_started_again(sluice, journal, config, dataset, tmp, quick):
    m = sluice(journal.config(dataset))
    for i in range(4):
        work.reader(tmp, dataset, name=f"r{i}")
        wait_for("all of it is written", lambda: journal.records().read() == (i + 1) * FILE)
        had = journal.text()
        m.kill()
        assert journal.verify()["good"]
        m.start()
        assert journal.text().startswith(had)
    m.signal(15)
    assert m.wait() == 0, m.said()
    found = journal.records()
    assert journal.seqs() == list(range(1, len(found) + 1))
    assert len(found.of("journal", event="opened")) == 5
    assert found.read() == 4 * FILE
    d = journal.verify()
    assert d["good"] and d["digests"]["found"] == d["digests"]["good"]


def test_killed_at_random(sluice, journal, config, dataset, tmp, quick):
    """Whatever was being written: no number twice or left out, and a chain that holds."""
    m = sluice(journal.config(dataset, interval="100ms"))
    for i in range(8):
        work.reader(tmp, dataset, name=f"r{i}")
        time.sleep(0.037 * i)
        m.kill()
        d = journal.verify()
        assert d["good"], d
        m.start()
    m.signal(15)
    assert m.wait() == 0, m.said()
    assert journal.seqs() == list(range(1, len(journal.records()) + 1))
    assert journal.verify()["good"]


def test_torn_tail(sluice, journal, config, dataset, tmp):
    m = sluice(journal.config(dataset))
    work.reader(tmp, dataset)
    wait_for("it is written", lambda: journal.records().read() == FILE)
    m.kill()
    with open(journal.newest("sluice-*"), "ab") as f:
        f.write(b'{"v":1,"type":"access","time":"2026')
    assert "of a line" in " ".join(journal.verify()["limits"])
    m.start()
    m.signal(15)
    assert m.wait() == 0, m.said()
    torn = journal.records().of("journal", event="torn")
    assert [t["bytes"] for t in torn] == [35]
    d = journal.verify()
    assert d["good"] and len(d["torn"]) == 1
    assert "torn" in run_sluice("verify", journal.dir, "--state", journal.state).stdout


def test_second_monitor(sluice, journal, config, dataset, tmp, hooks):
    sluice(journal.config(dataset))
    other = Monitor(tmp, journal.config(dataset), hooks=hooks, name="other").start(ready=False)
    assert other.wait() == 2
    assert "another monitor writes its journal there" in other.said()


def test_what_is_no_segment_is_refused(journal, dataset, tmp, hooks):
    os.mkdir(journal.dir, 0o700)
    os.mkfifo(f"{journal.dir}/sluice-{1:020}.jsonl")
    m = Monitor(tmp, journal.config(dataset), hooks=hooks).start(ready=False)
    assert m.wait() == 2
    assert f"`sluice verify {journal.dir}` names" in m.said()
    assert f"sluice-{1:020}.jsonl" in run_sluice("verify", journal.dir, "--state", journal.state).stdout


@pytest.mark.parametrize("what", ["a file", "written by all", "no parent"])
def test_places_that_are_refused(root, config, dataset, tmp, hooks, what):
    path = f"{tmp}/place"
    if what == "a file":
        work.make_file(path, 1)
    elif what == "written by all":
        os.mkdir(path)
        os.chmod(path, 0o777)
    else:
        path = f"{tmp}/none/place"
    m = Monitor(tmp, Journal(tmp, path).config(dataset), hooks=hooks).start(ready=False)
    assert m.wait() == 2
    assert path in m.said() and ("journal.dir" in m.said() or "chmod" in m.said())


def test_rotation_and_retention(sluice, tmp, config, dataset):
    journal = Journal(tmp, max_size="128KiB")
    m = sluice(journal.config(dataset, interval="100ms"))
    for i in range(25):
        work.reader(tmp, "--procs", "20", dataset, name=f"r{i}")
    wait_for("something is removed", lambda: journal.records().of("journal", event="removed"))
    assert journal.verify()["good"]
    m.signal(15)
    assert m.wait() == 0, m.said()
    seqs = journal.seqs()
    assert seqs[0] > 1 and seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    size = sum(os.path.getsize(p) for p in glob.glob(f"{journal.dir}/*"))
    assert size < 2 * 128 * 1024, size
    # the copy has what retention took
    with open(m.events, encoding="utf-8") as f:
        assert records.parse(f.read()).read() == 25 * 20 * FILE
    d = journal.verify()
    assert d["good"] and d["removed"]["last_seq"] == seqs[0] - 1


# --- full disks --------------------------------------------------------------------------------------

def test_full_disk_and_room_again(sluice, config, dataset, tmp, small_disk):
    journal = Journal(tmp, f"{small_disk}/journal")
    m = sluice(journal.config(dataset), events=False)
    wait_for("it began", lambda: journal.text())
    work.fill(small_disk)
    for i in range(7):
        work.reader(tmp, dataset, name=f"r{i}")
    wait_for("it says that the disk is full", lambda: "No space left" in m.said())
    wait_for("health says so", lambda: m.show("health")["health"]["journal"]["error"] == "No space left on device")
    assert m.dataset_read("set") == 7 * FILE
    lines = len(m.said().splitlines())
    os.unlink(f"{small_disk}/ballast")
    wait_for("all that was read", lambda: journal.records().read() == 7 * FILE)
    wait_for("it says that it goes on", lambda: "writing again" in m.said())
    assert lines <= 5, m.said()  # said once, not once an interval
    wait_for("health says so", lambda: m.show("health")["health"]["journal"]["error"] is None)
    m.signal(15)
    assert m.wait() == 0, m.said()
    found = journal.records()
    assert found.read() == 7 * FILE
    assert len(found.of("journal", event="resumed", why="No space left on device")) == 1
    assert journal.seqs() == list(range(1, len(found) + 1))
    assert journal.verify()["good"]


def test_full_disk_to_the_end(sluice, config, dataset, tmp, small_disk):
    """What cannot be written must not end as if it had been; and the next monitor makes good what it finds."""
    journal = Journal(tmp, f"{small_disk}/journal")
    m = sluice(journal.config(dataset), events=False)
    wait_for("it began", lambda: journal.text())
    work.fill(small_disk)
    work.reader(tmp, dataset)
    m.signal(15)
    assert m.wait() == 1
    assert "No space left" in m.said()
    os.unlink(f"{small_disk}/ballast")
    assert journal.verify()["good"]
    m.start()
    m.signal(15)
    assert m.wait() == 0, m.said()
    assert journal.verify()["good"]


@pytest.fixture
def ext4(tmp):
    """A file system of its own, which can be made to answer nothing."""
    if not shutil.which("mkfs.ext4") or not shutil.which("fsfreeze"):
        pytest.skip("no mkfs.ext4 or fsfreeze here")
    path, image = f"{tmp}/ext4", f"{tmp}/image"
    work.make_file(image, 32 << 20)
    os.mkdir(path)
    work.must("mkfs.ext4", "-q", image)
    p = subprocess.run(["mount", "-o", "loop", image, path], capture_output=True, text=True, check=False)
    if p.returncode:
        pytest.skip(f"no loop device can be mounted here: {p.stderr.strip()}")
    yield path
    subprocess.run(["fsfreeze", "-u", path], capture_output=True, check=False)
    work.unmount_below(path)


def test_disk_that_does_not_answer(sluice, config, dataset, tmp, ext4):
    """No interval and no request waits for it."""
    journal = Journal(tmp, f"{ext4}/journal")
    m = sluice(journal.config(dataset), events=False)
    wait_for("it began", lambda: journal.text())
    work.must("fsfreeze", "-f", ext4)
    try:
        slowest = latest = 0
        for i in range(7):
            work.reader(tmp, dataset, name=f"r{i}")
        until = time.monotonic() + 14
        while time.monotonic() < until:
            begun = time.monotonic()
            latest = max(latest, m.show("health")["health"]["late_ms"])
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.2)
        assert m.dataset_read("set") == 7 * FILE
        wait_for("it says so", lambda: "the disk does not answer" in m.said())
    finally:
        work.must("fsfreeze", "-u", ext4)
    assert slowest < 5 and latest < 5000, (slowest, latest)  # the machine's own slowness, not the disk's 14 s
    wait_for("all that was read", lambda: journal.records().read() == 7 * FILE)
    wait_for("it says that it goes on", lambda: "writing again" in m.said())
    m.signal(15)
    assert m.wait() == 0, m.said()
    assert len(journal.records().of("journal", event="resumed", why="the disk did not answer")) == 1
    assert journal.seqs() == list(range(1, len(journal.records()) + 1))
    assert journal.verify()["good"]


# --- verify --------------------------------------------------------------------------------------------

@pytest.fixture
def written(sluice, journal, config, dataset, tmp):
    """A journal of two runs of the monitor."""
    m = sluice(journal.config(dataset))
    work.reader(tmp, dataset)
    m.again()
    work.reader(tmp, dataset, name="again")
    m.stop()
    assert journal.verify()["good"]
    return journal


def test_verify_says_which_and_when(written):
    path = sorted(glob.glob(f"{written.dir}/sluice-*"))[0]
    lines = open(path, "rb").read().splitlines(keepends=True)
    access = next(i for i, line in enumerate(lines) if b'"access"' in line)
    record = json.loads(lines[access])

    old = edit(path, lambda t: t.replace(b'"read":%d' % FILE, b'"read":%d' % 7))
    d = written.verify(1)
    p = next(p for p in d["problems"] if p["kind"] == "edited")
    assert (p["segment"], p["line"], p["seq"], p["time"]) == (os.path.basename(path), access + 1, record["seq"], record["time"])
    assert p["digest_start"][:19] <= record["time"][:19] <= p["digest_end"][:19]
    text = run_sluice("verify", written.dir, "--state", written.state)
    assert text.returncode == 1
    assert f"record {record['seq']} of {record['time']}" in text.stdout and "FAILED" in text.stdout

    edit(path, lambda _: b"".join(lines[:access] + lines[access + 1:]))
    assert [p["seq"] for p in written.verify(1)["problems"] if p["kind"] == "deleted"] == [record["seq"]]
    edit(path, lambda _: old)
    assert written.verify()["good"]

    last = written.newest("sluice-*")
    seqs = written.seqs()
    old = edit(last, lambda t: b"".join(t.splitlines(keepends=True)[:-1]))
    assert [(p["kind"], p["seq"]) for p in written.verify(1)["problems"]] == [("cut", seqs[-1])]
    edit(last, lambda _: old)

    shutil.move(written.newest("digest-*.json"), written.dir + "/elsewhere")
    assert "digest" in {p["kind"] for p in written.verify(1)["problems"]}


def test_verify_usage(root, tmp):
    assert run_sluice("verify").returncode == 2
    p = run_sluice("verify", f"{tmp}/none")
    assert p.returncode == 2 and f"{tmp}/none" in p.stderr
    assert run_sluice("verify", tmp).returncode == 2
    os.mkdir(f"{tmp}/j")
    p = run_sluice("verify", f"{tmp}/j", "--key", "/dev/null")
    assert p.returncode == 2


# --- somebody else's verifier --------------------------------------------------------------------------------

VALIDATE = """
import base64, json, subprocess, sys
from awscli.customizations.cloudtrail.validation import DigestError, Sha256RSADigestValidator

def read(path):
    with open(path, "rb") as f:
        return f.read()

def validate(dir, names, keys):
    accepted = []
    for name in names:
        raw = read(f"{dir}/{name}")
        digest = json.loads(raw)
        digest["_signature"] = read(f"{dir}/{name}.sig").decode().strip()
        digest["_signature_algorithm"] = digest["digestSignatureAlgorithm"]
        pem = read(f"{dir}/key-{digest['digestPublicKeyFingerprint'][:16]}.pem").decode()
        der = "".join(pem.splitlines()[1:-1])
        try:
            Sha256RSADigestValidator().validate(digest["digestS3Bucket"], digest["digestS3Object"], der, digest, raw)
        except DigestError:
            continue
        accepted.append(name)
    return accepted

print(json.dumps(validate(sys.argv[1], sys.argv[2:], None)))
"""


@pytest.fixture(scope="session")
def aws_python():
    """An interpreter that has awscli."""
    probe = "import awscli.customizations.cloudtrail.validation"
    found = [p for p in ("/usr/bin/python3", shutil.which("python3"), shutil.which("python"))
             if p and subprocess.run([p, "-c", probe], capture_output=True, check=False).returncode == 0]
    if not found:
        pytest.skip("no Python here has awscli (package awscli)")
    return found[0]


def test_awscli_validates_digests(written, aws_python):
    names = [os.path.basename(p) for p in sorted(glob.glob(f"{written.dir}/digest-*.json"))]

    def accepted():
        p = subprocess.run([aws_python, "-c", VALIDATE, written.dir, *names], capture_output=True, text=True, check=False)
        assert p.returncode == 0, p.stderr
        return json.loads(p.stdout)
    assert len(names) >= 2 and accepted() == names
    digests = [json.load(open(f"{written.dir}/{n}", encoding="utf-8")) for n in names]
    assert digests[0]["previousDigestSignature"] is None and digests[0]["sluice"]["starts"]
    for i, d in enumerate(digests):
        if i:
            assert d["previousDigestS3Object"] == names[i - 1]
            with open(f"{written.dir}/{names[i - 1]}", "rb") as f:
                assert d["previousDigestHashValue"] == hashlib.sha256(f.read()).hexdigest()
            with open(f"{written.dir}/{names[i - 1]}.sig", encoding="ascii") as f:
                assert d["previousDigestSignature"] == f.read().strip()
            assert d["digestStartTime"] == digests[i - 1]["digestEndTime"]
        for log in d["logFiles"]:
            with open(f"{written.dir}/{log['s3Object']}", "rb") as f:
                assert log["hashValue"] == hashlib.sha256(f.read()).hexdigest()

    old = edit(f"{written.dir}/{names[0]}", lambda t: t.replace(b'"SHA-256"', b'"SHA-257"', 1))
    assert accepted() == names[1:]
    edit(f"{written.dir}/{names[0]}", lambda _: old)
    old = edit(f"{written.dir}/{names[1]}.sig", lambda t: (b"0" if t[:1] != b"0" else b"1") + t[1:])
    assert accepted() == names[:1] + names[2:]
    edit(f"{written.dir}/{names[1]}.sig", lambda _: old)
    # each record of a digest has its signature, so that it leaves the host with the others
    told = {r["file"]: r["signature"] for r in written.records().of("digest")}
    for name in names:
        with open(f"{written.dir}/{name}.sig", encoding="ascii") as f:
            assert told[name] == f.read().strip()
