"""Types, defaults and what happens without a value."""

import json
from decimal import Decimal
from typing import Any

import pytest

from router.model import Record
from tests.support.engine import plan

OWN_TRANSFORMS = """
@hookimpl
def router_register_transforms(register):
    register("nothing", lambda value: None)
    register("no_texts", lambda value: set())
    register("texts", lambda value: frozenset(value))
    register("given", lambda value, given: given)

    def grow(value):
        (value["b"] if isinstance(value, dict) else value).append("grown")
        return value

    register("grow", grow)
"""
GROW = """
@hookimpl
def router_transform_item(item):
    a = item["a"]
    (a["b"] if isinstance(a, dict) else a).append("grown")
    return item
"""


@pytest.mark.parametrize(
    ("kind", "sent", "stored"),
    [
        ("S", '"x"', "x"),
        ("S", "1E+3", "1000"),
        ("S", "1.50", "1.5"),
        ("S", "-0.0", "0"),
        ("N", "1.50", Decimal("1.5")),
        ("N", '"1.50"', Decimal("1.5")),
        ("N", '"-12345678901234567890123456789012345678"', -12345678901234567890123456789012345678),
        ("N", '".5e-3"', Decimal("0.0005")),
        ("B", '"AAE="', b"\x00\x01"),
        ("B", '""', b""),
        ("BOOL", "false", False),
        ("SS", '["b", "a", "b"]', {"a", "b"}),
        ("SS", "[1, 1.0]", {"1"}),
        ("NS", '[1, 1.0, "1e0", "2"]', {1, 2}),
        ("BS", '["AA==", "AA=="]', {b"\x00"}),
        ("M", '{"b": null}', {"b": None}),
        ("L", "[1, null]", [1, None]),
        ("json", '{"b": [1.10, "ü", null]}', '{"b":[1.10,"ü",null]}'),
        ("json", '"x"', '"x"'),
    ],
)
def test_types(attribute: Any, kind: str, sent: str, stored: Any) -> None:
    """Each `type` takes what it says, exactly."""
    flow = attribute({"from": "a", "type": kind})

    assert flow.send(body=f'{{"id": "1", "a": {sent}}}') == [{"id": "1", "a": stored}]


@pytest.mark.parametrize(
    ("kind", "sent", "reason"),
    [
        ("S", "true", "is no text"),
        ("S", "[]", "is no text"),
        ("S", "1e999", "is a number out of range"),
        ("N", '"1,5"', "is no number"),
        ("N", '"0x10"', "is no number"),
        ("N", '" 1"', "is no number"),
        ("N", '"NaN"', "is no number"),
        ("N", "true", "is no number"),
        ("B", '"§"', "is no base64 text"),
        ("B", '"AAE"', "is no base64 text"),
        ("B", "1", "is no base64 text"),
        ("BOOL", "1", "is neither true nor false"),
        ("BOOL", '"true"', "is neither true nor false"),
        ("SS", '"x"', "is no list"),
        ("SS", "[null]", "has an element that is no text"),
        ("NS", '["x"]', "has an element that is no number"),
        ("BS", '["§"]', "has an element that is no base64 text"),
        ("M", "[]", "is no object"),
        ("L", "{}", "is no list"),
    ],
)
def test_what_is_not_of_the_type(attribute: Any, kind: str, sent: str, reason: str) -> None:
    """Is rejected, by a reason without the value, with its place in the message."""
    flow = attribute({"from": "a", "type": kind})

    assert flow.send(body=f'{{"id": "1", "a": {sent}}}') == ("rejected", "RT807", f"attribute 'a' {reason}", "/a")


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-1",
        "0.1",
        "1.10",
        "12345678901234567890123456789012345678",
        "9.9999999999999999999999999999999999999E+125",
    ],
)
def test_numbers_are_exact(attribute: Any, number: str) -> None:
    """Equal in value to what was sent."""
    [item] = attribute("a").send(body=f'{{"id": "1", "a": {number}}}')

    assert (item["a"], type(item["a"]) in (int, Decimal)) == (Decimal(number), True)


@pytest.mark.parametrize("number", ["123456789012345678901234567890123456789", "1E+126", "1E-131"])
def test_numbers_that_would_be_rounded(attribute: Any, number: str) -> None:
    """Are rejected."""
    assert attribute("a").send(body=f'{{"id": "1", "a": {number}}}') == (
        "rejected",
        "RT809",
        "table 'things': attribute 'a': a number of more than 38 digits or out of range",
        "",
    )


