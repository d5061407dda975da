"""Writing: the waits between tries, and when a write is given up."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from router.model import Outcome, Record, Table
from router.runtime.deliver.time_limits import SharedWaits, Usage, WaitBudget
from router.runtime.deliver.writer import BACKOFF_CAP, Writer
from tests.support.aws import AwsFault, WriteResponse
from tests.support.engine import PlannedMessage, Write
from tests.support.modes import MODES

THINGS = Table("things", (("id", "S"),))
THROTTLED = WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400))
Settled = dict[PlannedMessage, Outcome]


class Written:
    """What became of messages, and how long the writer waited for them."""

    def __init__(self, settled: Settled, waits: WaitBudget) -> None:
        self.waits = waits
        self._settled = settled

    def kinds(self, messages: list[PlannedMessage]) -> list[str]:
        return [self._settled[planned].kind for planned in messages]

    def codes(self, messages: list[PlannedMessage]) -> list[str]:
        return [self._settled[planned].code for planned in messages]


def write(tables: Any, time_: Any, messages: list[PlannedMessage], until: float = 1e9, waits: float = 1e9) -> Written:
    """Write messages until a moment, with so many seconds for waits, each of which has its upper bound."""
    limit: Any = SimpleNamespace(moment=until, timeout=lambda now: until - now, usage=Usage())
    writer, budget = (
        Writer(tables, time_, time_.sleep, jitter=lambda low, high: high),
        WaitBudget(time_, SharedWaits(waits, waits)),
    )
    settled: Settled = {}
    for part in writer.write(messages, limit, budget, atomic=False):
        settled |= part
    return Written(settled, budget)


@pytest.fixture
def item(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[PlannedMessage]]:
    """The messages of an item whose writes are puts, made one after the other."""
    # Only so does BatchWriteItem carry writes of one item that are not combined.
    monkeypatch.setattr("router.runtime.deliver.item_writes._can_combine", lambda write, later: False)
    monkeypatch.setattr("router.runtime.deliver.writer.pack_plain", lambda messages: None)

    def make(*ids: str) -> list[PlannedMessage]:
        writes = [Write("r", THINGS, MODES["put"], ("things", ids[0]), {"id": {"S": id_}}, 3) for id_ in ids]
        return [PlannedMessage(Record(write.item["id"]["S"], "h", "{}"), writes=[write]) for write in writes]

    return make


def test_waits_double(tables: Any, time_: Any, item: Any) -> None:
    """Each wait may be twice as long as the one before, up to a bound."""
    tables.answers.extend([THROTTLED] * 8)
    messages = item("a")

    written = write(tables, time_, messages)

    waits = [round(seconds, 6) for seconds in time_.slept]
    assert (written.kinds(messages), waits, len(tables.calls)) == (
        ["retry"],
        [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, BACKOFF_CAP],
        8,
    )


def test_wait_ends_at_the_deadline(tables: Any, time_: Any, item: Any) -> None:
    """No wait is longer than until the limit; then open writes are given up."""
    tables.answers.extend([THROTTLED] * 8)
    messages = item("a", "b")

    written = write(tables, time_, messages, until=100.25)

    assert (written.kinds(messages), tables.calls, round(time_.now, 6)) == (["retry", "retry"], [["a"], ["a"]], 100.25)


def test_items_wait_by_themselves(tables: Any, time_: Any, item: Any) -> None:
    """An item that waits does not hold up another one."""
    tables.answers.append(WriteResponse([{"PutRequest": {"Item": {"id": {"S": "a1"}}}}]))
    messages = [*item("a1", "a2"), *item("b1", "b2")]

    written = write(tables, time_, messages)

    assert (written.kinds(messages), tables.calls) == (
        ["written"] * 4,
        [["a1", "b1"], ["b2"], ["a1"], ["a2"]],
    )


def test_tries_of_each_write(tables: Any, time_: Any, item: Any) -> None:
    """Each write of an item has all of the tries."""
    tables.answers.extend([*[THROTTLED] * 7, WriteResponse(), *[THROTTLED] * 7, WriteResponse()])
    messages = item("a", "b")

    written = write(tables, time_, messages)

    assert (written.kinds(messages), len(tables.calls)) == (["written", "written"], 16)


def unprocessed(*ids: str) -> WriteResponse:
    """The response to a batch of which some items are left."""
    return WriteResponse([{"PutRequest": {"Item": {"id": {"S": id_}}}} for id_ in ids])


@pytest.mark.parametrize(
    ("count", "responses", "outcomes", "slept"),
    [
        # One of ten, as of a hot key: after the waits that the budget has time for, it is left.
        (10, [unprocessed("0")] * 4, ["retry"] + ["written"] * 9, [0.1]),
        # A try without effect, as of a table that takes nothing.
        (2, [unprocessed("0", "1")] * 4, ["retry"] * 2, [0.1]),
        # A table at its capacity, which takes some of each try.
        (4, [unprocessed("0", "1", "2"), unprocessed("0", "1"), unprocessed("0")], ["written"] * 4, [0.1, 0.2, 0.4]),
    ],
)
def test_waits_are_limited(
    tables: Any,
    time_: Any,
    item: Any,
    count: int,
    responses: list[WriteResponse],
    outcomes: list[str],
    slept: list[float],
) -> None:
    """A batch waits for as long as a table takes more; for few writes, and for a try without effect, not for long."""
    tables.answers.extend(responses)
    messages = [planned for number in range(count) for planned in item(str(number))]

    written = write(tables, time_, messages, waits=0.25)

    assert written.kinds(messages) == outcomes
    assert time_.slept == pytest.approx(slept)


def test_waits_are_counted(tables: Any, time_: Any, item: Any) -> None:
    """All of them, and those that were taken from the budget; a write at once after a retry takes nothing of it."""
    tables.answers.extend([unprocessed("0", "1", "2"), *[THROTTLED] * 2])
    messages = item("0", "x")
    for number in range(1, 4):
        messages += item(str(number))

    waits = write(tables, time_, messages).waits

    assert [*time_.slept, waits.waited, waits.taken] == pytest.approx([0.1, 0.2, 0.4, 0.7, 0.6])


def test_configuration_error_ends_the_item(tables: Any, time_: Any, item: Any) -> None:
    """After a configuration error the later writes of the item are not sent."""
    tables.answers.append(WriteResponse(fault=AwsFault("configuration", "AccessDeniedException", 400)))
    messages = item("a", "b")

    written = write(tables, time_, messages)

    assert (written.codes(messages), tables.calls) == (["RT816"] * 2, [["a"]])


def test_no_call_after_the_limit(tables: Any, time_: Any, item: Any) -> None:
    """A call that would start after the limit is not made, even if others were sent together with it."""
    time_.step = 1
    messages = item("a")

    written = write(tables, time_, messages, until=101.5)

    assert (written.kinds(messages), tables.calls) == (["retry"], [])


def test_the_call_of_a_retry_is_a_part_of_its_wait(tables: Any, time_: Any, item: Any) -> None:
    """Of a second for waits, two retries whose calls take half a second leave nothing."""
    tables.answers.extend([THROTTLED] * 8)
    send = tables.batch_write

    def slow(*given: Any) -> Any:
        time_.now += 0.5
        return send(*given)

    tables.batch_write = slow
    messages = item("a")

    written = write(tables, time_, messages, waits=1.0)

    waits = [round(seconds, 6) for seconds in time_.slept]
    assert (written.kinds(messages), waits, len(tables.calls)) == (["retry"], [0.1, 0.2], 3)
