# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Long-lived credentials: whoever of a job opens a file that holds one, under whatever name it lies."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from monitor import wait_for

pytestmark = pytest.mark.one_set

KEY = "AKIAIOSFODNN7EXAMPLE"
MASKED = "AKIA************MPLE"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
STATIC = f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
TEMPORARY = STATIC.replace("AKIA", "ASIA") + "aws_session_token = t\n"
RULE = "credential.static"


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


@pytest.fixture
def home(tmp, monkeypatch):
    """A home that the monitor knows of, and nobody else."""
    path = os.path.join(tmp, "home")
    os.mkdir(path)
    put(f"{tmp}/passwd", f"root:x:0:0::/nonexistent:/bin/sh\ntester:x:65534:65534::{path}:/bin/sh\n")
    monkeypatch.setenv("SLUICE_PASSWD", f"{tmp}/passwd")
    return path


@pytest.fixture
def secret(home):
    return put(f"{home}/.aws/credentials", STATIC)


def state(m):
    return m.now("health")["health"]["credentials"]


def wait_watched(m, n=1):
    wait_for("the files are known", lambda: state(m)["holding"] >= n)  # others on this machine may name theirs


def overflowed(r):
    return [f for f in r.findings("monitor.gap").values() if "faster than could be looked at" in f["title"]]


def uses(r):
    return [a for a in r.of("access") if a.get("credential")]


def of_pid(r, pid):
    return [a for a in uses(r) if a["process"]["pid"] == pid]


def no_secret(m):
    """Nothing the monitor wrote has more of a key than its last four characters."""
    with open(m.events, encoding="utf-8") as f:
        text = f.read() + m.said()
    assert SECRET not in text and KEY not in text


# --- who ---------------------------------------------------------------------------------------

def test_a_tainted_process(sluice, config, dataset, secret, actor):
    m = sluice(config)
    wait_watched(m)
    p = actor(f"read:{dataset}/f", f"read:{secret}", "sleep:300")
    p.truth()
    r = m.stop()
    f = r.finding(RULE)
    assert f["severity"] == "high" and f["process"]["pid"] == p.pid and f["mitre"] == ["T1552.001"]
    assert f["dataset"] is None and f["leak_bound"] is None and f["coverage"] == []
    assert f"a long-lived AWS key ({MASKED}) from {secret};" in f["title"]
    of = of_pid(r, p.pid)
    assert {(a["credential"]["kind"], a["credential"]["path"], a["credential"]["key"]) for a in of} == {("aws", secret, MASKED)}
    assert sum(a["ops"] for a in of) == 1
    assert all(a["dataset"] is None and a["bytes"] is None and a["files"] is None for a in of)
    assert all(a["process"]["start"] == f["process"]["start"] for a in of)
    no_secret(m)


def test_an_ml_job(sluice, config, secret, actor, job):
    """Its helpers need not hold a byte of any dataset."""
    m = sluice({**config, "jobs": ["slurm:*"]})
    wait_watched(m)
    p = actor(f"read:{secret}", "sleep:300", cgroup=job)
    p.truth()
    f = m.stop().finding(RULE)
    assert f["severity"] == "medium" and f["job"] == job.name and f["process"]["pid"] == p.pid
    assert f["process"]["exe"].endswith("/actor") and f["process"]["uid"] == 0


def test_nobody_else(sluice, config, secret, actor):
    m = sluice(config)
    wait_watched(m)
    p = actor(f"read:{secret}", "sleep:300")
    p.truth()
    r = m.stop()
    assert r.findings() == {}
    assert len(of_pid(r, p.pid)) == 1 and of_pid(r, p.pid)[0]["process"]["comm"] == "actor"


def test_tainted_only_later(sluice, config, dataset, secret, actor):
    m = sluice(config)
    wait_watched(m)
    p = actor(f"read:{secret}", "sleep:1500", f"read:{dataset}/f", "sleep:500")
    p.truth()
    assert m.stop().finding(RULE)["process"]["pid"] == p.pid


