"""Versions that are not in order, and times that are none."""

import json
from typing import Any

import pytest

CODES = (
    "RT410",
    "RT417",
    "RT419",
    "RT421",
    "RT632",
)

AT = "at /properties/at of schema 'schema.json'"


def schema(at: Any, *required: str) -> str:
    key = {"type": "string", "minLength": 1, "maxLength": 9}
    return json.dumps({"type": "object", "required": ["id", *required], "properties": {"id": key, "at": at}})


SEVERAL = "may be times in several formats, which do not sort as text in order of time"
FORMS = f"RT418 version 'at' {SEVERAL}; add 'pattern' {AT} for one form"
TIME = {"type": "string", "format": "date-time"}


@pytest.mark.parametrize(
    ("attribute", "at", "found"),
    [
        ("at", {"type": "integer"}, []),
        ("at", {"type": "string"}, []),
        ("at", {}, ["RT417"]),
        ("{from: at, default: 0}", {"type": "integer"}, []),
        ("at", TIME, [FORMS]),
        ("at", {**TIME, "pattern": "^.{19}Z$"}, []),
        ("at", {**TIME, "maxLength": 20}, []),
        ("{from: at, transform: to_epoch}", TIME, []),
        ("{from: at, transform: to_epoch_ns}", TIME, []),
        ("at", {"type": "string", "pattern": "^[0-9]{1,12}$"}, ["RT418 version 'at' may be numbers as text"]),
        ("{from: at, type: N}", {"type": "string", "pattern": "^[0-9]{1,12}$"}, []),
        ("at", {"type": "string", "pattern": "^[0-9]{12}$"}, []),
        ("at", {"type": ["string", "integer"]}, ["RT418 version 'at' may be text or a number, "]),
        ("at", {**TIME, "pattern": "Z$"}, [FORMS]),
        ("at", {"type": "boolean"}, ["RT418 version 'at' may be true or false, which has no order; add 'type:"]),
        ("at", {"type": ["integer", "array"]}, ["RT418 version 'at' may be a list, which has no order"]),
        ("{meta: sent_at}", {}, []),
        ("{meta: sequence_number}", {}, ["RT417 version 'at' may be missing: messages of a standard queue have no "]),
    ],
)  # fmt: skip
def test_versions(find: Any, attribute: str, at: Any, found: list[str]) -> None:
    """They are there, and of one form."""
    route = f"item: {{id: id, at: {attribute}}}, write: {{mode: newest, version: at}}"
    lines = find(route, schema(at, "at"))

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_no_version(find: Any) -> None:
    """Nothing to say of it, or nothing that can be known."""
    assert (
        find("item: {id: id}, write: {mode: newest, version: at}", schema({}))[0][:5],
        find("when: x, write: {mode: newest, version: at}", schema({})),
    ) == ("RT607", [])


NO_TIME = "RT420 'ttl' of 'x' may count from text that is not a time with an offset"
NO_SECONDS = "RT420 'ttl' of 'x' may count from a number that is no time in seconds since 1970"


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (TIME, []),
        ({"type": "integer", "minimum": 0, "maximum": 9999999999}, []),
        ({"type": "integer"}, [f"{NO_SECONDS}, as -1; add 'minimum: 0' at /properties/at of schema 'schema.json'"]),
        ({"type": "integer", "minimum": -0.5}, [f"{NO_SECONDS}, as 1767323045678; add 'maximum: 99999999999' at"]),
        ({"type": "number", "minimum": -0.5, "maximum": 3}, [f"{NO_SECONDS}; add 'minimum: 0' at"]),
        ({}, []),
        ({"type": "string", "enum": ["2026-01-02T03:04:05Z", "2016-12-31t23:59:60z"]}, []),
        ({"enum": ["soon", "late"]}, [f"{NO_TIME}, as 'soon'"]),
        ({"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"}, [f"{NO_TIME}, as 'AAA-0'; add 'format: date-time' at"]),
        ({"type": "string", "format": "date"}, [f"{NO_TIME}, as '2026-01-02'"]),
        ({"type": "null"}, ["RT410"]),
        ({"type": "boolean"}, ["RT419 'ttl' of 'x' counts from true or false, which is not a time"]),
        ({"type": "integer", "minimum": 1600000000000}, ["RT419 'ttl' of 'x' counts from milliseconds"]),
        ({"type": ["integer", "boolean"]}, ["RT420 'ttl' of 'x' may count from true or false, which is not a time"]),
        ({"type": "string"}, ["RT420 'ttl' of 'x' may count from text that is not a time with an offset"]),
    ],
)  # fmt: skip
def test_times_to_live(find: Any, at: Any, found: list[str]) -> None:
    """They count from seconds, or from text that is a time."""
    lines = find("item: {id: id, x: {ttl: {from: at, after: 1d}}}", schema(at))

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ("{ttl: 1d}", []),
        ("at", ["RT421 attribute 'x' is text, and the time to live of table 't' is a number"]),
        ("{from: at, transform: to_epoch}", []),
        ("other", []),
        ("ms", ["RT421 attribute 'x' is in milliseconds, and the time to live of table 't' is in seconds; map it"]),
        ("{meta: sent_at, type: N}", ["RT421 attribute 'x' is in milliseconds"]),
        ("{from: ms, transform: [{scale: 0.001}]}", []),
        ("{value: 1767323045678}", ["RT421 attribute 'x' is in milliseconds"]),
        ("{value: 1767323045}", []),
        ("never", ["RT410 no message that satisfies the schema has 'never'"]),
        ("{from: never, type: N}", ["RT410 no message that satisfies the schema has 'never'"]),
        ("either", ["RT423 attribute 'x' may be text, and the time to live of table 't' is a number; add 'type: inte"]),
    ],
)  # fmt: skip
def test_the_attribute_of_a_table(find: Any, attribute: str, found: list[str]) -> None:
    """It is a number."""
    more = '"ms": {"type": "integer", "minimum": 1000000000000}, "either": {"type": ["integer", "string"]}, '
    text = schema(TIME).replace('"at":', f'{more}"never": false, "at":')
    lines = find(f"item: {{id: id, x: {attribute}}}", text, table="key: {id: S}, ttl: x")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


