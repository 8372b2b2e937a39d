# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The AWS client: signatures, credentials and their renewal, answers of every kind and none, and where secrets must not be."""
import email.utils
import json
import os
import socket
import subprocess
import threading
import time

import pytest

pytest.importorskip("botocore", reason="botocore recomputes the signatures (package python3-botocore)")

import botocore.session

import imds
from aws_small import KEYS, REGION, Client, Reply, Server, credentials, error, expires, keys, sts_json, sts_xml


@pytest.fixture
def serve():
    made = []

    def start(*args, **kw):
        made.append(Server(*args, **kw))
        return made[-1]

    yield start
    for s in made:
        s.close()
        assert s.faults == []


@pytest.fixture
def client(tmp_path):
    made = []

    def start(**kw):
        made.append(Client(tmp_path, **kw))
        return made[-1]

    yield start
    for c in made:
        c.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    d = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", d / "key",
                    "-out", d / "cert"], check=True, capture_output=True)
    return str(d / "cert"), str(d / "key")


def profile(home, name, text):
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / name).write_text(text)


# --- signatures ----------------------------------------------------------------

@pytest.mark.parametrize("token", ["", "tok+en/with==" + "x" * 900])
@pytest.mark.parametrize("question", [
    {"body": "{}"},
    {"body": ""},
    {"body": json.dumps({"logEvents": [{"message": "é ü \u2603 \U0001f512", "timestamp": 1}]}, ensure_ascii=False)},
    {"fill": 1_300_000},
    {"service": "securityhub", "target": None, "path": "/findings/import", "content_type": "application/json"},
    {"service": "sts", "target": None, "content_type": "application/x-www-form-urlencoded; charset=utf-8", "body": "Action=A&B=%2F"},
    {"method": "GET", "path": "/a/b?x=1&a=2&a=1&empty=&flag", "target": None, "body": ""},
    {"method": "PUT", "path": "/a%20b/%C3%A9/c~d/e+f"},
    {"path": "//x/./y/../z/"},
], ids=lambda q: "-".join(q)[:30])
def test_botocore_makes_the_same_signature(serve, client, question, token):
    server = serve()
    server.secrets["AKID2"] = KEYS[1]
    c = client(endpoint=server.url, **keys("AKID2", token=token))
    assert c.call(**question)["outcome"] == "done"
    asked = server.asked[0]
    assert asked.key == "AKID2" and asked.headers.get("X-Amz-Security-Token", "") == token
    if "fill" in question:
        assert len(asked.body) == question["fill"]
    assert {"expect", "transfer-encoding"}.isdisjoint(n.lower() for n in asked.headers)


def test_the_double_sees_a_wrong_signature(client):
    server = Server()
    server.secrets = {KEYS[0]: "another"}
    client(endpoint=server.url, **keys()).call()
    assert server.faults
    server.close()


# --- endpoints -----------------------------------------------------------------

@pytest.mark.parametrize("service", ["logs", "securityhub", "sts"])
@pytest.mark.parametrize("fips, dualstack", [(False, False), (True, False), (False, True), (True, True)])
def test_endpoints_are_botocores(client, service, fips, dualstack):
    from botocore.endpoint_provider import EndpointProvider
    loader = botocore.session.get_session().get_component("data_loader")
    rules = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), loader.load_data("partitions"))
    c = client()
    for region in ("us-east-1", "eu-central-1", "ap-southeast-3", "cn-north-1", "us-gov-east-1", "us-gov-west-1", "us-iso-east-1",
                   "us-isob-east-1"):
        got = c.ask(op="endpoint", service=service, region=region, fips=fips, dualstack=dualstack)["url"]
        try:
            want = rules.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dualstack, **(
                {"UseGlobalEndpoint": False} if service == "sts" else {})).url
        except Exception:
            want = None  # the partition has none
        assert got == want, region


