# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Append-only JSON lines: what is in such a file survives the death of its writer at any time, each line whole or not at all."""
import json
import os
import threading


def read_lines(path):
    """(offset, object) of each whole line. A last line that a death tore was never acknowledged: it is left out."""
    if not os.path.exists(path):
        return
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield offset, json.loads(line)
            offset += len(line)


class Lines:
    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.end = self.whole_length()
        os.ftruncate(self.fd, self.end)

    def whole_length(self):
        with open(self.path, "rb") as file:
            last = 0
            for line in file:
                last += len(line) if line.endswith(b"\n") else 0
        return last

    def append(self, record):
        """Where the record begins. When this returns, the kernel has all of it."""
        data = memoryview(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        with self.lock:
            at = self.end
            while data:
                written = os.pwrite(self.fd, data, self.end)
                self.end, data = self.end + written, data[written:]
        return at

    def at(self, offset):
        """The record that begins there."""
        data = b""
        while not data.endswith(b"\n"):
            more = os.pread(self.fd, 1 << 16, offset + len(data))
            if not more:
                raise ValueError(f"{self.path}: nothing whole at {offset}")
            line, newline, _ = more.partition(b"\n")
            data += line + newline
        return json.loads(data)

    def __iter__(self):
        return (record for _, record in read_lines(self.path))

    def close(self):
        os.close(self.fd)
