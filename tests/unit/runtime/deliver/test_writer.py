"""The writer, against a DynamoDB in memory through the router's own client of it."""

import socket
from collections import Counter
from select import POLLIN
from threading import Barrier, BrokenBarrierError
from types import SimpleNamespace
from typing import Any

import pytest

from router.model import WRITTEN, Message, Outcome, Record, Table
from router.runtime.deliver.time_limits import SharedWaits, Usage, WaitBudget
from router.runtime.deliver.writer import BACKOFF_CAP, KEY_SECONDS, MAX_TRIES, Writer
from tests.support.aws import CONCURRENT_CALLS, WriteResponse
from tests.support.engine import IdempotencyConfig, PlannedMessage, WriteConfig
from tests.support.modes import MODES

THINGS = Table("things", (("id", "S"),))
OTHERS = Table("others", (("id", "S"),))
MARKERS = Table("markers", (("m", "S"),))
CONFIGURATION_ERROR = "table 'things': AccessDeniedException"
THROTTLED = "ProvisionedThroughputExceededException"


class Clock:
    """Moves when a caller sleeps, and by a tick with each reading."""

    def __init__(self, tick: Any = 0.0) -> None:
        self.now = 0.0
        self.tick = tick
        self.slept: list[float] = []

    def __call__(self) -> Any:
        self.now += self.tick
        return self.now

    def sleep(self, seconds: Any) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def dynamo(dynamo_of: Any) -> Any:
    return dynamo_of(things=THINGS.key, others=OTHERS.key, markers=MARKERS.key)


@pytest.fixture
def clock() -> Any:
    return Clock()


@pytest.fixture
def write(dynamo: Any, clock: Any) -> Any:
    """Writes messages, and returns their outcomes."""

    def run(*messages: Any, atomic: Any = False, until: float = 3600.0, jitter: Any = None) -> Any:
        writer = Writer(dynamo.tables, clock, clock.sleep, **({"jitter": jitter} if jitter else {}))
        return finish(writer, messages, until, atomic=atomic)

    return run


def finish(writer: Writer, messages: Any, until: float, *, atomic: bool = False) -> list[Outcome]:
    """Write messages, with enough time to wait for retries; no call starts from a moment on; return the outcomes."""
    limit: Any = SimpleNamespace(moment=until, timeout=lambda now: until - now, usage=Usage())
    outcomes: dict[PlannedMessage, Outcome] = {}
    for settled in writer.write(messages, limit, WaitBudget(shared=SharedWaits(1e9, 1e9)), atomic=atomic):
        assert outcomes.keys().isdisjoint(settled)
        outcomes |= settled
    return [outcomes[planned] for planned in messages]


def one(id_: Any, mode: Any = "put", table: Any = THINGS, message: Any = "m", shape: Any = None, **item: Any) -> Any:
    """A planned message of one write; settings of it are in `shape`."""
    return PlannedMessage(Record(message, "h", ""), None, [write_to(id_, mode, table, message, shape, **item)])


def write_to(
    id_: Any, mode: Any = "put", table: Any = THINGS, message: Any = "m", shape: Any = None, **item: Any
) -> Any:
    """The write of an item."""
    config = WriteConfig("r", table, MODES[mode], **(shape or {}))
    return config.mode.plan(config, {"id": id_, **item}, Message({}, message), 0)


def newest(id_: Any, version: Any, **item: Any) -> Any:
    """A planned message of mode `newest`."""
    return one(id_, "newest", shape={"version": "v"}, v=version, **item)


def add(id_: Any, number: Any, message: Any = "m", **shape: Any) -> Any:
    """A planned message of an update that adds, once."""
    once = {"add": frozenset({"n"}), "once": IdempotencyConfig(MARKERS, ""), **shape}
    return one(id_, "update", message=message, shape=once, n=number)


def fails(*faults: Any) -> Any:
    """Calls fail with these faults, one after another; then they succeed."""
    left = list(faults)
    return lambda operation: left.pop(0) if left else None


def retry(reason: Any) -> Any:
    return Outcome(
        "retry", "RT814", f"table 'things' did not accept the write in time: {reason}", "r", cause="throttled"
    )


