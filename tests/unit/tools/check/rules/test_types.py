"""Transforms and types that cannot take what the schema lets through."""

import json
from typing import Any

import pytest

CODES = (
    "RT410",
    "RT413",
    "RT424",
)

SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": 9},
            "n": {"type": "number"},
            "mixed": {"type": ["number", "string"]},
            "digits": {"type": "string", "pattern": "^[0-9]+$"},
            "uuid": {"type": "string", "format": "uuid"},
            "bit": {"enum": [0, 1]},
            "words": {"enum": ["low", "high"]},
            "order": {"type": "string", "pattern": "^ORD-[0-9]+$"},
            "email": {"type": "string", "format": "email"},
            "other": {"type": "string", "pattern": "^\\p{Lu}{3}$"},
            "counts": {"enum": ["1", "-2.5e3"]},
            "decimals": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?$", "minLength": 1},
            "strange": {"type": "string", "pattern": "^(?<n>[0-9])$"},
            "time": {"type": "string", "format": "date-time"},
            "base64": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})*$"},
            "texts": {"type": "array", "items": {"type": "string"}},
            "nullable": {"type": "array", "items": {"type": ["string", "null"]}},
            "objects": {"type": "array", "items": {"type": "object"}},
            "some": {"type": "array", "items": {"type": ["string", "object"]}},
            "list": {"type": "array"},
            "no": {"type": "null"},
            "rows": {
                "type": "array",
                "items": {"properties": {"a": {"type": ["string", "null"]}, "b": {"type": "object"}}},
            },
        },
    }
)
PLUGIN = """@hookimpl
def router_register_transforms(register):
    register("shout", lambda value: value)
"""
STRIP = "transform 'strip' accepts text, and the value"
DYNAMODB = "transform 'dynamodb_value' accepts an object, and the value"
PROPERTY = "of schema 'schema.json'"
REMOVE = "remove it, or transform the value first"


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ("{from: id, transform: strip}", []),
        ("{from: unknown, transform: [strip, round: 2]}", ["RT"]),
        ("{from: n, transform: strip}", [f"RT413 {STRIP} is a number; {REMOVE}"]),
        ("{from: n, transform: [shout, strip]}", []),
        ("{from: n, transform: [to_text, strip]}", []),
        ("{from: n, transform: [{scale: 2}, strip]}", [f"RT413 {STRIP} is a number; {REMOVE}"]),
        ("{from: id, transform: [parse_json, strip]}", ["RT414 transform 'parse_json' accepts JSON, and"]),
        ("{from: id, transform: dynamodb_value}", [f"RT413 {DYNAMODB} is text; {REMOVE}"]),
        ("{from: 'objects[0]', transform: [dynamodb_item, strip]}", [f"RT413 {STRIP} is an object; {REMOVE}"]),
        ("{from: id, transform: [url_decode, {scale: 2}]}", ["RT413 transform 'scale' accepts a number, and the"]),
        ("{from: id, transform: [to_number, {round: 2}]}", ["RT414 transform 'to_number' accepts a number, and the"]),
        ("{from: digits, transform: [to_number, {round: 2}]}", []),
        ("{from: id, transform: [base64_decode, sha256]}", ["RT414 "]),
        ("{from: id, transform: [base64_decode, to_text]}", ["RT414 "]),
        ("{from: mixed, transform: strip}", [f"RT414 {STRIP} may be a number"]),
        ("{from: texts, transform: [unique, {join: ','}, strip]}", []),
        ("{from: texts, transform: [unique, strip]}", [f"RT413 {STRIP} is a list; {REMOVE}"]),
        ("{from: no, transform: strip}", ["RT410"]),
        ("{from: id, transform: lookup}", ["RT404"]),
        ("{from: id, transform: shut}", ["RT403"]),
    ],
)  # fmt: skip
def test_transforms(find: Any, attribute: str, found: list[str]) -> None:
    """One that never takes the value is an error, one that does not always a warning."""
    lines = find(f"item: {{id: id, a: {attribute}}}", SCHEMA, plugin=PLUGIN)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