def test_one_that_ends_at_once(sluice, config, secret, job):
    """Of short processes each is known, or counted as not known: never nobody."""
    m = sluice({**config, "jobs": ["slurm:*"]})
    wait_watched(m)
    n = 200
    script = f"echo 0 > {job.path}/cgroup.procs; for i in $(seq {n}); do /bin/cat {secret} > /dev/null; done"
    subprocess.run(["/bin/sh", "-c", script], check=True)
    time.sleep(0.5)
    r = m.stop()
    of_it = [a for a in uses(r) if a["credential"]["path"] == secret]
    known = [a for a in of_it if a["job"] == job.name]
    gone = [a for a in of_it if a["process"]["start"] is None]
    assert sum(a["ops"] for a in known + gone) == n
    assert r.finding(RULE)["job"] == job.name
    if gone:
        gap = [f for f in r.findings("monitor.gap").values() if "had ended before" in f["title"]]
        assert len(gap) == 1 and gap[0]["severity"] == "low"


def test_aws_itself(sluice, config, dataset, home, secret, tmp, actor):
    aws = shutil.which("aws", path="/usr/bin:/usr/local/bin") or shutil.which("aws")
    if not aws:
        pytest.skip("awscli is not installed")
    m = sluice(config)
    wait_watched(m)
    environ = {"HOME": home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}
    script = f"head -c 4096 {dataset}/f > /dev/null; exec 3< {dataset}/f; read -N 1 x <&3; exec {aws} configure list"
    done = subprocess.run(["/bin/bash", "-c", script], env={"PATH": os.environ["PATH"], **environ}, capture_output=True,
                          check=False, text=True, timeout=120)
    assert "shared-credentials-file" in done.stdout, (done.stdout, done.stderr)
    r = m.stop()
    f = r.finding(RULE)
    assert f["severity"] == "high" and MASKED in f["title"]


def test_in_the_environment(sluice, config, dataset, home, actor, monkeypatch):
    m = sluice(config)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    p = actor(f"read:{dataset}/f", "say:read", "wait-line")
    p.wait_said("read")
    wait_for("the finding", lambda: [f for f in m.now("findings")["items"] if f["rule"] == RULE])
    p.go()
    p.truth()
    r = m.stop()
    f = r.finding(RULE)
    assert f["process"]["pid"] == p.pid and f"({MASKED}) from its environment" in f["title"]
    assert [(a["credential"], a["ops"]) for a in of_pid(r, p.pid)] == [
        ({"kind": "environment", "path": None, "key": MASKED}, None)]
    no_secret(m)


# --- where -------------------------------------------------------------------------------------

def found_by(m, actor, dataset, path, **options):
    p = actor(f"read:{dataset}/f", f"read:{path}", "sleep:300", **options)
    p.truth()
    f = m.stop().finding(RULE)
    assert f["process"]["pid"] == p.pid
    return f


def test_renamed(sluice, config, dataset, home, secret, tmp, actor):
    m = sluice(config)
    wait_watched(m)
    os.rename(secret, f"{tmp}/innocent")
    assert secret in found_by(m, actor, dataset, f"{tmp}/innocent")["title"]


def test_linked(sluice, config, dataset, secret, tmp, actor):
    m = sluice(config)
    wait_watched(m)
    os.link(secret, f"{tmp}/innocent")
    found_by(m, actor, dataset, f"{tmp}/innocent")


def test_made_after_the_start(sluice, config, dataset, home, actor):
    m = sluice(config)
    path = put(f"{home}/.netrc", "machine example.org login a password b\n")
    wait_watched(m)
    assert "password" in found_by(m, actor, dataset, path)["title"]


def test_written_anew(sluice, config, dataset, home, actor):
    """What it holds counts when it is opened, not when it was found."""
    path = put(f"{home}/.aws/credentials", TEMPORARY)
    m = sluice(config)
    wait_for("it is known", lambda: state(m)["files"] == 1)
    assert state(m)["holding"] == 0
    put(path, STATIC)
    found_by(m, actor, dataset, path)


def test_by_a_link_of_the_home(sluice, config, dataset, home, tmp, actor):
    """As Kubernetes mounts secrets."""
    real = put(f"{tmp}/secret/..2026/credentials", STATIC)
    os.symlink("..2026", f"{tmp}/secret/..data")
    os.mkdir(f"{home}/.aws")
    os.symlink(f"{tmp}/secret/..data/credentials", f"{home}/.aws/credentials")
    m = sluice(config)
    wait_watched(m)
    assert real in found_by(m, actor, dataset, f"{home}/.aws/credentials")["title"]


def test_named_by_the_environment(sluice, config, dataset, home, tmp, actor, monkeypatch):
    path = put(f"{tmp}/elsewhere", STATIC)
    m = sluice(config)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", path)
    p = actor(f"read:{dataset}/f", "say:ready", "sleep:3000", f"read:{path}", "sleep:300")
    p.truth()
    assert m.stop().finding(RULE)["process"]["pid"] == p.pid


