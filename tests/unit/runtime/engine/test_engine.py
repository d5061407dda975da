"""From records to planned messages, with real compiled configs."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.model import Outcome, Record, Table
from router.runtime.engine.attributes import memory_bytes
from router.runtime.engine.engine import MAX_ELEMENTS, plan
from router.runtime.engine.writes import Write
from tests.support.memory import decode_item
from tests.support.modes import MODES
from tests.support.program import load_program

TO_THINGS = "queue: q, table: things"
DIGITS = "table 'things': attribute '{}': a number of more than 38 digits or out of range"
NAMELESS = "table 'things': an attribute has a name that is empty or no text"


def record(message: Any, message_id: Any = "id-1") -> Any:
    """A record whose body is a message, or is given as text."""
    body = message if isinstance(message, str) else json.dumps(message)
    return Record(message_id, "handle", body, {"SentTimestamp": "1767323045678"})


def planned(program: Any, message: Any, trace: Any = None) -> Any:
    """What is planned for a message: its outcome or None, and the items by route."""
    received = record(message)
    planned = plan(program.engine.queues["q"], received, trace)
    assert planned.record is received
    return planned.outcome, [(write.route, decode_item(write.item)) for write in planned.writes]


def rejected(code: Any, reason: Any, route: Any = "", pointer: Any = "") -> Any:
    """The outcome and the writes of a rejected message."""
    return Outcome("rejected", code, reason, route, pointer), []


def test_a_message_becomes_a_write(make: Any) -> None:
    """The smallest route stores the message exactly as it is."""
    program = make(f"r: {{{TO_THINGS}}}")

    planned = plan(program.engine.queues["q"], record('{"id": "a", "n": 1.10, "none": null}'))

    item: dict[str, Any] = {"id": {"S": "a"}, "n": {"N": "1.1"}, "none": {"NULL": True}}
    write = Write("r", Table("things", (("id", "S"),)), MODES["put"], ("things", "a"), item, 3 + 3 + 5)
    assert (planned.outcome, planned.writes) == (None, [write])


ROUTES = f"""
even: {{{TO_THINGS}, when: "kind == 'even'"}}
any: {{{TO_THINGS}}}
big: {{{TO_THINGS}, when: "n > `10`"}}
"""


@pytest.mark.parametrize(
    ("match", "message", "routes"),
    [
        ("all", {"id": "a", "kind": "even", "n": 12}, ["even", "any", "big"]),
        ("all", {"id": "a", "kind": "odd", "n": 12}, ["any", "big"]),
        ("all", {"id": "a", "n": "12"}, ["any"]),
        ("first", {"id": "a", "kind": "even", "n": 12}, ["even"]),
        ("first", {"id": "a", "n": 12}, ["any"]),
    ],
)
def test_routes_match_in_the_order_of_the_file(make: Any, match: Any, message: Any, routes: Any) -> None:
    """All whose condition holds, or the first of them; a condition that fails does not hold."""
    program = make(ROUTES, f"match: {match}")

    assert planned(program, message) == (None, [(route, message) for route in routes])


@pytest.mark.parametrize(("unmatched", "kind"), [("dead_letter", "rejected"), ("drop", "dropped"), ("retry", "retry")])
def test_unmatched_of_the_queue(make: Any, unmatched: Any, kind: Any) -> None:
    """It decides about messages that no route takes."""
    program = make(f"r: {{{TO_THINGS}, when: never}}", f"unmatched: {unmatched}")

    assert planned(program, {"id": "a"}) == (Outcome(kind, "RT805", "no route takes the message"), [])


@pytest.mark.parametrize(("on_invalid", "kind"), [("dead_letter", "rejected"), ("drop", "dropped"), ("retry", "retry")])
def test_on_invalid_of_the_route(make: Any, on_invalid: Any, kind: Any) -> None:
    """The reason has no value, and no name that the schema does not declare."""
    schema = "schema: {properties: {id: {type: string}}, additionalProperties: {type: number}}"
    program = make(f"r: {{{TO_THINGS}, on_invalid: {on_invalid}, {schema}}}")

    outcome = Outcome(kind, "RT806", "fails 'type' at /additionalProperties/type", "r", "/*")
    assert planned(program, {"id": "a", "secret": "x"}) == (outcome, [])


def test_a_valid_message_passes_its_schema(make: Any) -> None:
    """It is written."""
    program = make(f"r: {{{TO_THINGS}, schema: {{required: [id]}}}}")

    assert planned(program, {"id": "a"}) == (None, [("r", {"id": "a"})])


@pytest.mark.parametrize(
    ("message", "code", "reason", "route"),
    [
        ("[]", "RT807", "the message is no JSON object, and the route has no 'item' to map it", "r"),
        ('"text"', "RT807", "the message is no JSON object, and the route has no 'item' to map it", "r"),
        ("", "RT801", "the payload is empty", ""),
        ("{", "RT801", "the payload is not JSON", ""),
        ("[" * 65 + "]" * 65, "RT803", "nested deeper than 64, or brackets that do not close", ""),
        ("{}", "RT808", "table 'things': key attribute 'id' is missing", "r"),
        ('{"id": ""}', "RT808", "table 'things': key attribute 'id' is empty", "r"),
        ('{"id": null}', "RT808", "table 'things': key attribute 'id' is of type NULL, the table's key is S", "r"),
        ('{"id": "%s"}' % ("x" * 2049), "RT808", "table 'things': key attribute 'id' has more than 2048 bytes", "r"),
        (
            '{"id": "a", "b": "%s"}' % ("x" * 410_000),
            "RT809",
            "table 'things': the item has more than 409600 bytes",
            "r",
        ),
        ('{"id": %s}' % ("1" * 39), "RT809", DIGITS.format("id"), "r"),
        ('{"s": 1e-131}', "RT809", DIGITS.format("*"), "r"),
        ('{"id": "a", "": 1}', "RT809", NAMELESS, "r"),
    ],
)
def test_a_message_that_can_never_succeed_is_rejected(
    make: Any, message: Any, code: Any, reason: Any, route: Any
) -> None:
    """With a code and a reason without any value."""
    assert planned(make(f"r: {{{TO_THINGS}}}"), message) == rejected(code, reason, route)


def test_a_rejection_by_one_route_writes_nothing(make: Any) -> None:
    """Writes by other routes are not made either."""
    program = make(f"good: {{{TO_THINGS}}}\nbad: {{{TO_THINGS}, item: {{id: missing}}}}\nlater: {{{TO_THINGS}}}")

    assert planned(program, {"id": "a"}) == rejected(
        "RT808", "table 'things': key attribute 'id' is missing", "bad", "/missing"
    )


DECIDE = """
@hookimpl
def router_transform_message(message, route):
    what = message.data.get(route.name)
    if what == "drop":
        raise Drop("not wanted")
    if what == "reject":
        raise Reject("never")
    if what == "retry":
        raise Retry("later", 7)
    if what == "bare":
        raise Drop
    if what == "fail":
        raise ValueError("secret")
