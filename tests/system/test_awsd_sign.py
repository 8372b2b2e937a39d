# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Signatures and credentials of the double: what AWS takes, and each way of being refused, in each protocol by its own name."""
import contextlib
import html
import json
import re
import shutil
import subprocess
import time
import urllib.parse

import pytest

pytest.importorskip("botocore", reason="python3-botocore is not installed: scripts/deps.sh test")

import awsd
import awsd_sign
import botocore.credentials
import botocore.session
from awsd import Awsd
from awsd_client import CLIS, Request, call, cli, client, connect, logs_request
from botocore.exceptions import ClientError
from imds import Imds

IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"
ROLE = awsd.SETTINGS["roles"][0]
SERVICES = ("logs", "sts", "securityhub")
no_cli = pytest.mark.skipif(not CLIS, reason="awscli is not installed")


@pytest.fixture
def aws(tmp_path):
    with Awsd(f"{tmp_path}/aws") as made:
        yield made
        assert not made.crashes


def request_to(service):
    return {"logs": lambda: logs_request("DescribeLogGroups", {}), "sts": lambda: Request("sts", IDENTITY),
            "securityhub": lambda: Request("securityhub", b'{"Filters": {}}', "/findings")}[service]()


def error_of(service, answer):
    """(name, message) as a client of that protocol finds it; that the reply agrees with itself."""
    status, headers, body = answer
    assert headers["x-amzn-RequestId"]
    if service == "sts":
        return re.search(rb"<Code>(.*?)</Code>", body)[1].decode(), html.unescape(body.decode())
    said = json.loads(body)
    name = headers["x-amzn-ErrorType"].partition(":")[0]
    if service == "logs":
        assert said["__type"] == name
    return name, said.get("message", "")


@pytest.fixture(params=SERVICES)
def service(request):
    return request.param


def check(aws, service, request, what, text=""):
    answer = request.send(aws)
    name, message = error_of(service, answer)
    assert name == awsd_sign.NAMES[what][service == "sts"] and text in message, message
    assert answer[0] == (400 if service == "logs" or what == "incomplete" else 403)
    assert aws.calls()[-1]["signature"].startswith(f"{what}: ")


def test_good(aws, service):
    assert request_to(service).sign(aws).send(aws)[0] == 200
    assert aws.calls()[-1]["signature"] == "ok"


def test_good_with_a_session(aws, service):
    assert request_to(service).sign(aws, aws.issue(life=900)).send(aws)[0] == 200


def test_another_secret(aws, service):
    keys = {"AccessKeyId": awsd.ACCESS, "SecretAccessKey": awsd.SECRET[:-1] + "Z", "Token": None}
    check(aws, service, request_to(service).sign(aws, keys), "wrong", "does not match the signature you provided")


def test_an_unknown_key(aws, service):
    keys = {"AccessKeyId": "AKIAI44QH8DHBEXAMPLE", "SecretAccessKey": awsd.SECRET, "Token": None}
    check(aws, service, request_to(service).sign(aws, keys), "unknown")


def test_no_signature(aws, service):
    check(aws, service, request_to(service), "missing", "Missing Authentication Token")


@pytest.mark.parametrize("how", ("body", "type", "date", "path", "host"))
def test_changed_after_signing(aws, service, how):
    request = request_to(service).sign(aws)
    if how == "body":
        request.body = request.body.replace(b"i", b"I") + b" "
    elif how == "type":
        request.headers["Content-Type"] += "; charset=utf-8"
    elif how == "date":
        request.headers["X-Amz-Date"] = awsd_sign.amz_date(time.time() + 2)
    elif how == "path":
        request.path += "?x=1"
    else:
        request.headers["Host"] = "logs.eu-central-1.amazonaws.com"
    check(aws, service, request, "wrong", "does not match")


def test_host_as_in_the_real_one(aws):
    request = logs_request("DescribeLogGroups", {})
    url, aws.url = aws.url, "http://logs.eu-central-1.amazonaws.com"
    request.sign(aws)
    aws.url = url
    assert request.send(aws)[0] == 200


@pytest.mark.parametrize("name", ("Host", "Content-Type", "X-Amz-Target", "X-Amz-Date", "X-Amz-Security-Token"))
def test_unsigned_headers(aws, name):
    request = logs_request("DescribeLogGroups", {}).sign(aws, aws.issue(life=900), unsigned=(name,))
    check(aws, "logs", request, "wrong", f"'{name.lower()}' must be a 'SignedHeader'")


