# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A program on a terminal of this file's own: keys in, the screen as a person sees it out."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

KEYS = {"Up": "\x1bOA", "Down": "\x1bOB", "Right": "\x1bOC", "Left": "\x1bOD", "Home": "\x1b[1~", "End": "\x1b[4~", "PgUp": "\x1b[5~",
        "PgDn": "\x1b[6~", "Enter": "\r", "Esc": "\x1b", "Tab": "\t", "BackTab": "\x1b[Z", "Backspace": "\x7f"}
QUIET = 0.12


class Screen(pyte.Screen):
    """What pyte 0.8 lacks: scrolling, and lines in the place of which one comes that was never written."""

    def scroll_up(self, count=None):
        self.scroll(count or 1)

    def scroll_down(self, count=None):
        self.scroll(-(count or 1))

    def scroll(self, by):
        top, bottom = self.margins or (0, self.lines - 1)
        before = {y: self.buffer[y] for y in range(top, bottom + 1)}
        for y in range(top, bottom + 1):
            if y + by in before:
                self.buffer[y] = before[y + by]
            else:
                self.buffer.pop(y, None)

    def delete_lines(self, count=None):
        self.touch()
        super().delete_lines(count)

    def insert_lines(self, count=None):
        self.touch()
        super().insert_lines(count)

    def touch(self):
        for y in range(self.lines):
            self.buffer[y]  # pylint: disable=pointless-statement


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Terminal:
    def __init__(self, argv, columns=80, rows=24, env=None, cwd=None):
        self.screen = Screen(columns, rows)
        self.stream = Stream(self.screen)
        self.raw = bytearray()
        self.status = None
        environment = {"PATH": os.environ["PATH"], "TERM": "tmux-256color", "LC_ALL": "C.UTF-8", "HOME": "/", **(env or {})}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if cwd:
                os.chdir(cwd)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(argv[0], [str(a) for a in argv], {k: v for k, v in environment.items() if v is not None})

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def take(self, wait):
        """True: something came within that time."""
        if not select.select([self.fd], [], [], wait)[0]:
            return False
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.raw += got
        self.stream.feed(got)
        return bool(got)

    def settle(self, quiet=QUIET, most=1.0):
        """Until nothing comes for that long; there are screens that never rest."""
        end = time.monotonic() + most
        while self.take(quiet) and time.monotonic() < end:
            pass
        late = time.monotonic() + (2 if quiet >= 0.05 else 0)
        while time.monotonic() < late and self.busy():
            self.take(0.01)
        while self.take(0) and time.monotonic() < late:
            pass

    def busy(self):
        """There are keys that it has not read, or it does not wait for more yet: it may only lack a processor."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="utf-8", errors="replace") as f:
                state = f.read().rpartition(")")[2].split()[0]
            fd = os.open(f"/proc/{self.pid}/fd/0", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                unread = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]
            finally:
                os.close(fd)
        except OSError:
            return False
        return state in "RD" or unread > 0

    def until(self, condition, timeout=10):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("not on the screen:\n" + self.text())
            self.take(0.05)

    def wait_for(self, text, timeout=10):
        self.until(lambda: text in self.text(), timeout)

    def send(self, data):
        os.write(self.fd, data if isinstance(data, bytes) else data.encode())

    def key(self, *names):
        for name in names:
            self.send(KEYS.get(name, name))
            self.settle(0.2 if name == "Esc" else 0.05)

    def type(self, text):
        self.send(text)
        self.settle()

    def press(self, y, x, button=0):
        for code in (button,) if button >= 64 else (button, 3):  # 3 lets go of it
            self.send(b"\x1b[M" + bytes([32 + code, 33 + x, 33 + y]))
        self.settle()

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.settle()

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def text(self):
        return "\n".join(self.lines()) + "\n"

    def style(self, text, row=None):
        """How the first cell of a text is drawn."""
        for y, line in enumerate(self.screen.display):
            if text in line and row in (None, y):
                return self.screen.buffer[y][len(line[:line.index(text)])]
        raise AssertionError(f"{text} is not on the screen:\n{self.text()}")

    def ended(self, timeout=10):
        """Its exit status; a signal that killed it is negative."""
        end = time.monotonic() + timeout
        while self.status is None:
            self.take(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise AssertionError("it does not end:\n" + self.text())
        self.settle(0.02)
        return self.status

    def close(self):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        os.close(self.fd)
