# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`aws_ranges: auto`: AWS's file, fetched from a double of where AWS publishes it, checked, kept, and used when the next try fails."""
import http.server
import json
import os
import socket
import threading
import time

import pytest

from monitor import wait_for

pytestmark = pytest.mark.one_set

SENT = 10007


def ranges(prefix, service="S3", region="eu-west-1", created="2026-08-22-21-17-05"):
    return json.dumps({"syncToken": "1", "createDate": created, "prefixes": [
        {"ip_prefix": prefix, "region": region, "service": service, "network_border_group": region}], "ipv6_prefixes": []})


class Publisher:
    def __init__(self):
        self.status, self.body, self.asked = 200, "", []
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                double.asked.append(self.path)
                data = double.body.encode()
                self.send_response(double.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ip-ranges.json"


@pytest.fixture
def publisher(monkeypatch):
    p = Publisher()
    monkeypatch.setenv("SLUICE_AWS_RANGES_URL", p.url)
    yield p
    p.server.shutdown()
    p.server.server_close()


@pytest.fixture
def auto(config):
    return {**config, "network": {**config["network"], "aws_ranges": "auto"}}


def health(m):
    return m.now("health")["health"]["aws_ranges"]


def kept(m):
    return f"{m.file[:-5]}.state/ip-ranges.json"


def test_fetched_checked_and_used(sluice, auto, publisher, dataset, lab, sink, actor):
    out = sink(lab.internet)
    publisher.body = ranges(f"{out.ip}/32")
    m = sluice(auto)
    wait_for("they are in force", lambda: (health(m) or {}).get("prefixes") == 1)
    assert health(m)["created"] == "2026-08-22T21:17:05.000Z" and health(m)["why"] is None
    actor(f"read:{dataset}/f", out.to, f"send:{SENT}").truth()
    r = m.stop()
    assert r.classes(out) == {"aws:S3:eu-west-1"}
    # whose bucket it is no range tells: outside all the same, and nobody allowed it
    assert r.finding("exfil.volume", out)["leak_bound"] == r.finding("s3.foreign-bucket", out)["leak_bound"] == SENT
    assert os.stat(kept(m)).st_size == len(publisher.body)
    assert len(publisher.asked) == 1


def test_kept_ones_serve_and_are_not_asked_for_each_time(sluice, auto, publisher, lab):
    publisher.body = ranges("203.0.113.0/24")
    m = sluice(auto)
    wait_for("they are in force", lambda: health(m))
    m.again()
    assert health(m)["prefixes"] == 1
    time.sleep(1)
    assert len(publisher.asked) == 1
    # a day later they are, and what comes is broken: those that are known stay
    os.utime(kept(m), (time.time() - 90000,) * 2)
    publisher.body = "<html>"
    m.again()
    wait_for("it was tried", lambda: len(publisher.asked) == 2)
    wait_for("it is told", lambda: health(m)["why"])
    assert health(m)["prefixes"] == 1 and "not all of a JSON file" in health(m)["why"]
    assert "stay in force" in m.said()
    assert os.stat(kept(m)).st_size == len(ranges("203.0.113.0/24"))
    m.stop()


@pytest.mark.parametrize("status, body, said", [(404, "", "404"), (200, "{}", "createDate"), (200, "[" * 100, "JSON"), (302, "", "302")])
def test_what_is_wrong_is_said(sluice, auto, publisher, lab, status, body, said):
    publisher.status, publisher.body = status, body
    m = sluice(auto)
    wait_for("it is told", lambda: (health(m) or {}).get("why"))
    assert health(m)["file"] is None and health(m)["prefixes"] == 0
    assert said in m.said() and "none are known" in m.said()
    assert not os.path.exists(kept(m))
    m.stop()


def test_an_end_does_not_wait_for_names(sluice, auto, monkeypatch, tmp):
    """A name server that does not answer cannot be interrupted, nor is it waited for."""
    monkeypatch.setenv("SLUICE_AWS_RANGES_URL", "https://ranges.invalid/")
    resolv = f"{tmp}/resolv.conf"
    with open(resolv, "w", encoding="ascii") as f:
        f.write("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 53))
    m = sluice(auto, prefix=["unshare", "-m", "sh", "-c", f"mount --bind {resolv} /etc/resolv.conf && exec \"$@\"", "-"])
    silent.recv(512)
    begun = time.monotonic()
    m.stop()
    assert time.monotonic() - begun < 60
    silent.close()


def test_only_what_its_sender_vouches_for(sluice, auto, monkeypatch):
    monkeypatch.setenv("SLUICE_AWS_RANGES_URL", "http://192.0.2.1/ip-ranges.json")
    m = sluice(auto)
    assert "no https address" in m.said()
    m.stop()


def test_without_a_place_to_keep_them(sluice, auto, publisher):
    m = sluice({**auto, "state": "off"})
    assert "no directory (`state`)" in m.said()
    assert health(m) is None
    m.stop()
    assert publisher.asked == []
