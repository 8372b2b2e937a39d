# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Many at one processor: whoever is interrupted while a program of the monitor works for it must not make the work of
others go unseen."""
import os

import work
from monitor import tagged
from work import FILE

READERS = 23
CHUNK = 61


def test_readers_that_interrupt_each_other(sluice, dataset, actor):
    work.make_file(f"{dataset}/f", FILE // 8)
    m = sluice(tagged(dataset))
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:
        crowd = actor(f"fork:{READERS}{{", f"chunk:{CHUNK}", f"read:{dataset}/f", "}")
    finally:
        os.sched_setaffinity(0, every)
    truth = crowd.truth()
    r = m.stop()
    assert truth.total("read") == READERS * (FILE // 8)
    assert r.read() == truth.total("read"), [p for p in r.of("health")[-1]["programs"] if p["recursion_misses"]]
