"""Whether a schema guarantees the key."""

import json
from typing import Any

import pytest

CODES = (
    "RT410",
    "RT610",
)

TEXT = {"type": "string", "minLength": 1, "maxLength": 100}
ROOT = "the root of schema 'schema.json'"
LONG = "key attribute 'id' may have more than 2048 bytes: the schema does not bound its length; "
ELEMENT = "at /properties/lines/items of schema 'schema.json'"
OBJECT = "RT611 key attribute 'id' may be an object, the key of table 't' is S; "


def schema(required: list[str] | None = None, *more: dict[str, Any], **properties: Any) -> str:
    """A closed schema of objects; all properties are required but those that are reported otherwise."""
    names = list(properties) if required is None else required
    return json.dumps({"type": "object", "required": names, "properties": properties, "allOf": [{}, *more]})


def missing(path: str, gap: str) -> list[str]:
    return [f"RT610 key attribute 'id' may be missing: the schema does not guarantee '{path}'; {gap}"]


@pytest.mark.parametrize(
    ("item", "given", "found"),
    [
        ("id: id", schema(id=TEXT), []),
        ("id: id", schema([], id=TEXT), missing("id", f"add 'id' to 'required' at {ROOT}")),
        ("id: a.b", '{"type": "object", "required": ["a"]}', missing("a.b", "add 'type: object' for 'a'")),
        ("id: missing || id", schema(id=TEXT, missing={"type": "null"}), ["RT410"]),
        ("id: id", '{"required": ["id"]}', missing("id", f"add 'type: object' at {ROOT}")),
        (
            "id: a.b",
            schema(a={"type": "object", "properties": {"b": TEXT}}),
            missing("a.b", "add 'b' to 'required' at /properties/a of schema 'schema.json'"),
        ),
        (
            "id: id",
            schema(id={**TEXT, "type": ["string", "null"]}),
            missing("id", "remove null from the types at /properties/id of schema 'schema.json'"),
        ),
        ("id: {from: id, default: none}", schema([], id=TEXT), []),
        ("id: id || other", schema(["other"], id=TEXT, other=TEXT), []),
        (
            "id: {hash: [id, other]}",
            schema(["id"], id=TEXT, other=TEXT),
            missing("other", f"add 'other' to 'required' at {ROOT}"),
        ),
        ("id: {hash: [id]}", schema(id=TEXT), []),
        ("id: {meta: message_id}", schema(), []),
        ("id: {meta: group_id}", schema(), []),
        ("id: {meta: attribute.id}", schema(), []),
        (
            "id: {meta: sequence_number}",
            schema(),
            ["RT610 key attribute 'id' is missing in every message: it has no such value; "],
        ),
        ("id: {template: 'U#{id}'}", schema(id={**TEXT, "minLength": 0}), []),
        ("id: {template: '{id}{other}'}", schema(id={**TEXT, "minLength": 0}, other=TEXT), []),
        ("id: {template: '{id}{other}'}", schema(id={**TEXT, "minLength": 0}, other={**TEXT, "minLength": 0}), []),
        ("id: {template: '{id'}", schema(), ["RT405 "]),
        ("id: {template: 'U#{id}'}", schema([], id=TEXT), missing("id", f"add 'id' to 'required' at {ROOT}")),
        ("id: {template: '{id}'}", schema(id={"type": ["integer", "boolean"]}), []),
        ("id: {template: '{id}'}", schema(id={**TEXT, "minLength": 0}), ["RT612 key attribute 'id' may be empty; "]),
        ("id: {from: id, type: S}", schema(id={"type": "integer"}), []),
        (
            "id: {from: id, type: S}",
            schema(id={"type": ["integer", "boolean"]}),
            [
                (
                    "RT611 key attribute 'id' may be true or false, the key of table 't' is S; "
                    "add 'type: string' at /properties/id of schema 'schema.json'"
                )
            ],
        ),
        ("id: {from: id, type: json}", schema(id=TEXT), [f"RT613 {LONG}"]),
        ("id: {value: 7}", schema(), ["RT611 key attribute 'id' may be a number, the key of table 't' is S; "]),
        ("id: {value: ''}", schema(), ["RT612 key attribute 'id' may be empty; "]),
        ("id: {from: id, transform: lower}", schema(id=TEXT), []),
        ("id: {from: id, transform: [sha256]}", schema(id=TEXT), []),
        ("id: {from: id, transform: {truncate: 9}}", schema(id=TEXT), []),
        ("id: {from: id, transform: {truncate: 0}}", schema(id=TEXT), ["RT612 key attribute 'id' may be empty; "]),
        ("id: {from: id, transform: url_decode}", schema(id=TEXT), []),
        ("id: {from: id, transform: dynamodb_value}", schema(id=TEXT), []),
        (
            "id: {from: id, transform: dynamodb_item}",
            schema(id={"type": "object"}),
            ["RT611 key attribute 'id' may be an object, the key of table 't' is S; "],
        ),
        ("id: {from: id, transform: [{truncate: 9}]}", schema(id={"type": "string", "minLength": 1}), []),
        ("id: {from: id, transform: [{truncate: 0}]}", schema(id=TEXT), ["RT612 key attribute 'id' may be empty; "]),
        ("id: {from: id, transform: [{truncate: [9]}]}", schema(id=TEXT), []),
        ("id: {from: id, transform: [shout]}", schema(id=TEXT), ["RT403 "]),
        (
            "id: id",
            schema(id={**TEXT, "maxLength": 600}),
            [
                (
                    "RT613 key attribute 'id' may have 600 characters, which can be more than 2048 bytes; "
                    "add 'maxLength: 512' at /properties/id of schema 'schema.json'"
                )
            ],
        ),
    ],
)
def test_a_key_of_text(find: Any, item: str, given: str, found: list[str]) -> None:
    """It is there, of its type, not empty and not too long, or what to add to the schema is reported."""
    lines = find(f"item: {{{item}}}", given)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


