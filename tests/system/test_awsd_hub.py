# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The double of Security Hub, by real clients: each limit of the Security Finding Format and of the call from both sides."""
import contextlib
import json
import time

import pytest

pytest.importorskip("botocore", reason="python3-botocore is not installed: scripts/deps.sh test")

import awsd
import awsd_hub
from awsd import Awsd
from awsd_client import CLIS, Request, cli, client
from botocore.exceptions import ClientError

PRODUCT = f"arn:aws:securityhub:{awsd.REGION}:{awsd.ACCOUNT}:product/{awsd.ACCOUNT}/default"
RESOURCE = {"Type": "AwsEc2Instance", "Id": f"arn:aws:ec2:{awsd.REGION}:{awsd.ACCOUNT}:instance/i-0123456789abcdef0",
            "Partition": "aws", "Region": awsd.REGION}


def finding(**change):
    made = {"SchemaVersion": "2018-10-08", "Id": "sluice/i-0123/f1", "ProductArn": PRODUCT, "GeneratorId": "sluice/exfil.volume",
            "AwsAccountId": awsd.ACCOUNT, "Types": ["Effects/Data Exfiltration/Sluice"], "CreatedAt": "2026-11-26T10:00:00.123Z",
            "UpdatedAt": "2026-11-26T10:00:00.123Z", "Severity": {"Label": "HIGH"}, "Title": "Tagged data left the VPC",
            "Description": "3 GB that may hold patients left for 203.0.113.7", "Resources": [dict(RESOURCE)], **change}
    return {name: value for name, value in made.items() if value is not None}


@pytest.fixture
def aws(tmp_path):
    with Awsd(f"{tmp_path}/aws", hub_tps=None) as made:
        yield made
        assert not made.crashes


@pytest.fixture
def hub(aws):
    return client(aws, "securityhub")


def send(hub, *findings):
    """{Id: (code, message)} of those that failed."""
    said = hub.batch_import_findings(Findings=list(findings))
    assert said["FailedCount"] == len(said["FailedFindings"]) and said["SuccessCount"] == len(findings) - said["FailedCount"]
    return {failed["Id"]: (failed["ErrorCode"], failed["ErrorMessage"]) for failed in said["FailedFindings"]}


