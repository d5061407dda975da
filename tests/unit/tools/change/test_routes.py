"""Which routes of two versions behave alike, and which of them are one route with another name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from router.prover.schema_prover import SchemaProver
from router.tools.change.routes import (
    RoutePairs,
    documents_of,
    names_written,
    pair,
    renamed,
    replacements,
    routes_of,
)
from tests.unit.tools.change.conftest import Open, config_of

TRANSFORM = """
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", lambda value: value + "!")
"""
ENVELOPE = """
from router import hookimpl

@hookimpl
def router_register_envelopes(register):
    register("own", lambda payload, attributes: (payload, attributes))
"""
HOOK = """
from router import hookimpl

@hookimpl
def router_transform_item(item):
    return item
"""
Changed = Callable[..., dict[str, list[str]]]


@pytest.fixture
def pairs(open_config: Open, tmp_path: Path) -> Callable[..., RoutePairs]:
    """Return a function that pairs the routes of two configs, each with files in its folder."""

    def run(old: Any, new: Any, before: Mapping[str, str] = {}, after: Mapping[str, str] = {}) -> RoutePairs:
        versions = []
        for folder, config, files in (("old", old, before), ("new", new, after)):
            for name, text in files.items():
                file = tmp_path / folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            versions.append(routes_of(open_config(config, folder)))
        return pair(*versions)

    return run


@pytest.fixture
def changed(pairs: Callable[..., RoutePairs]) -> Changed:
    """Return a function that names the parts that differ, of each route that does."""

    def run(*arguments: Any) -> dict[str, list[str]]:
        found = {}
        for old, new in pairs(*arguments).both:
            names = [name for name, text in old.parts.items() if text != new.parts[name]]
            if names:
                found[new.name] = names
        return found

    return run


def names(found: RoutePairs) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    both = [(old.name, new.name) for old, new in found.both]
    return both, [each.name for each in found.removed], [each.name for each in found.added]


WITH_TRANSFORM = {"item": {"id": "id", "n": {"from": "n", "transform": ["strip", "shout"]}}}


@pytest.mark.parametrize(
    ("plugin", "settings", "part"),
    [
        (TRANSFORM, WITH_TRANSFORM, "plugins"),
        (TRANSFORM, {"item": {"id": "id", "n": {"from": "n", "transform": "shout"}}}, "plugins"),
        (TRANSFORM, {"item": {"id": "id", "n": {"from": "n", "transform": "strip"}}}, None),
        (HOOK, {}, "plugins"),
        (HOOK, {"plugins": ["own"]}, "plugins"),
        (HOOK, {"plugins": []}, None),
        (TRANSFORM, {}, None),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_plugin_that_changed(changed: Changed, plugin: str, settings: Any, part: str | None, beside: bool) -> None:
    """It matters to routes that its hooks or transforms are for; and so does a file beside it, which it may read."""
    config = config_of({"main": settings}, plugins=["plugins/own.py"])
    before = {"plugins/own.py": plugin, "plugins/data.txt": "a"}
    after = before | ({"plugins/data.txt": "b"} if beside else {"plugins/own.py": f"{plugin}#"})

    assert changed(config, config, before, before) == {}
    assert changed(config, config, before, after) == ({} if part is None else {"main": [part]})


def test_a_plugin_that_a_route_does_not_use(changed: Changed) -> None:
    """Its file is one that another plugin may import."""
    config = config_of({"main": {"plugins": ["own"]}}, plugins=["plugins/own.py", "plugins/other.py"])
    before = {"plugins/own.py": HOOK, "plugins/other.py": HOOK}

    assert changed(config, config, before, {**before, "plugins/other.py": f"{HOOK}#"}) == {"main": ["plugins"]}


@pytest.mark.parametrize("beside", [False, True])
def test_a_plugin_with_an_envelope_that_changed(changed: Changed, beside: bool) -> None:
    """Of queues with that envelope, messages may be unwrapped in another way."""
    queues = {"things": {"envelope": ["own"], "dead_letter": "dead"}, "more": {"envelope": ["sns"]}}
    config = config_of({"main": {}, "more": {"queue": "more"}}, queues=queues, plugins=["plugins/own.py"])
    before = {"plugins/own.py": ENVELOPE, "plugins/data.txt": "a"}
    after = before | ({"plugins/data.txt": "b"} if beside else {"plugins/own.py": f"{ENVELOPE}#"})

    assert changed(config, config, before, before) == {}
    assert changed(config, config, before, after) == {"main": ["decode"]}


def test_a_schema_in_several_files(changed: Changed) -> None:
    """Where they are does not matter, but what each refers to does."""
    old, new = (config_of({"main": {"schema": f"{folder}/root.json"}}) for folder in ("a", "b"))
    root = '{"properties": {"n": {"$ref": "parts/n.json"}}}'

    def files(folder: str, part: str) -> dict[str, str]:
        return {f"{folder}/root.json": root, f"{folder}/parts/n.json": part}

    number = '{"type": "number"}'
    assert changed(old, new, files("a", number), files("b", number)) == {}
    assert changed(old, new, files("a", number), files("b", "{}")) == {"main": ["schema"]}


def test_documents_by_their_names(pairs: Callable[..., RoutePairs]) -> None:
    """From the folder of the first, which has none."""
    config = config_of({"main": {"schema": "a/root.json"}, "none": {}})
    files = {"a/root.json": '{"allOf": [{"$ref": "b/n.json"}, {"$ref": "../m.json"}]}', "a/b/n.json": "{}"}

    found = {
        old.name: documents_of(old.schema) for old, _ in pairs(config, config, *[{**files, "m.json": "{}"}] * 2).both
    }

    assert (set(found["main"]), found["none"]) == ({"", "b/n.json", "../m.json"}, None)


UPDATE = {"write": {"mode": "update", "add": ["n"], "once": "markers"}, "item": {"id": "id", "n": "n"}}


@pytest.mark.parametrize(
    ("settings", "plugins", "found"),
    [
        ({}, [], {}),
        ({"item": {"id": "id", "x": {"meta": "route"}}}, [], {"route": "main"}),
        ({"item": {"id": "id", "x": {"meta": "queue"}}}, [], {"queue": "things"}),
        ({"item": {"id": "id", "x": {"meta": "message_id"}}}, [], {}),
        (UPDATE, [], {"route": "main"}),
        ({}, ["own.py"], {"route": "main", "queue": "things", "table": "things"}),
        ({"plugins": []}, ["own.py"], {}),
    ],
)
def test_names_that_are_written(
    pairs: Callable[..., RoutePairs], settings: Any, plugins: list[str], found: dict[str, str]
) -> None:
    """Items, idempotency keys and plugins get names of the config."""
    tables = {"things": {"key": {"id": "S"}}, "markers": {"key": {"id": "S"}}}
    config = config_of({"main": settings}, plugins=plugins, tables=tables)

    ((route, _),) = pairs(config, config, *[{"own.py": HOOK}] * 2).both

    assert names_written(route) == found


def test_routes_with_other_names(pairs: Callable[..., RoutePairs]) -> None:
    """One that is gone and one that has come are one route, if nothing else differs and no other is like them."""
    one, two, three = ({"item": {"id": "id", "n": {"value": number}}} for number in (1, 2, 3))

    found = names(pairs(config_of({"a": one, "b": two, "c": three}), config_of({"x": one, "b": three, "y": two})))
    assert found == ([("a", "x"), ("b", "b")], ["c"], ["y"])

    found = names(pairs(config_of({"a": one, "b": one}), config_of({"x": one})))
    assert found == ([], ["a", "b"], ["x"])

    found = names(pairs(config_of({"a": one}), config_of({"x": one, "y": one})))
    assert found == ([], ["a"], ["x", "y"])


def test_routes_that_a_field_tells_apart(pairs: Callable[..., RoutePairs], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked about two that require different texts: of thousands of routes, there are millions of pairs."""
    kinds = ["a", "b", "c"]
    old = {f"old-{kind}": {"when": f"kind == '{kind}'"} for kind in kinds}
    new = {f"new-{kind}": {"when": f"kind == '{kind}' && n"} for kind in [*kinds, "d"]}
    asked: list[Any] = []
    entails = SchemaProver.entails

    def ask(prover: SchemaProver, what: Any) -> Any:
        asked.append(what)
        return entails(prover, what)

    monkeypatch.setattr(SchemaProver, "entails", ask)

    found = [(before.name, after.name) for before, after in replacements(pairs(config_of(old), config_of(new)))]

    assert found == [(f"old-{kind}", f"new-{kind}") for kind in kinds]
    assert len(asked) == len(kinds)


