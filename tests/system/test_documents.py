# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the screens' tests give the viewer has the shape of what a monitor tells: the same members, and values of the same kinds."""
import os
import sys

import pytest

from monitor import wait_for
from test_names import API, cert, names, policy, run, tls, upload  # noqa: F401: fixtures

pytestmark = pytest.mark.one_set

SCREEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "screen")
# Objects whose members are names of the user's, or counts of what happened.
FREE = {"tags", "job_labels", "volume", "used", "volumes", "losses", "missed", "channels", "bytes", "state", "datasets"}
# What no screen of theirs shows, or a monitor without AWS does not have.
LEFT_OUT = {*(f"({what}).items[].id" for what in ("processes", "destinations", "flows")),
            *(f"(processes).items[].dns.{name}" for name in ("bytes", "names", "questions")),
            *(f"(health).health.aws_ranges.{name}" for name in ("created", "file", "prefixes", "why")),
            *(f"(health).health.{name}" for name in ("journal", "security_hub", "names.packets"))}
KINDS = {bool: "bool", int: "number", float: "number", str: "text"}


def shape(value, path, found):
    """Path -> the kinds of value that stand there; of an object its members."""
    if isinstance(value, dict):
        found.setdefault(path, set()).add("object")
        for name, v in value.items():
            shape(v, f"{path}.{'*' if path.rsplit('.', 1)[-1] in FREE else name}", found)
    elif isinstance(value, list):
        found.setdefault(path, set()).add("list")
        for v in value:
            shape(v, f"{path}[]", found)
    else:
        found.setdefault(path, set())
        if value is not None:
            found[path].add(KINDS[type(value)])
    return found


def parent(path):
    return path[:-2] if path.endswith("[]") else path.rpartition(".")[0]


def differences(ours, theirs):
    """Members that only one of two has where both have the object; values of another kind than all of theirs."""
    for path in sorted((set(ours) ^ set(theirs)) - LEFT_OUT):
        if parent(path) in ours and parent(path) in theirs and not path.endswith(("[]", ".*")):
            yield f"{path}: only in {'the screens' if path in ours else 'the monitor'}"
    for path in sorted(set(ours) & set(theirs)):
        if theirs[path] and ours[path] - theirs[path]:
            yield f"{path}: {sorted(ours[path])} in the screens, {sorted(theirs[path])} in the monitor"


@pytest.fixture
def screens():
    if not os.path.exists(f"{SCREEN}/documents.py"):
        pytest.skip("the screens' tests are not on this machine")
    sys.path.insert(0, SCREEN)
    try:
        import documents  # pylint: disable=import-outside-toplevel
        yield documents
    finally:
        sys.path.remove(SCREEN)


def test_shape(sluice, screens, policy, dataset, lab, sink, tls, names, run, actor, job):
    plain, inside, safe = sink(lab.internet), sink(lab.vpc), tls(lab.internet)
    d = names({API: [safe.ip]})
    config = policy(d, {"name": "*.example.org", "port": safe.port})
    config["datasets"][0].update(readers={"users": ["nobody"]}, tags={"DataType": "PII"})
    m = sluice(config)
    waiting = actor(f"read:{dataset}/f", "say:ready", "wait-line", cgroup=job)
    waiting.wait_said("ready")
    actor("pipe", "fork{", f"read:{dataset}/f", "write-pipe:50021", "}", "read-pipe:50021", plain.to, "send:40009", inside.to, "send:1009",
          cgroup=job).truth()
    run(d, upload(dataset, f"https://{API}:{safe.port}/"))
    wait_for("all was seen", lambda: len(m.show("findings")["items"]) >= 2 and
             any(f["encrypted"] == "tls1.3" for f in m.show("flows")["items"]))
    told = {what: m.now(what) for what in ("jobs", "processes", "datasets", "destinations", "flows", "findings", "health")}
    found = []
    for what, document in told.items():
        theirs = shape(document, f"({what})", {})
        ours = {}
        for step in screens.script()["steps"]:
            shape(step[what], f"({what})", ours)
        assert f"({what}).items[]" in theirs or what == "health"
        found += differences(ours, theirs)
    assert not found, "\n".join(found)
    waiting.kill()
    m.stop(losses=True)
