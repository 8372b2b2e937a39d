# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Unix sockets from hand to hand: who reads what another wrote there has no more of it than so many bytes."""
import os
import sys

import pytest

import work

PASSER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "passer.py")
SENT = 500009  # by the last one, to the receiver
PART = 10007
MESSAGE = 1009

# How many bytes the last one can have: at least, at most. What the two were told to move is what passer.py counts.
EXACT = {
    "part": PART,
    "truncated": 13 * 499,
    "workers_packet": 8 * PART,
    "workers_datagram": 8 * PART,
    "workers_stream": 8 * PART,
    "accepted_later": PART,
    "accepted_later_packet": PART,
    "connected_before_taint": PART,
    "answer": PART,
    "writer_gone": PART,
    "inherited": PART,
    "addressed": PART,
    "among_others": PART,
    "passed_pipe": PART,
    "passed_stream": PART,
    "passed_connection": PART,
    "many_sent": 7 * MESSAGE,
    "many_received": 7 * MESSAGE,
    "spliced": PART,
}
OTHERS = {"among_others": 50 * MESSAGE}  # read with the rest, from who has nothing of it
FRAMED = {"connection": 64, "queue": 256}  # beside the bytes there are lengths, names and pickles


@pytest.fixture
def passer(tmp, lab, sink):
    running = []

    def run(way, dataset):
        s = sink(lab.internet)
        p = work.Process(tmp, "passer", ["/usr/bin/python3", PASSER, "REPORT", way, f"{dataset}/f", s.ip, str(s.port), tmp])
        running.append(p)
        status = p.wait()
        assert status == 0, f"passer: status {status}: {p.said()}"
        return s, p.reports()

    yield run
    for p in running:
        p.kill()


@pytest.mark.parametrize("way", EXACT)
def test_the_bound_is_exact(sluice, config, dataset, passer, way):
    m = sluice(config)
    s, reports = passer(way, dataset)
    f = m.stop().exfil(s)
    assert s.bytes() == SENT
    assert f["leak_bound"] == EXACT[way] == sum(r.get("got", 0) for r in reports) - OTHERS.get(way, 0)
    assert f["process"]["pid"] == next(r["pid"] for r in reports if r["role"] == "sender")


@pytest.mark.parametrize("way", FRAMED)
def test_frames_count_too(sluice, config, dataset, passer, way):
    m = sluice(config)
    s, reports = passer(way, dataset)
    f = m.stop().exfil(s)
    assert s.bytes() == SENT
    assert sum(r.get("got", 0) for r in reports) == PART
    assert PART <= f["leak_bound"] <= PART + FRAMED[way]


def test_peeked_at(sluice, config, dataset, passer):
    """What is looked at and then read is taken for twice as much: a bound."""
    m = sluice(config)
    s, _ = passer("peek", dataset)
    f = m.stop().exfil(s)
    assert s.bytes() == SENT
    assert PART <= f["leak_bound"] <= PART + MESSAGE


def test_the_chain_names_it(sluice, config, dataset, passer):
    m = sluice(config)
    s, _ = passer("part", dataset)
    f = m.stop().exfil(s)
    assert [hop["via"] for hop in f["chain"]] == ["read", "unix_write", "unix_read", "tcp"]


WAITS = """
import os, socket, sys, threading, time
for _ in range(int(sys.argv[1])):
    a, b = socket.socketpair()
    waits = threading.Thread(target=a.recv, args=(1,))
    waits.start()
    time.sleep(0.003)
    b.shutdown(socket.SHUT_RDWR)
    os.close(a.fileno())
    waits.join()
    a.detach()
"""


def test_closed_while_it_is_waited_for(sluice, config, dataset, actor):
    """How servers with threads end: no byte went through it, so none is missing."""
    m = sluice(config)
    actor(f"read:{dataset}/f").truth()
    work.must(sys.executable, "-I", "-c", WAITS, "211")
    assert m.stop().losses().get("no_file", 0) < 20  # a few may be others' on this machine