def test_a_name_that_is_written_is_no_other_route(pairs: Callable[..., RoutePairs]) -> None:
    """Nor is a place among the routes of `match: first`: what that changes is said of the route."""
    named = {"item": {"id": "id", "x": {"meta": "route"}}}

    assert names(pairs(config_of({"a": named}), config_of({"b": named}))) == ([("a", "b")], [], [])

    first = {"things": {"match": "first"}}
    old, new = ({"x": {"when": when}, name: {"when": "n"}} for when, name in (("o", "a"), ("p", "b")))
    found = names(pairs(config_of(old, queues=first), config_of(new, queues=first)))
    assert found == ([("x", "x"), ("a", "b")], [], [])


def test_things_with_other_names() -> None:
    """By what they are, each once."""
    assert renamed({"a": b"1", "b": b"2"}, {"x": b"1", "y": b"3"}) == {"x": "a"}
    assert renamed({"a": b"1", "b": b"1"}, {"x": b"1"}) == {}
    assert renamed({"a": b"1"}, {"x": b"1", "y": b"1"}) == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("things", "things", True),
        ("things", "others", False),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/things", "things", False),
        (
            "arn:aws:dynamodb:eu-west-1:123456789012:table/things",
            "arn:aws:dynamodb:eu-west-1:123456789013:table/things",
            False,
        ),
    ],
)
def test_one_table(changed: Changed, one: str, other: str, same: bool) -> None:
    """A name is that of a table in the router's own account and region; an ARN may be of any."""
    old, new = (
        config_of({"main": {}}) | {"tables": {"things": {"name": each, "key": {"id": "S"}}}} for each in (one, other)
    )

    assert changed(old, new) == ({} if same else {"main": ["table"]})


