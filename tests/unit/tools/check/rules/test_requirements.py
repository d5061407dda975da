"""Attributes that reject a message without their value, and partition keys with few values."""

import json
from typing import Any

import pytest

CODES = ("RT431", "RT621")
TEXT = {"type": "string", "minLength": 1, "maxLength": 9}
SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["id", "kind", "flag", "null", "many"],
        "properties": {
            "id": TEXT,
            "kind": {"enum": ["a", "b"]},
            "flag": {"type": "boolean"},
            "null": {"type": ["string", "null"]},
            "some": TEXT,
            "many": {"enum": [f"w{number}" for number in range(101)]},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"id": {"enum": ["x", "y", "z"]}}}},
        },
    }
)
REJECTS = (
    "rejects messages without the value: the schema does not guarantee 'some'; add 'some' to 'required' at the root of"
)


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ("{hash: [id, kind]}", []),
        ("{hash: [id, some]}", [f"RT431 'hash' of attribute 'a' {REJECTS}"]),
        ("{from: id, missing: error}", []),
        ("{from: some, missing: error}", [f"RT431 'missing' of attribute 'a' {REJECTS}"]),
        ("{from: some, missing: error, default: x}", []),
        ("{from: some, missing: error, default: null}", [f"RT431 'missing' of attribute 'a' {REJECTS}"]),
        ("{from: some, missing: omit}", []),
        ("{from: '[', null: error}", ["RT401 "]),
        ("{from: other, null: error}", []),
        ("{from: some, null: error}", []),
        ("{meta: attribute.x, missing: error}", ["RT431 'missing' of attribute 'a' rejects messages without the valu"]),
    ],
)  # fmt: skip
def test_required_values(find: Any, attribute: str, found: list[str]) -> None:
    """The schema should require them, too."""
    lines = find(f"item: {{id: id, a: {attribute}}}", SCHEMA)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_a_null(find: Any) -> None:
    """It is no absent value."""
    schema = SCHEMA.replace('"null": {', '"nil": {').replace('"null", "many"', '"nil", "many"')

    assert find("item: {id: id, a: {from: nil, null: error}}", schema) == [
        (
            "RT431 'null' of attribute 'a' rejects messages in which the schema allows a null; "
            "remove null from the types in the schema"
        )
    ]


def test_a_version_and_a_key(find: Any) -> None:
    """Other rules report these."""
    route = "item: {id: {hash: [some]}, at: {hash: [some]}}, write: {mode: newest, version: at}"

    assert find(route, SCHEMA) == []


def hot(count: str) -> list[str]:
    return [
        (
            f"RT621 partition key 'id' has only {count}: one partition takes 1,000 writes of 1 KB a second; "
            "add a part that differs, as a date or an id, with 'template'"
        )
    ]


ONE_ITEM = [
    ("RT630 route 'r' writes one item: its key is the same for every message; take a part of the key from the message")
]


@pytest.mark.parametrize(
    ("route", "found"),
    [
        ("item: {id: id}", []),
        ("item: {id: kind}", hot("2 values")),
        ("item: {id: many}", []),
        ("item: {id: {template: '{flag}#{kind}'}}", hot("4 values")),
        ("item: {id: {template: '{flag}#{id}'}}", []),
        ("item: {id: {template: '{kind}{kind}{kind}{kind}{kind}{kind}{kind}'}}", []),
        ("item: {id: {value: x}}", ONE_ITEM),
        ("item: {id: \"'x'\"}", ONE_ITEM),
        ("item: {id: {meta: route}}", ONE_ITEM),
        ("item: {id: {value: x}}, write: {mode: insert}", ONE_ITEM),
        ("item: {id: {value: x}}, write: {mode: update}", hot("one value")),
        ("item: {id: {template: 'x#flag'}}", []),
        ("item: {id: {template: 'x#flags'}}", ONE_ITEM),
        ("item: {id: {meta: message_id}}", []),
        ("item: {id: {from: kind, transform: [upper]}}", hot("2 values")),
        ("item: {id: {from: kind, transform: [shout]}}", []),
        ("item: {id: length(kind)}", []),
        ("item: {id: '['}", ["RT401 "]),
        ("item: {b: id}", ["RT602 "]),
        ("for_each: lines", hot("3 values")),
        ("for_each: lines, item: {id: element.id}", hot("3 values")),
        ("for_each: lines, item: {id: id}", []),
    ],
)
def test_partition_keys(find: Any, route: str, found: list[str]) -> None:
    """A constant, true or false, and words of an enumeration are few values."""
    plugin = '@hookimpl\ndef router_register_transforms(register):\n    register("shout", lambda value: value)\n'
    lines = find(route, SCHEMA, plugin=plugin)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_partition_keys_of_which_nothing_is_known(find: Any) -> None:
    """Of the whole message, without a schema, and if a plugin changes items."""
    plugin = "@hookimpl\ndef router_transform_item(item, message, route): pass\n"
    whole = SCHEMA.replace(json.dumps(TEXT), '{"enum": ["a"]}', 1)

    assert (
        find("write: {mode: put}", whole),
        find("item: {id: kind}"),
        find("item: {id: kind}", SCHEMA, plugin=plugin),
    ) == (ONE_ITEM, [], [])


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("key: {id: S, at: N}", hot("one value")),
        ("key: {id: S, flag: S}", ONE_ITEM),
    ],
)
def test_keys_of_two_attributes(find: Any, key: str, found: list[str]) -> None:
    """The whole key is the same for every message only if both attributes are."""
    route = "item: {id: {value: x}, at: number, flag: {value: y}}"

    lines = find(route, SCHEMA, key)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found
