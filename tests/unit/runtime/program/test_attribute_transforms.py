"""Named transforms: how they are called, and what their errors mean."""

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from router.runtime.program.attribute import _takes

PLUGIN = """
def show(value, *arguments, **keywords):
    return repr((value, *arguments, keywords))

@hookimpl
def router_register_transforms(register):
    register("show", show)
    register("exactly", lambda value, width: width)
    register("largest", max)  # written in C, without a signature

    def fail(value, how):
        raise {
            "value": ValueError(value), "type": TypeError(value), "key": KeyError(value), "zero": ZeroDivisionError(),
            "drop": Drop("not wanted"), "reject": Reject("no such model"), "retry": Retry("later", 30),
        }[how]

    register("fail", fail)
"""
ITEM = {"id": "1"}
IT_TAKES = "it takes truncate(value: str, length: int) -> str"


@pytest.mark.parametrize(
    ("transform", "stored"),
    [
        ("strip", "aB"),
        (["strip", "lower"], "ab"),
        (["strip", {"truncate": 1}, "lower"], "a"),
        ([{"truncate": {"length": 1}}, "strip"], ""),
        (["strip", {"replace": ["a", "c"]}], "cB"),
        (["strip", {"replace": {"old": "B", "new": "c"}}], "ac"),
        (["strip", {"prefix": ">"}, {"suffix": "<"}], ">aB<"),
        ([{"strip": []}], "aB"),
        ([{"strip": {}, "lower": {}}], "ab"),
        ([], " aB "),
        ({"truncate": 2}, " a"),
        ({"strip": {}, "lower": []}, "ab"),
        ("show", "(' aB ', {})"),
        ([{"show": 1}], "(' aB ', 1, {})"),
        ([{"show": None}], "(' aB ', None, {})"),
        ([{"show": [1, [2]]}], "(' aB ', 1, [2], {})"),
        ([{"show": [{"x": 1}]}], "(' aB ', {'x': 1}, {})"),
        ([{"show": {"x": 1}}], "(' aB ', {'x': 1})"),
        (["largest"], "a"),
    ],
)
def test_calls(attribute: Any, transform: Any, stored: str) -> None:
    """In order; a list is several arguments, a map is arguments by name, anything else is one."""
    sent = {"id": "1", "a": " aB "}

    assert attribute({"from": "a", "transform": transform}, plugin=PLUGIN).send(sent) == [{**ITEM, "a": stored}]


@pytest.mark.parametrize(
    ("sent", "ended"),
    [
        (1999, [{**ITEM, "a": Decimal("19.99")}]),
        (int("9" * 38), [{**ITEM, "a": Decimal("9" * 36 + ".99")}]),
        (
            int("9" * 39),
            ("rejected", "RT809", "table 'things': attribute 'a': a number of more than 38 digits or out of range", ""),
        ),
    ],
)
def test_scale_within_the_bounds_of_a_table(attribute: Any, sent: int, ended: Any) -> None:
    """A product is exact; one that a table cannot hold exactly is rejected, never rounded."""
    assert attribute({"from": "a", "transform": {"scale": 0.01}}).send({"id": "1", "a": sent}) == ended


def test_null_is_not_transformed(attribute: Any) -> None:
    """A transform sees no missing value."""
    flow = attribute({"from": "a", "transform": [{"fail": "key"}], "default": "none"}, plugin=PLUGIN)

    assert flow.send({"id": "1", "a": None}) == [{**ITEM, "a": "none"}]


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("value", ("rejected", "RT807", "attribute 'a' has a value that transform 'fail' does not take", "/a")),
        ("type", ("rejected", "RT807", "attribute 'a' has a value that transform 'fail' does not take", "/a")),
        ("key", ("retry", "RT813", "attribute 'a': transform 'fail' failed with KeyError (own.py:13)", "")),
        ("zero", ("retry", "RT813", "attribute 'a': transform 'fail' failed with ZeroDivisionError (own.py:13)", "")),
        ("drop", ("dropped", "RT811", "not wanted", "")),
        ("reject", ("rejected", "RT810", "no such model", "")),
        ("retry", ("retry", "RT812", "later", "")),
    ],
)
def test_errors(attribute: Any, how: str, outcome: Any) -> None:
    """ValueError and TypeError are the message's fault, decisions are the plugin's, anything else is to be fixed."""
    flow = attribute({"from": "a", "transform": [{"fail": how}]}, plugin=PLUGIN)

    assert flow.send({"id": "1", "a": "secret"}) == outcome


