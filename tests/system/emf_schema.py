# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""CloudWatch's embedded metric format, as its specification has it: a JSON schema, and what a schema cannot say."""
import jsonschema

UNITS = ("Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|Terabits|"
         "Percent|Count|Bytes/Second|Kilobytes/Second|Megabytes/Second|Gigabytes/Second|Terabytes/Second|Bits/Second|"
         "Kilobits/Second|Megabits/Second|Gigabits/Second|Terabits/Second|Count/Second|None")
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {"_aws": {
        "type": "object",
        "required": ["Timestamp", "CloudWatchMetrics"],
        "properties": {
            "Timestamp": {"type": "integer", "minimum": 0},
            "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["Namespace", "Dimensions", "Metrics"],
                "properties": {
                    "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                    "Dimensions": {"type": "array", "minItems": 1, "items": {
                        "type": "array", "maxItems": 30, "uniqueItems": True,
                        "items": {"type": "string", "minLength": 1, "maxLength": 250}}},
                    "Metrics": {"type": "array", "maxItems": 100, "items": {
                        "type": "object",
                        "required": ["Name"],
                        "properties": {"Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                       "Unit": {"type": "string", "pattern": f"^({UNITS})$"},
                                       "StorageResolution": {"enum": [1, 60]}}}}}}}}}},
}
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def check(document):
    """Raises what is wrong with it; else its figures: [(frozenset of (dimension, value), name, number)]."""
    VALIDATOR.validate(document)
    figures = []
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            for name in dimensions:
                value = document[name]  # a member of the root
                assert isinstance(value, str) and 1 <= len(value) <= 1024 and value.isascii() and value.strip(), (name, value)
            for metric in directive["Metrics"]:
                number = document[metric["Name"]]
                assert isinstance(number, (int, float)) and not isinstance(number, bool), (metric, number)
                figures.append((frozenset((name, document[name]) for name in dimensions), metric["Name"], number))
    return figures
