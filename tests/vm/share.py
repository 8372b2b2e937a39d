# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A pytest plugin for several machines that share the work: SLUICE_TEST_SHARE=I/N.

Of each test's rows (its parameters but the hook set) machine I of N runs every Nth, and one at the least; all machines
together run every row, each of them every test under every hook set. What is marked one_set lies above the hooks and is
left to the tests on the host.
"""
import collections
import os

import pytest


def share():
    text = os.environ.get("SLUICE_TEST_SHARE", "")
    if not text:
        return None
    i, n = (int(word) for word in text.split("/"))
    if not 1 <= i <= n:
        raise pytest.UsageError(f"SLUICE_TEST_SHARE={text}: write I/N, I from 1 to N")
    return i - 1, n


def rows_of(items):
    """(test, hook set) -> its items, in their order."""
    found = collections.defaultdict(list)
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        found[item.parent.nodeid, item.originalname, params.get("hooks")].append(item)
    return found


def pytest_collection_modifyitems(config, items):
    mine = share()
    if not mine:
        return
    i, n = mine
    keep = set()
    for rows in rows_of(items).values():
        step = min(n, len(rows))
        keep.update(row for row in rows[i % step::step] if not row.get_closest_marker("one_set"))
    config.hook.pytest_deselected(items=[item for item in items if item not in keep])
    items[:] = [item for item in items if item in keep]
