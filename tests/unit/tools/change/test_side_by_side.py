"""Why two versions must not write at once, as while a deployment shifts: one would lose what the other wrote."""

from typing import Any

import pytest

from router.tools.change.compare import compare_versions, side_by_side
from tests.unit.tools.change.conftest import Open, config_of

TABLES: Any = {
    "things": {"key": {"id": "S"}},
    "others": {"key": {"id": "S"}},
    "same": {"name": "things", "key": {"id": "S"}},
    "sorted": {"name": "things", "key": {"id": "S", "n": "N"}},
    "markers": {"key": {"id": "S"}},
    "more": {"key": {"id": "S"}},
}
ITEM = {"id": "id", "n": "n", "m": "m"}
SENTENCE = "two versions must not write side by side"
KEY = "the table has another key: each version is refused by the other's table"
MAPPED = "the key is mapped in another way: one message writes two items"
TWICE = "idempotency keys are others: a message that both versions receive is added twice"
INCOMPARABLE = "the version 'n' is mapped in another way: versions of the two do not compare"


def newest(version: str = "n") -> dict[str, Any]:
    return {"write": {"mode": "newest", "version": version}}


def update(**settings: Any) -> dict[str, Any]:
    return {"write": {"mode": "update", **settings}}


def undone(one: str, other: str) -> str:
    return f"the modes '{one}' and '{other}' undo each other without a 'version' in both"


def versions_of(one: str, other: str) -> str:
    return f"items have their version in {one} or in {other}"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({}, {"item": {"id": "id", "n": "m"}}, []),
        ({}, {"table": "same", "when": "n"}, []),
        ({}, {"table": "others", "item": {"id": "n"}}, []),
        (newest(), {"table": "others"}, []),
        ({}, {"table": "sorted"}, [KEY]),
        ({}, {"table": "sorted", "item": {"id": "m", "n": "n"}}, [KEY]),
        ({}, {"item": {**ITEM, "id": "m"}}, [MAPPED]),
        ({"item": None}, {"item": {"id": {"from": "id", "default": "x"}}}, [MAPPED]),
        ({"item": None}, {"item": {"id": {"from": "id"}}}, []),
        ({"item": None}, {"item": None, "for_each": "list"}, [MAPPED]),
        ({"for_each": "list", "item": {"id": "element.id"}}, {"for_each": "lists", "item": {"id": "element.id"}},
         [MAPPED]),
        ({}, update(), [undone("put", "update")]),
        (update(), {}, [undone("update", "put")]),
        ({}, newest(), [undone("put", "newest")]),
        (newest(), {}, [undone("newest", "put")]),
        (newest(), {"write": {"mode": "delete"}}, [undone("newest", "delete")]),
        ({}, {"write": {"mode": "insert"}}, [undone("put", "insert")]),
        (update(), {"write": {"mode": "newest", "version": "n"}}, [versions_of("'no attribute'", "'n'")]),
        (newest("n"), newest("m"), [versions_of("'n'", "'m'")]),
        (newest("n"), {**newest("n"), "when": "n"}, []),
        (newest("n"), {**newest("n"), "item": {**ITEM, "n": "m"}}, [INCOMPARABLE]),
        (newest("n"), {**newest("n"), "item": {**ITEM, "m": "n"}}, []),
        (update(add=["m"], once="markers"), {**update(add=["m"], once="markers"), "when": "n"}, []),
        (update(add=["m"], once="markers"), update(add=["m"], once="more"), [TWICE]),
        (update(add=["m"], once="markers"), update(add=["m"]), [TWICE]),
        (update(add=["m"]), update(add=["m"], once="markers"), [TWICE]),
        (update(append=["m"], once="markers"), update(append=["m"], once="more"), [TWICE]),
        (update(once="markers"), update(add=["m"], once="more"), [TWICE]),
        (update(once="markers"), update(append=["m"], once="more"), [TWICE]),
        (update(add=["m"], once="markers"), update(once="more"), [TWICE]),
        (update(once="markers"), update(once="more"), []),
        (update(add=["m"], once="markers", once_key="id"), update(add=["m"], once="markers", once_key="n"), [TWICE]),
        (update(add=["m"], once="markers"), update(add=["m"], once="markers", once_key="n"), [TWICE]),
    ],
)  # fmt: skip
def test_why_not(open_config: Open, old: Any, new: Any, why: list[str]) -> None:
    """Of the key, the modes, the version and the idempotency keys."""
    versions = []
    for folder, settings in (("old", old), ("new", new)):
        route = {name: value for name, value in {"item": ITEM, **settings}.items() if value is not None}
        config = config_of({"main": route}, tables=TABLES)
        if route.get("item") is None:
            del config["routes"]["main"]["item"]
        versions.append(open_config(config, folder))

    sentences = tuple(f"route 'main': {SENTENCE}: {each}" for each in why)
    before, after = versions
    assert side_by_side(before, after) == sentences
    report = compare_versions(before, after)
    assert report.conflicts == sentences
    assert {each.was for each in report.routes} <= {""}
    found = [each.change.sentence for each in report.findings if each.change.code.id == "RT930"]
    assert found == [f"{SENTENCE}: {each}" for each in why]


@pytest.mark.parametrize(("settings", "why"), [({}, [TWICE]), ({"once_key": "id"}, [])])
def test_a_route_with_a_new_name(open_config: Open, settings: Any, why: list[str]) -> None:
    """Its name is in the idempotency keys, unless they are set."""
    route = {"item": ITEM, **update(add=["m"], once="markers", **settings)}
    old, new = (open_config(config_of({name: route}, tables=TABLES), name) for name in ("before", "after"))

    assert side_by_side(old, new) == tuple(f"route 'after': {SENTENCE}: {each}" for each in why)
    assert [(each.route, each.was) for each in compare_versions(old, new).routes] == [("after", "before")]


def test_two_that_are_the_same(open_config: Open) -> None:
    """They may, whatever they write; so may a route that only one of them has."""
    route = {"item": ITEM, **update(add=["m"])}
    old, new = config_of({"main": route}), config_of({"main": route, "more": {}})

    assert side_by_side(open_config(old, "old"), open_config(new, "new")) == ()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({}, {"item": {**ITEM, "id": "m"}}, [MAPPED]),
        ({}, update(), [undone("put", "update")]),
        ({"when": "kind == 'a'"}, {"when": "kind == 'b'", "item": {**ITEM, "id": "m"}}, []),
        ({"when": "kind == 'a'"}, {"when": "kind != 'b'", "item": {**ITEM, "id": "m"}}, [MAPPED]),
        ({}, {"queue": "others", "item": {**ITEM, "id": "m"}}, []),
        ({}, {"table": "others", "item": {**ITEM, "id": "m"}}, []),
        ({}, {"when": "n"}, []),
    ],
)
def test_a_route_in_place_of_another(open_config: Open, old: Any, new: Any, why: list[str]) -> None:
    """A new name with other settings: where both may take a message, it is compared as one route would be."""
    before = open_config(config_of({"before": {"item": ITEM, **old}}, tables=TABLES), "old")
    after = open_config(config_of({"after": {"item": ITEM, **new}}, tables=TABLES), "new")

    sentences = tuple(f"route 'after': {SENTENCE}: {each}" for each in why)
    assert side_by_side(before, after) == sentences
    assert compare_versions(before, after).conflicts == sentences
