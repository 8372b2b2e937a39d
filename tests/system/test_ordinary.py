# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""An ordinary hour, in a minute: a training, and beside it all that a host does anyway. Taint stays where it belongs."""
import json
import os
import shutil
import subprocess
import sys

import pytest

import work
from httpd import HttpSink
from monitor import tagged, wait_for

FILES, SIZE, LOADERS, METRICS, LOG = 13, 60013, 4, 10007, 30011
ALL = FILES * SIZE

# For each line an epoch: loaders read their part and hand it over, the trainer writes a checkpoint, its log and metrics. Who
# they are is told before a byte is read, since that file is for the test.
TRAINER = f"""
import glob, os, socket, sys
data, out, addr, port, pids = sys.argv[1:]
files = sorted(glob.glob(data + "/*"))
metrics = socket.create_connection((addr, int(port)))
loaders = []
for i in range({LOADERS}):
    go, done = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        for other in loaders:
            os.close(other[1])
        os.close(go[1])
        while os.read(go[0], 1):
            for name in files[i::{LOADERS}]:
                with open(name, "rb") as f:
                    os.write(done[1], f.read())
        os._exit(0)
    os.close(go[0]), os.close(done[1])
    loaders.append((pid, go[1], done[0]))
with open(pids + ".new", "w") as f:
    f.write(" ".join(str(p) for p in [os.getpid()] + [l[0] for l in loaders]))
os.rename(pids + ".new", pids)
for line in sys.stdin:
    for pid, go, done in loaders:
        os.write(go, b"x")
    batch = b""
    for i, (pid, go, done) in enumerate(loaders):
        wanted = len(batch) + {SIZE} * len(files[i::{LOADERS}])
        while len(batch) < wanted:
            batch += os.read(done, 65536)
    with open(out + "/model", "wb") as f:
        f.write(batch)
    with open(out + "/train.log", "ab") as f:
        f.write(batch[:{LOG}])
    metrics.sendall(batch[:{METRICS}])
    print("epoch", flush=True)
"""

MAKEFILE = "all: x\nx: a.o b.o\n\t$(CC) -o $@ $^\n%.o: %.c\n\t$(CC) -pipe -O2 -c $< -o $@\nclean:\n\trm -f x *.o\n"

