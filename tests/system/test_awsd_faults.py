# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the double does on command, each as a client sees it, and that what arrived is told."""
import contextlib
import http.client
import json
import random
import threading
import time
import urllib.request

import pytest

pytest.importorskip("botocore", reason="python3-botocore is not installed: scripts/deps.sh test")

import awsd_faults
from awsd import Awsd, AwsdProcess
from awsd_client import Request, call, client, connect, logs_request
from botocore.exceptions import BotoCoreError, ClientError
from monitor import wait_for

GROUP, STREAM = "/sluice/x", "s"


@pytest.fixture(params=("here", "process"))
def aws(request, tmp_path):
    """Both ways of having it: one object, one interface."""
    with (Awsd if request.param == "here" else AwsdProcess)(f"{tmp_path}/aws") as made:
        logs = client(made, "logs")
        logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
        yield made
        assert not made.state()["crashes"]


def asked(message="m"):
    return {"logGroupName": GROUP, "logStreamName": STREAM,
            "logEvents": [{"timestamp": int(time.time() * 1000), "message": message}]}


def put(aws, message="m", connection=None):
    """(status, headers, body)"""
    return logs_request("PutLogEvents", asked(message)).sign(aws).send(aws, connection)


def stored(aws):
    return [event["message"] for event in aws.events()]


def last(aws):
    made = aws.calls()[-1]
    return made["fault"], made["status"], made["signature"]


# --- what is told ---

def test_throttle(aws):
    aws.fault("throttle", op="PutLogEvents", n=2)
    assert aws.state()["faults"][0]["n"] == 2
    for _ in range(2):
        status, headers, body = put(aws)
        assert (status, headers["x-amzn-ErrorType"]) == (400, "ThrottlingException")
        assert json.loads(body) == {"__type": "ThrottlingException", "message": "Rate exceeded"} and headers["x-amzn-RequestId"]
        assert last(aws) == ("throttle", 400, "ok")
    assert put(aws)[0] == 200 and stored(aws) == ["m"] and aws.state()["faults"] == []


def test_throttle_in_the_words_of_each(aws):
    aws.fault("throttle", n=None)
    status, headers, _ = Request("securityhub", b'{"Findings": []}', "/findings/import").sign(aws).send(aws)
    assert (status, headers["x-amzn-ErrorType"].partition(":")[0]) == (429, "LimitExceededException")
    status, _, body = Request("sts", b"Action=GetCallerIdentity&Version=2011-06-15").sign(aws).send(aws)
    assert status == 400 and b"<Code>Throttling</Code>" in body
    aws.clear()
    assert put(aws)[0] == 200


def test_botocore_retries_it(aws):
    aws.fault("throttle", op="PutLogEvents")
    aws.fault("error", op="PutLogEvents", error="ServiceUnavailableException", status=503)
    said = client(aws, "logs", retries=3).put_log_events(**asked())
    assert said["ResponseMetadata"]["RetryAttempts"] == 2 and stored(aws) == ["m"]


@pytest.mark.parametrize("name, status", (("AccessDeniedException", 400), ("InternalFailure", 500),
                                          ("ServiceUnavailableException", 503),
                                          ("com.amazonaws.logs#OperationAbortedException", 400)))
def test_error(aws, name, status):
    aws.fault("error", error=name, status=status, message="on command")
    got, headers, body = put(aws)
    assert (got, headers["x-amzn-ErrorType"]) == (status, name.rpartition("#")[2])
    assert json.loads(body) == {"__type": name, "message": "on command"}
    assert stored(aws) == []


def test_error_after_it_was_stored(aws):
    aws.fault("error", store=True)
    assert put(aws)[0] == 500 and stored(aws) == ["m"]


def test_a_proxy_answers(aws):
    aws.fault("http", status=502, body="<html>bad gateway</html>")
    aws.fault("http", status=200, body="<html>please log in</html>")
    for status in (502, 200):
        got, headers, body = put(aws)
        assert got == status and "x-amzn-RequestId" not in headers and body.startswith(b"<html>")
    assert stored(aws) == []


def test_no_request_id(aws):
    aws.fault("no_request_id")
    aws.fault("no_request_id", store=False)
    for _ in range(2):
        status, headers, _ = put(aws)
        assert status == 200 and "x-amzn-RequestId" not in headers
    assert stored(aws) == ["m"]


def test_garbage(aws):
    aws.fault("garbage")
    aws.fault("garbage", body="{", store=False)
    for body in (None, b"{"):
        status, headers, got = put(aws)
        assert status == 200 and headers["x-amzn-RequestId"] and body in (None, got)
        with pytest.raises(ValueError):
            json.loads(got)
    assert stored(aws) == ["m"]


