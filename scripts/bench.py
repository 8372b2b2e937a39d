#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What watching costs: CPU per operation of each workload, as a ratio to no monitor.

usage: scripts/bench.sh [WORKLOAD...]        (build/work/bench --help lists them)
       scripts/bench.sh --vm KERNEL [WORKLOAD...]    in a virtual machine whose time counts instructions: slow, and
                                             exact, also of what this machine's own kernel refuses

Every round runs every variant on every workload, in turn and in changing order; a ratio compares runs of
one round. Shown are the median over the rounds and the quartiles. Everything stays on loopback.

environment:
  BENCH_ROUNDS    rounds (7)             BENCH_SECONDS   per run (0.5)
  BENCH_BUDGET    seconds in all (540); what is not done by then is left out, by whole rounds
  BENCH_VARIANTS  some of: none,noise,empty-b,b-untagged,b-tagged,empty-a,a-untagged,a-tagged
  BENCH_SCALE     files, see bench --help (4, or 1 where memory is short)
  BUILD           build folder (build); the figures also go to BUILD/bench.json

exit status: 0; 1 a monitor or a workload failed; 2 something to run is missing
"""
import collections
import ctypes
import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

REFUSED = 77            # of the workload programs and hold_empty: this kernel will not
SLUICE_REFUSED = 3
PR_SET_PDEATHSIG = 1
START_SECONDS = 60

# Between two starts of a monitor: few enough to compare like with like, enough not to spend the time on starting.
GROUPS = [
    ['null', 'pread', 'hotpread', 'orc'],
    ['seq', 'uring', 'mmap', 'write'],
    ['rr', 'bulk', 'tiny', 'conn', 'hello', 'loader'],
]
# Workloads whose own process reads tagged files by read or pread alone: there the ledger can be held against the truth.
READERS = {'pread', 'hotpread', 'orc', 'seq'}
NON_READERS = {'null', 'write', 'rr', 'bulk', 'tiny', 'conn', 'hello'}

VARIANTS = {
    'none': 'no monitor',
    'noise': 'no monitor again: what a ratio is worth here',
    'empty-b': 'empty programs on sys_exit and on io_uring\'s tracepoints, the floor under set B',
    'b-untagged': 'sluice, set B; the files read are in no dataset',
    'b-tagged': 'sluice, set B; every file read is tagged, every process tainted',
    'empty-a': 'empty programs on the functions of set A, its floor',
    'a-untagged': 'sluice, set A; the files read are in no dataset',
    'a-tagged': 'sluice, set A; every file read is tagged, every process tainted',
}


class Refused(Exception):
    """This kernel will not; the rest goes on."""


class Failed(Exception):
    """Something is broken."""


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else 'no word why'


def first_line(path):
    try:
        return pathlib.Path(path).read_text().strip().splitlines()[0]
    except (OSError, IndexError):
        return ''


# --- what watches while a workload runs ---------------------------------------


class Nothing:
    pid = None

    def __init__(self, bench):
        pass

    def start(self):
        pass

    def stop(self):
        pass


class Empty:
    """Empty programs on named hooks."""
    pid = None

    def __init__(self, bench, hooks, some=False):
        self.command = [bench.hold_empty, *(['--some'] if some else []), bench.empty_object, *hooks]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        if self.process.stdout.readline().startswith('ready'):
            return
        error = last_line(self.process.stderr.read())
        status = self.process.wait()
        self.stop()
        raise (Refused if status == REFUSED else Failed)(error)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


class Sluice:
    """The monitor itself, as people run it."""

    def __init__(self, bench, hooks, tagged):
        self.bench = bench
        self.hooks = hooks
        self.dir = bench.scratch / f'{hooks}-{"tagged" if tagged else "untagged"}'
        self.dir.mkdir()
        self.config = self.dir / 'sluice.yaml'
        self.events = self.dir / 'events.jsonl'
        self.socket = self.dir / 'socket'
        self.log = self.dir / 'log'
        self.process = None
        dataset = bench.data
        if not tagged:
            dataset = self.dir / 'untouched'
            dataset.mkdir()
            (dataset / 'file').write_text('x\n')
        self.config.write_text(
            f'datasets:\n  - id: bench\n    path: {dataset}\n    tags: {{ DataType: PII }}\n'
            'network:\n  vpc: off\n  vpc_cidrs: [10.0.0.0/8]\n  aws_ranges: off\n'
            f'journal: {{ dir: {self.dir}/journal, max_size: 64MiB, retain: 1d }}\n')

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        self.events.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        command = [self.bench.sluice, 'run', '-c', self.config, '--hooks', self.hooks, '--events', self.events,
                   '--socket', self.socket]
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            status = self.process.poll()
            if status is not None:
                error = last_line(self.log.read_text(errors='replace'))
                self.process = None
                raise (Refused if status == SLUICE_REFUSED else Failed)(f'exit status {status}: {error}')
            if time.monotonic() > deadline:
                self.stop()
                raise Failed(f'sluice run opened no socket within {START_SECONDS} s')
            time.sleep(0.02)
        time.sleep(0.2)  # what was open before it came is looked through once

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(str(self.socket))
                return True
            except OSError:
                return False

    def stop(self):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = 'none: it had to be killed'
        self.process = None
        # 1 says that there were findings, and of tagged data on its way out there are.
        if status not in (0, 1):
            raise Failed(f'sluice run ended with {status}: {last_line(self.log.read_text(errors="replace"))}')

    def ledger(self):
        """Bytes read, by process, as the records of this session tell them."""
        read = collections.Counter()
        with open(self.events, errors='replace') as lines:
            for line in lines:
                if '"access"' not in line:
                    continue
                record = json.loads(line)
                if record.get('type') == 'access':
                    read[record['process']['pid']] += record['bytes'].get('read') or 0
        return read


def set_a_hooks():
    """Where set A sits, from its own source."""
    hooks = []
    for name in ('trampoline', 'process'):
        source = pathlib.Path(f'bpf/hooks/{name}.bpf.c')
        if source.exists():
            hooks += re.findall(r'SEC\("\??((?:fentry|fexit|lsm|tp_btf)/\w+)"\)', source.read_text())
    if not any(h.startswith(('fexit/', 'fentry/')) for h in hooks):
        raise Refused('bpf/hooks/trampoline.bpf.c names no function')
    return hooks


# --- a process seen from outside ------------------------------------------------


def process_cpu_ns(pid):
    total = 0
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        try:
            total += int((task / 'schedstat').read_text().split()[0])
        except (OSError, IndexError):
            pass
    return total


def process_rss_kib(pid):
    found = re.search(r'^VmRSS:\s+(\d+)', pathlib.Path(f'/proc/{pid}/status').read_text(), re.M)
    return int(found[1]) if found else None


class Watch:
    """The daemon's share of one core and its memory over a stretch of time."""

    def __init__(self, pid):
        self.pid = pid
        self.cpu = process_cpu_ns(pid)
        self.wall = time.monotonic_ns()

    def end(self):
        wall = time.monotonic_ns() - self.wall
        return {'cpu': (process_cpu_ns(self.pid) - self.cpu) / wall, 'rss_kib': process_rss_kib(self.pid)}


