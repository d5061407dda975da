"""Functions of expressions that fail on what the schema lets through."""

import json
from typing import Any

import pytest

CODES = ("RT430",)

SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["id", "n", "mixed", "numbers", "nullable", "rows", "objects", "device", "list", "texts"],
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": 9},
            "n": {"type": "number"},
            "mixed": {"type": ["number", "string"]},
            "some": {"type": "string"},
            "numbers": {"type": "array", "items": {"type": "number"}},
            "texts": {"type": "array", "items": {"type": "string"}},
            "nullable": {"type": "array", "items": {"type": ["number", "null"]}},
            "list": {"type": "array"},
            "rows": {
                "type": "array",
                "items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {}}},
            },
            "objects": {
                "type": "array",
                "items": {"type": ["object", "null"], "properties": {"a": {"type": "string"}}},
            },
            "device": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            "maybe": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
    }
)
PROPERTY = "of schema 'schema.json'"
OTHER = "choose another function, or convert the argument first"


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("length(id)", []),
        ("sum(numbers)", []),
        ("sum(id)", [f"RT429 sum() accepts a list, and its argument is text; {OTHER}"]),
        ("keys(id)", [f"RT429 keys() accepts an object, and its argument is text; {OTHER}"]),
        ("length(mixed)", ["RT430 length() accepts text, a list or an object, and its argument may be a number; add "]),
        ("abs(mixed)", ["RT430 abs() accepts a number, and its argument may be text; add 'type: number' at /properti"]),
        ("length(some)", ["RT430 length() accepts text, a list or an object, and its argument may be missing: the sc"]),
        ("length(other)", ["RT430 length() accepts text, a list or an object, and its argument may be missing: the s"]),
        ("sum(texts)", ["RT430 sum() accepts a list of numbers, and its elements may be text; add 'type: number' at"]),
        ("sort(nullable)", ["RT430 sort() accepts a list of numbers or of texts, and its elements may be null; add '"]),
        ("sum(list)", []),
        ("sum(nullable[*])", []),
        ("to_string(some)", []),
        ("type(some)", []),
        ("some && length(some)", []),
        ("some || length(mixed)", ["RT430 "]),
        ("!some || length(some)", []),
        ("length(id) && length(some)", []),
        ("type(some) == 'string' && length(some)", []),
        ("contains(id, 'x') && 'a'", []),
        ("contains(n, 'x') && 'a'", ["RT429 contains() accepts a list or text, and its argument is a number; "]),
        ("[length(some)]", ["RT430 "]),
        ("device.length(name)", []),
        ("device.keys(name)", ["RT429 keys() accepts an object, and its argument is text; "]),
        ("device.name | keys(@)", ["RT429 "]),
        ("device.name.keys(@)", ["RT429 "]),
        ("maybe.length(name)", ["RT430 "]),
        ("maybe.{size: length(name)}", []),
        ("maybe.{size: keys(name)}", ["RT429 "]),
        ("rows[*].length(a)", []),
        ("rows[*].keys(a)", ["RT429 "]),
        ("rows[*].[keys(a)]", ["RT429 "]),
        ("objects[*].[keys(a)]", []),
        ("rows[?contains(b, 'x')].a", ["RT430 "]),
        ("rows[?b && contains(b, 'x')].length(b)", []),
        ("rows[?a].keys(a)", []),
        ("rows[].keys(a)", []),
        ("device.*.keys(@)", []),
        ("device.[name][0].keys(@)", []),
        ("sort_by(rows, &a)", []),
        ("sort_by(rows, &b)", ["RT430 sort_by() accepts a number or text, and its argument may be missing: the schem"]),
        ("map(&length(a), rows)", []),
        ("map(&keys(a), rows)", ["RT429 "]),
        ("map(&keys(a), to_array(rows))", []),
        ("max_by(rows, &length(b))", ["RT430 length() "]),
        ("abs(['x'][0])", []),
        ("nothing(id)", ["RT401"]),
        ("[", ["RT401"]),
    ],
)  # fmt: skip
def test_functions(find: Any, expression: str, found: list[str]) -> None:
    """One that never accepts its argument is an error, one that does not always a warning."""
    lines = find(f'item: {{id: id, a: "{expression}"}}', SCHEMA)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


@pytest.mark.parametrize(
    ("route", "found"),
    [
        ("for_each: 'sort(n)', item: {id: element.id}", ["RT429 sort() accepts a list, and its argument is a number;"]),
        ("for_each: rows, item: {id: 'keys(element.a)'}", ["RT429 keys() accepts an object, and its argument is text"]),
        ("for_each: rows, item: {id: 'element.b && keys(element.b)'}", []),
        ("item: {id: id}, write: {mode: update, once: t, once_key: keys(id)}", ["RT429 keys() accepts an object, and"]),
        ("item: {id: {template: '{length(some)}'}}", ["RT430 "]),
        ("when: 'sum(id) > `0`', item: {id: id}", ["RT429 sum() accepts a list, and its argument is text; "]),
        ("when: 'length(some) > `0`', item: {id: id}", []),
        ("when: '[', item: {id: id}", ["RT401 "]),
    ],
)  # fmt: skip
def test_where(find: Any, route: str, found: list[str]) -> None:
    """In each expression whose failure rejects a message."""
    lines = find(route, SCHEMA)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found
