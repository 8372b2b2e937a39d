# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The monitor's records, summed: figures of `access` and `flow` are what was added, so a sum over a file is a total."""
import collections
import json


def parse(text):
    """Whole lines only; each must be one JSON object."""
    return Records(json.loads(line) for line in text.split("\n")[:-1])


def matches(item, wanted):
    """wanted: {"process.comm": "x", "remote.port": 5}"""
    for path, value in wanted.items():
        at = item
        for word in path.replace("__", ".").split("."):
            at = at.get(word) if isinstance(at, dict) else None
        if at != value:
            return False
    return True


class Records(list):
    def of(self, kind, **wanted):
        return Records(r for r in self if r.get("type") == kind and matches(r, wanted))

    # --- access ---

    def access(self, **wanted):
        """To datasets. (Anyone on this machine may ask for credentials meanwhile.)"""
        return Records(r for r in self.of("access", **wanted) if not r.get("credential"))

    def read(self, kind="read", **wanted):
        """Bytes of one kind: read is exact, mmap an upper bound."""
        return sum((r["bytes"] or {}).get(kind) or 0 for r in self.access(**wanted))

    def ops(self, **wanted):
        return sum(r["ops"] or 0 for r in self.access(**wanted))

    def files(self, **wanted):
        return sum(r["files"] or 0 for r in self.access(**wanted))

    # --- flow ---

    def flow(self, figure, **wanted):
        return sum(r[figure] or 0 for r in self.of("flow", **wanted))

    def to(self, sink, figure="tainted_out", **wanted):
        return self.flow(figure, remote__addr=sink.ip, remote__port=sink.port, **wanted)

    def classes(self, sink):
        return {r["remote"]["class"] for r in self.of("flow", remote__addr=sink.ip, remote__port=sink.port)}

    # --- finding ---

    def findings(self, rule=None, sink=None, **wanted):
        """
        id -> the last record of that finding. Gaps only when asked for, since a busy machine can make the monitor late, and so
        egress.plaintext: what tests send to each other is not encrypted.
        """
        if rule:
            wanted["rule"] = rule
        if sink:
            wanted.update(remote__addr=sink.ip, remote__port=sink.port)
        found = {r["id"]: r for r in self.of("finding", **wanted)}
        return {i: f for i, f in found.items() if rule or f["rule"] not in ("monitor.gap", "egress.plaintext")}

    def finding(self, rule, sink=None, **wanted):
        """The one finding there must be."""
        found = self.findings(rule, sink, **wanted)
        assert len(found) == 1, f"{len(found)} findings of {rule}: {json.dumps(list(found.values()), indent=1)}"
        return next(iter(found.values()))

    def exfil(self, sink):
        """The one finding about that receiver, where there is no other about anything."""
        found = self.findings()
        assert len(found) == 1, json.dumps(list(found.values()), indent=1)
        return self.finding("exfil.volume", sink)

    # --- health ---

    def losses(self):
        """Reason -> how many, of those that are not zero, in the last health record."""
        health = self.of("health")
        assert health, "no health record"
        return {reason: n for reason, n in health[-1]["losses"].items() if n}

    def counts(self):
        return dict(collections.Counter(r.get("type") for r in self))