# --- the measurement ---------------------------------------------------------------


class Bench:
    def __init__(self, workloads):
        env = os.environ.get
        self.began = time.monotonic()
        self.build = pathlib.Path(env('BUILD', 'build'))
        self.rounds = int(env('BENCH_ROUNDS', '7'))
        self.seconds = float(env('BENCH_SECONDS', '0.5'))
        self.budget = float(env('BENCH_BUDGET', '540'))
        self.names = env('BENCH_VARIANTS', ','.join(VARIANTS)).split(',')
        self.groups = [[w for w in g if not workloads or w in workloads] for g in GROUPS]
        self.sluice = self.build / 'sluice'
        self.work = self.build / 'work' / 'bench'
        self.hold_empty = self.build / 'bench' / 'hold_empty'
        self.empty_object = self.build / 'bench' / 'empty.bpf.o'
        self.data = (self.build / f'bench-data.{os.getpid()}').absolute()
        self.scale = env('BENCH_SCALE') or self.scale_that_fits()
        self.scratch = None
        self.variants = {}       # name to what watches
        self.left_out = {}       # variant to reason
        self.broken = False
        self.workloads_left_out = {}
        self.runs = collections.defaultdict(list)   # (workload, variant) to one result or None per round
        self.daemon = collections.defaultdict(list)  # (variant, workload or 'idle') to Watch.end()
        self.truth = collections.defaultdict(lambda: [0, 0, 0])  # workload to runs, true bytes, ledger bytes

    def scale_that_fits(self):
        """Data, its page cache and a little more in half of the memory, and on the disk."""
        memory = re.search(r'^MemAvailable:\s+(\d+)', pathlib.Path('/proc/meminfo').read_text(), re.M)
        self.build.mkdir(parents=True, exist_ok=True)
        room = min(int(memory[1]) * 1024 // 2, shutil.disk_usage(self.build).free // 2)
        return '4' if room > 1500 << 20 else '1'

    def check(self):
        known = {w for g in GROUPS for w in g}
        unknown = [v for v in self.names if v not in VARIANTS]
        if unknown:
            return f'BENCH_VARIANTS: no such variant: {", ".join(unknown)}; there are {", ".join(VARIANTS)}'
        if 'none' not in self.names:
            return 'BENCH_VARIANTS needs none: the ratios are to it'
        unknown = [w for w in sys.argv[1:] if w not in known]
        if unknown:
            return f'no such workload: {", ".join(unknown)}; there are {", ".join(sorted(known))}'
        if not self.work.exists():
            return f'{self.work} is missing: run make work, or make bench'
        if any(v[:2] in ('a-', 'b-') for v in self.names) and not self.sluice.exists():
            return (f'{self.sluice} is missing: run make, or leave the monitor out by '
                    'BENCH_VARIANTS=none,noise,empty-b')
        if os.geteuid() != 0 and set(self.names) - {'none', 'noise'}:
            return 'loading BPF programs needs root: run sudo make bench, or set BENCH_VARIANTS=none,noise'
        return None

    def build_floor(self):
        """The empty programs; in no other part of the build, since nothing else uses them."""
        if self.empty_object.exists() and self.hold_empty.exists() and shutil.which('clang') is None:
            return  # in a virtual machine: it was built outside
        self.hold_empty.parent.mkdir(parents=True, exist_ok=True)
        flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'libbpf'], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True).stdout.split() or ['-lbpf']
        for command in (
                [*shlex.split(os.environ.get('CLANG', 'clang')), '-g', '-O2', '-mcpu=v3', '-target', 'bpf', '-Wall',
                 '-Werror', '-c', 'tests/work/bpf/empty.bpf.c', '-o', self.empty_object],
                [*shlex.split(os.environ.get('CC', 'cc')), '-O2', '-std=gnu17', '-D_GNU_SOURCE', '-Wall',
                 '-Wextra', '-Wno-unused-parameter', '-Werror', 'tests/work/bpf/hold_empty.c', '-o',
                 self.hold_empty, *flags, '-lelf', '-lz']):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise Failed(f'{" ".join(map(str, command))}:\n{done.stdout}')

    def make(self, name):
        if name in ('none', 'noise'):
            return Nothing(self)
        if name == 'empty-b':
            return Empty(self, ['tp_btf/sys_exit', 'tp_btf/io_uring_complete', 'tp_btf/io_uring_submit_req'], some=True)
        if name == 'empty-a':
            # Some functions have another name on another kernel; a set without one trampoline is none.
            hooks = set_a_hooks()
            trial = Empty(self, [h for h in hooks if not h.startswith('tp_btf/')], some=True)
            trial.start()
            trial.stop()
            return Empty(self, hooks, some=True)
        return Sluice(self, 'trampoline' if name[0] == 'a' else 'tracepoint', name.endswith('-tagged'))

    def leave_out(self, name, reason, broken=False):
        self.variants.pop(name, None)
        self.left_out[name] = str(reason)
        self.broken |= broken
        print(f'{name}: {"failed" if broken else "left out"}: {reason}', flush=True)

    def try_out(self):
        """Each variant once: what this kernel refuses is known before the rounds, and what it costs at rest."""
        for name in self.names:
            try:
                watcher = self.make(name)
                watcher.start()
                try:
                    if watcher.pid:
                        time.sleep(0.8)
                        watch = Watch(watcher.pid)
                        time.sleep(3)
                        self.daemon[name, 'idle'].append(watch.end())
                finally:
                    watcher.stop()
                self.variants[name] = watcher
            except Refused as reason:
                self.leave_out(name, reason)
            except (Failed, OSError) as reason:
                self.leave_out(name, reason, broken=True)

    def prepare(self):
        for stale in self.build.glob('bench-data.*'):
            if not pathlib.Path(f'/proc/{stale.suffix[1:]}').exists():
                shutil.rmtree(stale, ignore_errors=True)
        subprocess.run([self.work, 'prepare', '--dir', self.data, '--scale', self.scale], check=True,
                       preexec_fn=die_with_parent)
        self.taint = self.data / 'small00000'

    def run_once(self, workload):
        command = [self.work, workload, '--seconds', str(self.seconds), '--dir', self.data, '--scale', self.scale,
                   '--taint', self.taint]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=self.seconds * 10 + 30, preexec_fn=die_with_parent)
        except subprocess.TimeoutExpired:
            raise Failed(f'{workload} hangs') from None
        if done.returncode:
            raise (Refused if done.returncode == REFUSED else Failed)(last_line(done.stderr))
        return json.loads(done.stdout)

    def run_group(self, name, group):
        """One start of one variant, and each workload of the group under it."""
        watcher = self.variants[name]
        results = {}
        watcher.start()
        try:
            for workload in group:
                watch = Watch(watcher.pid) if watcher.pid else None
                try:
                    results[workload] = self.run_once(workload)
                except Refused as reason:
                    self.workloads_left_out[workload] = str(reason)
                    continue
                if watch:
                    self.daemon[name, workload].append(watch.end())
        finally:
            watcher.stop()
        if name.endswith('-tagged'):
            self.hold_against_truth(watcher.ledger(), results)
        return results

    def hold_against_truth(self, ledger, results):
        taint = self.taint.stat().st_size
        for workload, r in results.items():
            if workload not in READERS | NON_READERS:
                continue
            sums = self.truth[workload]
            sums[0] += 1
            sums[1] += taint + (r['bytes'] + r['bytes_before'] if workload in READERS else 0)
            sums[2] += ledger[r['pid']]

    def one_round(self, number):
        """The order of the variants changes, so that a drift of the machine falls on all of them."""
        results = collections.defaultdict(dict)
        for group in self.groups:
            order = list(self.variants)
            shift = number % len(order)
            for name in order[shift:] + order[:shift]:
                todo = [w for w in group if w not in self.workloads_left_out]
                if not todo or name not in self.variants:
                    continue
                try:
                    for workload, result in self.run_group(name, todo).items():
                        results[workload][name] = result
                except (Failed, Refused, OSError, ValueError, KeyError) as reason:
                    self.leave_out(name, f'in round {number + 1}: {reason!r}', broken=True)
        for workload, by_variant in results.items():
            for name, result in by_variant.items():
                self.runs[workload, name].append(result if 'none' in by_variant else None)

    def measure(self):
        longest = 0
        for number in range(self.rounds):
            began = time.monotonic()
            if number and began - self.began + longest > self.budget:
                print(f'the time is up after {number} rounds (BENCH_BUDGET={self.budget:g})')
                self.rounds = number
                break
            self.one_round(number)
            if 'none' not in self.variants:
                raise Failed(self.left_out['none'])
            longest = max(longest, time.monotonic() - began)
            print(f'round {number + 1} of {self.rounds}: {time.monotonic() - began:.0f} s', flush=True)

    def ratios(self, workload, name, base='none'):
        pairs = zip(self.runs[workload, name], self.runs[workload, base])
        return [a['total_cpu_ns_per_op'] / b['total_cpu_ns_per_op'] for a, b in pairs if a and b]

    def main(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix='sluice-bench.'))
        try:
            if any(n.startswith('empty') for n in self.names):
                self.build_floor()
            warn()
            self.prepare()
            self.try_out()
            self.measure()
        finally:
            for watcher in self.variants.values():
                try:
                    watcher.stop()
                except Failed:
                    pass
            shutil.rmtree(self.scratch, ignore_errors=True)
            shutil.rmtree(self.data, ignore_errors=True)


