# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Terminals of every kind and size, hands on them, and their end."""
import os
import re
import signal
import subprocess
import termios
import time

import pytest

import documents
from conftest import ROOT, VIEWER
from terminal import Terminal

COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7])[0-9;]*m")


# --- colours ----------------------------------------------------------------

def test_no_color_has_none(viewer):
    t = viewer(documents.script(), "--view", "findings", env={"NO_COLOR": "1"})
    t.key("Down", "1", "2", "4", "?")
    assert not COLOUR.search(bytes(t.raw)), COLOUR.search(bytes(t.raw))
    assert "1m" in t.raw.decode(errors="replace")  # bold still is


def test_an_empty_no_color_says_nothing(viewer):
    assert COLOUR.search(bytes(viewer(documents.script(), env={"NO_COLOR": ""}).raw))


def test_mono_option(viewer):
    assert not COLOUR.search(bytes(viewer(documents.script(), "--mono").raw))


@pytest.mark.parametrize("term,expected", [("tmux-256color", rb"\x1b\[38;5;166m"), ("linux", rb"\x1b\[3[1-7]m"),
                                           ("xterm", rb"\x1b\[3[1-7]m"), ("screen", rb"\x1b\[3[1-7]m")])
def test_colours_of_each_terminal(viewer, term, expected):
    t = viewer(documents.script(), "--view", "findings", env={"TERM": term})
    assert re.search(expected, bytes(t.raw).replace(b";1m", b"m").replace(b"[1;", b"["))
    for word in ("exfil.volume", "patients", "7 Health", "q quit"):
        assert word in t.text()


def test_true_colour_where_the_terminal_has_it(viewer):
    if subprocess.run(["infocmp", "xterm-direct"], capture_output=True).returncode:
        pytest.skip("terminfo has no xterm-direct here (package ncurses-term)")
    t = viewer(documents.script(), "--view", "findings", env={"TERM": "xterm-direct"}, first=None)
    t.until(lambda: b"exfil.volume" in t.raw)
    t.settle()
    assert re.search(rb"38[:;]2[:;]+215[:;]95[:;]0m", bytes(t.raw))


def test_a_terminal_without_colours(viewer):
    t = viewer(documents.script(), env={"TERM": "vt100"})
    assert "slurm:4242.0" in t.text() and not COLOUR.search(bytes(t.raw))


def test_what_matters_is_told_apart_by_more_than_colour(viewer):
    """In words or signs, so that they are there without any colour."""
    t = viewer(documents.script(), "--mono", columns=120)
    assert "● patients" in t.text() and "1 critical" in t.text()
    t.key("4")
    assert re.search(r"internet +NO ", t.text()) and re.search(r"private +yes ", t.text())


def test_severities_have_their_colours(viewer):
    t = viewer(documents.script(), "--view", "findings")
    t.key("End")
    colours = {word: t.style(word, 7 + i) for i, word in enumerate(("critical", "high", "medium"))}
    assert colours["critical"].bg != "default" and colours["high"].fg != colours["medium"].fg


# --- which terminals -----------------------------------------------------------

def test_utf8_by_locale_and_without(viewer):
    assert "●" in viewer(documents.script(), env={"LC_ALL": "C.UTF-8"}).text()
    assert "●" not in viewer(documents.script(), env={"LC_ALL": "POSIX"}).text()
    # a person's own locale that is not installed here
    assert "●" in viewer(documents.script(), env={"LC_ALL": None, "LANG": "tlh_QO.UTF-8"}).text()
    assert viewer(documents.script(), "--ascii").text().isascii()


@pytest.mark.parametrize("term", ["dumb", "", "no-such-terminal", None])
def test_a_terminal_that_cannot_be_drawn_on(viewer, term):
    t = viewer(documents.script(), env={"TERM": term}, first=None)
    assert t.ended() == 2
    assert "TERM" in t.text() and "--batch" in t.text()
    assert b"\x1b" not in t.raw


