"""Indexes that DynamoDB refuses, and attributes that may not fit their keys."""

import json
from typing import Any

import pytest

CODES = ("RT621", "RT636", "RT637", "RT638", "RT640")
WORD = {"type": "string", "minLength": 1, "maxLength": 9}
TABLE = "key: {id: S}, indexes: {by_x: {key: {x: S, at: N}}}"
BY_X = "the key of index 'by_x'"
FEW = (
    "one partition takes 1,000 writes of 1 KB a second, and a throttled index throttles its table; add an attribute "
    "that differs to the partition key"
)
AT_X = "at /properties/x of schema 'schema.json'"
PLUGIN = """
@hookimpl
def router_transform_item(item, message, route):
    return item
"""


def schema(**properties: Any) -> str:
    """A closed schema of objects with an `id`."""
    given = {"id": WORD, **properties}
    return json.dumps({"type": "object", "required": ["id"], "properties": given, "additionalProperties": False})


@pytest.mark.parametrize(
    ("item", "x", "found"),
    [
        ("item: {id: id, x: x}", WORD, []),
        ("item: {id: id}", {"type": "object"}, []),
        ("write: {mode: delete}", {"type": "object"}, []),
        (
            "item: {id: id, x: x}",
            {"type": ["object", "string"], "minLength": 1, "maxLength": 9},
            [f"RT638 'x' may be an object, and is S in the key of index 'by_x'; add 'type: string' {AT_X}"],
        ),
        (
            "item: {id: id, x: {value: 1}}",
            WORD,
            [
                f"RT638 'x' may be a number, and is S in {BY_X}; map it with 'type: S', or leave it out",
                f"RT621 the partition key of index 'by_x' has only one value: {FEW}",
            ],
        ),
        (
            "item: {id: id, x: {from: x, missing: 'null'}}",
            WORD,
            ["RT638 'x' may be null by 'missing: null', and is S in the key of index 'by_x'; write 'missing: omit'"],
        ),
        (
            "item: {id: id, x: {from: x, 'null': 'null'}}",
            {"type": ["string", "null"], "minLength": 1, "maxLength": 9},
            ["RT638 'x' may be null by 'null: null', and is S in the key of index 'by_x'; write 'null: omit'"],
        ),
        (
            "item: {id: id, x: {from: x, transform: strip}}",
            {"type": "string", "maxLength": 9},
            ["RT639 'x' may be empty, and is in the key of index 'by_x'; omit it where it is empty"],
        ),
        (
            "item: {id: id, x: x}",
            {"type": "string", "minLength": 1},
            [f"RT640 'x' may have more than 2048 bytes, and is in {BY_X}; add 'maxLength: 512' {AT_X}"],
        ),
        (
            "item: {id: id, x: x}, write: {mode: update, append: [x]}",
            WORD,
            ["RT638 'x' is a list, and S in the key of index 'by_x'; append to another attribute"],
        ),
        ("item: {id: id}, merge: {from: id}", WORD, []),
        (
            "item: {id: id, x: x}",
            {"enum": ["a", "b"]},
            [
                f"RT621 the partition key of index 'by_x' has only 2 values: {FEW}",
            ],
        ),
    ],
)
def test_attributes(find: Any, item: str, x: dict[str, Any], found: list[str]) -> None:
    """Their type, null, emptiness and length; the first that does not fit."""
    assert sorted(find(item, schema(x=x), TABLE)) == sorted(found)


def test_nothing_is_known_of_items(find: Any) -> None:
    """After a plugin, and without a schema."""
    bad = schema(x={"type": "object"})

    assert find("item: {id: id, x: x}", bad, TABLE, plugin=PLUGIN) == []
    assert find("item: {id: id, x: x}", "", TABLE) == []


def test_whole_messages(find: Any) -> None:
    """A property of the message is an attribute; JSON has no binary values."""
    table = "key: {id: S}, indexes: {by_x: {key: {x: B}}}"

    assert find("write: {mode: put}", schema(x=WORD), table) == [
        "RT638 'x' may be text, and is B in the key of index 'by_x'; map it with 'type: B', or leave it out"
    ]


def test_projected_attributes(find: Any) -> None:
    """The lists of all indexes together have a limit."""
    lists = [json.dumps([f"a{index}{number}" for number in range(51)]) for index in range(2)]
    indexes = ", ".join(f"by_{each}: {{key: {{x: S}}, projection: {names}}}" for each, names in enumerate(lists))

    assert find("item: {id: id}", schema(), f"key: {{id: S}}, indexes: {{{indexes}}}") == [
        "RT636 the indexes of table 't' list 102 attributes, of at most 100; write 'projection: all' for some of them"
    ]