# --- telling it ----------------------------------------------------------------------


def warn():
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f'the machine is busy (load {load:.2f}): expect a wide spread')
    bpftool = shutil.which('bpftool', path=os.environ.get('PATH', '') + ':/usr/sbin')
    if not bpftool or os.geteuid() != 0:
        return
    try:
        shown = subprocess.run([bpftool, '-j', 'prog', 'show'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               timeout=10).stdout
        others = [p.get('name', '?') for p in json.loads(shown or '[]')
                  if p.get('type') in ('tracing', 'raw_tracepoint', 'raw_tracepoint_writable', 'kprobe', 'lsm')]
    except (ValueError, OSError, subprocess.TimeoutExpired):
        return
    if others:
        print(f'{len(others)} tracing programs of others are loaded and are part of every figure: '
              + ', '.join(sorted(set(others))[:8]))


def spread(values):
    if not values:
        return None
    low, high = (values[0], values[0])
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4, method='inclusive')
    return {'median': statistics.median(values), 'q1': low, 'q3': high, 'min': min(values), 'max': max(values),
            'n': len(values)}


def rounded(d, digits=4):
    return d and {k: round(v, digits) if isinstance(v, float) else v for k, v in d.items()}


def measured_workloads(bench):
    return [w for g in bench.groups for w in g if any(bench.runs[w, 'none'])]