def test_no_terminal(tmp_path):
    path = documents.save(tmp_path / "d.json", documents.quiet())
    r = subprocess.run([VIEWER, path], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert r.returncode == 2 and "--batch" in r.stderr and "\x1b" not in r.stdout + r.stderr


def test_wrong_options(viewer):
    t = viewer(documents.quiet(), "--filter", "colour:red", first=None)
    assert t.ended() == 2 and "column 1" in t.text()


# --- sizes ------------------------------------------------------------------------

def sane(t):
    rows, columns = t.screen.lines, t.screen.columns
    first = t.lines()[0]
    if rows < 3 or columns < 20:
        assert first.startswith("too small"[:columns]) or rows * columns == 1  # the last cell is not always written
        return
    assert first.startswith(" sluice"), t.text()
    if rows >= 9:
        assert " 1 Jobs" in t.text(), t.text()
    if rows >= 6 and columns >= 60:
        assert t.lines()[-1].endswith("quit"), t.text()


@pytest.mark.parametrize("view", ["jobs", "findings", "health"])
def test_resizing(viewer, view):
    t = viewer(documents.script(), "--view", view)
    for columns, rows in ((300, 80), (120, 40), (80, 10), (40, 12), (20, 5), (19, 5), (20, 2), (5, 1), (1, 1), (80, 24), (132, 16),
                          (60, 9), (300, 3), (81, 25)):
        t.resize(columns, rows)
        t.until(lambda: t.lines()[0].startswith((" sluice", "too small"[:columns])) or columns == 1, 5)
        t.settle()
        sane(t)
    t.resize(80, 24)
    t.wait_for("q quit")
    again = viewer(documents.script(), "--view", view)
    again.until(lambda: again.text() == t.text(), 5)


def test_a_storm_of_sizes(viewer):
    t = viewer(documents.script())
    for i in range(60):
        t.screen.resize(5 + i % 50, 20 + 7 * i % 280)
        t.resize(20 + 7 * i % 280, 5 + i % 50)
    t.resize(100, 30)
    t.wait_for("q quit")
    sane(t)


# --- hands ----------------------------------------------------------------------------

def selected(t):
    """The row that stands out."""
    for y in range(t.screen.lines - 1, 6, -1):
        if t.screen.buffer[y][1].bg == "005f87":
            return t.lines()[y]
    raise AssertionError("no row stands out:\n" + t.text())


def test_moving(viewer):
    t = viewer(documents.crowd(200, 0), "--view", "processes")
    first = selected(t)
    t.key("Down", "j", "Down")
    third = selected(t)
    assert third != first
    t.key("Up", "k", "Up")
    assert selected(t) == first
    t.key("End")
    last = selected(t)
    t.key("PgUp", "PgDn")
    assert selected(t) == last
    t.key("g")
    assert selected(t) == first
    t.key("G")
    assert selected(t) == last


def test_the_mouse(viewer):
    t = viewer(documents.script(), "--view", "jobs")
    titles = t.lines()[6]
    assert "LEAK BOUND▼" in titles
    t.press(6, titles.index("HOLDS"))
    assert "HOLDS▼" in t.lines()[6]
    t.press(6, t.lines()[6].index("HOLDS"))
    assert "HOLDS▲" in t.lines()[6]
    t.press(8, 3)
    second = t.lines()[8]
    assert selected(t) == second
    t.press(8, 3, 64)  # the wheel up, three rows
    assert selected(t) == t.lines()[7]
    t.press(8, 3, 65)
    assert selected(t) == t.lines()[10]
    t.press(4, t.lines()[4].index("Flows"))
    assert "who talks to what" in t.text()
    t.press(7, 3)
    t.press(7, 3)
    t.settle()
    assert "› Findings" in t.lines()[5] and "exfil.volume" in t.text()


def test_double_presses_far_apart_open_nothing(viewer):
    t = viewer(documents.script(), "--view", "flows")
    t.press(7, 3)
    time.sleep(0.6)
    t.press(7, 3)
    assert "›" not in t.text()


def test_sorting_by_every_column(viewer):
    t = viewer(documents.script(), "--view", "flows", columns=300)
    seen = set()
    for _ in range(20):
        seen.add(re.search(r"([A-Z/s]+)[▼▲]", t.lines()[6]).group(1))
        t.key(">")
    assert len(seen) == 16, seen


@pytest.mark.parametrize("view,columns", [("jobs", 15), ("processes", 14), ("datasets", 14), ("destinations", 17), ("flows", 16),
                                          ("findings", 12), ("health", 4)])
def test_sorting_by_every_column_where_few_have_room(viewer, view, columns):
    t = viewer(documents.script(), "--view", view)
    seen = set()
    for _ in range(3):  # figures
        for _ in range(columns):
            seen.add(re.search(r"(\S+(?: \S+)*)[▼▲]", t.lines()[6]).group(1))
            t.key(">")
        t.key("b")
    assert len(seen) == columns, seen


def test_views_by_number_and_tab(viewer):
    t = viewer(documents.script())
    for number, word in enumerate(("which job", "which process", "what was read", "where bytes go", "who talks", "what a person",
                                   "is everything"), 1):
        t.key(str(number))
        assert word in t.lines()[5]
    t.key("Tab")
    assert "which job" in t.lines()[5]
    t.key("BackTab")
    assert "is everything" in t.lines()[5]


def test_pausing_keeps_what_is_seen(viewer):
    t = viewer(documents.script(steps=40, cycle_ms=100))
    t.key("p")
    t.wait_for("PAUSED")
    before = t.text()
    time.sleep(0.5)
    t.settle()
    assert t.text() == before
    t.key(" ")
    t.wait_for("live, every 1 s")
    t.until(lambda: t.text() != before)


def test_following(viewer):
    t = viewer(documents.crowd(50, 150), "--view", "processes")
    t.key("p", "G", "F")
    name = selected(t).split()[1]
    t.key("g", "p")
    time.sleep(0.4)
    t.settle()
    assert "following" in t.text() and name  # it stays on the screen, wherever it goes


def test_interval(viewer):
    t = viewer(documents.script())
    t.key("+", "+")
    assert "live, every 5 s" in t.text()
    t.key(*"-----------")
    assert "live, every 0.1 s" in t.text()


@pytest.mark.parametrize("first,key,then", [(3000, "+", "5"), (3000, "-", "2"), (3600000, "+", "3600"), (3600000, "-", "60")])
def test_intervals_of_ones_own(viewer, first, key, then):
    t = viewer(documents.script(), "--interval", str(first))
    t.key(key)
    assert f"live, every {then} s" in t.lines()[0]


def test_search_goes_on(viewer):
    t = viewer(documents.script(), "--view", "processes")
    t.key("/")
    t.type("bin/loader")
    assert "loader[2113]" in selected(t)
    t.key("Enter", "n")
    assert "loader[2112]" in selected(t)
    t.key("N", "N")
    assert "loader[2110]" in selected(t)
    t.key("/")
    t.type("bash")
    assert "bash" in selected(t)
    t.key("Esc")
    assert "loader[2110]" in selected(t)


def test_a_filter_that_is_given_up(viewer):
    t = viewer(documents.script(), "--view", "flows")
    before = t.text()
    t.key("f")
    t.type("class:vpc")
    assert "1 of 7" in t.text()
    t.key("Esc")
    t.until(lambda: t.text() == before, 5)
    t.key("f")
    t.type("class:vpc")
    t.key("Enter", "Esc")
    t.until(lambda: t.text() == before, 5)


def test_a_filter_that_is_given_up_leaves_the_row_selected(viewer):
    t = viewer(documents.script(), "--view", "processes")
    t.key(*["Down"] * 6)
    before = selected(t)
    t.key("f")
    t.type("bash")
    assert selected(t) != before
    t.key("Esc")
    assert selected(t) == before
    # and one that it passes is still the one
    t.key("f")
    t.type("bin/loader")
    t.key("Enter")
    assert selected(t) == before and "4 of 11" in t.lines()[5]


def test_the_way_back_leads_to_the_row_that_it_began_at(viewer):
    """A monitor tells only what is looked at: where one comes back to is not there at once."""
    t = viewer(documents.script(asked=True))
    t.key("Down", "Down")
    job = selected(t)
    t.key("Enter", "Down", "Enter")
    assert "nit:backup.service › Processes › restic[911] › Flows" in t.lines()[5]
    t.key("Esc", "Esc")
    assert selected(t) == job
    t.key("5", "1")
    assert selected(t) == job


def test_standing_still_and_looking_elsewhere(viewer):
    t = viewer(documents.script(steps=40, cycle_ms=100, asked=True))
    t.key("p")
    t.wait_for("PAUSED")
    t.key("Enter")
    t.wait_for("7 processes")
    before = t.text()
    time.sleep(0.5)
    t.settle()
    assert t.text() == before and "PAUSED" in before and "sender[2120]" in before
    t.key("Esc")
    assert "5 jobs" in t.text()


def test_the_mouse_while_a_filter_is_typed(viewer):
    """What was typed is for the table that it was typed on, and no other."""
    t = viewer(documents.script(), "--view", "flows")
    t.key("f")
    t.type("class:vpc")
    t.press(4, t.lines()[4].index("Jobs"))
    assert "which job" in t.lines()[5] and "5 jobs" in t.lines()[5] and t.lines()[-1].endswith("quit")
    t.key("5")
    assert "filter class:vpc" in t.lines()[5] and "1 of 7" in t.lines()[5]
    t.key("Esc", "f")
    t.type("colour:")
    t.press(4, t.lines()[4].index("Jobs"))
    assert t.lines()[-1].startswith(" filter: colour:")
    t.key("Esc")
    assert "who talks to what" in t.lines()[5]


def test_the_mouse_beside_what_it_is_for(viewer):
    t = viewer(documents.script(), "--view", "health", columns=200)
    before = t.text()
    t.press(4, 150)
    t.press(6, 198)
    assert t.text() == before


def test_keys_at_the_bottom_are_true(viewer):
    t = viewer(documents.script(steps=3), columns=120)
    assert "Enter open" in t.lines()[-1] and "b rates" in t.lines()[-1] and "p pause" in t.lines()[-1]
    t.key("b", "Down")
    assert "b bounds" in t.lines()[-1]
    t.key("b", "Down")
    assert "b totals" in t.lines()[-1]
    t.key("p", "Down")
    assert "p go on" in t.lines()[-1]
    t.key("?")
    assert not re.search("open|detail|rates|bounds|totals|sort", t.lines()[-1]) and "Esc back" in t.lines()[-1]
    t.key("Esc", "7")
    assert " b " not in t.lines()[-1] and "totals" not in t.lines()[5]


def test_an_empty_table_says_what_helps(viewer):
    t = viewer(documents.script())
    t.key("Enter", "f")
    t.type("dataset:nothing")
    t.key("Enter")
    assert "none of 7 pass: f changes the filter" in t.text() and "Esc takes" not in t.text()
    t.key("2", "m", "o", "m")
    assert "none of 11 is marked: o shows all" in t.text()
    t.key("o")
    assert "11 processes" in t.lines()[5]


def test_an_item_without_end(viewer):
    what = documents.script(steps=1)
    hop = documents.hop("dataset patients", "process x[1]", "read", 1, "2026-11-26T09:58:11.463Z")
    what["steps"][0]["findings"]["items"][0]["chain"] = [hop] * 3000
    t = viewer(what, "--view", "findings")
    t.key("Enter", "End")
    assert "of 2000, the rest is left out" in t.text()


def test_the_most_that_figures_can_be(viewer):
    what = documents.script(steps=2)
    for step in what["steps"]:
        for kind in ("jobs", "processes", "datasets", "destinations", "flows", "findings"):
            for item in step[kind]["items"]:
                for name, value in item.items():
                    if isinstance(value, int) and not isinstance(value, bool):
                        item[name] = (1 << 63) - 1
    t = viewer(what, columns=200)
    for key in "1234567":
        t.key(key)
        sane(t)
    t.key("1")
    assert "8.0 EiB" in t.lines()[7] and "of 16 EiB" in t.lines()[2]  # that of several


def test_bytes_that_nobody_observes_are_at_the_top(viewer):
    assert "unobserved" not in viewer(documents.script()).text()
    what = documents.script()
    for step in what["steps"]:
        step["destinations"]["items"][4]["remote"] = documents.remote("fileserver", None, "unobservable")
        step["destinations"]["items"][4]["tainted_out"] = 5 << 20
    t = viewer(what, columns=200)
    assert "→ unobserved" in t.lines()[1] and t.lines()[2].endswith("0 B/s  of 5.0 MiB")
    assert "→ unobserved" in viewer(what).lines()[1]


def test_marks_of_ascii_are_ascii(viewer):
    t = viewer(documents.script(), "--ascii", "--view", "findings")
    t.key("Enter")
    assert "1-16 of" in t.text()


def test_saving_the_screen(viewer, tmp_path):
    t = viewer(documents.script())
    before = t.lines()[:-1]
    t.key("w", "w")
    t.wait_for("written to")
    saved = sorted(tmp_path.glob("sluice-top-*.txt"))
    assert len(saved) == 2
    for path in saved:
        assert path.read_text(encoding="utf-8").splitlines() == before
        assert path.stat().st_mode & 0o777 == 0o600


def test_saving_a_small_screen(viewer, tmp_path):
    t = viewer(documents.script(), columns=80, rows=5)
    before = t.lines()
    t.key("w")
    t.wait_for("written to")
    saved, = tmp_path.glob("sluice-top-*.txt")
    assert saved.read_text(encoding="utf-8").splitlines() == before


def test_saving_where_there_is_no_room(viewer, tmp_path):
    t = viewer(documents.script(), "-c", 'trap "" XFSZ; ulimit -f 1; exec "$0" "$@"', VIEWER, program="/bin/bash")
    t.key("w")
    t.wait_for("cannot write")
    assert not list(tmp_path.glob("sluice-top-*"))  # half a screen is none


def test_saving_where_nothing_can_be_written(viewer, tmp_path):
    t = viewer(documents.script())
    tmp_path.joinpath("documents-0.json").unlink()
    tmp_path.rmdir()
    t.key("w")
    t.wait_for("cannot write")


def test_the_monitor_goes_away(viewer):
    t = viewer({**documents.script(steps=3), "lose_ms": 600})
    t.wait_for("MONITOR LOST: ")
    assert "slurm:4242.0" in t.text()
    assert t.lines()[-1].startswith(" the test took it away ") and t.lines()[-1].endswith("? help  q quit")
    t.wait_for("1 s old", 5)


def test_documents_that_are_late(viewer):
    t = viewer({**documents.script(steps=3), "age_ms": 9000})
    assert "LATE: 9 s old" in t.text()


# --- names from outside -------------------------------------------------------------------

HOSTILE = {
    "escape": "\x1b[2J\x1b[1;1Howned\x1b]0;title\x07",
    "c1": "\u009b2Jowned\u0090q\u009c",
    "bidi": "a\u202edesrever\u2066b\u2069c",
    "wide": "数据" * 30,
    "wide-one": "數",
    "combining": "e\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 20,
    "combining-first": "\u0301\u0301a",
    "emoji": "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 🇩🇪 1\ufe0f\u20e3",
    "zero-width": "a\u200b\u200c\u200d\ufeffb",
    "newlines": "a\nb\rc\td\x0b\x0c",
    "long": "x" * 4096,
    "long-wide": "漢" * 2048,
    "empty": "",
    "percent": "%s%n%d%%",
    "tags": "\U000e0041\U000e0042",
    "nul-like": "\x01\x02\x7f",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_drive_the_terminal(viewer, name):
    bad = HOSTILE[name]
    t = viewer(documents.hostile(bad), columns=100, rows=30)
    for key in "1234567":
        t.key(key)
        t.key("d", "End", "Enter", "Esc", "d")
        sane(t)
        lines = t.screen.display
        assert " 1 Jobs  2 Processes  3 Datasets  4 Destinations  5 Flows  6 Findings  7 Health" in lines[4]
    assert b"owned" not in t.raw or b"\x1b[2J\x1b[1;1Howned" not in t.raw
    for control in (b"\x1b]", b"\x07", b"\x90", "\u009b".encode(), "\u202e".encode(), "\u200b".encode(), "\u2066".encode()):
        assert control not in t.raw.replace("━".encode(), b""), control


@pytest.mark.parametrize("name", ["wide", "combining", "emoji", "long-wide", "wide-one", "bidi"])
def test_columns_stand_whatever_the_names(viewer, name):
    """Figures are on the right of their column, whatever stands on the left of it."""
    t = viewer(documents.hostile(HOSTILE[name]), columns=100, rows=30)
    assert "LEAK BOUND▼" in t.screen.display[6]
    right = next(x for x in range(99, 0, -1) if t.screen.buffer[6][x].data == "▼")
    for y in range(7, 12):
        assert t.screen.buffer[y][right].data == "B", t.text()


def test_names_of_the_host_too(viewer):
    what = documents.script(steps=1)
    what["steps"][0]["health"]["host"]["name"] = "h\x1b[31mo"
    assert " sluice  h?[31mo" in viewer(what).text()


def test_bytes_that_are_no_text_can_be_typed(viewer):
    t = viewer(documents.script())
    t.key("f")
    t.send(b"\xff\xfe\xc3(\x80abc\xe2\x82")
    t.settle()
    sane_line = t.lines()[-1]
    assert sane_line.startswith(" filter:")
    t.key("Esc", "Esc")
    t.wait_for("q quit")


# --- the end ---------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["q", "\x03", "\x1c", signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM,
                                 signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2])
