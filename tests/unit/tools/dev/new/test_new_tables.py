"""How the types of message that samples have are written to tables."""

from collections.abc import Sequence
from typing import Any

import pytest

from router.tools.dev.new.plan import Plan, plan_routes
from router.tools.dev.new.samples import SampleSet
from router.tools.dev.new.sharing import prefixes_of
from router.tools.dev.new.tables import Wanted
from tests.support.config import spec

NS = "to_epoch_ns"


def at(minute: int) -> str:
    """A time."""
    return f"2026-01-02T03:{minute:02}:00Z"


def planned(messages: Sequence[dict[str, Any]], config: spec.Config | None = None) -> Plan:
    """The plan for messages of a queue `orders`; of several candidates the first is the key."""
    wanted = Wanted("orders", "orders", "orders")
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
        # A time is no reason for a route of its own.
        (
            [
                {"type": "placed", "order_id": "a", "at": at(1), "lines": 1},
                {"type": "paid", "order_id": "a", "at": at(2), "amount": 1},
            ],
            {
                "placed": {"placed_at": "at", "lines": "lines", "placed_at_ns": {"from": "at", "transform": NS}},
                "paid": {"paid_at": "at", "amount": "amount", "paid_at_ns": {"from": "at", "transform": NS}},
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


def test_messages_of_a_queue_that_one_route_takes() -> None:
    """No route takes what all have, as it would get all messages, or none."""
    config = spec.Config(version=1, queues={"orders": spec.Queue(match="first")})
    messages = [
        {"type": "placed", "order_id": "a", "seq": 1, "status": "open", "lines": 1},
        {"type": "paid", "order_id": "a", "seq": 2, "status": "paid", "amount": 2},
    ]

    plan = planned(messages, config)

    assert list(items(plan)) == ["placed", "paid"]
