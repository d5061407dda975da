"""Items of messages: the whole message, an item of attributes, an item for each element."""

from typing import Any

import pytest

from router.errors import Rejection
from router.model import Message
from tests.support.engine import UNLIMITED

ORDER = {"order": {"id": "o-1", "lines": [{"n": 1, "sku": "shirt"}, {"n": 2, "sku": None}]}}
LINES = {"for_each": "order.lines", "item": {"id": "message.order.id", "n": "element.n", "sku": "element.sku"}}
KEY = {"id": "S", "n": "N"}
UNMAPPABLE = "rejected", "RT807"


def test_the_whole_message(flow: Any) -> None:
    """Without `item` each member is an attribute, null too, as NULL."""
    message = {"id": "1", "none": None, "map": {"none": None, "n": 1}, "list": [None, True], "size": 1}

    assert flow().send(message) == [message]


def test_the_attributes_of_an_item(flow: Any) -> None:
    """With `item` only what it names, and null counts as missing."""
    item = {"id": "id", "none": "none", "n": "map.n", "whole": "map"}

    assert flow({"item": item}).send({"id": "1", "none": None, "map": {"none": None, "n": 1}, "more": 1}) == [
        {"id": "1", "n": 1, "whole": {"none": None, "n": 1}}
    ]


def test_names_of_attributes(flow: Any) -> None:
    """Are names, never paths, reserved words or not."""
    names = ["a.b", "size", "#n", ":v", "ttl", "a[0]", "ü", " "]

    assert flow({"item": {"id": "id", **dict.fromkeys(names, "id")}}).send({"id": "1"}) == [
        {"id": "1", **dict.fromkeys(names, "1")}
    ]


@pytest.mark.parametrize("data", [[], "x", 1, None, True])
def test_a_message_that_is_no_object(flow: Any, data: Any) -> None:
    """Has no attributes to store."""
    assert flow().send(data) == (
        *UNMAPPABLE,
        "the message is no JSON object, and the route has no 'item' to map it",
        "",
    )


def test_a_message_that_is_no_object_can_be_mapped(flow: Any) -> None:
    """`@` is the message itself."""
    assert flow({"item": {"id": "[0]", "all": "@"}}).send(["1", 2]) == [{"id": "1", "all": ["1", 2]}]


def test_a_message_is_not_changed_by_its_item(flow: Any) -> None:
    """An item hook that adds to the item leaves the message as it is."""
    plugin = """
@hookimpl
def router_transform_item(item, message):
    item["seen"] = "seen" in message.data
    return item
"""
    assert flow(plugin=plugin).send({"id": "1"}) == [{"id": "1", "seen": False}]


def test_for_each_with_item(flow: Any) -> None:
    """An item for each element; expressions see `element` and `message`."""
    assert flow(LINES, KEY).send(ORDER) == [{"id": "o-1", "n": 1, "sku": "shirt"}, {"id": "o-1", "n": 2}]


def test_for_each_without_item(flow: Any) -> None:
    """Each element is an item, with null as NULL."""
    assert flow({"for_each": "lines"}).send({"lines": [{"id": "1", "a": None}, {"id": "2"}]}) == [
        {"id": "1", "a": None},
        {"id": "2"},
    ]


def test_for_each_over_an_expression(flow: Any) -> None:
    """Any expression that gives a list."""
    route = {"for_each": "lines[?n > `1.5`]", "item": {"id": "element.id"}}

    assert flow(route).send(body='{"lines": [{"id": "1", "n": 1.4}, {"id": "2", "n": 1.6}]}') == [{"id": "2"}]


def test_for_each_finds_an_empty_list(flow: Any) -> None:
    """There is nothing to store, and that is no fault."""
    assert flow(LINES, KEY).send({"order": {"id": "o-1", "lines": []}}) == (
        "dropped",
        "RT811",
        "for_each found an empty list",
        "",
    )


@pytest.mark.parametrize("lines", [None, {}, "x", 1])
def test_for_each_finds_no_list(flow: Any, lines: Any) -> None:
    """The message is not what the route is for."""
    assert flow(LINES, KEY).send({"order": {"id": "o-1", "lines": lines}}) == (
        *UNMAPPABLE,
        "'for_each' finds no list",
        "/order/lines",
    )


def test_for_each_that_fails(flow: Any) -> None:
    """Is a mapping error."""
    assert flow({"for_each": "sort(lines)"}).send({"lines": 1}) == (
        *UNMAPPABLE,
        "the expression of 'for_each' fails on the message",
        "",
    )


@pytest.mark.parametrize(("count", "bounded"), [(10_000, False), (10_001, True)])
def test_for_each_is_bounded(flow: Any, count: int, bounded: bool) -> None:
    """10,000 elements and no more."""
    sent = flow({"for_each": "lines"}).send({"lines": [{"id": "1"}] * count})

    assert (
        sent == ("rejected", "RT803", "'for_each' finds more than 10000 elements", "/lines") if bounded else len(sent)
    ) == (True if bounded else count)


