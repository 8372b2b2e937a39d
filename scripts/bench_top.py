#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the viewer costs: CPU of `sluice top` on a terminal, and of the monitor beside it, among many processes that hold
tagged data; while they rest, and while each of them reads once a second.

usage: scripts/bench_top.py [PROCESSES [SECONDS]]      (2000, 20)

The figures are shares of one core, of whole processes as the kernel counts them: parsing what comes over the socket, sorting
and drawing are all in it. BUILD is the build folder (build).
"""
import fcntl
import os
import pathlib
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import types

import bench

SIZE = 4099
SETTLE = 3
VIEWS = ('jobs', 'processes', 'flows')


class Viewer:
    """On a terminal of 200 columns whose other side reads all at once."""

    def __init__(self, sluice, view):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 60, 200, 0, 0))
        self.drawn = 0
        self.process = subprocess.Popen([sluice.bench.sluice, 'top', '--socket', sluice.socket, '--view', view], stdin=slave,
                                        stdout=slave, stderr=slave, start_new_session=True, preexec_fn=bench.die_with_parent,
                                        env={**os.environ, 'TERM': 'xterm-256color'})
        os.close(slave)
        self.master = master
        self.thread = threading.Thread(target=self.drain, daemon=True)
        self.thread.start()

    def drain(self):
        try:
            while got := os.read(self.master, 65536):
                self.drawn += len(got)
        except OSError:
            pass

    def stop(self):
        os.write(self.master, b'q')
        status = self.process.wait(20)
        os.close(self.master)
        if status:
            raise bench.Failed(f'sluice top ended with {status}')


def many(build, file, processes, *words):
    made = subprocess.Popen([build / 'work' / 'forker', '--count', str(processes), '--parallel', str(processes), '--touch', file,
                             '--hold', '3600', *words], stdout=subprocess.DEVNULL, preexec_fn=bench.die_with_parent)
    deadline = time.monotonic() + 60
    while len(children(made.pid)) < processes:
        if time.monotonic() > deadline or made.poll() is not None:
            raise bench.Failed(f'forker made {len(children(made.pid))} processes of {processes}')
        time.sleep(0.2)
    time.sleep(SETTLE)
    return made


def children(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    except OSError:
        return []


def share(pids, seconds):
    watches = [bench.Watch(pid) for pid in pids]
    time.sleep(seconds)
    return [w.end() for w in watches]


def percent(value):
    return f'{100 * value:8.2f} %'


def measure(sluice, processes, seconds):
    """Each way of being busy: the monitor alone, then with a viewer in each view."""
    file = sluice.bench.data / 'file'
    print(f'{"":32}{"viewer":>10}{"monitor":>10}{"RSS":>10}{"drawn":>14}')
    for name, words in (('at rest', []), ('each reads once a second', ['--again', '1'])):
        made = many(sluice.bench.build, file, processes, *words)
        try:
            alone, = share([sluice.pid], seconds)
            print(f'{name:32}{"-":>10}{percent(alone["cpu"])}')
            for view in VIEWS:
                viewer = Viewer(sluice, view)
                time.sleep(SETTLE)
                before = viewer.drawn
                own, monitor = share([viewer.process.pid, sluice.pid], seconds)
                print(f'{"  with a viewer of " + view:32}{percent(own["cpu"])}{percent(monitor["cpu"])}'
                      f'{own["rss_kib"] / 1024:6.1f} MiB{(viewer.drawn - before) / seconds / 1024:8.2f} KiB/s', flush=True)
                viewer.stop()
        finally:
            made.kill()
            made.wait()


def main():
    processes, seconds = (int(w) for w in (sys.argv[1:] + ['2000', '20'][len(sys.argv) - 1:]))
    build = pathlib.Path(os.environ.get('BUILD', 'build'))
    with tempfile.TemporaryDirectory(prefix='sluice-bench-top-') as scratch:
        data = pathlib.Path(scratch, 'data')
        data.mkdir()
        (data / 'file').write_bytes(os.urandom(SIZE))
        all_of_it = types.SimpleNamespace(build=build, sluice=build / 'sluice', data=data, scratch=pathlib.Path(scratch))
        sluice = bench.Sluice(all_of_it, 'tracepoint', True)
        sluice.start()
        try:
            measure(sluice, processes, seconds)
        finally:
            sluice.stop()


if __name__ == '__main__':
    try:
        main()
    except (bench.Refused, bench.Failed) as reason:
        sys.exit(f'bench_top: {reason}')
