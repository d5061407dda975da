"""The definition of a table in a template: its key and its indexes."""

from collections.abc import Mapping
from typing import Any

from router.runtime.aws.protocols import read_key_schema

INDEXES = "GlobalSecondaryIndexes"
Properties = Mapping[str, Any]
_REPLACING = ("TableName", "LocalSecondaryIndexes", "ImportSourceSpecification")


def is_same_table(before: Properties, after: Properties) -> bool:
    """Whether CloudFormation keeps a table: its name and key are equal.

    A change of other attributes in `AttributeDefinitions`, which belong to indexes, replaces no table, although change
    sets say that it may.
    """
    names = all(before.get(name) == after.get(name) for name in _REPLACING)
    return names and read_key_schema(before) == read_key_schema(after)


def indexes_of(properties: Properties) -> dict[str, Properties]:
    """Return the indexes of a table by their names."""
    return {each["IndexName"]: each for each in properties.get(INDEXES, ())}