def host():
    return {'kernel': os.uname().release, 'machine': os.uname().machine, 'cpus': os.cpu_count(),
            'cpu': (re.search(r'^model name\s*:\s*(.*)', pathlib.Path('/proc/cpuinfo').read_text(), re.M)
                    or [None, None])[1],
            'clocksource': first_line('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
            'load': os.getloadavg()}


def binary(bench):
    return {'path': str(bench.sluice), 'bytes': bench.sluice.stat().st_size} if bench.sluice.exists() else None


def daemon_summary(bench):
    out = {}
    for (name, workload), watched in bench.daemon.items():
        rss = [w['rss_kib'] for w in watched if w['rss_kib'] is not None]
        out.setdefault(name, {})[workload] = {
            'cpu': rounded(spread([w['cpu'] for w in watched]), 6), 'rss_kib_max': max(rss, default=None)}
    return out


def document(bench):
    results = {}
    for w in measured_workloads(bench):
        results[w] = {}
        for name in VARIANTS:
            runs = [r for r in bench.runs[w, name] if r]
            if not runs:
                continue
            floor = {'b': 'empty-b', 'a': 'empty-a'}.get(name[0]) if name[1] == '-' else None
            results[w][name] = {
                'ratio': rounded(spread(bench.ratios(w, name))),
                'against_empty': rounded(spread(bench.ratios(w, name, floor))) if floor else None,
                'ns_per_op': rounded(spread([r['total_cpu_ns_per_op'] for r in runs]), 1),
                'own_ns_per_op': rounded(spread([r['cpu_ns_per_op'] for r in runs]), 1),
                'peer_ns_per_op': rounded(spread([r['peer_cpu_ns_per_op'] for r in runs
                                                  if r['peer_cpu_ns_per_op'] is not None]), 1),
                'ops': sum(r['ops'] for r in runs),
            }
    return {
        'v': 1, 'time': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='milliseconds'),
        'host': host(), 'rounds': bench.rounds, 'seconds': bench.seconds, 'scale': int(bench.scale),
        'took_seconds': round(time.monotonic() - bench.began, 1), 'binary': binary(bench),
        'variants': {n: {'what': VARIANTS[n], 'ran': n in bench.variants, 'reason': bench.left_out.get(n)}
                     for n in bench.names},
        'workloads': results, 'workloads_left_out': bench.workloads_left_out, 'daemon': daemon_summary(bench),
        'ledger': {w: {'runs': n, 'true_bytes': t, 'ledger_bytes': s, 'off': s - t}
                   for w, (n, t, s) in bench.truth.items()},
    }


