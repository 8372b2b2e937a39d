# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The double of CloudWatch Logs, held against real clients and AWS's own model: each limit from both sides."""
import contextlib
import gzip
import json
import random
import re
import shutil
import subprocess
import time

import pytest

pytest.importorskip("botocore", reason="python3-botocore is not installed: scripts/deps.sh test")

import awsd_logs
from awsd import Awsd, AwsdProcess, read_events
from awsd_client import CLIS, call, cli, client, connect, logs_request
from awsd_store import Lines
from botocore.exceptions import ClientError
from botocore.loaders import Loader

DAY, HOUR = 86_400_000, 3_600_000
GROUP, STREAM = "/sluice/i-0123456789abcdef0", "i-0123456789abcdef0/2026-11-26"


@pytest.fixture
def aws(tmp_path):
    with Awsd(f"{tmp_path}/aws") as made:
        yield made
        assert not made.crashes


@pytest.fixture
def logs(aws):
    """botocore's client, and a group and stream that are there."""
    made = client(aws, "logs")
    made.create_log_group(logGroupName=GROUP)
    made.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    return made


def now():
    return int(time.time() * 1000)


def put(logs, *events, **more):
    """events: (timestamp, message)"""
    return logs.put_log_events(**{"logGroupName": GROUP, "logStreamName": STREAM, **more},
                               logEvents=[{"timestamp": when, "message": message} for when, message in events])


@contextlib.contextmanager
def refused(name, text="", status=400):
    with pytest.raises(ClientError) as why:
        yield
    assert why.value.response["Error"]["Code"] == name
    assert text in why.value.response["Error"]["Message"]
    assert why.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert why.value.response["ResponseMetadata"]["RequestId"]


# --- as people use it ---

