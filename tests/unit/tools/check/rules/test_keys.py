"""Whether a schema guarantees the key."""

import json
from typing import Any

import pytest

CODES = (
    "RT410",
    "RT426",
    "RT430",
    "RT610",
)

TEXT = {"type": "string", "minLength": 1, "maxLength": 100}
ROOT = "the root of schema 'schema.json'"
LONG = "key attribute 'id' may have more than 2048 bytes: the schema does not bound its length; "
ELEMENT = "at /properties/lines/items of schema 'schema.json'"
LACKS = "RT610 key attribute 'id' may be missing:"
DEFAULT = "add a 'default', or take the key from a value that the schema requires"
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
        (
            "id: {meta: group_id}",
            schema(),
            [f"{LACKS} senders may leave out the group of a message on a standard queue; {DEFAULT}"],
        ),
        (
            "id: {meta: attribute.id}",
            schema(),
            [f"{LACKS} senders may leave out the message attribute 'id'; {DEFAULT}"],
        ),
        (
            "id: {meta: sequence_number}",
            schema(),
            [f"{LACKS} messages of a standard queue have no 'sequence_number'; {DEFAULT}"],
        ),
        (
            "id: {value: null}",
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
            [f"RT611 key attribute 'n' may be text that is not a number, as 'x', {NUMBER}add 'type: number' {AT}"],
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
        ("n: length(n)", schema(n={}), ["RT430 "]),
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


def test_a_list_that_has_elements(find: Any) -> None:
    """A message without the list is rejected before its items are mapped: the list itself is never missing there."""
    line = {"type": "object", "required": ["id"], "properties": {"id": TEXT}}
    given = schema(id=TEXT, lines={"type": "array", "items": line})

    assert find("item: {id: {hash: [message.lines, element.id]}}, for_each: lines", given) == []


def test_elements_of_what_is_not_known(find: Any) -> None:
    """Nothing is said of them."""
    assert find("item: {id: element.id}, for_each: 'lines[?a]'", schema(id=TEXT)) == []


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("type == 'a'", []),
        ("contains(['a', 'b'], type) && id", []),
        ("type == 'b'", missing("id", f"add 'id' to 'required' at {ROOT}")),
        ("length(type) == `1`", missing("id", f"add 'id' to 'required' at {ROOT}")),
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


LIST = {"type": "array", "items": TEXT}
ANY_TEXT = {"type": "string", "minLength": 1}
WORD = {"enum": ["IN", "US"]}
FROM = "{from: id, transform:"
EMPTY = "RT612 key attribute 'id' may be empty; "


def within(ids: Any) -> dict[str, Any]:
    """The schema of an object that has these ids."""
    return {"type": "object", "required": ["ids"], "properties": {"ids": ids}}


AT_ID = "at /properties/id of schema 'schema.json'"


@pytest.mark.parametrize(
    ("key", "given", "found"),
    [
        ("'ids[0]'", schema(ids=LIST), [f"{LACKS} 'ids' may have no element [0]; {DEFAULT}"]),
        ("'ids[0]'", schema(ids={**LIST, "minItems": 1}), []),
        ("'o.ids[0]'", schema(o=within(LIST)), [f"{LACKS} 'o.ids' may have no element [0]; {DEFAULT}"]),
        ("'o.ids[0]'", schema(o=within({**LIST, "minItems": 1})), []),
        ("'o.ids[0].a'", schema(o=within({"type": "array", "minItems": 1, "items": {"type": "object"}})), ["RT610 "]),
        ("'ids[-2]'", schema(ids={**LIST, "minItems": 1}), [f"{LACKS} 'ids' may have no element [-2]; {DEFAULT}"]),
        ("'ids | [1]'", schema(ids={**LIST, "minItems": 2}), []),
        ("'ids[0]'", schema([], ids={**LIST, "minItems": 1}), missing("ids", f"add 'ids' to 'required' at {ROOT}")),
        ("'ids[0]'", schema(ids={**LIST, "items": {"type": "string", "maxLength": 9}, "minItems": 1}), [EMPTY]),
        ("'ids[0]'", schema(ids={"type": "array", "minItems": 1, "items": {"type": "integer"}}), ["RT611 "]),
        ("'ids[0].a'", schema(ids={"type": "array", "minItems": 1, "items": {"type": "object"}}), ["RT610 "]),
        (
            "'ids[0].a'",
            schema(ids={"type": "array", "minItems": 1, "items": {"required": ["a"], "properties": {"a": TEXT}}}),
            ["RT610 "],
        ),
        (
            "'ids[0].a'",
            schema(ids={"type": "array", "minItems": 1, "items": json.loads(schema(a=TEXT))}),
            [],
        ),
        ("'ids[0]'", "", []),
        (
            "'ids[0]'",
            schema(ids={"type": "array", "minItems": 1, "items": {**TEXT, "type": ["string", "null"]}}),
            missing("ids[]", "remove null from the types at /properties/ids/items of schema 'schema.json'"),
        ),
        (
            "'ids[0]'",
            schema(
                ids={"type": "array", "minItems": 1, "prefixItems": [TEXT], "items": {"type": "null"}}
            ),
            [],
        ),
        ("'ids[0][0]'", schema(ids={**LIST, "minItems": 1}), []),
        ("'ids[0].length(@)'", schema(ids={**LIST, "minItems": 1}), []),
        ("'a.*.b | [0]'", schema(a=TEXT), []),
        ("{from: ids, transform: first}", schema(ids=LIST), [f"{LACKS} 'ids' may have no element [0]; {DEFAULT}"]),
        ("{from: ids, transform: [unique, last]}", schema(ids={**LIST, "minItems": 1}), []),
        ("{from: 'ids[?@]', transform: last}", schema(ids=LIST), [f"{LACKS} the list may be empty; {DEFAULT}"]),
        ("{from: 'ids[?@]', transform: last}", schema(ids={**LIST, "minItems": 1}), []),
        ("{from: ids, transform: [{join: ','}]}", schema(ids=LIST), [EMPTY]),
        ("{from: ids, transform: [{join: ','}]}", schema(ids={**LIST, "minItems": 1}), [f"RT613 {LONG}"]),
        ('"join(\',\', ids)"', schema(ids=LIST), [EMPTY]),
        (f"{FROM} strip}}", schema(id=TEXT), [f"{EMPTY}add 'pattern' {AT_ID}"]),
        (f"{FROM} strip}}", schema(id={**TEXT, "minLength": 0}), [f"{EMPTY}add 'pattern' {AT_ID}"]),
        (f"{FROM} strip}}", schema(id={**TEXT, "pattern": "^ *[A-Z]"}), []),
        (f"{FROM} strip}}", schema(id=WORD), []),
        (f"{FROM} strip}}", schema(id={"enum": ["\ufeff"]}), []),
        (f"{FROM} [lower, strip]}}", schema(id=TEXT), []),
        (f"{FROM} strip}}", schema(id={**TEXT, "pattern": r"^\p{Lu}{3}"}), []),
        (f"{FROM} [{{truncate: true}}]}}", schema(id=TEXT), ["RT613 ", "RT426 "]),
        (f"{FROM} [{{replace: ['-', '']}}]}}", schema(id=TEXT), [f"{EMPTY}add 'pattern' {AT_ID}"]),
        (f"{FROM} [{{replace: ['-', '']}}]}}", schema(id=WORD), []),
        (f"{FROM} [{{replace: ['-', '']}}]}}", schema(id={**TEXT, "minLength": 0}), [f"{EMPTY}add 'pattern' {AT_ID}"]),
        (f"{FROM} [{{replace: ['-', '/']}}]}}", schema(id=TEXT), [f"RT613 {LONG}"]),
        (f"{FROM} [{{replace: ['', '/']}}]}}", schema(id=TEXT), [f"RT613 {LONG}"]),
        (f"{FROM} [{{replace: [1, '/']}}]}}", schema(id=TEXT), [f"RT613 {LONG}", "RT426 "]),
        (f"{FROM} [{{replace: [1]}}]}}", schema(id=TEXT), ["RT613 ", "RT404 "]),
        (f"{FROM} [{{prefix: U}}]}}", schema(id={**TEXT, "minLength": 0}), []),
        (f"{FROM} [{{suffix: ''}}]}}", schema(id={**TEXT, "minLength": 0}), [f"{EMPTY}add 'pattern' {AT_ID}"]),
        (f"{FROM} base64_encode}}", schema(id=TEXT), [f"RT613 {LONG}"]),
        (f"{FROM} [{{split: ','}}, first]}}", schema(id=TEXT), [f"{EMPTY}add 'pattern' {AT_ID}"]),
        (f"{FROM} [{{split: ','}}, last]}}", schema(id=WORD), []),
        (
            f"{FROM} [{{split: ','}}, last]}}",
            schema(id={**TEXT, "minLength": 0}),
            [f"{LACKS} of an empty text 'split' makes no parts; {DEFAULT}"],
        ),
        (f"{FROM} [{{split: ''}}, last]}}", schema(id=TEXT), ["RT426 "]),
        (f"{FROM} [lower, {{split: ','}}, first]}}", schema(id=TEXT), []),
        (f"{FROM} [{{lookup: {{map: {{IN: India, US: ''}}}}}}]}}", schema(id=WORD), []),
        (f"{FROM} [{{lookup: {{map: {{IN: India, US: null}}}}}}]}}", schema(id=WORD), []),
        (f"{FROM} [{{lookup: {{map: {{IN: India}}, default: x}}}}]}}", schema(id=WORD), []),
        (f"{FROM} [{{lookup: [{{IN: India, US: 1}}]}}]}}", schema(id=WORD), []),
        (f"{FROM} [{{lookup: 1}}]}}", schema(id=WORD), ["RT426 "]),
        (f"{FROM} [{{lookup: {{map: {{'true': a, 'false': b}}}}}}]}}", schema(id={"type": "boolean"}), []),
        (
            f"{FROM} [{{lookup: {{map: {{IN: India}}}}}}]}}",
            schema(id=WORD),
            [f"{LACKS} 'lookup' has no 'default' for a value that its map does not have, as 'US'; {DEFAULT}"],
        ),
        ("a || b", schema([], a=TEXT, b=TEXT), missing("b", f"add 'b' to 'required' at {ROOT}")),
        ("a || b", schema([], {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, a=TEXT, b=TEXT), []),
        ("a || length(b)", schema([], a=TEXT, b=TEXT), ["RT430 ", "RT613 "]),
        ("'not_null(a, b)'", schema(["a"], a=TEXT, b=TEXT), []),
        ("'not_null(a, b)'", schema([], a=TEXT, b=TEXT), missing("b", f"add 'b' to 'required' at {ROOT}")),
        ("a || b", schema(a={**TEXT, "minLength": 0}, b={**TEXT, "minLength": 0}), [EMPTY]),
        ("a || b", schema(["a"], a={**TEXT, "minLength": 0}, b=TEXT), missing("b", f"add 'b' to 'required' at {ROOT}")),
        ("'not_null(a, b)'", schema([], a={**TEXT, "minLength": 0}, b=TEXT), ["RT610 "]),
        ("'not_null(a, b)'", schema(["b"], a={**TEXT, "minLength": 0}, b=TEXT), [EMPTY]),
        ("a || b", schema(["b"], a={"type": "array", "maxItems": 0}, b=TEXT), []),
        ("a || b", schema(a={"enum": [False, "x"]}, b=TEXT), []),
        ("a || b", schema(["b"], a={"type": "array", "maxItems": 1}, b=TEXT), ["RT611 "]),
        ("a || b", schema(a={"enum": [False, {}, "x"]}, b=TEXT), []),
        ("a || b", schema(a={"type": "string"}, b={"type": "string", "pattern": "^x"}), ["RT613 "]),
        ("'not_null(a)'", schema(["b"], a=TEXT, b=TEXT), missing("a", f"add 'a' to 'required' at {ROOT}")),
        ("'not_null(a)'", schema(a=TEXT), []),
        ("'not_null(a, length(b))'", schema(a=TEXT, b=TEXT), []),
        ("'reverse(a)'", schema(a=TEXT), []),
        ("'reverse(a)'", schema(a={**TEXT, "minLength": 0}), [EMPTY]),
        ("'max(ids)'", schema(ids=LIST), ["RT610 "]),
        ("'min(ids)'", schema(ids={**LIST, "minItems": 1}), []),
        ("'min(ids)'", schema(ids={"type": "array", "minItems": 1, "items": ANY_TEXT}), [f"RT613 {LONG}"]),
    ],
)  # fmt: skip
def test_a_key_that_is_computed(find: Any, key: str, given: str, found: list[str]) -> None:
    """It may be missing or empty, though what it is computed of is there."""
    lines = find(f"item: {{id: {key}}}", given)

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"type": "string"}, ["RT610 key attribute 'n' may be missing: 'to_number' has no value for text that is not"]),
        ({"type": "string", "pattern": "^[1-9][0-9]?$"}, []),
        ({"enum": ["1", "2.5"]}, []),
        ({"type": "integer"}, []),
        ({}, ["RT610 "]),
        ({"type": ["integer", "boolean"]}, ["RT610 key attribute 'n' may be missing: 'to_number' has no value for ot"]),
        ({"type": ["integer", "string"]}, ["RT610 key attribute 'n' may be missing: 'to_number' has no value for tex"]),
    ],
)  # fmt: skip
def test_a_key_by_to_number(find: Any, given: Any, found: list[str]) -> None:
    """It is missing for all but numbers, and text that is one."""
    lines = find("item: {n: to_number(n)}", schema(n=given), table="key: {n: N}")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (TEXT, ["RT611 key attribute 'b' may be text that is not Base64, as 'x', the key of table 't' is B; add 'pat"]),
        ({"type": "string", "pattern": "^([A-Za-z0-9+/]{4})+$"}, []),
        ({"type": "string", "pattern": "^([A-Za-z0-9+/]{4})*$"}, ["RT612 key attribute 'b' may be empty; add 'minLen"]),
    ],
)  # fmt: skip
def test_a_key_that_is_binary(find: Any, given: Any, found: list[str]) -> None:
    """Text is Base64, and not empty."""
    lines = find("item: {b: {from: b, type: B}}", schema(b=given), table="key: {b: B}")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_a_key_by_to_number_of_a_result(find: Any) -> None:
    """What is converted is not known."""
    assert find("item: {n: to_number(to_string(n))}", schema(n=TEXT), table="key: {n: N}") == []


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
        ("item: {id: {meta: attribute.x}}", ["RT610 "]),
        ("item: {b: id}", ["RT602"]),
        ("write: {mode: put}", [UNSURE]),
        ("for_each: tags", ["RT610"]),
        ("for_each: tags, item: {id: element.id}", ["RT610"]),
    ],
)
def test_a_condition_that_is_not_reasoned_with(find: Any, route: str, found: list[str]) -> None:
    """It may make sure of the key: what the schema by itself does not is a remark, unless a message shows it."""
    lines = [line for line in find(f'when: "{OPAQUE}", {route}', TAGS) if not line.startswith(("RT613", "RT422"))]

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


@pytest.mark.parametrize(
    ("when", "given", "found"),
    [
        (OPAQUE, {"type": "integer"}, ["RT616 key attribute 'id' may be a number, unless 'when' excludes it: the key"]),
        (OPAQUE, {"type": "string", "maxLength": 9}, ["RT616 key attribute 'id' may be empty, unless 'when' excludes"]),
        (OPAQUE, {}, ["RT616 key attribute 'id' may be missing, unless 'when' guarantees 'id'; remove null from"]),
        (f"{OPAQUE} && type(id) == 'string'", {"type": ["integer", "string"], "minLength": 1, "maxLength": 9}, []),
        (f"{OPAQUE} && id", {"type": "string", "maxLength": 9}, []),
    ],
)  # fmt: skip
def test_what_only_a_condition_may_guarantee(find: Any, when: str, given: Any, found: list[str]) -> None:
    """The type of the key, and that it is not empty."""
    lines = [line for line in find(f'when: "{when}", item: {{id: id}}', schema(id=given)) if line[:5] != "RT613"]

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found
