"""Numbers that may become too long, because the schema does not bound them."""

import json
from collections.abc import Callable

import pytest

CODES = ("RT440",)
CONSTRAIN = "add 'minimum, maximum and multipleOf' at /properties"
SCHEMA = {
    "type": "object",
    "required": ["id", "n", "part", "most", "list", "parts", "mixed"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 10},
        "n": {"type": "number"},
        "part": {"type": "number", "minimum": 0, "maximum": 1},
        "most": {"type": "integer", "minimum": 0, "maximum": 10**38 - 1},
        "whole": {"type": "integer"},
        "list": {"type": "array", "items": {"type": "number"}},
        "parts": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}},
        "mixed": {"type": ["string", "number"]},
    },
}


@pytest.mark.parametrize(
    ("attribute", "what"),
    [
        ("{from: n, transform: {scale: 1.1}}", "'n'; {}/n"),
        ("{from: n, transform: {scale: 100}}", "'n'; {}/n"),
        ("{from: n, transform: [{scale: 3}, {scale: 2}]}", "'n'; {}/n"),
        ("{from: part, transform: {scale: 1.1}}", "'part'; {}/part"),
        ("{from: whole, transform: {scale: 0.1}}", ""),
        ("{from: n, transform: {round: 2}}", ""),
        ("{from: n, transform: {round: -100}}", "'n'; {}/n"),
        ("{from: most, transform: {scale: 1.1}}", ""),
        ("{from: mixed, transform: {scale: 1.1}}", ""),
        ("{from: mixed, transform: [to_number, {scale: 1.1}]}", ""),
        ("{from: n, transform: [to_text, to_number]}", ""),
        ("{from: n, type: N}", ""),
        ("{from: n, transform: [{scale: 1.1}, strip]}", ""),
        ("sum(list)", "'list[]'; {}/list/items"),
        ("id && sum(list)", "'list[]'; {}/list/items"),
        ("sum(parts)", ""),
        ("'list[0:2] && sum(list)'", "'list[]'; {}/list/items"),
        ("'[sum(list), sum(mixed)]'", ""),
        ("sum(part > `0` && list || parts)", ""),
    ],
)
def test_unbounded_numbers(find: Callable[..., list[str]], attribute: str, what: str) -> None:
    """They are reported where a transform or sum() can make them too long, and nothing else is in doubt."""
    found = find(f"item: {{id: id, x: {attribute}}}", json.dumps(SCHEMA))

    start = "RT440 attribute 'x' may be a number of over 38 digits, or out of range: the schema does not bound "
    assert found == ([start + what.format(CONSTRAIN) + " of schema 'schema.json'"] if what else [])
