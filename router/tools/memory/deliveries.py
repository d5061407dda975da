"""Makes the writes of messages on tables in memory, as a batch is delivered."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from router.model import Action, Outcome
from router.runtime.aws.calls import Duration
from router.runtime.aws.protocols import EndedCall, PendingWrite, Request, Tables
from router.runtime.deliver.time_limits import FixedDeadline, StartLimit, WaitBudget
from router.runtime.deliver.writer import Writer
from router.runtime.engine.writes import PlannedMessage


def write_together(
    messages: Sequence[PlannedMessage], tables: Tables, atomic: bool
) -> dict[PlannedMessage, Outcome]:
    """Make the writes of messages that are delivered in one batch; return all outcomes."""
    time = _SkippedTime()
    writer = Writer(_OneAtATime(tables), time, time.skip)
    limit = StartLimit(FixedDeadline(float("inf")), time(), (Duration(),))
    outcomes: dict[PlannedMessage, Outcome] = {}
    for settled in writer.write(messages, limit, WaitBudget(time), atomic=atomic):
        outcomes |= settled
    return outcomes


class _SkippedTime:
    """A clock that moves with waits only: none waits for the `write_units` of a table."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        self._now += seconds


class _OneAtATime:
    """Tables in memory whose calls are made one after the other, so that a test always ends alike."""

    def __init__(self, tables: Tables) -> None:
        self.batch_write = tables.batch_write
        self.write = tables.write
        self.transact = tables.transact
        self.key_schema = tables.key_schema

    def begin_batch_write(
        self, table: str, requests: Sequence[Request | Raw], timeout: float, measured: bool = False
    ) -> PendingWrite:
        decoded = [
            msgspec.json.decode(each) if isinstance(each, Raw) else each for each in requests
        ]
        return EndedCall(self.batch_write(table, decoded, timeout, measured))

    def begin_actions(
        self, actions: Sequence[Action], timeout: float, measured: bool = False
    ) -> PendingWrite:
        if len(actions) > 1:
            return EndedCall(self.transact(actions, timeout, measured))
        return EndedCall(self.write(*actions[0], timeout, measured))
