"""Items that can be too large, where the schema bounds them."""

import json
import sys
import time
from typing import Any

import pytest

CODES = (
    "RT410",
    "RT615",
)

KEY = {"type": "string", "minLength": 1, "maxLength": 10}
LONG = {"type": "string", "maxLength": 102_400}
OPEN = {"type": "object", "properties": {"c": {"type": ["integer", "null"]}}}
BIT = {"type": "string", "maxLength": 200}
MANY = {"type": "array", "maxItems": 1000}
CLOSED = {"type": "object", "additionalProperties": False}


def size(**properties: Any) -> str:
    return json.dumps({**CLOSED, "required": ["id"], "properties": {"id": KEY, **properties}})


def found(bytes_: int) -> list[str]:
    return [
        (
            f"RT615 the schema allows an item of {bytes_} bytes, over the limit of 409600; "
            "lower 'maxLength' or 'maxItems', or map less"
        )
    ]


@pytest.mark.parametrize(
    ("item", "schema", "lines"),
    [
        ("id: id", size(), []),
        ("id: id, a: a", size(a=LONG), found(409_643)),
        ("id: id, a: a", size(a={"type": "string"}), []),
        ("id: id, a: {from: a, transform: strip}", size(a=LONG), found(409_643)),
        ("id: id, a: {from: a, transform: [lower, strip]}", size(a=LONG), found(409_643)),
        ("id: id, a: {from: a, transform: [{truncate: 10}]}", size(a=LONG), []),
        ("id: id, a: {from: a, type: json}", size(a=LONG), found(409_643)),
        ("id: id, a: {from: a, type: B}", size(a=LONG), []),
        ("id: id, a: {template: 'a{a}'}", size(a=LONG), found(409_643)),
        ("id: id, a: {template: '{id}{a}{'}", size(a=LONG), ["RT405"]),
        ("id: id, a: '['", size(a=LONG), ["RT401"]),
        ("id: id, a: {value: x}", size(a=LONG), []),
        ("id: id, a: a || b", size(a=LONG, b=LONG), found(409_643)),
        ("id: id, a: b || a", size(a=LONG, b={"type": "string"}), found(409_643)),
        ("id: id, a: length(b) || a", size(a=LONG, b={}), []),
        ("id: id, a: b || length(a)", size(a=LONG, b={"maxLength": 9}), []),
        ("id: id, a: '{x: a, y: [b]}'", size(a=LONG, b=LONG), found(819_244)),
        ("id: id, a: a", size(a={**LONG, "pattern": "x"}), []),
        ("id: id, a: a", size(a={"anyOf": [LONG, {"type": "string", "maxLength": 8}]}), found(409_643)),
        ("id: id, a: a", size(a={"allOf": [LONG, {"maxLength": 8}]}), []),
        ("id: id, a: a, b: b.c", size(a=LONG, b=OPEN), found(409_643)),
        ("id: id, a: a, b: b", size(a=LONG, b={"type": "number"}), found(409_664)),
        ("id: id, a: a", size(a={**MANY, "items": {"type": "string", "maxLength": 200}}), found(801_046)),
        ("id: id, a: 'a[*].b'", size(a={**MANY, "items": {"properties": {"b": BIT}}}), found(801_046)),
        ("id: id, a: 'a[*].c'", size(a={**MANY, "items": {"properties": {"b": BIT}}}), []),
        ("id: id, a: a", size(a={**MANY, "items": {"properties": {"b": BIT, "c": {"type": "null"}}}}), found(806_046)),
        ("id: id, a: a", size(a={**MANY, "items": {}}), []),
        ("id: id, a: a", size(a=MANY), []),
        ("id: id, a: a", size(a={**CLOSED, "properties": {"b": LONG, "c": {"type": "boolean"}}}), found(409_644)),
        ("id: id, a: a", size(a={**CLOSED, "properties": {"b": LONG, "c": {}}}), found(409_644)),
        ("id: id, a: a", size(a={"$ref": "#/properties/a"}), []),
        (
            "id: id, a: a",
            size(a={**CLOSED, "properties": {"a": {"$ref": "#/properties/a"}, "b": LONG}}),
            [],
        ),
    ],
)  # fmt: skip
def test_items(find: Any, item: str, schema: str, lines: list[str]) -> None:
    """Only what is bounded counts: of the rest nothing is known."""
    got = find(f"item: {{{item}}}", schema)

    assert [line[: len(start)] for line, start in zip(got, lines, strict=True)] == lines


EXCLUSIVE = {
    "type": "object",
    "required": ["id", "k"],
    "properties": {"id": KEY},
    "oneOf": [
        {"properties": {"k": {"const": "a"}, "a": {"type": "string", "maxLength": 60_000}, "b": False}},
        {"properties": {"k": {"const": "b"}, "b": LONG, "a": False}},
    ],
}