def test_leaving_puts_the_terminal_back(viewer, how):
    t = viewer(documents.script())
    before = bytes(t.raw)
    if isinstance(how, str):
        t.send(how)
    else:
        os.kill(t.pid, how)
    assert t.ended() == 0
    assert b"\x1b[?1049h" in before and b"\x1b[?1049l" in t.raw  # the other screen
    assert t.raw.rfind(b"\x1b[?25h") > t.raw.rfind(b"\x1b[?25l")  # the cursor
    assert t.raw.rfind(b"\x1b[?1000l") > t.raw.rfind(b"\x1b[?1000h")  # the mouse
    assert termios.tcgetattr(t.fd)[3] & termios.ECHO and termios.tcgetattr(t.fd)[3] & termios.ICANON


def test_a_terminal_that_goes_away(viewer, tmp_path):
    t = viewer(documents.script())
    os.close(t.fd)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if os.waitpid(t.pid, os.WNOHANG)[0]:
            break
        time.sleep(0.05)
    else:
        pytest.fail("it goes on without a terminal")
    t.status = 0
    t.fd = os.open("/dev/null", os.O_RDONLY)


def test_stopping_and_going_on(viewer):
    t = viewer(documents.script(), "-c", 'set -m; "$0" "$@"; echo it stood still; read -r; fg', VIEWER, program="/bin/bash")
    before = t.text()
    t.send("\x1a")
    t.wait_for("it stood still")
    assert b"\x1b[?1049l" in t.raw
    t.send("\n")
    t.until(lambda: t.text() == before, 5)
    t.key("2")
    assert "which process" in t.text()


