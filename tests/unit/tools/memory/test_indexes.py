"""Items and the indexes of their table."""

from typing import Any

import msgspec
import pytest

from router.tools.memory.indexes import index_fault, lacking
from tests.support.config import spec

INDEX = msgspec.convert({"key": {"a": "S", "b": "B", "n": "N"}, "partition": 2}, spec.TableIndex)


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ({}, ""),
        ({"a": {"S": "x" * 2048}}, ""),
        ({"a": {"S": "é" * 1025}}, "its partition key has more than 2048 bytes"),
        ({"a": {"S": "x" * 2000}, "b": {"B": b"x" * 49}}, "its partition key has more than 2048 bytes"),
        ({"a": {"S": ""}}, "'a' is empty"),
        ({"b": {"B": b""}}, "'b' is empty"),
        ({"n": {"N": "0"}}, ""),
        ({"n": {"S": "0"}}, "'n' is of type S, the key of the index is N"),
        ({"n": {"NULL": True}}, "'n' is of type NULL, the key of the index is N"),
    ],
)
def test_items(item: dict[str, Any], fault: str) -> None:
    """DynamoDB refuses values of another type, empty ones and long keys; an attribute may be missing."""
    assert index_fault(item, INDEX) == fault


def test_what_is_lacking() -> None:
    """Without one of the attributes, an item is not in the index."""
    assert lacking({"a": {"S": "x"}}, INDEX) == ["b", "n"]


def test_parts_of_the_key() -> None:
    """As many attributes as `partition` says are the partition key."""
    assert (INDEX.partition_key, INDEX.sort_key) == ((("a", "S"), ("b", "B")), (("n", "N"),))
