"""The write units that a process may use of a table, in simulated time."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model import WRITTEN, Message, Outcome, Record, Table
from router.runtime.deliver.batches import pack_plain
from router.runtime.deliver.budgets import INCREASE, MIN_RATE, WriteBudget, WriteBudgets
from router.runtime.deliver.time_limits import (
    FixedDeadline,
    SharedWaits,
    StartLimit,
    Usage,
    WaitBudget,
)
from router.runtime.deliver.writer import Writer
from tests.support.aws import AwsFault, Duration, WriteResponse
from tests.support.engine import IdempotencyConfig, PlannedMessage, WriteConfig
from tests.support.modes import MODES

UNITS = 10.0
KEY: Any = (("id", "S"),)
BOUNDED = Table("bounded", KEY, UNITS)
FREE = Table("free", KEY)
KEYS = Table("keys", (("m", "S"),), UNITS)
FREE_KEYS = Table("keys", KEYS.key)


class Clock:
    """Moves when a caller sleeps, and by a hundredth of a second with each call to DynamoDB."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)

    def pass_call(self) -> None:
        self.now += 0.01


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dynamo(dynamo_of: Any, clock: Clock) -> Any:
    dynamo = dynamo_of(bounded=KEY, free=KEY, keys=KEYS.key)
    dynamo.during = clock.pass_call
    return dynamo


def put(id_: str, table: Table = BOUNDED, mode: str = "put", size: int = 1, **shape: Any) -> PlannedMessage:
    """Return a planned message that writes an item of so many kilobytes, less its key."""
    config = WriteConfig("r", table, MODES[mode], **shape)
    item = {"id": id_, "n": 1} if "add" in shape else {"id": id_, "x": "x" * (1024 * size - 20)}
    return PlannedMessage(Record(id_, "h", ""), None, [config.mode.plan(config, item, Message({}, id_), 0)])


def write(dynamo: Any, clock: Clock, messages: Sequence[PlannedMessage], seconds: float = 1e6) -> list[Outcome]:
    """Write messages within so many seconds, and return their outcomes."""
    writer = Writer(dynamo.tables, clock, clock.sleep, jitter=lambda low, high: high)
    limit = StartLimit(FixedDeadline(clock.now + seconds), clock.now, (Duration(),))
    outcomes: dict[PlannedMessage, Outcome] = {}
    for settled in writer.write(messages, limit, WaitBudget(clock, SharedWaits(0.0, 0.0)), atomic=False):
        outcomes |= settled
    return [outcomes[planned] for planned in messages]


def made_at(dynamo: Any, clock: Clock) -> Callable[[], list[float]]:
    """Record the time of each write of the tables with a budget."""
    times: list[float] = []
    apply = dynamo.apply

    def record(effects: Any) -> None:
        times.extend(clock.now for table, _, _ in effects if table != "free")
        apply(effects)

    dynamo.apply = record
    return lambda: times


def most_within(seconds: float, times: Sequence[float]) -> int:
    """Return the largest number of writes within any time of so many seconds."""
    return max(sum(begin <= each < begin + seconds for each in times) for begin in times)


def test_two_tables_of_the_config_that_are_one_in_aws() -> None:
    """The budget of one of them holds, in whatever order their messages come."""
    twin = Table("bounded", KEY)

    assert [pack_plain(each) for each in ([put("a"), put("b", twin)], [put("b", twin), put("a")])] == [None, None]


@pytest.mark.parametrize("mode", ["put", "insert"])
def test_no_more_than_the_units(dynamo: Any, clock: Clock, mode: str) -> None:
    """Over any time, no more is written than the units of that time and one second; nothing is left unwritten."""
    times = made_at(dynamo, clock)

    outcomes = write(dynamo, clock, [put(f"{n}", mode=mode) for n in range(100)])

    found = [most_within(seconds, times()) for seconds in (0.5, 1, 5)]
    assert (outcomes, [each <= UNITS * (seconds + 1) for each, seconds in zip(found, (0.5, 1, 5), strict=True)]) == (
        [WRITTEN] * 100,
        [True] * 3,
    )
    assert 8.5 < clock.now - 100 < 11


def test_secondary_indexes(dynamo: Any, clock: Clock) -> None:
    """What a write consumes is learned: with three units for each of 60 writes, they take three times as long."""
    dynamo.units = 3.0

    outcomes = write(dynamo, clock, [put(f"{n}") for n in range(60)])

    assert (outcomes, 14 < clock.now - 100 < 19) == ([WRITTEN] * 60, True)
    assert len(dynamo.calls[-2][1]) == 3, "a batch has the units of one second"