# What runs on a host all the time; each part where its tool is there.
ROUND = """
have() { type "$1" > /dev/null 2>&1; }
cd TMP
if have make && have cc; then make -s -C src clean all && src/x; fi
if have git; then
    export HOME=TMP GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@y GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@y
    rm -rf repo && git init -q repo && cp src/*.c repo && (cd repo && git add . && git commit -q -m one && git log -p > ../patch &&
        git gc -q && git grep -q main && git status -s)
fi
for i in 1 2 3 4 5; do echo "$(date) host service[$i]: something happened" >> syslog; done
mv syslog syslog.1 && gzip -f syslog.1 && zcat syslog.1.gz | sort | uniq -c | tail -n 3
sh -c 'uptime; df; ps aux; cat /proc/loadavg /proc/[0-9]*/stat /proc/[0-9]*/status' > cron.out 2>&1 || true
cat /proc/[0-9]*/cmdline > cmdlines 2> /dev/null || true
find TMP /etc -name '*.c' -newer Makefile 2> /dev/null | xargs -r wc -c > found || true
ls -lR DATA OUT > listing && du -s DATA OUT > sizes && stat DATA/* OUT/* > stats
tar -czf etc.tgz -C / etc/hosts etc/passwd usr/include/linux 2> /dev/null || true
mkdir -p unpacked && tar -xzf etc.tgz -C unpacked && diff -r unpacked/etc/passwd /etc/passwd
if have dpkg; then dpkg -l > packages; dpkg -S /bin/ls > owner || true; fi
if have apt-cache; then apt-cache policy bash > policy; fi
if have curl; then curl -sS -d wanted=x URL > answer; fi
python3 -c 'import json, email, sqlite3; print(json.dumps({"up": 1}))' | cat > up
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


@pytest.fixture
def http(lab):
    s = HttpSink(lab.internet)
    yield s
    s.kill()


def tainted(m):
    """pid -> item, of all that hold anything of the dataset, or did."""
    return {i["process"]["pid"]: i for i in m.show("processes")["items"] if i["process"] and i["datasets"]}


def test_an_hour(sluice, dataset, lab, sink, http, tmp, job):
    for i in range(FILES):
        write(f"{dataset}/{i:02}", "x" * SIZE)
    os.makedirs(f"{tmp}/src"), os.makedirs(f"{tmp}/host"), os.makedirs(f"{tmp}/out")
    work.must("cp", "-r", f"{tmp}/src", f"{tmp}/host")
    write(f"{tmp}/host/src/Makefile", MAKEFILE)
    write(f"{tmp}/host/Makefile", "")
    write(f"{tmp}/host/src/a.c", "int b(void);\nint main(void) { return b() != 7; }\n")
    write(f"{tmp}/host/src/b.c", "int b(void) { return 7; }\n")
    write(f"{tmp}/trainer.py", TRAINER)
    script = ROUND.replace("TMP", f"{tmp}/host").replace("DATA", dataset).replace("OUT", f"{tmp}/out").replace("URL", f"{http.url}x")
    vpc = sink(lab.vpc)
    m = sluice(tagged(dataset, network=lab.network))
    trainer = work.Process(tmp, "trainer", [sys.executable, f"{tmp}/trainer.py", dataset, f"{tmp}/out", vpc.ip, str(vpc.port),
                                            f"{tmp}/pids"], cgroup=job)
    log = f"{tmp}/out/train.log"
    follower = None
    most = 0
    try:
        wait_for("who they are", lambda: os.path.exists(f"{tmp}/pids"))
        with open(f"{tmp}/pids", encoding="ascii") as f:
            ours = {int(pid) for pid in f.read().split()}
        for epoch in range(2):
            trainer.go()
            trainer.wait_said("epoch")
            if not follower:
                follower = work.Process(tmp, "follower", ["tail", "-n", "+1", "-f", log])
                ours.add(follower.pid)
            host = work.Process(tmp, f"host{epoch}", ["bash", "-c", f"set -e -o pipefail\n{script}"])
            while host.process.poll() is None:
                most = max(most, m.show("health")["health"]["tainted"]["processes"])
                try:
                    host.process.wait(0.5)
                except subprocess.TimeoutExpired:
                    pass
            assert host.process.returncode == 0, host.said()
        wait_for("the log was followed", lambda: os.stat(follower.out).st_size == os.stat(log).st_size)

        def settled():
            got = m.now("health")["health"]["tainted"]
            return got["volumes"]["below_64KiB"] == 1 and got["processes"] == len(ours) and got
        health = wait_for("all who hold anything", settled)
        held = tainted(m)
    finally:
        trainer.process.stdin.close()
        trainer.process.wait()
        if follower:
            follower.kill()
    r = m.stop()
    print(f"tainted: {health}; at most {most} at a time")
    # Nobody else, not even for a moment.
    assert set(held) == ours, {p: i["process"]["comm"] for p, i in held.items() if p not in ours}
    assert most <= len(ours)
    # Loaders hold their part, as often as they read it; the trainer all; who follows the log, the log.
    assert health["processes"] == 2 + LOADERS
    assert health["volumes"]["below_1MiB"] + health["volumes"]["below_64MiB"] == 1 + LOADERS
    assert health["volumes"]["64MiB_or_more"] == 0
    assert health["datasets"]["set"] == {k: health[k] for k in ("processes", "volumes")}
    assert held[follower.pid]["volume"]["set"] <= 2 * LOG
    for pid in ours - {follower.pid}:
        assert SIZE <= held[pid]["volume"]["set"] <= 2 * ALL
    assert r.read() == 2 * ALL and r.read(job=job.name) == 2 * ALL
    assert r.to(vpc) == vpc.bytes() == 2 * METRICS
    if shutil.which("curl"):
        assert http.bodies() == 2 * len("wanted=x")
    assert r.findings() == {}, json.dumps(list(r.findings().values()), indent=1)
