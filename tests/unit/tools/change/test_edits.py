"""Messages that differ from a message in one place, and the values that are tried there."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from router.tools.change.edits import edits, names_of, shorter, values_of
from tests.support.program import SchemaDocument, Validation


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, [False]),
        (7, [8, 6, Decimal("7.5"), -7, "7"]),
        (Decimal("1.5"), [Decimal("2.5"), Decimal("0.5"), Decimal("2.0"), Decimal("-1.5"), "1.5"]),
        ("Abc", ["Abcx", "Ab", "ABC", "abc"]),
        ([5, 6, 7], [[5, 6, 7, 5], [5], [5, 6, 7] * 40, [5, 7, 7]]),
        (None, ["", "x", "x" * 300, 0, -1, 1, Decimal("1.5"), 10**12, True, None, [], {}, ["x"], {"x": 1}, "given"]),
        ({}, [{"named": 0}, {"named": None}]),
    ],
)
def test_what_replaces_a_value(value: Any, expected: list[Any]) -> None:
    """Its neighbours, values of each type, and those that are given; of an object, what has one name more."""
    found = list(edits({"a": value}, ["given"], ["named"]))

    assert {} in found
    assert [each for each in expected if repr({"a": each}) not in map(repr, found)] == []


def test_how_many_values_are_tried() -> None:
    """Sixty of those that are given."""
    found = list(edits(None, range(1000, 1100), ()))

    assert found[-60:] == [*range(1000, 1060)]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"enum": [1, "x"], "const": None}, [1, "x", None]),
        ({"enum": [1, "1", 1], "const": True}, [1, "1", True]),
        ({"enum": "text"}, []),
        ({"minLength": 0}, ["", "a"]),
        ({"minLength": 1}, ["a", "aa", ""]),
        ({"maxLength": 3}, ["aaa", "aaaa", "aa"]),
        ({"type": "string", "maxLength": 3}, ["aaa", "aaaa", "aa"]),
        ({"maxLength": 9999}, ["a" * 9999, "a" * 10000, "a" * 9998]),
        ({"maxLength": 10000}, []),
        ({"minLength": -1}, []),
        ({"minimum": 3}, [3, 4, 2, Decimal("3.5")]),
        ({"exclusiveMaximum": Decimal("0.5")}, [Decimal(each) for each in ("0.5", "1.5", "-0.5", "1.0")]),
        ({"multipleOf": 2}, [2, 3, 1, Decimal("2.5")]),
        ({"exclusiveMinimum": True, "maxLength": "x", "minItems": 3}, []),
    ],
)
def test_the_values_of_a_schema(schema: dict[str, Any], expected: list[Any]) -> None:
    """Its constants, and numbers and texts at its bounds, each once; a text is not too long to try."""
    assert list(map(repr, values_of((), [schema]))) == list(map(repr, expected))


def test_the_names_of_a_schema() -> None:
    """Those that are declared, some that a pattern matches, some at the bounds of names, and one of none."""
    content = {
        "properties": {"a": {"minLength": 2}},
        "patternProperties": {"^x[0-9]{3}$": {}},
        "propertyNames": {"maxLength": 12, "pattern": "^[a-z]"},
    }
    document = SchemaDocument("schema", "https://config.invalid/schema", Path(), content, 2020)

    declared, matching, *others, undeclared = names_of(
        [None, Validation(Draft202012Validator(content), {"": document})]
    )

    assert (declared, undeclared) == ("a", "undeclared")
    assert re.fullmatch("x[0-9]{3}", matching)
    assert {"a" * 12, "a" * 13, "x" * 300} <= {*others}
    assert [name for name in others if name and not re.match("[a-z]", name)] != []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"t": "x" * 8}, [{}]),
        ({"t": "x" * 9}, [{}, {"t": "xxxx"}]),
        ({"l": [1, 2]}, [{}, {"l": [2]}, {"l": [1]}]),
        ({"l": [1, 2, 3]}, [{}, {"l": [1]}, {"l": [2, 3]}, {"l": [1, 3]}, {"l": [1, 2]}]),
        ("x" * 9, ["xxxx"]),
        ([], []),
    ],
)
def test_a_shorter_message(message: Any, expected: list[Any]) -> None:
    """Without one part, or with half of a text or list."""
    assert list(shorter(message)) == expected
