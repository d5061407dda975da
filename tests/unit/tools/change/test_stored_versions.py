"""A version attribute that is new is on none of the items that a table holds already."""

from typing import Any

import pytest

from router.tools.change.report import ConfigChange
from tests.unit.tools.change.conftest import Diff, config_of

TABLES: Any = {
    "things": {"key": {"id": "S"}},
    "same": {"name": "things", "key": {"id": "S"}},
    "others": {"key": {"id": "S"}},
    "sorted": {"name": "things", "key": {"id": "S", "v": "S"}},
}
ITEM = {"id": "id", "a": "a"}
VERSIONED = {**ITEM, "v": "v"}
MORE = {**VERSIONED, "w": "w"}
NEWEST = {"mode": "newest", "version": "v"}
UPDATE = {"mode": "update", "version": "v"}
ALL = (
    "version 'v' is on none of the items that table 'things' holds: the first message of each key wins, also a late "
    "one, and replaces {}"
)
SOME = (
    "version 'v' is not on the items of table 'things' that route '{}' stored: the first message of each key wins, "
    "also a late one, and replaces {}"
)


def found(diff: Diff, old: Any, new: Any) -> list[ConfigChange]:
    """The findings about versions; without one of a section, it is the usual one."""
    report = diff(config_of(old, tables=TABLES), config_of(new, tables=TABLES))
    return [each.change for each in report.findings if each.change.code.id == "RT931"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ({}, {"item": VERSIONED, "write": NEWEST}, ALL.format("the item")),
        ({}, {"item": VERSIONED, "write": UPDATE}, ALL.format("its 'a'")),
        ({}, {"item": VERSIONED, "write": UPDATE, "table": "same"}, ALL.format("its 'a'")),
        ({"item": {**ITEM, "w": "w"}, "write": {"mode": "newest", "version": "w"}},
         {"item": MORE, "write": NEWEST}, ALL.format("the item")),
        ({"write": {"mode": "update"}}, {"item": VERSIONED, "write": UPDATE}, ALL.format("its 'a'")),
        ({}, {"item": {"id": "id", "v": "v"}, "write": {"mode": "delete", "version": "v"}},
         ALL.format("the item").replace("replaces", "deletes")),
        ({"item": None}, {"item": VERSIONED, "write": NEWEST}, ""),
        ({"item": None}, {"item": {**VERSIONED, "v": {"meta": "sent_at"}}, "write": NEWEST}, ALL.format("the item")),
        ({"item": None}, {"item": None, "write": NEWEST}, ""),
        ({}, {"item": None, "write": UPDATE}, ALL.format("its attributes")),
        ({"item": None}, {"item": {**VERSIONED, "v": "w"}, "write": UPDATE}, ALL.format("its 'a'")),
        ({"item": {**ITEM, "a": "b"}}, {"item": None, "write": NEWEST}, ALL.format("the item")),
        ({"item": VERSIONED}, {"item": VERSIONED, "write": NEWEST}, ""),
        ({"item": VERSIONED, "write": NEWEST}, {"item": VERSIONED, "write": UPDATE}, ""),
        ({"item": VERSIONED, "write": NEWEST}, {"item": VERSIONED, "write": {"mode": "put"}}, ""),
        ({}, {"item": VERSIONED, "write": NEWEST, "table": "others"}, ""),
        ({"table": "sorted", "item": VERSIONED}, {"item": VERSIONED, "write": NEWEST}, ""),
        ({}, {"item": {"id": "id", "b": "b", "v": "v"}, "write": UPDATE}, ""),
        ({"write": {"mode": "delete"}}, {"item": VERSIONED, "write": NEWEST}, ""),
        ({}, {"item": {"id": "id", "a": "a", "v": "v"}, "write": {**UPDATE, "keep_first": ["a"]}}, ""),
    ],
)  # fmt: skip
def test_of_a_route(diff: Diff, old: Any, new: Any, sentence: str) -> None:
    """Where what it writes over is on stored items, and its version is not."""
    sides = [
        {"main": {name: value for name, value in {"item": ITEM, **each}.items() if value is not None}}
        for each in (old, new)
    ]
    configs = [config_of(each, tables=TABLES) for each in sides]
    for config, given in zip(configs, (old, new), strict=True):
        if given.get("item", ITEM) is None:
            del config["routes"]["main"]["item"]
    report = diff(*configs)
    changes = [each.change for each in report.findings if each.change.code.id == "RT931"]

    assert [each.sentence for each in changes] == ([sentence] if sentence else [])
    for each in changes:
        assert each.path == each.old_path == ("routes", "main", "write", "version")
        assert each.route == "main"


def test_the_way_out(diff: Diff) -> None:
    """A version that the stored items have, if there is one; else the current state again."""
    change, *_ = found(diff, {"main": {"item": ITEM}}, {"main": {"item": VERSIONED, "write": NEWEST}})
    assert change.suggestion == "send the current state of each item again before late messages can come"

    write = {"mode": "newest", "version": "w"}
    change, *_ = found(
        diff, {"main": {"item": {**ITEM, "w": "w"}, "write": write}}, {"main": {"item": MORE, "write": NEWEST}}
    )
    assert change.suggestion == (
        "keep 'w', which the stored items have, or send the current state of each item again before late messages can "
        "come"
    )

    # Of routes with two versions, neither is on all items.
    other = {"item": {**ITEM, "x": "x"}, "write": {"mode": "newest", "version": "x"}, "when": "a"}
    before = {"main": {"item": {**ITEM, "w": "w"}, "write": write}, "more": other}
    change, *_ = found(diff, before, {**before, "main": {"item": MORE, "write": NEWEST}})
    assert change.suggestion == "send the current state of each item again before late messages can come"


def test_routes_that_share_a_table(diff: Diff) -> None:
    """A new route writes over what others stored; some of them may have its version."""
    old = {"main": {"item": ITEM}, "more": {"item": VERSIONED, "when": "a"}}
    new = {**old, "added": {"item": {**VERSIONED, "b": "b"}, "write": UPDATE, "when": "b"}}
    change, *others = found(diff, old, new)

    assert others == []
    assert change.sentence == "route 'added': " + SOME.format("main", "its 'a'")
    assert change.path == ("routes", "added", "write", "version")
    assert change.route == ""

    assert found(diff, {"more": old["more"]}, {"more": old["more"], "added": new["added"]}) == []


def test_a_renamed_route(diff: Diff) -> None:
    """Only a name that changes changes no version."""
    old = {"one": {"item": VERSIONED, "write": NEWEST}}
    assert found(diff, old, {"two": old["one"]}) == []


def test_it_can_be_ignored(diff: Diff) -> None:
    """At the place of the version."""
    route = {"item": VERSIONED, "write": NEWEST}
    ignored = [{"code": "RT931", "reason": "the table is empty", "at": "routes.main.write.version"}]
    report = diff(
        config_of({"main": {"item": ITEM}}, tables=TABLES), config_of({"main": route}, tables=TABLES, ignore=ignored)
    )
    assert [each.change.code.id for each in report.ignored] == ["RT931"]