@pytest.mark.parametrize("sent", [1, ["x"], {"x": 1}, True])
def test_a_value_of_the_wrong_kind(attribute: Any, sent: Any) -> None:
    """Is rejected by a built-in transform, and not turned into text."""
    assert attribute({"from": "a", "transform": "strip"}).send({"id": "1", "a": sent}) == (
        "rejected",
        "RT807",
        "attribute 'a' has a value that transform 'strip' does not take: it is not text",
        "/a",
    )


@pytest.mark.parametrize(
    ("transform", "sent", "why"),
    [
        ("to_epoch", "2026-01-02T03:04:05", "it is a time without offset; add Z or +00:00"),
        ("to_epoch", "", "it is no ISO 8601 time"),
        ("to_epoch", 5, "it is not text"),
        ("to_number", "x", "it is not a number"),
    ],
)
def test_why_a_value_is_not_taken(attribute: Any, transform: str, sent: Any, why: str) -> None:
    """The reason says what a built-in transform knows of the value, and not the value."""
    assert attribute({"from": "a", "transform": transform}).send({"id": "1", "a": sent}) == (
        "rejected",
        "RT807",
        f"attribute 'a' has a value that transform '{transform}' does not take: {why}",
        "/a",
    )


@pytest.mark.parametrize(
    ("transform", "sentences"),
    [
        ("trim", ["RT403 unknown transform 'trim'; did you mean 'strip'?"]),
        (
            ["strip", "lowr", {"uper": 1}],
            [
                "RT403 unknown transform 'lowr'; did you mean 'lower'?",
                "RT403 unknown transform 'uper'; did you mean 'upper'?",
            ],
        ),
        (
            [{"truncate": [1, 2]}],
            [f"RT404 transform 'truncate': too many positional arguments; {IT_TAKES}"],
        ),
        (
            [{"truncate": {"width": 1}}],
            [f"RT404 transform 'truncate': missing a required argument: 'length'; {IT_TAKES}"],
        ),
        (
            ["truncate"],
            [f"RT404 transform 'truncate': missing a required argument: 'length'; {IT_TAKES}"],
        ),
        (
            [{"exactly": {"with": 1}}],
            ["RT404 transform 'exactly': missing a required argument: 'width'; it takes exactly(value, width)"],
        ),
    ],
)
def test_faults(attribute: Any, transform: Any, sentences: list[str]) -> None:
    """Unknown names and wrong arguments are found at load, with what is right."""
    assert attribute({"from": "a", "transform": transform}, plugin=PLUGIN).sentences == sentences


def test_a_name_like_no_other(attribute: Any) -> None:
    """The finding lists what there is."""
    [sentence] = attribute({"from": "a", "transform": "zzzzzz"}).sentences

    assert (
        sentence.startswith("RT403 unknown transform 'zzzzzz'; there are base64_decode, "),
        "strip" in sentence,
    ) == (
        True,
        True,
    )


def bare() -> None: ...


def one(value: Any) -> None: ...


def two(value: Any, more: Any) -> None: ...


def optional(value: Any, more: Any = 1, most: Any = 2) -> None: ...


def by_place(value: Any, /, more: Any) -> None: ...


def by_name(value: Any, *, more: Any) -> None: ...


def starred(value: Any, *more: Any, **named: Any) -> None: ...


@pytest.mark.parametrize("function", [bare, one, two, optional, by_place, by_name, starred, str.strip, len, Callable])
@pytest.mark.parametrize("arguments", [(), (1,), (1, 2), (1, 2, 3)])
@pytest.mark.parametrize("keywords", [{}, {"more": 1}, {"value": 1}, {"most": 1}, {"more": 1, "most": 2}, {"gone": 1}])
def test_the_short_way(function: Any, arguments: tuple[int, ...], keywords: dict[str, int]) -> None:
    """What is taken without looking at the signature is what the signature takes."""
    try:
        inspect.signature(function).bind(None, *arguments, **keywords)
        fits = True
    except (TypeError, ValueError):
        fits = False

    assert fits or not _takes(function, len(arguments), keywords)


def test_the_short_way_is_taken() -> None:
    """By plain functions with the right arguments."""
    taken = [_takes(one, 0, {}), _takes(two, 1, {}), _takes(optional, 1, {"most": 1}), _takes(by_place, 0, {"more": 1})]

    assert taken == [True] * 4
