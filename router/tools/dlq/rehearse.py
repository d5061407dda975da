"""Rehearses dead letters: what the config at hand would do with them, beside what is stored, with nothing sent.

Messages are rehearsed in the batches in which they would be redriven. The stored items are read, and the writes of a
batch are applied to a copy of them in memory, in the order of a delivery. What those that pass would have written is
kept for the batches after it: a message that an earlier one makes stale, or a duplicate, is counted as such.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from msgspec import Struct, structs

from router import codes
from router.model import Item, Outcome, Table
from router.runtime.aws.protocols import Aws, AwsFault
from router.runtime.deliver.message_groups import group_waves
from router.runtime.engine.attributes import identify
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.writes import PlannedMessage, StoredItem, Write
from router.runtime.program.load import Program
from router.runtime.program.route_tests import Identity
from router.tools.dev.starting import start_plugins
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.planning import Planner
from router.tools.dlq.redacted import as_redacted, redacted_tables
from router.tools.dlq.redrive import BATCH
from router.tools.dlq.spool import WrittenItems
from router.tools.memory.decoding import decode_item
from router.tools.memory.deliveries import write_together
from router.tools.memory.tables import MemoryTables

CONCURRENT_READS = 8
"""Most of the time of a rehearsal is waiting for the stored items."""

Effect = Literal["new", "replaced", "unchanged", "deleted", "nothing"]
ReadItem = Callable[[Table, StoredItem], StoredItem | AwsFault | None]
"""Reads an item of a table by its key, consistently; returns a fault that may pass, raises UsageError for others."""


class Change(Struct, frozen=True):
    """An item that a message would write: the stored one and the one after the write, None where there is none.

    `newer` is whether the stored item may hold newer data that would be lost: the write has no version, and replaces or
    deletes a different item, which no earlier message of the rehearsal has written.
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
    """What would become of a message now; `outcome` is None if the config does not have its queue any more.

    `batch` is the number of the batch in which it is to be redriven, 0 if it is to stay. One that passes may stay
    `behind` an earlier message of its group.
    """

    message: DlqMessage
    queue: str
    outcome: Outcome | None
    changes: tuple[Change, ...] = ()
    batch: int = 0
    behind: bool = False

    @property
    def passes(self) -> bool:
        """Whether the message would be acknowledged without becoming a dead letter again."""
        return self.outcome is not None and self.outcome.kind not in ("rejected", "retry")

    @property
    def overwrites(self) -> bool:
        """Whether it would replace or delete an item that may be newer."""
        return any(change.newer for change in self.changes)


class _Image(Struct, frozen=True):
    """An item before a batch, by its key; `written` is whether a message of an earlier batch wrote it last."""

    table: Table
    key: StoredItem
    item: StoredItem | None
    written: bool


Images = Mapping[Identity, _Image]


