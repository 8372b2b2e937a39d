# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Signature version 4, checked as AWS checks it: recomputed by botocore from the request as it came over the wire."""
import calendar
import dataclasses
import email.utils
import hashlib
import hmac
import re
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials

SKEW = 300   # seconds that a signer's clock may be off

# What is wrong -> its name in the JSON protocols, its name in the query protocol (STS)
NAMES = {
    "missing": ("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    "incomplete": ("IncompleteSignatureException", "IncompleteSignature"),
    "unknown": ("UnrecognizedClientException", "InvalidClientTokenId"),
    "expired": ("ExpiredTokenException", "ExpiredToken"),
    "wrong": ("InvalidSignatureException", "SignatureDoesNotMatch"),
}
MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and"
            " signing method. Consult the service documentation for details.")
INVALID_TOKEN = "The security token included in the request is invalid."


class Refused(Exception):
    """what: a key of NAMES."""

    def __init__(self, what, message):
        super().__init__(message)
        self.what, self.message = what, message


@dataclasses.dataclass
class Key:
    """One pair of keys as AWS knows it. token: None for long-lived ones. ends: seconds since 1970, as AWS judges; said_ends: as
    its holder was told. None: never."""
    access: str
    secret: str
    arn: str
    token: str = None
    ends: float = None
    said_ends: float = None
    source: str = "static"


class Signer(botocore.auth.SigV4Auth):
    """botocore's own, over exactly those headers that the request names as signed."""

    def headers_to_sign(self, request):
        return request.headers


def amz_date(seconds):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def parse_date(call):
    given = call.headers.get("X-Amz-Date")
    if given is None:
        given = call.headers.get("Date")
        parsed = email.utils.parsedate(given) if given else None
        if parsed is None:
            raise Refused("incomplete", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        return float(calendar.timegm(parsed))
    if not re.fullmatch(r"\d{8}T\d{6}Z", given):
        raise Refused("incomplete", f"Date must be in ISO-8601 'basic format'. Got '{given}'.")
    return float(calendar.timegm(time.strptime(given, "%Y%m%dT%H%M%SZ")))


def parse_authorization(value):
    """{"Credential": ..., "SignedHeaders": ..., "Signature": ...}"""
    scheme, _, rest = value.partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        raise Refused("incomplete", f"Unsupported AWS 'algorithm': '{scheme}'.")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not parts.get(name):
            raise Refused("incomplete", f"Authorization header requires '{name}' parameter. Authorization={value}")
    return parts


def check_clock(signed, now):
    if signed < now - SKEW:
        raise Refused("wrong", f"Signature expired: {amz_date(signed)} is now earlier than {amz_date(now - SKEW)}"
                               f" ({amz_date(now)} - 5 min.)")
    if signed > now + SKEW:
        raise Refused("wrong", f"Signature not yet current: {amz_date(signed)} is still later than {amz_date(now + SKEW)}"
                               f" ({amz_date(now)} + 5 min.)")


def check_scope(scope, service, region, signed):
    day, its_region, its_service, last = scope
    if its_service != service:
        raise Refused("wrong", f"Credential should be scoped to correct service: '{service}'.")
    if its_region != region:
        raise Refused("wrong", f"Credential should be scoped to a valid region, not '{its_region}'.")
    if last != "aws4_request":
        raise Refused("wrong", f"Credential should be scoped with a valid terminator: 'aws4_request', not '{last}'.")
    if day != amz_date(signed)[:8]:
        raise Refused("wrong", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                               f"'{day}' != '{amz_date(signed)[:8]}', from '{amz_date(signed)}'.")


def check_key(keys, access, token, now):
    key = keys.get(access)
    if key is None:
        raise Refused("unknown", INVALID_TOKEN)
    if (token or None) != key.token:
        raise Refused("unknown", INVALID_TOKEN)
    if key.ends is not None and now >= key.ends:
        raise Refused("expired", "The security token included in the request is expired")
    return key


def check_signed_headers(call, signed):
    """Host, the type of the body, and all that AWS reads."""
    present = {name.lower() for name in call.headers.keys()}
    must = {"host"} | {name for name in present if name == "content-type" or name.startswith("x-amz-")}
    for name in sorted(must - set(signed)):
        raise Refused("wrong", f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    for name in sorted(set(signed) - present):
        raise Refused("wrong", f"{MISMATCH} ('{name}' is signed and was not sent)")


def check_payload(call):
    given = call.headers.get("X-Amz-Content-SHA256")
    if given is not None and given != hashlib.sha256(call.body).hexdigest():
        raise Refused("wrong", "The value of x-amz-content-sha256 does not match the body.")


def recompute(call, key, signed_headers, when, region, service):
    request = botocore.awsrequest.AWSRequest(method=call.method, url=f"http://{call.headers['Host']}{call.target}", data=call.body)
    for name, value in call.headers.items():
        if name.lower() in signed_headers:
            request.headers[name.lower()] = value
    request.context["timestamp"] = amz_date(when)
    request.context["payload_signing_enabled"] = True
    signer = Signer(botocore.credentials.Credentials(key.access, key.secret, key.token), service, region)
    canonical = signer.canonical_request(request)
    return signer.signature(signer.string_to_sign(request, canonical), request), canonical


def verify(call, keys, service, region, now):
    """The Key that signed, else raises Refused. call: .method, .target (path and query as sent), .headers, .body."""
    given = call.headers.get_all("Authorization") or []
    if not given:
        raise Refused("missing", "Missing Authentication Token")
    if len(given) > 1:
        raise Refused("incomplete", "Authorization header must be given once.")
    parts = parse_authorization(given[0])
    access, *scope = parts["Credential"].split("/")
    if len(scope) != 4:
        raise Refused("incomplete", "Credential must have exactly 5 slash-delimited elements, e.g."
                                    f" keyid/date/region/service/term, got '{parts['Credential']}'")
    signed = parse_date(call)
    check_clock(signed, now)
    check_scope(scope, service, region, signed)
    key = check_key(keys, access, call.headers.get("X-Amz-Security-Token"), now)
    names = parts["SignedHeaders"].split(";")
    if names != sorted({name.lower() for name in names}):
        raise Refused("wrong", MISMATCH + " (SignedHeaders are not in order, or not in lower case)")
    check_signed_headers(call, names)
    check_payload(call)
    signature, canonical = recompute(call, key, names, signed, region, service)
    if not hmac.compare_digest(signature, parts["Signature"]):
        raise Refused("wrong", f"{MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'")
    return key
