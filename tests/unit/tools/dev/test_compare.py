"""Values as JSON text and as cells of tables."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.tools.dev.compare import to_cell, to_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ITEMS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inside: st.lists(inside) | st.dictionaries(TEXT, inside),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("ü", '"ü"'),
        (Decimal("1.10"), "1.10"),
        (12345678901234567890123456789012345678, "12345678901234567890123456789012345678"),
        (b"\x00\x01", '"AAE="'),
        ({"b", "a"}, '["a","b"]'),
        (frozenset({2, Decimal("1.5")}), "[1.5,2]"),
        ({b"b", b"a"}, '["YQ==","Yg=="]'),
        ({"x": [{"y": {3, 1}}, (1, 2)]}, '{"x":[{"y":[1,3]},[1,2]]}'),
    ],
)
def test_to_json(value: Any, text: str) -> None:
    """A value is one line, with sets as sorted lists, binary as base64, and exact numbers."""
    assert to_json(value) == text


def test_to_json_indented() -> None:
    """With an indentation, a value has several lines."""
    assert to_json({"a": {1}}, indent=2) == '{\n  "a": [\n    1\n  ]\n}'


@given(ITEMS)
def test_numbers_are_exact(value: Any) -> None:
    """JSON text of a value decodes to the value."""
    assert json.loads(to_json(value), parse_float=Decimal) == value


@pytest.mark.parametrize(("value", "text"), [("a b", "a b"), ("", ""), (1, "1"), ({"a": {"x"}}, '{"a":["x"]}')])
def test_to_cell(value: Any, text: str) -> None:
    """Text is shown as it is, anything else as JSON."""
    assert to_cell(value) == text
