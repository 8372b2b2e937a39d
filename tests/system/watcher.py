# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A client that watches a monitor's socket, put together from the manual alone."""
import json
import socket
import time


class Watcher:
    def __init__(self, path, whats, interval_ms=200, read=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(10)
        self.lines = self.socket.makefile("rb")
        self.items = {w: {} for w in whats}
        self.generation = dict.fromkeys(whats, 0)
        self.bytes = 0
        self.told = []  # (when, which)
        self.ask(whats, interval_ms)

    def ask(self, whats, interval_ms=200, **more):
        self.socket.sendall(json.dumps({"watch": whats, "interval_ms": interval_ms, **more}).encode() + b"\n")

    def line(self):
        """Takes one in; returns it, or None at the end."""
        text = self.lines.readline()
        if not text:
            return None
        self.bytes += len(text)
        line = json.loads(text)
        assert "error" not in line, line
        self.told.append((time.monotonic(), line["watch"]))
        what, since = line["watch"], line["since"]
        items = self.items[what]
        if since:
            assert since == self.generation[what], "a change that does not go on from what was told before"
        else:
            items.clear()
        for key in line.get("gone", ()):
            items.pop(key, None)
        for key, members in line.get("changed", {}).items():
            items[key].update(members)
        items.update(line["added"])
        self.generation[what] = line["generation"]
        return line

    def follow(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.line() is not None, "the monitor hung up"
        return self

    def until(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition(self.items):
            assert time.monotonic() < end, f"not within {seconds} s: {self.items}"
            assert self.line() is not None, "the monitor hung up"
        return self

    def close(self):
        self.lines.close()
        self.socket.close()