def passed(cause: str) -> Any:
    reason = "the deadline passed before it was written to table 'things'"
    return Outcome("retry", "RT814", reason, "r", cause=cause)


def configuration_error(reason: Any) -> Any:
    return Outcome("retry", "RT816", reason, "r", configuration_error=True)


def refused(table: Any = "things", code: Any = "ValidationException") -> Any:
    return Outcome("rejected", "RT815", f"table '{table}' refused the item: {code}", "r")


def found(kind: Any, *, conflict: Any = False) -> Any:
    code, reason = {
        "duplicate": ("RT820", "table 'things' has the item already"),
        "stale": ("RT821", "table 'things' has the item with an equal or greater 'v'"),
    }[kind]
    return Outcome(kind, code, reason + ", with other content" * conflict, "r", conflict=conflict)


def operations(dynamo: Any) -> Any:
    return [operation for operation, _ in dynamo.calls]


def test_puts_of_a_table_are_one_call(write: Any, dynamo: Any) -> None:
    """Each other table, and each conditional write, is a call of its own."""
    messages = [one("a"), one("b"), one("c", table=OTHERS), one("d", "insert"), add("e", 1)]

    outcomes = write(*messages)

    assert (outcomes, sorted(operations(dynamo))) == (
        [WRITTEN] * 5,
        ["BatchWriteItem", "BatchWriteItem", "Put", "TransactWriteItems"],
    )


def test_only_unprocessed_items_are_sent_again(write: Any, dynamo: Any, clock: Any) -> None:
    """Only these are sent again."""
    dynamo.fault = fails("unprocessed", "unprocessed")

    outcomes = write(*(one(id_) for id_ in "abcd"))

    assert (outcomes, [len(keys) for _, keys in dynamo.calls], len(clock.slept)) == ([WRITTEN] * 4, [4, 2, 1], 2)


def test_an_item_that_is_never_processed(write: Any, dynamo: Any) -> None:
    """It is left for the next delivery, with the reason."""
    dynamo.fault = lambda operation: "unprocessed"

    outcomes = write(one("a"), one("b"))

    assert outcomes == [retry("the table was throttled"), WRITTEN]


class NonBlocking:
    """Tables that answer each call when it begins; it can also be asked for the response later."""

    def __init__(self, tables: Any) -> None:
        self.key_schema = tables.key_schema
        self._tables = tables

    def begin_batch_write(self, table: str, requests: Any, timeout: float, measured: bool) -> Any:
        return self._pending(self._tables.batch_write(table, requests, timeout))

    def begin_actions(self, actions: Any, timeout: float, measured: bool) -> Any:
        (operation, parameters), *others = actions
        tables = self._tables
        return self._pending(
            tables.transact(actions, timeout) if others else tables.write(operation, parameters, timeout)
        )

    def _pending(self, response: Any) -> Any:
        return SimpleNamespace(seconds=1.0, fileno=lambda: -1, finish=lambda: response)


def test_calls_that_do_not_block(dynamo: Any, clock: Any) -> None:
    """Each kind of write begins by its own call, if the tables can begin calls."""
    messages = [one("a"), one("b"), one("d", "insert"), add("e", 1)]
    tables: Any = NonBlocking(dynamo.tables)

    outcomes = finish(Writer(tables, clock, clock.sleep), messages, 3600.0)

    assert (outcomes, sorted(operations(dynamo))) == (
        [WRITTEN] * 4,
        ["BatchWriteItem", "Put", "TransactWriteItems"],
    )


