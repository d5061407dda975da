"""Templates and their resources; the definition of a table in a template: its key and its indexes."""

import re
from collections.abc import Mapping
from typing import Any

from router.runtime.aws.protocols import read_key_schema

INDEXES = "GlobalSecondaryIndexes"
Properties = Mapping[str, Any]
Template = Mapping[str, Any]
Values = Mapping[str, str]
"""The values of parameters or variables, by their names."""
_REFERENCE = re.compile(r"\$\{(!?)([^}]*)\}")
_REPLACING = ("TableName", "LocalSecondaryIndexes", "ImportSourceSpecification")


def resource_of(template: Template, logical_id: str) -> Mapping[str, Any]:
    """Return a resource of a template; an empty one if there is none of that logical id."""
    found: Mapping[str, Any] = template.get("Resources", {}).get(logical_id, {})
    return found


def substitute_text(text: str, values: Values) -> str:
    """Return an argument of `Fn::Sub` with the values of parameters, or "" if it needs more than these."""
    try:
        return _REFERENCE.sub(
            lambda found: f"${{{found[2]}}}" if found[1] else values[found[2]], text
        )
    except KeyError:
        return ""


def is_same_table(before: Properties, after: Properties) -> bool:
    """Whether CloudFormation keeps a table: its name and key are equal.

    A change of other attributes in `AttributeDefinitions`, which belong to indexes, replaces no table, although change
    sets say that it may.
    """
    is_replaced = any(before.get(name) != after.get(name) for name in _REPLACING)
    return not is_replaced and read_key_schema(before) == read_key_schema(after)


def indexes_of(properties: Properties) -> dict[str, Properties]:
    """Return the indexes of a table by their names."""
    return {each["IndexName"]: each for each in properties.get(INDEXES, ())}
