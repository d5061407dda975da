"""Paths that lead to nothing, or nearly so."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.config import EXPRESSION_KEYS

CODES = (
    "RT410",
    "RT422",
)

SCHEMA = {
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 9},
        "device": {"$ref": "#/$defs/device"},
        "lines": {
            "type": "array",
            "prefixItems": [{"properties": {"first": {}}}],
            "items": {"anyOf": [{"$ref": "part.json#/$defs/line"}, {"required": ["b"]}]},
        },
        "text": {"type": "string"},
    },
    "patternProperties": {"^x-": {"properties": {"model": {}}}, "^(?P<y>y)": {}},
    "$defs": {"device": {"type": "object", "properties": {"model": {}}, "additionalProperties": False}},
}
PART = '{"$defs": {"line": {"properties": {"product": {}}}}}'
NOBODY = "RT410 no message that satisfies the schema has"
UNKNOWN = "is not declared in the schema"
DEVICE = "at /$defs/device of schema 'schema.json'"


@pytest.fixture
def paths(find: Any) -> Any:
    """What is found of an attribute `a` beside a sound key."""

    def run(attribute: str, more: str = "", schema: Any = SCHEMA) -> Any:
        Path("part.json").write_text(PART, encoding="utf-8")
        key = "message.id" if more else "id"
        return find(f"item: {{id: {key}, a: {attribute}}}{more}", json.dumps(schema))

    return run


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ("device.model", []),
        ("device.madel", [f"{NOBODY} 'device.madel'; did you mean 'model'?"]),
        ("device.colour", [f"{NOBODY} 'device.colour'; see what is declared {DEVICE}"]),
        ("text.length", [f"{NOBODY} 'text.length'; see what is declared at /properties/text of schema 'schema.json'"]),
        ("devize.model", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("colour", []),
        ("'\"x-device\".model'", []),
        ("'@.devize'", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("'@'", []),
        ("'[devize, device]'", []),
        ("'[devize]'", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("'devize | madel'", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("'devize.[madel]'", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("'@.[devize]'", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("'sort_by(lines, &madel)[0].x'", []),
        ("'lines[0].produkt'", [f"RT411 'lines[].produkt' {UNKNOWN}; did you mean 'product'?"]),
        ("'lines[-1].product'", []),
        ("'lines[*].[produkt]'", [f"RT411 'lines[].produkt' {UNKNOWN}; did you mean 'product'?"]),
        ("'lines[0:2].produkt'", [f"RT411 'lines[].produkt' {UNKNOWN}; did you mean 'product'?"]),
        ("'lines[?produkt].first'", [f"RT411 'lines[].produkt' {UNKNOWN}; did you mean 'product'?"]),
        ("'lines[].produkt'", []),
        ("'lines.*.produkt'", []),
        ("'lines[*].product | [0].produkt'", []),
        ("'text[0].first'", [f"{NOBODY} 'text[].first'; see what is declared at /properties/text of"]),
        ("'{x: devize, y: text}'", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("{template: '{devize}'}", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("{template: '{devize'}", ["RT405"]),
        ("{hash: [devize]}", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("{ttl: {from: devize, after: 1d}}", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        ("'['", ["RT401"]),
        ("{value: x}", []),
    ],
)  # fmt: skip
def test_paths_of_a_message(paths: Any, attribute: str, found: list[str]) -> None:
    """Errors where nothing can be, warnings where a name is nearly one that the schema has."""
    lines = paths(attribute)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ("element.product", []),
        ("element.produkt", [f"RT411 'lines[].produkt' {UNKNOWN}; did you mean 'product'?"]),
        ("element.furst", [f"RT411 'lines[].furst' {UNKNOWN}; did you mean 'first'?"]),
        ("message.devize", [f"RT411 'devize' {UNKNOWN}; did you mean 'device'?"]),
        (
            "product",
            [
                (
                    "RT412 'product' begins with neither 'element' nor 'message'; "
                    "write 'element.product' or 'message.product'"
                )
            ],
        ),
        ("'message.lines[0].produkt'", [f"RT411 'lines[].produkt' {UNKNOWN}; did you mean 'product'?"]),
        (
            "'[0].product'",
            [
                (
                    "RT412 '[0].product' begins with neither 'element' nor 'message'; "
                    "write 'element.[].product' or 'message.[].product'"
                )
            ],
        ),
        (
            "elements.product",
            ["RT412 'elements.product' begins with neither 'element' nor 'message'; did you mean 'element'?"],
        ),
    ],
)
def test_paths_of_an_element(paths: Any, attribute: str, found: list[str]) -> None:
    """They begin with `element` or `message`."""
    assert paths(attribute, ", for_each: lines") == found


@pytest.mark.parametrize(
    ("for_each", "found"),
    [
        ("lines", []),
        ("'lines[?b]'", []),
        ("'@'", ["RT422 '@' may not be a list; "]),
        ("'['", ["RT401"]),
        ("device", ["RT422 the list 'device' may be missing; add 'device' to 'required' at the root of"]),
        ("id", ["RT422 'id' may not be a list; add 'type: array' at /properties/id of schema 'schema.json'"]),
        ("device.lines", [f"{NOBODY} 'device.lines'; see what is declared {DEVICE}"]),
    ],
)
def test_lists(paths: Any, for_each: str, found: list[str]) -> None:
    """What `for_each` goes over is a list that is always there."""
    lines = paths("{value: x}", f", for_each: {for_each}")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


KEY = {"type": "string", "minLength": 1, "maxLength": 9}
ANY = {"type": "object", "required": ["id"], "properties": {"id": KEY, "customer": {}}}
NODE = {"anyOf": [{"$dynamicRef": "#node"}, {}], "$dynamicAnchor": "node"}
SLIP = [f"RT411 'custommer' {UNKNOWN}; did you mean 'customer'?"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, SLIP),
        ({"$ref": "#anchor", "$defs": {"d": {"$anchor": "anchor"}}}, SLIP),
        ({"$ref": "own.json"}, SLIP),
        ({"$ref": "#/$defs/a~1b/anyOf/0", "$defs": {"a/b": NODE}}, []),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, []),
        ({"$ref": "#anchor", "$defs": {"d": {"$anchor": "anchor", "properties": {"custommer": {}}}}}, []),
    ],
)  # fmt: skip
def test_references(paths: Any, more: Any, found: list[str]) -> None:
    """Where one cannot be followed, there may be names behind it, so that nothing looks like a slip."""
    Path("own.json").write_text('{"$id": "https://example.com/own.json"}', encoding="utf-8")

    assert paths("custommer", schema={**ANY, **more}) == found


def test_a_pattern_that_python_cannot_read_may_match(paths: Any) -> None:
    """No name looks like a slip of another one."""
    assert paths("custommer", schema={**ANY, "patternProperties": {"\\p{L}": {}}}) == []


@pytest.mark.parametrize(
    ("route", "found"),
    [
        ("when: \"tpe == 'x'\"", ["RT411 'tpe' is not declared in the schema; did you mean 'type'?"]),
        ("when: \"type == 'x' && tpe\"", []),
        ("when: \"kind == 'x'\"", []),
        ("when: 'lines[0].prodct'", ["RT411 'lines[].prodct' is not declared in the schema; did you mean 'product'?"]),
        ("for_each: lnes", ["RT422 "]),
        ("for_each: 'lnes[?a]'", ["RT411 'lnes' is not declared in the schema; did you mean 'lines'?", "RT422 "]),
        ("for_each: 'lines[?product]'", ["RT422 the list 'lines' may be missing; add 'lines' to 'required' at the ro"]),
        ("for_each: 'lines || type'", []),
        ("for_each: 'lines[*].product'", ["RT422 "]),
        ("for_each: 'to_array(type)'", []),
    ],
)  # fmt: skip
def test_paths_outside_items(find: Any, route: str, found: list[str]) -> None:
    """Of conditions only what looks like a typo is reported: they are evaluated on other messages, too."""
    schema = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string"},
            "lines": {"type": "array", "items": {"properties": {"product": {"type": "string"}}}},
        },
    }
    lines = find(f"{route}, item: {{id: {{meta: message_id}}}}", json.dumps(schema))

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_each_key_with_an_expression_is_checked(find_all: Any) -> None:
    """A typo in any of them is found."""
    schema = {"type": "object", "properties": {f"{key}_value": {} for key in EXPRESSION_KEYS}}
    typos = {key: f"not_null({key}_valeu)" for key in EXPRESSION_KEYS}
    nested = {"item": {"id": "id", "n": typos.pop("item")}, "for_each": typos.pop("for_each")}
    write = {"mode": "update", "add": ["n"], "once": "keys", "once_key": typos.pop("once_key")}
    route = {"queue": "q", "table": "things", "schema": "schema.json"}
    routes = {
        "one": {**route, **typos, "item": nested["item"], "write": write},
        "each": {**route, "for_each": nested["for_each"], "item": {"id": "message.id"}},
    }
    tables = {name: {"key": {"id": "S"}} for name in ("things", "keys")}
    config = {"queues": {"q": {"dead_letter": "d"}}, "tables": tables, "routes": routes}

    found = find_all(
        "\n".join(f"{key}: {json.dumps(value)}" for key, value in config.items()), schema=json.dumps(schema)
    )

    unknown = [f"RT411 '{key}_valeu' {UNKNOWN}; did you mean '{key}_value'?" for key in EXPRESSION_KEYS]
    assert [each for each in unknown if each not in found] == []


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("nmae", "name"),
        ("tagz", "tags"),
        ("nxme", "name"),
        ("mane", ""),
        ("naem.x", "name"),
        ("ix", ""),
        ("nmea", ""),
    ],
)
def test_slips_in_short_names(find: Any, path: str, near: str) -> None:
    """In four letters one wrong letter, or two exchanged neighbours, are a typo; in two they are another name."""
    text = {"type": "string", "maxLength": 9}
    properties = {"id": {**text, "minLength": 1}, "name": text, "tags": text}
    schema = json.dumps({"type": "object", "required": ["id"], "properties": properties})

    found = [line for line in find(f"item: {{id: id, a: {path}}}", schema) if "RT411" in line]

    expected = f"RT411 '{path.split('.', maxsplit=1)[0]}' is not declared in the schema; did you mean '{near}'?"
    assert found == ([expected] if near else [])
