"""Names in a template, as they are with the values of its parameters.

CloudFormation takes over a table that exists already, but only one whose name stands in the template as it is, and not
one that has to be put together from parameters.
"""

import re
from collections.abc import Mapping
from typing import Any

_NAMES = {"AWS::DynamoDB::Table": "TableName", "AWS::SQS::Queue": "QueueName"}
_TABLE = "AWS::DynamoDB::Table"
_REFERENCE = re.compile(r"\$\{(!?)([^}]*)\}")


def values_of(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The values that a template's parameters have: those that are given, else their defaults."""
    defaults = {name: each["Default"] for name, each in template.get("Parameters", {}).items() if "Default" in each}
    return {name: str(value) for name, value in (defaults | dict(given)).items()}


def with_plain_tables(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A template whose tables have plain names, as far as these are known; all else is as it was."""
    resources = dict(template["Resources"])
    for id_, resource in resources.items():
        name = _name(resource, values)
        if name and resource["Type"] == _TABLE:
            resources[id_] = {**resource, "Properties": {**resource["Properties"], _NAMES[_TABLE]: name}}
    return {**template, "Resources": resources}


def names_of(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """The names of queues and tables by logical id, as far as they are known."""
    found = {id_: _name(resource, values) for id_, resource in template["Resources"].items()}
    return {id_: name for id_, name in found.items() if name}


def _name(resource: Mapping[str, Any], values: Mapping[str, str]) -> str:
    key = _NAMES.get(resource["Type"])
    return _resolve(resource.get("Properties", {}).get(key, ""), values) if key else ""


def _resolve(value: Any, values: Mapping[str, str]) -> str:
    """The text of a value, or "" if it depends on more than parameters."""
    if isinstance(value, str):
        return value
    match value:
        case {"Ref": str(name)}:
            return values.get(name, "")
        case {"Fn::Sub": str(text)}:
            names = [name for literal, name in _REFERENCE.findall(text) if not literal]
            if not all(name in values for name in names):
                return ""
            return _REFERENCE.sub(lambda found: f"${{{found[2]}}}" if found[1] else values[found[2]], text)
        case _:
            return ""
