# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The table of cases.py, row by row, under each hook set. With SLUICE_TEST_MATRIX=FILE each row's result is added there."""
import json
import os
import platform

import pytest

from cases import CASES
from casework import Run

MATRIX = os.environ.get("SLUICE_TEST_MATRIX")


def test_the_table_itself():
    """Every number of the coverage list has a row, and no two rows share what they are known by."""
    assert {c.number for c in CASES} == set(range(1, 69))
    assert len({c.id for c in CASES}) == len(CASES)
    assert [c.number for c in CASES] == sorted(c.number for c in CASES)
    assert all(c.title and (c.do is None) == bool(c.elsewhere) for c in CASES)


def test_some_set_loads(set_refusals):
    """A set that does not load has no column in the matrix: it stands there with its reason."""
    for name, why in set_refusals.items():
        if why and MATRIX:
            write_down({"kernel": platform.release(), "machine": platform.machine(), "set": name, "case": "*",
                        "expected": "loads", "result": "refused", "detail": why})
    assert not all(set_refusals.values())


def write_down(*lines):
    with open(MATRIX, "a", encoding="utf-8") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)


@pytest.fixture(scope="session")
def runs():
    return {}


def selected(session):
    """The rows this run of pytest wants: one monitor watches all of them."""
    called = (getattr(item, "callspec", None) for item in session.items)
    wanted = {c.params["case"].id for c in called if c and "case" in c.params}
    return [c for c in CASES if c.id in wanted]


@pytest.fixture
def run(request, runs, lab, hooks):
    if hooks not in runs:
        runs[hooks] = Run(lab, hooks, selected(request.session))
        if MATRIX:
            write_down(*(runs[hooks].line(case) for case in selected(request.session)))
    return runs[hooks]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_case(run, case):
    result = run.results[case.id]
    if result.verdict in ("skip", "elsewhere"):
        pytest.skip(f"case {case.id}: {result.detail}")
    assert result.verdict != "fail", f"{case.title}: {result.detail}"


def test_nothing_was_lost(run):
    """A loss would make figures above true by chance."""
    lost = {k: n for k, n in run.losses.items() if k not in ("no_file", "walk_deep", "fds_deep")}
    assert not lost
