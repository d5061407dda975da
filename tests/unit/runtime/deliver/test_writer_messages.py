"""The writer's short form, without steps for what the first try writes, does what steps do: calls, waits, outcomes."""

import sys
from contextlib import nullcontext
from types import FrameType, SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from router.model import WRITTEN, Message, Outcome, Record, Table
from router.runtime.deliver.batches import pack_plain
from router.runtime.deliver.time_limits import SharedWaits, Usage, WaitBudget
from router.runtime.deliver.writer import Writer
from tests.support.aws import WriteResponse
from tests.support.engine import PlannedMessage, Write, WriteConfig
from tests.support.modes import MODES

TABLES = {
    "things": Table("things", (("id", "S"),)),
    "others": Table("others", (("id", "S"),)),
    "budgeted": Table("budgeted", (("id", "S"),), 1e6),
}
FAULTS = (
    "lost", "unprocessed", "ProvisionedThroughputExceededException", "AccessDeniedException", "ValidationException"
)  # fmt: skip
DECIDED = Outcome("rejected", "RT301", "it was decided before")


class Planned(NamedTuple):
    """One message: its writes as (id, table), and their kind: encoded at sending, as `text`, or a `delete`."""

    writes: tuple[tuple[str, str], ...]
    kind: str = "item"
    indexed: str | int = ""


