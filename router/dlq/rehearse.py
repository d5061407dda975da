"""Rehearses dead letters: what the config at hand would do with each, beside what is stored, with nothing sent.

The stored items are read, and the writes of a message are applied to a copy of them in memory, by the same delivery as
in the worker. So the outcome has the conditions of the write modes in it.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

from msgspec import Struct

from router import codes
from router.aws.calls import Duration, FixedDeadline, StartLimit, boottime
from router.aws.protocols import Aws, AwsFault
from router.deliver.payloads import Fetcher
from router.deliver.planning import MAX_PLANNING_SECONDS, TOO_COSTLY, PlanningBudget
from router.deliver.retries import WaitBudget
from router.dev.memory import MemoryTables
from router.dev.stateful import write_planned
from router.dlq.mask import as_redacted, derived_attributes
from router.dlq.messages import DlqMessage
from router.engine.attributes import decode_item
from router.engine.engine import CompiledQueue, OutOfBudget, plan
from router.engine.writes import PlannedMessage, Write
from router.model import AttributeValue, Item, Outcome, Record, Table
from router.program.load import Program

CONCURRENT_REHEARSALS = 8
"""Most of the time of a rehearsal is waiting for the stored items."""
SECONDS = 60.0
"""The deadline of one rehearsal."""

Effect = Literal["new", "replaced", "unchanged", "deleted", "nothing"]
StoredItem = Mapping[str, AttributeValue]
ReadItem = Callable[[Table, StoredItem], StoredItem | AwsFault | None]
"""Reads an item of a table by its key, consistently; returns a fault that may pass, raises UsageError for others."""


class Change(Struct, frozen=True):
    """An item that a message would write: the stored one and the one after the write, None where there is none.

    `newer` is whether the stored item may hold newer data that would be lost: the write has no version, and replaces or
    deletes a different item.
    """

    table: str
    key: Item
    before: Item | None
    after: Item | None
    newer: bool

    @property
    def effect(self) -> Effect:
        """The effect on the item."""
        if self.before == self.after:
            return "unchanged" if self.after else "nothing"
        if self.after is None:
            return "deleted"
        return "replaced" if self.before else "new"


class Rehearsal(Struct, frozen=True):
    """What would become of a message now; `outcome` is None if the config does not have its queue any more."""

    message: DlqMessage
    queue: str
    outcome: Outcome | None
    changes: tuple[Change, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether the message would be acknowledged without becoming a dead letter again."""
        return self.outcome is not None and self.outcome.kind not in ("rejected", "retry")

    @property
    def overwrites(self) -> bool:
        """Whether it would replace or delete an item that may be newer."""
        return any(change.newer for change in self.changes)


class Rehearser:
    """Rehearses messages of one dead-letter queue, each by itself."""

    def __init__(self, program: Program, dead_letter: str, aws: Aws, read_item: ReadItem) -> None:
        """`aws` only fetches the payloads that messages point to."""
        self._program = program
        self._dead_letter = dead_letter
        self._fetcher = Fetcher(aws)
        self._read_item = read_item
        self._derived = derived_attributes(program)

    def rehearse_all(self, messages: Iterable[DlqMessage]) -> Iterator[Rehearsal]:
        """Rehearse messages, some at a time, and yield the results in their order; raises as `rehearse` does."""
        pending: deque[Future[Rehearsal]] = deque()
        pool = ThreadPoolExecutor(CONCURRENT_REHEARSALS, "rehearse")
        try:
            for message in messages:
                pending.append(pool.submit(self.rehearse, message))
                if len(pending) > CONCURRENT_REHEARSALS:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def rehearse(self, message: DlqMessage) -> Rehearsal:
        """Return what the config would do with a message; raises UsageError if an item cannot be read.

        What `redact` names is masked in the message and items of the result.
        """
        queue = message.find_queue(self._program, self._dead_letter)
        shown = as_redacted(self._program, message, queue)
        if queue is None:
            return Rehearsal(shown, message.failed.queue if message.failed else "", None)
        limit = StartLimit(FixedDeadline(boottime() + SECONDS), boottime(), (Duration(),))
        planned = self._plan(queue, message.to_deliver(), limit)
        if planned.outcome is not None:
            return Rehearsal(shown, queue.name, planned.outcome)
        tables = MemoryTables.of(self._program)
        before: dict[Any, StoredItem | None] = {}
        for write in planned.writes:
            stored = self._load(tables, write)
            if isinstance(stored, AwsFault):
                unread = Outcome("retry", codes.RETRY_LATER.id, f"the stored item cannot be read: {stored.code}")
                return Rehearsal(shown, queue.name, unread)
            before[write.identity] = stored
        outcome = write_planned(planned, tables, queue.atomic)
        last = {write.identity: write for write in planned.writes}
        changes = tuple(self._change(write, before[identity], tables) for identity, write in last.items())
        return Rehearsal(shown, queue.name, outcome, changes)

    def _change(self, write: Write, before: StoredItem | None, tables: MemoryTables) -> Change:
        key = {name: write.item[name] for name, _ in write.table.key}
        after = tables.get(write.table.name, key)
        return Change(
            write.table.name,
            self._shown(write.table, key) or {},
            self._shown(write.table, before),
            self._shown(write.table, after),
            before is not None and not write.version_name and _replaces(write, before, after or {}),
        )

    def _shown(self, table: Table, item: StoredItem | None) -> Item | None:
        """Return an item as values of Python, masked where a redacted value may be; equal values have equal masks."""
        if item is None or table.name not in self._derived:
            return None if item is None else decode_item(dict(item))
        masker, names = self._derived[table.name]
        return masker.mask_item(decode_item(dict(item)), names)

    def _plan(self, queue: CompiledQueue, record: Record, limit: StartLimit) -> PlannedMessage:
        found: Record | PlannedMessage = record
        if queue.pointers is not None:
            (found,) = self._fetcher.fetch(queue.pointers, [record], limit, WaitBudget())
        if isinstance(found, PlannedMessage):
            return found
        budget = PlanningBudget(limit, boottime, time.thread_time)
        budget.seconds = MAX_PLANNING_SECONDS
        try:
            return plan(queue, found, None, budget)
        except OutOfBudget:
            return PlannedMessage(record, TOO_COSTLY)

    def _load(self, tables: MemoryTables, write: Write) -> StoredItem | AwsFault | None:
        """Copy the stored item of a write, and its idempotency key, into the tables in memory; return the item."""
        stored = self._copy(tables, write.table, write.item)
        if write.idempotency_key is not None:
            marker = self._copy(tables, write.idempotency_key.table, write.idempotency_key.call["Item"])
            return marker if isinstance(marker, AwsFault) else stored
        return stored

    def _copy(self, tables: MemoryTables, table: Table, item: StoredItem) -> StoredItem | AwsFault | None:
        stored = self._read_item(table, {name: item[name] for name, _ in table.key})
        if isinstance(stored, AwsFault):
            return stored
        if stored:
            tables.write("Put", {"TableName": table.name, "Item": dict(stored)})
        return stored or None


def _replaces(write: Write, before: StoredItem, after: StoredItem) -> bool:
    """Return whether a write replaces or deletes something that is stored, rather than adding to it."""
    names = write.sets if write.mode.stores == "attributes" else before.keys() | after.keys()
    return any(name in before and before[name] != after.get(name) for name in names)
