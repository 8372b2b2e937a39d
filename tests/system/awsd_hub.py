# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Security Hub: findings in the Security Finding Format, held against its documented limits and AWS's own model of it."""
import datetime
import fnmatch
import functools
import json
import re

import botocore.loaders
import botocore.model
import botocore.validate

from awsd_wire import ApiError, Bucket, Reply, json_body

FINDINGS_MAX, FINDING_BYTES, BATCH_BYTES, RATE, BURST = 100, 240 << 10, 6 << 20, 10, 30
REQUIRED = ("SchemaVersion", "Id", "ProductArn", "GeneratorId", "AwsAccountId", "CreatedAt", "UpdatedAt", "Title", "Description",
            "Resources", "Severity", "Types")
LENGTHS = {"Id": 512, "ProductArn": 2048, "GeneratorId": 512, "Title": 256, "Description": 1024, "SourceUrl": 2048,
           "ProductName": 128, "CompanyName": 128, "Region": 16}
LABELS = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
NAMESPACES = ("Software and Configuration Checks", "TTPs", "Effects", "Unusual Behaviors", "Sensitive Data Identifications")
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
TIMES = ("CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)")


@functools.cache
def model():
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("securityhub", "service-2"))


def parse_time(value):
    """Seconds since 1970, None when it is none."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        return None
    whole, fraction, zone = re.fullmatch(r"(.{19})(\.\d+)?(.*)", value).groups()
    try:
        when = datetime.datetime.strptime(whole + zone.replace("Z", "+00:00"), "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
    return when.timestamp() + float(fraction or 0)


class Hub:
    name, protocol = "securityhub", "rest"

    def __init__(self, awsd):
        self.awsd, self.findings = awsd, {}   # Id -> the newest version
        self.rate = Bucket(lambda: awsd.settings["hub_tps"], BURST)

    def throttled(self):
        return ApiError("LimitExceededException", "Too many requests", 429)

    def run(self, op, call):
        operation = op.partition(".")[2]
        if call.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise ApiError("UnsupportedMediaTypeException", "application/json expected", 415)
        try:
            asked = json_body(call)
        except ApiError as error:
            raise ApiError(error.name, error.message) from None
        if operation == "BatchImportFindings":
            return self.batch_import(asked, call)
        return self.get_findings(asked, call)

    def default_product(self):
        return f"arn:{self.awsd.partition}:securityhub:{self.awsd.region}:{self.awsd.account}:product/{self.awsd.account}/default"

    # --- import ---

    def batch_import(self, asked, call):
        findings = asked.get("Findings")
        arns = {f.get("ProductArn") for f in findings if isinstance(f, dict)} if isinstance(findings, list) else set()
        self.awsd.authorize(call, "securityhub:BatchImportFindings", *sorted(a for a in arns if isinstance(a, str)))
        if not self.rate.take():
            raise self.throttled()
        if not self.awsd.settings["hub_enabled"]:
            raise ApiError("InvalidAccessException", f"Account {self.awsd.account} is not subscribed to AWS Security Hub", 401)
        if len(call.body) > BATCH_BYTES:
            raise ApiError("InvalidInputException", f"the batch is of {len(call.body)} bytes; at most {BATCH_BYTES} are allowed")
        if not isinstance(findings, list) or not 1 <= len(findings) <= FINDINGS_MAX:
            raise ApiError("InvalidInputException", "Invalid parameter 'Findings'. data length must be >= 1 and <= 100")
        if set(asked) != {"Findings"}:
            raise ApiError("InvalidInputException", f"unknown parameters: {sorted(set(asked) - {'Findings'})}")
        return Reply.json(self.imported(findings, call), "application/json")

    def imported(self, findings, call):
        failed, good = [], []
        for finding in findings:
            why = self.commanded(finding, call.fault) or self.judge(finding, good)
            if why:
                named = finding.get("Id") if isinstance(finding, dict) else None
                failed.append({"Id": named if isinstance(named, str) and named else "?", "ErrorCode": why[0],
                               "ErrorMessage": why[1]})
            else:
                good.append(finding)
        self.awsd.commit({"do": "findings", "request": call.request_id, "at": self.awsd.now_ms(), "good": good, "failed": failed})
        return {"FailedCount": len(failed), "SuccessCount": len(good), "FailedFindings": failed}

    def commanded(self, finding, fault):
        if fault and fault["kind"] == "fail_findings" and isinstance(finding, dict) \
                and fnmatch.fnmatchcase(str(finding.get("Id")), fault["ids"]):
            return fault["code"], fault["message"]
        return None

    def judge(self, finding, before):
        """(code, message) of what is wrong with it, or None. before: those of the same call that are good."""
        if not isinstance(finding, dict):
            return "InvalidInput", "Finding does not adhere to Amazon Finding Format. data should be object"
        size = len(json.dumps(finding, ensure_ascii=False, separators=(",", ":")).encode())
        if size > FINDING_BYTES:
            return "InvalidInput", f"the finding is of {size} bytes; at most {FINDING_BYTES} are allowed"
        wrong = list(self.faults_of(finding))
        if wrong:
            return "InvalidInput", "Finding does not adhere to Amazon Finding Format. " + ", ".join(wrong) + "."
        if finding["AwsAccountId"] != self.awsd.account or finding["ProductArn"] != self.default_product():
            return "InvalidAccess", "the account may import for its own default product only"
        older = next((f for f in reversed(before) if f["Id"] == finding["Id"]), self.findings.get(finding["Id"]))
        if older and parse_time(finding["UpdatedAt"]) <= parse_time(older["UpdatedAt"]):
            return "InvalidInput", f"UpdatedAt {finding['UpdatedAt']} is not after {older['UpdatedAt']}, which is imported already"
        return None

    def faults_of(self, finding):
        for name in REQUIRED:
            if name not in finding:
                yield f"data should have required property '{name}'"
        report = botocore.validate.ParamValidator().validate(finding, model().shape_for("AwsSecurityFinding"))
        if report.has_errors():
            yield from report.generate_report().split("\n")
        known = model().shape_for("AwsSecurityFinding").members
        for name in sorted(set(finding) - set(known)):
            yield f"data should NOT have additional properties: '{name}'"
        for name, most in LENGTHS.items():
            value = finding.get(name)
            if isinstance(value, str) and not (value.strip() and len(value) <= most):
                yield f"data.{name} should be of 1 to {most} characters"
        if finding.get("SchemaVersion") != "2018-10-08":
            yield "data.SchemaVersion should be 2018-10-08"
        if not re.fullmatch(r"\d{12}", str(finding.get("AwsAccountId"))):
            yield 'data.AwsAccountId should match pattern "^[0-9]{12}$"'
        yield from self.times(finding)
        yield from self.lists(finding)
        yield from self.severity(finding.get("Severity"), "Severity")
        provider = finding.get("FindingProviderFields")
        if isinstance(provider, dict):
            yield from self.types(provider.get("Types", []), "FindingProviderFields.Types")
            if "Severity" in provider:
                yield from self.severity(provider["Severity"], "FindingProviderFields.Severity", needs=("Label", "Original"))

    def times(self, finding):
        for name in TIMES:
            if name in finding and parse_time(finding[name]) is None:
                yield f"data.{name} should match format \"date-time\""

    def lists(self, finding):
        resources = finding.get("Resources")
        if isinstance(resources, list):
            if not 1 <= len(resources) <= 32:
                yield "data.Resources should NOT have fewer than 1 or more than 32 items"
            for i, resource in enumerate(resources):
                if isinstance(resource, dict):
                    yield from self.resource(resource, f"data.Resources[{i}]")
        if "Types" in finding:
            yield from self.types(finding["Types"], "Types")
        for name in ("ProductFields", "UserDefinedFields"):
            pairs = finding.get(name)
            if isinstance(pairs, dict):
                if len(pairs) > 50:
                    yield f"data.{name} should NOT have more than 50 properties"
                if not all(0 < len(k) <= 128 and isinstance(v, str) and v.strip() and len(v) <= 2048 for k, v in pairs.items()):
                    yield f"data.{name} should be of names to 128 and of values to 2048 characters"

    def resource(self, resource, where):
        for name, most in (("Type", 256), ("Id", 512)):
            value = resource.get(name)
            if isinstance(value, str) and not (value.strip() and len(value) <= most):
                yield f"{where}.{name} should be of 1 to {most} characters"
        if resource.get("Partition", "aws") not in PARTITIONS:
            yield f"{where}.Partition should be one of {PARTITIONS}"
        other = resource.get("Details", {}).get("Other", {}) if isinstance(resource.get("Details", {}), dict) else {}
        if isinstance(other, dict):
            if len(other) > 50:
                yield f"{where}.Details.Other should NOT have more than 50 properties"
            for name, value in other.items():
                if not (isinstance(value, str) and value.strip() and 0 < len(name) <= 128 and len(value) <= 1024):
                    yield f"{where}.Details.Other.{name[:64]} should be of 1 to 1024 characters"

    def types(self, types, where):
        if not isinstance(types, list) or len(types) > 50 or (where == "Types" and not types):
            yield f"data.{where} should have 1 to 50 items"
            return
        for i, kind in enumerate(types):
            parts = kind.split("/") if isinstance(kind, str) else []
            if not parts or parts[0] not in NAMESPACES or len(parts) > 3 or not all(parts):
                yield f"data.{where}[{i}] should be of namespace/category/classifier, not {kind!r}"

    def severity(self, severity, where, needs=("Label", "Normalized")):
        if not isinstance(severity, dict) or not set(needs) & set(severity):
            yield f"data.{where} should have {' or '.join(needs)}"
            return
        if severity.get("Label", "LOW") not in LABELS:
            yield f"data.{where}.Label should be one of {LABELS}"
        if not 0 <= int(severity.get("Normalized", 0) or 0) <= 100:
            yield f"data.{where}.Normalized should be 0 to 100"

    # --- what is there ---

    def get_findings(self, asked, call):
        self.awsd.authorize(call, "securityhub:GetFindings", f"arn:{self.awsd.partition}:securityhub:{self.awsd.region}:"
                                                             f"{self.awsd.account}:hub/default")
        filters = asked.get("Filters") or {}
        if set(filters) - {"Id", "ProductArn", "GeneratorId"}:
            raise ApiError("InvalidInputException", "the double filters by Id, ProductArn and GeneratorId alone")
        found = [f for _, f in sorted(self.findings.items()) if all(self.matches(f[name], of) for name, of in filters.items())]
        start, most = int(asked.get("NextToken") or 0), asked.get("MaxResults") or 100
        if not 1 <= most <= 100:
            raise ApiError("InvalidInputException", "Invalid parameter 'MaxResults'. data should be >= 1 and <= 100")
        more = {"NextToken": str(start + most)} if start + most < len(found) else {}
        return Reply.json({"Findings": found[start:start + most], **more}, "application/json")

    @staticmethod
    def matches(value, filters):
        tests = {"EQUALS": str.__eq__, "PREFIX": str.startswith}
        if not all(f.get("Comparison") in tests for f in filters):
            raise ApiError("InvalidInputException", "the double compares by EQUALS and PREFIX alone")
        return any(tests[f["Comparison"]](value, f["Value"]) for f in filters)

    def apply(self, record, _):
        if record["do"] == "findings":
            for finding in record["good"]:
                self.findings[finding["Id"]] = finding
