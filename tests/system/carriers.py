# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Tests whose bytes go by a carrier that the kernel, or the hook set at hand, does not show."""
import pytest


def needs(monitor, *facts):
    """Skips, by the monitor's own word, where one of these facts is a named gap."""
    gaps = dict(g.split(": ", 1) for g in monitor.show("health")["health"]["gaps"])
    for fact in facts:
        if fact in gaps:
            pytest.skip(f"{fact} is not seen here: {gaps[fact]}")
