"""`merge`: the entries of a map of the message become attributes of the item."""

from typing import Any

import pytest

ITEM = {"id": "id", "name": "name"}
OWN = "'merge' finds the attribute 'name', which is the route's own"


@pytest.mark.parametrize(
    ("merge", "message", "ended"),
    [
        ("m", {"m": {"a": 1, "b": {"c": None}}}, [{"id": "1", "a": 1, "b": {"c": None}}]),
        ("m", {"name": "x", "m": {}}, [{"id": "1", "name": "x"}]),
        ("m", {}, [{"id": "1"}]),
        ("m", {"m": None}, [{"id": "1"}]),
        ("m", {"m": {"a": None, "name": None}}, [{"id": "1"}]),
        ("m.n", {"m": {"n": {"a": 1}}}, [{"id": "1", "a": 1}]),
        ("m || n", {"n": {"a": 1}}, [{"id": "1", "a": 1}]),
        ({"from": "m", "prefix": "m_"}, {"m": {"id": 2, "name": 3}}, [{"id": "1", "m_id": 2, "m_name": 3}]),
        ({"from": "m", "max": 2}, {"m": {"a": 1, "b": 2}}, [{"id": "1", "a": 1, "b": 2}]),
        (
            {"from": "m", "transform": "dynamodb_item"},
            {"m": {"a": {"SS": ["x"]}, "b": {"NULL": True}}},
            [{"id": "1", "a": {"x"}}],
        ),
        (
            {"from": "m", "transform": ["parse_json", "dynamodb_item"]},
            {"m": '{"a": {"N": "1"}}'},
            [{"id": "1", "a": 1}],
        ),
        ("m", {"m": {"name": 1}}, ("rejected", "RT807", OWN, "/m")),
        ({"from": "m", "prefix": "na"}, {"m": {"me": 1}}, ("rejected", "RT807", OWN, "/m")),
        ("m", {"m": [1]}, ("rejected", "RT807", "'merge' finds no object", "/m")),
        (
            {"from": "m", "max": 1},
            {"m": {"a": 1, "b": 2}},
            ("rejected", "RT803", "'merge' finds more than 1 entries", "/m"),
        ),
        (
            {"from": "m", "transform": "dynamodb_item"},
            {"m": {"a": 1}},
            (
                "rejected",
                "RT807",
                "'merge' has a value that transform 'dynamodb_item' does not take: it is no attribute value",
                "/m",
            ),
        ),
        ("abs(m)", {"m": "x"}, ("rejected", "RT807", "the expression of 'merge' fails on the message", "")),
        (
            "m",
            {"m": {"": 1}},
            ("rejected", "RT809", "table 'things': an attribute has a name that is empty or no text", ""),
        ),
    ],
)
def test_merging(flow: Any, merge: Any, message: Any, ended: Any) -> None:
    """Entries are added, except nulls; one whose attribute is the route's own is rejected, as is what is no map."""
    assert flow({"item": ITEM, "merge": merge}).send({"id": "1", **message}) == ended


def test_elements(flow: Any) -> None:
    """With `for_each` it is evaluated on each element and the message."""
    route = {"for_each": "lines", "item": {"id": "element.id", "n": "message.n"}, "merge": "element.more"}
    made = flow(route)

    assert (
        made.send({"n": 1, "lines": [{"id": "1", "more": {"a": 1}}, {"id": "2"}]}),
        made.send({"n": 1, "lines": [{"id": "1"}, {"id": "2", "more": {"n": 1}}]}),
    ) == (
        [{"id": "1", "n": 1, "a": 1}, {"id": "2", "n": 1}],
        ("rejected", "RT807", "'merge' finds the attribute 'n', which is the route's own", "/lines/1/more"),
    )


def test_the_time_to_live(load_text: Any) -> None:
    """A sender cannot set when an item expires."""
    made = load_text(
        "version: 1\nqueues: {q: {dead_letter: d}}\ntables: {things: {key: {id: S}, ttl: ends}}\n"
        "routes: {r: {queue: q, table: things, item: {id: id}, merge: m}}\n"
    )

    assert made.send({"id": "1", "m": {"ends": 0}}) == (
        "rejected",
        "RT807",
        "'merge' finds the attribute 'ends', which is the route's own",
        "/m",
    )


def test_a_plugin_that_fails(flow: Any) -> None:
    """A transform of a plugin that fails is not the message's fault."""
    plugin = "@hookimpl\ndef router_register_transforms(register):\n    register('fail', lambda value: 1 / 0)\n"

    found = flow({"item": ITEM, "merge": {"from": "m", "transform": "fail"}}, plugin=plugin).send({"id": "1", "m": {}})

    assert found == ("retry", "RT813", "transform 'fail' failed with ZeroDivisionError (own.py:4)", "")


@pytest.mark.parametrize(
    ("route", "sentences"),
    [
        ({"merge": "m"}, ["RT435 'merge' has no effect without 'item'; remove it"]),
        (
            {"item": ITEM, "merge": "m", "write": {"mode": "delete"}},
            ["RT435 'merge' has no effect for 'mode: delete'; remove it"],
        ),
        ({"item": ITEM, "merge": "m["}, ["RT401 "]),
        ({"item": ITEM, "merge": {"from": "m["}}, ["RT401 "]),
        ({"item": ITEM, "merge": {"from": "m", "transform": "dynamo"}}, ["RT403 "]),
        ({"item": ITEM, "merge": {"prefix": "m"}}, ["RT102 missing key 'from' in 'merge' of route 'r'"]),
        ({"item": ITEM, "merge": {"from": "m", "max": 0}}, ["RT105 "]),
    ],
)
def test_faults(flow: Any, route: Any, sentences: list[str]) -> None:
    """What cannot work is found at load."""
    found = flow(route).sentences

    assert [sentence[: len(start)] for sentence, start in zip(found, sentences, strict=True)] == sentences