def test_other_headers_may_be_unsigned_or_signed(aws):
    extra = {"User-Agent": "sluice/1", "x-amzn-logs-format": "json/emf", "Accept": "*/*"}
    for unsigned in ((), tuple(extra)):
        request = logs_request("DescribeLogGroups", {}, **{k.replace("-", "_"): v for k, v in extra.items()})
        assert request.sign(aws, unsigned=unsigned).send(aws)[0] == 200


def test_signed_and_not_sent(aws):
    request = logs_request("DescribeLogGroups", {}, Accept="").sign(aws)
    del request.headers["Accept"]
    check(aws, "logs", request, "wrong", "'accept' is signed and was not sent")


@pytest.mark.parametrize("names", ("host;content-type;x-amz-date;x-amz-target", "content-type;Host;x-amz-date;x-amz-target",
                                   "content-type;host;host;x-amz-date;x-amz-target"))
def test_signed_headers_in_disorder(aws, names):
    request = logs_request("DescribeLogGroups", {}).sign(aws)
    value = request.headers["Authorization"]
    request.headers["Authorization"] = re.sub("SignedHeaders=[^,]*", f"SignedHeaders={names}", value)
    check(aws, "logs", request, "wrong")


@pytest.mark.parametrize("spoil, text", [
    (lambda v: v.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), "Unsupported AWS 'algorithm'"),
    (lambda v: v.replace("Credential=", "Cred="), "requires 'Credential' parameter"),
    (lambda v: v.partition(", Signature")[0], "requires 'Signature' parameter"),
    (lambda v: v.replace("SignedHeaders=", "Signed="), "requires 'SignedHeaders' parameter"),
    (lambda v: v.replace("/aws4_request", ""), "exactly 5 slash-delimited elements"),
    (lambda v: "Bearer abc", "Unsupported AWS 'algorithm'")])
def test_authorization_that_is_none(aws, service, spoil, text):
    request = request_to(service).sign(aws)
    request.headers["Authorization"] = spoil(request.headers["Authorization"])
    check(aws, service, request, "incomplete", text)


@pytest.mark.parametrize("date, text", ((None, "existence of either a 'X-Amz-Date' or a 'Date'"),
                                        ("2026-11-26T00:00:00Z", "ISO-8601")))
def test_dates_that_are_none(aws, date, text):
    request = logs_request("DescribeLogGroups", {}).sign(aws)
    del request.headers["X-Amz-Date"]
    request.headers.update({"X-Amz-Date": date} if date else {})
    check(aws, "logs", request, "incomplete", text)


def test_wrong_scope(aws, service):
    check(aws, service, request_to(service).sign(aws, region="us-east-1"), "wrong", "valid region")
    check(aws, service, request_to(service).sign(aws, service="s3"), "wrong", "correct service")
    request = request_to(service).sign(aws)
    day = request.headers["X-Amz-Date"][:8]
    request.headers["Authorization"] = request.headers["Authorization"].replace(f"/{day}/", "/20200101/")
    check(aws, service, request, "wrong", "Date in Credential scope does not match")
    request = request_to(service).sign(aws)
    request.headers["Authorization"] = request.headers["Authorization"].replace("/aws4_request", "/aws5_request")
    check(aws, service, request, "wrong", "valid terminator")


def test_payload_hash(aws):
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    request = logs_request("DescribeLogGroups", {}, X_Amz_Content_SHA256=empty).sign(aws)
    check(aws, "logs", request, "wrong", "x-amz-content-sha256")
    right = awsd_sign.hashlib.sha256(request.body).hexdigest()
    assert logs_request("DescribeLogGroups", {}, X_Amz_Content_SHA256=right).sign(aws).send(aws)[0] == 200


def test_query_in_order(aws):
    path = "/?Version=2011-06-15&Action=GetCallerIdentity"   # signed as sorted, sent as it is
    request = Request("sts", b"", path, "GET").sign(aws)
    assert request.send(aws)[0] == 200


# --- clocks ---

