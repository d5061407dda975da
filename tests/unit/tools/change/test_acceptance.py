"""What is proved of a changed route, and what is not: a message that is refused is never proved to be accepted."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from router.tools.change.acceptance import Taking, compare_taking
from router.tools.change.routes import routes_of
from tests.unit.tools.change.conftest import Open, config_of

TABLES = {
    "things": {"key": {"id": "S"}},
    "others": {"key": {"id": "S"}},
    "numbers": {"key": {"n": "N"}},
    "sorted": {"key": {"id": "S", "text": "S"}},
    "indexed": {"key": {"id": "S"}, "indexes": {"by_short": {"key": {"short": "S"}}}},
    "indexed_too": {"key": {"id": "S"}, "indexes": {"by_short": {"key": {"short": "S"}}}},
}
PROPERTIES: Mapping[str, Any] = {
    "id": {"type": "string", "minLength": 1, "maxLength": 40},
    "text": {"type": "string", "minLength": 1, "maxLength": 256},
    "texts": {"type": "string", "minLength": 1, "maxLength": 257},
    "name": {"type": "string", "minLength": 1, "maxLength": 512},
    "names": {"type": "string", "minLength": 1, "maxLength": 513},
    "short": {"type": "string", "maxLength": 9},
    "long": {"type": "string", "minLength": 1},
    "n": {"type": "number"},
    "flag": {"type": "boolean"},
    "map": {"type": "object"},
    "list": {"type": "array"},
    "null": {"type": ["string", "null"]},
    "at": {"type": "string", "format": "date-time"},
    "tags": {"type": "object", "maxProperties": 9},
}
OPTIONAL: Mapping[str, Any] = {"optional": {"type": "string"}, "count": {"type": "number"}}
SCHEMA = {"type": "object", "properties": {**PROPERTIES, **OPTIONAL}, "required": [*PROPERTIES]}
NARROW = {"type": "object", "properties": {"id": PROPERTIES["id"], "x": PROPERTIES["id"]}, "required": ["id"]}
PLUGIN = "from router import hookimpl\n\n@hookimpl\ndef router_transform_item(item, route):\n    return item\n"
Compare = Callable[..., Taking]


@pytest.fixture
def compare(open_config: Open, tmp_path: Path) -> Compare:
    """Return a function that compares two versions of a route, of which each setting may be left out by None.

    `queues` are the settings of its queue, `more` are other routes before it in each version.
    """

    def run(
        old: Any, new: Any, queues: Any = ({}, {}), more: Any = ({}, {}), plugins: Any = (), code: str = PLUGIN
    ) -> Taking:
        routes = []
        for folder, settings, queue, earlier in zip(("old", "new"), (old, new), queues, more, strict=True):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "own.py").write_text(code)
            config = config_of(
                {**earlier, "main": {"schema": SCHEMA, **settings}},
                queues={"things": {"dead_letter": "dead", **queue}},
                tables=TABLES,
                plugins=plugins,
            )
            for name in [name for name, value in config["routes"]["main"].items() if value is None]:
                del config["routes"]["main"][name]
            routes.append(routes_of(open_config(config, folder))["main"])
        first, second = routes
        return compare_taking(first, second, [])

    return run


def item(**attributes: Any) -> dict[str, Any]:
    return {"item": {"id": "id", **attributes}}


@pytest.mark.parametrize(
    ("attribute", "why"),
    [
        ("optional", ""),
        ("null", ""),
        ("map.x", ""),
        ({"value": 1, "type": "S"}, ""),
        ({"meta": "message_id"}, ""),
        ({"ttl": "1d"}, ""),
        ({"from": "n", "type": "S"}, ""),
        ({"from": "short", "type": "S"}, ""),
        ({"from": "n", "type": "N"}, ""),
        ({"from": "flag", "type": "BOOL"}, ""),
        ({"from": "map", "type": "M"}, ""),
        ({"from": "list", "type": "L"}, ""),
        ({"from": "null", "type": "json"}, ""),
        ({"from": "map", "type": "json"}, ""),
        ({"from": "flag", "type": "S"}, "its value may be true or false"),
        ({"from": "short", "type": "N"}, "its value may be text that does not convert to N"),
        ({"from": "short", "type": "BOOL"}, "its value may be text"),
        ({"from": "list", "type": "M"}, "its value may be a list"),
        ({"from": "map", "type": "L"}, "its value may be an object"),
        ({"from": "list", "type": "SS"}, "elements of the list may be true or false, a list or an object"),
        ({"from": "short", "type": "B"}, "its value may be text that does not convert to B"),
        ({"from": "short", "missing": "error"}, ""),
        ({"from": "short", "null": "error"}, ""),
        ({"from": "optional", "default": "x", "missing": "error"}, ""),
        ({"from": "optional", "missing": "error"}, "'optional' may be missing"),
        ({"from": "null", "null": "error"}, "'null' may be missing"),
        ({"from": "short", "transform": "strip"}, ""),
        ({"from": "short", "transform": [{"prefix": "A#"}, {"truncate": 9}]}, ""),
        ({"from": "flag", "transform": "to_bool"}, ""),
        ({"from": "short", "transform": "to_bool"}, "transform 'to_bool' may be given what is not yes or no"),
        ({"from": "n", "transform": {"scale": 1.1}}, ""),
        ("to_string(n)", ""),
        ("length(n)", "length() may be given a value that it does not take"),
        ({"template": "{short}-{n}-{flag}-{optional}"}, ""),
        ({"template": "{short}-{map}"}, "'map' may be an object, which 'template' does not take"),
        ({"template": "{short}-{list}"}, "'list' may be a list, which 'template' does not take"),
        ({"hash": ["short"]}, ""),
        ({"ttl": {"after": "1d", "from": "at"}}, ""),
    ],
)
def test_an_attribute(compare: Compare, attribute: Any, why: str) -> None:
    """A new one refuses messages whose value it cannot take."""
    taking = compare(item(), item(x=attribute))

    assert taking.unproved == ((("item", f"attribute 'x': {why}"),) if why else ())
    assert taking.proved is (not why)


@pytest.mark.parametrize(
    ("attribute", "why"),
    [
        ("text", ""),
        ("name", ""),
        ({"value": "x"}, ""),
        ({"from": "id", "default": "x"}, ""),
        ({"template": "{id}"}, ""),
        ("names", "its length may be over 512 characters"),  # each has up to four bytes
        ("long", "its length may be over 512 characters"),
        ("short", "it may be empty"),
        ("n", "it may be a number"),
        ({"from": "optional", "default": "x"}, "it may be empty"),
        ("optional", "'optional' may be missing"),
        ("null", "'null' may be missing"),
    ],
)
def test_an_attribute_of_the_key(compare: Compare, attribute: Any, why: str) -> None:
    """It is there, of the type of the key, not empty and not too long."""
    taking = compare(item(), {"item": {"id": attribute}})

    assert taking.unproved[:1] == ((("item", f"attribute 'id': {why}"),) if why else ())


@pytest.mark.parametrize(
    ("default", "why"),
    [
        ("y", []),
        ("", ["it may be empty"]),
        (5, ["it may be a number", "its length may be over 512 characters"]),
    ],
)
def test_the_default_of_an_attribute_of_the_key(compare: Compare, default: Any, why: list[str]) -> None:
    """It is in the key of each message that has no value."""
    old, new = ({"schema": NARROW, "item": {"id": {"from": "x", "default": each}}} for each in ("x", default))

    assert compare(old, new).unproved == tuple(("item", f"attribute 'id': {each}") for each in why)


@pytest.mark.parametrize(("attribute", "proved"), [("text", True), ("texts", False), ("short", False)])
def test_an_attribute_of_the_sort_key(compare: Compare, attribute: str, proved: bool) -> None:
    """It has half as many bytes as a partition key."""
    old, new = ({"table": "sorted", **item(text=each)} for each in ("id", attribute))

    assert compare(old, new).proved is proved


@pytest.mark.parametrize(("attribute", "proved"), [({"from": "n", "type": "N"}, True), ("short", False)])
def test_an_attribute_of_a_key_of_numbers(compare: Compare, attribute: Any, proved: bool) -> None:
    """It has no length."""
    old, new = ({"table": "numbers", "item": {"n": each}} for each in ("n", attribute))

    assert compare(old, new).proved is proved


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({"default": 1}, {"default": 2}, ""),
        ({}, {"default": 2}, ""),
        ({"default": 1}, {}, "'optional' may be missing"),
        ({"default": 1}, {"default": 1, "type": "S"}, ""),
        ({"default": 1}, {"default": 1, "type": "N"}, "its value may be text that does not convert to N"),
    ],
)
def test_a_default(compare: Compare, old: Any, new: Any, why: str) -> None:
    """Another one refuses nothing; without one, a message that had it may be refused."""
    of_both = {"from": "optional", "transform": "strip", "missing": "error"}

    taking = compare(*(item(x={**of_both, **each}) for each in (old, new)))

    # A value that is missing is the first reason.
    found = [reason for _, reason in taking.unproved]
    assert bool(found) is bool(why)


def test_the_default_of_an_attribute_that_may_not_be_taken(compare: Compare) -> None:
    """A message that is refused for its value was refused before."""
    old, new = (item(x={"from": "optional", "type": "N", "default": each}) for each in (1, 2))

    assert compare(old, new).proved


@pytest.mark.parametrize("write", [{"mode": "newest", "version": "x"}, {"mode": "update", "version": "x"}])
@pytest.mark.parametrize(
    ("new", "why"),
    [
        ({"from": "n", "default": 1}, []),
        ({"from": "n", "type": "N"}, []),
        ("optional", ["'optional' may be missing", "what is stored may have another type"]),
        ("text", ["what is stored may have another type"]),
        ({"from": "count", "default": 1}, []),
    ],
)
def test_the_version(compare: Compare, write: Any, new: Any, why: list[str]) -> None:
    """Not each value is one, not even as a default, and it is compared with those that are stored."""
    old = {**item(x={"from": "n"}, y="short"), "write": write}

    changed = compare(old, {**item(x=new, y="short"), "write": write})

    assert changed.unproved == tuple(("item", f"attribute 'x': {each}") for each in why)


def test_a_version_that_is_the_same(compare: Compare) -> None:
    """Another attribute is then proved as without a version."""
    write = {"write": {"mode": "newest", "version": "x"}}

    assert compare({**item(x="n"), **write}, {**item(x="n", y="short"), **write}).proved


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ({"from": "n", "type": "N"}, ""),
        ("short", "it may be text, which cannot be added"),
        ({"from": "count", "default": "x"}, "it may be text, which cannot be added"),
        ({"from": "count", "default": 1}, ""),
        ({"from": "list", "type": "NS"}, "elements of the list may be true or false, a list or an object"),
    ],
)
def test_what_is_added(compare: Compare, new: Any, why: str) -> None:
    """An update adds only numbers and sets to what is stored."""
    write = {"write": {"mode": "update", "add": ["x"]}}

    taking = compare({**item(x="count"), **write}, {**item(x=new), **write})

    assert taking.unproved[:1] == ((("item", f"attribute 'x': {why}"),) if why else ())


NEWEST = {"write": {"mode": "newest", "version": "n"}}
MANY = "'merge': it may find more than 100 entries"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({}, {"write": {"mode": "insert"}}, ""),
        ({}, {"write": {"mode": "delete"}}, ""),
        ({}, {"table": "others"}, ""),
        ({"table": "others", "merge": "map"}, {"table": "others"}, ""),
        ({**item(n="n"), **NEWEST}, item(n="n"), ""),
        ({}, {"write": {"mode": "update"}}, ""),
        (item(n="n"), {**item(n="n"), **NEWEST}, ""),
        (item(n="text"), {**item(n="text"), **NEWEST}, ""),
        (item(), {"item": None, **NEWEST}, ""),
        ({**item(n="n"), "write": {"mode": "delete"}},
         {**item(n="n"), "write": {"mode": "delete", "version": "n"}}, ""),
        (item(n="n"), {**item(n="n"), "write": {"mode": "update", "add": ["n"]}}, ""),
        (item(n="text"), {**item(n="text"), "write": {"mode": "update", "add": ["n"]}},
         "attribute 'n': it may be text, which cannot be added"),
        (item(n="list"), {**item(n="list"), "write": {"mode": "update", "append": ["n"]}}, ""),
        (item(n="n"), {**item(n="n"), "write": {"mode": "update", "append": ["n"]}},
         "attribute 'n': what is stored may have another type"),
        (item(), {"write": {"mode": "update", "add": ["n"], "once": "others", "once_key": "optional"}, **item(n="n")},
         "'once_key': 'optional' may be missing"),
        (item(text="text"), {**item(text="text"), "table": "sorted"}, ""),
        (item(text="short"), {**item(text="short"), "table": "sorted"}, "attribute 'text': it may be empty"),
        ({"item": None}, {}, ""),
        ({"item": None}, item(x={"from": "short", "type": "N"}),
         "attribute 'x': its value may be text that does not convert to N"),
        ({}, {"item": None}, ""),
        ({"table": "numbers", "item": {"n": "n"}}, {"table": "numbers", "item": None}, ""),
        ({"table": "sorted", **item(text="id")}, {"table": "sorted", "item": None, "schema": {}},
         "the message may be no object"),
        ({"table": "sorted", "schema": NARROW, **item(text="id")},
         {"table": "sorted", "schema": NARROW, "item": None}, "attribute 'text': 'text' may be missing"),
        # What the table of before refuses, too.
        ({"item": {"id": "short"}}, {"item": {"id": "short"}, "table": "others"}, ""),
        ({"table": "indexed", **item(short="short")}, {"table": "indexed_too", **item(short="short")}, ""),
        ({}, {"for_each": "list"}, "'for_each' changed"),
        ({"for_each": "list", "item": {"id": "message.id"}}, {}, ""),
        ({}, {"merge": "map"}, MANY),
        ({"merge": {"from": "map", "max": 9}}, {"merge": {"from": "map", "max": 8}},
         "'merge': it may find more than 8 entries"),
        ({"merge": "map"}, {"merge": "map", **item(x="short")}, MANY),
        ({"merge": "map"}, {"merge": "map", "table": "others"}, MANY),
        ({}, {"merge": {"from": "tags", "prefix": "t_"}}, ""),
    ],
)  # fmt: skip
def test_a_mapping(compare: Compare, old: Any, new: Any, why: str) -> None:
    """Each stage that may refuse a message says why."""
    found = [reason for _, reason in compare(old, new).unproved]
    assert found[:1] == ([why] if why else [])


def test_messages_that_a_plugin_changes(compare: Compare) -> None:
    """The plugin is the one reason why nothing is proved of a value, whatever the schema says."""
    once = {"mode": "update", "add": ["n"], "once": "others", "once_key": "text"}
    old, new = ({**item(n="n"), "write": {**once, "once_key": key}} for key in ("text", "id"))
    code = "from router import hookimpl\n\n@hookimpl\ndef router_transform_message(message):\n    return None\n"

    found = compare(old, new, plugins=["own.py"], code=code).unproved

    assert [why for _, why in found if "once_key" in why] == ["'once_key': plugin 'own' changes the messages"]
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("queues", "why"),
    [
        (({}, {"atomic": True}), ["all writes of a message are now one transaction"]),
        (({"atomic": True}, {}), []),
        (({"atomic": True}, {"atomic": True, "retry": {"base": "9s"}}), []),
        (({}, {"retry": {"base": "9s"}}), []),
        (({}, {"encoding": "base64"}), ["messages are unwrapped in another way"]),
    ],
)
def test_settings_of_a_queue(compare: Compare, queues: Any, why: list[str]) -> None:
    """One transaction of all writes has limits that its writes do not have."""
    assert [reason for _, reason in compare({}, {}, queues).unproved] == why


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (item(x="short"), "plugins get other items"),
        ({"table": "others"}, "plugins get other names"),
        ({"plugins": []}, "plugins changed"),
        ({"options": {"own": {"a": 1}}}, "plugins changed"),
    ],
)
def test_plugins(compare: Compare, new: Any, why: str) -> None:
    """A plugin may refuse whatever it gets in another way."""
    assert [reason for _, reason in compare({}, new, plugins=["./own.py"]).unproved] == [why]


def test_names_that_no_plugin_gets(compare: Compare) -> None:
    """They refuse nothing."""
    old, new = ({"table": table, **item(x={"meta": "route"})} for table in ("things", "others"))

    assert compare(old, new).proved


@pytest.mark.parametrize(
    ("once_key", "name", "proved"),
    [
        ("names", "b" * 63, False),  # 513 characters of four bytes
        ("names", "b", True),
        ("text", "b" * 63, True),
        (None, "b" * 63, True),
    ],
)
def test_a_route_with_a_new_name(open_config: Open, once_key: str | None, name: str, proved: bool) -> None:
    """Its name is in the idempotency keys, which may be too long with it."""
    write = {"mode": "update", "add": ["n"], "once": "others", **({"once_key": once_key} if once_key else {})}
    settings = {"schema": SCHEMA, **item(n="n"), "write": write}
    first, second = (
        routes_of(open_config(config_of({each: settings}, tables=TABLES), each[:1]))[each] for each in ("a", name)
    )

    assert compare_taking(first, second, []).proved is proved


def test_a_route_that_no_message_reaches(compare: Compare) -> None:
    """It takes nothing, so that nothing can be refused."""
    old, new = ({"when": "id == `5`", **item(x=each)} for each in ("short", {"from": "short", "type": "N"}))

    assert compare(old, new) == Taking()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("n > `3`", "n > `2`", []),
        ("n > `3`", "n > `4`", ["'when' may not hold"]),
        # The expression is not understood as a whole, so that nothing is proved by it.
        (None, "id == 'a' || starts_with(id, short)", ["'when' may not hold"]),
        ("starts_with(id, short)", "starts_with(id, short) && id", ["'when' may not hold"]),
        (None, "type(id) == 'string'", []),
    ],
)
def test_a_condition(compare: Compare, old: Any, new: Any, why: list[str]) -> None:
    """It is to hold for all messages of before."""
    assert [reason for _, reason in compare({"when": old}, {"when": new}).unproved] == why


@pytest.mark.parametrize(
    ("main", "before", "after", "proved"),
    [
        ("n > `3`", None, "n < `3`", True),
        ("n > `3`", None, "n < `4`", False),
        ("n > `3`", "n < `4`", "n < `4`", True),
        (None, "n > `3`", "n > `4`", True),
        (None, "n > `3`", "n > `2`", False),
        (None, "n > `3`", None, True),
        (None, None, "", False),
    ],
)
def test_an_earlier_route(compare: Compare, main: Any, before: Any, after: Any, proved: bool) -> None:
    """By `match: first` it takes what satisfies its condition: without one, all."""
    more = []
    for when in (before, after):
        route = {"when": when, "schema": SCHEMA} if when else {"schema": SCHEMA}
        more.append({} if when is None else {"first": route})

    taking = compare({"when": main}, {"when": main}, ({"match": "first"}, {"match": "first"}), more)

    assert taking.proved is proved
    assert {part for part, _ in taking.unproved} <= {"earlier"}


DRAFT_4, DRAFT_7 = (f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 7))
DRAFT_2019, DRAFT_2020 = (f"https://json-schema.org/draft/{year}/schema" for year in ("2019-09", "2020-12"))


def of(draft: str, root: Mapping[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    known = {"id": PROPERTIES["id"], **properties}
    return {"$schema": draft, "type": "object", "properties": known, "required": ["id"], **(root or {})}


UUID = "c0a80101-0000-4000-8000-000000000000"
TREE = {"items": {"$ref": "#"}}
MIXED = {"$defs": {"d": {"$schema": DRAFT_7, "$id": "https://config.invalid/d", "type": "string"}}}


@pytest.mark.parametrize(
    ("old", "new", "proved"),
    [
        (of(DRAFT_7), of(DRAFT_2020), True),
        (of(DRAFT_7), of(DRAFT_2020, x={"type": "string"}), False),
        (of(DRAFT_7, x={"maxLength": 3}), of(DRAFT_2020, x={"maxLength": 4}), True),
        (of(DRAFT_7, x={"maxLength": 4}), of(DRAFT_2020, x={"maxLength": 3}), False),
        # A list of `items` is one schema for each element, and since 2020 nothing.
        (of(DRAFT_7, x={"items": [{"type": "string"}]}), of(DRAFT_2019, x={"items": [{"type": "string"}]}), True),
        (of(DRAFT_7, x={"items": [{"type": "string"}]}), of(DRAFT_2020, x={"prefixItems": [{"type": "string"}]}), None),
        # Beside `$ref`, draft 7 ignores all.
        (
            of(DRAFT_7, {"definitions": {"d": {}}}, x={"$ref": "#/definitions/d", "type": "string"}),
            of(DRAFT_2019, {"definitions": {"d": {}}}, x={"$ref": "#/definitions/d", "type": "string"}),
            False,
        ),
        (
            of(DRAFT_4, {"definitions": {"d": {}}}, x={"$ref": "#/definitions/d", "type": "string"}),
            of(DRAFT_7, {"definitions": {"d": {}}}, x={"$ref": "#/definitions/d", "type": "string"}),
            True,
        ),
        # What no draft defines says nothing, and a name of the whole is that of no part.
        (of(DRAFT_7, {"$id": "https://a.example"}, x={"unit": "m"}),
         of(DRAFT_2020, {"$id": "https://a.example"}, x={"unit": "m"}), True),
        (of(DRAFT_7, x={"$id": "https://a.example"}), of(DRAFT_2020, x={"$id": "https://a.example"}), True),
        (of(DRAFT_7, x={"contentEncoding": "base64"}), of(DRAFT_2020, x={"contentEncoding": "base64"}), None),
        (of(DRAFT_7, x=TREE), of(DRAFT_2020, x=TREE), True),
        # Draft 4 has no `const`, other exclusive bounds, and no true for a schema; 1.0 is no integer there.
        (of(DRAFT_7, x={"maxLength": 3}), of(DRAFT_4, x={"maxLength": 3}), True),
        (of(DRAFT_4, x={"maxLength": 3}), of(DRAFT_2020, x={"maxLength": 4}), True),
        (of(DRAFT_4, x={"const": 1}), of(DRAFT_7, x={"const": 1}), False),
        (of(DRAFT_7, x={"const": 1}), of(DRAFT_4, x={"const": 1}), None),
        (of(DRAFT_4, x={"minimum": 1, "exclusiveMinimum": True}), of(DRAFT_7, x={"exclusiveMinimum": 1}), None),
        (of(DRAFT_7, x=True), of(DRAFT_4), None),
        (of(DRAFT_7, x={"anyOf": [True, {}]}), of(DRAFT_4), None),
        (of(DRAFT_4, x={"type": "integer"}), of(DRAFT_7, x={"type": "integer"}), True),
        (of(DRAFT_4, x={"type": ["integer", "null"]}), of(DRAFT_7, x={"type": ["integer", "null"]}), True),
        (of(DRAFT_4, x={"not": {"type": "integer"}}), of(DRAFT_7, x={"not": {"type": "integer"}}), None),
        (of(DRAFT_7, x={"type": "integer"}), of(DRAFT_4, x={"type": "integer"}), False),
        (of(DRAFT_4, {"dependencies": {"x": ["y"]}}), of(DRAFT_7, {"dependencies": {"x": ["y"]}}), True),
        (of(DRAFT_7, x={"items": [{}], "additionalItems": False}),
         of(DRAFT_2019, x={"items": [{}], "additionalItems": False}), True),
        # `dependencies` are no keyword any more.
        (of(DRAFT_2019, {"dependencies": {"x": ["y"]}}), of(DRAFT_7, {"dependencies": {"x": ["y"]}}), None),
        # `dependentRequired` is none yet.
        (of(DRAFT_7, {"dependentRequired": {"x": ["y"]}}), of(DRAFT_2019, {"dependentRequired": {"x": ["y"]}}), None),
        (of(DRAFT_7, x={"format": "uuid"}), of(DRAFT_2019, x={"format": "uuid"}), True),
        (of(DRAFT_2019, x={"format": "uuid"}), of(DRAFT_7, x={"format": "uuid"}), True),
        (of(DRAFT_2019, x={"format": "uuid"}), of(DRAFT_7, x={"anyOf": [{"format": "uuid"}]}), None),
        (of(DRAFT_2019), of(DRAFT_7, x={"format": "uuid"}), False),
        # A format that is not known is not checked.
        (of(DRAFT_7, x={"format": "unknown"}), of(DRAFT_2020, x={"format": "unknown"}), True),
        (of(DRAFT_7), of(DRAFT_7, x={"format": "uuid"}), False),
        (None, of(DRAFT_2020), False),
        (None, of(DRAFT_7, x={"format": "uuid"}), None),
        (True, of(DRAFT_7, x={"format": "uuid"}), None),
        # What the library does not compare as a whole is compared keyword by keyword.
        (of(DRAFT_7, x=TREE), of(DRAFT_7, {"definitions": {}}, x=TREE), True),
        (of(DRAFT_7, x=TREE), of(DRAFT_7, x=TREE, y={"maxLength": 3}), False),
        (of(DRAFT_7, nodes=TREE, x={"multipleOf": 4}), of(DRAFT_7, nodes=TREE, x={"multipleOf": 2}), True),
        (of(DRAFT_7, nodes=TREE, x=True), of(DRAFT_7, nodes=TREE, x={"multipleOf": 2}), False),
        (of(DRAFT_7, nodes=TREE, x={"multipleOf": 2}), of(DRAFT_7, nodes=TREE, x=True), True),
        # The library does not check what a draft does not define.
        (of(DRAFT_7, nodes=TREE, x=True), of(DRAFT_7, nodes=TREE, x={"format": "uuid"}), False),
        (of(DRAFT_7, nodes=TREE, x={"format": "uuid"}),
         of(DRAFT_7, nodes=TREE, x={"not": {"not": {"format": "uuid"}}}), None),
        (of(DRAFT_2019, nodes=TREE, x={"const": UUID}), of(DRAFT_2019, nodes=TREE, x={"format": "uuid"}), True),
        # With another draft in it, too, where nothing is known of the whole.
        (of(DRAFT_2020), of(DRAFT_2020, MIXED), True),
        (of(DRAFT_2020), of(DRAFT_2020, MIXED, x={"maxLength": 3}), False),
        (of(DRAFT_7), of(DRAFT_2020, MIXED), None),
        (of(DRAFT_2020), None, True),
        (of(DRAFT_2020), {}, True),
        (None, {}, True),
    ],
)  # fmt: skip
def test_a_schema(compare: Compare, old: Any, new: Any, proved: bool | None) -> None:
    """Another draft may give a keyword another meaning; None is for what is not decided."""
    taking = compare({"schema": old}, {"schema": new})

    assert (taking.proved, taking.example is None) == (bool(proved), proved is not False)
    assert {why for _, why in taking.unproved} <= {"the schema may refuse messages"}


def test_a_schema_that_is_too_deep_to_compare(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not proved to take all."""

    def fail(*_: Any) -> bool:
        raise RecursionError

    monkeypatch.setattr("router.tools.change.acceptance.Containment.implies", fail)
    old, new = (of(DRAFT_7, nodes=TREE, x={"multipleOf": number}) for number in (4, 2))

    taking = compare({"schema": old}, {"schema": new})

    assert taking.unproved == (("schema", "the schema may refuse messages"),)