def test_earlier_routes(pairs: Callable[..., RoutePairs]) -> None:
    """By `match: first`, those before it take messages from a route, and run before it; no later one counts."""
    routes = {"a": {"when": "a"}, "main": {"when": "m"}, "z": {"when": "z"}, "other": {"queue": "others"}}
    for match, earlier, isolated in (("first", ("a",), ["a", "main"]), ("all", (), ["main"])):
        config = config_of(routes, queues={"things": {"match": match}})
        found = {old.name: old for old, _ in pairs(config, config).both}

        main = found["main"]
        assert main.earlier == earlier
        assert [each.route.name for each in main.isolated.routes] == isolated
        assert found["other"].earlier == ()


def test_what_earlier_routes_leave(pairs: Callable[..., RoutePairs]) -> None:
    """A route behind one without a condition gets no messages; behind too many, nothing is known."""
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "number"}}}
    config = config_of({"all": {}, "main": {"schema": schema}}, queues={"things": {"match": "first"}})
    many = {f"r{number}": {"when": f"n == `{number}`"} for number in range(17)}
    crowded = config_of({**many, "main": {"schema": schema, "when": "id"}}, queues={"things": {"match": "first"}})

    assert [old.messages.impossible for old, _ in pairs(config, config).both] == [False, True]
    ((*_, (last, _)),) = (pairs(crowded, crowded).both,)
    assert (last.messages.impossible, len(last.earlier)) == (False, 17)