# --- how much it takes -------------------------------------------------------------------------

def cpu_seconds(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e9


@pytest.mark.parametrize("keys", [(), ("t",)], ids=["list", "tree"])
def test_two_thousand_processes_take_little(viewer, keys):
    """Under 1 % of a core at one second; what making documents takes is not of the viewer."""
    t = viewer(documents.crowd(2000), "--view", "processes", columns=120, rows=40)
    t.key(*keys)
    time.sleep(1)
    t.settle()
    share = 1
    for _ in range(3):  # its work is the same each time: what it takes is the least of them
        begin, at = cpu_seconds(t.pid), time.monotonic()
        while time.monotonic() < at + 6:
            t.take(0.5)
        share = min(share, (cpu_seconds(t.pid) - begin) / (time.monotonic() - at))
        if share < 0.01:
            break
    print(f"{share:.2%} of a core")
    assert share < 0.01


def test_nothing_new_draws_nothing(viewer):
    t = viewer(documents.script(), rows=40)
    before = len(t.raw)
    time.sleep(2.5)
    t.settle()
    assert len(t.raw) == before


def test_one_figure_that_changed_draws_little(viewer):
    """No flicker: what is the same is not drawn again."""
    what = documents.crowd(100, 300)
    what["steps"] = [what["steps"][0]] * 2
    t = viewer(what, "--view", "processes", columns=120, rows=40)
    time.sleep(1)
    t.settle(0.05)
    before = len(t.raw)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        t.take(0.2)
    # ten times the clock and a sample of the bars, which move
    assert len(t.raw) - before < 10 * 1500, len(t.raw) - before
    assert b"\x1b[2J" not in t.raw[before:] and b"\x1b[H\x1b[J" not in t.raw[before:]


# --- what the manual says -----------------------------------------------------------------------

def test_the_manual_lists_the_keys():
    keys = subprocess.run([VIEWER, "--keys"], capture_output=True, text=True, check=True).stdout
    manual = (ROOT / "user/man/sluice.8").read_text(encoding="utf-8")
    assert keys in manual, "put the output of `build/screen/viewer --keys` into the manual page"