@pytest.mark.parametrize("by, good", ((290, True), (-290, True), (310, False), (-310, False)))
def test_clock_that_is_off(aws, service, by, good):
    request = request_to(service).sign(aws, shift=by)
    if good:
        assert request.send(aws)[0] == 200
    else:
        check(aws, service, request, "wrong", "Signature not yet current" if by > 0 else "Signature expired")


@pytest.mark.parametrize("by", (3600, -3600))
def test_clock_of_aws(aws, by):
    aws.set(clock_offset=by)
    request = logs_request("DescribeLogGroups", {}).sign(aws)
    _, headers, _ = answer = request.send(aws)
    assert error_of("logs", answer)[0] == "InvalidSignatureException"
    told = awsd_sign.email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    assert abs(told - time.time() - by) < 30
    assert logs_request("DescribeLogGroups", {}).sign(aws, shift=by).send(aws)[0] == 200
    aws.set(clock_offset=0, date_offset=by)   # only its Date is wrong
    status, headers, _ = logs_request("DescribeLogGroups", {}).sign(aws).send(aws)
    told = awsd_sign.email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    assert status == 200 and abs(told - time.time() - by) < 30


# --- sessions ---

def test_session_without_its_token(aws, service):
    keys = aws.issue(life=900)
    for token in (None, keys["Token"][:-1], awsd.SECRET):
        check(aws, service, request_to(service).sign(aws, {**keys, "Token": token}), "unknown")
    static = {"AccessKeyId": awsd.ACCESS, "SecretAccessKey": awsd.SECRET, "Token": keys["Token"]}
    check(aws, service, request_to(service).sign(aws, static), "unknown")


def test_expired(aws, service):
    keys = aws.issue(life=900)
    assert request_to(service).sign(aws, keys).send(aws)[0] == 200
    aws.expire()
    check(aws, service, request_to(service).sign(aws, keys), "expired")
    assert request_to(service).sign(aws).send(aws)[0] == 200   # the long-lived ones live on
    soon = aws.issue(life=0.2)
    time.sleep(0.3)
    check(aws, service, request_to(service).sign(aws, soon), "expired")


def test_keys_survive_a_restart(tmp_path):
    with Awsd(f"{tmp_path}/aws") as aws:
        live, dead = aws.issue(life=900), aws.issue(life=900)
        aws.expire(dead["AccessKeyId"])
    with Awsd(f"{tmp_path}/aws") as aws:
        assert request_to("logs").sign(aws, live).send(aws)[0] == 200
        check(aws, "logs", request_to("logs").sign(aws, dead), "expired")


# --- where credentials come from ---

@no_cli
@pytest.mark.parametrize("path", CLIS)
@pytest.mark.parametrize("source, who", (("static", ":user/sluice"), ("instance", ":assumed-role/sluice/i-"),
                                         ("container", ":assumed-role/task/")))
def test_sources_by_the_command_line(aws, path, source, who):
    said = cli(path, aws, "sts", "get-caller-identity", source=source)
    assert said["Account"] == awsd.ACCOUNT and who in said["Arn"]
    assert aws.imds.faults == []


def test_web_identity_by_botocore(aws):
    """Its own fetcher; the command line would ask the real service."""
    def creator(name, config=None):
        return client(aws, name)
    env = aws.environment("web")
    fetcher = botocore.credentials.AssumeRoleWithWebIdentityCredentialFetcher(
        creator, lambda: open(env["AWS_WEB_IDENTITY_TOKEN_FILE"]).read(), env["AWS_ROLE_ARN"], {"RoleSessionName": "s1"})
    keys = fetcher.fetch_credentials()
    assert request_to("logs").sign(aws, {"AccessKeyId": keys["access_key"], "SecretAccessKey": keys["secret_key"],
                                         "Token": keys["token"]}).send(aws)[0] == 200


def test_botocore_refreshes(aws, monkeypatch):
    """One client, through the end of its keys."""
    for name, value in aws.environment("instance").items():
        monkeypatch.setenv(name, value)
    aws.set(credential_life=1200)
    logs = botocore.session.Session().create_client("logs", endpoint_url=aws.url)
    logs.describe_log_groups()
    aws.set(clock_offset=200)   # 1,000 s are left, and new keys are not yet there
    logs.describe_log_groups()
    assert len(aws.state()["keys"]) == 2
    aws.set(clock_offset=0)
    aws.expire()
    with pytest.raises(ClientError, match="ExpiredToken"):
        logs.describe_log_groups()
    botocore.session.Session().create_client("logs", endpoint_url=aws.url).describe_log_groups()
    assert len(aws.state()["keys"]) == 3


