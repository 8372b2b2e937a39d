# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`trusted:` what such an executable reads and sends is told, and charged to nobody; and when it is not to be trusted."""
import os
import shutil
import signal

import pytest

import work
from monitor import wait_for
from work import FILE, Process

pytestmark = pytest.mark.one_set


@pytest.fixture
def agent(tmp):
    """A copy of actor, as a program of its own."""
    path = os.path.join(tmp, "agent")
    shutil.copy(work.program("actor"), path)
    os.chmod(path, 0o755)
    return path


def run(tmp, path, *steps, name="agent", prefix=()):
    p = Process(tmp, name, [*prefix, path, "-o", "REPORT", *steps])
    try:
        assert p.wait() == 0, p.said()
    finally:
        p.kill()
    return p


def leak(m, tmp, path, dataset, s, prefix=()):
    """Reads, and stays after the first byte until it was asked."""
    p = Process(tmp, "agent", [*prefix, path, "-o", "REPORT", f"read:{dataset}/f:10007", "say:read", "wait-line",
                               f"read:{dataset}/f", s.to, "send:300007"])
    try:
        p.wait_said("read")
        wait_for("it is known", lambda: any(i["process"] and i["process"]["pid"] == p.pid for i in m.show("processes")["items"]))
        p.go()
        assert p.wait() == 0, p.said()
    finally:
        p.kill()
    return p


def test_trusted(sluice, config, dataset, tmp, agent, lab, sink):
    s = sink(lab.internet)
    m = sluice({**config, "trusted": [agent]})
    p = leak(m, tmp, agent, dataset, s)
    r = m.stop()
    assert s.bytes() == 300007
    assert r.findings() == {}
    assert r.read() == 10007 + FILE
    flows = [f for f in r.of("flow") if f["remote"]["addr"] == s.ip and f["remote"]["port"] == s.port]
    assert sum(f["bytes_out"] for f in flows) == 300007
    assert sum(f["tainted_out"] for f in flows) == 0
    for record in [*flows, *r.access()]:
        assert record["process"]["pid"] == p.pid and record["process"]["trusted"] is True


def assert_charged(m, s):
    r = m.stop()
    assert s.bytes() == 300007
    assert r.exfil(s)["leak_bound"] == 300007


def test_another_file_is_not(sluice, config, dataset, tmp, agent, lab, sink):
    """The same bytes under the same name: it is the inode that counts."""
    s = sink(lab.internet)
    os.mkdir(os.path.join(tmp, "other"))
    other = shutil.copy(agent, os.path.join(tmp, "other", "agent"))
    m = sluice({**config, "trusted": [agent]})
    leak(m, tmp, other, dataset, s)
    assert_charged(m, s)


def test_linked_otherwise_is_not(sluice, config, dataset, tmp, agent, lab, sink):
    s = sink(lab.internet)
    m = sluice({**config, "trusted": [agent]})
    leak(m, tmp, agent, dataset, s, prefix=("env", "LD_LIBRARY_PATH=/nowhere"))
    assert_charged(m, s)


def test_run_by_another_user_is_not(sluice, config, dataset, tmp, agent, lab, sink):
    s = sink(lab.internet)
    m = sluice({**config, "trusted": [agent]})
    run(tmp, agent, "uid:65534", f"read:{dataset}/f:10007", "sleep:1000", f"read:{dataset}/f", s.to, "send:300007")
    assert_charged(m, s)


def test_changed_is_trusted_no_more(sluice, config, dataset, tmp, agent, lab, sink):
    """Also what it sent before is charged then: when it was changed is not known."""
    s = sink(lab.internet)
    m = sluice({**config, "trusted": [agent]})
    leak(m, tmp, agent, dataset, s)
    assert m.show("health")["health"]["trusted"] == [{"path": agent, "trusted": True, "why_not": None}]
    assert m.findings() == []
    with open(agent, "ab") as f:
        f.write(b"x")
    wait_for("the change is seen", lambda: not m.show("health")["health"]["trusted"][0]["trusted"])
    assert_charged(m, s)


def test_reload(sluice, config, dataset, tmp, agent, lab, sink):
    s = sink(lab.internet)
    m = sluice({**config, "trusted": [agent]})
    leak(m, tmp, agent, dataset, s)
    assert m.findings() == []
    m.write(config)
    m.signal(signal.SIGHUP)
    wait_for("the new policy is in force", lambda: m.show("health")["health"]["trusted"] == [])
    assert_charged(m, s)
