# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""CloudFormation as far as scripts/aws uses it: a template is carried out, and what is wrong with it raises ValueError. Also the
patterns of metric filters, evaluated, and the queries of Logs Insights, checked."""
import re

import yaml


def as_list(value):
    return value if isinstance(value, list) else [value]


# --- reading ---

class Loader(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise ValueError(f"{node.start_mark}: a key comes twice")
        return super().construct_mapping(node, deep)


def tag(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", tag)


def load(path):
    with open(path) as file:
        return yaml.load(file, Loader)


# --- carrying out ---

# type -> (required properties, further ones that are used, attributes)
TYPES = {
    "AWS::KMS::Key": (("KeyPolicy",), ("Description", "EnableKeyRotation", "PendingWindowInDays"), ("Arn", "KeyId")),
    "AWS::Logs::LogGroup": ((), ("LogGroupName", "LogGroupClass", "RetentionInDays", "KmsKeyId"), ("Arn",)),
    "AWS::IAM::ManagedPolicy": (("PolicyDocument",), ("Description",), ("PolicyArn",)),
    "AWS::IAM::Role": (("AssumeRolePolicyDocument",), ("Description", "ManagedPolicyArns"), ("Arn", "RoleId")),
    "AWS::IAM::InstanceProfile": (("Roles",), (), ("Arn",)),
    "AWS::Logs::MetricFilter": (("LogGroupName", "FilterPattern", "MetricTransformations"), (), ()),
    "AWS::CloudWatch::Alarm": (("ComparisonOperator", "EvaluationPeriods", "Threshold"),
                               ("AlarmName", "AlarmDescription", "Namespace", "MetricName", "Statistic", "Period", "Metrics",
                                "DatapointsToAlarm", "TreatMissingData", "AlarmActions", "OKActions"), ("Arn",)),
    "AWS::CloudWatch::Dashboard": (("DashboardBody",), ("DashboardName",), ()),
    "AWS::Logs::QueryDefinition": (("Name", "QueryString"), ("LogGroupNames",), ("QueryDefinitionId",)),
}
SECTIONS = {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Conditions", "Resources", "Outputs"}
NO_VALUE = object()


def check_parameter(name, about, value):
    def wrong(why):
        return ValueError(f"parameter {name}: {value!r} {why}")
    if about["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            raise wrong("is no number") from None
        if not about.get("MinValue", number) <= number <= about.get("MaxValue", number):
            raise wrong("is out of range")
    elif about["Type"] != "String":
        raise wrong(f"is of an unknown type, {about['Type']}")
    if "AllowedValues" in about and str(value) not in [str(one) for one in about["AllowedValues"]]:
        raise wrong("is not one of those allowed")
    if "AllowedPattern" in about and not re.fullmatch(about["AllowedPattern"], str(value)):
        raise wrong("does not match the pattern")


class Stack:
    def __init__(self, template, parameters, name, region, account):
        self.template, self.about = template, template.get("Parameters", {})
        if set(template) - SECTIONS or set(parameters) - set(self.about):
            raise ValueError(f"unknown: {set(template) - SECTIONS or set(parameters) - set(self.about)}")
        self.values = {"AWS::StackName": name, "AWS::Region": region, "AWS::AccountId": account, "AWS::Partition": "aws",
                       "AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": NO_VALUE}
        for parameter, about in self.about.items():
            value = parameters.get(parameter, about.get("Default"))
            if value is None:
                raise ValueError(f"parameter {parameter} has no value")
            check_parameter(parameter, about, value)
            self.values[parameter] = value

    def condition(self, name):
        if name not in self.template.get("Conditions", {}):
            raise ValueError(f"no condition is called {name}")
        return self.resolve(self.template["Conditions"][name])

    def made(self, name):
        resource = self.template["Resources"].get(name)
        if resource is None:
            raise ValueError(f"no resource or parameter is called {name}")
        if "Condition" in resource and not self.condition(resource["Condition"]):
            raise ValueError(f"{name} is referred to where it is not made")
        return resource

    def ref(self, name):
        if name in self.values:
            return self.values[name]
        kind, properties = self.made(name)["Type"], self.template["Resources"][name]["Properties"]
        named = {"AWS::Logs::LogGroup": "LogGroupName", "AWS::CloudWatch::Dashboard": "DashboardName"}.get(kind)
        return self.resolve(properties[named]) if named in properties else f"<{name}>"

    def attribute(self, name, attribute):
        kind = self.made(name)["Type"]
        if attribute not in TYPES[kind][2]:
            raise ValueError(f"{kind} has no attribute {attribute}")
        return f"<{name}.{attribute}>"

    def sub(self, text):
        def one(match):
            word = match[1]
            if word.startswith("!"):
                return "${" + word[1:] + "}"
            return str(self.attribute(*word.split(".", 1)) if "." in word else self.ref(word))
        return re.sub(r"\$\{([^}]*)\}", one, text)

    def resolve(self, value):
        if isinstance(value, list):
            return [made for made in map(self.resolve, value) if made is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        name, about = next(iter(value.items()), (None, None))
        if len(value) != 1 or not (name in ("Ref", "Condition") and isinstance(about, str) or str(name).startswith("Fn::")):
            made = {key: self.resolve(one) for key, one in value.items()}
            return {key: one for key, one in made.items() if one is not NO_VALUE}
        if name == "Ref":
            return self.ref(about)
        if name == "Condition":
            return self.condition(about)
        if name == "Fn::If":
            return self.resolve(about[1] if self.condition(about[0]) else about[2])
        if name == "Fn::Sub":
            return self.sub(about)
        if name == "Fn::GetAtt":
            return self.attribute(*about)
        given = self.resolve(about)
        functions = {"Fn::Equals": lambda: str(given[0]) == str(given[1]), "Fn::Not": lambda: not given[0],
                     "Fn::And": lambda: all(given), "Fn::Or": lambda: any(given)}
        if name not in functions:
            raise ValueError(f"no function is called {name}")
        return functions[name]()


def carry_out(template, parameters, **where):
    """The resources and outputs as they would be made; raises ValueError at the first thing that could not be."""
    stack, made = Stack(template, parameters, **where), {"Resources": {}, "Outputs": {}}
    for section, found in made.items():
        for name, about in template.get(section, {}).items():
            if "Condition" not in about or stack.condition(about["Condition"]):
                found[name] = stack.resolve({key: value for key, value in about.items() if key != "Condition"})
    return made


def check_resources(made):
    for name, resource in made["Resources"].items():
        if resource["Type"] not in TYPES or set(resource) - {"Type", "Properties", "DeletionPolicy", "UpdateReplacePolicy"}:
            raise ValueError(f"{name}: {resource['Type']} is not known, or has unknown attributes")
        required, more, _ = TYPES[resource["Type"]]
        properties = resource["Properties"]
        if set(required) - set(properties) or set(properties) - set(required) - set(more):
            raise ValueError(f"{name}: of {resource['Type']} missing {set(required) - set(properties)}, "
                             f"unknown {set(properties) - set(required) - set(more)}")
    for name, output in made["Outputs"].items():
        if not isinstance(output.get("Value"), str) or not output["Value"]:
            raise ValueError(f"output {name} has no value")


# --- patterns of metric filters: { ($.a.b = "x") && ... } ---

TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||!=|=|\$(?:\.[A-Za-z_]\w*)+|"(?:[^"\\]|\\.)*")')


def lookup(record, path):
    for part in path.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


class Pattern:
    def __init__(self, text):
        inner = re.fullmatch(r"\s*\{(.*)\}\s*", text, re.S)
        if not inner or len(text) > 1024:
            raise ValueError(f"no pattern for JSON: {text!r}")
        self.tokens, at, rest = [], 0, inner[1].rstrip()
        while at < len(rest):
            match = TOKEN.match(rest, at)
            if not match:
                raise ValueError(f"not understood: {rest[at:]!r}")
            self.tokens.append(match[1])
            at = match.end()
        self.test = self.any_of()
        if self.tokens:
            raise ValueError(f"left over: {self.tokens}")

    def take(self):
        if not self.tokens:
            raise ValueError("the pattern ends too early")
        return self.tokens.pop(0)

    def joined(self, operator, part, combine):
        parts = [part()]
        while self.tokens and self.tokens[0] == operator:
            self.take()
            parts.append(part())
        return lambda record: combine(test(record) for test in parts)

    def any_of(self):
        return self.joined("||", lambda: self.joined("&&", self.one, all), any)

    def one(self):
        token = self.take()
        if token == "(":
            test = self.any_of()
            if self.take() != ")":
                raise ValueError("a parenthesis is not closed")
            return test
        operator, value = self.take(), self.take()
        if not token.startswith("$.") or operator not in ("=", "!=") or not value.startswith('"') or "*" in value:
            raise ValueError(f"no comparison: {token} {operator} {value}")
        return lambda record: (lookup(record, token[2:]) == value[1:-1]) == (operator == "=")


def pattern(text):
    """A function: does it match this record?"""
    return Pattern(text).test


# --- queries of Logs Insights ---

COMMANDS = {"fields", "filter", "stats", "sort", "limit", "dedup", "parse"}
FUNCTIONS = {"sum", "max", "min", "count", "count_distinct", "avg", "latest"}
WORDS = {"and", "or", "not", "in", "as", "by", "asc", "desc", "like"}


def has_path(record, path):
    """path: as Logs Insights flattens it: "remote.addr", "datasets.0"."""
    for part in path.split("."):
        if isinstance(record, list) and part.isdigit():
            return True
        if not isinstance(record, dict) or part not in record:
            return False
        record = record[part]
    return not isinstance(record, (dict, list))


def check_query(text, samples):
    """Each command and function is one, each name is a field of the records that the query is about, or was given in it before."""
    given = {"@timestamp", "@message"}
    commands = [part.strip() for part in re.sub(r"^\s*#.*$", "", text, flags=re.M).split("|")]
    about = re.match(r'filter type = "(\w+)"', commands[0])
    if not about or about[1] not in samples:
        raise ValueError(f"the first command must say which type of records it is about: {commands[0]!r}")
    for command in commands:
        verb, _, rest = command.partition(" ")
        if verb not in COMMANDS:
            raise ValueError(f"no command is called {verb!r}")
        check_names(verb, re.sub(r'"[^"]*"|\'[^\']*\'', " ", rest), given, samples[about[1]])


def check_names(verb, text, given, sample):
    aliases = set(re.findall(r"\bas\s+(\w+)", text))
    for match in re.finditer(r"@?[A-Za-z_][\w.]*(\s*\()?", text):
        word, call = match[0].rstrip("( \n"), match[1]
        if call and word not in WORDS:
            if word not in FUNCTIONS or verb != "stats":
                raise ValueError(f"no function is called {word!r} here")
        elif word not in WORDS | aliases | given and not has_path(sample, word):
            raise ValueError(f"no field is called {word!r}")
    given |= aliases
