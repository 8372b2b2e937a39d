# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Plain cases against the double and against moto, another double of AWS by others: where moto is right, both say the same."""
import shutil
import subprocess
import time

import pytest

pytest.importorskip("botocore", reason="python3-botocore is not installed: scripts/deps.sh test")

import awsd
from awsd import Awsd, free_port
from awsd_client import client
from botocore.exceptions import BotoCoreError, ClientError
from monitor import wait_for
from test_awsd_hub import finding

pytestmark = pytest.mark.skipif(not shutil.which("moto_server"), reason="moto_server is not installed")
# moto's only account, and the time that all cases are about.
NAMES, NOW = {"logGroupName": "/sluice/x", "logStreamName": "s"}, int(time.time() * 1000)
GROUP = {"logGroupName": "/sluice/x"}


class Moto:
    def __init__(self, log):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
        wait_for("moto answers", self.answers)

    def answers(self):
        try:
            return client(self, "sts").get_caller_identity()
        except (BotoCoreError, ClientError):
            return None


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    with open(tmp_path_factory.mktemp("moto") / "log", "w") as log:
        made = Moto(log)
        yield made
        made.process.terminate()
        made.process.wait()


def events(*offsets):
    return [{"timestamp": NOW + offset, "message": f"m{offset}"} for offset in offsets]


DAY = 86_400_000
PLAIN = [
    ("create_log_group", GROUP), ("create_log_group", GROUP), ("create_log_stream", NAMES), ("create_log_stream", NAMES),
    ("create_log_stream", {**NAMES, "logGroupName": "none"}), ("put_log_events", {**NAMES, "logEvents": events(0, 1, 1, 5)}),
    ("put_log_events", {**NAMES, "logEvents": events(3)}),
    ("put_log_events", {**NAMES, "logStreamName": "none", "logEvents": events(1)}),
    ("put_log_events", {**NAMES, "logGroupName": "none", "logEvents": events(1)}),
    ("put_log_events", {**NAMES, "logEvents": events(5, 1)}),
    ("put_log_events", {**NAMES, "logEvents": events(7, DAY // 8)}),   # of several too new, or one too old, moto names another
    ("get_log_events", {**NAMES, "startFromHead": True}), ("get_log_events", {**NAMES, "startFromHead": True, "limit": 2}),
    ("get_log_events", {**NAMES, "limit": 2}), ("get_log_events", {**NAMES, "startTime": NOW + 1, "endTime": NOW + 4}),
    ("get_log_events", {**NAMES, "logStreamName": "none"}), ("put_retention_policy", {**GROUP, "retentionInDays": 30}),
    ("put_retention_policy", {"logGroupName": "none", "retentionInDays": 30}),
    ("describe_log_groups", {"logGroupNamePrefix": "/sluice"}), ("describe_log_streams", GROUP),
    ("delete_retention_policy", GROUP), ("delete_log_stream", NAMES), ("delete_log_stream", NAMES), ("delete_log_group", GROUP),
    ("delete_log_group", GROUP),
]


def said(aws, service, operation, asked):
    """What matters of the answer."""
    try:
        answer = getattr(client(aws, service), operation)(**asked)
    except ClientError as why:
        return why.response["Error"]["Code"], why.response["ResponseMetadata"]["HTTPStatusCode"]
    made = {key: answer[key] for key in ("rejectedLogEventsInfo", "FailedCount", "SuccessCount", "Account") if key in answer}
    made["events"] = [(e["timestamp"], e["message"]) for e in answer.get("events", [])]
    made["groups"] = [(g["logGroupName"], g.get("retentionInDays"), g["arn"].replace(":*", "").rpartition(":")[2])
                      for g in answer.get("logGroups", [])]
    made["streams"] = [(s["logStreamName"], s.get("lastEventTimestamp")) for s in answer.get("logStreams", [])]
    return made


def test_logs(tmp_path, moto):
    with Awsd(f"{tmp_path}/aws") as ours:
        for n, (operation, asked) in enumerate(PLAIN):
            assert said(ours, "logs", operation, asked) == said(moto, "logs", operation, asked), (n, operation, asked)


def test_who_asks_and_findings(tmp_path, moto):
    with Awsd(f"{tmp_path}/aws") as ours:
        assert said(ours, "sts", "get_caller_identity", {}) == said(moto, "sts", "get_caller_identity", {})
        assert awsd.ACCOUNT == "123456789012"
        for findings in ([finding()], [finding(Id="b"), finding(Id="c")]):
            asked = "securityhub", "batch_import_findings", {"Findings": findings}
            assert said(ours, *asked) == said(moto, *asked)
