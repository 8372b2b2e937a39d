# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A socket whose owner has next to nothing, lent to one who has all: what leaves by it is not bounded by what its owner read."""
import os

import pytest

import work
from where import PATIENCE
from work import FILE

LENDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lender.py")
SENT = 300007


@pytest.mark.parametrize("proto", ("tcp", "udp"))
@pytest.mark.parametrize("way", ("scm", "pidfd", "inherit"))
def test_the_bound_is_the_borrowers(sluice, config, dataset, tmp, sink, lab, way, proto):
    s = sink(lab.internet, udp=proto == "udp")
    m = sluice(config)
    p = work.Process(tmp, "lender", ["/usr/bin/python3", LENDER, way, proto, f"{dataset}/f", s.ip, str(s.port)])
    try:
        assert p.wait(4 * PATIENCE) == 0, p.said()
    finally:
        p.kill()
    r = m.stop()
    # What the owner read before counts too, and what it can have been given.
    assert r.read(dataset="set") == FILE + 1
    assert r.finding("exfil.volume", s)["leak_bound"] == SENT
    assert s.bytes() == SENT
