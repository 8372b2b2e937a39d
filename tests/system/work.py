# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Work that is watched, and what it says of itself: actor, reader, fio; files; cgroups."""
import json
import os
import shutil
import signal
import subprocess
import time

import lab
from where import PATIENCE, program


FILE = 1048583  # a prime, a little over 1 MiB


class Unavailable(Exception):
    """This machine does not let us; the text says what is missing."""


def make_file(path, size):
    """All zeros and without blocks of its own: what counts is how much of it is read."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.truncate(size)
    return path


def unmount_below(path):
    """Innermost first; a test that failed may have left several."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        points = [line.split()[4] for line in f]
    for point in reversed(points):
        if point == path or point.startswith(path + "/"):
            subprocess.run(["umount", "-l", point], check=False)


def fill(disk):
    """Until not a page more fits."""
    with open(f"{disk}/ballast", "wb", buffering=0) as f:
        try:
            while f.write(b"x" * 4096) == 4096:
                pass
        except OSError:
            pass


def must(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options)


# --- processes -------------------------------------------------------------------

def enter(cgroup):
    """To be called between fork and exec."""
    if not cgroup:
        return None

    def join():
        with open(os.path.join(cgroup.path, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write("0")
    return join


class Later:
    """A report, read when it is first looked at: a tainted process wrote it, so it taints us, and with us all that we
    start from then on. To be looked at when all that matters has run."""

    def __init__(self, load):
        self._load, self._value = load, None

    def _now(self):
        if self._value is None:
            self._value = self._load()
        return self._value

    def __getattr__(self, name):
        return getattr(self._now(), name)

    def __getitem__(self, key):
        return self._now()[key]

    def __iter__(self):
        return iter(self._now())

    def __len__(self):
        return len(self._now())

    def __eq__(self, other):
        return self._now() == other

    def __repr__(self):
        return repr(self._now())


class Process:
    """A program that reports to a file, and says how far it is to another one, whose size tells us: what a tainted
    process wrote must not be read (see Later)."""

    def __init__(self, tmp, name, argv, cgroup=None, host=None, prefix=()):
        self.report = os.path.join(tmp, f"{name}.json")
        self.out = os.path.join(tmp, f"{name}.out")
        argv = [*lab.inside(host), *prefix, *(a.replace("REPORT", self.report) for a in argv)]
        with open(self.out, "ab") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=out,
                                            preexec_fn=enter(cgroup))
        self.pid = self.process.pid
        self.heard = 0

    def go(self):
        """One line on its standard input."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def said(self):
        with open(self.out, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_said(self, line):
        deadline = time.monotonic() + PATIENCE
        self.heard += len(line) + 1
        while os.stat(self.out).st_size < self.heard:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < deadline, f"never said {line}: {self.said()}"
            time.sleep(0.02)

    def wait(self, seconds=4 * PATIENCE):
        self.process.stdin.close()
        return self.process.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def read_reports(self):
        with open(self.report, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def reports(self):
        return Later(self.read_reports)

    def last_report(self):
        return Later(lambda: self.read_reports()[-1])


class Actor(Process):
    def __init__(self, tmp, number, steps, **options):
        super().__init__(tmp, f"actor{number}", [program("actor"), "-o", "REPORT", *steps], **options)

    def truth(self):
        """One report per process instance, after it all ended well."""
        status = self.wait()
        assert status == 0, f"actor: status {status}: {self.said()}"
        return Later(lambda: Truth(self.read_reports()))


class Truth(list):
    def total(self, figure):
        """read, written, pipe_read, pipe_written, sent, received, mapped, touched"""
        return sum(p[figure] for p in self)

    def step_end(self, verb):
        """CLOCK_REALTIME seconds when the last step of that verb ended."""
        return max(s["end_ns"] for p in self for s in p["steps"] if s["step"].split(":")[0].split("@")[0] == verb) / 1e9


def reader(tmp, *words, name="reader", **options):
    """Runs reader to its end and returns its report."""
    p = Process(tmp, name, [program("reader"), "-o", "REPORT", *words], **options)
    try:
        status = p.wait()
        assert status == 0, f"reader: status {status}: {p.said()}"
        return p.last_report()
    finally:
        p.kill()


def fio(tmp, path, engine, jobs, block, count):
    """What fio says it read, and in how many calls: `count` of them by each of `jobs` processes."""
    if not shutil.which("fio"):
        raise Unavailable("fio is not installed")
    report = os.path.join(tmp, "fio.json")
    must("fio", "--name=job", f"--filename={path}", f"--ioengine={engine}", f"--numjobs={jobs}", f"--bs={block}",
         f"--number_ios={count}", "--rw=randread", "--norandommap", "--randrepeat=1", "--group_reporting",
         "--allow_file_create=0", "--output-format=json", f"--output={report}", cwd=tmp)
    with open(report, encoding="utf-8") as f:
        text = f.read()
    done = json.loads(text[text.index("{"):])["jobs"]
    return sum(j["read"]["io_bytes"] for j in done), sum(j["read"]["total_ios"] for j in done)


# --- cgroups ---------------------------------------------------------------------

def cgroup2_mount():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            before, _, after = line.partition(" - ")
            if after.split()[0] == "cgroup2":
                return before.split()[4]
    raise Unavailable("no cgroup v2 hierarchy is mounted")


class Job:
    """A directory as Slurm makes it, so that work in it belongs to job slurm:NUMBER.0."""
    numbers = iter(range(os.getpid() * 100, os.getpid() * 100 + 100000))

    def __init__(self):
        number = next(self.numbers)
        self.name = f"slurm:{number}.0"
        self.made = []
        self.path = cgroup2_mount()
        for part in ("system.slice", "slurmstepd.scope", f"job_{number}", "step_0", "user", "task_0"):
            self.path = os.path.join(self.path, part)
            if os.path.isdir(self.path):
                continue
            try:
                os.mkdir(self.path)
            except OSError as e:
                raise Unavailable(f"cannot make the cgroup {self.path}: {e.strerror}")
            self.made.append(self.path)

    def close(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + PATIENCE
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.02)
        for path in reversed(self.made):
            try:
                os.rmdir(path)
            except OSError:
                break  # another test's job is beside it

    def pids(self):
        try:
            with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as f:
                return [int(line) for line in f]
        except FileNotFoundError:
            return []