class Clock:
    """Moves when a caller sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


class OneAtATime:
    """Non-blocking tables on blocking ones, so that calls fail in a known order."""

    def __init__(self, tables: Any) -> None:
        self.key_schema = tables.key_schema
        self._tables = tables
        self.sent: list[bytes] = []

    def begin_batch_write(self, table: str, requests: Any, timeout: float, measured: bool) -> Any:
        text = msgspec.json.encode(requests)
        self.sent.append(text)
        response = self._tables.batch_write(table, msgspec.json.decode(text), timeout)
        return SimpleNamespace(seconds=1.0, fileno=lambda: -1, finish=lambda: response)

    def begin_actions(self, actions: Any, timeout: float, measured: bool) -> Any:
        raise AssertionError("no write has a condition")


def message_of(number: int, planned: Planned) -> PlannedMessage:
    """Return a planned message; one without writes was decided before."""
    mode = MODES["delete" if planned.kind == "delete" else "put"]
    writes = []
    for id_, table in planned.writes:
        config = WriteConfig("r", TABLES[table], mode)
        item = {"id": id_, "n": number} | ({"index": planned.indexed} if planned.indexed else {})
        write: Write = mode.plan(config, item, Message({}, str(number)), 0)
        if planned.kind == "text":
            text = msgspec.json.encode(write.batch_request())
            write = structs.replace(write, encoded=None, size=len(text), request=Raw(text))
        writes.append(write)
    return PlannedMessage(Record(str(number), "h", "{}"), None if writes else DECIDED, writes)


def run(dynamo: Any, batch: list[Planned], faults: list[str | None], until: float, *, short: bool) -> dict[str, Any]:
    """Write messages in the short form or by steps; return all that can be seen of it."""
    dynamo.clear()
    left = list(faults)
    dynamo.fault = lambda operation: left.pop(0) if left else None
    tables, clock = OneAtATime(dynamo.tables), Clock()
    writer = Writer(tables, clock, clock.sleep, jitter=lambda low, high: high)  # type: ignore[arg-type]
    limit: Any = SimpleNamespace(moment=until, timeout=lambda now: until - now, usage=Usage())
    messages = [message_of(number, planned) for number, planned in enumerate(batch)]
    with nullcontext() if short else patch("router.runtime.deliver.writer.pack_plain", return_value=None):
        parts = [*writer.write(messages, limit, WaitBudget(clock, SharedWaits(1.0, 1.0)), atomic=False)]
    return {
        "outcomes": [[(planned.record.message_id, outcome) for planned, outcome in part.items()] for part in parts],
        "sent": tables.sent,
        "calls": dynamo.calls,
        "made": dynamo.made,
        "slept": clock.slept,
    }


WRITES = st.tuples(st.sampled_from([f"id{number}" for number in range(40)]), st.sampled_from(["things", "others"]))
HOT_WRITES = st.tuples(st.sampled_from(["id0", "id1", "id2"]), st.sampled_from(["things", "things", "others"]))


def planned_messages(writes: Any) -> Any:
    """Return a strategy of messages with one of these writes, or with other numbers of them."""
    return st.builds(
        Planned, writes, st.sampled_from(["item", "text", "text", "delete"]), st.sampled_from(["", "", "", "x", 1])
    )


PLANNED = planned_messages(st.one_of(WRITES.map(lambda write: (write,)), st.lists(WRITES, max_size=2).map(tuple)))
HOT = planned_messages(st.one_of(WRITES, HOT_WRITES).map(lambda write: (write,)))
DISTINCT = [Planned(((f"id{number}", "things"),), "text") for number in range(60)]


@pytest.fixture(scope="module")
def dynamo(dynamo_of: Any) -> Any:
    return dynamo_of(**{name: table.key for name, table in TABLES.items()})


@settings(deadline=None, max_examples=200)
@given(
    st.one_of(
        st.lists(PLANNED, max_size=6),
        st.lists(PLANNED, max_size=40, unique_by=lambda planned: planned.writes),
        st.lists(HOT, max_size=60),
    ),
    st.lists(st.none() | st.sampled_from(FAULTS), max_size=6),
    st.sampled_from([0.0, 0.15, 2.0, 3600.0]),
)
@example(DISTINCT, ["unprocessed", "ProvisionedThroughputExceededException", "lost"], 3600.0)
@example([*DISTINCT, Planned((("id7", "things"),), "text")], [], 3600.0)
@example([*DISTINCT, Planned((("id7", "things"),), "text", 1)], [], 3600.0)
@example([*DISTINCT, *DISTINCT[:40:2]], ["unprocessed"], 3600.0)
@example([*DISTINCT, *DISTINCT[:40:2], *DISTINCT[1:9]], [*["unprocessed"] * 9], 0.15)
@example([*DISTINCT, Planned((("bad", "things"),), "text", 1)], [], 3600.0)
@example([*DISTINCT, Planned((("id1", "others"),), "text")], ["AccessDeniedException"], 3600.0)
@example(DISTINCT, [], 0.0)
@example([Planned((("a", "budgeted"),)), Planned((("b", "things"),))], [], 3600.0)
@example([], [], 3600.0)
@example(
    [Planned((("a", "things"),)), Planned((("a", "others"),)), Planned((("b", "things"),))],
    ["ValidationException", "lost", None, "lost"],
    3600.0,
)
def test_both_forms_do_the_same(dynamo: Any, batch: list[Planned], faults: list[str | None], until: float) -> None:
    """Whatever fails, and whether keys occur twice or not: the same bytes in the same calls and order, and outcomes."""
    by_steps = run(dynamo, batch, faults, until, short=False)

    assert run(dynamo, batch, faults, until, short=True) == by_steps


@pytest.mark.parametrize(
    ("batch", "sizes"),
    [
        (DISTINCT, [25, 25, 10]),
        ([*DISTINCT[:3], Planned((("id1", "others"),))], [3, 1]),
        ([Planned((("a", "things"),), "delete"), Planned((("b", "things"),))], [2]),
        ([DISTINCT[0], DISTINCT[0]], [1]),
        ([*DISTINCT[:25], *DISTINCT[:26]], [25, 1]),
        ([DISTINCT[0], Planned((("a", "things"), ("b", "things")))], None),
        ([Planned((("a", "budgeted"),))], None),
        ([Planned((("a", "things"),), "item", "x" * 20_000)], None),
        ([Planned((("a", "things"),), "text", "x" * 20_000)], [1]),
    ],
)
def test_which_messages_need_no_steps(batch: list[Planned], sizes: list[int] | None) -> None:
    """Those of one plain write each that fit into batches by their number; of each item one is sent."""
    batches = pack_plain([message_of(number, planned) for number, planned in enumerate(batch)])

    assert (None if batches is None else [len(each.writes) for each in batches]) == sizes


def throttle_hot(table: str, requests: Any, timeout: float) -> WriteResponse:
    """Write all but the item `hot`."""
    return WriteResponse([request for request in requests if "hot" in str(request)])


def count_instructions(batch: list[Planned]) -> int:
    """Count the bytecode instructions that it takes to write messages without a wait, but those of `hot`."""
    counted = 0

    def trace(frame: FrameType, what: str, argument: Any) -> Any:
        nonlocal counted
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counted += what == "opcode"
        return trace if frame.f_code.co_filename != __file__ else None

    tables: Any = OneAtATime(SimpleNamespace(batch_write=throttle_hot, key_schema=None))
    limit: Any = SimpleNamespace(moment=3600.0, timeout=lambda now: 60.0, usage=Usage())
    messages = [message_of(number, planned) for number, planned in enumerate(batch)]
    writer, waits = Writer(tables, Clock(), jitter=lambda low, high: high), WaitBudget(Clock(), SharedWaits(0.0))
    writing = writer.write(messages, limit, waits, atomic=False)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        (settled,) = writing
    finally:
        sys.settrace(before)
    written = [settled[planned] is WRITTEN for planned in messages]
    assert written == [planned.writes[0][0] != "hot" for planned in batch]
    return counted


def test_a_hot_key_costs_the_other_messages_little() -> None:
    """Beside a key that occurs twice and is throttled, the short form writes the others."""
    without = [Planned(((f"id{number}", "things"),), "text") for number in range(200)]
    with_ = [*without]
    with_[5] = with_[105] = Planned((("hot", "things"),), "text")

    assert count_instructions(with_) < 1.4 * count_instructions(without)


def test_a_conditional_write_is_sent_by_steps(dynamo: Any) -> None:
    """It is a call of its own."""
    dynamo.clear()
    config = WriteConfig("r", TABLES["things"], MODES["insert"])
    planned = PlannedMessage(Record("m", "h", ""), None, [config.mode.plan(config, {"id": "a"}, Message({}), 0)])
    limit: Any = SimpleNamespace(moment=3600.0, timeout=lambda now: 60.0, usage=Usage())

    (settled,) = Writer(dynamo.tables, Clock()).write([planned], limit, WaitBudget(), atomic=False)

    assert (settled[planned], [operation for operation, _ in dynamo.calls]) == (WRITTEN, ["Put"])