class Recorded:
    """Tables whose calls are recorded: the operation, whether it blocks, its time-out, and whether it is measured."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, bool]] = []

    def key_schema(self, table: str, timeout: float) -> Any:
        return THINGS.key

    def batch_write(self, table: str, requests: Any, timeout: float, measured: bool) -> WriteResponse:
        self.calls.append((f"batch of {table}", timeout, measured))
        return WriteResponse()

    def write(self, operation: str, parameters: Any, timeout: float, measured: bool) -> WriteResponse:
        self.calls.append((operation, timeout, measured))
        return WriteResponse()

    def transact(self, actions: Any, timeout: float, measured: bool) -> WriteResponse:
        self.calls.append((f"{len(actions)} actions", timeout, measured))
        return WriteResponse()


class Held:
    """A call whose response is always late."""

    seconds = 0.0
    events = POLLIN

    def __init__(self, response: WriteResponse, under_way: list["Held"]) -> None:
        self._response = response
        self._ends = socket.socketpair()
        self._under_way = under_way
        under_way.append(self)

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def finish(self, late: bool = False) -> WriteResponse:
        self._under_way.remove(self)
        for end in self._ends:
            end.close()
        return self._response


class RecordedNonBlocking:
    """Such tables that begin calls; `most` is the largest number of those that were under way."""

    def __init__(self) -> None:
        self._blocking = Recorded()
        self.calls = self._blocking.calls
        self.key_schema = self._blocking.key_schema
        self.most = 0
        self._under_way: list[Held] = []

    def begin_batch_write(self, table: str, requests: Any, timeout: float, measured: bool) -> Held:
        return self._hold(self._blocking.batch_write(table, requests, timeout, measured))

    def begin_actions(self, actions: Any, timeout: float, measured: bool) -> Held:
        (operation, parameters), *others = actions
        return self._hold(
            self._blocking.transact(actions, timeout, measured)
            if others
            else self._blocking.write(operation, parameters, timeout, measured)
        )

    def _hold(self, response: WriteResponse) -> Held:
        held = Held(response, self._under_way)
        self.most = max(self.most, len(self._under_way))
        return held


@pytest.mark.parametrize("units", [0.0, 1.0])
@pytest.mark.parametrize("kind", [Recorded, RecordedNonBlocking])
@pytest.mark.parametrize(("mode", "name"), [("put", "batch of things"), ("insert", "Put"), ("update", "2 actions")])
def test_each_call_has_the_time_that_is_left(clock: Any, kind: Any, mode: str, name: str, units: float) -> None:
    """And the units that it consumes are requested, if its table has a budget of them."""
    tables, table = kind(), Table("things", THINGS.key, units)
    once = {"add": frozenset({"n"}), "once": IdempotencyConfig(MARKERS, "")} if mode == "update" else {}

    finish(Writer(tables, clock, clock.sleep), [one("a", mode, table, shape=once, n=1)], 3600.0)

    assert tables.calls == [(name, 3600.0, units > 0)]


@pytest.mark.parametrize("most", [2, CONCURRENT_CALLS + 4])
def test_most_calls(clock: Any, most: int) -> None:
    """As many calls are under way at a time as the writer may have."""
    tables: Any = RecordedNonBlocking()
    messages = [one(str(number), "insert") for number in range(20)]

    finish(Writer(tables, clock, clock.sleep, most_calls=most), messages, 3600.0)

    assert (len(tables.calls), tables.most) == (20, most)


def test_bad_items_do_not_make_good_ones_fail(write: Any, dynamo: Any) -> None:
    """A refused batch is split until each bad item is alone; that uses up no try of the good ones."""
    messages = [one(f"{number:02}", **({"index": 1} if number in (3, 4, 11, 24) else {})) for number in range(25)]

    outcomes = write(*messages)

    assert Counter(outcomes) == {WRITTEN: 21, refused(): 4}
    assert len(dynamo.items["things"]) == 21


def test_each_write_has_tries_of_its_own(write: Any, dynamo: Any) -> None:
    """A write that never succeeds has its own tries; the others need one each."""

    def fault(operation: Any) -> Any:
        return THROTTLED if operation == "Put" else None

    dynamo.fault = fault

    outcomes = write(one("a"), one("b", "insert"), add("c", 1), one("d"))

    assert outcomes == [WRITTEN, retry(THROTTLED), WRITTEN, WRITTEN]
    assert Counter(operations(dynamo)) == {"Put": MAX_TRIES, "BatchWriteItem": 1, "TransactWriteItems": 1}


def test_writes_that_fail_together_count_their_own_tries(write: Any, dynamo: Any) -> None:
    """A write that joins a batch late is tried as often as any other."""
    dynamo.fault = lambda operation: THROTTLED if operation == "BatchWriteItem" else None

    # The put of "a" comes when its insert is through; by then the put of "b" has failed once.
    outcomes = write(one("a", "insert"), one("a", x=1), one("b"), jitter=lambda low, high: 0.0)

    tries = Counter(key for operation, keys in dynamo.calls if operation == "BatchWriteItem" for _, key in keys)
    assert (set(outcomes[1:]), set(tries.values())) == ({retry(THROTTLED)}, {MAX_TRIES})


def test_waits_grow_and_have_a_bound(write: Any, dynamo: Any, clock: Any) -> None:
    """Each wait is random up to a bound that doubles."""
    dynamo.fault = lambda operation: THROTTLED

    write(one("a"))

    bounds = [min(BACKOFF_CAP, 0.1 * 2**tries) for tries in range(MAX_TRIES - 1)]
    assert len(clock.slept) == len(bounds)
    assert all(0 <= slept <= bound for slept, bound in zip(clock.slept, bounds, strict=True))


def test_a_throttled_item_does_not_hold_up_others(write: Any, dynamo: Any, clock: Any) -> None:
    """An item that is ready is sent while another waits."""
    dynamo.fault = lambda operation: THROTTLED if operation == "BatchWriteItem" and clock.now == 0 else None

    write(one("a"), one("b", "insert"), one("b", "update", x=1))

    assert operations(dynamo)[-1] == "BatchWriteItem"
    assert dynamo.items["things"]["b"]["x"] == {"N": "1"}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [(THROTTLED, retry(THROTTLED)), ("AccessDeniedException", configuration_error(CONFIGURATION_ERROR))],
)
def test_nothing_overtakes_a_write_that_is_not_made(write: Any, dynamo: Any, fault: Any, outcome: Any) -> None:
    """Later writes of the item are not made either; other items go on."""
    dynamo.fault = lambda operation: fault if operation == "Update" else None

    outcomes = write(one("a"), one("a", "update", x=1), one("a", x=2), one("a", "insert"), one("b"))

    assert outcomes == [WRITTEN, outcome, outcome, outcome, WRITTEN]
    assert dynamo.items["things"] == {"a": {"id": {"S": "a"}}, "b": {"id": {"S": "b"}}}


def test_a_rejected_write_does_not_hold_up_its_item(write: Any, dynamo: Any) -> None:
    """The rejected write will never be made."""
    outcomes = write(one("a", "insert", index=1), one("a", "update", x=2))

    assert (outcomes, dynamo.items["things"]["a"]) == ([refused(), WRITTEN], {"id": {"S": "a"}, "x": {"N": "2"}})


def test_writes_of_one_item_are_made_in_order(write: Any, dynamo: Any) -> None:
    """Adjacent puts are combined, an update is a barrier."""
    messages = [one("a", x=1), one("a", x=2), one("a", "update", y=1), one("a", "update", y=2), one("a", x=3)]

    outcomes = write(*messages, one("a", "delete"), one("a", "insert", z=1))

    assert outcomes == [WRITTEN] * 7
    assert operations(dynamo) == ["BatchWriteItem", "Update", "Update", "BatchWriteItem", "Put"]
    assert dynamo.items["things"]["a"] == {"id": {"S": "a"}, "z": {"N": "1"}}


def test_a_put_that_is_refused_gives_way_to_the_one_before(write: Any, dynamo: Any) -> None:
    """The earlier put is sent, which the refused one would have replaced."""
    outcomes = write(one("a", x=1), one("a", index=1))

    assert (outcomes, dynamo.items["things"]["a"]["x"]) == ([WRITTEN, refused()], {"N": "1"})


def test_the_greatest_version_goes_first(write: Any, dynamo: Any) -> None:
    """Lesser ones are stale without a call."""
    outcomes = write(newest("a", 1), newest("a", 3), newest("a", 2))

    stale = Outcome("stale", "RT821", "a greater 'v' for table 'things' came in the same batch", "r")
    assert (outcomes, operations(dynamo)) == ([stale, WRITTEN, stale], ["Put"])


@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        (newest("a", 2, x=1), found("duplicate")),
        (newest("a", 2, x=2), found("stale", conflict=True)),
        (newest("a", 1, x=1), found("stale")),
        (
            newest("a", "2"),
            Outcome("rejected", "RT804", "table 'things' has the item with a 'v' of type N, the message's is S", "r"),
        ),
        (newest("a", 3), WRITTEN),
        (one("a", "insert", v=2, x=1), found("duplicate")),
        (one("a", "insert", v=2, x=2), found("duplicate", conflict=True)),
        (one("a", "delete", shape={"version": "v"}, v=2), found("stale", conflict=True)),
        (one("a", "delete", shape={"version": "v"}, v=3), WRITTEN),
        (one("a", "update", shape={"version": "v"}, v=2, x=1), found("duplicate")),
        (one("a", "update", shape={"version": "v"}, v=2, x=5), found("stale", conflict=True)),
        (one("a", "update", shape={"version": "v"}, v=3, y=5), WRITTEN),
    ],
)
def test_the_stored_item_decides_about_a_failed_condition(write: Any, second: Any, outcome: Any) -> None:
    """An item with the same content is a duplicate, one with other content a conflict."""
    write(newest("a", 2, x=1))

    assert write(PlannedMessage(second.record, None, second.writes)) == [outcome]


def test_equal_versions_of_a_batch_are_distinguished(write: Any) -> None:
    """The first received is stored; the same again is a duplicate, another a conflict."""
    outcomes = write(newest("a", 1, x=1), newest("a", 1, x=1), newest("a", 1, x=2))

    assert outcomes == [WRITTEN, found("duplicate"), found("stale", conflict=True)]


def test_an_item_without_a_version_gives_way(write: Any, dynamo: Any) -> None:
    """A stored item without a version counts as older."""
    write(one("a", x=1))

    assert (write(newest("a", 0)), dynamo.items["things"]["a"]["v"]) == ([WRITTEN], {"N": "0"})


def test_an_update_of_the_key_alone_changes_nothing(write: Any, dynamo: Any) -> None:
    """By itself, with an idempotency key, and in a transaction: the stored item stays, and none is created."""
    write(one("b", x=1))
    both = PlannedMessage(Record("m", "h", ""), None, [write_to("b", "update"), write_to("d", "update")])

    outcomes = write(
        one("a", "update"), one("b", "update"), one("c", "update", shape={"once": IdempotencyConfig(MARKERS, "")})
    )

    assert outcomes + write(both, atomic=True) == [WRITTEN] * 4
    assert dynamo.items["things"] == {"b": {"id": {"S": "b"}, "x": {"N": "1"}}}


@pytest.mark.parametrize("fault", ["lost", THROTTLED, "TransactionConflictException", None])
def test_an_update_is_applied_once(write: Any, dynamo: Any, fault: Any) -> None:
    """Also if the response to the first try is lost, and if the message is received again."""
    dynamo.fault = fails(fault)

    outcomes = write(add("a", 5, "m1")) + write(add("a", 5, "m1")) + write(add("a", 5, "m2"))

    again = Outcome("duplicate", "RT820", "the update was already applied to table 'things'", "r")
    assert outcomes == [again if fault == "lost" else WRITTEN, again, WRITTEN]
    assert dynamo.items["things"]["a"]["n"] == {"N": "10"}


@pytest.mark.parametrize(
    ("planned", "outcome"),
    [
        (one("a"), WRITTEN),
        (one("a", "insert"), found("duplicate")),
        (newest("a", 1), found("duplicate")),
        (one("a", "update", shape={"version": "v"}, v=1, n=1), found("duplicate")),
        (one("a", "delete", shape={"version": "v"}, v=1), WRITTEN),
    ],
)
def test_a_lost_answer_is_no_lost_write(write: Any, dynamo: Any, planned: Any, outcome: Any) -> None:
    """The retry finds the same item stored."""
    dynamo.fault = fails("lost")

    assert write(planned) == [outcome]


def test_a_message_that_writes_an_item_twice_ends_once(write: Any, dynamo: Any) -> None:
    """By two routes; the last is stored."""
    twice = PlannedMessage(Record("m", "h", ""), None, [write_to("a", x=1), write_to("a", x=2)])

    assert (write(twice), len(dynamo.calls)) == ([WRITTEN], 1)
    assert dynamo.items["things"]["a"]["x"] == {"N": "2"}


def test_the_worst_write_decides_about_a_message(write: Any) -> None:
    """The message is written, though one of its writes is a duplicate."""
    write(one("a", "insert"))
    both = PlannedMessage(Record("m", "h", ""), None, [write_to("a", "insert"), write_to("b", "insert")])

    assert write(both) == [WRITTEN]


def test_a_transaction_is_made_whole_or_not_at_all(write: Any, dynamo: Any) -> None:
    """A failed condition writes nothing, and decides the outcome."""
    write(one("a", "insert"))
    messages = [
        PlannedMessage(Record(f"m{number}", "h", ""), None, [write_to(f"x{number}"), write_to(id_, "insert")])
        for number, id_ in enumerate("ba")
    ]

    assert write(*messages, atomic=True) == [WRITTEN, found("duplicate")]
    assert sorted(dynamo.items["things"]) == ["a", "b", "x0"]


def test_no_transaction_overtakes_one_that_is_not_made(write: Any, dynamo: Any) -> None:
    """Not even if it could be made by itself."""
    dynamo.fault = lambda operation: THROTTLED if operation == "TransactWriteItems" else None
    first = PlannedMessage(Record("m1", "h", ""), None, [write_to("a", x=1), write_to("b")])

    outcomes = write(first, one("a", x=2), one("c"), atomic=True)

    early = Outcome("retry", "RT819", "an earlier write of one of its items is still to be made", "r")
    assert (outcomes, list(dynamo.items["things"])) == ([retry(THROTTLED), early, WRITTEN], ["c"])


def test_time_is_up(write: Any, dynamo: Any) -> None:
    """No call is made, and each message stays on its queue."""
    late = passed("deadline")

    assert (write(one("a"), one("b", "insert"), until=0.0), dynamo.calls) == ([late, late], [])


def test_no_wait_is_longer_than_the_time_there_is(write: Any, dynamo: Any, clock: Any) -> None:
    """A message that is left stays on its queue."""
    dynamo.fault = lambda operation: THROTTLED

    outcomes = write(one("a"), until=0.05)

    assert (outcomes, clock.now) == (
        [passed("throttled")],
        0.05,
    )


def test_no_wait_is_longer_than_the_limit_after_it_moved(dynamo: Any, clock: Any) -> None:
    """The deadline of a worker that stops moves nearer while what is settled is acknowledged."""
    dynamo.fault = fails("unprocessed")
    writer = Writer(dynamo.tables, clock, clock.sleep, jitter=lambda low, high: high)
    limit: Any = SimpleNamespace(moment=3600.0, timeout=lambda now: 60.0, usage=Usage())

    for _ in writer.write([one("a"), one("b")], limit, WaitBudget(shared=SharedWaits(1e9, 1e9)), atomic=False):
        limit.moment = 0.02

    assert clock.slept == [0.02]


def test_a_message_that_is_not_settled(dynamo: Any, clock: Any) -> None:
    """It is a fault of the program, and no message of the call is acknowledged."""
    messages = [one("a"), PlannedMessage(Record("m", "h", "")), one("b")]

    with pytest.raises(AssertionError, match="a write was not settled"):
        finish(Writer(dynamo.tables, clock, clock.sleep), messages, 3600.0)


def test_what_a_refused_batch_leaves_is_not_sent_too_late(dynamo: Any) -> None:
    """The limit may be between a batch and its halves."""
    clock = Clock(tick=1.0)
    messages = [one("a"), one("b", index=1)]

    outcomes = finish(Writer(dynamo.tables, clock, clock.sleep), messages, 2.5)

    assert outcomes == [passed("deadline")] * 2
    assert len(dynamo.calls) == 1


@pytest.mark.parametrize(
    ("planned", "names"),
    [
        (one("a"), "'things'"),
        (one("a", "insert"), "'things'"),
        (add("a", 1), "'things' or 'markers'"),
    ],
)
@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_configuration_error_is_not_retried(write: Any, dynamo: Any, planned: Any, names: Any, code: Any) -> None:
    """AWS does not say which table of a transaction it means."""
    dynamo.fault = lambda operation: code

    outcomes = write(PlannedMessage(planned.record, None, planned.writes))

    assert (outcomes, len(dynamo.calls)) == ([configuration_error(f"table {names}: {code}")], 1)


@pytest.mark.parametrize("planned", [one("a"), one("a", "insert"), add("a", 1)])
def test_another_table_key_is_a_configuration_error(write: Any, dynamo: Any, planned: Any) -> None:
    """DescribeTable is called, once, after an item alone is refused."""
    dynamo.keys["things"] = (("other", "N"),)

    outcomes = write(PlannedMessage(planned.record, None, planned.writes))

    assert outcomes == [configuration_error("table 'things' has another key than the config says")]
    assert operations(dynamo)[1:] == ["DescribeTable"]


def test_another_key_of_the_table_of_idempotency_keys_is_a_configuration_error(write: Any, dynamo: Any) -> None:
    """The key of that table is checked too."""
    dynamo.keys["markers"] = (("other", "S"),)

    assert write(add("a", 1)) == [configuration_error("table 'markers' has another key than the config says")]


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        (["AccessDeniedException"], configuration_error(CONFIGURATION_ERROR)),
        ([THROTTLED], refused()),
        ([THROTTLED] * MAX_TRIES, retry(THROTTLED)),
    ],
)
def test_a_table_that_cannot_be_described(write: Any, dynamo: Any, faults: Any, outcome: Any) -> None:
    """Without its key the cause is not known; if the call may succeed later, the write is retried."""
    left = list(faults)
    dynamo.fault = lambda operation: left.pop(0) if operation == "DescribeTable" and left else None

    assert write(one("a", index=1)) == [outcome]


def test_calls_overlap_up_to_their_bound(write: Any, dynamo: Any) -> None:
    """The limit of concurrent calls is reached, and never exceeded."""
    together = Barrier(CONCURRENT_CALLS)

    def meet() -> None:
        try:
            together.wait(60)
        except BrokenBarrierError:
            pytest.fail("calls do not overlap")

    dynamo.during = meet

    outcomes = write(*(one(f"{number}", "insert") for number in range(3 * CONCURRENT_CALLS)))

    assert (outcomes, dynamo.most_under_way) == ([WRITTEN] * 3 * CONCURRENT_CALLS, CONCURRENT_CALLS)


def test_duration_of_calls(dynamo: Any) -> None:
    """The longest recent duration, which decays."""
    clock = Clock(tick=1.0)
    writer = Writer(dynamo.tables, clock, clock.sleep)
    seconds = []
    for tick in (4.0, 1.0):
        clock.tick = tick
        finish(writer, [one("a")], 3600.0)
        seconds.append(writer.duration.seconds)

    assert seconds == [4.0, 3.8]


def described(dynamo: Any) -> int:
    """The number of DescribeTable calls."""
    return sum(operation == "DescribeTable" for operation, _ in dynamo.calls)


def test_recreated_table(dynamo: Any, clock: Any) -> None:
    """After a table was recreated with another key no message is rejected, though its key was as configured before."""
    writer = Writer(dynamo.tables, clock, clock.sleep)
    outcomes = []
    for key in (THINGS.key, (("other", "S"),)):
        dynamo.keys["things"] = key
        messages = [one(str(number), message=str(number), index=1) for number in range(300)]
        found = finish(writer, messages, clock.now + 3600.0)
        outcomes.append({(outcome.kind, outcome.code) for outcome in found})
        clock.now += KEY_SECONDS

    assert (outcomes, described(dynamo)) == ([{("rejected", "RT815")}, {("retry", "RT816")}], 2)


def test_key_is_looked_up_again(dynamo: Any, clock: Any) -> None:
    """While items are refused, a table is described once in a while, not for each of them."""
    writer = Writer(dynamo.tables, clock, clock.sleep)
    for number in range(40):
        finish(writer, [one(str(number), index=1)], clock.now + 3600.0)
        clock.now += KEY_SECONDS / 4

    assert described(dynamo) == 10
