"""Pairs of routes that lose data of one item in the new version, and not in the old."""

from typing import Any

import pytest

from tests.unit.tools.change.conftest import Diff, config_of

QUEUES = {"queue": "others"}
PUT = {"item": {"id": "id", "a": "a"}}
OTHER = {**QUEUES, "item": {"id": "id", "b": "b"}}
APART = {**QUEUES, "item": {"id": {"template": "x#{id}"}, "b": "b"}}
CONSTANT = {**QUEUES, "item": {"id": {"value": "y"}, "b": "b"}}
FIXED = {"item": {"id": {"value": "x"}, "a": "a"}}


def found(diff: Diff, old: Any, new: Any) -> list[tuple[str, str]]:
    """The findings about pairs, each with the route that it is about."""
    report = diff(config_of(old), config_of(new))
    changes = [each.change for each in report.findings if each.change.code.id == "RT932"]
    # Both at a place where they can be ignored.
    for each in changes:
        assert each.path == each.old_path
        assert (each.path[0], each.path[2]) == ("routes", "write")
        assert each.route in ("", each.path[1])
    return [(each.route, each.sentence.partition(":")[0]) for each in changes]


SENTENCE = "routes '{}' and '{}' now lose data of one item"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"one": PUT}, {"one": PUT, "two": OTHER}, [("", SENTENCE.format("one", "two"))]),
        ({"one": FIXED, "two": CONSTANT}, {"one": FIXED, "two": OTHER}, [("two", SENTENCE.format("one", "two"))]),
        ({"one": FIXED, "two": CONSTANT}, {"one": PUT, "two": CONSTANT}, [("one", SENTENCE.format("one", "two"))]),
        ({"one": PUT, "two": OTHER}, {"one": PUT, "two": APART}, []),
        ({"one": PUT, "two": OTHER}, {"one": PUT, "three": OTHER}, []),
        ({"one": FIXED, "two": CONSTANT}, {"one": FIXED, "two": {**CONSTANT, "item": {"id": {"value": "z"}}}}, []),
        ({"one": PUT}, {"one": {**PUT, "item": {"id": "id", "c": "c"}}}, []),
        (
            {"one": PUT, "two": OTHER, "three": CONSTANT},
            {"one": PUT, "two": OTHER, "three": {**CONSTANT, "item": {"id": "id", "c": "c"}}},
            [("three", SENTENCE.format("one", "three")), ("three", SENTENCE.format("two", "three"))],
        ),
        ({"one": {"table": "things"}}, {"one": {"item": {"id": "id", "v": "v"}}}, []),
    ],
)
def test_pairs(diff: Diff, old: Any, new: Any, expected: list[tuple[str, str]]) -> None:
    """Of routes that are new or changed; those that lost data before are left out."""
    assert found(diff, old, new) == expected


def test_what_is_lost_in_a_known_case_is_left_out(diff: Diff) -> None:
    """A delete with the version of the other route has an info of `router check` only."""
    write = {"mode": "newest", "version": "v"}
    one = {"item": {"id": "id", "v": "v"}, "write": write}
    two = {"queue": "others", "item": {"id": "id", "v": "v"}, "write": {"mode": "delete", "version": "v"}}
    assert found(diff, {"one": one}, {"one": one, "two": two}) == []
