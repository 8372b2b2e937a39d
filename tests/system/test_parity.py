# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The same work under each hook set gives the same ledger, to the byte."""
import collections
import json
import os

import pytest

import work
from conftest import REQUIRED_SETS, SETS
from monitor import Monitor, wait_for
from where import PATIENCE, program
from work import FILE


def work_mix(actor, sink, lab, dataset, elsewhere):
    """Every kind of thing the ledger knows, one after the other; each with a name of its own."""
    out, far = sink(lab.internet), sink(lab.internet, udp=True)
    vpc = sink(lab.vpc, send=20011)

    def run(name, *steps, **options):
        return actor(f"comm:{name}", *steps, **options).truth()

    ran = []  # (figure, what the actors say of it), to be read when all has run
    for via in ("read", "pread", "readv", "preadv", "preadv2"):
        ran.append(("read", run(via, f"via:{via}", "chunk:7919", f"read:{dataset}")))
    ran.append(("read", run("threads", "fork:16{", f"read:{dataset}/f", "}")))
    ran.append(("read", run("inherit", f"open:{dataset}/f", "fork{", "read-fd:10007", "}", "spawn{", "read-fd:10009", "}",
                         "wait", "exec", "read-fd:10037")))
    os.link(f"{dataset}/d/g", f"{elsewhere}/link")
    ran.append(("read", run("alias", f"read:{elsewhere}/link", f"chroot:{dataset}", "read:/f")))
    ran.append(("sent", run("direct", f"read:{dataset}/f", out.to, "send:300007")))
    ran.append(("sent", run("before", out.to, "send:70001", f"read:{dataset}/f", "send:30011")))
    ran.append(("sent", run("chain", "pipe", "fork{", "comm:sender", "read-pipe:50021", out.to, "send:50021", "}",
                         f"read:{dataset}/f", "fork{", "comm:worker", "write-pipe:50021", "}")))
    ran.append(("sent", run("replaced", f"read:{dataset}/d/g", "exec", "comm:image", out.to, "send:40009")))
    run("datagram", f"read:{dataset}/f", far.to, "rate:4M", "chunk:1009", "send:60017")
    run("inside", f"read:{dataset}/f", vpc.to, "send:10007", "shutdown", "recv")
    truth = collections.Counter(read=5 * FILE + 10007)  # by those that also sent
    for figure, actors in ran:
        truth[figure] += actors.total(figure)
    arrived = {"out": out.bytes(), "far": far.bytes(), "vpc": vpc.bytes()}
    assert arrived == {"out": truth["sent"], "far": 60017, "vpc": 10007}
    return truth


# Ways from a process that reads to one that sends, but for those of which one set knows less than the other (`sluice probe`).
RELAYS = ("relay-splice", "relay-tee", "relay-vmsplice", "relay-unix", "relay-unix-sendfile", "relay-loopback", "relay-anonymous",
          "relay-memfd", "relay-shm", "relay-sysv", "relay-queue", "peek-readv", "poke-writev", "peek-mem", "clone-vm", "vfork",
          "clone3")
RELAYED = 500009  # asked to be sent: more than what is handed over


def relay(name, tmp, sink, lab, path):
    """Returns where to and how many bytes arrived, None if this kernel has no such way."""
    s = sink(lab.internet)
    p = work.Process(tmp, f"{os.path.basename(os.path.dirname(path))}-{name}",
                     [program("paths"), "-o", "REPORT", name, path, f"{s.ip}:{s.port}", str(RELAYED)])
    try:
        status = p.wait(4 * PATIENCE)
    finally:
        p.kill()
    assert status in (0, 77), f"{name}: status {status}"
    if status == 77:
        return None
    return s, s.bytes()


def called(process):
    """What an image is called between exec and prctl depends on the moment."""
    name = (process or {}).get("comm", "?")
    return "image" if name == "exe" else name


def judged(f):
    """Relays come close upon another: how far each was when it was last told of differs from run to run, and whether a parent
    or its child met the bytes first."""
    if f["dataset"] == "relayed":
        return [f["rule"], f["dataset"], f["leak_bound"], [h["via"] for h in f["chain"] if h["via"] != "fork"]]
    return [f["rule"], f["process"]["comm"], f["dataset"], f["leak_bound"], f["exposed"], f["severity"],
            [[h["via"], h["bytes"]] for h in f["chain"]]]