"""
TWO = f"one: {{{TO_THINGS}}}\ntwo: {{{TO_THINGS}}}"
RETRY = Outcome("retry", "RT812", "later", "one", delay=7)
FAILED = Outcome("retry", "RT813", "plugin 'decide': router_transform_message raised ValueError (decide.py:15)", "one")


@pytest.mark.parametrize(
    ("says", "outcome", "routes"),
    [
        ({}, None, ["one", "two"]),
        ({"one": "drop"}, None, ["two"]),
        ({"one": "bare"}, None, ["two"]),
        ({"one": "drop", "two": "drop"}, Outcome("dropped", "RT811", "not wanted", "one"), []),
        ({"one": "bare", "two": "drop"}, Outcome("dropped", "RT811", "dropped by a plugin", "one"), []),
        ({"one": "retry"}, RETRY, []),
        ({"one": "retry", "two": "drop"}, RETRY, []),
        ({"one": "fail"}, FAILED, []),
        ({"one": "fail", "two": "reject"}, Outcome("rejected", "RT810", "never", "two"), []),
        ({"one": "retry", "two": "reject"}, Outcome("rejected", "RT810", "never", "two"), []),
        ({"one": "reject", "two": "retry"}, Outcome("rejected", "RT810", "never", "one"), []),
    ],
)
def test_plugins_decide(make: Any, says: Any, outcome: Any, routes: Any) -> None:
    """Of a drop the other routes still write; a rejection or a retry writes nothing, and rejection wins."""
    message = {"id": "a", **says}

    assert planned(make(TWO, decide=DECIDE), message) == (outcome, [(route, message) for route in routes])


ODD = "plugin 'odd': router_transform_item returned a value of type int, not a dict or None"
FLOAT = "table 'things': attribute 'id': DynamoDB has no type for a Python float; floats are not exact, use Decimal"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("raise Reject", Outcome("rejected", "RT810", "rejected by a plugin", "r")),
        ("raise Retry", Outcome("retry", "RT812", "a plugin asks to retry", "r")),
        ("return 5", Outcome("retry", "RT813", ODD, "r")),
        ("item['id'] = 1.5", Outcome("rejected", "RT809", FLOAT, "r")),
        ("del item['id']", Outcome("rejected", "RT808", "table 'things': key attribute 'id' is missing", "r")),
        ("return {1: 2}", Outcome("rejected", "RT809", NAMELESS, "r")),
    ],
)
def test_item_plugins_decide_and_may_fail(make: Any, body: Any, outcome: Any) -> None:
    """Whatever they raise or return, and however they change the item."""
    program = make(f"r: {{{TO_THINGS}}}", odd=f"@hookimpl\ndef router_transform_item(item):\n    {body}\n")

    assert planned(program, {"id": "a"}) == (outcome, [])


BROKEN = """
def broken(value):
    raise KeyError(value)


