"""What an update adds, and the idempotency keys by which it adds it once."""

import json
from typing import Any

import pytest

CODES = ("RT410", "RT606", "RT617", "RT619")
TEXT = {"type": "string", "minLength": 1, "maxLength": 9}


def schema(**properties: Any) -> str:
    names = [name for name in properties if name != "some"]
    return json.dumps({"type": "object", "required": names, "properties": {"id": TEXT, **properties}})


TAKES = "'add' takes a number or a set, and attribute 'n'"
ADVICE = "add 'type: N' to attribute 'n', or a type of set"


@pytest.mark.parametrize(
    ("attribute", "given", "found"),
    [
        ("n", {"type": "integer"}, []),
        ("{from: n, type: N}", {"type": "string"}, []),
        ("{from: n, type: SS}", {"type": "array", "items": TEXT}, []),
        ("n", {"type": "string"}, [f"RT617 {TAKES} is text; {ADVICE}"]),
        ("n", {"type": ["integer", "string"]}, [f"RT618 {TAKES} may be text; {ADVICE}"]),
        ("n", {"type": "array", "items": {"type": "integer"}}, [f"RT617 {TAKES} is a list; {ADVICE}"]),
        ("n", {}, []),
        ("{value: x}", {}, [f"RT617 {TAKES} is text; {ADVICE}"]),
        ("n", {"type": "null"}, ["RT410 "]),
    ],
)
def test_what_is_added(find: Any, attribute: str, given: Any, found: list[str]) -> None:
    """Numbers and sets."""
    lines = find(
        f"item: {{id: {{meta: message_id}}, n: {attribute}}}, write: {{mode: update, add: [n], once: t}}",
        schema(n=given),
    )

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_what_a_plugin_changes(find: Any) -> None:
    """It may make a number of it; an attribute that is not mapped is reported elsewhere."""
    plugin = "@hookimpl\ndef router_transform_item(item, message, route): pass\n"
    write = "write: {mode: update, add: [n], once: t}"

    assert (
        find(f"item: {{id: id, n: n}}, {write}", schema(n=TEXT), plugin=plugin),
        [line[:5] for line in find(f"item: {{id: id}}, {write}", schema(n=TEXT))],
    ) == ([], ["RT607"])


SHARED = "RT620 the idempotency key"


@pytest.mark.parametrize(
    ("key", "given", "found"),
    [
        ("k", TEXT, []),
        ("some", TEXT, ["RT619 the idempotency key may be missing: the schema does not guarantee 'some'; add 'some' "]),
        ("k", {"type": "string"}, ["RT619 the idempotency key may be empty; add 'minLength: 1' at /properties/k of"]),
        ("k", {"type": "string", "minLength": 1}, ["RT613 the idempotency key may have more than 509 characters, and"]),
        ("k", {"type": "integer"}, ["RT619 the idempotency key is a number, not text; convert it with to_string()"]),
        ("k", {"type": ["integer", "string"]}, ["RT619 the idempotency key may be a number, not text; add 'type: str"]),
        ("k", {"const": "a"}, [f"{SHARED} 'k' is the same for all messages; use an id of the message, or remove 'onc"]),
        ("k", {"enum": ["a", "b", "c"]}, [f"{SHARED} 'k' has only 3 values; use an id of the message, or remove 'onc"]),
        ("k", {"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}, [f"{SHARED} 'k' has only 2 values; "]),
        ("k", {"oneOf": [{"const": "a"}, {"const": "b"}]}, [f"{SHARED} 'k' has only 2 values; "]),
        ("k", {"anyOf": [{"const": "a"}, TEXT]}, []),
        ("\"'a'\"", {}, [f"{SHARED} ''a'' is the same for all messages; "]),
        ("join('#', [k, k])", TEXT, []),
        ("'['", TEXT, ["RT401 "]),
    ],
)  # fmt: skip
def test_idempotency_keys(find: Any, key: str, given: Any, found: list[str]) -> None:
    """They are text, and differ from message to message."""
    key = f'"{key}"' if key[0] not in "\"'" else key
    lines = find(
        f"item: {{id: {{meta: message_id}}}}, write: {{mode: update, once: t, once_key: {key}}}", schema(k=given)
    )

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_an_idempotency_key_without_a_schema(find: Any) -> None:
    """Nothing is known of it, unless it is a constant."""
    route = "item: {id: id}, write: {mode: update, once: t, once_key: KEY}"

    assert [find(route.replace("KEY", key)) for key in ("k", "'`true`'")] == [
        [],
        ["RT619 the idempotency key is true or false, not text; convert it with to_string()"],
    ]


@pytest.mark.parametrize(
    ("write", "found"),
    [
        ("mode: update, add: [a]", ["add"]),
        ("mode: update, append: [a]", ["append"]),
        ("mode: update, append: [b], add: [a]", ["add"]),
        ("mode: update, add: [a], once: t", []),
        ("mode: update", []),
        ("mode: insert", []),
    ],
)
def test_effects_that_a_redelivery_repeats(find: Any, write: str, found: list[str]) -> None:
    """One finding for a route: `once` prevents the repetition of all."""
    lines = find(f"item: {{id: {{meta: message_id}}, a: {{value: 1}}, b: {{value: [1]}}}}, write: {{{write}}}")

    again = "is applied again each time a message is redelivered; name a table of idempotency keys with 'once:'"
    assert [line for line in lines if line.startswith("RT606")] == [f"RT606 '{name}' {again}" for name in found]
