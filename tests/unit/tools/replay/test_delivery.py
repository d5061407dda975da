"""Order: what writes one item is written as the source has it, whatever waits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Record
from router.testing import MemoryQueues, MemoryTables
from router.tools.replay.delivery import MAX_TRIES, MOST_BLOCKED, OrderedDelivery
from router.tools.replay.source import SourceMessage
from tests.support.aws import Aws, AwsFault, WriteResponse
from tests.support.dlq import Planner
from tests.support.program import Program, load_program

CONFIG = """
version: 1
plugins: [hooks.py]
queues: {orders: {dead_letter: dead}, others: {dead_letter: dead}}
tables: {orders: {key: {id: S}}, more: {key: {id: S}}, third: {key: {id: S}}}
routes:
  orders: {queue: orders, table: orders}
  more: {queue: orders, table: more, when: more, item: {id: more, total: total}}
  third: {queue: others, table: third, when: third, item: {id: third, total: total}}
  fourth: {queue: others, table: more, when: id, item: {id: id, total: total}}
"""
PLUGIN = """
from pathlib import Path

from router import hookimpl
from router.errors import Retry

asked = []


def note(text):
    with Path(__file__).with_name("seen").open("a") as file:
        file.write(f"{text}\\n")


@hookimpl
def router_transform_message(message, route):
    wanted = message.data.get("retry", 0)
    if asked.count(message.id) < wanted:
        asked.append(message.id)
        raise Retry("later")


@hookimpl
def router_outcome(outcome):
    note(f"{outcome.message_id} {outcome.outcome.kind}")


@hookimpl
def router_batch_done(summary):
    note(dict(summary.counts))
