# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Faults on command: what to do to which of the coming calls, how often."""
import fnmatch
import random
import threading

# kind -> what may be said beside `op`, `n`, `skip`, `p`, with its default. store: the call is carried out all the same.
KINDS = {
    "throttle": {"store": False},                                             # in the service's own words
    "error": {"error": "InternalFailure", "status": 500, "message": "", "store": False},
    "http": {"status": 503, "body": "", "type": "text/html", "store": False},  # from a proxy or balancer: no request id
    "garbage": {"body": None, "store": True},                                 # 200, a request id, and a body that is no JSON
    "no_request_id": {"store": True},                                         # the right reply but for that header
    "huge": {"bytes": 4 << 20, "store": True},                                # 200 and a body of so many bytes
    "truncate": {"where": "body", "keep": None, "store": True},               # "head" or "body"; then the connection is closed
    # "accept", "head", "body" (read, not carried out), "after" (carried out, so many seconds after it was read)
    "reset": {"when": "after", "how": "rst", "seconds": 0.0},
    "delay": {"seconds": 1.0, "when": "before"},  # "before" or "after" it is carried out
    "drip": {"size": 1, "every": 0.05, "store": True},                        # the reply, so many bytes at a time
    "fail_findings": {"ids": "*", "code": "InternalException", "message": "Internal error."},
    "empty_page": {},                                                         # of GetLogEvents: nothing, and a new token
}
COMMON = {"op": "*", "n": 1, "skip": 0, "p": 1.0}
CHOICES = {("reset", "when"): ("accept", "head", "body", "after"), ("reset", "how"): ("rst", "fin"),
           ("delay", "when"): ("before", "after"), ("truncate", "where"): ("head", "body")}


class Faults:
    def __init__(self, seed=None):
        self.list, self.lock, self.random = [], threading.Lock(), random.Random(seed)

    def add(self, kind, **said):
        if kind not in KINDS:
            raise ValueError(f"no fault is called {kind!r}; there are {', '.join(KINDS)}")
        known = {**COMMON, **KINDS[kind]}
        for name, value in said.items():
            if name not in known:
                raise ValueError(f"{kind} takes {', '.join(known)}, not {name!r}")
            if value not in CHOICES.get((kind, name), (value,)):
                raise ValueError(f"{name} of {kind} is one of {', '.join(CHOICES[kind, name])}, not {value!r}")
        with self.lock:
            self.list.append({"kind": kind, **known, **said})

    def clear(self):
        with self.lock:
            self.list.clear()

    def left(self):
        with self.lock:
            return [dict(fault) for fault in self.list]

    @staticmethod
    def stage(fault):
        return fault["when"] if fault["kind"] == "reset" and fault["when"] in ("accept", "head") else "call"

    def take(self, op, stage):
        """The first that is meant for this call, used up by one; None: none is. op: "logs.PutLogEvents"."""
        with self.lock:
            for fault in self.list:
                if self.stage(fault) != stage:
                    continue
                if stage != "accept" and not any(fnmatch.fnmatchcase(name, fault["op"]) for name in (op, op.partition(".")[2])):
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                if self.random.random() >= fault["p"]:
                    continue
                taken = dict(fault)
                if fault["n"] is not None:
                    fault["n"] -= 1
                    if fault["n"] <= 0:
                        self.list.remove(fault)
                return taken
        return None