def test_huge(aws):
    aws.fault("huge", bytes=3_000_017)
    status, _, body = put(aws)
    assert status == 200 and len(body) == 3_000_017 and json.loads(body)


# --- what is cut ---

@pytest.mark.parametrize("store", (True, False))
def test_truncated_body(aws, store):
    aws.fault("truncate", keep=1, store=store)
    with pytest.raises(http.client.IncompleteRead) as why:
        put(aws)
    assert why.value.partial == b"{"
    assert stored(aws) == ["m"] * store


def test_truncated_in_the_middle(aws):
    aws.fault("truncate")
    with pytest.raises(http.client.IncompleteRead) as why:
        put(aws)
    whole = len(put(aws)[2])
    assert len(why.value.partial) == whole // 2


def test_truncated_head(aws):
    aws.fault("truncate", where="head", keep=20)
    with contextlib.closing(connect(aws)) as connection:
        status, headers, body = put(aws, connection=connection)
    assert (status, body, headers["x-amzn-RequestId"]) == (200, b"", None)   # as http.client takes it: all it got was a first line
    assert stored(aws) == ["m"]


@pytest.mark.parametrize("when, arrives", (("accept", False), ("head", False), ("body", False), ("after", True)))
@pytest.mark.parametrize("how, error", (("rst", ConnectionResetError), ("fin", http.client.RemoteDisconnected)))
def test_reset(aws, when, arrives, how, error):
    if when == "accept" and how == "fin":
        error = (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)   # what was sent meets a closed end
    if when == "head" and how == "fin":
        error = (ConnectionResetError, http.client.RemoteDisconnected)                    # what was not read does
    if when == "accept" and how == "rst":
        error = (ConnectionResetError, BrokenPipeError)
    aws.fault("reset", when=when, how=how)
    with pytest.raises(error):
        put(aws)
    assert stored(aws) == ["m"] * arrives
    if when != "accept":
        assert last(aws)[:2] == ("reset", None)
    assert put(aws, "again")[0] == 200


def test_reset_of_a_kept_connection(aws):
    with contextlib.closing(connect(aws)) as connection:
        assert put(aws, connection=connection)[0] == 200
        aws.fault("reset", when="head")
        with pytest.raises(ConnectionResetError):
            put(aws, connection=connection)


# --- what is slow ---

@pytest.mark.parametrize("when, stored_before", (("before", 0), ("after", 1)))
def test_delay(aws, when, stored_before):
    aws.fault("delay", seconds=3.0, when=when)
    since = time.monotonic()
    thread = threading.Thread(target=put, args=(aws,))
    thread.start()
    if stored_before:
        wait_for("it is stored", lambda: stored(aws))
        assert thread.is_alive()
    else:
        time.sleep(0.5)
        assert not stored(aws)
    thread.join()
    assert time.monotonic() - since >= 3 and stored(aws) == ["m"]


def test_a_client_that_waits_no_longer(aws):
    aws.fault("delay", seconds=3, when="after")
    with contextlib.closing(connect(aws, timeout=0.5)) as connection, pytest.raises(TimeoutError):
        put(aws, connection=connection)
    wait_for("it is stored", lambda: stored(aws) == ["m"])


def test_others_go_on_meanwhile(aws):
    aws.fault("delay", seconds=5, op="PutLogEvents")
    thread = threading.Thread(target=put, args=(aws, "slow"))
    thread.start()
    wait_for("the slow one waits", lambda: not aws.state()["faults"])
    assert put(aws, "quick")[0] == 200 and thread.is_alive()
    thread.join()
    assert stored(aws) == ["quick", "slow"]


def test_drip(aws):
    aws.fault("drip", size=16, every=0.05)
    since = time.monotonic()
    status, _, body = put(aws)
    assert status == 200 and json.loads(body) and time.monotonic() - since > 0.5


# --- of reading, and of findings ---

@pytest.mark.parametrize("forward", (True, False), ids=("forward", "backward"))
def test_empty_page(aws, forward):
    """Nothing is on some pages, and more is behind them: only a token that comes back as it was is the end."""
    logs, way = client(aws, "logs"), "nextForwardToken" if forward else "nextBackwardToken"
    for i in range(5):
        put(aws, f"m{i}")
    aws.fault("empty_page", op="GetLogEvents")
    aws.fault("empty_page", op="GetLogEvents", skip=1, n=2)
    pages, token = [], {}
    while True:
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, limit=2, startFromHead=forward, **token)
        if token.get("nextToken") == page[way]:
            break
        pages.append([e["message"] for e in page["events"]])
        token = {"nextToken": page[way]}
    there = [["m0", "m1"], ["m2", "m3"], ["m4"]] if forward else [["m3", "m4"], ["m1", "m2"], ["m0"]]
    assert [page for page in pages if page] == there and pages[:4] == [[], there[0], [], []]