def sts(aws, **config):
    return client(aws, "sts", **config)


def test_identity_and_roles(aws):
    assert sts(aws).get_caller_identity()["Arn"] == f"arn:aws:iam::{awsd.ACCOUNT}:user/sluice"
    for keys in (sts(aws).assume_role(RoleArn=ROLE, RoleSessionName="s1", DurationSeconds=900)["Credentials"],
                 sts(aws).assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="s1",
                                                        WebIdentityToken="web-identity-token")["Credentials"]):
        keys = {**keys, "Token": keys["SessionToken"]}
        arn = sts(aws, keys=keys).get_caller_identity()["Arn"]
        assert arn == f"arn:aws:sts::{awsd.ACCOUNT}:assumed-role/sluice/s1"
    left = aws.state()["keys"][1]["ends"] - time.time()
    assert 890 < left <= 900
    assert aws.calls("AssumeRoleWithWebIdentity")[0]["signature"] == "none"


WEB = {"RoleArn": ROLE, "RoleSessionName": "s1", "WebIdentityToken": "web-identity-token"}


@pytest.mark.parametrize("change, name, status", [
    ({"WebIdentityToken": "another"}, "InvalidIdentityToken", 400), ({"WebIdentityToken": "older"}, "ExpiredTokenException", 400),
    ({"WebIdentityToken": "abc"}, "ValidationError", 400), ({"WebIdentityToken": "x" * 20_001}, "ValidationError", 400),
    ({"RoleArn": "arn:aws:iam::123456789012:role/other"}, "AccessDenied", 403), ({"RoleArn": "role"}, "ValidationError", 400),
    ({"RoleSessionName": "s"}, "ValidationError", 400), ({"RoleSessionName": "a b"}, "ValidationError", 400),
    ({"RoleSessionName": "x" * 65}, "ValidationError", 400), ({"DurationSeconds": 899}, "ValidationError", 400),
    ({"DurationSeconds": 43_201}, "ValidationError", 400)], ids=lambda v: str(v)[:40])
def test_what_sts_refuses(aws, change, name, status):
    aws.set(old_web_tokens=["older"])
    with pytest.raises(ClientError) as why:
        sts(aws).assume_role_with_web_identity(**{**WEB, **change})
    assert why.value.response["Error"]["Code"] == name
    assert why.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize("change", ({}, {"RoleSessionName": "ab"}, {"RoleSessionName": "x" * 64}, {"DurationSeconds": 900},
                                    {"DurationSeconds": 43_200}, {"WebIdentityToken": "x" * 20_000}), ids=lambda v: str(v)[:40])
def test_what_sts_takes(aws, change):
    aws.set(web_tokens=["web-identity-token", "x" * 20_000])
    assert sts(aws).assume_role_with_web_identity(**{**WEB, **change})["Credentials"]["SessionToken"]


def test_sts_by_query(aws):
    query = urllib.parse.urlencode({"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", **WEB})
    request = Request("sts", b"", f"/?{query}", "GET")
    status, _, body = request.send(aws)
    assert status == 200 and b"<SessionToken>" in body and b"</AssumeRoleWithWebIdentityResponse>" in body
    for wrong in (query.replace("2011", "2010"), query.replace("AssumeRoleWith", "Assume"), query + "&Version=2011-06-15"):
        assert Request("sts", b"", f"/?{wrong}", "GET").send(aws)[0] >= 400