WITHOUT = ["absent", "null", "empty set", "after a transform", "empty set after a transform"]
MISSING_MESSAGE: dict[str, Any] = {"id": "1", "null": None, "empty": [], "text": "x"}
SOURCES_WITHOUT = [
    {"from": "absent"},
    {"from": "null"},
    {"from": "empty", "type": "SS"},
    {"from": "text", "transform": ["nothing"]},
    {"from": "text", "transform": "no_texts"},
]


@pytest.mark.parametrize("source", SOURCES_WITHOUT, ids=WITHOUT)
@pytest.mark.parametrize(
    ("missing", "result"),
    [
        ({}, [{"id": "1"}]),
        ({"missing": "omit"}, [{"id": "1"}]),
        ({"missing": "null"}, [{"id": "1", "a": None}]),
        ({"missing": "error"}, ("rejected", "RT807", "attribute 'a' is missing")),
    ],
    ids=["by default", "omit", "null", "error"],
)
def test_missing(attribute: Any, source: Any, missing: Any, result: Any) -> None:
    """Absent, null and an empty set are missing alike, and `missing` says what that means."""
    sent = attribute({**source, **missing}, plugin=OWN_TRANSFORMS).send(MISSING_MESSAGE)

    assert (sent[:3] if isinstance(sent, tuple) else sent) == result


@pytest.mark.parametrize(
    "given",
    ["absent", "null", {"from": "absent", "missing": "error"}, {"template": "{absent}"}, {"meta": "group_id"}],
)
@pytest.mark.parametrize("name", ["id", "at"])
def test_a_key_attribute_without_a_value(flow: Any, name: str, given: Any) -> None:
    """Is an error by default, of partition key and sort key alike."""
    made = flow({"item": {"id": "id", "at": "id", name: given}}, key={"id": "S", "at": "S"})

    kind, code, reason, _ = made.send(MISSING_MESSAGE)

    assert (kind, code, reason) == ("rejected", "RT808", f"table 'things': key attribute '{name}' is missing")


def test_a_default_for_a_key_attribute(flow: Any) -> None:
    """Is taken before it is an error."""
    assert flow({"item": {"id": {"from": "absent", "default": "none"}}}).send({}) == [{"id": "none"}]


@pytest.mark.parametrize("source", [SOURCES_WITHOUT[0], SOURCES_WITHOUT[1], SOURCES_WITHOUT[3]])
def test_a_default(attribute: Any, source: Any) -> None:
    """Stands in for what is absent, null, or nothing after a transform; it is not transformed itself."""
    flow = attribute({**source, "default": "none", "missing": "error"}, plugin=OWN_TRANSFORMS)

    assert flow.send(MISSING_MESSAGE) == [{"id": "1", "a": "none"}]


@pytest.mark.parametrize(
    ("kind", "default", "stored"),
    [
        ("N", "1.5", Decimal("1.5")),
        ("S", 3, "3"),
        ("SS", ["a", "a"], {"a"}),
        ("B", "AA==", b"\x00"),
        ("json", [1], "[1]"),
        ("BOOL", False, False),
        ("N", 0, 0),
    ],
)
def test_a_default_is_of_the_type(attribute: Any, kind: str, default: Any, stored: Any) -> None:
    """Converted like any other value."""
    flow = attribute({"from": "absent", "type": kind, "default": default})

    assert flow.send({"id": "1"}) == [{"id": "1", "a": stored}]


@pytest.mark.parametrize(
    "given",
    [{"from": "empty", "type": "SS", "default": ["x"]}, {"from": "absent", "type": "SS", "default": []}],
    ids=["the value", "the default"],
)
def test_an_empty_set_follows_missing(attribute: Any, given: Any) -> None:
    """An empty set is no reason for the default, and one as default is missing too."""
    assert attribute({**given, "missing": "null"}).send(MISSING_MESSAGE) == [{"id": "1", "a": None}]


def test_a_default_of_null_is_none(attribute: Any) -> None:
    """`missing: null` is how to ask for NULL."""
    assert attribute({"from": "absent", "default": None}).send({"id": "1"}) == [{"id": "1"}]


def test_false_and_empty_values_are_values(attribute: Any) -> None:
    """Only null counts as missing."""
    values = [False, 0, "", [], {}]

    assert [attribute({"from": "a", "default": "x"}).send({"id": "1", "a": value}) for value in values] == [
        [{"id": "1", "a": value}] for value in values
    ]