NUMBER = "the key of table 't' is N; "
AT = "at /properties/n of schema 'schema.json'"


@pytest.mark.parametrize(
    ("item", "given", "found"),
    [
        ("n: n", schema(n={"type": "integer"}), []),
        ("n: n", schema(n=TEXT), [f"RT611 key attribute 'n' may be text, {NUMBER}add 'type: number' {AT}"]),
        ("n: {from: n, type: N}", schema(n={"type": "string", "pattern": "^[0-9]+$"}), []),
        (
            "n: {from: n, type: N}",
            schema(n=TEXT),
            [f"RT611 key attribute 'n' may be text that is not a number, {NUMBER}add 'type: number' {AT}"],
        ),
        (
            "n: {template: '{n}'}",
            "",
            [f"RT611 key attribute 'n' may be text, {NUMBER}write 'type: N', if it is the text of a number"],
        ),
        ("n: {template: '{n}', type: N}", "", []),
        ("n: {hash: [n], type: N}", "", []),
        ("n: {meta: sent_at, type: N}", "", []),
        ("n: {ttl: 1d}", "", []),
        ("n: length(n)", schema(n={}), []),
        ("n: '`3`'", "", []),
        ("n: a > b", "", []),
        ("n: a == b", "", [f"RT611 key attribute 'n' may be true or false, {NUMBER}"]),
        ("n: '@'", schema(n={}), [f"RT611 key attribute 'n' may be an object, {NUMBER}add 'type: number' at {ROOT}"]),
        ("n: '`null`'", "", ["RT610 key attribute 'n' is missing in every message: it has no such value; "]),
        ("n: '['", "", ["RT401 "]),
    ],
)
def test_a_key_that_is_a_number(find: Any, item: str, given: str, found: list[str]) -> None:
    """It is no text, or the text of a number."""
    lines = find(f"item: {{{item}}}", given, table="key: {n: N}")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_a_sort_key_is_shorter(find: Any) -> None:
    """1024 bytes."""
    assert find("item: {a: a, b: a}", schema(a={**TEXT, "maxLength": 300}), table="key: {a: S, b: S}") == [
        (
            "RT613 key attribute 'b' may have 300 characters, which can be more than 1024 bytes; "
            "add 'maxLength: 256' at /properties/a of schema 'schema.json'"
        )
    ]


