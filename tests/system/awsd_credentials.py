# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Where credentials come from: STS, the endpoint of containers (ECS, EKS Pod Identity), and the instance metadata service."""
import hmac
import html
import json
import re
import secrets
import time
import urllib.parse

from awsd_sign import Key
from awsd_wire import STS_NAMESPACE, ApiError, Reply
from imds import ImdsAnswers

ROLE_ARN = r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}"
SESSION_NAME = r"[\w+=,.@-]{2,64}"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ROLES = "/latest/meta-data/iam/security-credentials"


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Keys:
    """Every pair of keys that was ever given out, and which one each source gives out now."""

    def __init__(self, awsd):
        self.awsd, self.by_access, self.current = awsd, {}, {}

    def apply(self, record, _):
        if record["do"] == "key":
            key = Key(**record["key"])
            self.by_access[key.access] = self.current[key.source] = key
        elif record["do"] == "key_ends":
            self.by_access[record["access"]].ends = record["ends"]

    def add(self, **fields):
        self.awsd.commit({"do": "key", "key": fields})
        return self.by_access[fields["access"]]

    def issue(self, source, arn, life):
        """Temporary ones. What is secret in them has the letters that are hard to carry: + / =."""
        ends = self.awsd.now() + life
        return self.add(access="ASIA" + "".join(secrets.choice(LETTERS) for _ in range(16)),
                        secret=secrets.token_urlsafe(24) + "+/" + secrets.token_urlsafe(4),
                        token="IQoJb3JpZ2lu+/" + secrets.token_urlsafe(300) + "//+==", arn=arn, ends=ends, said_ends=ends,
                        source=source)

    def given(self, source, arn):
        """What the source gives out now: as the real ones, new keys 5 minutes before the old ones end, or when they have."""
        key, now = self.current.get(source), self.awsd.now()
        life = self.awsd.settings["credential_life"]
        if key is None or key.ends <= now or key.said_ends - now < min(300, life / 2):
            key = self.issue(source, arn, life)
        return key

    def expire(self, access=None):
        """Ends those keys now, or all temporary ones, though their holders were told of a later end."""
        for key in list(self.by_access.values()):
            if key.access == access or (access is None and key.token):
                self.awsd.commit({"do": "key_ends", "access": key.access, "ends": self.awsd.now() - 1})


