# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What tests of the screen share. `--update` writes what is seen as what is expected: look at the difference before it is kept."""
import collections
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

VIEWER = os.environ.get("SLUICE_VIEWER", str(ROOT / "build/screen/viewer"))
VIEWER_ASAN = os.environ.get("SLUICE_VIEWER_ASAN", str(ROOT / "build/asan/screen/viewer"))


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="write the expected screens anew")
    parser.addoption("--seed", type=int, default=None, help="of the random keys")
    parser.addoption("--keys", type=int, default=100000, help="how many random keys")


@pytest.fixture
def viewer(tmp_path):
    """viewer(documents, OPTION..., columns=80, rows=24, env={}): the viewer on a terminal, after its first screen."""
    import documents
    from terminal import Terminal
    opened = []

    def start(what, *options, columns=80, rows=24, env=None, program=VIEWER, first="sluice"):
        path = documents.save(tmp_path / f"documents-{len(opened)}.json", what)
        t = Terminal([program, *options, path], columns, rows, env, tmp_path)
        opened.append(t)
        if first:
            t.wait_for(first)
            t.settle()
        return t

    yield start
    for t in opened:
        t.close()


@pytest.fixture
def expect(request):
    """expect(terminal, NAME): its screen is the one in expected/NAME.txt."""
    def check(terminal, name):
        path = HERE / "expected" / f"{name}.txt"
        if request.config.getoption("--update"):
            terminal.settle(0.5)
            path.write_text(terminal.text(), encoding="utf-8")
            return
        wanted = path.read_text(encoding="utf-8")
        try:
            terminal.until(lambda: terminal.text() == wanted, 5)
        except AssertionError:
            assert terminal.text() == wanted, f"see {path}"
    return check


def reason_of(report):
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter):
    """Lines for scripts/test.sh."""
    stats = terminalreporter.stats
    skips = stats.get("skipped", [])
    terminalreporter.write_line("")
    for reason, n in sorted(collections.Counter(reason_of(r) for r in skips).items()):
        terminalreporter.write_line(f"sluice-skip: {n} of the screen tests: {reason}")
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    terminalreporter.write_line(f"sluice-tests: passed={len(stats.get('passed', []))} failed={failed} skipped={len(skips)}")