def test_endpoints_by_the_environment(serve, client, tmp_path):
    server = serve()
    for env in ({"AWS_ENDPOINT_URL": server.url}, {"AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": server.url, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
                {"AWS_ENDPOINT_URL_LOGS": server.url + "/"}):
        assert client(**keys(), **env).call()["outcome"] == "done"
    profile(tmp_path, "config", f"[default]\nregion = eu-west-3\nendpoint_url = {server.url}\n")
    c = client(region=None, **keys())
    assert c.call()["outcome"] == "done" and c.ask(op="region")["region"] == "eu-west-3"
    assert server.asked[-1].region == "eu-west-3" and len(server.asked) == 4
    bad = client(**keys(), AWS_ENDPOINT_URL="ftp://x").call()
    assert bad["outcome"] == "refused" and "AWS_ENDPOINT_URL" in bad["message"]


def test_region(client, tmp_path):
    def region(**kw):
        return client(**kw).ask(op="region")["region"]
    assert region(region=None) is None
    assert region(region=None, AWS_DEFAULT_REGION="ap-south-1") == "ap-south-1"
    assert region(region=None, AWS_DEFAULT_REGION="ap-south-1", AWS_REGION="cn-north-1") == "cn-north-1"
    assert region(AWS_REGION="cn-north-1") == REGION
    assert region(region=None, AWS_REGION="../evil") is None
    assert client(region="cn-north-1").ask(op="partition")["partition"] == "aws-cn"
    unknown = client(region=None, **keys()).call()
    assert unknown["outcome"] == "none" and "AWS_REGION" in unknown["message"]


# --- credentials: where they come from ------------------------------------------

def test_environment(serve, client):
    server = serve()
    c = client(endpoint=server.url, **keys(token="tok"))
    assert c.call()["credentials"] == {"source": "environment", "expiry": 0}
    assert server.asked[0].headers["X-Amz-Security-Token"] == "tok"
    half = client(endpoint=server.url, AWS_ACCESS_KEY_ID="AKIDEXAMPLE").call()
    assert half["outcome"] == "none" and "AWS_SECRET_ACCESS_KEY is not" in half["message"] and half["credentials"]["source"] is None
    assert client(endpoint=server.url).call()["outcome"] == "none" and len(server.asked) == 1


def test_profiles(serve, client, tmp_path):
    server = serve()
    server.secrets.update(AKIDA="a" * 40, AKIDB="b" * 40, AKIDC="c" * 40)
    profile(tmp_path, "credentials", "# a comment\n[default]\naws_access_key_id = AKIDA\nAWS_SECRET_ACCESS_KEY=" + "a" * 40 +
            "\n\n[two]\naws_access_key_id: AKIDB\naws_secret_access_key : " + "b" * 40 + "\naws_session_token = tok\n")
    profile(tmp_path, "config", "[default]\nregion = x\n[profile three]\ns3 =\n  aws_access_key_id = no\naws_access_key_id = AKIDC\n"
            "aws_secret_access_key = " + "c" * 40 + "\n[profile \"sso one\"]\nsso_session = x\n[profile run]\n"
            "credential_process = /bin/touch " + str(tmp_path / "ran") + "\n[profile mfa]\nrole_arn = r\nsource_profile = two\n"
            "mfa_serial = arn\n[three]\naws_access_key_id = AKIDWRONG\n")
    for name, key in ((None, "AKIDA"), ("two", "AKIDB"), ("three", "AKIDC")):
        r = client(endpoint=server.url, **({"AWS_PROFILE": name} if name else {})).call()
        assert r["outcome"] == "done" and r["credentials"]["source"] == "profile"
        assert server.asked[-1].key == key
    other = tmp_path / "elsewhere"
    other.write_text("[default]\naws_access_key_id=AKIDB\naws_secret_access_key=" + "b" * 40 + "\r\n")
    assert client(endpoint=server.url, AWS_SHARED_CREDENTIALS_FILE=str(other)).call()["outcome"] == "done"
    assert server.asked[-1].key == "AKIDB"
    for name, word in (("sso one", "sso_session is not supported"), ("run", "credential_process is not supported"), ("mfa", "mfa_serial"),
                       ("missing", "in neither"), ("three\x1b[31m", "in neither")):
        r = client(endpoint=server.url, AWS_PROFILE=name).call()
        assert r["outcome"] == "none" and word in r["message"] and "\x1b" not in r["message"], r
    assert len(server.asked) == 4 and not (tmp_path / "ran").exists()
    os.mkfifo(tmp_path / "fifo")
    r = client(endpoint=server.url, AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "fifo")).call()
    assert r["outcome"] == "none" and "not a regular file" in r["message"]