class Rehearser:
    """Rehearses messages of one dead-letter queue, in order; `written` is what messages before them would have written.

    With `keep_newer`, messages that replace an item which may be newer are to stay. With `ordered`, and of FIFO queues,
    the rest of a group stays behind a message that stays: `blocked` are the groups with one so far. Without `blocks`,
    nothing stays behind another. Of `routes`, if there are any, only the writes are made.
    """

    def __init__(
        self,
        program: Program,
        dead_letter: str,
        aws: Aws,
        read_item: ReadItem,
        written: WrittenItems,
        *,
        batch_size: int = BATCH,
        ordered: bool = False,
        keep_newer: bool = False,
        blocked: Iterable[str | None] = (),
        blocks: bool = True,
        routes: frozenset[str] = frozenset(),
    ) -> None:
        """`aws` only fetches the payloads that messages point to."""
        self.blocked = set(blocked)
        self._batches = 0
        self._program = program
        self._dead_letter = dead_letter
        self._planner = Planner(aws, routes)
        self._read_item = read_item
        self._written = written
        self._batch_size = batch_size
        self._ordered = ordered
        self._blocks = blocks
        self._keep_newer = keep_newer
        self._redacted = redacted_tables(program)

    def rehearse_all(self, messages: Iterable[DlqMessage]) -> Iterator[Rehearsal]:
        """Rehearse messages in batches of one queue each; raises UsageError if an item cannot be read.

        What `redact` names is redacted in the messages and items of the results.
        """
        start_plugins(self._program)
        batches: dict[str, tuple[CompiledQueue | None, list[DlqMessage]]] = {}
        for message in messages:
            queue = message.find_queue(self._program, self._dead_letter)
            name = queue.name if queue else ""
            # A group may have messages of several queues: all before this one are to be rehearsed before it.
            for other in [each for each in batches if self._ordered and each != name]:
                yield from self._rehearse(*batches.pop(other))
            if any(each.id == message.id for each in batches.get(name, (None, ()))[1]):
                # A file may have a message twice; the second finds what the first has written.
                yield from self._rehearse(*batches.pop(name))
            _, batch = batches.setdefault(name, (queue, []))
            batch.append(message)
            if len(batch) >= self._batch_size:
                yield from self._rehearse(*batches.pop(name))
        for queue, batch in batches.values():
            yield from self._rehearse(queue, batch)

    def _rehearse(
        self, queue: CompiledQueue | None, messages: Sequence[DlqMessage]
    ) -> list[Rehearsal]:
        """Rehearse a batch: until all that are in it pass, without those that are to stay."""
        planned = (
            self._planner.plan_all(queue, [each.to_deliver() for each in messages]) if queue else ()
        )
        plans = {each.record.message_id: each for each in planned}
        images, unreadable = self._read(plans.values())
        plans |= unreadable
        left: dict[str, Rehearsal] = {}
        while True:
            remaining = [each for each in messages if each.id not in left]
            run, tables, writers = self._run(queue, remaining, plans, images)
            found = {each.id: left.get(each.id) or run[each.id] for each in messages}
            more = {id_: each for id_, each in self._leave(queue, found).items() if id_ not in left}
            left |= more
            # What was rejected before any write has changed nothing.
            if not any(id_ in plans and plans[id_].writes for id_ in more):
                break
        if self._is_ordered(queue):
            self.blocked |= {
                each.message.record.group_id for each in left.values() if not each.behind
            }
        changed = {}
        for identity, image in images.items():
            item = tables.get(image.table.name, image.key)
            if item != image.item:
                changed[identity] = item, writers.get(identity, "")
        self._written.store(changed)
        self._batches += 1
        return [
            left.get(id_) or structs.replace(each, batch=self._batches)
            for id_, each in found.items()
        ]

    def _leave(
        self, queue: CompiledQueue | None, found: Mapping[str, Rehearsal]
    ) -> dict[str, Rehearsal]:
        """Return the messages of a batch that are to stay, by id."""
        blocked = set(self.blocked)
        left = {}
        for id_, each in found.items():
            group = each.message.record.group_id
            if not each.passes or (self._keep_newer and each.overwrites):
                left[id_] = each
                blocked.add(group)
            elif self._is_ordered(queue) and group in blocked:
                left[id_] = structs.replace(each, behind=True)
        return left

    def _is_ordered(self, queue: CompiledQueue | None) -> bool:
        # The messages of a file have no dead-letter queue, but may be for a FIFO queue.
        return self._blocks and (self._ordered or (queue is not None and queue.fifo))

    def _run(
        self,
        queue: CompiledQueue | None,
        messages: Sequence[DlqMessage],
        plans: Mapping[str, PlannedMessage],
        images: Images,
    ) -> tuple[dict[str, Rehearsal], MemoryTables, dict[Identity, str]]:
        """Return the results of messages that are delivered together, by id, the tables then, and which wrote what."""
        shown = {each.id: as_redacted(self._program, each, queue) for each in messages}
        tables = self._tables(images)
        sequential = self._tables(images)
        found = {}
        if queue is None:
            for each in messages:
                name = each.failed.queue if each.failed else ""
                found[each.id] = Rehearsal(shown[each.id], name, None)
            return found, tables, {}
        planned = [plans[id_] for id_ in shown]
        waves = group_waves(planned, lambda each: each.record.group_id, lambda each: True)
        outcomes: dict[PlannedMessage, Outcome] = {}
        for wave in waves if queue.fifo else [planned]:
            outcomes |= write_together(wave, tables, queue.atomic)
        writers = {identity: "" for identity, image in images.items() if image.written}
        for plan, (id_, message) in zip(planned, shown.items(), strict=True):
            outcome = outcomes[plan]
            changes = self._change_all(plan, outcome, sequential, writers, queue.atomic)
            found[id_] = Rehearsal(message, queue.name, outcome, changes)
        return found, tables, writers

    def _change_all(
        self,
        planned: PlannedMessage,
        outcome: Outcome,
        tables: MemoryTables,
        writers: dict[Identity, str],
        atomic: bool,
    ) -> tuple[Change, ...]:
        """Return what a message changes after those before it, and apply it, unless the message is to stay."""
        # The last write of an item counts: the earlier ones have the same table and key.
        places = {
            write.identity: (write, _key(write.table, write.item)) for write in planned.writes
        }
        before = {
            identity: tables.get(write.table.name, key) for identity, (write, key) in places.items()
        }
        if outcome.kind == "written":
            write_together([planned], tables, atomic)
        changes = []
        changed = []
        for identity, (write, key) in places.items():
            table = write.table
            old = before[identity]
            new = tables.get(table.name, key)
            if old != new:
                changed.append(identity)
            may_be_newer = old is not None and identity not in writers and not write.version_name
            newer = may_be_newer and _replaces(write, old or {}, new or {})
            key_shown = self._shown(table, key) or {}
            shown = self._shown(table, old), self._shown(table, new)
            changes.append(Change(table.name, key_shown, *shown, newer))
        if self._keep_newer and any(change.newer for change in changes):
            for identity, (write, key) in places.items():
                _set(tables, write.table, key, before[identity])
        else:
            writers.update(dict.fromkeys(changed, planned.record.message_id))
        return tuple(changes)

    def _tables(self, images: Images) -> MemoryTables:
        tables = MemoryTables.of(self._program)
        for image in images.values():
            _set(tables, image.table, image.key, image.item)
        return tables

    def _shown(self, table: Table, item: StoredItem | None) -> Item | None:
        """Return an item as values of Python, without those that may be redacted."""
        if item is None:
            return None
        values = decode_item(item)
        table_redaction = self._redacted.get(table.name)
        return values if table_redaction is None else table_redaction.redact(values)

    def _read(self, plans: Iterable[PlannedMessage]) -> tuple[Images, dict[str, PlannedMessage]]:
        """Return the items that messages write, with their idempotency keys; and the messages whose items are not read.

        Those that earlier batches would have written are as they leave them.
        """
        touched = [(each, dict(touched_by(each))) for each in plans]
        wanted = {identity: place for _, places in touched for identity, place in places.items()}
        written, delivered = self._written.load(wanted)
        images = {
            identity: _Image(*wanted[identity], item, written=True)
            for identity, item in written.items()
        }
        missing = [identity for identity in wanted if identity not in images]
        faults = {}
        with ThreadPoolExecutor(CONCURRENT_READS, "rehearse") as pool:
            stored = pool.map(lambda identity: self._read_item(*wanted[identity]), missing)
            for identity, found in zip(missing, stored, strict=True):
                item = found or None
                if isinstance(item, AwsFault):
                    faults[identity] = item
                    item = None
                images[identity] = _Image(*wanted[identity], item, written=identity in delivered)
        unreadable = {}
        for each, places in touched:
            codes_of_faults = [faults[identity].code for identity in places if identity in faults]
            if codes_of_faults:
                reason = f"the stored item cannot be read: {codes_of_faults[0]}"
                outcome = Outcome("retry", codes.RETRY_LATER.id, reason)
                unreadable[each.record.message_id] = PlannedMessage(each.record, outcome)
        return images, unreadable


def touched_by(planned: PlannedMessage) -> Iterator[tuple[Identity, tuple[Table, StoredItem]]]:
    """Yield the identity, the table and the key of each item that a message writes, and of its idempotency keys."""
    for write in planned.writes:
        yield write.identity, (write.table, _key(write.table, write.item))
        if write.idempotency_key is not None:
            table = write.idempotency_key.table
            item = write.idempotency_key.call["Item"]
            yield identify(table.name, table.key, item), (table, _key(table, item))


def _key(table: Table, item: StoredItem) -> StoredItem:
    return {name: item[name] for name, _ in table.key}


def _set(tables: MemoryTables, table: Table, key: StoredItem, item: StoredItem | None) -> None:
    """Store an item, or delete it."""
    if item is None:
        tables.write("Delete", {"TableName": table.name, "Key": key})
    else:
        tables.write("Put", {"TableName": table.name, "Item": item})


def _replaces(write: Write, before: StoredItem, after: StoredItem) -> bool:
    """Return whether a write replaces or deletes something that is stored, rather than adding to it."""
    names = write.sets if write.mode.stores == "attributes" else before.keys() | after.keys()
    return any(name in before and before[name] != after.get(name) for name in names)