@contextlib.contextmanager
def refused(name, status):
    with pytest.raises(ClientError) as why:
        yield
    assert why.value.response["Error"]["Code"] == name
    assert why.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert why.value.response["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("path", CLIS or [pytest.param(None, marks=pytest.mark.skip("awscli is not installed"))])
def test_command_line(aws, path):
    both = json.dumps([finding(), finding(Id="b", Types=["x"])])
    said = cli(path, aws, "securityhub", "batch-import-findings", "--findings", both)
    assert (said["SuccessCount"], said["FailedCount"], said["FailedFindings"][0]["Id"]) == (1, 1, "b")
    filters = {"Id": [{"Value": "sluice/", "Comparison": "PREFIX"}]}
    got, = cli(path, aws, "securityhub", "get-findings", "--filters", json.dumps(filters))["Findings"]
    assert got == finding()


def test_good(aws, hub):
    assert send(hub, finding(), finding(Id="b", Severity={"Normalized": 70})) == {}
    assert aws.findings() == {"sluice/i-0123/f1": finding(), "b": finding(Id="b", Severity={"Normalized": 70})}
    assert [len(call["good"]) for call in aws.imports()] == [2]


RICH = {"FirstObservedAt": "2026-11-26T09:00:00+01:00", "Confidence": 90, "SourceUrl": "https://example.org/",
        "ProductFields": {"sluice/leak_bound": "3221225472"}, "RecordState": "ACTIVE", "Workflow": {"Status": "NEW"},
        "Process": {"Name": "python3", "Pid": 7, "Path": "/usr/bin/python3"},
        "Network": {"Direction": "OUT", "Protocol": "TCP", "DestinationIpV4": "203.0.113.7", "DestinationPort": 443},
        "FindingProviderFields": {"Severity": {"Label": "HIGH", "Original": "high"}, "Types": ["TTPs/Exfiltration"],
                                  "Confidence": 90},
        "Resources": [{**RESOURCE, "Details": {"Other": {"dataset": "patients"}}}]}


def test_rich(hub):
    assert send(hub, finding(**RICH)) == {}


AT_THE_LIMIT = {
    "Id": {"Id": "x" * 512}, "GeneratorId": {"GeneratorId": "x" * 512}, "Title": {"Title": "ä" * 256},
    "Description": {"Description": "ä" * 1024}, "Types": {"Types": ["TTPs/x"] * 50}, "Resources": {"Resources": [RESOURCE] * 32},
    "fields": {"ProductFields": {("k%03d" % i).ljust(128, "x"): "v" * 2048 for i in range(50)}},
    "other": {"Resources": [{**RESOURCE, "Details": {"Other": {f"k{i}": "v" * 1024 for i in range(50)}}}]},
    "resource": {"Resources": [{"Type": "Other", "Id": "x" * 512}]},
}
OVER = {
    "Id": {"Id": "x" * 513}, "GeneratorId": {"GeneratorId": "x" * 513}, "Title": {"Title": "ä" * 257},
    "Description": {"Description": "ä" * 1025}, "Types": {"Types": ["TTPs/x"] * 51}, "Resources": {"Resources": [RESOURCE] * 33},
    "pairs": {"ProductFields": {f"k{i}": "v" for i in range(51)}}, "key": {"ProductFields": {"k" * 129: "v"}},
    "value": {"ProductFields": {"k": "v" * 2049}}, "no value": {"ProductFields": {"k": ""}},
    "other": {"Resources": [{**RESOURCE, "Details": {"Other": {"k": "v" * 1025}}}]},
    "others": {"Resources": [{**RESOURCE, "Details": {"Other": {f"k{i}": "v" for i in range(51)}}}]},
    "resource": {"Resources": [{"Type": "Other", "Id": "x" * 513}]}, "no resource": {"Resources": []},
    "resource without id": {"Resources": [{"Type": "Other"}]}, "partition": {"Resources": [{**RESOURCE, "Partition": "moon"}]},
    "schema": {"SchemaVersion": "2018-10-09"}, "account": {"AwsAccountId": "12345678901"},
    "time": {"CreatedAt": "2026-11-26 10:00:00"}, "no such day": {"UpdatedAt": "2026-02-30T10:00:00Z"},
    "no zone": {"FirstObservedAt": "2026-11-26T10:00:00"}, "namespace": {"Types": ["Exfiltration/x"]}, "no types": {"Types": []},
    "deep type": {"Types": ["TTPs/a/b/c"]}, "label": {"Severity": {"Label": "high"}}, "no severity": {"Severity": {}},
    "original alone": {"Severity": {"Original": "high"}}, "number": {"Severity": {"Normalized": 101}},
    "provider": {"FindingProviderFields": {"Severity": {"Label": "WORST"}}}, "blank": {"Title": "  "}, "unknown": {"LeakBound": 7},
    "type of a member": {"Confidence": "90"}, "type of a deep one": {"Process": {"Pid": "7"}}, "number as a text": {"Title": 7},
}


@pytest.mark.parametrize("change", AT_THE_LIMIT.values(), ids=AT_THE_LIMIT)
def test_at_the_limit(aws, hub, change):
    assert send(hub, finding(**change)) == {} and len(aws.findings()) == 1


@pytest.mark.parametrize("change", OVER.values(), ids=OVER)
def test_over_the_limit(aws, change):
    made = finding(**change)
    body = json.dumps({"Findings": [made, finding(Id="good")]}).encode()   # botocore would not send all of these
    status, _, said = Request("securityhub", body, "/findings/import").sign(aws).send(aws)
    failed, = json.loads(said)["FailedFindings"]
    assert status == 200 and failed["ErrorCode"] == "InvalidInput" and "Amazon Finding Format" in failed["ErrorMessage"]
    assert list(aws.findings()) == ["good"]


@pytest.mark.parametrize("name", awsd_hub.REQUIRED)
def test_required(aws, hub, name):
    (code, message), = send(hub, finding(**{name: None})).values()
    assert code == "InvalidInput" and f"'{name}'" in message and aws.findings() == {}


def test_required_by_the_model_too():
    assert set(awsd_hub.model().shape_for("AwsSecurityFinding").required_members) == set(awsd_hub.REQUIRED) - {"Severity", "Types"}


def test_another_account_or_product(hub):
    other = "210987654321"
    for change in ({"AwsAccountId": other}, {"ProductArn": PRODUCT.replace(awsd.ACCOUNT, other)},
                   {"ProductArn": PRODUCT.replace(awsd.REGION, "us-east-1")}, {"ProductArn": PRODUCT + "s"}):
        (code, _), = send(hub, finding(**change)).values()
        assert code == "InvalidAccess"


# --- sizes ---

def length(made):
    return len(json.dumps(made, separators=(",", ":")))


def sized(size, name):
    """A finding of exactly so many bytes."""
    made = finding(Id=name, Resources=[])
    while size - length(made) > 2000:
        if not made["Resources"] or len(made["Resources"][-1]["Details"]["Other"]) == 40:
            made["Resources"].append({**RESOURCE, "Details": {"Other": {"first": "v"}}})
        other = made["Resources"][-1]["Details"]["Other"]
        other[f"m{len(other)}"] = "v" * 1000
    for key, share in (("y", 2), ("z", 1)):
        other[key] = "v" * ((size - length(made)) // share - len(',"y":""'))
    assert length(made) == size
    return made


def test_bytes_of_a_finding(aws, hub):
    assert send(hub, sized(240 * 1024, "at")) == {}
    (code, message), = send(hub, sized(240 * 1024 + 1, "over")).values()
    assert code == "InvalidInput" and "245761 bytes" in message
    assert list(aws.findings()) == ["at"]


def test_bytes_of_a_batch(aws):
    body = json.dumps({"Findings": [sized(200 * 1024, f"f{i}") for i in range(30)]}, separators=(",", ":")).encode()
    full = body + b" " * (6 * 1024 * 1024 - len(body))
    assert Request("securityhub", full, "/findings/import").sign(aws).send(aws)[0] == 200
    status, headers, _ = Request("securityhub", full + b" ", "/findings/import").sign(aws).send(aws)
    assert (status, headers["x-amzn-ErrorType"].partition(":")[0]) == (400, "InvalidInputException")
    assert len(aws.imports()) == 1 and len(aws.findings()) == 30


def test_findings_of_a_batch(aws, hub):
    assert send(hub, *(finding(Id=f"f{i}") for i in range(100))) == {}
    for n in (0, 101):
        with refused("InvalidInputException", 400):
            hub.batch_import_findings(Findings=[finding(Id=f"g{i}") for i in range(n)])
    assert len(aws.findings()) == 100


def test_rate(aws, hub):
    aws.set(hub_tps=10)
    codes, since = [], time.monotonic()
    for i in range(60):
        try:
            send(hub, finding(Id=f"f{i}"))
        except ClientError as why:
            assert why.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            codes.append(why.response["Error"]["Code"])
    passed = 60 - len(codes)
    assert 30 <= passed <= 31 + 10 * (time.monotonic() - since) and set(codes) <= {"LimitExceededException"}
    if time.monotonic() - since < 2:
        assert codes


def test_not_enabled(aws, hub):
    aws.set(hub_enabled=False)
    with refused("InvalidAccessException", 401):
        send(hub, finding())


@pytest.mark.parametrize("body, kind, status", ((b"{", "application/json", 400), (b"[]", "application/json", 400),
                                                (b'{"Findings": {}}', "application/json", 400), (b"{}", "application/json", 400),
                                                (b'{"Findings": []}', "text/plain", 415)))
def test_bodies_that_are_none(aws, body, kind, status):
    assert Request("securityhub", body, "/findings/import", Content_Type=kind).sign(aws).send(aws)[0] == status


# --- the same finding again ---

def test_update(aws, hub):
    assert send(hub, finding()) == {}
    newer = finding(UpdatedAt="2026-11-26T10:00:00.124Z", Title="More left")
    assert send(hub, newer) == {} and aws.findings() == {finding()["Id"]: newer}
    for stale in ("2026-11-26T10:00:00.124Z", "2026-11-26T11:00:00.124+01:00", "2026-11-26T10:00:00Z"):
        (code, message), = send(hub, finding(UpdatedAt=stale)).values()
        assert code == "InvalidInput" and "is not after" in message
    assert aws.findings() == {finding()["Id"]: newer} and len(aws.imports()) == 5


def test_update_in_one_batch(aws, hub):
    later = finding(UpdatedAt="2026-11-26T10:00:01Z")
    assert send(hub, finding(), later) == {} and aws.findings() == {finding()["Id"]: later}
    assert len(send(hub, finding(Id="b", UpdatedAt="2026-11-26T10:00:01Z"), finding(Id="b"))) == 1


def test_kept_over_a_restart(aws, hub, tmp_path):
    send(hub, finding())
    with Awsd(f"{tmp_path}/aws", hub_tps=None) as again:
        assert again.findings() == {finding()["Id"]: finding()}
        assert len(send(client(again, "securityhub"), finding())) == 1


# --- faults, and reading ---

def test_failed_on_command(aws, hub):
    aws.fault("fail_findings", ids="*/f2", code="InternalException")
    batch = [finding(Id=f"x/f{i}") for i in range(4)]
    assert list(send(hub, *batch)) == ["x/f2"] and len(aws.findings()) == 3
    assert list(send(hub, batch[2])) == [] and len(aws.findings()) == 4


def test_error_on_command(aws, hub):
    aws.fault("error", error="InternalException", status=500)
    with refused("InternalException", 500):
        send(hub, finding())
    assert aws.findings() == {}


def test_reading(aws, hub):
    send(hub, *(finding(Id=f"f{i:02}", GeneratorId=f"g{i % 2}") for i in range(25)))
    assert len(hub.get_findings()["Findings"]) == 25
    found = hub.get_findings(Filters={"Id": [{"Value": n, "Comparison": "EQUALS"} for n in ("f01", "f02")]})["Findings"]
    assert [f["Id"] for f in found] == ["f01", "f02"]
    pages = list(hub.get_paginator("get_findings").paginate(
        Filters={"GeneratorId": [{"Value": "g0", "Comparison": "EQUALS"}]}, PaginationConfig={"PageSize": 5}))
    assert [len(page["Findings"]) for page in pages] == [5, 5, 3]
    for wrong in ({"MaxResults": 101}, {"Filters": {"Title": [{"Value": "x", "Comparison": "EQUALS"}]}}):
        with refused("InvalidInputException", 400):
            hub.get_findings(**wrong)
