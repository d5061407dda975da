"""How the types of message that samples have are written to tables."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from router.errors import UsageError
from router.tools.dev.new.plan import Plan, plan_routes
from router.tools.dev.new.samples import SampleSet
from router.tools.dev.new.sharing import prefixes_of
from router.tools.dev.new.tables import Wanted
from tests.support.config import spec

NS = "to_epoch_ns"


def at(minute: int) -> str:
    """A time."""
    return f"2026-01-02T03:{minute:02}:00Z"


def planned(
    messages: Sequence[dict[str, Any]], config: spec.Config | None = None, mode: str = "", version: str = ""
) -> Plan:
    """The plan for messages of a queue `orders`; of several candidates the first is the key."""
    wanted = Wanted("orders", "orders", "orders", mode=mode, version=version)
    return plan_routes(SampleSet(tuple(messages)), wanted, config, lambda candidates, table: candidates[0])


def items(plan: Plan) -> dict[str, Any]:
    """The items of the routes, by the ends of their names, but for the key."""
    found = {}
    for route in plan.routes:
        item = {name: each for name, each in route.settings.get("item", {}).items() if name not in route.key}
        found[route.name.removeprefix("orders").lstrip("-")] = item
    return found


@pytest.mark.parametrize(
    ("values", "prefixes"),
    [
        (["placed", "paid"], ["placed", "paid"]),
        (["order.placed", "order.paid"], ["placed", "paid"]),
        (["OrderPlaced", "OrderPaid"], ["placed", "paid"]),
        (["order", "order.paid"], ["order", "order_paid"]),
        (["order_line_added", "order_line_removed"], ["added", "removed"]),
        (["order.placed"], ["order_placed"]),
        (["?", "a"], ["other", "a"]),
    ],
)
def test_prefixes(values: list[str], prefixes: list[str]) -> None:
    """An attribute begins with the type, without the words with which all types begin."""
    assert prefixes_of(values) == prefixes


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        # Each type has members of its own, and both have one that nothing orders.
        (
            [
                {"type": "placed", "order_id": "a", "note": "x", "lines": 1},
                {"type": "paid", "order_id": "a", "note": "y", "amount": 2},
            ],
            {
                "placed": {"placed_note": "note", "lines": "lines", "placed_type": "type"},
                "paid": {"paid_note": "note", "amount": "amount", "paid_type": "type"},
            },
        ),
        # The name is taken by a member of another type.
        (
            [
                {"type": "placed", "order_id": "a", "note": "x", "paid_note": "z"},
                {"type": "paid", "order_id": "a", "note": "y", "amount": 2},
            ],
            {
                "placed": {"placed_note": "note", "paid_note": "paid_note", "placed_type": "type"},
                "paid": {"paid_note_": "note", "amount": "amount", "paid_type": "type"},
            },
        ),
        # A counter orders all, so that what all have is stored once; a member that may be null is not.
        (
            [
                {"type": "placed", "order_id": "a", "seq": 1, "status": "open", "tax": 1, "lines": 1},
                {"type": "placed", "order_id": "a", "seq": 2, "status": "open", "tax": None, "lines": 1},
                {"type": "paid", "order_id": "a", "seq": 3, "status": "paid", "tax": 1, "amount": 2},
            ],
            {
                "placed": {"placed_tax": "tax", "lines": "lines", "placed_seq": "seq"},
                "paid": {"paid_tax": "tax", "amount": "amount", "paid_seq": "seq"},
                "common": {"type": "type", "status": "status", "seq": "seq"},
            },
        ),
        # Objects of one name that differ are not one thing; one that has the key only is left out.
        (
            [
                {"type": "placed", "order": {"id": "a", "lines": 1}, "shop": {"id": 7}, "at": at(1)},
                {"type": "paid", "order": {"id": "a", "amount": 1}, "shop": {"id": 7}, "at": at(2)},
                {"type": "closed", "order": {"id": "a"}, "shop": {"id": 7}, "at": at(3)},
            ],
            {
                "placed": {"placed_order": "order", "placed_at": "at", "placed_at_ns": {"from": "at", "transform": NS}},
                "paid": {"paid_order": "order", "paid_at": "at", "paid_at_ns": {"from": "at", "transform": NS}},
                "closed": {"closed_at": "at", "closed_at_ns": {"from": "at", "transform": NS}},
                "common": {"type": "type", "shop": "shop", "at": "at", "at_ns": {"from": "at", "transform": NS}},
            },
        ),
        # A time is no reason for a route of its own: each type stores what it is.
        (
            [
                {"type": "placed", "order_id": "a", "at": at(1), "lines": 1},
                {"type": "paid", "order_id": "a", "at": at(2), "amount": 1},
            ],
            {
                "placed": {
                    "placed_at": "at",
                    "lines": "lines",
                    "placed_at_ns": {"from": "at", "transform": NS},
                    "placed_type": "type",
                },
                "paid": {
                    "paid_at": "at",
                    "amount": "amount",
                    "paid_at_ns": {"from": "at", "transform": NS},
                    "paid_type": "type",
                },
            },
        ),
        # An update that sets no attribute stores nothing, so the type is one where there is no version.
        (
            [
                {"data": {"type": "placed", "lines": 1}, "order_id": "a"},
                {"data": {"type": "closed"}, "order_id": "a"},
                {"data": {"type": "closed"}, "order_id": "b"},
            ],
            {
                "placed": {"placed_data": "data", "placed_data_type": "data.type"},
                "closed": {"closed_data": "data", "closed_data_type": "data.type"},
            },
        ),
    ],
)
def test_types_of_one_item(messages: list[dict[str, Any]], found: dict[str, Any]) -> None:
    """No attribute has two routes; what all messages have is stored once, if one field orders them."""
    assert items(planned(messages)) == found


def test_the_route_for_all_types() -> None:
    """Its schema has nothing of one type, and its condition is true of the types of the samples only."""
    messages = [
        {"type": "placed", "order": {"id": "a", "lines": 1}, "status": "it's", "seq": 1},
        {"type": "paid", "order": {"id": "a", "amount": 1}, "status": "paid", "seq": 2},
    ]

    plan = planned(messages)

    common = plan.routes[2]
    assert common.settings["when"] == "type == 'placed' || type == 'paid'"
    assert common.settings["write"] == {"mode": "update", "version": "seq"}
    assert sorted(common.schema["properties"]) == ["order", "seq", "status", "type"]
    assert list(common.schema["properties"]["order"]["properties"]) == ["id"]
    assert common.schema["properties"]["type"]["enum"] == ["placed", "paid"]


@pytest.mark.parametrize(
    ("messages", "key"),
    [
        # The id of an event is that of no other.
        ([{"type": "a", "id": "1", "x": 1}, {"type": "b", "id": "2", "y": 1}], {"id": "S", "type": "S"}),
        (
            [{"event": {"id": "1", "kind": "a"}, "x": 1}, {"event": {"id": "2", "kind": "b"}}],
            {"event_id": "S", "event_kind": "S"},
        ),
        # It is the id of a thing: of a sample of each type, or of two types.
        ([{"type": "a", "id": "1", "x": 1}, {"type": "b", "id": "1", "y": 1}], {"id": "S"}),
        ([{"type": "a", "order_id": "1", "x": 1}, {"type": "b", "order_id": "2", "y": 1}], {"order_id": "S"}),
    ],
)
def test_keys_that_are_apart(messages: list[dict[str, Any]], key: dict[str, str]) -> None:
    """Messages with an id each are items of their own, by their type."""
    [table] = planned(messages).tables

    assert table.key == key


def test_a_table_for_each_shape() -> None:
    """The best key of each is another field, though all have one that is the same in all samples."""
    messages = [
        {"type": "user", "tenant_id": "t", "user_id": "u-1"},
        {"type": "user", "tenant_id": "t", "user_id": "u-2"},
        {"type": "device", "tenant_id": "t", "device_id": "d-1"},
        {"type": "device", "tenant_id": "t", "device_id": "d-2"},
    ]

    plan = planned(messages)

    assert [(table.name, table.key) for table in plan.tables] == [
        ("orders-user", {"user_id": "S"}),
        ("orders-device", {"device_id": "S"}),
    ]


@pytest.mark.parametrize(
    ("messages", "tables"),
    [
        # What all have looks like an id, and what one type has does not.
        (
            [
                {"kind": "sent", "parcel": "P-1", "weight": 1},
                {"kind": "scanned", "parcel": "P-1", "depot": "VIE"},
                {"kind": "scanned", "parcel": "P-1", "depot": "LNZ"},
            ],
            {"orders": {"parcel": "S"}},
        ),
        # Each type has what looks like an id of its own.
        (
            [
                {"kind": "order", "tenant": "t-1", "order": "o-1"},
                {"kind": "order", "tenant": "t-1", "order": "o-2"},
                {"kind": "user", "tenant": "t-1", "user": "u-1"},
                {"kind": "user", "tenant": "t-1", "user": "u-2"},
            ],
            {"orders-order": {"order": "S"}, "orders-user": {"user": "S"}},
        ),
    ],
)
def test_values_like_those_of_an_id(messages: list[dict[str, Any]], tables: dict[str, Any]) -> None:
    """They make one table for all types, but for types of other things."""
    assert {table.name: table.key for table in planned(messages).tables} == tables


def reading(kind: str, second: int, **values: Any) -> dict[str, Any]:
    """A reading of a sensor."""
    return {"type": kind, "sensor_id": "s1", "ts": 1772359200 + second, **values}


@pytest.mark.parametrize(
    ("messages", "key", "routes"),
    [
        ([reading("t", 0, value=1.5), reading("t", 60, value=2)], {"sensor_id": "S", "ts": "N"}, {"": {}}),
        (
            [reading("t", 0, value=1.5), reading("t", 60, value=1.5), reading("h", 0, value=2)],
            {"sensor_id": "S", "ts": "N"},
            {
                "t": {"t_value": "value", "t_type": "type"},
                "h": {"h_value": "value", "h_type": "type"},
            },
        ),
        # Two readings of one type at one time are not told apart.
        (
            [reading("t", 0, value=1), reading("t", 0, value=2), reading("h", 1, value=2)],
            {"sensor_id": "S", "ts": "N"},
            {"": {}},
        ),
        (
            [{"sensor_id": "s1", "ts": 5, "value": 1}, {"sensor_id": "s1", "ts": 6, "value": 1}],
            {"sensor_id": "S"},
            {"": {}},
        ),
        (
            [{"sensor_id": "s1", "time": at(1), "value": 1}, {"sensor_id": "s1", "time": at(2), "value": 1}],
            {"sensor_id": "S", "time": "S"},
            {"": {}},
        ),
        ([{"sensor_id": "s1", "time": at(1)}, {"sensor_id": "s1", "time": at(2)}], {"sensor_id": "S"}, None),
        (
            [{"order_id": "s1", "time": at(1), "n": 1}, {"order_id": "s1", "time": at(2), "n": 1}],
            {"order_id": "S"},
            None,
        ),
    ],
)
def test_readings(messages: list[dict[str, Any]], key: dict[str, str], routes: dict[str, Any] | None) -> None:
    """Those of a sensor have items of their own, by their time and their type."""
    plan = planned(messages)

    assert [table.key for table in plan.tables] == [key]
    if routes is not None and "ts" in key:
        assert items(plan) == routes


def test_the_last_reading() -> None:
    """An option that makes one item for each sensor is taken."""
    messages = [reading("t", 0, value=1), reading("t", 60, value=2)]
    plain = Wanted("orders", "orders", "orders")
    for options in ({"mode": "newest"}, {"version": "ts"}, {"key": "sensor_id"}):
        wanted = structs.replace(plain, **options)
        plan = plan_routes(SampleSet(tuple(messages)), wanted, None, lambda candidates, table: candidates[0])
        assert [table.key for table in plan.tables] == [{"sensor_id": "S"}]


S3 = {"bucket": {"name": "b"}, "request-id": "R1", "requester": "1", "reason": "PutObject"}


def test_events_of_s3_by_eventbridge() -> None:
    """The item is the last state of an object; without a sequencer in all, the last one that is received."""
    events = [{**S3, "object": {"key": "a/b", "sequencer": f"0{number}"}} for number in range(2)]
    [table] = planned(events).tables
    [route] = planned(events).routes
    assert table.key == {"bucket_name": "S", "object_key": "S"}
    assert route.settings["write"] == {"mode": "newest", "version": "sequencer"}
    assert items(planned(events))[""]["sequencer"] == "object.sequencer"
    assert route.schema["properties"]["object"]["properties"]["key"]["maxLength"] == 1024

    [table] = planned([*events, {**S3, "object": {"key": "a/b"}}]).tables
    assert "the last message received of each stays" in table.notes[0]
    wanted = Wanted("orders", "orders", "orders", key="request-id")
    [table] = plan_routes(SampleSet(tuple(events)), wanted, None, lambda candidates, table: candidates[0]).tables
    assert table.key == {"request-id": "S"}


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ({"lines": 1}, {"amount": 1}, ["orders-placed", "orders-paid"]),
        ({}, {"amount": 1}, ["orders"]),
    ],
)
def test_states(first: dict[str, Any], second: dict[str, Any], names: list[str]) -> None:
    """They are types, if messages of each have what no other has; a later state may have more."""
    messages = [
        {"order_id": f"o{number}", "status": status, "seq": seq, **more}
        for number in range(2)
        for seq, (status, more) in enumerate((("placed", first), ("paid", second)))
    ]
    assert [route.name for route in planned(messages).routes] == names


def test_a_state_in_words_is_no_type() -> None:
    """Nor one within an object."""
    for one, other in (({"status": "a b"}, {"status": "c"}), ({"o": {"status": "a"}}, {"o": {"status": "b"}})):
        messages = [{"order_id": "o1", "seq": 1, "x": 1, **one}, {"order_id": "o1", "seq": 2, "y": 1, **other}]
        assert "status" not in "".join(route.settings.get("when", "") for route in planned(messages).routes)


def planned_with(messages: Sequence[dict[str, Any]], **options: Any) -> Plan:
    """The plan for messages of a queue `orders` with options."""
    wanted = Wanted("orders", "orders", "orders", **options)
    return plan_routes(SampleSet(tuple(messages)), wanted, None, lambda candidates, table: candidates[0])


def test_members_that_a_later_message_erases() -> None:
    """They are named if whole items are wanted, unless one message has all."""
    messages = [{"order_id": "o1", "seq": 1, "lines": 1}, {"order_id": "o1", "seq": 2, "amount": 1}]
    [table] = planned_with(messages, mode="newest").tables
    assert table.notes[-1] == (
        "messages of one key have other members: a later one erases amount, lines; if these are types of messages, "
        "give those of each a --queue and a --name of its own, with --table orders and --mode update"
    )
    [table] = planned([*messages, {"order_id": "o1", "seq": 3, "lines": 1, "amount": 1}]).tables
    assert "erases" not in "".join(table.notes)


@pytest.mark.parametrize("options", [{}, {"mode": "update"}, {"key": "order_id"}])
def test_types_that_only_their_members_tell_apart(options: dict[str, str]) -> None:
    """Each sets attributes of its own, with a version of its own; null is as good as no member."""
    messages = [
        {"order_id": "o1", "seq": 1, "lines": 1, "customer": "c", "note": "x"},
        {"order_id": "o1", "seq": 2, "amount": 0, "lines": None},
        {"order_id": "o1", "seq": 3, "note": "y"},
        {"order_id": "o2", "seq": 1, "lines": 1, "customer": "c", "note": None},
    ]
    plan = planned_with(messages, **options)
    assert {route.settings["when"] for route in plan.routes} == {
        "lines != `null`",
        "amount != `null`",
        "lines == `null` && amount == `null`",
    }
    assert items(plan) == {
        "lines": {"lines_lines": "lines", "customer": "customer", "lines_note": "note", "lines_seq": "seq"},
        "amount": {"amount": "amount", "amount_lines": "lines", "amount_seq": "seq"},
        "other": {"other_note": "note", "other_seq": "seq"},
    }
    [table] = plan.tables
    assert table.notes[1:3] == (
        (
            "mode update: no message has two of lines, amount: those with each set attributes of their own, so that "
            "none erases what another stored, in any order (one whole message instead: --mode newest or put)"
        ),
        "versions, of each kind its own, by seq: lines_seq, amount_seq, other_seq",
    )
    assert plan.notes == ()


def test_members_in_a_table_that_routes_update() -> None:
    """They tell types apart there, too, by the key that the table has."""
    item: dict[str, Any] = {"order_id": "order_id", "note": "note"}
    config = spec.Config(
        version=1,
        tables={"orders": spec.TableSettings(key={"order_id": "S"})},
        routes={
            "placed": spec.RouteSettings(
                queue="others",
                table="orders",
                item=item,
                write=spec.WriteSettings(mode="update"),
            )
        },
    )
    messages = [
        {"id": "1", "order_id": "o1", "seq": 1, "lines": 1},
        {"id": "1", "order_id": "o1", "seq": 2, "amount": 1, "note": "x"},
    ]
    assert items(planned(messages, config)) == {
        "lines": {"lines_id": "id", "lines": "lines", "lines_seq": "seq"},
        "amount": {"amount_id": "id", "amount": "amount", "amount_note": "note", "amount_seq": "seq"},
    }


def test_messages_with_none_of_the_members() -> None:
    """They are unmatched, unless the samples have such, or a route takes what all have."""
    messages: list[dict[str, Any]] = [{"order_id": "o1", "lines": 1}, {"order_id": "o1", "amount": 1}]
    assert planned(messages).notes == ("no route takes a message that has none of lines, amount: it is unmatched",)
    assert items(planned(messages)) == {"lines": {"lines": "lines"}, "amount": {"amount": "amount"}}
    bare = planned([*messages, {"order_id": "o1"}])
    assert (items(bare)["other"], bare.notes) == ({"other_sent_at": {"meta": "sent_at"}}, ())
    ordered = [{**each, "seq": number, "status": "open"} for number, each in enumerate(messages)]
    plan = planned(ordered)
    assert "when" not in plan.routes[-1].settings
    assert (items(plan)["common"], plan.notes) == ({"status": "status", "seq": "seq"}, ())


def test_a_member_with_the_name_of_messages_without_one() -> None:
    """Each has a route of its own."""
    messages: list[dict[str, Any]] = [{"order_id": "o1", name: 1} for name in ("other", "amount")]
    plan = planned([*messages, {"order_id": "o1"}])
    assert [route.name for route in plan.routes] == ["orders-other", "orders-amount", "orders-other-2"]
    assert [route.settings["when"] for route in plan.routes][::2] == [
        "other != `null`",
        "other == `null` && amount == `null`",
    ]


def test_two_routes_without_a_condition() -> None:
    """Each gets the messages of the other, too: those of one key would be stale for the one they are for."""
    routes = {
        "billed": spec.RouteSettings(queue="orders", table="others"),
        "some": spec.RouteSettings(queue="orders", table="orders", when="type == 'x'"),
        "placed": spec.RouteSettings(queue="orders", table="orders"),
    }
    config = spec.Config(version=1, queues={"orders": spec.Queue(dead_letter="d")}, routes=routes)
    with pytest.raises(UsageError) as caught:
        planned([{"order_id": "a", "amount": 1}], config)
    assert str(caught.value) == (
        "route 'placed' takes these messages too, as neither it nor 'orders' has a condition, and both would write one "
        "item: give the samples of all types in one command, or these another --queue"
    )


def test_the_time_of_the_thing() -> None:
    """A time that is the same in all messages of a key orders none of them, though each type has one message."""
    messages: list[dict[str, Any]] = [
        {"type": "sent", "mail": {"id": number, "timestamp": at(number)}, "sent": {"timestamp": at(number + 1)}}
        for number in range(2)
    ]
    messages += [
        {"type": "bounced", "mail": each["mail"], "bounced": {"timestamp": at(number + 5)}}
        for number, each in enumerate(messages)
    ]
    found = items(planned_with(messages, key="mail.id"))
    assert found["sent"]["sent_sent_timestamp_ns"] == {"from": "sent.timestamp", "transform": NS}
    assert found["bounced"]["bounced_bounced_timestamp_ns"] == {"from": "bounced.timestamp", "transform": NS}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("stageTimestamp", "stageTimestamp"),
        ("handled_at", "handled_at"),
        ("created_at", ""),
        ("due_time", ""),
        ("x", ""),
    ],
)
def test_a_time_by_another_name(name: str, found: str) -> None:
    """It orders messages if each of a key has another one, unless its name says what else it is."""
    messages = [{"id": "a", name: at(minute)} for minute in (1, 2)]
    [route] = planned(messages).routes
    expressions = route.settings.get("item", {}).values()
    assert [each["from"] for each in expressions if isinstance(each, dict)] == ([found] if found else [])
    once = [{"id": f"a{minute}", name: at(minute)} for minute in (1, 2)]
    assert "write" not in planned(once).routes[0].settings
    twice: list[dict[str, Any]] = [*messages, {"id": "a", "n": 1, name: at(2)}]
    assert "write" not in planned(twice).routes[0].settings


def test_members_that_are_optional() -> None:
    """A few of many tell no types apart, and neither do those that come together."""
    few = {f"m{number}": number for number in range(8)}
    messages = [{"id": "o1", **few, "x": 1}, {"id": "o1", **few, "y": 1}]
    assert [route.name for route in planned(messages).routes] == ["orders"]
    together = [{"id": "o1", "x": 1, "y": 1}, {"id": "o1", "y": 1, "z": 1}, {"id": "o1", "z": 1, "x": 1}]
    assert [route.name for route in planned(together).routes] == ["orders"]


def test_messages_of_a_queue_that_one_route_takes() -> None:
    """No route takes what all have, as it would get all messages, or none."""
    config = spec.Config(version=1, queues={"orders": spec.Queue(match="first")})
    messages = [
        {"type": "placed", "order_id": "a", "seq": 1, "status": "open", "lines": 1},
        {"type": "paid", "order_id": "a", "seq": 2, "status": "paid", "amount": 2},
    ]

    plan = planned(messages, config)

    assert list(items(plan)) == ["placed", "paid"]


@pytest.mark.parametrize(("mode", "chosen"), [("", "newest"), ("newest", "newest"), ("update", "update")])
def test_messages_that_are_ordered_by_the_time_of_sending(mode: str, chosen: str) -> None:
    """For messages without an order of their own, as the details of many events of EventBridge are."""
    messages = [{"instance_id": "i-1", "sent_at": state} for state in ("pending", "running")]

    plan = planned(messages, mode=mode, version="meta.sent_at")

    [route] = plan.routes
    assert route.settings["item"] == {
        "instance_id": "instance_id",
        "sent_at": "sent_at",
        "sent_at_": {"meta": "sent_at"},
    }
    assert route.settings["write"] == {"mode": chosen, "version": "sent_at_"}
    note = f"mode {chosen} by meta.sent_at: chosen with --version; the time at which each message was sent"
    assert note in plan.tables[0].notes


def test_types_of_message_that_are_ordered_by_the_time_of_sending() -> None:
    """What all have is of the one that was sent last, and each type has a version of its own."""
    messages: list[dict[str, Any]] = [
        {"type": kind, "order_id": f"o-{number}", "customer": "c", f"of_{kind}": number}
        for number in range(10)
        for kind in ("placed", "paid")
    ]

    plan = planned(messages, version="meta.sent_at")

    assert items(plan) == {
        "placed": {"of_placed": "of_placed", "placed_sent_at": {"meta": "sent_at"}},
        "paid": {"of_paid": "of_paid", "paid_sent_at": {"meta": "sent_at"}},
        "common": {"type": "type", "customer": "customer", "sent_at": {"meta": "sent_at"}},
    }
    assert "versions, of each type its own, by meta.sent_at: placed_sent_at, paid_sent_at" in plan.tables[0].notes
    assert (
        "route orders-common stores what all have, of the latest message by meta.sent_at: customer"
        in plan.tables[0].notes
    )