def print_rows(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print('  '.join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())


def cell(s):
    return f'{s["median"]:.2f} ({s["q1"]:.2f}-{s["q3"]:.2f})' if s else '-'


def print_ratios(doc):
    ran = [n for n, v in doc['variants'].items() if v['ran'] and n != 'none']
    floors = [n for n in ran if n.endswith('-tagged') and any(r.get(n, {}).get('against_empty')
                                                            for r in doc['workloads'].values())]
    rows = [['workload', 'ns/op', *ran, *(f'{n}/empty' for n in floors)]]
    for workload, r in doc['workloads'].items():
        rows.append([workload, f'{r["none"]["ns_per_op"]["median"]:.0f}',
                     *(cell(r.get(n, {}).get('ratio')) for n in ran),
                     *(cell(r.get(n, {}).get('against_empty')) for n in floors)])
    print(f'\nCPU per operation against no monitor, both sides of a connection together: median and quartiles of '
          f'{doc["rounds"]} rounds of {doc["seconds"]:g} s\n')
    print_rows(rows)
    print()
    for name, v in doc['variants'].items():
        print(f'{name:12}{v["what"]}' + ('' if v['ran'] else f'; NOT MEASURED: {v["reason"]}'))
    for workload, reason in doc['workloads_left_out'].items():
        print(f'{workload:12}NOT MEASURED: {reason}')


def print_daemon(doc):
    for name, by_workload in doc['daemon'].items():
        shares = ', '.join(f'{w} {d["cpu"]["median"] * 100:.2f} %' for w, d in by_workload.items())
        rss = max((d['rss_kib_max'] or 0 for d in by_workload.values()), default=0)
        print(f'\n{name}: of one core: {shares}; at most {rss / 1024:.1f} MiB resident')
    if doc['binary']:
        print(f'\n{doc["binary"]["path"]}: {doc["binary"]["bytes"] / 1024:.0f} KiB')
    if doc['ledger']:
        print('\nbytes in the ledger less bytes read, runs with tagged files: '
              + ', '.join(f'{w} {d["off"]:+d} of {d["true_bytes"]}' for w, d in doc['ledger'].items()))


def main():
    if any(a in ('-h', '--help') for a in sys.argv[1:]):
        print(__doc__)
        return 0
    if sys.argv[1:] == ['--floor']:
        Bench([]).build_floor()
        return 0
    bench = Bench(sys.argv[1:])
    problem = bench.check()
    if problem:
        print(f'bench: {problem}', file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        bench.main()
    except (Failed, subprocess.CalledProcessError) as reason:
        print(f'bench: {reason}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    doc = document(bench)
    print_ratios(doc)
    print_daemon(doc)
    path = bench.build / 'bench.json'
    path.write_text(json.dumps(doc, indent=1) + '\n')
    print(f'\n{path}; {doc["took_seconds"]:.0f} s')
    return 1 if bench.broken else 0


if __name__ == '__main__':
    sys.exit(main())