def test_metadata(aws):
    def ask(method, path, **headers):
        with contextlib.closing(connect(aws)) as connection:
            connection.request(method, path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
    roles, ttl = "/latest/meta-data/iam/security-credentials/", {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
    assert ask("GET", roles)[0] == 401
    assert ask("PUT", "/latest/api/token")[0] == 400
    assert ask("PUT", "/latest/api/token", **{"X-aws-ec2-metadata-token-ttl-seconds": "21601"})[0] == 400
    _, token = ask("PUT", "/latest/api/token", **ttl)
    token = {"X-aws-ec2-metadata-token": token}
    assert ask("GET", roles, **token) == (200, "sluice")
    keys = json.loads(ask("GET", roles + "sluice", **token)[1])
    assert keys["Code"] == "Success" and json.loads(ask("GET", roles + "sluice", **token)[1])["Token"] == keys["Token"]
    assert ask("GET", roles + "other", **token)[0] == 404
    assert json.loads(ask("GET", "/latest/dynamic/instance-identity/document", **token)[1])["region"] == awsd.REGION
    aws.expire()
    assert json.loads(ask("GET", roles + "sluice", **token)[1])["Token"] != keys["Token"]
    aws.set(instance_role=None)
    assert ask("GET", roles, **token)[0] == 404
    aws.set(imds_mode="refused")
    assert ask("PUT", "/latest/api/token", **ttl)[0] == 403
    assert len(aws.imds.faults) == 3   # what this test did and no client may


def test_new_keys_before_the_old_ones_end(aws):
    aws.set(credential_life=400)
    with aws.lock:
        first = aws.keys.given("instance", "arn")
        assert aws.keys.given("instance", "arn") is first
        aws.set(clock_offset=201)   # 199 s are left: within half of the life
        second = aws.keys.given("instance", "arn")
    assert second is not first and first.ends > aws.now()


def test_container(aws):
    def ask(path="/v1/credentials", **headers):
        with contextlib.closing(connect(aws)) as connection:
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            text = reply.read()
            return reply.status, json.loads(text) if reply.status == 200 else text
    assert ask()[0] == 400
    assert ask(Authorization="wrong")[0] == 403
    status, keys = ask(Authorization="container-token")
    assert status == 200 and set(keys) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert request_to("logs").sign(aws, keys).send(aws)[0] == 200
    assert ask("/v1/other", Authorization="container-token")[0] == 404
    aws.set(container_token="changed")
    assert ask(Authorization="container-token")[0] == 403 and ask(Authorization="changed")[0] == 200
    aws.set(container_token=None)
    assert ask()[0] == 200


def test_the_metadata_service_by_itself():
    alone = Imds()
    assert alone.tree("/latest/meta-data/instance-id") == "i-0123456789abcdef0"
    alone.close()


# --- rights ---

GROUP_ARN = f"arn:aws:logs:{awsd.REGION}:{awsd.ACCOUNT}:log-group:/sluice/x"


def test_rights(aws):
    aws.set(policy=[{"Effect": "Allow", "Action": ["logs:CreateLog*", "logs:putlogevents"],
                     "Resource": [GROUP_ARN, GROUP_ARN + ":*"]},
                    {"Effect": "Deny", "Action": "logs:*", "Resource": "*:log-stream:forbidden"}])
    logs = client(aws, "logs")
    logs.create_log_group(logGroupName="/sluice/x")
    for stream in ("s", "forbidden"):
        logs.create_log_stream(logGroupName="/sluice/x", logStreamName=stream)
    events = [{"timestamp": int(time.time() * 1000), "message": "m"}]
    logs.put_log_events(logGroupName="/sluice/x", logStreamName="s", logEvents=events)
    for denied in (lambda: logs.put_log_events(logGroupName="/sluice/x", logStreamName="forbidden", logEvents=events),
                   lambda: logs.get_log_events(logGroupName="/sluice/x", logStreamName="s"),
                   lambda: logs.create_log_group(logGroupName="/sluice/y"), logs.describe_log_groups,
                   lambda: client(aws, "securityhub").get_findings(),
                   lambda: sts(aws).assume_role(RoleArn=ROLE, RoleSessionName="s1")):
        with pytest.raises(ClientError, match="is not authorized to perform") as why:
            denied()
        assert why.value.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied")
    assert sts(aws).get_caller_identity()   # needs no right
    assert len(aws.events()) == 1


# --- TLS ---

@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_tls(tmp_path):
    key, cert = f"{tmp_path}/key.pem", f"{tmp_path}/cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    with Awsd(f"{tmp_path}/aws", certificate=(cert, key)) as aws:
        client(aws, "logs", verify=cert).create_log_group(logGroupName="g")
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED|SSL"):
            client(aws, "logs").create_log_group(logGroupName="h")
        assert list(aws.state()["groups"]) == ["g"]
        aws.fault("reset", when="after")
        with pytest.raises(OSError):
            call(aws, "CreateLogGroup", {"logGroupName": "i"})
        assert list(aws.state()["groups"]) == ["g", "i"]
