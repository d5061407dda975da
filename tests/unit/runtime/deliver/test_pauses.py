"""The process is paused for longer than the lease, at any point of its work: no write begins after that."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest

from router.runtime.deliver.delivery import Delivery
from router.runtime.deliver.time_limits import FixedDeadline
from router.runtime.deliver.writer import Writer
from tests.support.aws import Aws, AwsFault, WriteResponse

LEASE = 30
LOOKS_AFTER_THE_LAST_WRITE = 4
THROTTLED = WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400))


class Done:
    """A write whose response is there already."""

    seconds = 10.0
    events = 0

    def __init__(self, response: WriteResponse) -> None:
        self._response = response

    def fileno(self) -> int:
        return -1

    def finish(self, late: bool = False) -> WriteResponse:
        return self._response


class Pause:
    """Lets much time pass at one of the points at which a process can wait, counted from 1; 0 is none of them."""

    def __init__(self, time_: Any, at: int) -> None:
        self.points = 0
        self.late_writes = 0
        self._time = time_
        self._at = at

    def point(self) -> None:
        """Pass a point."""
        self.points += 1
        if self.points == self._at:
            self._time.now += 2 * LEASE

    def clock(self) -> float:
        """Look at the clock, after what came before the look."""
        self.point()
        now: float = self._time.now
        return now

    def sleep(self, seconds: float) -> None:
        """Sleep as before a retry."""
        self.point()
        self._time.sleep(seconds)

    def write(self, send: Callable[[], WriteResponse]) -> Done:
        """Make a write and wait for its response."""
        self.late_writes += 0 < self._at <= self.points
        response = send()
        self.point()
        return Done(response)


class PausingTables:
    """Tables that make one write after the other, with a pause."""

    def __init__(self, tables: Any, pause: Pause) -> None:
        self._tables = tables
        self._pause = pause

    def begin_batch_write(self, table: str, requests: Any, *timeout: float) -> Done:
        return self._pause.write(lambda: self._tables.batch_write(table, requests, *timeout))

    def begin_actions(self, actions: Any, *timeout: float) -> Done:
        return self._pause.write(lambda: self._tables.transact(actions, *timeout))

    def key_schema(self, table: str, *timeout: float) -> Any:
        self._pause.point()
        return self._tables.key_schema(table, *timeout)

    batch_write = write = transact = None


class Case(NamedTuple):
    """A queue, a route, message ids with their groups, and what happens to the first writes."""

    queue: str
    route: str
    messages: Sequence[tuple[str, str]]
    answers: Sequence[WriteResponse] = ()
    refused: Sequence[str] = ()


FIFO = "name: q.fifo, dead_letter: letters.fifo"
GROUPS = [(f"{group}{number}", group) for number in range(3) for group in "gh"]
CASES = {
    "waves": Case(FIFO, "{queue: q, table: things}", GROUPS),
    "retries": Case(FIFO, "{queue: q, table: things}", GROUPS, [THROTTLED] * 3),
    "halves": Case(FIFO, "{queue: q, table: things}", GROUPS, refused=["g0", "h1"]),
    "batches": Case("dead_letter: letters", "{queue: q, table: things}", [(f"i{number}", "") for number in range(60)]),
    "conditional": Case(
        FIFO, "{queue: q, table: things, write: {mode: insert}}", GROUPS, [THROTTLED, WriteResponse(), THROTTLED]
    ),
    "steps of one item": Case(
        "dead_letter: letters", "{queue: q, table: things, write: {mode: insert}}", [("i", "")] * 4
    ),
    "atomic": Case(f"{FIFO}, atomic: true", "{queue: q, table: things}", GROUPS, [THROTTLED]),
}


@pytest.mark.parametrize("name", CASES)
def test_no_write_after_a_pause(name: str, compile_: Any, arrive: Any, in_memory: Any, time_: Any) -> None:
    """Whether the pause comes while a message is planned, during a call or before a retry."""
    case = CASES[name]
    program = compile_(queue=case.queue, route=case.route)
    records = [
        arrive(f'{{"id":"{id_}"}}', f"m{number}", **({"MessageGroupId": group} if group else {}))
        for number, (id_, group) in enumerate(case.messages)
    ]

    def run(at: int) -> tuple[Pause, int]:
        tables, queues = in_memory()
        tables.answers.extend(case.answers)
        tables.refused.update(case.refused)
        pause = Pause(time_, at)
        aws = Aws(PausingTables(tables, pause), queues)  # type: ignore[arg-type]
        writer = Writer(aws.tables, pause.clock, pause.sleep, jitter=lambda low, high: high)
        delivery = Delivery(program, aws, pause.clock, writer=writer)
        delivered = delivery.deliver(program.engine.queues["q"], records, FixedDeadline(time_.now + LEASE))
        return pause, sum(each.outcome.kind == "retry" for each in delivered)

    whole, retries = run(at=0)
    paused = [run(at) for at in range(1, whole.points)]

    # A pause after the last write has no effect; there are a few looks at the clock after it.
    assert (retries, [pause.late_writes for pause, _ in paused]) == (0, [0] * (whole.points - 1))
    assert all(kept for _, kept in paused[:-LOOKS_AFTER_THE_LAST_WRITE])