def test_a_set_from_a_transform(attribute: Any) -> None:
    """Is stored as one, without a type."""
    flow = attribute({"from": "a", "transform": "texts"}, plugin=OWN_TRANSFORMS)

    assert flow.send({"id": "1", "a": ["x", "y"]}) == [{"id": "1", "a": {"x", "y"}}]


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({"value": ["x"]}, ["x", "grown"]),
        ({"value": {"b": ["x"]}}, {"b": ["x", "grown"]}),
        ({"value": ["x"], "type": "L"}, ["x", "grown"]),
        ({"from": "absent", "default": ["x"]}, ["x", "grown"]),
        ({"from": "absent", "default": {"b": ["x"]}, "type": "M"}, {"b": ["x", "grown"]}),
        ({"value": "x", "transform": [{"lookup": {"map": {"x": ["x"]}}}]}, ["x", "grown"]),
        ({"value": "x", "transform": [{"lookup": {"map": {}, "default": {"b": ["x"]}}}]}, {"b": ["x", "grown"]}),
        ({"value": "x", "transform": [{"given": [["x"]]}]}, ["x", "grown"]),
    ],
)
def test_constants_are_not_shared(attribute: Any, given: Any, first: Any) -> None:
    """A plugin that changes one item in place changes no other."""
    flow = attribute(given, plugin=OWN_TRANSFORMS + GROW)

    assert [flow.send({"id": "1"}), flow.send({"id": "1"})] == [[{"id": "1", "a": first}]] * 2


@pytest.mark.parametrize("sent", [["x"], {"b": ["x"]}])
def test_the_message_is_not_changed(flow: Any, sent: Any) -> None:
    """A transform of a plugin that changes its value in place changes no other attribute, and not the message."""
    item = {"id": "id", "a": {"from": "a", "transform": "grow"}, "b": "a"}
    compiled = flow({"item": item}, plugin=OWN_TRANSFORMS)

    stored = compiled.send({"id": "1", "a": sent})

    grown = ["x", "grown"] if isinstance(sent, list) else {"b": ["x", "grown"]}
    assert stored == [{"id": "1", "a": grown, "b": sent}]


@pytest.mark.parametrize(
    ("given", "sentences"),
    [
        ({"value": "x", "type": "N"}, ["RT406 'value' is no number, as 'type: N' asks"]),
        (
            {"from": "a", "type": "BOOL", "default": 1},
            ["RT406 'default' is neither true nor false, as 'type: BOOL' asks"],
        ),
        (
            {"value": "x", "type": "N", "default": "y"},
            [
                "RT406 'value' is no number, as 'type: N' asks",
                "RT406 'default' is no number, as 'type: N' asks",
            ],
        ),
        ({"value": "x", "type": "N", "transform": ["sha256"]}, []),
        ({"value": None, "type": "N", "default": None}, []),
    ],
)
def test_constants_are_checked_at_load(attribute: Any, given: Any, sentences: list[str]) -> None:
    """One that is not of the type would fail on each message; one that is transformed first might not."""
    assert attribute(given).sentences == sentences


@pytest.mark.parametrize(
    ("name", "missing", "sentences"),
    [
        ("id", "omit", ["RT407 'missing: omit' does not fit attribute 'id'; write 'error'"]),
        ("id", "null", ["RT407 'missing: null' does not fit attribute 'id'; write 'error'"]),
        ("id", "remove", ["RT407 'missing: remove' does not fit attribute 'id'; write 'error'"]),
        ("a", "remove", ["RT407 'missing: remove' does not fit attribute 'a'; write 'omit', 'null' or 'error'"]),
        ("id", "error", []),
        ("a", "null", []),
    ],
)
def test_policies_that_do_not_fit(flow: Any, name: str, missing: str, sentences: list[str]) -> None:
    """A key attribute cannot be left out, and `remove` is for updates."""
    assert flow({"item": {"id": "id", "a": "a", name: {"from": name, "missing": missing}}}).sentences == sentences


@pytest.mark.parametrize("message", [{"id": "1"}, {"id": "1", "a": None}])
def test_remove(flow: Any, message: Any) -> None:
    """In an update an attribute without a value can be removed from the stored item."""
    item = {"id": "id", "a": {"from": "a", "missing": "remove"}}
    program = flow({"item": item, "write": {"mode": "update"}}).loaded.program

    [write] = plan(program.engine.queues["q"], Record("m-1", "receipt", json.dumps(message))).writes

    assert write.call is not None
    assert (write.call["UpdateExpression"], write.call["ExpressionAttributeNames"]) == ("REMOVE #r0", {"#r0": "a"})