@pytest.mark.parametrize("path", CLIS or [pytest.param(None, marks=pytest.mark.skip("awscli is not installed"))])
def test_command_line(aws, path):
    names = ("--log-group-name", GROUP, "--log-stream-name", STREAM)
    cli(path, aws, "logs", "create-log-group", *names[:2])
    cli(path, aws, "logs", "create-log-stream", *names)
    cli(path, aws, "logs", "put-retention-policy", *names[:2], "--retention-in-days", "30")
    at = now()
    events = [{"timestamp": at + i, "message": f"über {i} \x1b\"\\"} for i in range(3)]
    said = cli(path, aws, "logs", "put-log-events", *names, "--log-events", json.dumps(events))
    assert "rejectedLogEventsInfo" not in said
    got = cli(path, aws, "logs", "get-log-events", *names, "--start-from-head")
    assert [{k: e[k] for k in ("timestamp", "message")} for e in got["events"]] == events
    group, = cli(path, aws, "logs", "describe-log-groups", "--log-group-name-prefix", "/sluice")["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (GROUP, 30)
    stream, = cli(path, aws, "logs", "describe-log-streams", *names[:2])["logStreams"]
    assert (stream["logStreamName"], stream["lastEventTimestamp"]) == (STREAM, at + 2)
    with pytest.raises(subprocess.CalledProcessError) as why:
        cli(path, aws, "logs", "create-log-group", *names[:2])
    assert "ResourceAlreadyExistsException" in why.value.stderr
    assert {c["signature"] for c in aws.calls()} == {"ok"}


def test_what_arrived(aws, logs):
    at = now()
    put(logs, (at, "a"), (at, "b"))
    put(logs, (at - 5, "c"))
    assert [(e["batch"], e["message"]) for e in aws.events()] == [(0, "a"), (0, "b"), (1, "c")]
    assert aws.events(stream="another") == []
    calls = aws.calls("PutLogEvents")
    assert [c["request_id"] for c in calls] == [b["request"] for b in aws.batches()]
    assert dict(calls[0]["headers"])["X-Amz-Target"] == "Logs_20140328.PutLogEvents"
    assert json.loads(calls[1]["body"])["logEvents"] == [{"timestamp": at - 5, "message": "c"}]


# --- the limits of PutLogEvents ---

def filled(total, events, letter="x"):
    """Messages that count for exactly so many bytes together."""
    width = len(letter.encode())
    each, rest = divmod(total - 26 * events, events)
    sizes = [each + (1 if i < rest else 0) for i in range(events)]
    return [letter * (size // width) + "x" * (size % width) for size in sizes]


@pytest.mark.parametrize("letter", ("x", "ä", "\x01", "𝄞"), ids=("ascii", "two", "escaped", "four"))
@pytest.mark.parametrize("events", (2, 997))
def test_bytes_of_a_batch(aws, logs, letter, events):
    at = now()
    put(logs, *((at, m) for m in filled(1_048_576, events, letter)))
    assert len(aws.events()) == events
    with refused("InvalidParameterException", "Upload too large: 1048577 bytes exceeds limit of 1048576"):
        put(logs, *((at, m) for m in filled(1_048_577, events, letter)))
    assert len(aws.events()) == events


def test_events_of_a_batch(aws, logs):
    at = now()
    put(logs, *[(at, "m")] * 10_000)
    with refused("InvalidParameterException", "less than or equal to 10000"):
        put(logs, *[(at, "m")] * 10_001)
    with refused("InvalidParameterException", "greater than or equal to 1"):
        put(logs)
    assert len(aws.events()) == 10_000


@pytest.mark.parametrize("most", (1_048_576, 262_144))
def test_bytes_of_an_event(aws, logs, most):
    aws.set(event_max=most)
    put(logs, (now(), "ä" * ((most - 26) // 2)))
    with refused("InvalidParameterException", f"Log event too large: {most + 1} bytes exceeds limit of {most}"):
        put(logs, (now(), "ä" * ((most - 26) // 2) + "x"))
    assert len(aws.events()) == 1


def test_order(aws, logs):
    at = now()
    put(logs, (at, "a"), (at, "b"), (at + 1, "c"))
    with refused("InvalidParameterException", "chronological order"):
        put(logs, (at, "a"), (at - 1, "b"))
    assert len(aws.events()) == 3


def test_span(aws, logs):
    at = now()
    put(logs, (at - DAY, "a"), (at, "b"))
    with refused("InvalidParameterException", "cannot span more than 24 hours"):
        put(logs, (at - DAY - 1, "a"), (at, "b"))
    assert len(aws.events()) == 2
    said = put(logs, (at - 15 * DAY, "old"), (at, "good"))   # only what is good has to fit
    assert said["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}


def test_too_old_and_too_new(aws, logs):
    at = now()
    assert "rejectedLogEventsInfo" not in put(logs, (at - 14 * DAY + 60_000, "old enough"))
    assert put(logs, (at - 14 * DAY - 1, "too old"))["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert "rejectedLogEventsInfo" not in put(logs, (at + 2 * HOUR, "new enough"))
    assert put(logs, (now() + 2 * HOUR + 60_000, "too new"))["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}
    assert [e["message"] for e in aws.events()] == ["old enough", "new enough"]
    assert [m for b in aws.batches() for _, m in b["rejected"]] == ["too old", "too new"]


def test_indexes_of_what_is_rejected(aws, logs):
    at = now()
    said = put(logs, (at - 16 * DAY, "1"), (at - 15 * DAY, "2"), (at, "3"), (at + 3 * HOUR, "4"), (at + 4 * HOUR, "5"))
    assert said["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3}
    assert [e["message"] for e in aws.events()] == ["3"]
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
    said = put(logs, (at - 20 * DAY, "1"), (at - 4 * DAY, "2"), (at - 3 * DAY - 1, "3"), (at - 3 * DAY + 60_000, "4"))
    assert said["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 3}
    assert [e["message"] for e in aws.events()] == ["3", "4"]


@pytest.mark.parametrize("event", ({"timestamp": -1, "message": "m"}, {"timestamp": 1, "message": ""}, {"message": "m"},
                                   {"timestamp": 1}))
def test_events_that_are_none(aws, logs, event):
    with refused("InvalidParameterException"):
        logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=[event])
    assert aws.batches() == []


@pytest.mark.parametrize("event", ({"timestamp": "1", "message": "m"}, {"timestamp": 1.5, "message": "m"},
                                   {"timestamp": True, "message": "m"}, {"timestamp": 1, "message": 7}, "m"))
def test_events_of_wrong_types(aws, logs, event):
    status, _, body = call(aws, "PutLogEvents", {"logGroupName": GROUP, "logStreamName": STREAM, "logEvents": [event]})
    assert status == 400 and json.loads(body)["__type"] == "SerializationException"
    assert aws.batches() == []


def test_what_is_not_there(aws):
    logs = client(aws, "logs")
    with refused("ResourceNotFoundException", "log group does not exist"):
        put(logs, (now(), "m"))
    logs.create_log_group(logGroupName=GROUP)
    with refused("ResourceNotFoundException", "log stream does not exist"):
        put(logs, (now(), "m"))
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    put(logs, (now(), "m"))
    aws.forget(GROUP, STREAM)
    with refused("ResourceNotFoundException", "log stream does not exist"):
        put(logs, (now(), "m"))
    aws.forget(GROUP)
    with refused("ResourceNotFoundException", "log group does not exist"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)


def test_rate_of_puts(aws, logs):
    aws.set(put_tps=3)
    answers = []
    for i in range(6):
        try:
            put(logs, (now(), str(i)))
            answers.append(None)
        except ClientError as why:
            answers.append(why.response["Error"]["Code"])
    assert answers[:3] == [None] * 3 and "ThrottlingException" in answers[3:]


# --- groups and streams ---

@pytest.mark.parametrize("name", ("a", "x" * 512, "/a-b_c.d#E9", "taws/"))
def test_names_of_groups(aws, name):
    client(aws, "logs").create_log_group(logGroupName=name)
    assert name in aws.state()["groups"]


@pytest.mark.parametrize("name", ("", "x" * 513, "a b", "a:b", "a*b", "ä", "aws/x", "AWS/x"))
def test_names_that_no_group_has(aws, name):
    with refused("InvalidParameterException"):
        client(aws, "logs").create_log_group(logGroupName=name)


@pytest.mark.parametrize("name, good", [(n, True) for n in ("a", "x" * 512, "a b/ä[$LATEST]")] +
                         [(n, False) for n in ("", "x" * 513, "a:b", "a*b")], ids=lambda v: str(v)[:8])
def test_names_of_streams(aws, logs, name, good):
    with contextlib.nullcontext() if good else refused("InvalidParameterException"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
    assert (name in aws.state()["groups"][GROUP]["streams"]) == good


def test_retention(aws, logs):
    for days in awsd_logs.RETENTIONS:
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=days)
        assert aws.state()["groups"][GROUP]["retention"] == days
    for days in (0, 2, 4, 8, 31, 364, 366, 3654):
        with refused("InvalidParameterException"):
            logs.put_retention_policy(logGroupName=GROUP, retentionInDays=days)
    with refused("ResourceNotFoundException"):
        logs.put_retention_policy(logGroupName="another", retentionInDays=1)
    logs.delete_retention_policy(logGroupName=GROUP)
    assert aws.state()["groups"][GROUP]["retention"] is None


def test_made_twice(aws, logs):
    with refused("ResourceAlreadyExistsException"):
        logs.create_log_group(logGroupName=GROUP)
    with refused("ResourceAlreadyExistsException"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)


def test_rate_of_new_streams(aws, logs):
    made, codes = 0, []
    for i in range(70):
        try:
            logs.create_log_stream(logGroupName=GROUP, logStreamName=f"s{i}")
            made += 1
        except ClientError as why:
            codes.append(why.response["Error"]["Code"])
    assert made >= 49 and set(codes) <= {"ThrottlingException"}
    aws.set(stream_tps=1)
    with refused("ThrottlingException"):
        for i in range(4):
            logs.create_log_stream(logGroupName=GROUP, logStreamName=f"t{i}")


def test_lists_in_pages(aws, logs):
    names = sorted([GROUP] + [f"g{i:03}" for i in range(103)])
    for name in set(names) - {GROUP}:
        logs.create_log_group(logGroupName=name)
    pages = [page["logGroups"] for page in logs.get_paginator("describe_log_groups").paginate()]
    assert [len(page) for page in pages] == [50, 50, 4]
    assert [group["logGroupName"] for page in pages for group in page] == names
    with refused("InvalidParameterException"):
        logs.describe_log_groups(limit=51)


def test_the_model_says_the_same():
    shapes = Loader().load_service_model("logs", "service-2")["shapes"]
    assert (shapes["LogGroupName"]["min"], shapes["LogGroupName"]["max"]) == (1, 512)
    for shape, ours in (("LogGroupName", awsd_logs.GROUP_NAME), ("LogStreamName", awsd_logs.STREAM_NAME)):
        for text in (chr(c) for c in range(1, 0x180)):
            assert bool(re.fullmatch(shapes[shape]["pattern"], text)) == bool(re.fullmatch(ours, text))
    assert (shapes["InputLogEvents"]["min"], shapes["InputLogEvents"]["max"]) == (1, awsd_logs.EVENTS_MAX)
    values = re.search(r"Possible values are: (.*?)\.", shapes["Days"]["documentation"])[1]
    assert {int(n) for n in re.findall(r"\d+", values)} - {1096} == set(awsd_logs.RETENTIONS) - {1096}


# --- the protocol ---

PUT = {"logGroupName": GROUP, "logStreamName": STREAM, "logEvents": [{"timestamp": 1_700_000_000_000, "message": "m"}]}


def test_every_reply_has_its_id(aws, logs):
    for operation, asked, status in (("PutLogEvents", PUT, 200), ("GetLogEvents", {}, 400),
                                     ("CreateLogGroup", {"logGroupName": "g"}, 200)):
        got, headers, body = call(aws, operation, asked)
        assert got == status and len(headers["x-amzn-RequestId"]) == 36 and headers["Date"]
        assert headers["Content-Type"] == "application/x-amz-json-1.1"
        if status == 400:
            assert headers["x-amzn-ErrorType"] == json.loads(body)["__type"] == "InvalidParameterException"
    assert call(aws, "CreateLogGroup", {"logGroupName": "h"})[2] == b""


@pytest.mark.parametrize("body", (b"", b"[]", b"null", b"{", b'{"logGroupName": NaN}', b'{"a": "\xff"}', b'{"a": "\\ud800"}',
                                  b"{}x", b"[" * 100_000, gzip.compress(json.dumps(PUT).encode())))
def test_bodies_that_are_none(aws, logs, body):
    status, headers, said = call(aws, "PutLogEvents", body)
    assert (status, headers["x-amzn-ErrorType"]) == (400, "SerializationException"), said
    assert aws.batches() == []


def test_compressed(aws, logs):
    status, headers, _ = call(aws, "PutLogEvents", gzip.compress(json.dumps(PUT).encode()), Content_Encoding="gzip")
    assert (status, headers["x-amzn-ErrorType"]) == (400, "SerializationException")


@pytest.mark.parametrize("target", (None, "Logs_20140328.DropLogEvents", "Logs_20140328.", "PutLogEvents",
                                    "Logs_20150101.PutLogEvents"))
def test_targets_that_are_none(aws, logs, target):
    request = logs_request("x", PUT)
    del request.headers["X-Amz-Target"]
    request.headers.update({"X-Amz-Target": target} if target else {})
    status, headers, body = request.sign(aws).send(aws)
    assert (status, headers["x-amzn-ErrorType"]) == (400, "UnknownOperationException")
    assert json.loads(body)["__type"].endswith("#UnknownOperationException")


@pytest.mark.parametrize("kind", ("application/json", "application/x-amz-json-1.0", "text/plain"))
def test_wrong_content_type(aws, logs, kind):
    status, _, body = call(aws, "PutLogEvents", PUT, Content_Type=kind)
    assert status == 404 and b"UnknownOperationException" in body and aws.batches() == []


def test_kept_alive_and_chunks(aws, logs):
    with contextlib.closing(connect(aws)) as connection:
        assert logs_request("PutLogEvents", PUT).sign(aws).send(aws, connection)[0] == 200
        first = connection.sock
        assert logs_request("PutLogEvents", PUT).sign(aws).send(aws, connection)[0] == 200
        assert connection.sock is first
        request = logs_request("PutLogEvents", PUT).sign(aws)
        whole = request.body
        request.headers["Transfer-Encoding"] = "chunked"
        request.body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (whole[:7], whole[7:], b""))
        assert request.send(aws, connection)[0] == 200
    assert [len(b["events"]) + len(b["rejected"]) for b in aws.batches()] == [1, 1, 1]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_expect_100(aws, logs):
    request = logs_request("PutLogEvents", PUT).sign(aws)
    words = [word for name, value in request.headers.items() for word in ("-H", f"{name}: {value}")]
    done = subprocess.run(["curl", "-sv", "-H", "Expect: 100-continue", "--expect100-timeout", "15", *words, "--data-binary", "@-",
                           aws.url], input=request.body, capture_output=True, timeout=60, check=True)
    assert b"HTTP/1.1 100 " in done.stderr and b"HTTP/1.1 200 " in done.stderr and len(aws.batches()) == 1


def test_half_a_request_is_none(aws, logs):
    with contextlib.closing(connect(aws)) as connection:
        request = logs_request("PutLogEvents", PUT).sign(aws)
        connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
        for name, value in {**request.headers, "Content-Length": str(len(request.body) + 1)}.items():
            connection.putheader(name, value)
        connection.endheaders(request.body)
    put(logs, (now(), "afterwards"))
    assert [e["message"] for e in aws.events()] == ["afterwards"]


# --- GetLogEvents ---

def get(logs, **more):
    return logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, **more)


def messages(page):
    return [event["message"] for event in page["events"]]


def test_read_forward_and_back(aws, logs):
    at = now()
    put(logs, *((at + 2 * i, f"{2 * i}") for i in range(4)))
    put(logs, *((at + 2 * i + 1, f"{2 * i + 1}") for i in range(4)))   # later, and between
    seen, token = [], {}
    while True:
        page = get(logs, startFromHead=True, limit=3, **token)
        if token and page["nextForwardToken"] == token["nextToken"]:
            break
        seen.append(messages(page))
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == [["0", "1", "2"], ["3", "4", "5"], ["6", "7"]] or seen == [["0", "1", "2"], ["3", "4", "5"], ["6", "7"], []]
    page = get(logs, limit=3)   # the newest, without startFromHead
    assert messages(page) == ["5", "6", "7"]
    assert messages(get(logs, limit=3, nextToken=page["nextBackwardToken"])) == ["2", "3", "4"]
    assert messages(get(logs, startTime=at + 2, endTime=at + 4, startFromHead=True)) == ["2", "3"]
    put(logs, (at + 100, "new"))
    assert messages(get(logs, startFromHead=True, nextToken=token["nextToken"])) == ["new"]


def test_pages_of_a_megabyte(aws, logs):
    for i in range(3):
        put(logs, (now() + i, "x" * 600_000))
    assert [len(m) for m in messages(get(logs, startFromHead=True))] == [600_000]


def test_limits_of_reading(aws, logs):
    get(logs, limit=10_000)
    for wrong in ({"limit": 0}, {"limit": 10_001}, {"nextToken": "f/x"}, {"nextToken": "7"},
                  {"nextToken": get(logs)["nextForwardToken"]}):   # without startFromHead
        with refused("InvalidParameterException"):
            get(logs, **wrong)


def test_seen_later_than_put(aws, logs):
    aws.set(visible_after=3600.0)
    put(logs, (now(), "m"))
    assert messages(get(logs)) == []
    aws.set(visible_after=0.0)
    assert messages(get(logs)) == ["m"]


def test_older_than_the_retention(aws, logs):
    put(logs, (now() - 5 * DAY, "old"))
    put(logs, (now(), "new"))
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
    assert messages(get(logs, startFromHead=True)) == ["new"]


# --- kill -9 ---

def test_killed_at_any_time(tmp_path):
    chance, acked, sent = random.Random(11), [], []
    with AwsdProcess(f"{tmp_path}/aws") as aws:
        logs = client(aws, "logs")
        logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
        for _ in range(8):
            killer = subprocess.Popen(["/bin/sh", "-c", f"sleep {chance.random() * 0.4:.3f}; kill -9 {aws.process.pid}"])
            while True:
                batch = [f"{len(sent)}-{i}-" + "x" * chance.randrange(20_000) for i in range(20)]
                sent.append(batch)
                try:
                    put(logs, *((now(), m) for m in batch))
                    acked.append(batch)
                except Exception:   # botocore has many names for one who is dead
                    break
            killer.wait()
            aws.process.wait()
            aws.start()
        assert aws.state()["batches"] == len(aws.batches())
        stored = [[m for _, m in b["events"]] for b in aws.batches()]
        put(logs, (now(), "alive"))
    assert len(acked) > 8
    at = iter(sent)
    assert all(batch in at for batch in stored)       # whole ones, once, in order
    at = iter(stored)
    assert all(batch in at for batch in acked)
    assert read_events(f"{tmp_path}/aws")[-1]["message"] == "alive"


def test_a_torn_line(tmp_path):
    path = f"{tmp_path}/lines"
    lines = Lines(path)
    lines.append({"a": "ä" * 70_000})
    second = lines.append({"b": 1})
    lines.close()
    whole = open(path, "rb").read()
    for cut in (1, 3, len(whole) - second - 1, len(whole) - second + 1, len(whole) - 1):
        with open(path, "wb") as file:
            file.write(whole[:-cut])
        lines = Lines(path)
        assert [list(record) for record in lines] == ([["a"]] if len(whole) - cut >= second else [])
        at = lines.append({"c": 2})
        assert lines.at(at) == {"c": 2} and list(lines)[-1] == {"c": 2}
        lines.close()
