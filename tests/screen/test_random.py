# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Any keys, at any size, while documents change: no crash, no leak, and always a screen."""
import os
import random
import select

import pytest

import documents
from conftest import VIEWER_ASAN
from terminal import KEYS

PLAIN = "jkjkjkglGhd bBtrz<>,./nNfFmMop+-=[]{}1234567?\\"
TYPED = ["class:internet", "out>1MiB", "!dataset:patients", "\"two words\"", "severity>=high", "colour:", ">", "patients", "\xff\xfe",
         "数据", "x" * 300, "job:slurm:*,k8s*", " ", "-1", "!!!!", ">=99999999999999999999"]
AT_ONCE = 120


def some_keys(rng):
    kind = rng.random()
    if kind < 0.7:
        return rng.choice(PLAIN), 1
    if kind < 0.88:
        return rng.choice(list(KEYS.values())), 1
    if kind < 0.92:
        text = rng.choice("f/") + rng.choice(TYPED) + rng.choice(["\r", "\x1b", ""])
        return text, len(text)
    if kind < 0.97:
        return "\x1b[M" + chr(32 + rng.choice([0, 1, 2, 3, 64, 65, 32])) + chr(33 + rng.randrange(90)) + chr(33 + rng.randrange(60)), 1
    # any but those that leave, stop, kill or hold the output
    code = rng.choice([c for c in range(1, 0x250) if c not in (3, 0x11, 0x13, 0x16, 0x0f, 0x1a, 0x1c, ord("q"), ord("w"))])
    return chr(code), 1


def script():
    """Documents of several kinds in turn: full, empty, hostile, and without some."""
    steps = documents.script(steps=6)["steps"]
    steps += documents.quiet()["steps"] + documents.hostile("\x1b[31m数\u0301" * 40)["steps"] + documents.crowd(300)["steps"]
    half = dict(steps[2])
    for kind in ("jobs", "findings", "health"):
        half.pop(kind)
    odd = {kind: {"items": [None, 7, "x", [], {}, {"process": 3, "remote": [], "chain": [None], "used": 1, "received": {}}]}
           for kind in ("jobs", "processes", "datasets", "destinations", "flows", "findings")}
    odd["health"] = {"health": {"losses": [], "gaps": {"a": 1}, "maps": [None], "exporter": "x", "owners": [1]}}
    return {"steps": steps + [half, odd, {}], "cycle_ms": 20}


@pytest.mark.parametrize("replay", [False, True], ids=["live", "replay"])
def test_random_keys(viewer, request, replay):
    if not os.path.exists(VIEWER_ASAN):
        pytest.skip(f"{VIEWER_ASAN} is not built: make asan-viewer")
    seed = request.config.getoption("--seed") or 20261126
    total = request.config.getoption("--keys") // 2
    print(f"seed {seed}, {total} keys: repeat with --seed {seed} --keys {2 * total}")
    rng = random.Random(seed + replay)
    what = {**script(), "replay": replay, **({"state": "replay"} if replay else {})}
    env = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=98"}
    t = viewer(what, columns=80, rows=24, program=VIEWER_ASAN, env=env)
    sent = 0
    while sent < total:
        burst = ""
        for _ in range(AT_ONCE):
            keys, n = some_keys(rng)
            burst += keys
            sent += n
        data = burst.encode(errors="surrogateescape")
        while data:
            assert select.select([], [t.fd], [], 60)[1], f"it takes no keys: {bytes(t.raw[-6000:]).decode(errors='replace')}"
            data = data[os.write(t.fd, data[:1024]):]
            t.take(0)
        if rng.random() < 0.1:
            t.resize(rng.randrange(1, 200), rng.randrange(1, 60))
        t.settle(0.005, most=0.2)
        del t.raw[:-65536]
    t.resize(100, 30)
    # out of whatever is open
    for _ in range(12):
        t.key("Esc")
    t.wait_for(" sluice", 20)
    t.wait_for("q quit", 20)
    assert t.lines()[0].startswith(" sluice"), t.text()
    t.send("q")
    assert t.ended(60) == 0, bytes(t.raw[-6000:]).decode(errors="replace")
