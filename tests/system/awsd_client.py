# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Clients for the double's own tests: botocore's, AWS's command line, and one that can sign wrongly."""
import contextlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.session

import awsd
import awsd_sign

LOGS_TYPE, FORM_TYPE, JSON_TYPE = "application/x-amz-json-1.1", "application/x-www-form-urlencoded", "application/json"
# Each command line of AWS that is here, of whatever version.
CLIS = sorted({path for path in (shutil.which("aws"), "/usr/bin/aws") if path and os.path.exists(path)})


def client(aws, service, retries=1, keys=None, verify=None, **config):
    """botocore's. It sends what it is told, however wrong."""
    keys = keys or {"AccessKeyId": awsd.ACCESS, "SecretAccessKey": awsd.SECRET, "Token": None}
    return botocore.session.Session().create_client(
        service, region_name=awsd.REGION, endpoint_url=aws.url, aws_access_key_id=keys["AccessKeyId"], verify=verify,
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["Token"],
        config=botocore.config.Config(retries={"total_max_attempts": retries}, parameter_validation=False, connect_timeout=20,
                                      read_timeout=20, **config))


def cli(path, aws, *words, source="static", **env):
    """What AWS's command line printed, as JSON; raises CalledProcessError."""
    env = {**os.environ, **aws.environment(source), "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1", **env}
    done = subprocess.run([path, "--endpoint-url", aws.url, "--output", "json", *words], capture_output=True, text=True,
                          timeout=120, env=env, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
    return json.loads(done.stdout or "null")


class Request:
    """One request, signed when it is sent: each part can be spoiled before (arguments) or after (then=) the signature is made."""

    def __init__(self, service="logs", body=b"{}", path="/", method="POST", **headers):
        kind = {"logs": LOGS_TYPE, "sts": FORM_TYPE, "securityhub": JSON_TYPE}[service]
        self.service, self.method, self.path, self.body = service, method, path, body
        self.headers = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}

    def sign(self, aws, keys=None, region=awsd.REGION, service=None, shift=0, unsigned=()):
        """shift: seconds that our clock is ahead. unsigned: headers that are sent and not signed."""
        keys = keys or {"AccessKeyId": awsd.ACCESS, "SecretAccessKey": awsd.SECRET, "Token": None}
        self.headers["Host"] = urllib.parse.urlsplit(aws.url).netloc
        self.headers["X-Amz-Date"] = awsd_sign.amz_date(awsd.time.time() + shift)
        if keys["Token"]:
            self.headers["X-Amz-Security-Token"] = keys["Token"]
        request = botocore.awsrequest.AWSRequest(method=self.method, url=aws.url + self.path, data=self.body)
        for name, value in self.headers.items():
            if name not in unsigned:
                request.headers[name.lower()] = value
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        signer = awsd_sign.Signer(botocore.credentials.Credentials(keys["AccessKeyId"], keys["SecretAccessKey"]),
                                  service or self.service, region)
        signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        self.headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
                                         f"SignedHeaders={signer.signed_headers(request.headers)}, Signature={signature}")
        return self

    def send(self, aws, connection=None):
        """(status, headers, body)"""
        with contextlib.ExitStack() as stack:
            connection = connection or stack.enter_context(contextlib.closing(connect(aws)))
            connection.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            if "Transfer-Encoding" not in self.headers:
                connection.putheader("Content-Length", str(len(self.body)))
            connection.endheaders(self.body)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()


def connect(aws, timeout=20):
    where = urllib.parse.urlsplit(aws.url)
    if where.scheme == "https":
        return http.client.HTTPSConnection(where.hostname, where.port, timeout=timeout, context=ssl._create_unverified_context())
    return http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)


def logs_request(operation, asked, **headers):
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return Request("logs", body, X_Amz_Target=f"Logs_20140328.{operation}", **headers)


def call(aws, operation, asked, **headers):
    """Of CloudWatch Logs, signed well: (status, headers, body)."""
    return logs_request(operation, asked, **headers).sign(aws).send(aws)