def test_roles_of_profiles(serve, client, tmp_path):
    def answer(asked):
        if asked.service != "sts":
            return Reply()
        server.secrets[credentials(7)["AccessKeyId"]] = credentials(7)["SecretAccessKey"]
        return Reply(body=sts_xml("AssumeRole", credentials(7)))
    server = serve(answer)
    profile(tmp_path, "credentials", f"[base]\naws_access_key_id = {KEYS[0]}\naws_secret_access_key = {KEYS[1]}\n")
    profile(tmp_path, "config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/of one\nsource_profile = middle\nexternal_id = a&b\n"
            "duration_seconds = 900\nrole_session_name = me\n[profile middle]\nrole_arn = arn:aws:iam::123456789012:role/two\n"
            "source_profile = base\n[profile loop]\nrole_arn = x\nsource_profile = loop2\n[profile loop2]\nrole_arn = x\n"
            "source_profile = loop\n[profile alone]\nrole_arn = x\n[profile env]\nrole_arn = y\ncredential_source = Environment\n")
    r = client(endpoint=server.url).call()
    assert r["outcome"] == "done" and r["credentials"]["source"] == "profile"
    assert 3500 < r["credentials"]["expiry"] - time.time() < 3601
    assert [a.key for a in server.asked] == [KEYS[0], credentials(7)["AccessKeyId"], credentials(7)["AccessKeyId"]]
    first, second = server.asked[0].form, server.asked[1].form
    assert first["RoleArn"].endswith("role/two") and first["RoleSessionName"].startswith("sluice-")
    assert second == {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": "arn:aws:iam::123456789012:role/of one",
                      "RoleSessionName": "me", "ExternalId": "a&b", "DurationSeconds": "900"}
    for name, word in (("loop", "leads on and on"), ("alone", "gives no credentials")):
        r = client(endpoint=server.url, AWS_PROFILE=name).call()
        assert r["outcome"] == "none" and word in r["message"]
    assert len(server.asked) == 3


JWT = "eyJ.one.sig-that-is-long-enough-to-be-found-nowhere-else"


