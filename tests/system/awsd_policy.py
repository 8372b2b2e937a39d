# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Identity policies of IAM, as far as the templates in scripts/aws use them: Allow and Deny, actions and resources by pattern."""
import re


def as_list(value):
    return value if isinstance(value, list) else [value]


def matches(pattern, value, ignore_case=False):
    """* stands for any text, ? for one character; nothing else is special."""
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(expression, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def applies(statement, action, resource, region):
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise ValueError(f"the double knows no {sorted(unknown)} of a policy")
    return any(matches(p, action, True) for p in as_list(statement["Action"])) and \
        any(matches(p, resource) for p in as_list(statement["Resource"])) and \
        all(holds(operator, tests, region) for operator, tests in statement.get("Condition", {}).items())


def holds(operator, tests, region):
    known = {"aws:RequestedRegion": region}
    if operator != "StringEquals" or set(tests) - set(known):
        raise ValueError(f"the double knows no condition {operator} {sorted(tests)}")
    return all(known[name] in as_list(wanted) for name, wanted in tests.items())


def allows(statements, action, resource, region):
    """What no statement allows is denied; what one denies is denied."""
    found = {s["Effect"] for s in as_list(statements) if applies(s, action, resource, region)}
    return "Allow" in found and "Deny" not in found