@hookimpl
def router_register_transforms(register):
    register("broken", broken)
"""


def test_a_failing_transform_is_a_retry(make: Any) -> None:
    """The reason names it, without the text of its exception."""
    program = make(f"r: {{{TO_THINGS}, item: {{id: {{from: id, transform: broken}}}}}}", mine=BROKEN)

    outcome = Outcome("retry", "RT813", "attribute 'id': transform 'broken' failed with KeyError (mine.py:4)", "r")
    assert planned(program, {"id": "secret"}) == (outcome, [])


def test_an_unexpected_error_of_a_route_is_a_retry(make: Any) -> None:
    """A corrected program can process the message, and the batch goes on."""
    queue = make(f"r: {{{TO_THINGS}}}").engine.queues["q"]
    failing = structs.replace(queue.routes[0], map_items=lambda message, budget: 1 / 0)

    planned = plan(structs.replace(queue, routes=(failing,)), record({"id": "a"}))

    assert planned.outcome == Outcome("retry", "RT813", "unexpected ZeroDivisionError", "r")


ENVELOPE = """
def mine(payload, attributes):
    if payload == "drop":
        raise Drop("old")
    if payload == "retry":
        raise Retry("key not there", 3)
    if payload == "reject":
        raise Reject("no such envelope")
    return {"id": [payload][0], "secret": 1 / len(payload)}, attributes


@hookimpl
def router_register_envelopes(register):
    register("mine", mine)
"""


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        ("drop", Outcome("dropped", "RT811", "old")),
        ("retry", Outcome("retry", "RT812", "key not there", delay=3)),
        ("reject", Outcome("rejected", "RT802", "no such envelope")),
        (
            "",
            Outcome(
                "retry",
                "RT813",
                "plugin 'envelopes_of_mine': envelope 'mine' raised ZeroDivisionError (envelopes_of_mine.py:10)",
            ),
        ),
    ],
)
def test_envelopes_decide_and_may_fail(make: Any, payload: Any, outcome: Any) -> None:
    """Before any route."""
    program = make(f"r: {{{TO_THINGS}}}", "envelope: [mine]", envelopes_of_mine=ENVELOPE)

    assert planned(program, payload) == (outcome, [])


@pytest.mark.parametrize(
    ("route", "queue", "payload", "failures"),
    [
        (
            f"r: {{{TO_THINGS}, item: {{id: {{from: id, transform: broken}}}}}}",
            "",
            {"id": "a"},
            [("r", "TransformError")],
        ),
        (f"r: {{{TO_THINGS}}}", "envelope: [mine]", "", [("", "PluginError")]),
        (f"r: {{{TO_THINGS}}}", "", {"no": 1}, []),
    ],
)
def test_a_trace_has_what_plugins_raise(make: Any, route: Any, queue: Any, payload: Any, failures: Any) -> None:
    """The exception itself, of a route and of an envelope; a rejection is none."""
    program = make(route, queue, broken=BROKEN, envelopes_of_mine=ENVELOPE)
    traced: list[Any] = []

    planned(program, payload, lambda *stage: traced.append(stage))

    assert [(name, type(value).__name__) for name, stage, value in traced if stage == "failed"] == failures


IN_PLACE = """
@hookimpl
def router_transform_message(message, route):
    message.data["inner"]["list"].append(route.name)
    message.data["seen"] = message.data.get("seen", 0) + 1