def test_transactions(dynamo: Any, clock: Clock) -> None:
    """A write with an idempotency key takes two units of each of its tables."""
    once: Any = {"add": frozenset({"n"}), "once": IdempotencyConfig(KEYS, "")}

    outcomes = write(dynamo, clock, [put(f"{n}", mode="update", **once) for n in range(30)])

    assert (outcomes, 4.5 < clock.now - 100 < 8) == ([WRITTEN] * 30, True)


@pytest.mark.parametrize(
    ("mode", "table", "keys", "count"),
    [
        ("put", BOUNDED, None, 10),
        ("insert", BOUNDED, None, 10),
        ("update", BOUNDED, FREE_KEYS, 5),
        ("update", FREE, KEYS, 5),
    ],
)
def test_units_of_a_write(dynamo: Any, clock: Clock, mode: str, table: Table, keys: Table | None, count: int) -> None:
    """Each takes one unit, and in a transaction two, of its table and that of its idempotency key."""
    dynamo.during = lambda: None
    once: Any = {"add": frozenset({"n"}), "once": IdempotencyConfig(keys, "")} if keys else {}
    messages = [put(f"{n}", table, mode, **once) for n in range(20)]
    limit = StartLimit(FixedDeadline(clock.now + 60), clock.now, (Duration(),))

    next(Writer(dynamo.tables, clock, clock.sleep).write(messages, limit, WaitBudget(clock), atomic=False))

    assert len(dynamo.items[table.name]) == count


def test_units_of_a_transaction(clock: Clock) -> None:
    """Each idempotency key takes two units of its table, those of one transaction together."""
    budgets = WriteBudgets(clock)
    once: Any = {"add": frozenset({"n"}), "once": IdempotencyConfig(KEYS, "")}
    writes = [write for id_ in "ab" for write in put(id_, FREE, "update", **once).writes]

    waits = [budgets.reserve(writes, transactional=True).wait for _ in range(3)]

    assert waits == [0.0, 0.0, pytest.approx(2 / UNITS)]


def test_a_large_item(dynamo: Any, clock: Clock) -> None:
    """An item that takes more than a second's units is written, and the next write waits for the difference."""
    times = made_at(dynamo, clock)

    outcomes = write(dynamo, clock, [put("large", size=50), put("small")])

    assert (outcomes, [round(each - 100) for each in times()]) == ([WRITTEN] * 2, [0, 4])


def test_waits_for_units_are_not_counted(dynamo: Any, clock: Clock) -> None:
    """Further receivers would not make a budget larger."""
    writer, waits = Writer(dynamo.tables, clock, clock.sleep), WaitBudget(clock)
    limit = StartLimit(FixedDeadline(clock.now + 60), clock.now, (Duration(),))

    parts = [*writer.write([put(f"{n}") for n in range(30)], limit, waits, atomic=False)]

    assert (len(parts) > 1, waits.waited, waits.taken) == (True, 0.0, 0.0)


def test_other_tables(dynamo: Any, clock: Clock) -> None:
    """The writes of a table without a budget do not wait."""
    messages = [put(f"{n}", table=table) for n in range(50) for table in (BOUNDED, FREE)]
    free: list[float] = []
    dynamo.during = lambda: free.append(clock.now) if dynamo.calls[-1][1][0][0] == "free" else None

    outcomes = write(dynamo, clock, messages)

    assert (outcomes, free) == ([WRITTEN] * 100, [100.0] * 2)


def test_the_deadline(dynamo: Any, clock: Clock) -> None:
    """What the budget does not allow in time is left for the next delivery, with the reason."""
    outcomes = write(dynamo, clock, [put(f"{n}") for n in range(100)], seconds=5)

    reason = "the deadline passed before it was written to table 'bounded', whose write_units are used up"
    left = Outcome("retry", "RT814", reason, "r", cause="throttled")
    assert (set(outcomes), 40 <= outcomes.count(WRITTEN) <= 60, clock.now < 105.1) == ({WRITTEN, left}, True, True)


def test_unstarted_calls_are_given_back() -> None:
    """Units that were reserved for a call that was not made can be used."""
    clock = Clock()
    budget = WriteBudget(UNITS, clock)
    reserved, _ = budget.reserve(UNITS)

    budget.cancel(reserved)

    assert budget.reserve(UNITS) == (UNITS, 0.0)


