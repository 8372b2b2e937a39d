# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""scripts/aws/sluice.yaml, carried out as far as that goes without an account: references, rights, patterns, queries."""
import itertools
import json
import os
import re
import shutil
import subprocess
import time

import pytest

botocore_loaders = pytest.importorskip("botocore.loaders", reason="python3-botocore is not installed: scripts/deps.sh test")
pytest.importorskip("yaml", reason="python3-yaml is not installed: scripts/deps.sh test")

import awsd
import awsd_logs
import cfn
from awsd import Awsd
from awsd_client import client
from botocore.exceptions import ClientError
from where import ROOT

PATH = os.path.join(ROOT, "scripts/aws/sluice.yaml")
SOURCE = cfn.load(PATH)
TOPIC, KEY = "arn:aws:sns:eu-central-1:123456789012:security", "arn:aws:kms:eu-central-1:123456789012:key/0a1b-2c3d"
ALL = {"AlarmTopicArn": TOPIC, "AllowSecurityHub": "yes"}
NONE = {"KmsKeyArn": KEY, "CreateRole": "no"}
# Of the exporter: metric -> dimensions, beside which each is also there by Node.
METRICS = {"BytesRead": "Dataset,Job", "TaintedBytesOut": "Dataset,Job,DestinationClass", "LeakBound": "Dataset",
           "Findings": "Severity", "RecordsDropped": "", "ExportLagSeconds": "", "Gaps": ""}
SEVERITIES = ("info", "low", "medium", "high", "critical")

# One record of each type, as they are (test_samples_are_as_records_are). `exporter` is the exporter's own.
HEAD = {"v": 1, "time": "2026-11-26T19:48:54.909Z", "seq": 7,
        "host": {"name": "vm", "boot_id": "2a40fde0", "instance_id": None, "account": None, "region": None}}
PROCESS = {"pid": 29672, "start": "2026-11-26T19:48:54.283Z", "exe": "/usr/bin/python3.11", "comm": "python3", "uid": 0,
           "parent": {"pid": 29180, "start": None}}
REMOTE = {"addr": "203.0.113.9", "port": 443, "class": "internet", "name": None, "bucket": None}
SAMPLES = {
    "access": {**HEAD, "type": "access", "job": "slurm:1", "process": PROCESS, "dataset": "patients", "tags": {"DataType": "PII"},
               "bytes": {"read": 3000017, "mmap": 0, "device": 0, "asked": 0}, "ops": 1, "files": 1, "exact": True},
    "flow": {**HEAD, "type": "flow", "process": PROCESS, "job": "slurm:1", "proto": "udp", "local": None, "remote": REMOTE,
             "bytes_out": 9000, "bytes_in": 0, "tainted_out": 9000, "datasets": ["patients"], "encrypted": None},
    "finding": {**HEAD, "type": "finding", "id": "f-a1e6", "rule": "exfil.volume", "severity": "high", "title": "t",
                "dataset": "patients", "leak_bound": 9000, "exposed": 3000017, "process": PROCESS, "job": "slurm:1",
                "remote": REMOTE, "chain": [{"from": "dataset patients", "to": "process", "via": "read", "bytes": 3000017}],
                "coverage": [], "mitre": ["T1041"], "first": "", "last": "", "count": 1, "action": "alerted"},
    "health": {**HEAD, "type": "health", "backend": "tracepoint", "owners": [], "gaps": ["read.mmap_pages: no"], "limits": []},
    "policy": {**HEAD, "type": "policy", "digest": "fcdc", "file": "/etc/sluice/sluice.yaml", "datasets": ["patients"],
               "inactive": []},
    "exporter": {**HEAD, "type": "exporter", "batch": 7, "dropped": {"gone": 3}, "dropped_ever": {"gone": 3}, "why": None},
}


def stack(**parameters):
    return cfn.carry_out(SOURCE, parameters, name="sluice", region=awsd.REGION, account=awsd.ACCOUNT)


def of_type(made, kind):
    return {name: r["Properties"] for name, r in made["Resources"].items() if r["Type"] == kind}


# --- the template ---

