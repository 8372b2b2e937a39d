# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
How a row of cases.py is run and judged. All rows of one hook set run one after the other beside one monitor, each with
a dataset and receivers of its own, so that no row's figures can stand in another's. What processes wrote (reports,
receivers' counts) is read after the monitor has ended: reading it before would make us a reader of tagged bytes.
"""
import dataclasses
import inspect
import json
import os
import platform
import shutil
import subprocess
import tempfile
import traceback

import lab as lab_module
import work
from monitor import Monitor, probe
from where import DATA, PATIENCE, program

SIZE = work.FILE
DATASETS = 60  # beside one monitor; the limit is 64

READ, BOUND, DERIVED, EGRESS, GAP, QUIET = "exact", "bound", "derived", "egress", "gap", "quiet"


# What a trial load says when the verifier does not like a program: that is ours to mend, and no gap of the kernel's.
REFUSED = ("does not load here: Permission denied", "does not load here: Argument list too long")


class Unavailable(Exception):
    """This machine does not have the path; the text says what is missing."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One row. `number` is COVERAGE's; `id` names the dataset and the test.

    facts   where one of these has no owner here (`sluice probe` says so), the row may be a gap instead
    limits  the same for what an owner cannot know: facts that may stand as partial in `sluice probe`
    truth   where the figures come from that the monitor's are held against
    """
    number: int
    id: str
    title: str
    expect: str
    do: object = None
    facts: tuple = ()
    limits: tuple = ()
    truth: str = "sum of the calls' own results"
    elsewhere: str = None  # tested by another file; then there is nothing to do here


@dataclasses.dataclass
class Result:
    verdict: str  # exact, bound, derived, egress, gap, quiet, fail, skip, or elsewhere
    detail: str = ""


class Work:
    """What a row does, and what is then known of it."""

    def __init__(self, case, lab, tmp, data):
        self.case, self.lab = case, lab
        self.tmp = os.path.join(tmp, case.id)
        self.place = os.path.join(data, case.id)
        self.dataset = os.path.join(self.place, "set")
        self.elsewhere = os.path.join(self.place, "elsewhere")
        for path in (self.tmp, self.dataset, self.elsewhere):
            os.makedirs(path)
        self.file = work.make_file(f"{self.dataset}/f", SIZE)
        self.size = SIZE
        self.processes, self.sinks, self.cleanups = [], [], []
        self.known = 0          # bytes read by stock commands, known by other means
        self.fio_reports = []
        self.bounds = None      # (at least, at most) where the row itself knows
        self.skipped = self.broken = self.monitor = None
        self.sender = None      # its pid, where no report names it
        self.far = None         # the process outside whose receipts are the truth
        self.wrapped = False    # more arrives than was sent: records of TLS
        self.tainted = False    # quiet, but what was sent is counted as tainted

    # --- doing ---

    def start(self, *argv, **options):
        p = work.Process(self.tmp, f"p{len(self.processes)}", list(argv), **options)
        self.processes.append(p)
        return p

    def finish(self, p):
        """Waits; what it wrote is not looked at."""
        status = p.wait(4 * PATIENCE)
        if status == 77:
            raise Unavailable("77")
        if status:
            raise RuntimeError(f"status {status}: {p.process.args}")
        return p

    def run(self, *argv, **options):
        return self.finish(self.start(*argv, **options))

    def paths(self, *words, **options):
        return self.run(program("paths"), "-o", "REPORT", *map(str, words), **options)

    def reader(self, *words, **options):
        return self.run(program("reader"), "-o", "REPORT", *map(str, words), **options)

    def actor(self, *steps, **options):
        return self.run(program("actor"), "-o", "REPORT", *map(str, steps), **options)

    def stock(self, *argv, reads=None, **options):
        """A command of the system; it has read `reads` bytes of the dataset when it ends well."""
        if not shutil.which(argv[0]):
            raise Unavailable(f"{argv[0]} is not installed")
        self.known += self.size if reads is None else reads
        return self.run(*argv, **options)

    def fio(self, engine, *options, block=4096, count=97):
        if not shutil.which("fio"):
            raise Unavailable("fio is not installed")
        report = os.path.join(self.tmp, f"fio{len(self.fio_reports)}.json")
        p = self.start("fio", "--name=job", f"--filename={self.file}", f"--ioengine={engine}", f"--bs={block}",
                       f"--number_ios={count}", "--rw=randread", "--norandommap", "--randrepeat=1",
                       "--allow_file_create=0", "--output-format=json", f"--output={report}", *options)
        status = p.wait(4 * PATIENCE)
        self.fio_reports.append(report)
        if status:
            raise Unavailable(f"fio {engine}: status {status}")
        return p

    def sink(self, host=None, **options):
        s = lab_module.Sink(host or self.lab.internet, senders=[self.lab.pod], **options)
        self.sinks.append(s)
        return s

    def receiver(self, path):
        """A receiver that is no TCP or UDP: the program's own, for one sender."""
        s = Receiver(self, path, self.lab.internet)
        self.sinks.append(s)
        return s

    def must(self, *words):
        try:
            return work.must(*words)
        except (OSError, subprocess.CalledProcessError) as e:
            said = (getattr(e, "stderr", None) or str(e)).strip().splitlines()
            raise Unavailable(f"{' '.join(words[:3])}: {said[-1] if said else e}") from e

    def undo(self, *words):
        self.cleanups.append(words)

    def close(self):
        for p in self.processes:
            p.kill()
        for words in reversed(self.cleanups):
            subprocess.run(words, check=False, capture_output=True)
        for s in self.sinks:
            s.kill()

    # --- knowing, once the monitor has ended ---

    def collect(self):
        self.lines = []
        for p in self.processes:
            if os.path.exists(p.report):
                self.lines += [dict(line, said=p.said()) for line in p.reports()]
        for s in self.sinks:
            s.finish()
        self.arrived = sum(s.bytes() for s in self.sinks)
        for path in self.fio_reports:
            with open(path, encoding="utf-8") as f:
                text = f.read()
            for j in json.loads(text[text.index("{"):])["jobs"]:
                self.known += j["read"]["io_bytes"]

    def why(self):
        """What a process said is missing."""
        return "; ".join(sorted({line["why"] for line in self.lines if line.get("why") and "own line" not in line["why"]}))

    def total(self, figure):
        return sum(line.get(figure) or 0 for line in self.lines)

    @property
    def read(self):
        """Bytes of the dataset given out by calls."""
        return self.known + self.total("read") + self.total("bytes")

    @property
    def sent(self):
        return self.total("sent")

    def pid(self, *roles):
        found = [line["pid"] for line in self.lines if line.get("role") in roles and (line["sent"] or line["bytes"])]
        return found[-1] if found else None


class Receiver:
    """As lab.Sink, made of one of the receiving paths."""
    ports = iter(range(7100, 60000))

    def __init__(self, w, path, host):
        self.ip, self.port, self.w = host.address(), next(self.ports), w
        self.process = w.start(program("paths"), "-o", "REPORT", path, self.at, host=host)
        try:
            self.process.wait_said("ready")
        except AssertionError:
            w.finish(self.process)
            raise

    @property
    def at(self):
        return f"{self.ip}:{self.port}"

    def finish(self):
        self.w.finish(self.process)

    def wait_end(self):
        """It ends when it has all; what was sent may still be on its way when its sender is gone."""
        self.process.wait(4 * PATIENCE)

    def bytes(self):
        return self.process.reports()[-1]["got"]

    def kill(self):
        self.process.kill()


# --- verdicts: each returns None, or what is wrong -----------------------------------------------

def page_up(n):
    page = os.sysconf("SC_PAGESIZE")
    return -(-n // page) * page


def findings_of(w, r, rule=None):
    return [f for f in r.findings(rule).values() if f["dataset"] == w.case.id] if rule else \
        [f for f in r.findings().values() if f["dataset"] == w.case.id]


def other_kinds(w, r):
    """Kinds of bytes that are upper bounds, in this row's records."""
    return {k: n for a in r.access(dataset=w.case.id) for k, n in a["bytes"].items() if k != "read" and n}


def judge_read(w, r):
    seen = r.read(dataset=w.case.id)
    if not w.read:
        return "the work read nothing: nothing is proved"
    if seen != w.read:
        return f"read {w.read}, seen {seen}"
    if other_kinds(w, r):
        return f"read {w.read}, and {other_kinds(w, r)} besides"
    if any(a["exact"] is False for a in r.access(dataset=w.case.id)):
        return "not marked as exact"
    reader = w.pid("reader")
    if reader and {a["process"]["pid"] for a in r.access(dataset=w.case.id)} != {reader}:
        return f"read by {reader}, charged to {[a['process']['pid'] for a in r.of('access', dataset=w.case.id)]}"
    return None


def judge_bound(w, r):
    kinds = other_kinds(w, r)
    seen = sum(r.read(k, dataset=w.case.id) for k in kinds)
    low, high = w.bounds or (w.total("touched"), page_up(w.total("mapped")))
    if not low:
        return "the work touched nothing: nothing is proved"
    if not low <= seen <= high:
        return f"at least {low}, at most {high}, seen {seen}"
    if any(a["exact"] is not False for a in r.access(dataset=w.case.id) if any(a["bytes"].get(k) for k in kinds)):
        return "an upper bound is marked as exact"
    return None


def judge_asked(w, r):
    """Of a read nothing told how much it gave: all that was asked for counts, and is marked."""
    seen = r.read(dataset=w.case.id) + r.read("asked", dataset=w.case.id)
    return bool(w.read <= seen <= page_up(w.read)
                and all(a["exact"] is False for a in r.access(dataset=w.case.id) if a["bytes"]["asked"]))


def judge_egress(w, r):
    truth = w.far.reports()[-1]["received"] if w.far else w.arrived if w.sinks else w.sent
    if w.sinks and w.sent and w.arrived != w.sent and not w.wrapped:
        return f"sent {w.sent}, arrived {w.arrived}: the work itself went wrong"
    if not truth:
        return "nothing was sent: nothing is proved"
    for figure in ("bytes_out", "tainted_out"):
        seen = sum(r.to(s, figure) for s in w.sinks) if w.sinks else flows_of_senders(w, r, figure)
        if seen != truth:
            nobody = r.flow(figure, process=None)
            return f"sent {truth}, {figure} {seen}" + (f" ({nobody} in flows of nobody)" if nobody else "")
    if r.read(dataset=w.case.id) != w.read:
        return f"read {w.read}, seen {r.read(dataset=w.case.id)}"
    found = findings_of(w, r, "exfil.volume")
    if len(found) != 1:
        return f"{len(found)} findings"
    bound = found[0]["leak_bound"]
    if bound != min(w.read, truth):
        return f"leak_bound {bound}, not {min(w.read, truth)}"
    return None


def flows_of_senders(w, r, figure):
    """Where no receiver counts: all that the processes which sent have sent."""
    pids = {w.sender} if w.sender else {line["pid"] for line in w.lines if line.get("sent")}
    return sum(r.flow(figure, process__pid=pid) for pid in pids)


def judge_derived(w, r):
    found = [f for s in w.sinks for f in r.findings("exfil.volume", s, dataset=w.case.id).values()]
    source = w.total("bytes") or w.total("read") or w.known
    low, high = w.bounds or (min(w.total("got") or source, w.arrived, source or w.arrived), min(source, w.arrived))
    if not w.arrived or not low:
        return "nothing arrived, or nothing was handed over: nothing is proved"
    if len(found) != 1:
        return f"{len(found)} findings"
    f = found[0]
    if not low <= f["leak_bound"] <= high:
        return f"leak_bound {f['leak_bound']}, not from {low} to {high}"
    sender = w.pid("sender") or w.sender
    if sender and f["process"]["pid"] != sender:
        return f"sent by {sender}, charged to {f['process']['pid']}"
    if not f["chain"]:
        return "no chain"
    return None


def judge_gap(w, r):
    found = findings_of(w, r, "channel.unobservable")
    if not found:
        return "no finding"
    if any(not f["leak_bound"] for f in found):
        return f"leak_bound {[f['leak_bound'] for f in found]}"
    return None


def judge_quiet(w, r):
    if r.access(dataset=w.case.id) and not w.read:
        return f"access records: {r.read(dataset=w.case.id)} bytes, {other_kinds(w, r)}"
    if r.read(dataset=w.case.id) != w.read:
        return f"read {w.read}, seen {r.read(dataset=w.case.id)}"
    if findings_of(w, r):
        return f"findings: {[f['rule'] for f in findings_of(w, r)]}"
    for s in w.sinks:
        if r.findings(sink=s):
            return f"findings: {[f['rule'] for f in r.findings(sink=s).values()]}"
        if not s.bytes() or r.to(s, "bytes_out") != s.bytes():
            return f"arrived {s.bytes()}, seen {r.to(s, 'bytes_out')}: nothing is proved"
        if r.to(s) != (s.bytes() if w.tainted else 0):
            return f"tainted_out {r.to(s)} of {s.bytes()}"
    return None


JUDGES = {READ: judge_read, BOUND: judge_bound, DERIVED: judge_derived, EGRESS: judge_egress, GAP: judge_gap,
          QUIET: judge_quiet}


# --- a table's run ---------------------------------------------------------------------------------

class Run:
    """The selected rows under one hook set. Results are there when it has been made."""

    def __init__(self, lab, hooks, cases):
        self.lab, self.hooks = lab, hooks
        self.results, self.losses = {}, {}
        gaps = json.loads(probe(hooks).stdout)["gaps"]
        self.gaps = {g["fact"]: g["why"] for g in gaps if not g["partial"]}
        self.limits = {}
        for g in gaps:
            if g["partial"]:
                self.limits[g["fact"]] = "; ".join(filter(None, [self.limits.get(g["fact"]), g["why"]]))
        todo = [c for c in cases if not c.elsewhere]
        for c in cases:
            if c.elsewhere:
                self.results[c.id] = Result("elsewhere", c.elsewhere)
        for i in range(0, len(todo), DATASETS):
            self.run_group(todo[i:i + DATASETS])

    def run_group(self, cases):
        tmp = tempfile.mkdtemp(prefix="sluice-test-", dir="/tmp")
        data = tempfile.mkdtemp(prefix="sluice-data-", dir=DATA)
        os.chmod(data, 0o755)
        works = []
        monitor = None
        try:
            works = [Work(c, self.lab, tmp, data) for c in cases]
            late = {}
            for w in works:
                self.attempt(w, lambda w=w: late.update({w: self.before(w)}))
            monitor = Monitor(tmp, self.config(works), hooks=self.hooks).start()
            for w in works:
                w.monitor = monitor
                if not (w.skipped or w.broken):
                    self.attempt(w, lambda w=w: late[w]())
            for w in works:
                for s in w.sinks:
                    if isinstance(s, Receiver) and not (w.skipped or w.broken):
                        self.attempt(w, s.wait_end)
            records = monitor.stop(losses=True)
            self.losses.update(records.losses())
            for w in works:
                self.results[w.case.id] = self.judge(w, records)
        finally:
            if monitor:
                monitor.kill()
            for w in works:
                w.close()
            for path in (data, tmp):
                work.unmount_below(path)
                shutil.rmtree(path, ignore_errors=True)

    def config(self, works):
        allow = [{"cidr": f"{self.lab.office.address()}/32"}]
        return {"datasets": [{"id": w.case.id, "path": w.dataset} for w in works],
                "network": {**self.lab.network, "allow": allow}}

    @staticmethod
    def attempt(w, step):
        try:
            step()
        except (Unavailable, work.Unavailable, lab_module.Unavailable) as why:
            w.skipped = str(why)
        except Exception:  # pylint: disable=broad-except
            w.broken = traceback.format_exc(limit=-2)

    @staticmethod
    def before(w):
        """A generator's first part runs before the monitor is there; returns what remains."""
        if not inspect.isgeneratorfunction(w.case.do):
            return lambda: w.case.do(w)
        steps = w.case.do(w)
        next(steps)
        return lambda: next(steps, None)

    def judge(self, w, records):
        try:
            w.collect()
            if w.broken:
                return Result("fail", f"the work itself failed: {w.broken} {w.why()}")
            if w.skipped:
                return Result("skip", w.why() if w.skipped == "77" else w.skipped)
            wrong = JUDGES[w.case.expect](w, records)
        except Exception:  # pylint: disable=broad-except
            return Result("fail", traceback.format_exc(limit=-2))
        if not wrong:
            return Result(w.case.expect)
        if w.case.expect == READ and any("asks for" in self.limits.get(f, "") for f in w.case.facts) and judge_asked(w, records):
            return Result(BOUND)
        named = self.named_gap(w.case)
        if named and any(text in named for text in REFUSED):
            return Result("fail", f"{named}: the kernel has it, and the verifier refuses ours; {wrong}")
        if named and not self.claims_too_much(w, records):
            return Result("gap", f"{named}; {wrong}")
        return Result("fail", wrong)

    def named_gap(self, case):
        for fact in case.facts:
            if fact in self.gaps:
                return f"{fact}: {self.gaps[fact]}"
        for fact in case.limits:
            if fact in self.limits:
                return f"{fact}: {self.limits[fact]}"
        return None

    @staticmethod
    def claims_too_much(w, records):
        """A gap may know less than the truth, never more of what it calls exact."""
        return w.case.expect in (READ, QUIET, EGRESS, DERIVED) and records.read(dataset=w.case.id) > w.read

    def line(self, case):
        """For the written matrix."""
        r = self.results[case.id]
        return {"kernel": platform.release(), "machine": platform.machine(), "set": self.hooks, "case": case.id,
                "expected": case.expect, "result": r.verdict, "detail": " ".join(r.detail.split())}