@hookimpl
def router_transform_item(item, message, route):
    item["inner"]["of"] = route.name
    item["n"] = item.get("n", 0) + message.data["seen"]
"""


@pytest.mark.parametrize("match", ["all", "first"])
def test_plugins_of_one_route_do_not_change_the_message_of_another(make: Any, match: Any) -> None:
    """Not even in place."""
    plain = f"plain: {{{TO_THINGS}, plugins: []}}"
    routes = (
        f"one: {{{TO_THINGS}}}\n{plain}\ntwo: {{{TO_THINGS}}}" if match == "all" else f"one: {{{TO_THINGS}}}\n{plain}"
    )
    program = make(routes, f"match: {match}", inplace=IN_PLACE)

    def changed(route: Any) -> Any:
        return route, {"id": "a", "inner": {"list": [0, route], "of": route}, "seen": 1, "n": 1}

    untouched = "plain", {"id": "a", "inner": {"list": [0]}}
    expected = [changed("one"), untouched, changed("two")] if match == "all" else [changed("one")]
    assert planned(program, {"id": "a", "inner": {"list": [0]}}) == (None, expected)


@pytest.mark.parametrize("changed", ["message.data", "item"])
def test_a_plugin_of_one_of_two_routes(make: Any, changed: str) -> None:
    """It has one of the hooks, and changes in place what the other route reads too."""
    hook = "router_transform_item" if changed == "item" else "router_transform_message"
    code = f'@hookimpl\ndef {hook}({changed.partition(".")[0]}):\n    {changed}["list"].append(1)\n'
    program = make(f"one: {{{TO_THINGS}}}\nplain: {{{TO_THINGS}, plugins: []}}", append=code)

    assert planned(program, {"id": "a", "list": []}) == (
        None,
        [("one", {"id": "a", "list": [1]}), ("plain", {"id": "a", "list": []})],
    )


@pytest.mark.parametrize("hook", ["router_transform_message(message)", "router_transform_item(item, message)"])
def test_a_plugin_does_not_change_the_attributes_of_a_message(make: Any, hook: str) -> None:
    """Another route reads them unchanged, and so does who received the message."""
    changes = "    message.system.clear()\n    message.attributes.clear()\n"
    program = make(
        f"one: {{{TO_THINGS}}}\nplain: {{{TO_THINGS}, plugins: [], item: {{id: id, at: {{meta: sent_at}}}}}}",
        change=f"@hookimpl\ndef {hook}:\n{changes}",
    )
    received = record({"id": "a"})

    writes = plan(program.engine.queues["q"], received).writes

    assert [decode_item(write.item) for write in writes] == [{"id": "a"}, {"id": "a", "at": "2026-01-02T03:04:05.678Z"}]
    assert received.attributes == {"SentTimestamp": "1767323045678"}


def test_plugins_do_not_change_another_item_of_for_each(make: Any) -> None:
    """Though the items share a part of the message."""
    program = make(
        f"r: {{{TO_THINGS}, for_each: lines, item: {{id: element.id, tags: message.tags}}}}",
        tag='@hookimpl\ndef router_transform_item(item):\n    item["tags"].append(item["id"])\n',
    )

    items = [("r", {"id": name, "tags": ["x", name]}) for name in "ab"]
    assert planned(program, {"tags": ["x"], "lines": [{"id": "a"}, {"id": "b"}]}) == (None, items)


def test_plugins_run_in_the_order_of_the_route(make: Any) -> None:
    """Each gets what the one before returned."""
    code = "@hookimpl\ndef router_transform_item(item):\n    return {{**item, 'by': item.get('by', '') + {name!r}}}\n"
    plugins = {name: code.format(name=name) for name in "xyz"}
    program = make(f"r: {{{TO_THINGS}, plugins: [z, x]}}\ns: {{{TO_THINGS}}}", **plugins)

    assert planned(program, {"id": "a"}) == (None, [("r", {"id": "a", "by": "zx"}), ("s", {"id": "a", "by": "xyz"})])


LINES = f"r: {{{TO_THINGS}, for_each: order.lines, item: {{id: element.id, order: message.order.id, n: element.n}}}}"


def test_each_element_makes_an_item(make: Any) -> None:
    """Mapped from the element and the message; two items of one key are both planned, in order."""
    lines: list[dict[str, Any]] = [{"id": "a", "n": 1}, {"id": "b"}, {"id": "a", "n": 2}]

    items = [("r", {**line, "order": "o"}) for line in lines]
    assert planned(make(LINES), {"order": {"id": "o", "lines": lines}}) == (None, items)


def test_each_item_has_its_number_and_its_message(make: Any) -> None:
    """Which an idempotency key is made of."""
    write = "{mode: update, add: [n], once: things}"
    program = make(f"r: {{{TO_THINGS}, for_each: lines, item: {{id: element.id, n: element.n}}, write: {write}}}")

    planned = plan(program.engine.queues["q"], record({"lines": [{"id": "a", "n": 1}, {"id": "b", "n": 2}]}))

    keys = [write.idempotency_key.call["Item"] for write in planned.writes if write.idempotency_key]
    assert keys == [{"id": {"S": "r#id-1#0"}}, {"id": {"S": "r#id-1#1"}}]


def test_an_element_is_an_item_where_nothing_is_mapped(make: Any) -> None:
    """The whole element, as the whole message without `for_each`."""
    program = make(f"r: {{{TO_THINGS}, for_each: '@'}}")

    assert planned(program, [{"id": "a", "x": 1}, {"id": "b"}]) == (
        None,
        [("r", {"id": "a", "x": 1}), ("r", {"id": "b"})],
    )


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        ({}, Outcome("rejected", "RT807", "'for_each' finds no list", "r", "/order/lines")),
        ({"lines": None}, Outcome("rejected", "RT807", "'for_each' finds no list", "r", "/order/lines")),
        ({"lines": {"id": "a"}}, Outcome("rejected", "RT807", "'for_each' finds no list", "r", "/order/lines")),
        ({"lines": []}, Outcome("dropped", "RT811", "for_each found an empty list", "r")),
        (
            {"lines": [{"id": "a"}] * (MAX_ELEMENTS + 1)},
            Outcome("rejected", "RT803", "'for_each' finds more than 10000 elements", "r", "/order/lines"),
        ),
        (
            {"lines": [{"id": "a"}, {}]},
            Outcome("rejected", "RT808", "table 'things': key attribute 'id' is missing", "r", "/order/lines/1/id"),
        ),
    ],
)
def test_lists_that_make_no_items(make: Any, order: Any, outcome: Any) -> None:
    """The elements are one unit: a faulty one rejects the message."""
    assert planned(make(LINES), {"order": {"id": "o", **order}}) == (outcome, [])


def test_ten_thousand_elements_are_taken(make: Any) -> None:
    """The limit itself."""
    outcome, items = planned(make(LINES), {"order": {"lines": [{"id": str(n)} for n in range(MAX_ELEMENTS)]}})

    assert (outcome, len(items)) == (None, 10_000)


def test_a_failing_for_each_rejects(make: Any) -> None:
    """An expression error is a mapping error."""
    program = make(f"r: {{{TO_THINGS}, for_each: 'sort(lines)'}}")

    assert planned(program, {"lines": [1, "x"]}) == rejected(
        "RT807", "the expression of 'for_each' fails on the message", "r"
    )


def test_an_empty_list_drops_only_its_route(make: Any) -> None:
    """Writes by other routes are still made."""
    assert planned(make(f"{LINES}\nwhole: {{{TO_THINGS}}}"), {"id": "a", "order": {"lines": []}}) == (
        None,
        [("whole", {"id": "a", "order": {"lines": []}})],
    )


def test_a_delete_has_the_key_alone(make: Any) -> None:
    """Other attributes are not sent, however large they are."""
    program = make(f"r: {{{TO_THINGS}, write: {{mode: delete}}}}", key="{id: S, at: N}")

    planned = plan(program.engine.queues["q"], record({"id": "a", "at": 1.0, "x": "y" * 500_000}))

    table = Table("things", (("id", "S"), ("at", "N")))
    key = {"id": {"S": "a"}, "at": {"N": "1"}}
    assert planned.writes == [Write("r", table, MODES["delete"], ("things", "a", "1"), key, 3 + 4)]


def test_a_delete_needs_its_key(make: Any) -> None:
    """Like any write."""
    program = make(f"r: {{{TO_THINGS}, write: {{mode: delete}}}}")

    assert planned(program, {"x": 1}) == rejected("RT808", "table 'things': key attribute 'id' is missing", "r")


def test_two_writes_of_one_item_are_rejected_on_an_atomic_queue(make: Any) -> None:
    """A transaction cannot contain them."""
    outcome, writes = planned(make(TWO, "atomic: true"), {"id": "a"})

    assert (outcome.kind, outcome.reason, writes) == (
        "rejected",
        (
            "the message writes one item twice, which no transaction can: "
            "two items of table 'things' have the same key 'id'"
        ),
        [],
    )


def test_other_messages_of_an_atomic_queue(make: Any) -> None:
    """A single write is always atomic."""
    assert planned(make(f"r: {{{TO_THINGS}}}", "atomic: true"), {"id": "a"}) == (None, [("r", {"id": "a"})])


TRACED = f"""
no: {{{TO_THINGS}, when: never}}
yes:
  {TO_THINGS.replace(", ", chr(10) + "  ")}
  when: id
  schema: {{required: [id]}}
  item: {{id: id, n: n}}