AS_TEXT = "RT632 the version 'at' is the text of a number: as text 10 is less than 9; store it as a number"


@pytest.mark.parametrize(
    ("attribute", "at", "found"),
    [
        ("at", {"type": "integer", "maximum": 99}, []),
        ("{from: at, type: S}", {"type": "integer", "maximum": 99}, [AS_TEXT]),
        ("{from: at, transform: to_text}", {"type": "integer", "maximum": 99}, [AS_TEXT]),
        ("{template: 'v{at}'}", {"type": "integer", "minimum": 0, "maximum": 99}, [AS_TEXT]),
        ("{template: 'v{at}'}", {"type": "integer", "minimum": 10, "maximum": 99}, []),
        ("{template: 'v{at}'}", {"type": "integer", "minimum": 0, "maximum": 9}, []),
        ("{from: at, type: S}", {"type": "integer", "minimum": 10**12, "maximum": 10**13 - 1}, []),
        ("{template: '{id}#{id}'}", {"type": "integer"}, []),
        ("{from: at, type: S}", {"type": "string", "maxLength": 9}, []),
        ("{from: at, type: S}", {}, []),
    ],
)
def test_numbers_as_text(find: Any, attribute: str, at: Any, found: list[str]) -> None:
    """Texts of numbers are in order only if all have as many digits."""
    lines = find(f"item: {{id: id, at: {attribute}}}, write: {{mode: newest, version: at}}", schema(at, "at"))

    assert [line for line in lines if "RT632" in line] == found


HEAD = (
    "queues: {q: {dead_letter: d}}\ntables: {t: {name: things, key: {id: S}}, u: {name: more, key: {id: S}}}\nroutes:\n"
)
ISO = "{type: string, pattern: '^2[0-9]{3}-[0-9]{2}-[0-9]{2}$'}"
SECONDS = "{type: integer, minimum: 0, maximum: 9999999999}"
MILLISECONDS = "{type: integer, minimum: 1600000000000}"
TEXT = (
    "RT418 version 'v' is text, and that of route 'a' is a number: a message of one is rejected after one of the other"
)
IS = "RT418 version 'v' is in"
OTHER = "that of route 'a' in"
ONE = "; map both to one scale"
GREATER = f", which is always greater{ONE}"
LESS = f"{IS} seconds, and {OTHER} milliseconds{GREATER}"
NANOSECONDS = "{from: at, transform: to_epoch_ns}"


def versioned(name: str, at: str, attribute: str = "at", key: str = "id: id", table: str = "t") -> str:
    properties = f"{{kind: {{const: {name}}}, id: {{type: string, minLength: 1, maxLength: 9}}, at: {at}}}"
    checked = f"{{type: object, required: [kind, id, at], properties: {properties}}}"
    settings = f"queue: q, table: {table}, when: \"kind == '{name}'\", schema: {checked}"
    return f"  {name}: {{{settings}, item: {{{key}, v: {attribute}}}, write: {{mode: newest, version: v}}}}\n"


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ((SECONDS,), (SECONDS,), []),
        ((SECONDS,), (ISO,), [f"{TEXT}; map both to one type, times with 'transform: to_epoch_ns'"]),
        ((MILLISECONDS,), (SECONDS,), [LESS]),
        (("{type: integer}",), (SECONDS,), []),
        (("{type: integer}",), ("{type: [integer, 'null']}",), []),
        (("{}",), (ISO,), []),
        (("{}", "{meta: sent_at, type: N}"), (SECONDS,), [LESS]),
        (("{}", "{meta: sent_at}"), (ISO,), []),
        ((ISO, NANOSECONDS), (MILLISECONDS,), [f"{IS} milliseconds, and {OTHER} nanoseconds{GREATER}"]),
        ((SECONDS,), (ISO, NANOSECONDS), [f"{IS} nanoseconds, and {OTHER} seconds, which is always less{ONE}"]),
        ((SECONDS,), (ISO, "{from: at, transform: to_epoch}"), []),
        ((SECONDS,), (SECONDS, "{from: at, transform: {scale: 1000}}"), []),
        ((SECONDS, "at", "id: {template: 'a{id}'}"), (ISO, "at", "id: {template: 'b{id}'}"), []),
        ((SECONDS,), (ISO, "at", "id: id", "u"), []),
    ],
)  # fmt: skip
def test_versions_of_two_routes(find_all: Any, one: Any, other: Any, found: list[str]) -> None:
    """Those of one name and table are of one type and one scale, if the keys may be equal."""
    lines = find_all(HEAD + versioned("a", *one) + versioned("b", *other))
    assert [line for line in lines if line.startswith("RT418") and "several formats" not in line] == found


def test_each_route_has_one_finding_about_others(find_all: Any) -> None:
    """However many there are."""
    many = "".join(versioned(f"n{number}", SECONDS) for number in range(6)) + versioned("z", ISO)
    assert len([line for line in find_all(HEAD + many) if line.startswith("RT418")]) == 1
