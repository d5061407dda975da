"""How values are ordered."""

from typing import Any

from router.runtime.engine.writes import value_order


def test_values_are_in_the_order_of_dynamodb() -> None:
    """Numbers by value, text by the bytes of UTF-8, binaries by bytes; a missing value first."""
    values: list[dict[str, Any]] = [
        {},
        {"B": b"a"},
        {"B": b"b"},
        {"N": "-1"},
        {"N": "9"},
        {"N": "10"},
        {"S": "Z"},
        {"S": "a"},
        {"S": "\uffff"},
        {"S": "😀"},
    ]

    mixed = [*values[1::2], *values[::2]]

    assert sorted(mixed, key=value_order) == values