bad: {{{TO_THINGS}, schema: {{required: [x]}}, plugins: []}}
plain: {{{TO_THINGS}, plugins: []}}
"""
ADD = """
@hookimpl
def router_transform_message(message):
    return message.with_data({**message.data, "n": 1})


@hookimpl
def router_transform_item(item):
    return {**item, "m": 2}
"""


def test_a_trace_gets_each_stage(make: Any) -> None:
    """In order, with its result; stages that a route does not have are left out."""
    program = make(TRACED, add=ADD)
    stages = []

    planned = plan(program.engine.queues["q"], record({"id": "a"}), lambda *stage: stages.append(stage))

    table = Table("things", (("id", "S"),))
    one = {"id": {"S": "a"}, "n": {"N": "1"}, "m": {"N": "2"}}
    invalid = stages[8][2]
    assert stages == [
        ("", "decode", {"id": "a"}),
        ("no", "when", False),
        ("yes", "when", True),
        ("yes", "validate", None),
        ("yes", "transform message", {"id": "a", "n": 1}),
        ("yes", "map", [{"id": "a", "n": 1}]),
        ("yes", "transform item", {"id": "a", "n": 1, "m": 2}),
        ("yes", "write", Write("yes", table, MODES["put"], ("things", "a"), one, 3 + 3 + 3)),
        ("bad", "validate", invalid),
        ("plain", "map", [{"id": "a"}]),
        ("plain", "write", Write("plain", table, MODES["put"], ("things", "a"), {"id": {"S": "a"}}, 3)),
    ]
    reason = "fails 'required' at /required: 'x' is missing"
    assert (invalid.reason, planned.outcome) == (reason, Outcome("rejected", "RT806", reason, "bad"))


REFERENCES = """
version: 1
queues:
  named: {dead_letter: d}
  arn: {name: "arn:aws:sqs:eu-west-1:111111111111:orders", dead_letter: d}
  url: {name: "https://sqs.us-east-1.amazonaws.com/222222222222/orders", dead_letter: d}
  local: {name: "http://localhost:4566/000000000000/orders", dead_letter: d}