def test_branches(find: Any) -> None:
    """Only what one message can have counts, and only what `when` lets through."""
    schema = json.dumps(EXCLUSIVE)

    assert [find(f'when: "{when}", item: {{id: id, a: a, b: b}}', schema) for when in ("k", "k == 'a'")] == [
        found(409_643),
        ["RT410 no message that the route takes has 'b', by its 'when'; leave it out, or change the condition"],
    ]


def test_whole_messages(find: Any) -> None:
    """All that they have."""
    assert (find("when: id", size(a=LONG)), find("when: id", size()), find("write: {mode: delete}", size(a=LONG))) == (
        found(409_643),
        [],
        [],
    )


def test_elements(find: Any) -> None:
    """Each is an item."""
    line = {**CLOSED, "required": ["id"], "properties": {"id": KEY, "a": LONG}}
    schema = json.dumps(
        {"type": "object", "required": ["lines"], "properties": {"lines": {"type": "array", "items": line}}}
    )

    assert (find("for_each: lines", schema), find("for_each: 'lines[?a]'", schema)) == (found(409_643), [])


RECURSIVE = {"$ref": "#"}
WIDE = {f"k{index}": RECURSIVE for index in range(100)}


@pytest.mark.timing
@pytest.mark.parametrize(
    "more",
    [
        {"x": RECURSIVE, "y": RECURSIVE, "z": RECURSIVE},
        {"x": {"anyOf": [RECURSIVE, {"type": "array", "maxItems": 9, "items": RECURSIVE}]}, "y": RECURSIVE},
        {"x": {"anyOf": [{"type": "object", "properties": WIDE} for _ in range(40)]}},
        {"x": {"type": "array", "maxItems": 9, "items": {"type": "object", "properties": WIDE}}},
    ],
)
def test_schemas_with_many_paths(find: Any, more: Any) -> None:
    """A schema whose paths are too many to measure is given up soon, without a finding."""
    schema = {"type": "object", "required": ["id"], "properties": {"id": KEY, "a": LONG, **more}}
    # The tracer of coverage takes most of the time: measure without it.
    tracer = sys.gettrace()
    sys.settrace(None)
    started = time.process_time()
    find("write: {mode: put}", json.dumps(schema))
    seconds = time.process_time() - started
    sys.settrace(tracer)

    lines = find("write: {mode: put}", json.dumps(schema))

    assert (lines, seconds < 5) == ([], True)


NAMES = [f"n{number}" for number in range(40)]
PLAIN: dict[str, Any] = {"type": "object", "required": ["id"]}
ANY_NAME: dict[str, Any] = {"properties": {name: {} for name in NAMES}}


def branches(**others: Any) -> str:
    """A schema whose second branch says how long what the first one names may be."""
    return json.dumps({**PLAIN, "properties": {"id": KEY, "a": {"allOf": [ANY_NAME, others]}}})


@pytest.mark.parametrize(
    ("item", "schema"),
    [
        ("id: id, a: a", branches(additionalProperties={"type": "string", "maxLength": 5000})),
        ("id: id, a: a", branches(patternProperties={"^n": {"type": "string", "maxLength": 5000}})),
        ("id: id, a: a", json.dumps({**PLAIN, "properties": {"id": KEY, "a": {**MANY, "items": BIT}}})),
        (
            "id: id, a: a",
            json.dumps({**PLAIN, "properties": {"id": KEY, "a": {"type": "string", "maxLength": 102_400}}}),
        ),
        (
            "id: id, a: a",
            json.dumps(
                {
                    **PLAIN,
                    "$defs": {"text": {"type": "string", "maxLength": 20_000}},
                    "properties": {
                        "id": KEY,
                        "a": {"type": "object", "properties": {name: {"$ref": "#/$defs/text"} for name in NAMES[:6]}},
                    },
                }
            ),
        ),
        (
            f"id: id, a: '[{', '.join(['t'] * 20)}]'",
            json.dumps({**PLAIN, "properties": {"id": KEY, "t": {"type": "string", "maxLength": 8000}}}),
        ),
        (
            f"id: id, {', '.join(f'{name}: t' for name in NAMES[:20])}",
            json.dumps({**PLAIN, "properties": {"id": KEY, "t": {"type": "string", "maxLength": 8000}}}),
        ),
    ],
)
def test_a_schema_that_repeats_a_part_is_measured(find: Any, item: str, schema: str) -> None:
    """A schema of few characters has a large value by what is about many paths, or read many times."""
    got = find(f"item: {{{item}}}", schema)

    assert [line[:5] for line in got if line.startswith("RT615")] == ["RT615"], got