@pytest.mark.parametrize("kind, name, text", [
    ("git", ".git-credentials", "https://u:p@example.org\n"),
    ("kube", ".kube/config", "users:\n- name: a\n  user:\n    token: abc\n"),
    ("docker", ".docker/config.json", '{"auths":{"r.example.org":{"auth":"dTpw"}}}'),
    ("gcloud", ".config/gcloud/application_default_credentials.json", '{"type":"service_account","private_key":"k"}'),
    ("huggingface", ".cache/huggingface/token", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH\n"),
])
def test_kinds(sluice, config, dataset, home, actor, kind, name, text):
    path = put(f"{home}/{name}", text)
    m = sluice(config)
    wait_watched(m)
    p = actor(f"read:{dataset}/f", f"read:{path}", "sleep:300")
    p.truth()
    r = m.stop()
    assert r.finding(RULE)["process"]["pid"] == p.pid
    assert [a["credential"] for a in of_pid(r, p.pid)] == [{"kind": kind, "path": path, "key": None}]


def test_in_another_root(sluice, config, dataset, home, tmp, actor):
    """A container's: its own mount namespace, its own root and passwd."""
    root = f"{tmp}/root"
    os.mkdir(root)
    put(f"{tmp}/planted", STATIC)
    holder = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
         f"set -e; mount -t tmpfs none {root}; mkdir -p {root}/etc {root}/home/c/.aws {root}/bin {root}/data {root}/out;"
         f"for d in lib lib64 usr bin; do [ -e /$d ] && mkdir -p {root}/$d && mount --rbind /$d {root}/$d; done;"
         f"mount --bind {dataset} {root}/data; echo 'c:x:0:0::/home/c:/bin/sh' > {root}/etc/passwd;"
         f"cp {tmp}/planted {root}/home/c/.aws/credentials;"
         f"exec chroot {root} /bin/sh -c 'echo ready; read x; cat /data/f > /dev/null; exec 3< /data/f; read y <&3;"
         f" read z < /home/c/.aws/credentials; sleep 1'"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"ready\n"
        m = sluice(config)
        wait_watched(m)
        holder.stdin.write(b"\n")
        holder.stdin.flush()
        m.wait_records("it is found", lambda r: r.findings(RULE))
        f = m.stop().finding(RULE)
        assert f["process"]["pid"] == holder.pid and "/home/c/.aws/credentials" in f["title"]
    finally:
        holder.kill()
        holder.communicate()


def test_in_another_mount_namespace(sluice, config, dataset, home, tmp):
    """As schedulers make them: the host's root, and a mount over the home that only the job sees."""
    os.chmod(tmp, 0o755)
    put(f"{tmp}/private/credentials", STATIC)
    os.mkdir(f"{home}/.aws")
    p = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
         f"mount --bind {tmp}/private {home}/.aws; exec setpriv --reuid 65534 --clear-groups /bin/sh -c "
         f"'echo ready; read x; exec 3< {dataset}/f; read y <&3; read z < {home}/.aws/credentials; sleep 1'"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert p.stdout.readline() == b"ready\n"
        m = sluice(config)
        wait_watched(m)
        p.stdin.write(b"\n")
        p.stdin.flush()
        m.wait_records("it is found", lambda r: r.findings(RULE))
        f = m.stop().finding(RULE)
        assert f["process"]["pid"] == p.pid and f["process"]["uid"] == 65534
    finally:
        p.kill()
        p.communicate()


# --- what must not count, nor hold anyone up -----------------------------------------------------

def test_temporary_keys(sluice, config, dataset, home, actor):
    path = put(f"{home}/.aws/credentials", TEMPORARY)
    m = sluice(config)
    wait_for("it is known", lambda: state(m)["files"] == 1)
    actor(f"read:{dataset}/f", f"read:{path}", "sleep:300").truth()
    r = m.stop()
    assert r.findings() == {} and not [a for a in uses(r) if a["credential"]["path"] == path]


def test_what_is_no_file(sluice, config, dataset, home, actor, tmp):
    """Nothing but a regular file is opened: nobody waits, and no secret of the host is reached through a link."""
    os.makedirs(f"{home}/.aws")
    os.mkfifo(f"{home}/.aws/credentials")
    os.symlink("/dev/zero", f"{home}/.netrc")
    os.symlink("/proc/kmsg", f"{home}/.git-credentials")
    os.mkdir(f"{home}/.kube")
    os.symlink(f"{home}/.kube/config", f"{home}/.kube/config")
    os.makedirs(f"{home}/.docker/config.json")
    os.makedirs(f"{home}/.huggingface")
    with open(f"{home}/.huggingface/token", "wb") as f:
        f.truncate(1 << 40)
    m = sluice(config)
    path = put(f"{home}/.config/git/credentials", "https://u:p@example.org\n")
    wait_watched(m)
    assert state(m)["files"] == 1
    assert not [g for g in m.now("health")["health"]["gaps"] if g.startswith("credential.")]
    found_by(m, actor, dataset, path)


def test_a_link_leads_not_out_of_a_root(sluice, config, home, secret, tmp):
    """A container's home that points at the host's is the container's own, where nothing lies."""
    root = f"{tmp}/root"
    os.makedirs(f"{root}/home/c")
    os.symlink(f"{home}/.aws", f"{root}/home/c/.aws")
    put(f"{root}/etc/passwd", "c:x:0:0::/home/c:/bin/sh\n")
    put(f"{root}/home/c/.netrc", "machine a login b password c\n")
    os.symlink("../../../../../../../../.." + secret, f"{root}/home/c/.git-credentials")
    shutil.copy("/bin/sleep", f"{root}/sleep")
    libs = subprocess.run(["ldd", "/bin/sleep"], capture_output=True, text=True, check=False).stdout.split()
    for lib in (w for w in libs if w.startswith("/")):
        os.makedirs(root + os.path.dirname(lib), exist_ok=True)
        shutil.copy(lib, root + lib)
    p = subprocess.Popen(["chroot", root, "/sleep", "60"])
    try:
        m = sluice(config)
        wait_watched(m, 2)
        assert state(m)["files"] == 2
        m.stop()
    finally:
        p.kill()
        p.wait()


def test_opened_without_an_end(sluice, config, secret):
    """Who does nothing else costs the monitor little."""
    m = sluice(config)
    wait_watched(m)
    p = subprocess.Popen(["/usr/bin/python3", "-c", f"while True: open({secret!r}).close()"])
    try:
        time.sleep(1)
        before = cpu(m.process.pid)
        time.sleep(3)
        share = (cpu(m.process.pid) - before) / 3
    finally:
        p.kill()
        p.wait()
    m.stop()
    assert share < 0.1, share


def test_a_queue_that_is_full(sluice, config, home, secret):
    """What the kernel had no room to tell is counted, and a finding."""
    other = put(f"{home}/.netrc", "machine a login b password c\n")
    limit = "/proc/sys/fs/fanotify/max_queued_events"
    if not os.path.exists(limit):
        pytest.skip("this kernel has no limit of fanotify's queue")
    with open(limit, encoding="ascii") as f:
        before = f.read()
    try:
        with open(limit, "w", encoding="ascii") as f:
            f.write("1")
        m = sluice(config)
    finally:
        with open(limit, "w", encoding="ascii") as f:
            f.write(before)
    wait_watched(m, 2)
    p = subprocess.Popen(["/usr/bin/python3", "-c", f"while True: open({secret!r}).close(), open({other!r}).close()"])
    try:
        m.wait_records("it is told", overflowed)
    finally:
        p.kill()
        p.wait()
    assert state(m)["missed"]["overflow"] > 0
    assert overflowed(m.stop())


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_marks_is_a_gap(sluice, config, dataset, secret, actor, tmp):
    """Where the kernel refuses them: here since a user may have none."""
    limit = "/proc/sys/fs/fanotify/max_user_groups"
    if not os.path.exists(limit):
        pytest.skip("this kernel has no limit of fanotify groups")
    with open(limit, encoding="ascii") as f:
        before = f.read()
    try:
        with open(limit, "w", encoding="ascii") as f:
            f.write("0")
        m = sluice(config)
    finally:
        with open(limit, "w", encoding="ascii") as f:
            f.write(before)
    gaps = [g for g in m.now("health")["health"]["gaps"] if g.startswith("credential.files: ")]
    assert len(gaps) == 1 and "refuses" in gaps[0]
    assert state(m)["files"] is None
    m.signal(signal.SIGTERM)
    assert m.process.wait(60) == 0