# --- which calls ---

def test_operations(aws):
    aws.fault("error", op="securityhub.*", n=None)
    aws.fault("error", op="GetLogEvents", n=None)
    assert put(aws)[0] == 200
    assert call(aws, "GetLogEvents", {"logGroupName": GROUP, "logStreamName": STREAM})[0] == 500
    assert Request("securityhub", b"{}", "/findings").sign(aws).send(aws)[0] == 500


def test_credentials_too(aws):
    aws.fault("error", op="container.get", status=500)
    aws.fault("reset", op="imds.credentials", when="after")
    aws.fault("truncate", op="container.get", skip=1, keep=30)

    def ask(path, **headers):
        with contextlib.closing(connect(aws)) as connection:
            connection.request("PUT" if "token" in path else "GET", path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
    assert ask("/v1/credentials", Authorization="container-token")[0] == 500
    assert ask("/v1/credentials", Authorization="container-token")[0] == 200
    with pytest.raises(http.client.IncompleteRead):
        ask("/v1/credentials", Authorization="container-token")
    _, token = ask("/latest/api/token", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    with pytest.raises(ConnectionResetError):
        ask("/latest/meta-data/iam/security-credentials/", **{"X-aws-ec2-metadata-token": token.decode()})
    assert ask("/latest/meta-data/iam/security-credentials/", **{"X-aws-ec2-metadata-token": token.decode()})[1] == b"sluice"


def test_skip_and_then_the_next(aws):
    aws.fault("error", op="PutLogEvents", skip=2, n=1, status=500)
    aws.fault("error", op="PutLogEvents", skip=3, n=2, status=503)
    assert [put(aws)[0] for _ in range(7)] == [200, 200, 500, 200, 503, 503, 200]


def test_by_chance(aws):
    aws.seed(number=5)
    aws.fault("error", p=0.3, n=None, op="PutLogEvents")
    got = [put(aws)[0] for _ in range(100)]
    chance = random.Random(5)
    assert got == [500 if chance.random() < 0.3 else 200 for _ in range(100)]
    assert len(stored(aws)) == got.count(200)


@pytest.mark.parametrize("wrong", ({"kind": "explode"}, {"kind": "reset", "when": "never"}, {"kind": "throttle", "seconds": 1}))
def test_commands_that_are_none(aws, wrong):
    with pytest.raises(ValueError):
        aws.fault(**wrong)
    with pytest.raises(ValueError):
        aws.set(no_such_thing=1)
    assert aws.state()["faults"] == []


def test_every_kind_is_shown_here():
    text = open(__file__).read()
    hub = open(__file__.replace("_faults", "_hub")).read()
    for kind in awsd_faults.KINDS:
        assert f'fault("{kind}"' in text + hub, kind


def test_control_by_curl(tmp_path):
    with AwsdProcess(f"{tmp_path}/aws", stream_tps=7) as aws:
        url = f"http://127.0.0.1:{aws.control}"
        assert json.loads(urllib.request.urlopen(f"{url}/state").read())["settings"]["stream_tps"] == 7
        urllib.request.urlopen(f"{url}/fault", b'{"kind": "throttle", "n": 3}')
        assert json.loads(urllib.request.urlopen(f"{url}/state").read())["faults"][0]["n"] == 3
        for wrong in ("/nothing", "/__init__", "/close"):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(url + wrong)
        keys = aws.issue(life=900)
        aws.kill9()
        with pytest.raises(OSError):
            aws.state()
        aws.start()
        assert aws.state()["settings"]["stream_tps"] == 7 and aws.state()["faults"] == []
        client(aws, "logs", keys=keys).create_log_group(logGroupName="g")
        aws.expire()
        with pytest.raises(ClientError, match="ExpiredToken"):
            client(aws, "logs", keys=keys).create_log_group(logGroupName="h")


def test_away(tmp_path):
    with Awsd(f"{tmp_path}/aws") as aws:
        logs = client(aws, "logs")
        logs.create_log_group(logGroupName="g")
    with pytest.raises(BotoCoreError):
        logs.create_log_group(logGroupName="h")
    with Awsd(f"{tmp_path}/aws", port=aws.port) as aws:
        logs.create_log_group(logGroupName="h")
        assert sorted(aws.state()["groups"]) == ["g", "h"]


def test_over_ipv6(tmp_path):
    try:
        made = Awsd(f"{tmp_path}/aws", address="::1")
    except OSError as why:
        pytest.skip(f"no IPv6 on the loopback: {why}")
    with made as aws:
        assert aws.url.startswith("http://[::1]:")
        client(aws, "logs").create_log_group(logGroupName="g")
        assert list(aws.state()["groups"]) == ["g"]
