# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A journal that a test writes by itself, as the monitor would, with findings in it."""
import hashlib
import json
import os
import time

HOST = {"name": "gpu-7", "boot_id": "b0", "instance_id": "i-0123456789abcdef0", "account": "123456789012", "region": "eu-central-1"}


BEGIN = time.time() - 60


def rfc3339(when):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{int(when * 1000) % 1000:03d}Z"


def finding(number, n=1, severity="low", **more):
    """State n of a finding; its leak bound is n."""
    now = time.time()
    return {"id": f"f-{number:016x}", "rule": "exfil.volume", "severity": severity, "title": f"slurm:7 sent {n} B of patients",
            "dataset": "patients", "leak_bound": n, "exposed": n,
            "process": {"pid": 412, "start": rfc3339(now - 60), "exe": "/usr/bin/python3", "comm": "python3", "uid": 1000,
                        "parent": None},
            "job": "slurm:7", "remote": {"addr": "203.0.113.9", "port": 443, "class": "internet", "name": "x.example"},
            "chain": [{"from": "dataset patients", "to": "python3[412]", "via": "read", "bytes": n, "time": rfc3339(now - 50)},
                      {"from": "python3[412]", "to": "203.0.113.9:443", "via": "tcp", "bytes": n, "time": rfc3339(now - 40)}],
            "coverage": [], "mitre": ["T1041"], "first": rfc3339(BEGIN + number / 1000), "last": rfc3339(now), "count": n,
            "action": "alerted", **more}


class Journal:
    """Segments in a directory, each record with the hash of the one before."""

    def __init__(self, path, per_segment=1000):
        self.path, self.per_segment, self.seq, self.prev = path, per_segment, 0, "0" * 64
        os.makedirs(path, exist_ok=True)
        self.file = None

    def add(self, kind, when=None, **members):
        if self.seq % self.per_segment == 0:
            self.close()
            self.file = open(os.path.join(self.path, f"sluice-{self.seq + 1:020d}.jsonl"), "ab")
        self.seq += 1
        record = {"v": 1, "type": kind, "time": rfc3339(when or time.time()), "seq": self.seq, "host": HOST, **members,
                  "prev": self.prev}
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        self.prev = hashlib.sha256(line).hexdigest()
        self.file.write(line + b"\n")
        self.file.flush()
        return record

    def close(self):
        if self.file:
            self.file.close()
        self.file = None