def test_a_key_attribute_is_never_removed(flow: Any) -> None:
    """Not in an update either."""
    item = {"id": {"from": "id", "missing": "remove"}}

    assert flow({"item": item, "write": {"mode": "update"}}).sentences == [
        "RT407 'missing: remove' does not fit attribute 'id'; write 'error'"
    ]


def test_all_faults_of_an_attribute(flow: Any) -> None:
    """Source, transform, constant and policy are each found, in one run."""
    given = {"from": "sum(", "transform": ["trim", {"strip": 1}], "type": "N", "default": "x", "missing": "remove"}

    assert [sentence[:5] for sentence in flow({"item": {"id": "id", "a": given}}).sentences] == [
        "RT401",
        "RT403",
        "RT404",
        "RT406",
        "RT407",
    ]


NULLS = {"id": "1", "empty": None, "deep": {"empty": None}, "text": "x"}


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"from": "empty", "null": "null"}, [{"id": "1", "a": None}]),
        ({"from": "absent", "null": "null"}, [{"id": "1"}]),
        ({"from": "empty", "null": "omit", "missing": "error"}, [{"id": "1"}]),
        ({"from": "absent", "null": "omit", "missing": "error"}, ("rejected", "RT807", "attribute 'a' is missing")),
        ({"from": "empty", "null": "error"}, ("rejected", "RT807", "attribute 'a' is null")),
        ({"from": "absent", "null": "error"}, [{"id": "1"}]),
        ({"from": "deep.empty", "null": "null"}, [{"id": "1", "a": None}]),
        ({"from": "deep.absent", "null": "null"}, [{"id": "1"}]),
        ({"from": "empty.inside", "null": "null"}, [{"id": "1", "a": None}]),
        ({"from": "text.inside", "null": "null"}, [{"id": "1"}]),
        ({"from": "text", "null": "error"}, [{"id": "1", "a": "x"}]),
        ({"from": "text", "null": "error", "transform": "nothing"}, [{"id": "1"}]),
        ({"from": "empty", "null": "null", "transform": "strip", "type": "S"}, [{"id": "1", "a": None}]),
        ({"from": "empty"}, [{"id": "1"}]),
    ],
    ids=str,
)
def test_null(attribute: Any, given: Any, result: Any) -> None:
    """`null` says what a null means, also one that the path leads through, where `missing` is about absence."""
    sent = attribute(given, plugin=OWN_TRANSFORMS).send(NULLS)

    assert (sent[:3] if isinstance(sent, tuple) else sent) == result


@pytest.mark.parametrize(("message", "why"), [({"id": None}, "null"), ({}, "missing")])
def test_a_key_attribute_that_is_null(flow: Any, message: Any, why: str) -> None:
    """It is an error in both cases; `null: error` tells them apart."""
    sent = flow({"item": {"id": {"from": "id", "null": "error"}}}).send(message)

    assert sent[:3] == ("rejected", "RT808", f"table 'things': key attribute 'id' is {why}")


UNFIT = "'null: remove' does not fit attribute"
UNTOLD = (
    "'null' of attribute 'a' needs a 'from' that is names with dots between; other values cannot be absent in one way "
    "and null in another"
)
CONTRADICTION = (
    "'null' and 'default' of attribute 'a' contradict each other; leave one out: the default stands for a null, too"
)


@pytest.mark.parametrize(
    ("name", "given", "mode", "sentence"),
    [
        ("a", {"from": "a", "null": "remove"}, "put", f"RT407 {UNFIT} 'a'; write 'omit', 'null' or 'error'"),
        ("id", {"from": "id", "null": "remove"}, "update", f"RT407 {UNFIT} 'id'; write 'error'"),
        ("a", {"from": "a || b", "null": "remove"}, "update", f"RT428 {UNTOLD}"),
        ("a", {"meta": "group_id", "null": "remove"}, "update", f"RT428 {UNTOLD}"),
        ("a", {"from": "a", "null": "remove", "default": "x"}, "update", f"RT428 {CONTRADICTION}"),
    ],
)
def test_null_policies_that_do_not_fit(flow: Any, name: str, given: Any, mode: str, sentence: str) -> None:
    """A finding says which key to change."""
    made = flow({"item": {"id": "id", name: given}, "write": {"mode": mode}})

    assert made.sentences == [sentence]
