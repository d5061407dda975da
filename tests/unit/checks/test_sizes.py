"""Items that can be too large, where the schema bounds them."""

import json
from typing import Any

import pytest

KEY = {"type": "string", "minLength": 1, "maxLength": 10}
LONG = {"type": "string", "maxLength": 102_400}
OPEN = {"type": "object", "properties": {"c": {"type": ["integer", "null"]}}}
MANY = {"type": "array", "maxItems": 1000}
CLOSED = {"type": "object", "additionalProperties": False}


def size(**properties: Any) -> str:
    return json.dumps({**CLOSED, "required": ["id"], "properties": {"id": KEY, **properties}})


def found(bytes_: int) -> list[str]:
    return [
        (
            f"RT615 an item can have {bytes_} bytes by the schema, and DynamoDB takes 409600; "
            "lower 'maxLength' or 'maxItems', or map less"
        )
    ]


@pytest.mark.parametrize(
    ("item", "schema", "lines"),
    [
        ("id: id", size(), []),
        ("id: id, a: a", size(a=LONG), found(409_643)),
        ("id: id, a: a", size(a={"type": "string"}), []),
        ("id: id, a: {from: a, transform: strip}", size(a=LONG), []),
        ("id: id, a: {from: a, type: json}", size(a=LONG), []),
        ("id: id, a: '['", size(a=LONG), ["RT401"]),
        ("id: id, a: {value: x}", size(a=LONG), []),
        ("id: id, a: a || b", size(a=LONG, b=LONG), []),
        ("id: id, a: a", size(a={**LONG, "pattern": "x"}), []),
        ("id: id, a: a", size(a={"anyOf": [LONG]}), []),
        ("id: id, a: a, b: b.c", size(a=LONG, b=OPEN), found(409_664)),
        ("id: id, a: a", size(a={**MANY, "items": {"type": "string", "maxLength": 200}}), found(801_046)),
        ("id: id, a: a", size(a={**MANY, "items": {}}), []),
        ("id: id, a: a", size(a=MANY), []),
        ("id: id, a: a", size(a={**CLOSED, "properties": {"b": LONG, "c": {"type": "boolean"}}}), found(409_651)),
        ("id: id, a: a", size(a={**CLOSED, "properties": {"b": LONG, "c": {}}}), []),
        ("id: id, a: a", size(a={"$ref": "#/properties/a"}), []),
        ("id: id, a: a", size(a={**CLOSED, "properties": {"a": {"$ref": "#/properties/a"}, "b": LONG}}), []),
    ],
)  # fmt: skip
def test_items(find: Any, item: str, schema: str, lines: list[str]) -> None:
    """Only what is bounded counts: of the rest nothing is known."""
    got = find(f"item: {{{item}}}", schema)

    assert [line[: len(start)] for line, start in zip(got, lines, strict=True)] == lines


def test_whole_messages(find: Any) -> None:
    """All that they have."""
    assert (find("when: id", size(a=LONG)), find("when: id", size()), find("write: {mode: delete}", size(a=LONG))) == (
        found(409_648),
        [],
        [],
    )


def test_elements(find: Any) -> None:
    """Each is an item."""
    line = {**CLOSED, "required": ["id"], "properties": {"id": KEY, "a": LONG}}
    schema = json.dumps(
        {"type": "object", "required": ["lines"], "properties": {"lines": {"type": "array", "items": line}}}
    )

    assert (find("for_each: lines", schema), find("for_each: 'lines[?a]'", schema)) == (found(409_648), [])