def web_identity(server, tmp_path, **more):
    (tmp_path / "token").write_text(JWT + "\n")
    return {"endpoint": server.url, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod", **more}


@pytest.mark.parametrize("form", ["xml", "json"])
def test_web_identity(serve, client, tmp_path, form):
    def answer(asked):
        if not asked.form:
            return Reply()
        n = sum(1 for a in server.asked if a.form)
        got = credentials(n, 4)
        server.secrets[got["AccessKeyId"]] = got["SecretAccessKey"]
        return Reply(body=sts_xml("AssumeRoleWithWebIdentity", got) if form == "xml" else
                     sts_json("AssumeRoleWithWebIdentity", got, time.time() + 4))
    server = serve(answer)
    c = client(**web_identity(server, tmp_path, AWS_ROLE_SESSION_NAME="pod-1"))
    r = c.call()
    assert r["outcome"] == "done" and r["credentials"]["source"] == "web identity"
    sts = server.asked[0]
    assert sts.method == "POST" and sts.path == "/" and sts.key is None
    assert sts.form == {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "pod-1",
                        "RoleArn": "arn:aws:iam::123456789012:role/pod", "WebIdentityToken": JWT}
    assert c.call()["outcome"] == "done" and len(server.asked) == 3
    (tmp_path / "token").write_text("eyJ.two.sig")  # as the kubelet does
    time.sleep(3.2)
    assert c.call()["outcome"] == "done"
    assert [a.form.get("WebIdentityToken") for a in server.asked] == [JWT, None, None, "eyJ.two.sig", None]
    assert server.asked[-1].key == credentials(2)["AccessKeyId"]


def test_an_interface_endpoint_is_one_services(serve, client, tmp_path):
    """What is for STS does not go to CloudWatch's address."""
    server = serve(lambda asked: error("AccessDenied"))
    r = client(**web_identity(server, tmp_path, endpoint="https://vpce-1-2.logs.eu-central-1.vpce.amazonaws.com",
                              AWS_ENDPOINT_URL_STS=server.url)).call()
    assert r["outcome"] == "none" and [a.form["Action"] for a in server.asked] == ["AssumeRoleWithWebIdentity"]


def test_web_identity_that_fails_is_nobody_elses(serve, client, tmp_path):
    server = serve(lambda asked: Reply(400, b"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>" + JWT.encode() + b" is bad"
                                            b"</Message></Error></ErrorResponse>"))
    container = serve(lambda asked: Reply(body=json.dumps(credentials(1)).encode()))
    c = client(**web_identity(server, tmp_path, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/c"))
    r = c.call()
    assert r["outcome"] == "none" and "InvalidIdentityToken" in r["message"] and "eyJ" not in json.dumps(r)
    assert not container.asked and len(server.asked) == 1
    assert c.call()["outcome"] == "none" and len(server.asked) == 1  # not asked again at once
    (tmp_path / "token").unlink()
    time.sleep(2.1)
    r = c.call()
    assert r["outcome"] == "none" and "No such file" in r["message"] and not container.asked


def test_container(serve, client, tmp_path):
    server = serve()

    def answer(asked):
        got = credentials(len(container.asked), 4)
        server.secrets[got["AccessKeyId"]] = got["SecretAccessKey"]
        return Reply(body=json.dumps(got).encode(), request_id=None)
    container = serve(answer)
    (tmp_path / "token").write_text("Bearer one\n")
    c = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/v1/credentials?x=1",
               AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"), AWS_CONTAINER_AUTHORIZATION_TOKEN="not this one")
    r = c.call()
    assert r["outcome"] == "done" and r["credentials"]["source"] == "container"
    (tmp_path / "token").write_text("Bearer two\r\n")
    time.sleep(3.2)
    assert c.call()["outcome"] == "done"
    assert [(a.method, a.path, a.headers["Authorization"]) for a in container.asked] == [
        ("GET", "/v1/credentials?x=1", "Bearer one"), ("GET", "/v1/credentials?x=1", "Bearer two")]
    assert client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://localhost:{container.port}/",
                  AWS_CONTAINER_AUTHORIZATION_TOKEN="as it is ").call()["outcome"] == "done"
    assert container.asked[-1].headers["Authorization"] == "as it is"


@pytest.mark.parametrize("host", ["127.evil.example", "127.0.0.1.evil.example", "169.254.170.2.example", "169.254.170.24", "10.0.0.1",
                                  "localhost.example", "[fe80::1]", "[fd00:ec2::254]", "user@127.0.0.1", "0177.0.0.1", "2130706433"])
def test_no_credentials_in_the_clear_from(client, serve, host):
    server = serve()
    r = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{host}:{server.port}/secret-path").call()
    assert r["outcome"] == "none" and r["ns"] < 1e9 and not server.asked
    assert ("may not be asked" in r["message"] or "no URL" in r["message"]) and "secret-path" not in r["message"]


def test_container_over_tls(client, serve, certificate):
    server = serve()
    server.secrets[credentials(3)["AccessKeyId"]] = credentials(3)["SecretAccessKey"]
    container = serve(lambda asked: Reply(body=json.dumps(credentials(3)).encode()), tls=certificate)
    env = {"endpoint": server.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": container.url + "/c"}
    assert client(**env, AWS_CA_BUNDLE=certificate[0]).call()["outcome"] == "done"
    assert len(container.asked) == 1
    r = client(**env).call()
    assert r["outcome"] == "none" and "certificate" in r["message"].lower() and len(container.asked) == 1


class Instance(imds.Imds):
    """The metadata service of an instance with a role."""
    life, made, outage = 3600, 0, False

    def tree(self, path):
        base = "/latest/meta-data/iam/security-credentials"
        if path == base:
            return "the.role-1"
        if path == base + "/the.role-1":
            self.made += not self.outage
            return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": expires(0), **credentials(self.made, self.life)})
        return super().tree(path)


@pytest.fixture
def instance():
    i = Instance()
    yield i
    i.close()
    assert i.faults == []


def on_ec2(instance, **env):
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": instance.url, "AWS_EC2_METADATA_DISABLED": "false", **env}


def knows(server):
    server.secrets.update({credentials(n)["AccessKeyId"]: credentials(n)["SecretAccessKey"] for n in range(9)})
    return server


def test_instance(serve, client, instance):
    server = knows(serve())
    c = client(region=None, endpoint=server.url, **on_ec2(instance))
    r = c.call()
    assert r["outcome"] == "done" and r["credentials"]["source"] == "instance"
    assert server.asked[0].region == "eu-central-1" and server.asked[0].key == credentials(1)["AccessKeyId"]
    assert c.call()["outcome"] == "done" and instance.made == 1
    off = client(endpoint=server.url, **on_ec2(instance, AWS_EC2_METADATA_DISABLED="TRUE")).call()
    assert off["outcome"] == "none" and "AWS_EC2_METADATA_DISABLED" in off["message"]


def test_instance_that_cannot(serve, client, instance, tmp_path):
    server = serve()
    for mode, word in (("refused", "switched off"), ("garbage", "makes no sense"), ("hop-limit", "hop limit")):
        instance.mode = mode
        r = client(endpoint=server.url, **on_ec2(instance)).call()
        assert r["outcome"] == "none" and word in r["message"], r
    instance.mode, instance.tree = "ok", lambda path: None
    assert "no role" in client(endpoint=server.url, **on_ec2(instance)).call()["message"]
    instance.tree = lambda path: "../../x" if path.endswith("credentials") else None
    assert "makes no sense" in client(endpoint=server.url, **on_ec2(instance)).call()["message"]
    instance.tree = lambda path: "r" if path.endswith("credentials") else '{"Code":"AssumeRoleUnauthorizedAccess","Message":"m"}'
    assert "cannot give" in client(endpoint=server.url, **on_ec2(instance)).call()["message"]
    assert not server.asked


# --- credentials: renewal --------------------------------------------------------

def test_old_ones_serve_while_renewal_fails(serve, client):
    server = knows(serve())
    container = serve(lambda asked: Reply(body=json.dumps(credentials(1, 8)).encode()) if good else Reply(500))
    good = True
    c = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/")
    assert c.call()["outcome"] == "done"
    good = False
    time.sleep(6.5)
    r = c.call()
    assert r["outcome"] == "done" and len(container.asked) == 2
    assert c.call()["outcome"] == "done" and len(container.asked) == 2  # not at each call
    time.sleep(2)
    r = c.call()
    assert r["outcome"] == "none" and "status 500" in r["message"] and r["credentials"]["source"] is None
    good = True
    time.sleep(4.1)
    assert c.call()["outcome"] == "done"


def test_ended_ones_of_an_instance_serve_on(serve, client, instance):
    """While the metadata service cannot give new ones it gives those that ended, and AWS takes them."""
    instance.life, instance.outage, instance.made = -60, True, 1
    server = knows(serve())
    c = client(endpoint=server.url, **on_ec2(instance))
    assert c.call()["outcome"] == "done" and c.call()["outcome"] == "done"
    assert sum(p.endswith("role-1") for _, p, _ in instance.requests) == 1


def test_an_end_that_is_not_told(serve, client):
    server = knows(serve())
    for end in ({"Expiration": None}, {"Expiration": "tomorrow"}, {"Expiration": ""}):
        container = serve(lambda asked, end=end: Reply(body=json.dumps({**credentials(1), **end}).encode()))
        c = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/")
        for _ in range(3):
            r = c.call()
            assert r["outcome"] == "done" and r["credentials"]["expiry"] == 0
        assert len(container.asked) == 1


def test_refused_ones_are_renewed_once(serve, client):
    def answer(asked):
        return error("com.amazon.coral.service#ExpiredTokenException") if asked.key == credentials(1)["AccessKeyId"] or bad else Reply()
    bad = False
    server = knows(serve(answer))
    container = serve(lambda asked: Reply(body=json.dumps(credentials(len(container.asked))).encode()))
    c = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/")
    r = c.call()
    assert r["outcome"] == "done" and [a.key[-1] for a in server.asked] == ["1", "2"]
    bad = True
    r = c.call()
    assert r["outcome"] == "denied" and r["error"] == "ExpiredTokenException" and len(container.asked) == 2  # once a minute
    assert c.call()["outcome"] == "denied" and len(server.asked) == 4


# --- the clock ---------------------------------------------------------------------

@pytest.mark.parametrize("name, status", [("InvalidSignatureException", 400), ("RequestTimeTooSkewed", 403), ("RequestExpired", 400),
                                          ("SignatureDoesNotMatch", 403)])
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
    (Reply(503, b""), "again", False),
    (error("ServiceUnavailableException", 503), "again", False),
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
    if outcome not in ("denied",):
        assert len(server.asked) == 1


def test_late_answers_and_stopping(serve, client):
    server = serve(lambda asked: Reply(how="silent"))
    r = client(endpoint=server.url, **keys()).call(timeout_ms=300)
    assert (r["outcome"], r["maybe_done"], r["status"]) == ("again", True, 0) and r["ns"] < 2e9
    c = client(endpoint=server.url, **keys())
    c.ask(op="stop-in", ms=200)
    r = c.call()
    assert r["text"] == os.strerror(125) and r["ns"] < 1e9  # ECANCELED


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
    profile(tmp_path, "credentials", "[default]\naws_access_key_id = AKIDA\naws_secret_access_key = " + credentials(5)["SecretAccessKey"] + "\n")
    server.secrets["AKIDA"] = credentials(5)["SecretAccessKey"]
    none = {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
    for kind, number, env in (("container", 1, {**none, "AWS_CONTAINER_CREDENTIALS_FULL_URI": container.url + "/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": BEARER}),
                              ("web identity", 2, {**none, **web_identity(server, tmp_path)}),
                              ("instance", 1, {**none, **on_ec2(instance)}),
                              ("profile", 5, {}), ("environment", 4, keys(*[credentials(4)[k] for k in ("AccessKeyId", "SecretAccessKey", "Token")]))):
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


def test_messages_hold_no_secret(serve, client):
    token = "tok+" + "q" * 50 + "/" + "abcdefghijklmnopqrstuvwxyz0123456789" * 3
    said = f"The Canonical String for this request should have been\n'POST\n/\n\nhost:x\nx-amz-security-token:{token}\n' not {KEYS[1]}"
    server = serve(lambda asked: error("InvalidSignatureException", message=said))
    r = client(endpoint=server.url, **keys(token=token)).call()
    text = json.dumps(r)
    assert r["outcome"] == "denied" and "Canonical String" in r["message"]
    for secret in (token, KEYS[1]):
        assert not any(secret[i:i + 12] in text for i in range(len(secret) - 11))
    server.answer = lambda asked: error("Bad\x1b[31m", message="a\x1b]0;x\x07b\u202e")
    assert "\x1b" not in json.dumps(client(endpoint=server.url, **keys()).call(), ensure_ascii=False)
