# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The AWS client: answers of every kind and none, a clock that is wrong, and where secrets must not be."""
import email.utils
import json
import os
import socket
import subprocess
import threading
import time

import pytest

pytest.importorskip("botocore", reason="botocore recomputes the signatures (package python3-botocore)")

import where
from aws_small import (JWT, KEYS, REGION, Reply, certificate, client, credentials, error, instance, keys, knows, on_ec2,
                       profile, serve, sts_xml, web_identity)


# --- the clock ---------------------------------------------------------------------

@pytest.mark.parametrize("name, status", [("InvalidSignatureException", 400), ("RequestTimeTooSkewed", 403),
                                          ("RequestExpired", 400), ("SignatureDoesNotMatch", 403)])
@pytest.mark.parametrize("off", [7200, -86400])
def test_a_wrong_clock_is_reckoned_with(serve, client, name, status, off):
    def answer(asked):
        said = time.mktime(time.strptime(asked.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
        date = {"Date": email.utils.formatdate(time.time() + off, usegmt=True)}
        return Reply(headers=date) if abs(said - time.time() - off) < 300 else error(name, status, headers=date)
    server = serve(answer)
    c = client(endpoint=server.url, **keys())
    r = c.call()
    assert r["outcome"] == "done" and abs(r["skew_ns"] / 1e9 - off) < 3 and len(server.asked) == 2
    assert c.call()["outcome"] == "done" and len(server.asked) == 3


def test_a_wrong_signature_with_a_right_clock_is_denied(serve, client):
    server = serve(lambda asked: error("InvalidSignatureException"))
    c = client(endpoint=server.url, **keys())
    r = c.call()
    assert r["outcome"] == "denied" and abs(r["skew_ns"]) < 3e9 and len(server.asked) == 1


# --- answers -------------------------------------------------------------------------

@pytest.mark.parametrize("reply, outcome, maybe", [
    (error("ThrottlingException"), "throttled", False),
    (error("com.amazonaws.logs#ThrottlingException"), "throttled", False),
    (Reply(400, b"", headers={"x-amzn-ErrorType": "LimitExceededException:http://internal.amazon.com/coral/"}), "throttled", False),
    (Reply(400, b'{"code":"SlowDown"}'), "throttled", False),
    (Reply(429, b""), "throttled", False),
    (Reply(503, b""), "again", True),
    (error("ServiceUnavailableException", 503), "again", True),
    (Reply(500, b"oops"), "again", True),
    (Reply(502, b"<html>", request_id=None), "again", True),
    (error("RequestTimeout"), "again", False),
    (error("ResourceNotFoundException"), "missing", False),
    (error("ResourceAlreadyExistsException"), "exists", False),
    (error("InvalidParameterException"), "refused", False),
    (Reply(400, b'{"__type":"InvalidParameterException","Message":"Log event too large: 1"}'), "refused", False),
    (error("InvalidAccessException", 401), "denied", False),
    (Reply(413, b""), "refused", False),
    (Reply(403, b"<html>blocked</html>", request_id=None), "again", False),
    (Reply(200, b"{}", request_id=None), "again", True),
    (Reply(200, b"<html>welcome</html>"), "again", True),
    (Reply(200, b"[]"), "again", True),
    (Reply(200, b'{"a":'), "again", True),
    (Reply(200, b"{}", how="cut"), "again", True),
    (Reply(200, b"", how="reset"), "again", True),
    (Reply(200, b"", how="close"), "again", True),
    (Reply(302, b"", headers={"Location": "http://127.0.0.1:1/"}), "again", False),
    (Reply(200, b'{"a":"' + b"x" * (1 << 20) + b'"}'), "again", True),
    (Reply(200, b"{}", headers={"X-Long": "y" * 70000}), "again", True),
    (Reply(200, b""), "done", False),
    (Reply(200, b"{}"), "done", False),
], ids=range(29))
def test_answers(serve, client, reply, outcome, maybe):
    server = serve(lambda asked: reply)
    r = client(endpoint=server.url, **keys()).call()
    assert (r["outcome"], r["maybe_done"]) == (outcome, maybe), r
    assert r["error"] or outcome == "done"
    assert r["too_long"] == (len(reply.body) > 1 << 20)
    if outcome not in ("denied",):
        assert len(server.asked) == 1


def test_late_answers_and_stopping(serve, client):
    server = serve(lambda asked: Reply(how="silent"))
    r = client(endpoint=server.url, **keys()).call(timeout_ms=3000)
    assert (r["outcome"], r["maybe_done"], r["status"]) == ("again", True, 0) and r["ns"] < 8e9
    c = client(endpoint=server.url, **keys())
    c.ask(op="stop-in", ms=200)
    r = c.call()
    assert r["text"] == os.strerror(125) and r["ns"] < 8e9  # ECANCELED


def test_a_call_ends_in_time(serve, client):
    """Also where credentials are what it waits for."""
    server, container = serve(), serve(lambda asked: Reply(body=json.dumps(credentials(1)).encode(), delay=3))
    r = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/").call(timeout_ms=500)
    assert r["outcome"] == "none" and r["ns"] < 1.5e9 and not server.asked


def test_nothing_was_sent(client, serve, certificate):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url, word in ((f"http://127.0.0.1:{port}", "connect"), ("http://no-such-host.invalid", "resolve")):
        r = client(endpoint=url, **keys()).call(timeout_ms=8000)
        assert (r["outcome"], r["maybe_done"]) == ("again", False) and word in r["message"].lower(), r
    tls = serve(tls=certificate)
    r = client(endpoint=tls.url, **keys()).call()
    assert (r["outcome"], r["maybe_done"]) == ("again", False) and not tls.asked and "certificate" in r["message"].lower()
    r = client(endpoint=tls.url, **keys(), AWS_CA_BUNDLE=certificate[0]).call()
    assert r["outcome"] == "done" and len(tls.asked) == 1
    wrong = client(endpoint=f"https://127.0.0.2:{tls.port}", **keys(), AWS_CA_BUNDLE=certificate[0]).call()
    assert (wrong["outcome"], wrong["maybe_done"]) == ("again", False) and len(tls.asked) == 1


def test_a_request_that_was_cut_is_not_done(client):
    """The server reads a part of a large request and resets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_once():
        s, _ = listener.accept()
        s.recv(1000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    thread = threading.Thread(target=serve_once)
    thread.start()
    r = client(endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}", **keys()).call(fill=8_000_000)
    thread.join()
    listener.close()
    assert (r["outcome"], r["maybe_done"]) == ("again", False)


def test_connections_are_kept_and_nothing_is_sent_twice(serve, client):
    replies = []
    server = serve(lambda asked: replies.pop() if replies else Reply())
    c = client(endpoint=server.url, **keys())
    for _ in range(5):
        assert c.call()["outcome"] == "done"
    assert len({a.port for a in server.asked}) == 1
    for how in ("close", "reset"):  # on a connection that served before: the request arrived, and its answer did not
        assert c.call()["outcome"] == "done"
        n = len(server.asked)
        replies.append(Reply(how=how))
        r = c.call()
        assert (r["outcome"], r["maybe_done"]) == ("again", True) and len(server.asked) == n + 1
        assert c.call()["outcome"] == "done"
    n = len(server.asked)
    replies.append(Reply(headers={"Connection": "close"}))
    assert c.call()["outcome"] == "done" and c.call()["outcome"] == "done" and len(server.asked) == n + 2


def test_proxies(serve, client, instance):
    proxy, server = serve(), knows(serve())
    proxy.secrets = {}
    container = serve(lambda asked: Reply(body=json.dumps(credentials(1)).encode()))
    via = {"http_proxy": proxy.url, "HTTP_PROXY": proxy.url, "ALL_PROXY": proxy.url}
    for env in ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": container.url + "/"}, on_ec2(instance)):
        proxy.asked.clear()
        r = client(endpoint="http://logs.example", **via, **env).call()
        assert r["outcome"] == "done" and [a.path for a in proxy.asked] == ["http://logs.example/"]
    assert len(container.asked) == 1 and instance.made == 1 and not server.asked
    r = client(endpoint=server.url, **via, **keys(), NO_PROXY="127.0.0.1").call()
    assert r["outcome"] == "done" and len(server.asked) == 1


def test_account(serve, client):
    def answer(asked):
        body = (b'<GetCallerIdentityResponse xmlns="x"><GetCallerIdentityResult><Arn>a</Arn><Account>123456789012</Account>'
                b"</GetCallerIdentityResult></GetCallerIdentityResponse>") if xml else json.dumps(
            {"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "210987654321"}}}).encode()
        return Reply(body=body)
    server = serve(answer)
    xml = True
    c = client(endpoint=server.url, **keys())
    assert [c.ask(op="account")["account"] for _ in range(3)] == ["123456789012"] * 3 and len(server.asked) == 1
    xml = False
    assert client(endpoint=server.url, **keys()).ask(op="account")["account"] == "210987654321"
    down = client(endpoint="http://127.0.0.1:1", **keys())
    assert down.ask(op="account")["account"] is None


def test_account_in_spite_of_a_wrong_clock(serve, client):
    def answer(asked):
        said = time.mktime(time.strptime(asked.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
        date = {"Date": email.utils.formatdate(time.time() + 7200, usegmt=True)}
        if abs(said - time.time() - 7200) > 300:
            return error("SignatureDoesNotMatch", 403, headers=date)
        return Reply(headers=date, body=b'{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "123456789012"}}}')
    server = serve(answer)
    assert client(endpoint=server.url, **keys()).ask(op="account")["account"] == "123456789012" and len(server.asked) == 2


def test_account_in_spite_of_credentials_that_ended(serve, client):
    def answer(asked):
        if asked.key == credentials(1)["AccessKeyId"]:
            return error("ExpiredToken", 403)
        return Reply(body=b'{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "123456789012"}}}')
    server = knows(serve(answer))
    container = serve(lambda asked: Reply(body=json.dumps(credentials(len(container.asked))).encode()))
    c = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/")
    assert c.ask(op="account")["account"] == "123456789012" and len(server.asked) == 2


# --- secrets ---------------------------------------------------------------------------

def mappings(pid):
    """Of each writable mapping: start, end, and whether a core dump holds it."""
    at = None
    for line in open(f"/proc/{pid}/smaps"):
        head = line.split()
        if "-" in head[0] and len(head[1]) == 4:
            at = (*[int(x, 16) for x in head[0].split("-")], head[1], head[-1])
        elif head[0] == "VmFlags:" and at and "w" in at[2]:
            yield at[0], at[1], "dd" in head, at[3]


BEARER = "Bearer-of-a-container-that-is-long-enough"


def places_of(pid, secret):
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for start, end, left_out, name in mappings(pid):
            if name == "[vvar]":
                continue
            mem.seek(start)
            if secret in mem.read(end - start):
                found.append((name, left_out))
    return found


def test_secrets_are_in_no_core_dump(serve, client, instance, tmp_path):
    """After calls by each kind of credentials, what is secret lies in memory that is left out of core dumps, and nowhere else."""
    def answer(asked):
        if asked.form.get("Action", "").startswith("AssumeRole"):
            return Reply(body=sts_xml(asked.form["Action"], credentials(2)))
        return Reply()
    server = knows(serve(answer))
    container = serve(lambda asked: Reply(body=json.dumps(credentials(1)).encode()))
    profile(tmp_path, "credentials", "[default]\naws_access_key_id = AKIDA\n"
            f"aws_secret_access_key = {credentials(5)['SecretAccessKey']}\n")
    server.secrets["AKIDA"] = credentials(5)["SecretAccessKey"]
    none = {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
    by_container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": container.url + "/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": BEARER}
    in_environment = keys(*[credentials(4)[k] for k in ("AccessKeyId", "SecretAccessKey", "Token")])
    for kind, number, env in (("container", 1, {**none, **by_container}),
                              ("web identity", 2, {**none, **web_identity(server, tmp_path)}),
                              ("instance", 1, {**none, **on_ec2(instance)}),
                              ("profile", 5, {}), ("environment", 4, in_environment)):
        c = client(**{"endpoint": server.url, **env})
        r = c.call(fill=100000)
        assert r["outcome"] == "done" and r["credentials"]["source"] == kind
        assert c.ask(op="credentials")["source"] == kind
        for which in ("SecretAccessKey", "Token"):
            secret = credentials(number)[which].encode()
            found = places_of(c.process.pid, secret)
            assert all(left_out for _, left_out in found), (kind, which, found)
            assert secret not in open(f"/proc/{c.process.pid}/environ", "rb").read()
            assert secret not in open(f"/proc/{c.process.pid}/cmdline", "rb").read()
            assert all(left_out for key in (JWT, BEARER) for _, left_out in places_of(c.process.pid, key.encode())), kind
            if which == "SecretAccessKey" or kind != "profile":
                assert found, "the scan finds nothing at all"


def test_the_program_itself_forgets_its_environment(tmp_path):
    """While it waits for records on its standard input, /proc shows what is not secret and nothing else."""
    env = {**os.environ, **keys(token="a-token-of-the-environment"), "AWS_CONTAINER_AUTHORIZATION_TOKEN": BEARER,
           "AWS_REGION": REGION}
    p = subprocess.Popen([where.SLUICE, "report", "--events", "-"], env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        shown, until = "", time.monotonic() + where.PATIENCE
        while ("AWS_REGION" not in shown or KEYS[1] in shown or BEARER in shown) and time.monotonic() < until:
            time.sleep(0.01)
            shown = open(f"/proc/{p.pid}/environ", errors="replace").read()
        assert f"AWS_REGION={REGION}" in shown and os.readlink(f"/proc/{p.pid}/exe") == os.path.realpath(where.SLUICE)
        assert not any(secret in shown for secret in (KEYS[1], BEARER, "a-token-of-the-environment"))
    finally:
        p.stdin.close()
        p.wait(20)


def test_messages_hold_no_secret(serve, client):
    token = "tok+" + "q" * 50 + "/" + "abcdefghijklmnopqrstuvwxyz0123456789" * 3
    said = ("The Canonical String for this request should have been\n'POST\n/\n\nhost:x\n"
            f"x-amz-security-token:{token}\n' not {KEYS[1]}")
    server = serve(lambda asked: error("InvalidSignatureException", message=said))
    r = client(endpoint=server.url, **keys(token=token)).call()
    text = json.dumps(r)
    assert r["outcome"] == "denied" and "Canonical String" in r["message"]
    for secret in (token, KEYS[1]):
        assert not any(secret[i:i + 12] in text for i in range(len(secret) - 11))
    server.answer = lambda asked: error("Bad\x1b[31m", message="a\x1b]0;x\x07b\u202e")
    assert "\x1b" not in json.dumps(client(endpoint=server.url, **keys()).call(), ensure_ascii=False)