tables: {things: {key: {id: S}}}
routes:
  a: {queue: named, table: things}
  b: {queue: arn, table: things}
  c: {queue: url, table: things}
  d: {queue: local, table: things}
"""


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:sqs:us-east-1:111111111111:named", "named"),
        ("arn:aws-cn:sqs:cn-north-1:999999999999:named", "named"),
        ("arn:aws:sqs:eu-west-1:111111111111:orders", "arn"),
        ("arn:aws:sqs:us-east-1:222222222222:orders", "url"),
        ("arn:aws:sqs:any-1:000000000000:orders", "local"),
        ("arn:aws:sqs:us-east-1:111111111111:orders", None),
        ("arn:aws:sqs:us-east-1:111111111111:other", None),
        ("", None),
    ],
)
def test_a_queue_is_found_by_its_arn(tmp_path: Path, arn: Any, name: Any) -> None:
    """A name matches in any account, an ARN or URL as a whole."""
    (tmp_path / "routes.yaml").write_text(REFERENCES)
    engine = load_program(tmp_path / "routes.yaml", {}).engine

    queue = engine.queue_of(arn)

    assert (queue and queue.name) == name


IDS = st.sampled_from(["a", "b", "", 1, None])
WORDS = st.sampled_from(["drop", "reject", "retry", "fail", "bare", "fine"])
VALUES = IDS | st.lists(IDS, max_size=2) | st.floats() | st.integers() | st.text(max_size=3)
BODIES = (
    st.fixed_dictionaries({}, optional={"id": IDS, "one": WORDS, "two": WORDS, "x": VALUES, "lines": VALUES}).map(
        json.dumps
    )
    | st.text(max_size=20)
    | st.text('[]{}":,\\0123456789.eE+-\ud800', max_size=100)
)


def test_any_record_results_in_one_planned_message(make: Any) -> None:
    """For any body: either decided with a code, or with writes."""
    program = make(
        f"one: {{{TO_THINGS}, schema: {{properties: {{x: {{type: number}}}}}}}}\n"
        f"two: {{{TO_THINGS}, when: id, item: {{id: id, x: x, h: {{hash: [x]}}, t: {{template: '{{x}}'}}}}}}\n"
        f"three: {{{TO_THINGS}, for_each: lines, when: lines}}",
        decide=DECIDE.replace("message.data.get", "getattr(message.data, 'get', {}.get)"),
    )
    queue = program.engine.queues["q"]

    @given(st.lists(BODIES, max_size=6))
    @settings(deadline=None, max_examples=100)
    def any_batch(bodies: Any) -> None:
        records = [record(body, f"id-{number}") for number, body in enumerate(bodies)]

        messages = [plan(queue, each) for each in records]

        assert [planned.record for planned in messages] == records
        assert all(bool(planned.writes) == (planned.outcome is None) for planned in messages)
        assert all(planned.outcome is None or planned.outcome.code.startswith("RT8") for planned in messages)

    any_batch()


def test_numbers_are_exact_from_body_to_write(make: Any) -> None:
    """In a whole item, by path, in a template and as text."""
    item = "{id: {template: '{n}'}, n: n, s: {from: n, type: S}, d: d}"
    program = make(f"r: {{{TO_THINGS}, item: {item}}}\nw: {{{TO_THINGS}}}")

    outcome, items = planned(
        program, '{"id": "a", "n": 12345678901234567891, "d": 0.1000000000000000055511151231257827}'
    )

    exact = Decimal("0.1000000000000000055511151231257827")
    assert (outcome, items) == (
        None,
        [
            ("r", {"id": "12345678901234567891", "n": 12345678901234567891, "s": "12345678901234567891", "d": exact}),
            ("w", {"id": "a", "n": 12345678901234567891, "d": exact}),
        ],
    )


def test_items_that_take_too_much_memory(make: Any) -> None:
    """A message that is copied onto each of its lines is rejected before its items fill the memory."""
    program = make(f"r: {{{TO_THINGS}, for_each: lines, item: {{id: element.id, all: message}}}}")
    lines = [{"id": f"l{number}", "n": number, "tags": []} for number in range(1_000)]
    reason = "the items of 'for_each' take more than 268435456 bytes of memory"

    assert planned(program, {"lines": lines}) == rejected("RT803", reason, "r")


@pytest.mark.parametrize(("left", "taken"), [(0, 3), (-1, 0)])
def test_the_memory_of_items_is_that_of_all_but_the_first(
    make: Any, monkeypatch: pytest.MonkeyPatch, left: int, taken: int
) -> None:
    """The first is bounded by the size of the message. The limit itself is allowed."""
    ids = ["a", "bb", "ccc"]
    more = sum(memory_bytes({"id": {"S": each}}) for each in ids[1:])
    monkeypatch.setattr("router.runtime.engine.engine.MAX_PLANNED_BYTES", more + left)

    outcome, items = planned(make(f"r: {{{TO_THINGS}, for_each: lines}}"), {"lines": [{"id": each} for each in ids]})

    assert (outcome is None, len(items)) == (left == 0, taken)


def test_what_does_not_depend_on_the_element(make: Any) -> None:
    """It is evaluated once for a message, and only if there is an element."""
    mapping = (
        "id: element.id, n: {from: 'sum(message.lines[].n)'}, at: {meta: queue}, who: {template: '{message.who}!'}"
    )
    program = make(f"r: {{{TO_THINGS}, for_each: lines, item: {{{mapping}}}}}")
    lines = [{"id": f"l{number}", "n": 1} for number in range(10_000)]

    outcome, items = planned(program, {"who": "me", "lines": lines})
    empty, _ = planned(program, {"lines": []})
    failed = planned(program, {"lines": [{"id": "a", "n": "x"}]})

    assert (outcome, len(items)) == (None, 10_000)
    assert all(item["n"] == 10_000 and item["who"] == "me!" and item["at"] == "q" for _, item in items)
    assert (empty.kind, empty.reason) == ("dropped", "for_each found an empty list")
    assert failed == rejected("RT807", "the expression of attribute 'n' fails on the message", "r", "/lines/0")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("raise Reject(ValueError('x'))", "a plugin raised Reject with a reason that is not text"),
        ("raise Reject('bad \\ud800')", "a plugin raised Reject with a reason that is not text"),
        ("raise Drop(5)", "a plugin raised Drop with a reason that is not text"),
        ("raise Retry('x', '30')", "a plugin raised Retry with a delay that is not a number of seconds"),
        ("raise Retry('x', float('inf'))", "a plugin raised Retry with a delay that is not a number of seconds"),
        ("raise Retry('x', float('nan'))", "a plugin raised Retry with a delay that is not a number of seconds"),
        ("raise Retry('x', -5)", "a plugin raised Retry with a delay that is not a number of seconds"),
        ("raise SystemExit(1)", "unexpected SystemExit"),
        ("raise GeneratorExit", "unexpected GeneratorExit"),
    ],
)
def test_a_plugin_raises_what_it_must_not(make: Any, statement: str, reason: str) -> None:
    """The message alone is retried: an outcome that cannot be logged or sent would fail its whole batch."""
    plugin = f"""
from router import Drop, Reject, Retry, hookimpl

@hookimpl
def router_transform_message(message):
    {statement}
"""
    program = make(f"r: {{{TO_THINGS}}}", p=plugin)

    assert planned(program, {"id": "a"}) == (Outcome("retry", "RT813", reason, "r"), [])


def test_a_plugin_asks_for_a_retry_at_once(make: Any) -> None:
    """No delay is a delay too."""
    plugin = """
from router import Retry, hookimpl

@hookimpl
def router_transform_message(message):
    raise Retry(delay=0)
"""
    program = make(f"r: {{{TO_THINGS}}}", p=plugin)

    assert planned(program, {"id": "a"}) == (Outcome("retry", "RT812", "a plugin asks to retry", "r", delay=0), [])


def test_ctrl_c(make: Any) -> None:
    """It ends the command, also while a plugin runs."""
    plugin = """
from router import hookimpl

@hookimpl
def router_transform_message(message):
    raise KeyboardInterrupt
"""
    with pytest.raises(KeyboardInterrupt):
        planned(make(f"r: {{{TO_THINGS}}}", p=plugin), {"id": "a"})
