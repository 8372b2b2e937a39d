# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""AWS's published ranges: what a destination is called by them, whom an entry by service lets through, and a file that changes."""
import json
import os
import signal

import pytest

from monitor import run_sluice, wait_for, yaml

pytestmark = pytest.mark.one_set

CREATED = "2026-08-22-21-17-05"


def entry(prefix, service, region="eu-west-1"):
    return {"ip_prefix": prefix, "region": region, "service": service, "network_border_group": region}


def document(*prefixes, created=CREATED):
    return json.dumps({"syncToken": "1", "createDate": created, "prefixes": prefixes, "ipv6_prefixes": []}, indent=1)


class Ranges:
    def __init__(self, tmp):
        self.path = os.path.join(tmp, "ip-ranges.json")

    def write(self, text):
        """As a downloader does: whole, under the same name."""
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.path + ".new", self.path)


@pytest.fixture
def ranges(tmp, lab):
    """A small file by which the lab's internet is S3 in eu-west-1."""
    made = Ranges(tmp)
    made.write(document(entry("203.0.113.0/24", "AMAZON"), entry("203.0.113.0/24", "S3")))
    return made


def by_ranges(config, ranges, **more):
    return {**config, "network": {**config["network"], "aws_ranges": ranges.path, **more}}


def health(m):
    return m.show("health")["health"]["aws_ranges"]


def test_class_and_finding(sluice, config, dataset, lab, sink, actor, ranges):
    """S3 is outside: whose bucket it is no range tells."""
    s = sink(lab.internet)
    m = sluice(by_ranges(config, ranges))
    p = actor(f"read:{dataset}/f", s.to, "send:300007", "say:sent", "wait-line")
    p.wait_said("sent")
    m.wait_records("the flow", lambda r: r.to(s) == 300007)
    shown = [f for f in m.now("flows")["items"] if f["remote"]["port"] == s.port]
    assert [f["remote"]["class"] for f in shown] == ["aws:S3:eu-west-1"]
    text = run_sluice("show", "flows", "--socket", m.socket, timeout=60).stdout
    assert "aws:S3:eu-west-1" in text, text
    p.go()
    p.truth()
    assert health(m) == {"file": ranges.path, "created": "2026-08-22T21:17:05.000Z", "prefixes": 1, "why": None}
    r = m.stop()
    assert s.bytes() == 300007
    assert r.classes(s) == {"aws:S3:eu-west-1"}
    assert r.finding("exfil.volume", s)["leak_bound"] == 300007
    assert r.finding("exfil.volume", s)["remote"]["class"] == "aws:S3:eu-west-1"
    assert {f["rule"] for f in r.findings().values()} == {"exfil.volume", "s3.foreign-bucket"}
    assert "to a bucket that is not known" in r.finding("s3.foreign-bucket", s)["title"]
    assert r.of("health")[-1]["aws_ranges"]["prefixes"] == 1


def test_allowed_by_service(sluice, config, dataset, lab, sink, actor, ranges):
    s = sink(lab.internet)
    m = sluice(by_ranges(config, ranges, allow=[{"service": "s3"}]))
    actor(f"read:{dataset}/f", s.to, "send:300007").truth()
    r = m.stop()
    assert r.to(s) == s.bytes() == 300007
    assert r.findings() == {}
    assert "has no effect" not in m.said()


def test_rented_machine_is_no_service(sluice, config, dataset, lab, sink, actor, ranges):
    """The longer prefix is EC2's: anybody's machine, whatever is around it."""
    s = sink(lab.internet)
    ranges.write(document(entry("203.0.113.0/24", "S3"), entry(f"{s.ip}/32", "EC2"), entry(f"{s.ip}/32", "AMAZON")))
    m = sluice(by_ranges(config, ranges, allow=[{"service": "S3"}, {"service": "EC2"}, {"service": "AMAZON"}]))
    actor(f"read:{dataset}/f", s.to, "send:10007").truth()
    r = m.stop()
    assert r.classes(s) == {"internet"}
    assert r.finding("exfil.volume", s)["leak_bound"] == s.bytes() == 10007


def test_vpc_wins(sluice, config, dataset, lab, sink, actor, ranges):
    """A VPC may have public addresses; a longer published prefix does not take them out of it."""
    s = sink(lab.internet)
    ranges.write(document(entry(f"{s.ip}/32", "S3")))
    cidrs = [*config["network"]["vpc_cidrs"], "203.0.113.0/24"]
    m = sluice(by_ranges(config, ranges, vpc_cidrs=cidrs))
    actor(f"read:{dataset}/f", s.to, "send:10007").truth()
    r = m.stop()
    assert s.bytes() == 10007
    assert r.classes(s) == {"vpc"}
    assert r.findings() == {}


def test_bad_file_on_reload(sluice, config, dataset, lab, sink, actor, ranges):
    s = sink(lab.internet)
    m = sluice(by_ranges(config, ranges))
    before = health(m)
    ranges.write(document(entry("203.0.113.0/33", "S3")))
    m.signal(signal.SIGHUP)
    said = wait_for("it says so", lambda: "the policy in force stays as it is" in m.said() and m.said())
    assert f"{ranges.path}: prefixes[0].ip_prefix: '203.0.113.0/33' is not an IPv4 range" in said
    assert health(m) == before
    actor(f"read:{dataset}/f", s.to, "send:10007").truth()
    m.wait_records("the flow", lambda r: r.to(s) == 10007)
    ranges.write(document(entry("203.0.113.0/24", "KMS"), entry("198.51.100.0/24", "S3"), created="2026-09-01-00-00-00"))
    m.signal(signal.SIGHUP)
    wait_for("the new file is in force", lambda: health(m)["created"] == "2026-09-01T00:00:00.000Z")
    assert health(m)["prefixes"] == 2
    assert {f["remote"]["class"] for f in m.findings()} == {"aws:KMS:eu-west-1"}
    assert "aws:S3:eu-west-1" in m.stop().classes(s)


def test_file_that_changes(sluice, config, lab, ranges):
    """Without any signal; a bad one is named once, and what was read before stays in force."""
    m = sluice(by_ranges(config, ranges))
    ranges.write("{")
    says = f"{ranges.path}:1:1: "
    wait_for("the bad file is named", lambda: says in m.said(), 90)
    assert "the address ranges of 2026-08-22T21:17:05.000Z stay in force" in m.said()
    assert health(m)["created"] == "2026-08-22T21:17:05.000Z"
    ranges.write(document(entry("203.0.113.0/24", "S3"), created="2026-09-01-00-00-00"))
    wait_for("the good file is in force", lambda: health(m)["created"] == "2026-09-01T00:00:00.000Z", 90)
    assert m.said().count(says) == 1
    m.stop()


def test_bad_file_at_start(root, tmp, config, ranges):
    ranges.write(document({"ip_prefix": "203.0.113.0/24", "service": "S3"}))
    file = os.path.join(tmp, "m.yaml")
    with open(file, "w", encoding="utf-8") as f:
        f.write(yaml(by_ranges(config, ranges)))
    says = f"network.aws_ranges: {ranges.path}: prefixes[0].region: missing; it is to be a name"
    for words in (["run", "-c", file, "--socket", os.path.join(tmp, "m.sock")], ["check", "-c", file]):
        p = run_sluice(*words)
        assert p.returncode == 2, p.stderr
        assert says in p.stderr


def test_off_is_told(sluice, config):
    m = sluice(config)
    assert health(m) is None
    m.stop()