class Sts:
    name, protocol = "sts", "query"

    def __init__(self, awsd):
        self.awsd = awsd
        self.ops = {"GetCallerIdentity": self.identity, "AssumeRole": self.assume,
                    "AssumeRoleWithWebIdentity": self.assume_by_web}

    def throttled(self):
        return ApiError("Throttling", "Rate exceeded")

    @staticmethod
    def asked(call):
        """The parameters, from the query or the form; one that comes twice is refused."""
        path, _, query = call.target.partition("?")
        if call.method == "POST" and call.headers.get("Content-Type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise ApiError("InvalidAction", "application/x-www-form-urlencoded expected")
        if path != "/":
            raise ApiError("InvalidAction", f"nothing is at {path}", 404)
        try:
            form = "&".join(part for part in (query, call.body.decode()) if part)
            pairs = urllib.parse.parse_qsl(form, keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError as why:
            raise ApiError("MalformedQueryString", str(why), 404) from None
        if len(dict(pairs)) != len(pairs):
            raise ApiError("MalformedQueryString", "a parameter comes twice", 404)
        return dict(pairs)

    def op_of(self, call):
        try:
            return "sts." + self.asked(call).get("Action", "?")
        except ApiError:
            return "sts.?"

    def run(self, op, call):
        asked = self.asked(call)
        action = asked.get("Action")
        if action not in self.ops or asked.get("Version") != "2011-06-15":
            raise ApiError("InvalidAction", f"Could not find operation {action} for version {asked.get('Version')}")
        result = self.ops[action](asked, call)
        text = (f'<{action}Response xmlns="{STS_NAMESPACE}">\n  <{action}Result>\n{result}  </{action}Result>\n'
                f"  <ResponseMetadata>\n    <RequestId>{call.request_id}</RequestId>\n  </ResponseMetadata>\n</{action}Response>\n")
        return Reply(200, text.encode(), [("Content-Type", "text/xml")])

    def identity(self, _, call):
        return (f"    <Arn>{html.escape(call.key.arn)}</Arn>\n    <UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>\n"
                f"    <Account>{self.awsd.account}</Account>\n")

    def checked(self, asked):
        """(role, session name, life)"""
        role, session, life = asked.get("RoleArn", ""), asked.get("RoleSessionName", ""), asked.get("DurationSeconds", "3600")
        if not 20 <= len(role) <= 2048 or not re.fullmatch(ROLE_ARN, role):
            raise ApiError("ValidationError", f"{role[:64]} is invalid")
        if not re.fullmatch(SESSION_NAME, session):
            raise ApiError("ValidationError", f"1 validation error detected: Value '{session[:80]}' at 'roleSessionName' failed to"
                                              " satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*")
        if not life.isdigit() or not 900 <= int(life) <= 43200:
            raise ApiError("ValidationError", f"1 validation error detected: Value '{life[:20]}' at 'durationSeconds' failed to"
                                              " satisfy constraint: Member must have value between 900 and 43200")
        return role, session, int(life)

    def assumed(self, asked, source):
        role, session, life = self.checked(asked)
        if role not in self.awsd.settings["roles"]:
            raise ApiError("AccessDenied", f"not authorized to perform: sts:{source} on resource: {role}", 403)
        arn = f"arn:{self.awsd.partition}:sts::{role.split(':')[4]}:assumed-role/{role.rsplit('/', 1)[1]}/{session}"
        key = self.awsd.keys.issue(source, arn, min(life, self.awsd.settings["credential_life"]))
        return (f"    <AssumedRoleUser>\n      <AssumedRoleId>AROACLKWSDQRAOEXAMPLE:{session}</AssumedRoleId>\n"
                f"      <Arn>{arn}</Arn>\n    </AssumedRoleUser>\n"
                f"    <Credentials>\n      <AccessKeyId>{key.access}</AccessKeyId>\n"
                f"      <SecretAccessKey>{html.escape(key.secret)}</SecretAccessKey>\n"
                f"      <SessionToken>{html.escape(key.token)}</SessionToken>\n"
                f"      <Expiration>{iso(key.said_ends)}</Expiration>\n    </Credentials>\n")

    def assume(self, asked, call):
        self.awsd.authorize(call, "sts:AssumeRole", asked.get("RoleArn", ""))
        return self.assumed(asked, "AssumeRole")

    def assume_by_web(self, asked, _):
        token = asked.get("WebIdentityToken", "")
        if not 4 <= len(token) <= 20000:
            raise ApiError("ValidationError", "Value at 'webIdentityToken' failed to satisfy constraint")
        if token in self.awsd.settings["old_web_tokens"]:
            raise ApiError("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
        if token not in self.awsd.settings["web_tokens"]:
            raise ApiError("InvalidIdentityToken", "No OpenIDConnect provider found in your account for this token")
        return self.assumed(asked, "AssumeRoleWithWebIdentity")


def as_json(awsd, key):
    return {"AccessKeyId": key.access, "SecretAccessKey": key.secret, "Token": key.token, "Expiration": iso(key.said_ends)}


def container(awsd, call):
    """The agent of ECS, or of EKS Pod Identity, beside the container."""
    def refused(status, code, message):
        return Reply(status, json.dumps({"code": code, "message": message, "HTTPErrorCode": status}).encode(),
                     [("Content-Type", "application/json")], code)
    if call.method != "GET" or call.target not in awsd.settings["container_paths"]:
        return refused(404, "NotFound", "no credentials are here")
    wanted, given = awsd.settings["container_token"], call.headers.get_all("Authorization") or []
    if wanted is not None and not given:
        return refused(400, "MissingToken", "Authorization header is missing")
    if wanted is not None and (len(given) > 1 or not hmac.compare_digest(given[0].encode(), wanted.encode())):
        return refused(403, "AccessDenied", "the token in the Authorization header is not valid")
    key = awsd.keys.given("container", f"arn:{awsd.partition}:sts::{awsd.account}:assumed-role/task/{'0' * 32}")
    return Reply.json({"RoleArn": f"arn:{awsd.partition}:iam::{awsd.account}:role/task", **as_json(awsd, key)}, "application/json")


class RoleImds(ImdsAnswers):
    """The strict double of the metadata service, with a role. Answers become a Reply, so that faults can be put upon them."""

    def __init__(self, awsd):
        super().__init__()
        self.awsd = awsd

    def answer(self, request, status, text="", **headers):
        self.requests.append((request.command, request.path, status))
        request.made = Reply(status, text.encode(), [("Content-Type", "text/plain"), ("Server", "EC2ws")] +
                             [(name.replace("_", "-"), value) for name, value in headers.items()])

    def tree(self, path):
        role, asked = self.awsd.settings["instance_role"], path[len(ROLES) + 1:]
        if path == ROLES:
            return role
        if path.startswith(ROLES + "/"):
            return self.credentials() if role and asked == role else None
        more = {"/latest/meta-data/services/partition": self.awsd.partition, "/latest/meta-data/services/domain": "amazonaws.com"}
        return more.get(path) or super().tree(path)

    def credentials(self):
        role = self.awsd.settings["instance_role"]
        arn = f"arn:{self.awsd.partition}:sts::{self.awsd.account}:assumed-role/{role}/{self.identity['instanceId']}"
        key = self.awsd.keys.given("instance", arn)
        return json.dumps({"Code": "Success", "LastUpdated": iso(self.awsd.now()), "Type": "AWS-HMAC", **as_json(self.awsd, key)},
                          indent=2)