@pytest.mark.parametrize(
    ("for_each", "attribute", "pointer"),
    [
        ("order.lines", "element.price.of", "/order/lines/1/price/of"),
        ("order.lines", "element.price", "/order/lines/1/price"),
        ("order.lines", "to_string(abs(element.price.of || `1`))", "/order/lines/1"),
        ("order.lines[]", "element.price.of", ""),
        ("order.lines[]", "to_string(abs(element.price.of || `1`))", ""),
    ],
)
def test_pointers_of_elements(flow: Any, for_each: str, attribute: str, pointer: str) -> None:
    """Point to the element, into the message, not into what the expressions of an element see."""
    item = {"id": "message.order.id", "n": "element.n", "a": {"from": attribute, "type": "N"}}
    made = flow({"for_each": for_each, "item": item}, KEY)
    lines = [{"n": 1, "price": None}, {"n": 2, "price": {"of": True}}]

    kind, code, _, found = made.send({"order": {"id": "o-1", "lines": lines}})

    assert (kind, code, found) == (*UNMAPPABLE, pointer)


@pytest.mark.parametrize("for_each", ["order.lines", "order.lines[]"])
@pytest.mark.parametrize(
    ("attribute", "pointer"), [("message.order.price", "/order/price"), ("message.price", "/price"), ("price", "")]
)
def test_pointers_from_elements_to_the_message(flow: Any, for_each: str, attribute: str, pointer: str) -> None:
    """Begin at the message; what is neither in the element nor in the message is nowhere."""
    item = {"id": "message.order.id", "n": "element.n", "a": {"from": attribute, "missing": "error"}}
    made = flow({"for_each": for_each, "item": item}, KEY)

    assert made.send(ORDER) == (*UNMAPPABLE, "attribute 'a' is missing", pointer)


def test_an_element_that_is_no_object(flow: Any) -> None:
    """Says which."""
    assert flow({"for_each": "lines"}).send({"lines": [{"id": "1"}, 2]}) == (
        *UNMAPPABLE,
        "the element is no JSON object, and the route has no 'item' to map it",
        "/lines/1",
    )


def test_elements_are_one_unit(flow: Any) -> None:
    """One that is rejected rejects them all."""
    sent = {"order": {"id": "o-1", "lines": [{"n": 1}, {"n": "x"}, {"n": 3}]}}

    assert flow(LINES, KEY).send(sent)[:3] == (
        "rejected",
        "RT808",
        "table 'things': key attribute 'n' is of type S, the table's key is N",
    )


def test_faults_of_both_parts(flow: Any) -> None:
    """Of `for_each` and of each attribute, in one run."""
    route = {"for_each": "sum(", "item": {"id": "element.id", "a": "max(", "b": {"template": "{"}}}

    assert [sentence[:5] for sentence in flow(route).sentences] == ["RT401", "RT401", "RT405"]


def test_all_faults_at_once(load_text: Any) -> None:
    """Of text, shape and meaning, several under one `item`, each with its line and column."""
    text = """\
version: 1
queues:
  q: {dead_letter: q-dlq}
tables:
  things: {key: {id: S}}
routes:
  r:
    queue: q
    table: things
    when: "type == "
    item:
      id: {from: id, missing: omit}
      a: {from: a, transform: trim, type: X}
      b: {from: b, value: c}
      c: sum(
      d: {template: "{d"}
      e: {value: x, type: N}
      f: {value: "${NOWHERE}"}
    write: {mode: delete, add: [a]}
"""
    assert [" ".join(line.split(" ")[:3]) for line in load_text(text).found] == [
        "routes.yaml:10:11: error RT401",
        "routes.yaml:12:31: error RT407",
        "routes.yaml:13:31: error RT403",
        "routes.yaml:13:43: error RT104",
        "routes.yaml:14:20: error RT106",
        "routes.yaml:15:10: error RT401",
        "routes.yaml:16:21: error RT405",
        "routes.yaml:17:18: error RT406",
        "routes.yaml:18:18: error RT005",
        "routes.yaml:19:27: error RT604",
    ]


def test_a_fault_under_an_anchor_is_reported_once(load_text: Any) -> None:
    """However many routes an alias puts it into."""
    text = """\
version: 1
x-item: &item {id: id, a: sum(}
queues:
  q: {dead_letter: q-dlq}
tables:
  things: {key: {id: S}}
routes:
  one: {queue: q, table: things, item: *item}
  two: {queue: q, table: things, item: {<<: *item, b: b}}
"""
    assert load_text(text).found == [
        "routes.yaml:2:27: error RT401 'sum(' is not a JMESPath expression: it ends too early"
    ]


def test_equal_attributes_of_routes_are_compiled_once(load_text: Any) -> None:
    """But not those that name the route, nor those that are keys in one only."""
    text = """\
version: 1
queues: {q: {dead_letter: q-dlq}}
tables:
  things: {key: {id: S}}
  others: {key: {id: S, a: S}}
routes:
  one: {queue: q, table: things, item: &item {id: id, a: a, b: {from: b, type: N}, c: {meta: route}}}
  two: {queue: q, table: others, item: *item}
"""
    one, two = load_text(text).loaded.program.engine.queues["q"].routes
    items = [next(iter(each.map_items(Message({"id": "x", "a": "y", "b": 1}, "q"), UNLIMITED))) for each in (one, two)]
    with pytest.raises(Rejection, match="key attribute 'a' is missing"):
        list(two.map_items(Message({"id": "x"}, "q"), UNLIMITED))

    assert [item["c"] for item in items] == ["one", "two"]
    assert list(one.map_items(Message({"id": "x"}, "q"), UNLIMITED)) == [{"id": "x", "c": "one"}]