@pytest.mark.parametrize(
    ("response", "left"),
    [
        (None, 10),
        (WriteResponse(), 6),
        (WriteResponse([{}]), 7),
        (WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400)), 10),
        (WriteResponse(fault=AwsFault("retry", "ReadTimeoutError")), 6),
        (WriteResponse(consumed=6.0), 3),
    ],
    ids=["not made", "written", "a quarter unprocessed", "throttled", "effect unknown", "consumed"],
)
def test_what_a_call_used(response: WriteResponse | None, left: int) -> None:
    """Of four units that were reserved: what DynamoDB says, or what was written as far as that is known."""
    budgets = WriteBudgets(Clock())
    budgets.reserve([put(f"{n}").writes[0] for n in range(4)], transactional=False).settle(response, 4)

    further = [budgets.reserve(put("x").writes, transactional=False).wait for _ in range(12)]

    assert further.count(0.0) == left


class ShortLimit:
    """A limit that passes once it was looked at."""

    def __init__(self) -> None:
        self._moments = [1e9]
        self.usage = Usage()

    @property
    def moment(self) -> float:
        return self._moments.pop() if self._moments else 0.0

    def timeout(self, now: float) -> float:
        return 1.0


def test_calls_that_could_not_start_use_no_units(dynamo: Any, clock: Clock) -> None:
    """Of several calls whose limit passes, each one gives back what was reserved for it."""
    writer = Writer(dynamo.tables, clock, clock.sleep)
    late = [put(f"late {n}", mode="insert") for n in range(5)]
    messages = [put(f"{n}", mode="insert") for n in range(10)]
    unstarted: Any = ShortLimit()

    parts = [*writer.write(late, unstarted, WaitBudget(clock), atomic=False)]
    limit = StartLimit(FixedDeadline(clock.now + 60), clock.now, (Duration(),))
    parts += writer.write(messages, limit, WaitBudget(clock), atomic=False)

    assert ([[*part] for part in parts], len(dynamo.calls)) == ([late, messages], 10)


def test_throttling_lowers_the_rate() -> None:
    """A table that throttles gets less by and by, then more again."""
    clock = Clock()
    budget = WriteBudget(UNITS, clock)

    def waits(share: float, times: int) -> float:
        for _ in range(times):
            clock.now += 0.6
            reserved, _ = budget.reserve(1)
            budget.settle(reserved, 1, 1 - share, share)
        clock.now += 1
        budget.reserve(UNITS)
        return budget.reserve(1)[1]

    lowered = waits(1.0, 50)
    clock.now += (1 - MIN_RATE) / INCREASE + 1
    again = waits(0.0, 20)

    assert (lowered > 0.5, round(again, 2)) == (True, round(1 / UNITS, 2))


@pytest.mark.parametrize(
    "calls",
    [[(1, 0.0, 1.0), *[(1, 1.0, 0.0)] * 9], [(10, 9.0, 0.1)], [(1, 0.0, 0.0)]],
    ids=["every tenth call", "a tenth of each call", "failed conditions"],
)
def test_a_hot_key(calls: list[tuple[int, float, float]]) -> None:
    """A tenth of the writes that is throttled, or a condition that failed, does not lower what others may use."""
    clock = Clock()
    budget = WriteBudget(UNITS, clock)

    most = []
    for estimate, consumed, throttled in calls * 20:
        clock.now += 1
        reserved, _ = budget.reserve(estimate)
        budget.settle(reserved, estimate, consumed, throttled)
        most.append(budget.most)

    assert set(most) == {UNITS}


@given(st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 2), st.floats(0.2, 4)), max_size=60))
def test_any_calls(calls: list[tuple[float, float, float]]) -> None:
    """Over all calls, no more is reserved than the units of the time, one second, and one call."""
    clock = Clock()
    budget = WriteBudget(UNITS, clock)
    used = largest = 0.0

    for estimate, pause, _ in calls:
        clock.now += pause
        reserved, wait = budget.reserve(estimate)
        assert bool(reserved) != bool(wait)
        budget.settle(reserved, estimate, reserved, 0.0)
        used += reserved
        largest = max(largest, reserved)

    assert used <= UNITS * (clock.now - 100 + 1) + largest + 1e-6


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(WriteResponse(consumed=1e308), id="more than any call can consume"),
        pytest.param(WriteResponse(consumed=-1e308), id="less than nothing"),
        pytest.param(WriteResponse(consumed=float("nan")), id="no number"),
        pytest.param(WriteResponse(unprocessed=[{}] * 50, consumed=1.0), id="more is unprocessed than was sent"),
    ],
)
def test_units_that_no_call_consumes(clock: Clock, response: WriteResponse) -> None:
    """They change nothing: the next calls are made, and within the budget."""
    budgets = WriteBudgets(clock)
    writes = put("a").writes
    for _ in range(3):
        budgets.reserve(writes, transactional=False).settle(response, len(writes))

    clock.now += 2
    made = 0
    while not budgets.reserve(writes, transactional=False).wait and made < 100:
        made += 1

    # A table that writes nothing gets a lower rate.
    assert 9 <= made <= UNITS
