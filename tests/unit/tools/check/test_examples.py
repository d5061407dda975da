"""Messages that refute claims are found in schemas whose messages are not easily made."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.tools.check.run import examine

CONFIG = """\
version: 1
tables: {things: {key: {id: S}}}
queues: {q: {dead_letter: dlq}}
routes:
  r: {queue: q, table: things, schema: SCHEMA, ROUTE}
"""
HARD: dict[str, Any] = {"type": "string", "pattern": "^([0-9a-z][-]?){1,9}-[0-9a-z]{3}$|^arn:[a-z]+:x$"}
IF = {"type": "string"}
BRANCHES = [
    {"type": "object", "properties": {name: IF, "if": IF}, "additionalProperties": False} for name in ("mail", "hook")
]
TAG = {"type": "object", "properties": {"key": IF}, "required": ["key"], "additionalProperties": False}
MAP = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": False}}


KIND = {"properties": {"kind": {"const": "a"}}}
THEN = {"properties": {"a": HARD}}
UNDECIDED = {"type": "string", "format": "date", "pattern": "^2"}
"""What the library cannot decide about."""


@pytest.fixture
def claim(tmp_path: Path) -> Any:
    """Returns a function from properties and a route to the verdict on a claim, with the codes and the reason."""

    def run(schema: Any, route: str, subject: str, kind: str) -> str:
        text = CONFIG.replace("SCHEMA", json.dumps(schema)).replace("ROUTE", route)
        (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
        entries = examine(tmp_path / "routes.yaml", {}).ledger.entries
        found = next(entry for entry in entries if (entry.kind, entry.subject) == (kind, subject))
        return " ".join([found.verdict, *found.codes, found.reason]).rstrip()

    return run


def closed(properties: Any, *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TOO_LARGE = "refuted RT623 '{}' may be so long that the item has more than 409600 bytes"
KEY = "id: {value: k}"


@pytest.mark.parametrize(
    ("schema", "route", "subject", "kind", "expected"),
    [
        pytest.param(
            closed({"a": {"enum": ["x"]}, "b": HARD, "c": {**HARD, "minLength": 12}}, "b", "c"),
            f"item: {{{KEY}, a: {{from: a, missing: error}}}}",
            *("a", "mapping", "refuted RT431"),
            id="a pattern with alternatives beside it",
        ),
        pytest.param(
            closed({"list": {"type": "array", "items": {"oneOf": BRANCHES}}}),
            f"for_each: list, item: {{{KEY}, a: element.if}}",
            *("", "size", TOO_LARGE.format("list[].if")),
            id="a property of two branches of oneOf",
        ),
        pytest.param(
            closed({"tags": {"type": "array", "items": TAG, "uniqueItems": True}}),
            f"item: {{{KEY}, a: tags}}",
            *("", "size", TOO_LARGE.format("tags")),
            id="a list of different elements",
        ),
        pytest.param(
            closed({"map": MAP, "other": MAP}),
            f"when: map, item: {{{KEY}, a: other}}",
            *("", "size", TOO_LARGE.format("other")),
            id="a map with values of a type, beside one that is tested",
        ),
        pytest.param(
            closed({"a": IF, "b": IF}),
            f"item: {{{KEY}, a: {{template: '{{a}}-{{b}}'}}}}",
            *("", "size", TOO_LARGE.format("a")),
            id="a template of two texts",
        ),
        pytest.param(
            {**closed({"kind": {"enum": ["a", "b"]}, "a": {}, "b": UNDECIDED}, "kind", "b"), "if": KIND, "then": THEN},
            f"when: kind == 'a', item: {{{KEY}, a: {{from: a, type: N}}}}",
            *("a", "type", "refuted RT416"),
            id="a branch of if without else",
        ),
        pytest.param(
            {"required": ["a"], "properties": {"a": IF}},
            "when: \"starts_with(a, 'x')\", item: {id: {value: k}}",
            *("", "when", "refuted RT244 'starts_with(a, 'x')' failed: starts_with() cannot take null"),
            id="a message that is no object",
        ),
    ],
)
def test_a_message_is_found(claim: Any, schema: Any, route: str, subject: str, kind: str, expected: str) -> None:
    assert claim(schema, route, subject, kind) == expected


WORDS = {"type": "array", "items": {"enum": ["x", "y"]}}
SHORT = {"type": "array", "items": {**IF, "maxLength": 9000}}
LIST = {"type": "array", "items": {"type": "object"}}


@pytest.mark.parametrize(
    ("properties", "attribute"),
    [
        pytest.param({"a": IF}, "{from: a, type: N}", id="a number"),
        pytest.param({"a": LIST}, "{from: a, type: NS}", id="numbers of objects"),
        pytest.param({"a": WORDS}, "{from: a, type: NS}", id="numbers of words"),
        pytest.param({"a": {"type": "object"}}, "{from: a, type: L}", id="a list of an object"),
        pytest.param({"a": {"type": "boolean"}}, "{from: a, transform: upper}", id="letters of a boolean"),
        pytest.param({"a": LIST}, "{from: a, transform: [{join: ','}]}", id="a text of objects"),
        pytest.param({"a": LIST}, "{template: 'x{a}'}", id="a template of a list"),
        pytest.param({"a": IF}, "'a[].b'", id="the elements of a text"),
        pytest.param({"a": {"type": "array", "items": TAG}}, "'a[].b'", id="a property that no element has"),
        pytest.param({"a": IF}, "'sort(a)'", id="a function of lists on a text"),
        pytest.param({"a": {**IF, "maxLength": 9000}}, "{from: a, transform: parse_json}", id="JSON in a short text"),
        pytest.param({"a": SHORT}, "{from: a, transform: first}", id="the first of short texts"),
    ],
)
def test_a_small_attribute(claim: Any, properties: Any, attribute: str) -> None:
    """What is always refused, missing or short makes no item too large, whatever the schema says of its length."""
    assert claim(closed(properties), f"item: {{{KEY}, a: {attribute}}}", "", "size") == "proved"


def test_a_long_key(claim: Any) -> None:
    """Has a finding of its own: no item is too large for it."""
    schema = closed({"a": IF}, "a")

    assert [claim(schema, "item: {id: a}", "id", "key"), claim(schema, "item: {id: a}", "", "size")] == [
        "refuted RT612",
        "proved",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 3.0, "maxLength": 5.0},
        {"type": "array", "minItems": 3.0, "maxItems": 1e1, "items": {"type": "string"}},
        {"type": "object", "minProperties": 2.0, "maxProperties": 4.0},
    ],
)
def test_lengths_and_counts_may_have_a_fraction_of_zero(claim: Any, schema: Any) -> None:
    """A message is made as if they had none."""
    whole = {key: int(value) if isinstance(value, float) else value for key, value in schema.items()}
    route = "item: {id: {hash: [b]}, b: {from: b, type: BOOL}}"

    found = claim(closed({"b": schema}, "b"), route, "b", "type")

    assert found == claim(closed({"b": whole}, "b"), route, "b", "type")
    assert found.startswith("refuted")
