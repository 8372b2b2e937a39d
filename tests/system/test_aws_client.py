# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The AWS client: signatures, endpoints, credentials and their renewal."""
import json
import os
import time

import pytest

pytest.importorskip("botocore", reason="botocore recomputes the signatures (package python3-botocore)")

import botocore.session
from aws_small import (JWT, KEYS, REGION, Reply, Server, certificate, client, credentials, error, instance, keys, knows, on_ec2,
                       profile, serve, sts_json, sts_xml, web_identity)


# --- signatures ----------------------------------------------------------------

@pytest.mark.parametrize("token", ["", "tok+en/with==" + "x" * 900])
@pytest.mark.parametrize("question", [
    {"body": "{}"},
    {"body": ""},
    {"body": json.dumps({"logEvents": [{"message": "é ü \u2603 \U0001f512", "timestamp": 1}]}, ensure_ascii=False)},
    {"fill": 1_300_000},
    {"service": "securityhub", "target": None, "path": "/findings/import", "content_type": "application/json"},
    {"service": "sts", "target": None, "body": "Action=A&B=%2F",
     "content_type": "application/x-www-form-urlencoded; charset=utf-8"},
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
    for env in ({"AWS_ENDPOINT_URL": server.url},
                {"AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": server.url, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
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
    profile(tmp_path, "config", "[default]\nregion = x\naws_session_token = of-other-keys\n[profile three]\ns3 =\n  aws_access_key_id = no\n"
            "aws_access_key_id = AKIDC\naws_secret_access_key = " + "c" * 40 + "\n[profile \"sso one\"]\nsso_session = x\n[profile run]\n"
            "credential_process = /bin/touch " + str(tmp_path / "ran") + "\n[profile mfa]\nrole_arn = r\nsource_profile = two\n"
            "mfa_serial = arn\n[three]\naws_access_key_id = AKIDWRONG\n")
    for name, key in ((None, "AKIDA"), ("two", "AKIDB"), ("three", "AKIDC")):
        r = client(endpoint=server.url, **({"AWS_PROFILE": name} if name else {})).call()
        assert r["outcome"] == "done" and r["credentials"]["source"] == "profile"
        assert server.asked[-1].key == key
    assert [a.headers.get("X-Amz-Security-Token") for a in server.asked] == [None, "tok", None]
    other = tmp_path / "elsewhere"
    other.write_text("[default]\naws_access_key_id=AKIDB\naws_secret_access_key=" + "b" * 40 + "\r\n")
    assert client(endpoint=server.url, AWS_SHARED_CREDENTIALS_FILE=str(other)).call()["outcome"] == "done"
    assert server.asked[-1].key == "AKIDB"
    for name, word in (("sso one", "sso_session is not supported"), ("run", "credential_process is not supported"),
                       ("mfa", "mfa_serial"), ("missing", "in neither"), ("three\x1b[31m", "in neither")):
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
    profile(tmp_path, "config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/of one\nsource_profile = middle\n"
            "external_id = a&b\nduration_seconds = 900\nrole_session_name = me\n[profile middle]\nrole_arn = arn:aws:iam::123456789012:role/two\n"
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
    profile(tmp_path, "credentials", f"[both]\naws_access_key_id = {KEYS[0]}\naws_secret_access_key = {KEYS[1]}\n"
            "role_arn = arn:aws:iam::123456789012:role/two\nsource_profile = both\n[top]\nsource_profile = both\n"
            "role_arn = arn:aws:iam::123456789012:role/one\n")
    for name, role in (("both", "two"), ("top", "one")):   # whose keys are named is not asked for his role
        assert client(endpoint=server.url, AWS_PROFILE=name).call()["outcome"] == "done"
        assert [(a.key, a.form.get("RoleArn", "").rpartition("/")[2]) for a in server.asked[-2:]] == [
            (KEYS[0], role), (credentials(7)["AccessKeyId"], "")]
    assert len(server.asked) == 7
    for name, word in (("loop", "leads on and on"), ("alone", "gives no credentials")):
        r = client(endpoint=server.url, AWS_PROFILE=name).call()
        assert r["outcome"] == "none" and word in r["message"]
    assert len(server.asked) == 7


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
    server = serve(lambda asked: Reply(400, b"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>" + JWT.encode() +
                                            b" is bad"
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


@pytest.mark.parametrize("host", ["127.evil.example", "127.0.0.1.evil.example", "169.254.170.2.example", "169.254.170.24",
                                  "10.0.0.1", "localhost.example", "[fe80::1]", "[fd00:ec2::254]", "user@127.0.0.1", "0177.0.0.1",
                                  "2130706433"])
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
    container = serve(lambda asked: Reply(body=json.dumps(credentials(1, 12)).encode()) if good else Reply(500))
    good = True
    c = client(endpoint=server.url, AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/")
    r = c.call()
    assert r["outcome"] == "done"
    good = False
    time.sleep(r["credentials"]["expiry"] - 1.9 - time.time())
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
        ended = bad or asked.key == credentials(1)["AccessKeyId"]
        return error("com.amazon.coral.service#ExpiredTokenException") if ended else Reply()
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