def ledger(r):
    """All exact facts of the records, without what differs from run to run: pids, ports, times."""
    access, flows = collections.Counter(), collections.Counter()
    for a in r.access():
        who = (called(a["process"]), a["dataset"])
        # how many calls it takes to fill a pipe depends on how fast the other end empties it
        for figure in ("files",) if a["dataset"] == "relayed" else ("ops", "files"):
            access[*who, figure] += a[figure] or 0
        access[*who, "read"] += a["bytes"].get("read") or 0
    for f in r.of("flow"):
        who = (called(f["process"]), f["proto"], f["remote"]["class"])
        for figure in ("bytes_out", "tainted_out"):
            flows[*who, figure] += f[figure] or 0
        # what comes in before accept() is nobody's yet, and how much that is depends on the moment of the look
        flows["", *who[1:], "bytes_in"] += f["bytes_in"] or 0
    findings = sorted((judged(f) for f in r.findings().values()), key=json.dumps)
    flat = [[*key, n] for counter in (access, flows) for key, n in sorted(counter.items()) if n]
    return {"figures": flat, "findings": findings, "heard": ["plain"] if any(f["encrypted"] is False for f in r.of("flow")) else []}


def only(these, those):
    """What of these is not among those; a thing that is there twice counts twice."""
    count = collections.Counter(map(json.dumps, these)) - collections.Counter(map(json.dumps, those))
    return sorted(count.elements())


def test_parity(set_refusals, tmp, data, lab, sink, actor):
    missing = [f"{name}: {why}" for name, why in set_refusals.items() if why]
    assert not [name for name in REQUIRED_SETS if set_refusals[name]], f"must load on this kernel: {'; '.join(missing)}"
    if missing:
        pytest.skip(f"only one hook set loads here, there is nothing to compare it with ({'; '.join(missing)})")
    ledgers, truths, relayed = {}, {}, {}
    for hooks in SETS:
        dataset, elsewhere = f"{data}/{hooks}/set", f"{data}/{hooks}/else"
        work.make_file(f"{dataset}/f", FILE)
        work.make_file(f"{dataset}/d/g", 10007)
        os.mkdir(elsewhere)
        other = os.path.dirname(work.make_file(f"{data}/{hooks}/{hooks}-relayed/f", FILE))
        m = Monitor(tmp, {"datasets": [{"id": "set", "path": dataset}, {"id": "relayed", "path": other}], "network": lab.network},
                    hooks=hooks, name=hooks)
        try:
            m.start()
            # what share of a dataset left decides on severity
            wait_for("both are measured", lambda m=m: all(d["bytes_total"] for d in m.show("datasets")["items"]))
            # first, for the actors' reports make a reader of us
            relayed[hooks] = {name: relay(name, tmp, sink, lab, f"{other}/f") for name in RELAYS}
            truths[hooks] = work_mix(actor, sink, lab, dataset, elsewhere)
            r = m.stop()
        finally:
            m.kill()
        ledgers[hooks] = ledger(r)
        assert r.read(dataset="set") == truths[hooks]["read"], (hooks, ledgers[hooks]["figures"], r.of("health")[-1])
        missed = [name for name, to in relayed[hooks].items() if to and not r.findings("exfil.volume", to[0], dataset="relayed")]
        assert not missed, (hooks, r.losses())
    arrived = [{name: to[1] for name, to in relayed[hooks].items() if to} for hooks in SETS]
    assert arrived[0] == arrived[1] and len(arrived[0]) > 10
    one, other = (ledgers[name] for name in SETS)
    assert one["heard"], "no flow told how it began"
    assert len(one["figures"]) >= 40 and len(one["findings"]) >= 2, "nothing much was compared"
    differ = {what: [only(one[what], other[what]), only(other[what], one[what])] for what in one}
    assert not any(any(pair) for pair in differ.values()), "\n".join(
        f"{what} only in {name}: {line}" for what, pair in differ.items() for name, lines in zip(SETS, pair) for line in lines)