def test_cfn_lint():
    if not shutil.which("cfn-lint"):
        pytest.skip("cfn-lint is not installed")
    done = subprocess.run(["cfn-lint", "--include-checks", "I", "--", PATH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


CHOICES = {"AlarmTopicArn": ("", TOPIC), "KmsKeyArn": ("", KEY), "CreateRole": ("yes", "no"), "AllowSecurityHub": ("yes", "no"),
           "TrustedService": ("ec2.amazonaws.com", "pods.eks.amazonaws.com")}


@pytest.mark.parametrize("parameters", [dict(zip(CHOICES, values)) for values in itertools.product(*CHOICES.values())])
def test_every_way_of_deploying(parameters):
    made = stack(**parameters)   # every reference is resolved, or raises
    cfn.check_resources(made)
    kinds = [r["Type"] for r in made["Resources"].values()]
    role, ec2 = parameters["CreateRole"] == "yes", parameters["TrustedService"] == "ec2.amazonaws.com"
    assert ("AWS::KMS::Key" in kinds) == (parameters["KmsKeyArn"] == "")
    assert ("AWS::IAM::Role" in kinds) == role and ("AWS::IAM::InstanceProfile" in kinds) == (role and ec2)
    assert ("HostProfileName" in made["Outputs"]) == (role and ec2)
    for alarm in of_type(made, "AWS::CloudWatch::Alarm").values():
        assert alarm.get("AlarmActions") == ([TOPIC] if parameters["AlarmTopicArn"] else None)


def test_what_deploy_can_carry():
    assert os.path.getsize(PATH) < 51_200   # more needs a bucket
    assert len(SOURCE["Resources"]) <= 500 and len(SOURCE["Parameters"]) <= 200 and len(SOURCE["Outputs"]) <= 200


@pytest.mark.parametrize("wrong", ({"LogGroupName": "aws/x"}, {"LogGroupName": "a b"}, {"LogGroupName": "/sluice/{instance_id}"},
                                   {"LogGroupName": "x" * 513}, {"RetentionDays": 31}, {"MetricNamespace": "AWS/x"},
                                   {"MetricNamespace": "a'b"}, {"MetricNamespace": ""}, {"AlarmTopicArn": "security"},
                                   {"AlarmTopicArn": TOPIC + ".fifo"}, {"KmsKeyArn": "alias/x"}, {"Hosts": 0},
                                   {"CreateRole": "true"}, {"TrustedService": "*"}, {"Hosts": "many"}, {"NoSuch": "x"}))
def test_parameters_that_are_refused(wrong):
    with pytest.raises(ValueError):
        stack(**wrong)


def test_retention_as_logs_takes_it():
    assert tuple(SOURCE["Parameters"]["RetentionDays"]["AllowedValues"]) == awsd_logs.RETENTIONS


def test_the_record_outlives_the_stack():
    for name in ("Records", "LogKey"):
        assert {SOURCE["Resources"][name][p] for p in ("DeletionPolicy", "UpdateReplacePolicy")} == {"Retain"}


def test_the_readme_tells_of_each_parameter():
    text = open(os.path.join(ROOT, "scripts/aws/README.md")).read()
    for name, about in SOURCE["Parameters"].items():
        default = str(about["Default"])
        assert re.search(rf"^\| `{name}` \| `?{re.escape(default)}`?\s*\|", text, re.M), name
    command = re.search(r"--parameter-overrides (.*)", text)[1]
    stack(**dict(word.split("=", 1) for word in command.split()))
    shown = {alarm["AlarmName"].removeprefix("sluice-") for alarm in of_type(stack(), "AWS::CloudWatch::Alarm").values()}
    assert {name for name in shown if "." not in name and f"| `{name}` |" not in text} == set()


# --- rights ---

def statements(made):
    return of_type(made, "AWS::IAM::ManagedPolicy")["HostPolicy"]["PolicyDocument"]["Statement"]


def test_actions_are_real():
    loader = botocore_loaders.Loader()
    made = stack(**ALL)
    policies = statements(made) + of_type(made, "AWS::KMS::Key")["LogKey"]["KeyPolicy"]["Statement"]
    actions = {a for s in policies for a in cfn.as_list(s["Action"])}
    for action in actions - {"kms:*", "kms:ReEncryptFrom", "kms:ReEncryptTo"}:   # these are of rights alone
        service, _, operation = action.partition(":")
        assert operation in loader.load_service_model(service, "service-2")["operations"], action


def test_nothing_more_than_needed():
    allowed = {a for s in statements(stack(**ALL)) for a in cfn.as_list(s["Action"])}
    logs = {"logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents"}
    assert allowed == logs | {"securityhub:BatchImportFindings"}
    assert {a for s in statements(stack()) for a in cfn.as_list(s["Action"])} == logs
    group = f"arn:aws:logs:{awsd.REGION}:{awsd.ACCOUNT}:log-group:/sluice/hosts"
    hub = f"arn:aws:securityhub:{awsd.REGION}:{awsd.ACCOUNT}:product/{awsd.ACCOUNT}/default"
    for resource in (r for s in statements(stack(**ALL)) for r in cfn.as_list(s["Resource"])):
        assert resource in (group, group + ":*", group + ":log-stream:*", hub)
    assert {s["Effect"] for s in statements(stack(**ALL))} == {"Allow"}


@pytest.mark.parametrize("group", ("/sluice/hosts", "a"))
def test_rights_at_work(tmp_path, group):
    """Real clients against the double, which enforces the policy: what a host does it may, and nothing beside."""
    names = {"logGroupName": group, "logStreamName": "s"}
    events = [{"timestamp": int(time.time() * 1000), "message": "m"}]
    with Awsd(f"{tmp_path}/aws") as aws:
        logs, hub = client(aws, "logs"), client(aws, "securityhub")
        logs.create_log_group(logGroupName=group)   # the stack's
        aws.set(policy=statements(stack(LogGroupName=group, **ALL)))
        logs.create_log_stream(**names)
        logs.put_log_events(**names, logEvents=events)
        assert len(logs.get_log_events(**names)["events"]) == 1
        client(aws, "sts").get_caller_identity()
        product = f"arn:aws:securityhub:{awsd.REGION}:{awsd.ACCOUNT}:product/{awsd.ACCOUNT}/default"
        assert hub.batch_import_findings(Findings=[{"Id": "x", "ProductArn": product}])["FailedCount"] == 1   # heard, not denied
        more = {"logGroupName": group + "x", "logStreamName": "s"}
        for denied in (logs.describe_log_groups, lambda: logs.delete_log_group(logGroupName=group),
                       lambda: logs.delete_log_stream(**names), lambda: logs.delete_retention_policy(logGroupName=group),
                       lambda: logs.describe_log_streams(logGroupName=group),
                       lambda: logs.create_log_group(logGroupName=group), lambda: logs.create_log_group(logGroupName=group + "x"),
                       lambda: logs.put_retention_policy(logGroupName=group, retentionInDays=1),
                       lambda: logs.put_log_events(**more, logEvents=events), lambda: logs.get_log_events(**more),
                       hub.get_findings,
                       lambda: hub.batch_import_findings(Findings=[{"Id": "x", "ProductArn": product[:-7] + "x"}])):
            with pytest.raises(ClientError, match="is not authorized"):
                denied()


def test_the_key_is_for_this_group_alone():
    account, logs = of_type(stack(), "AWS::KMS::Key")["LogKey"]["KeyPolicy"]["Statement"]
    assert account["Principal"] == {"AWS": f"arn:aws:iam::{awsd.ACCOUNT}:root"}
    assert logs["Principal"] == {"Service": f"logs.{awsd.REGION}.amazonaws.com"}
    assert logs["Condition"] == {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn":
                                               f"arn:aws:logs:{awsd.REGION}:{awsd.ACCOUNT}:log-group:/sluice/hosts"}}


# --- filters and alarms ---

def rules():
    text = open(os.path.join(ROOT, "user/policy/finding.c")).read()
    return set(re.findall(r'\[RULE_[A-Z0-9_]+\] = \{"([a-z0-9.-]+)"', text))


def filters():
    """metric -> test of a record"""
    return {f["MetricTransformations"][0]["MetricName"]: cfn.pattern(f["FilterPattern"])
            for f in of_type(stack(), "AWS::Logs::MetricFilter").values()}


def test_a_filter_for_each_rule():
    assert len(rules()) >= 11
    told = {name.removeprefix("High.") for name in filters() if name.startswith("High.")}
    assert told == rules() - {"egress.unexpected"} | {"monitor.tamper"}


def test_each_pattern_matches_its_records_and_no_other():
    for rule in rules() | {"monitor.tamper", "exfil.volumes", "exfil-volume"}:
        for severity in SEVERITIES:
            record = {**SAMPLES["finding"], "rule": rule, "severity": severity}
            hit = {name for name, matches in filters().items() if matches(record)}
            high = severity in ("high", "critical") and f"High.{rule}" in filters()
            assert hit == ({f"High.{rule}"} if high else set()), (rule, severity)
    for kind, record in SAMPLES.items():
        if kind != "finding":
            hit = {name for name, matches in filters().items() if matches({**record, "rule": "exfil.volume", "severity": "high"})}
            assert hit == ({"HealthRecords"} if kind == "health" else set())


def test_every_alarm_has_its_metric():
    made = stack(**ALL)
    known = set(filters()) | set(METRICS)
    alarms = of_type(made, "AWS::CloudWatch::Alarm")
    watched = set()
    for alarm in alarms.values():
        stats = [m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m] or [alarm]
        for stat in stats:
            assert stat["MetricName"] in known and stat["Namespace"] == "Sluice" and not stat.get("Dimensions")
            watched.add(stat["MetricName"])
    assert set(filters()) <= watched
    for made_by in of_type(made, "AWS::Logs::MetricFilter").values():
        assert made_by["MetricTransformations"][0]["MetricNamespace"] == "Sluice"
    assert of_type(made, "AWS::CloudWatch::Alarm")["SilenceAlarm"]["TreatMissingData"] == "breaching"
    assert "16 - FILL(said, 0) / 5" in json.dumps(of_type(stack(Hosts=16), "AWS::CloudWatch::Alarm")["HostsAlarm"])


def test_alarms_look_back_as_far_as_records_are_late():
    """What is measured counts at its own time, not when it comes: an alarm on the newest minute alone misses what is late."""
    alarms = of_type(stack(), "AWS::CloudWatch::Alarm")
    late = alarms["LagAlarm"]["Threshold"]
    back = {name: a["Period"] * a["EvaluationPeriods"] for name, a in alarms.items() if "Period" in a}
    for name, alarm in alarms.items():
        if alarm.get("MetricName", "").startswith("High.") or name == "DroppedAlarm":
            assert back[name] >= late and alarm["DatapointsToAlarm"] == 1, name
    assert back["LagAlarm"] >= 2 * late and alarms["LagAlarm"]["DatapointsToAlarm"] == 1   # so late it is told of at that time
    assert max(back.values()) <= 86_400


def test_metrics_as_the_exporter_names_them():
    path = os.path.join(ROOT, "user/export/emf.c")
    if not os.path.exists(path):
        pytest.skip("built without the exporter to CloudWatch")
    text = open(path).read()
    for name, dimensions in METRICS.items():
        assert f'"{name}"' in text, name
        if dimensions:
            listed = ", ".join(f'"{one}"' for one in dimensions.split(","))
            assert re.search(rf'\{{{re.escape(listed)}\}}, "{name}"', text), name
    assert '"Node"' in text


# --- the dashboard ---

def widgets(namespace="Sluice"):
    body = of_type(stack(MetricNamespace=namespace, **ALL), "AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]
    return json.loads(body)["widgets"]


def test_widgets_have_their_place():
    taken = set()
    for w in widgets():
        cells = set(itertools.product(range(w["x"], w["x"] + w["width"]), range(w["y"], w["y"] + w["height"])))
        assert not taken & cells and w["x"] + w["width"] <= 24
        taken |= cells
    assert len(taken) == 24 * max(w["y"] + w["height"] for w in widgets())   # no hole


def test_widgets_show_what_there_is():
    shown = set()
    for w in widgets("a/b"):
        about = w["properties"]
        assert about["title"] and (w["type"] == "alarm" or about["region"] == awsd.REGION)
        if w["type"] == "metric":
            found = re.fullmatch(r"""SEARCH\('\{"a/b",([A-Za-z,]+)\} MetricName="(\w+)"', '(Sum|Maximum)', 300\)""",
                                 about["metrics"][0][0]["expression"])
            dimensions, metric = found[1], found[2]
            assert dimensions == (METRICS[metric] or "Node")
            label = re.findall(r"\$\{PROP\('Dim\.(\w+)'\)\}", about["metrics"][0][0]["label"])
            assert label == dimensions.split(",")
            shown.add(metric)
        elif w["type"] == "log":
            source, query = re.fullmatch(r"SOURCE '(.*?)' \| (.*)", about["query"]).groups()
            assert source == "/sluice/hosts"
            cfn.check_query(query, SAMPLES)
    assert shown == set(METRICS)
    alarms = next(w for w in widgets() if w["type"] == "alarm")["properties"]["alarms"]
    assert len(alarms) == len(set(alarms)) == len(of_type(stack(), "AWS::CloudWatch::Alarm"))


# --- saved queries ---

def queries():
    return {q["Name"].removeprefix("sluice/"): q["QueryString"] for q in of_type(stack(), "AWS::Logs::QueryDefinition").values()}


def test_queries():
    assert set(queries()) >= {"who read a dataset", "what left and to whom", "findings by rule", "top destinations", "health gaps"}
    for name, query in queries().items():
        cfn.check_query(query, SAMPLES)
        assert len(query) <= 10_000, name
    text = open(os.path.join(ROOT, "scripts/aws/README.md")).read()
    assert all(name in re.sub(r"\s+", " ", text) for name in queries())


@pytest.mark.parametrize("wrong", (
    'filter type = "flow" | fields no_such', 'filter type = "access" | stats sum(tainted_out) by job', "fields job",
    'filter type = "flow" | stats total(bytes_out) by job', 'filter type = "flow" | order job', 'filter type = "nothing"',
    'filter type = "flow" | stats sum(bytes_out) as n by job | sort m desc'))
def test_wrong_queries_are_found(wrong):
    with pytest.raises(ValueError):
        cfn.check_query(wrong, SAMPLES)


@pytest.mark.parametrize("wrong", ("{ $.a = b c }", '{ ($.a = "b" }', '{ $.a == "b" }', "$.a = 1", '{ $.a = "b" && }',
                                   '{ a = "b" }'))
def test_wrong_patterns_are_found(wrong):
    with pytest.raises(ValueError):
        cfn.pattern(wrong)


@pytest.mark.parametrize("text", ("{Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref B}}}}",
                                  "{Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub 'x${B}'}}}}",
                                  "{Resources: {A: {Type: AWS::IAM::InstanceProfile, Properties: {}}}}",
                                  "{Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroup: x}}}}",
                                  "{Resources: {A: {Type: AWS::Logs::Stream, Properties: {}}}}",
                                  "{Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {KmsKeyId: !GetAtt A.Nothing}}}}"))
def test_wrong_templates_are_found(tmp_path, text):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(ValueError):
        cfn.check_resources(cfn.carry_out(cfn.load(path), {}, name="sluice", region=awsd.REGION, account=awsd.ACCOUNT))


# --- the records that all this is about ---

@pytest.mark.one_set
def test_samples_are_as_records_are(sluice, config, dataset, actor, sink, lab):
    """What a monitor says has every field of the samples, and the filters know it."""
    config = {**config, "datasets": [{**config["datasets"][0], "readers": {"users": ["nobody"]}}]}
    monitor, far = sluice(config), sink(lab.internet)
    actor(f"read:{dataset}/f", far.to, "send:500009").truth()
    records = monitor.stop()
    seen = {}
    for record in records:
        seen.setdefault(record["type"], record)
        hit = {name for name, matches in filters().items() if matches(record)}
        if record["type"] == "finding":
            assert hit == ({"High." + record["rule"]} if record["severity"] in ("high", "critical") else set())
        else:
            assert hit == ({"HealthRecords"} if record["type"] == "health" else set())
    assert {"exfil.volume", "access.unauthorized"} <= {record["rule"] for record in records if record["type"] == "finding"}
    for kind in set(SAMPLES) - {"exporter"}:
        assert missing(SAMPLES[kind], seen[kind]) == []
    assert re.search(r'"gaps":\[.*?\],"limits"', json.dumps(seen["health"], separators=(",", ":")))


def missing(sample, record, at=""):
    """What the record lacks; null stands for anything."""
    if isinstance(sample, dict) and isinstance(record, dict):
        return [at + name for name in sample if name not in record and name not in ("DataType",)] + \
            [m for name in sample if name in record for m in missing(sample[name], record[name], f"{at}{name}.")]
    return []