NO_NUMBER = "its value may be text that is not a number"
CHOOSE = "choose another type, or"
NEED_NOT = "RT416 attribute 'a' may fail to convert to type"
NEVER = "RT415 attribute 'a' never converts to type"


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ("{from: n, type: N}", []),
        ("{from: base64, transform: base64_decode, type: json}", []),
        ("{from: mixed, type: S}", []),
        ("{from: uuid, type: N}", [f"{NEED_NOT} N: {NO_NUMBER}, as 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'"]),
        ("{from: words, type: N}", [f"{NEED_NOT} N: {NO_NUMBER}, as 'low'; add 'pattern: ^[0-9]{{1,38}}$' at"]),
        ("{from: order, type: N}", [f"{NEED_NOT} N: {NO_NUMBER}, as 'ORD-0'; add"]),
        ("{from: email, type: N}", [f"{NEED_NOT} N: {NO_NUMBER}, as 'a@example.com'; add"]),
        ("{from: other, type: N}", [f"{NEED_NOT} N: {NO_NUMBER}; add"]),
        ("{from: other, transform: to_epoch}", []),
        ("{from: counts, type: N}", []),
        ("{from: decimals, type: N}", []),
        ("{from: strange, type: N}", []),
        ("{from: decimals, transform: to_number}", []),
        ("{from: words, transform: to_bool}", ["RT414 transform 'to_bool' accepts yes or no, and the"]),
        ("{from: n, transform: to_bool}", ["RT414 transform 'to_bool' accepts yes or no, and the value may be anothe"]),
        ("{from: bit, transform: to_bool}", []),
        ("{from: length(id), transform: to_bool}", []),
        ("{from: uuid, transform: to_epoch}", ["RT414 transform 'to_epoch' accepts a time with an offset"]),
        ("{from: time, transform: to_epoch}", []),
        ("{from: unknown, transform: to_epoch}", []),
        ("{from: base64, type: B}", []),
        ("{from: words, type: B}", [f"{NEED_NOT} B: its value may be text that is not Base64, as 'low'"]),
        ("{from: base64, transform: base64_decode}", []),
        ("{from: texts, type: BS}", [f"{NEED_NOT} BS: elements of the list may be text that is not Base64, as 'x'"]),
        ("{from: id, type: B}", [f"{NEED_NOT} B: its value may be text that is not Base64, as 'x'"]),
        ("{value: x, type: B}", ["RT406"]),
        ("{value: '1', type: N}", []),
        ("{value: [x], type: SS}", []),
        ("{from: unknown, type: M}", []),
        ("{from: digits, type: N}", []),
        ("{from: mixed, type: N}", [f"{NEED_NOT} N: its value may be text that is not a number"]),
        ("{from: n, type: L}", [f"{NEVER} L: its value is a number; {CHOOSE} transform the value first"]),
        ("{from: mixed, type: BOOL}", [f"{NEVER} BOOL: its value is text or a number"]),
        ("{from: id, type: N}", [f"{NEED_NOT} N: its value may be text that is not a number"]),
        ("{from: mixed, type: SS}", [f"{NEVER} SS: its value is text or a number"]),
        ("{from: texts, type: SS}", []),
        ("{from: list, type: SS}", []),
        ("{from: texts, type: L}", []),
        ("{from: texts, type: SS, transform: [unique]}", []),
        ("{from: nullable, type: SS}", [f"{NEED_NOT} SS: elements of the list may be null"]),
        ("{from: some, type: SS}", [f"{NEED_NOT} SS: elements of the list may be an object"]),
        ("{from: objects, type: SS}", [f"{NEVER} SS: the elements of the list are an object"]),
        ("{from: texts, type: NS}", [f"{NEED_NOT} NS: elements of the list may be text that is not a number"]),
        ("{from: 'objects[*].a', type: SS}", []),
        ("{from: 'rows[*].a', type: SS}", []),
        ("{from: 'rows[?a].b', type: SS}", [f"{NEVER} SS: the elements of the list are an object"]),
        ("{from: list, type: NS}", []),
        ("{from: 'list[*].b', type: NS}", []),
        ("{from: 'rows[*].b', type: M}", [f"{NEVER} M: its value is a list"]),
        ("{from: 'rows[].b', type: SS}", []),
        ("{from: 'rows[*].c[*].d', type: SS}", []),
        ("{from: '@[*].a', type: SS}", ["RT410 no message that satisfies the schema has '[].a'"]),
    ],
)  # fmt: skip
def test_types(find: Any, attribute: str, found: list[str]) -> None:
    """One that the value never has is an error, one that it need not have a warning."""
    lines = find(f"item: {{id: id, a: {attribute}}}", SCHEMA)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_a_value_of_two_types(find: Any) -> None:
    """Where one of them does not fit."""
    schema = SCHEMA.replace('["number", "string"]', '["number", "boolean"]')

    assert find("item: {id: id, a: {from: mixed, type: N}}", schema) == [
        f"{NEED_NOT} N: its value may be true or false; add 'type: number' at /properties/mixed {PROPERTY}"
    ]


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{id}#{n}#{mixed}#{unknown}", []),
        (
            "{id}#{list}",
            ["RT424 'list' in the template of 'a' is a list, which has no form as text; use a part of it, or"],
        ),
        (
            "{scalar}",
            ["RT425 'scalar' in the template of 'a' may be an object; add 'type: string' at /properties/scalar"],
        ),
        ("{id", ["RT405"]),
    ],
)
def test_templates(find: Any, template: str, found: list[str]) -> None:
    """They take text, numbers, true and false."""
    schema = SCHEMA.replace('"no":', '"scalar": {"type": ["boolean", "object"]}, "no":')
    lines = find(f"item: {{id: id, a: {{template: '{template}'}}}}", schema)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_no_encoding(find: Any) -> None:
    """In draft 7, of a schema that says nothing of it."""
    data = {"type": "string", "pattern": "^[a-z]{2,8}$"}
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "required": ["data"], "properties": {"data": data}}
    lines = find("item: {id: {value: x}, a: {from: data, type: B}}", json.dumps({**schema, "type": "object"}))

    assert [line[:5] for line in lines] == ["RT416"]


@pytest.mark.parametrize(
    ("draft", "found"),
    [
        ("http://json-schema.org/draft-07/schema#", []),
        (
            "https://json-schema.org/draft/2020-12/schema",
            [f"{NEED_NOT} B: its value may be text that is not Base64, as 'x'; add 'pattern"],
        ),
    ],
)
def test_an_encoding(find: Any, draft: str, found: list[str]) -> None:
    """Draft 7 asserts it, later drafts do not."""
    data = {"type": "string", "contentEncoding": "base64"}
    schema = {"$schema": draft, "type": "object", "required": ["data"], "properties": {"data": data}}
    lines = find("item: {id: {value: x}, a: {from: data, type: B}}", json.dumps(schema))

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found
