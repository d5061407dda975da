"""Properties that cannot be attributes, because their name is empty."""

import json
from collections.abc import Callable
from typing import Any

import pytest

CODES = ("RT439",)
ID = {"type": "string", "minLength": 1, "maxLength": 10}
ADVICE = "add 'propertyNames: {minLength: 1}'"


WHOLE = "write: {mode: put}"
INSIDE = {"id": ID, "more": {"properties": {"": {}}}}


@pytest.mark.parametrize(
    ("route", "keywords", "what"),
    [
        (WHOLE, {"properties": {"id": ID, "": {}}}, "the message"),
        (WHOLE, {"properties": {"id": ID}, "patternProperties": {"^[a-z]*$": {}}}, "the message"),
        (WHOLE, {"properties": {"id": ID}, "patternProperties": {"^[a-z]+$": {}}}, ""),
        (WHOLE, {"properties": {"id": ID}, "patternProperties": {"^\\p{L}*$": {}}}, ""),
        (WHOLE, {"properties": {"id": ID}, "additionalProperties": {"type": "string"}}, ""),
        (WHOLE, {"properties": {"id": ID}}, ""),
        (WHOLE, {"properties": {"id": ID, "": False}}, ""),
        (WHOLE, {"properties": {"id": ID, "": {}}, "propertyNames": {"minLength": 1}}, ""),
        ("write: {mode: delete}", {"properties": {"id": ID, "": {}}}, ""),
        ("item: {id: id, a: '\"\"'}", {"properties": {"id": ID, "": {}}}, ""),
        ("item: {id: id}, merge: more", {"properties": INSIDE}, "'more'"),
        ("item: {id: id}, merge: {from: more, prefix: m_}", {"properties": INSIDE}, ""),
        ("item: {id: id}, merge: more || other", {"properties": INSIDE}, ""),
        (
            "for_each: parts",
            {"properties": {"parts": {"type": "array", "items": {"properties": {"": {}}}}}},
            "'parts[]'",
        ),
        ("for_each: parts || rest", {"properties": {"parts": {"items": {"properties": {"": {}}}}}}, ""),
        (WHOLE, None, ""),
    ],
)
def test_an_empty_name(find: Callable[..., list[str]], route: str, keywords: dict[str, Any] | None, what: str) -> None:
    """It is reported where the schema names it, or has a pattern for it, and it would be an attribute."""
    schema = "" if keywords is None else json.dumps({"type": "object", "required": ["id"], **keywords})

    found = [line.partition(f"; {ADVICE}")[0] for line in find(route, schema)]

    expected = f"RT439 {what} may have a property with an empty name, which no attribute has"
    assert found == ([expected] if what else [])
