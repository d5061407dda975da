"""Rehearsals: the outcome that a message would have now, and its items beside the stored ones."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from router.errors import UsageError
from router.testing import MemoryQueues, MemoryTables
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.rehearse import Change, Rehearsal, Rehearser
from router.tools.dlq.spool import WrittenItems
from tests.support.aws import Aws, AwsFault
from tests.support.program import Program
from tests.unit.tools.dlq.conftest import Make

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


def rehearse_all(program: Program, messages: Iterable[DlqMessage], items: Any, **settings: Any) -> list[Rehearsal]:
    aws = Aws(MemoryTables.of(program), MemoryQueues())
    with WrittenItems() as written:
        return list(Rehearser(program, "dead", aws, items, written, **settings).rehearse_all(messages))


def rehearse(program: Program, message: DlqMessage, items: Any) -> Any:
    (found,) = rehearse_all(program, [message], items)
    return found


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
    stored = {"id-0": {**OLD, "id": {"S": "id-0"}}}

    def read(table: Any, key: Mapping[str, Any]) -> Stored | None:
        time.sleep(0.1 if key["id"]["S"] == "id-0" else 0)
        return stored.get(key["id"]["S"])

    found = rehearse_all(load(), (failed({"id": f"id-{number}"}, str(number)) for number in range(230)), read)

    assert [(each.message.id, each.overwrites, each.batch) for each in found] == [
        (str(number), number == 0, number // 100 + 1) for number in range(230)
    ]


def test_an_item_that_cannot_be_read_ends_a_rehearsal(load: Callable[..., Program], failed: Make) -> None:
    """With its sentence."""

    def read(table: Any, key: Mapping[str, Any]) -> Stored | None:
        raise UsageError("these credentials may not do dynamodb:GetItem")

    with pytest.raises(UsageError, match="may not do dynamodb:GetItem"):
        rehearse_all(load(), [failed({"id": "a"}, "1"), failed({"id": "b"}, "2")], read)


@pytest.mark.parametrize("unread", ["o", "marker"])
def test_an_item_that_cannot_be_read_now(load: Callable[..., Program], failed: Make, unread: str) -> None:
    """Its message does not pass; the others go on."""
    program = load("write: {mode: update, add: [total], once: orders}")

    def read(table: Any, key: Mapping[str, Any]) -> AwsFault | None:
        found = "o" if key["id"]["S"] == "o" else "marker"
        return AwsFault("retry", "ProvisionedThroughputExceededException", 400) if found == unread else None

    rehearsed = rehearse(program, failed(ITEM), read)

    assert (rehearsed.passes, rehearsed.outcome.code, rehearsed.outcome.reason, rehearsed.changes) == (
        False,
        "RT814",
        "the stored item cannot be read: ProvisionedThroughputExceededException",
        (),
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


NEWEST = "write: {mode: newest, version: v}"
"""Of two messages of one batch, the one with the lesser version is stale, as it is in a delivery."""


@pytest.mark.parametrize(
    ("route", "bodies", "outcomes", "newer"),
    [
        (
            "write: {mode: put}",
            [{"id": "o", "total": 2}, {"id": "o", "total": 3}],
            ["written", "written"],
            [True, False],
        ),
        ("write: {mode: insert}", [{"id": "p"}, {"id": "p"}], ["written", "duplicate"], [False, False]),
        (NEWEST, [{"id": "p", "v": 2}, {"id": "p", "v": 1}], ["written", "stale"], [False, False]),
        (NEWEST, [{"id": "p", "v": 1}, {"id": "p", "v": 2}], ["stale", "written"], [False, False]),
        (NEWEST, [{"id": "p", "v": 1}, {"id": "p", "v": "x"}], ["written", "rejected"], [False, False]),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_messages_that_meet_on_one_item(
    load: Callable[..., Program],
    failed: Make,
    route: str,
    bodies: list[Any],
    outcomes: list[str],
    newer: list[bool],
    batch_size: int,
) -> None:
    """Each finds what the ones before it would have written, in one batch or in two."""
    messages = [failed(body, str(number)) for number, body in enumerate(bodies)]

    found = rehearse_all(load(route), messages, StoredItems(o=OLD), batch_size=batch_size)

    expected = ["written", "written"] if outcomes == ["stale", "written"] and batch_size == 1 else outcomes
    assert [each.outcome and each.outcome.kind for each in found] == expected
    assert [each.overwrites for each in found] == newer


def test_a_message_that_is_to_stay_changes_nothing(load: Callable[..., Program], failed: Make) -> None:
    """The next one finds the item as it is stored."""
    messages = [failed({"id": "o", "total": total}, str(total)) for total in (2, 3)]

    found = rehearse_all(load(), messages, StoredItems(o=OLD), keep_newer=True)

    assert [(each.overwrites, each.batch, each.changes[0].before) for each in found] == [
        (True, 0, {"id": "o", "total": 1})
    ] * 2


def test_what_is_delivered_is_not_newer(load: Callable[..., Program], failed: Make) -> None:
    """The next rehearsal reads it from the table; what was not delivered is forgotten, so that others may have it."""
    items, program = StoredItems(), load()
    aws = Aws(MemoryTables.of(program), MemoryQueues())
    first, second = failed({"id": "o"}, "1"), failed({"id": "p"}, "2")
    later = [failed({"id": id_, "total": 2}, f"later-{id_}") for id_ in "op"]
    with WrittenItems() as written:
        list(Rehearser(program, "dead", aws, items, written).rehearse_all([first, second]))
        written.deliver(["1"])
        written.forget_undelivered()
        items.items = {id_: {"id": {"S": id_}, "total": {"N": "1"}} for id_ in "op"}

        found = list(Rehearser(program, "dead", aws, items, written, keep_newer=True).rehearse_all(later))

    assert [(each.overwrites, each.batch, each.changes[0].before) for each in found] == [
        (False, 1, {"id": "o", "total": 1}),
        (True, 0, {"id": "p", "total": 1}),
    ]


def test_a_group_stays_behind_a_message_that_does_not_pass(load: Callable[..., Program], failed: Make) -> None:
    """Those before it do not, whatever queue they are of; nor does another group."""
    ids = [("a1", "orders"), ("b1", "orders"), ("a2", "gone"), ("a3", "orders"), ("b2", "other"), ("a4", "other")]
    messages = [failed({"id": id_}, id_, {"MessageGroupId": id_[0]}, queue=queue) for id_, queue in ids]

    found = rehearse_all(load(), messages, StoredItems(), ordered=True)

    assert {each.message.id: (each.batch > 0, each.behind) for each in found} == {
        "a1": (True, False),
        "b1": (True, False),
        "a2": (False, False),
        "a3": (False, True),
        "b2": (True, False),
        "a4": (False, True),
    }