"""


class Replayed:
    """A delivery to tables in memory, of which some calls fail."""

    def __init__(self, folder: Path) -> None:
        (folder / "routes.yaml").write_text(CONFIG, encoding="utf-8")
        (folder / "hooks.py").write_text(PLUGIN, encoding="utf-8")
        self.program: Program = load_program(folder / "routes.yaml", {})
        self.tables = Failing(self.program)
        aws = Aws(self.tables, MemoryQueues())
        self.slept: list[float] = []
        self.checked: list[str] = []
        self.delivery = OrderedDelivery(
            self.program,
            aws,
            Planner(aws),
            self.check,
            self.clock,
            self.slept.append,
            left_out=frozenset(["left-out"]),
        )

    def clock(self) -> float:
        return sum(self.slept)

    def check(self, message: SourceMessage, planned: Any) -> None:
        self.checked.append(message.id)
        if "forbidden" in message.record.body:
            raise UsageError("forbidden")

    def deliver(self, *messages: Mapping[str, Any], queue_name: str = "orders") -> list[list[tuple[int, str]]]:
        """Deliver messages; the parts that are confirmed, each with the places and the kinds of outcomes."""
        queue = self.program.engine.queues[queue_name]
        given = [
            SourceMessage(
                Record(each.get("own_id", f"m{number}"), "", json.dumps(each)),
                None,
                queue=queue,
                place=f"f:{number}",
                has_own_id=False,
            )
            for number, each in enumerate(messages)
        ]
        parts = self.delivery.deliver(queue, given)
        return [[(place, outcome.kind) for place, outcome in part] for part in parts]


class Failing(MemoryTables):
    """Tables in memory; the next writes of some keys fail, and `written` are the totals that were written."""

    def __init__(self, program: Program) -> None:
        super().__init__(dict.fromkeys(("orders", "more", "third"), (("id", "S"),)))
        self.failing: dict[str, list[str]] = {}
        self.written: list[tuple[str, str]] = []

    def batch_write(self, table: str, requests: list[Any], timeout: float = 0, measured: bool = False) -> WriteResponse:
        for request in requests:
            item = request["PutRequest"]["Item"]
            if faults := self.failing.get(f"{table}/{item['id']['S']}"):
                fault = faults.pop(0)
                kind: Any = "retry" if fault == "Busy" else "configuration"
                return WriteResponse(fault=AwsFault(kind, fault))
        self.written += [(table, request["PutRequest"]["Item"]["total"]["N"]) for request in requests]
        return super().batch_write(table, requests, timeout, measured)

    def totals(self, table: str) -> dict[str, int]:
        return {item["id"]: int(item["total"]) for item in self.items(table)}


@pytest.fixture
def replayed(tmp_path: Path) -> Replayed:
    return Replayed(tmp_path)


def test_all_at_once(replayed: Replayed) -> None:
    """Without anything to wait for; of one item the last stays."""
    parts = replayed.deliver({"id": "a", "total": 1}, {"id": "b", "total": 2}, {"id": "a", "total": 3}, {})
    assert parts == [[(0, "written"), (1, "written"), (2, "written"), (3, "rejected")]]
    assert replayed.tables.totals("orders") == {"a": 3, "b": 2}
    assert (replayed.delivery.stopped, replayed.slept) == (None, [])


def test_a_message_that_is_planned_later(replayed: Replayed) -> None:
    """It may write an item of those that follow: they wait, and the last stays."""
    parts = replayed.deliver({"id": "b", "total": 1}, {"id": "a", "total": 2, "retry": 2}, {"id": "a", "total": 3})
    assert parts == [[(0, "written")], [(1, "written"), (2, "written")]]
    assert replayed.tables.totals("orders") == {"a": 3, "b": 1}
    assert replayed.slept == [0.25, 0.5]


def test_one_of_two_items_is_written_later(replayed: Replayed) -> None:
    """The whole message is written again, and what came after it on its other item, too: it would be replaced."""
    first = {"id": "a", "total": 1, "more": "x"}
    replayed.tables.failing = {"more/x": ["Busy"] * 9}

    parts = replayed.deliver(first, {"id": "a", "total": 2}, {"id": "b", "total": 3})

    assert parts[0] == [(2, "written")]
    assert parts[-1] == [(0, "written"), (1, "written")]
    assert replayed.tables.totals("orders") == {"a": 2, "b": 3}
    assert replayed.tables.totals("more") == {"x": 1}


def test_what_a_plugin_never_takes(replayed: Replayed) -> None:
    """What came before it is written, and what writes nothing; it may write the item of any other that follows."""
    parts = replayed.deliver(
        {"id": "b", "total": 1},
        {"id": "a", "total": 2, "retry": 99},
        {"id": "c", "total": 3},
        {},
        {"id": "d", "total": 4, "retry": 99},
    )
    assert parts == [[(0, "written")], [(3, "rejected")]]
    delivery = replayed.delivery
    assert delivery.stopped is None
    assert (delivery.blocked.count, delivery.held) == (2, {"orders", "more"})
    assert [(each.place, each.message_id, each.outcome.reason) for each in delivery.blocked.first] == [
        ("f:1", "m1", "later"),
        ("f:4", "m4", "later"),
    ]
    assert len(replayed.slept) == MAX_TRIES - 1
    assert replayed.slept[-1] == 15.0
    assert replayed.tables.totals("orders") == {"b": 1}


def test_what_cannot_follow_a_blocked_message(replayed: Replayed) -> None:
    """Of another queue: what writes other tables is written, until one waits that may write those, too."""
    replayed.deliver({"id": "a", "total": 1, "retry": 99})
    parts = replayed.deliver(
        {"third": "x", "total": 2},
        {"id": "a", "total": 3},
        {"third": "y", "total": 4},
        {"other": "no route"},
        queue_name="others",
    )
    assert parts == [[(0, "written"), (3, "rejected")]]
    assert (replayed.tables.totals("third"), replayed.tables.totals("more")) == ({"x": 2}, {})
    assert replayed.delivery.held == {"orders", "more", "third"}
    assert replayed.delivery.blocked.count == 1


def test_a_message_that_is_left_out(replayed: Replayed) -> None:
    """It is rejected at once, if it cannot be planned; what follows is written."""
    parts = replayed.deliver(
        {"own_id": "left-out", "id": "a", "total": 1, "retry": 1},
        {"id": "a", "total": 2},
        {"own_id": "left-out", "id": "b", "total": 3},
    )
    assert parts == [[(0, "rejected"), (1, "written"), (2, "written")]]
    assert (replayed.slept, replayed.tables.totals("orders")) == ([], {"a": 2, "b": 3})


def test_an_outage_stops(replayed: Replayed) -> None:
    """All that follows would meet it; so may what a plugin fails on, which is not blamed for it."""
    replayed.tables.failing = {"orders/b": ["Busy"] * 999}
    parts = replayed.deliver({"id": "b", "total": 1}, {"id": "a", "total": 2, "retry": 99}, {"id": "c", "total": 3})
    assert parts == []
    stopped = replayed.delivery.stopped
    assert stopped
    assert (stopped.place, stopped.message_id, stopped.outcome.code) == ("f:0", "m0", "RT814")
    assert (replayed.delivery.blocked.count, replayed.delivery.held) == (0, set())


def test_many_blocked_messages(replayed: Replayed) -> None:
    """The first of them are kept."""
    replayed.deliver(*[{"id": "a", "total": 1, "retry": 99}] * (MOST_BLOCKED + 1))
    assert replayed.delivery.blocked.count == MOST_BLOCKED + 1
    assert len(replayed.delivery.blocked.first) == MOST_BLOCKED


def test_a_configuration_error_stops(replayed: Replayed) -> None:
    """At once: no message is at fault."""
    replayed.tables.failing = {"orders/a": ["AccessDeniedException"]}
    assert replayed.deliver({"id": "a", "total": 1}) == []
    assert replayed.delivery.stopped
    assert replayed.delivery.stopped.outcome.configuration_error
    assert replayed.slept == []


def test_what_may_not_be_written(replayed: Replayed) -> None:
    """Nothing that is planned with it is written."""
    with pytest.raises(UsageError, match="forbidden"):
        replayed.deliver({"id": "a", "total": 1}, {"id": "b", "total": 2, "forbidden": True})
    assert replayed.tables.totals("orders") == {}


def test_items_that_are_large_together(replayed: Replayed, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not all planned before the first is written."""
    monkeypatch.setattr("router.tools.replay.delivery._MOST_BYTES", 0)
    parts = replayed.deliver({"id": "a", "total": 1}, {"id": "b", "total": 2})
    assert parts == [[(0, "written")], [(1, "written")]]


def test_observers(replayed: Replayed, tmp_path: Path) -> None:
    """They see each message once, for good."""
    replayed.deliver({"id": "a", "total": 1}, {"id": "b", "total": 1, "retry": 1}, {})
    seen = (tmp_path / "seen").read_text().splitlines()
    assert seen == ["m0 written", "{'written': 1}", "m1 written", "m2 rejected", "{'written': 1, 'rejected': 1}"]