def test_the_whole_message(find: Any) -> None:
    """Its key is one of its own properties, whatever its name."""
    table = 'key: {"a.b": S}'

    dotted: Any = {"a.b": TEXT}

    assert (find("when: c", schema(**dotted), table), find("when: c", schema([], **dotted), table)) == (
        [],
        [
            (
                "RT610 key attribute 'a.b' may be missing: the schema does not guarantee 'a.b'; "
                f"add 'a.b' to 'required' at {ROOT}"
            )
        ],
    )


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ("item: {id: element.id}, ", []),
        ("item: {id: message.id}, ", []),
        ("", []),
        ("item: {id: element.b}, ", missing("lines[].b", f"add 'b' to 'required' {ELEMENT}")),
        ("item: {id: element}, ", [f"{OBJECT}add 'type: string' {ELEMENT}"]),
        ("item: {id: '@'}, ", [OBJECT]),
    ],
)
def test_an_element(find: Any, item: str, found: list[str]) -> None:
    """The key of each element of a list."""
    line = {"type": "object", "required": ["id"], "properties": {"id": TEXT, "b": TEXT}}
    given = schema(id=TEXT, lines={"type": "array", "items": line})

    assert find(f"{item}for_each: lines", given) == found


def test_elements_of_what_is_not_known(find: Any) -> None:
    """Nothing is said of them."""
    assert find("item: {id: element.id}, for_each: 'lines[?a]'", schema(id=TEXT)) == []


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("type == 'a'", []),
        ("contains(['a', 'b'], type) && id", []),
        ("type == 'b'", missing("id", f"add 'id' to 'required' at {ROOT}")),
        ("length(type) == `1`", []),
    ],
)
def test_narrowed_by_when(find: Any, when: str, found: list[str]) -> None:
    """What the condition makes sure need not be in the schema; what it may make sure is no error."""
    case = {"if": {"properties": {"type": {"const": "a"}}, "required": ["type"]}, "then": {"required": ["id"]}}

    assert find(f'when: "{when}", item: {{id: id}}', schema([], case, id=TEXT, type={})) == found


MESSAGES = "@hookimpl\ndef router_transform_message(message, route): pass\n"
ITEMS = "@hookimpl\ndef router_transform_item(item, message, route): pass\n"


@pytest.mark.parametrize(
    ("plugin", "item", "found"),
    [
        (MESSAGES, "id: other", []),
        (ITEMS, "id: id", []),
        (ITEMS, "id: {value: 7}", []),
        (ITEMS, "id: other", missing("other", f"add 'other' to 'required' at {ROOT}")),
    ],
)
def test_plugins(find: Any, plugin: str, item: str, found: list[str]) -> None:
    """What they change is not known; a key must be there before they see the item."""
    assert find(f"item: {{{item}}}", schema(["id"], id={"type": "string"}, other=TEXT), plugin=plugin) == found


def test_without_its_table(find_all: Any) -> None:
    """Nothing more is said of a key."""
    found = find_all("""
queues: {q: {dead_letter: dlq}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: other, item: {id: x}, schema: s.json}}
""", s=schema())  # fmt: skip

    assert [line[:5] for line in found] == ["RT201"]


OPAQUE = "length(tags[?@ == 'x']) > `0`"
TAGS = '{"type": "object", "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 9}, "tags": {}}}'
UNSURE = "RT616 key attribute 'id' may be missing, unless 'when' guarantees"


@pytest.mark.parametrize(
    ("route", "found"),
    [
        ("item: {id: id}", [f"{UNSURE} 'id'; add 'id' to 'required' at"]),
        ("item: {id: {template: '{id}#{tags}'}}", [f"{UNSURE} 'id'"]),
        ("item: {id: {from: id, default: x}}", []),
        ("item: {id: {meta: attribute.x}}", []),
        ("item: {b: id}", ["RT602"]),
        ("write: {mode: put}", [UNSURE]),
        ("for_each: tags", [f"{UNSURE} 'tags[].id'"]),
        ("for_each: tags, item: {id: element.id}", [f"{UNSURE} 'tags[].id'"]),
    ],
)
def test_a_condition_that_is_not_reasoned_with(find: Any, route: str, found: list[str]) -> None:
    """It may make sure of the key: what the schema by itself does not is a remark."""
    lines = [line for line in find(f'when: "{OPAQUE}", {route}', TAGS) if not line.startswith(("RT613", "RT422"))]

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found
