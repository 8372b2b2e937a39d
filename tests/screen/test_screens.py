# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixed documents and keys in, whole screens out."""
import pytest

import documents

VIEWS = ("jobs", "processes", "datasets", "destinations", "flows", "findings", "health")
SIZES = ((80, 24), (200, 60))

# name: (options, keys)
KEYS = {
    "tree": (("--view", "processes"), ("t",)),
    "tree-detail": (("--view", "processes"), ("t", "d", "Down")),
    "rates": ((), ("b",)),
    "bounds": ((), ("b", "b")),
    "rates-flows": (("--view", "flows"), ("b",)),
    "help": ((), ("?",)),
    "help-end": ((), ("?", "End")),
    "finding": (("--view", "findings"), ("Enter",)),
    "finding-second": (("--view", "findings"), ("Down", "Down")),
    "job-processes": ((), ("Enter",)),
    "job-flows": ((), ("Enter", "Down", "Enter")),
    "job-findings": ((), ("Enter", "Down", "Enter", "Enter")),
    "job-way-back": ((), ("Enter", "Down", "Enter", "Enter", "Esc", "Esc")),
    "destination-flows": (("--view", "destinations"), ("Enter",)),
    "dataset-processes": (("--view", "datasets"), ("Enter",)),
    "sorted-by-name": ((), ("<",) * 5),
    "reversed": ((), ("r",)),
    "marked": (("--view", "processes"), ("m", "m", "Down", "m")),
    "only-marked": (("--view", "processes"), ("m", "Down", "m", "o")),
    "paused": ((), ("p",)),
    "second-of-all": ((), ("Down", "d")),
}

TYPED = {
    "filter": (("--view", "flows"), "f", "class:internet out>1MiB", True),
    "filter-typed": (("--view", "flows"), "f", "dataset:claims", False),
    "filter-wrong": (("--view", "flows"), "f", "class:internet colour:red", False),
    "filter-none": (("--view", "flows"), "f", "dataset:nothing", True),
    "search": (("--view", "processes"), "/", "slurm", True),
    "search-none": (("--view", "processes"), "/", "slurmy", False),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_view(viewer, expect, view, size):
    t = viewer(documents.script(), "--view", view, columns=size[0], rows=size[1])
    expect(t, f"{view}-{size[0]}x{size[1]}")


@pytest.mark.parametrize("view", VIEWS)
def test_view_in_ascii(viewer, expect, view):
    t = viewer(documents.script(), "--view", view, env={"LC_ALL": "C"})
    expect(t, f"{view}-ascii-80x24")
    assert t.text().isascii()


@pytest.mark.parametrize("name", KEYS)
def test_keys(viewer, expect, name):
    options, keys = KEYS[name]
    t = viewer(documents.script(), *options)
    t.key(*keys)
    expect(t, f"{name}-80x24")


@pytest.mark.parametrize("name", TYPED)
def test_typed(viewer, expect, name):
    options, key, text, enter = TYPED[name]
    t = viewer(documents.script(), *options)
    t.key(key)
    t.type(text)
    if enter:
        t.key("Enter")
    expect(t, f"{name}-80x24")


@pytest.mark.parametrize("keys", [("Enter", "t", "d"), ("6",), ("?",)], ids=["tree", "findings", "help"])
def test_wide_keys(viewer, expect, keys):
    t = viewer(documents.script(), columns=200, rows=60)
    t.key(*keys)
    expect(t, f"keys-{keys[0].lower() if keys[0].isalnum() else 'help'}-200x60")


def test_nothing_there(viewer, expect):
    expect(viewer(documents.quiet()), "quiet-80x24")


def test_widest(viewer, expect):
    expect(viewer(documents.script(), columns=300, rows=80), "jobs-300x80")


@pytest.mark.parametrize("name,what", [
    ("losses", {"losses": {"ring_full": 12, "map_full": 3}}),
    ("exporter-down", {"gaps": (), "exporter": {"state": "failing", "why": "the endpoint does not answer", "sent": 9}}),
    ("all-measured", {"gaps": ()}),
])
def test_what_is_not_measured(viewer, expect, name, what):
    expect(viewer(documents.script(of_health=what), "--view", "health"), f"{name}-80x24")


@pytest.mark.parametrize("state", ["replay", "paused", "ended"])
def test_replay(viewer, expect, state):
    t = viewer(documents.script(steps=20, replay=True, state=state))
    t.key("]", "]", "]", "}", "}")
    expect(t, f"replay-{state}-80x24")


def test_replay_keys(viewer):
    t = viewer(documents.script(steps=31, replay=True, state="replay"))
    assert "replay   0 % of 30 s at 1×" in t.text()
    t.key("]", "]", "]")
    assert "replay  10 % of 30 s at 1×" in t.text() and "10:21:03Z" in t.text()
    t.key("[")
    assert "10:21:02Z" in t.text()
    t.key(" ")
    assert "replay PAUSED   7 % of 30 s" in t.text()
    t.key("p", "{", "{")
    assert "replay   7 % of 30 s at 0.25×" in t.text()
    t.key(*"[[[[[")
    assert "replay   0 % of 30 s" in t.text()
    t.key(*"}" * 20)
    assert "at 4096×" in t.text()
    t.key(*"{" * 12)
    assert "at 1×" in t.text()


def test_replay_at_its_end(viewer):
    t = viewer(documents.script(steps=3, replay=True, state="ended"))
    t.key("p")
    assert "the replay is at its end: [ goes back" in t.text() and "ENDED" in t.text()
