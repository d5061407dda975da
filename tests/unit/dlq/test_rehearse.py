"""Rehearsals: the outcome that a message would have now, and its items beside the stored ones."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from router.dlq.rehearse import Change, Rehearser
from router.errors import UsageError
from tests.support.aws import AwsFault
from tests.support.program import Program
from tests.unit.dlq.conftest import Make

Stored = dict[str, dict[str, Any]]
OLD = {"id": {"S": "o"}, "total": {"N": "1"}}
ITEM = {"id": "o", "total": 7}
AT = "item: {id: id, total: total, at: {meta: sent_at}}, write: {mode: newest, version: at}"


class StoredItems:
    """The items of tables by the id in their key."""

    def __init__(self, **items: Stored) -> None:
        self.items = items
        self.read: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, table: Any, key: Mapping[str, Any]) -> Stored | None:
        self.read.append((table.name, key))
        return self.items.get(key["id"]["S"])


def rehearse(program: Program, message: Any, items: StoredItems) -> Any:
    aws: Any = None
    return Rehearser(program, "dead", aws, items).rehearse(message)


@pytest.mark.parametrize(
    ("route", "stored", "outcome", "effect", "newer"),
    [
        ("write: {mode: put}", None, "written", "new", False),
        ("write: {mode: put}", OLD, "written", "replaced", True),
        ("write: {mode: put}", {"id": {"S": "o"}, "total": {"N": "7"}}, "written", "unchanged", False),
        ("write: {mode: insert}", OLD, "duplicate", "unchanged", False),
        ("item: {id: id}, write: {mode: delete}", OLD, "written", "deleted", True),
        ("item: {id: id}, write: {mode: delete}", None, "written", "nothing", False),
        ("write: {mode: update}", OLD, "written", "replaced", True),
        ("write: {mode: update}", {"id": {"S": "o"}, "other": {"N": "1"}}, "written", "replaced", False),
        ("write: {mode: update, add: [total]}", OLD, "written", "replaced", False),
        (AT, {**OLD, "at": {"S": "2026-01-01T00:00:00.001Z"}}, "stale", "unchanged", False),
        (AT, {**OLD, "at": {"S": "2025-12-31T00:00:00.000Z"}}, "written", "replaced", False),
    ],
)
def test_effects(
    load: Callable[..., Program],
    failed: Make,
    route: str,
    stored: Stored | None,
    outcome: str,
    effect: str,
    newer: bool,
) -> None:
    """By the conditions of the write mode; without a version a stored item may be newer."""
    items = StoredItems(**({"o": stored} if stored else {}))

    rehearsed = rehearse(load(route), failed(ITEM), items)

    (change,) = rehearsed.changes
    assert (rehearsed.outcome.kind, change.effect, change.newer) == (outcome, effect, newer)
    assert (rehearsed.passes, rehearsed.overwrites, rehearsed.queue) == (True, newer, "orders")
    assert items.read == [("orders", {"id": {"S": "o"}})]


def test_a_change_has_both_items(load: Callable[..., Program], failed: Make) -> None:
    """In Python's own types."""
    rehearsed = rehearse(load(), failed(ITEM), StoredItems(o=OLD))

    assert rehearsed.changes == (Change("orders", {"id": "o"}, {"id": "o", "total": 1}, ITEM, True),)


def test_many_are_rehearsed_at_a_time(load: Callable[..., Program], failed: Make) -> None:
    """They come in their order, however long each takes."""
    aws: Any = None
    stored = {"id-0": OLD}

    def read(table: Any, key: Mapping[str, Any]) -> Stored | None:
        time.sleep(0.1 if key["id"]["S"] == "id-0" else 0)
        return stored.get(key["id"]["S"])

    rehearser = Rehearser(load(), "dead", aws, read)

    found = [*rehearser.rehearse_all(failed({"id": f"id-{number}"}, str(number)) for number in range(30))]

    assert [(each.message.id, each.overwrites) for each in found] == [(str(n), n == 0) for n in range(30)]


def test_an_item_that_cannot_be_read_ends_a_rehearsal(load: Callable[..., Program], failed: Make) -> None:
    """With its sentence."""
    aws: Any = None

    def read(table: Any, key: Mapping[str, Any]) -> Stored | None:
        raise UsageError("these credentials may not do dynamodb:GetItem")

    rehearser = Rehearser(load(), "dead", aws, read)

    with pytest.raises(UsageError, match="may not do dynamodb:GetItem"):
        list(rehearser.rehearse_all([failed({"id": "a"}, "1"), failed({"id": "b"}, "2")]))


@pytest.mark.parametrize("unread", ["o", "marker"])
def test_an_item_that_cannot_be_read_now(load: Callable[..., Program], failed: Make, unread: str) -> None:
    """Its message does not pass; the others go on."""
    aws: Any = None
    program = load("write: {mode: update, add: [total], once: orders}")

    def read(table: Any, key: Mapping[str, Any]) -> AwsFault | None:
        found = "o" if key["id"]["S"] == "o" else "marker"
        return AwsFault("retry", "ProvisionedThroughputExceededException", 400) if found == unread else None

    rehearsed = Rehearser(program, "dead", aws, read).rehearse(failed(ITEM))

    assert (rehearsed.passes, rehearsed.outcome and rehearsed.outcome.reason) == (
        False,
        "the stored item cannot be read: ProvisionedThroughputExceededException",
    )


def test_failures(load: Callable[..., Program], failed: Make) -> None:
    """What would be rejected does not pass, and no item is read."""
    items = StoredItems()

    rejected = rehearse(load(), failed({"total": 1}), items)
    unknown = rehearse(load(), failed(ITEM, queue="gone"), items)

    assert (rejected.outcome.kind, rejected.outcome.code, rejected.passes, rejected.overwrites) == (
        "rejected",
        "RT806",
        False,
        False,
    )
    assert (unknown.outcome, unknown.queue, unknown.passes) == (None, "gone", False)
    assert items.read == []


def test_an_applied_update_is_a_duplicate(load: Callable[..., Program], failed: Make) -> None:
    """Its idempotency key has the original message id."""
    program = load("write: {mode: update, add: [total], once: orders}")
    items = StoredItems()
    first = rehearse(program, failed(ITEM), items)
    (marker,) = [key["id"]["S"] for _, key in items.read if key["id"]["S"] != "o"]

    again = rehearse(program, failed(ITEM), StoredItems(o=OLD, **{marker: {"id": {"S": marker}}}))

    assert "original-m" in marker
    assert (first.outcome.kind, again.outcome.kind) == ("written", "duplicate")
