"""Verifies a source: plans its messages in order, and compares what they write with what the tables hold.

The messages are planned by the config at hand. Then the items are read, those of one table after those of another, and
each is compared with all that the source does to it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Protocol, TypeVar

import msgspec

from router.codes import REDACTED
from router.model import META_TIMES, WRITTEN, Outcome, Table
from router.runtime.aws.calls import Clock
from router.runtime.aws.protocols import Aws
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.writes import PlannedMessage, StoredItem, Write
from router.runtime.program.load import Program
from router.runtime.sources import meta_of
from router.tools.dev.starting import start_plugins
from router.tools.dlq.planning import Planner
from router.tools.dlq.rehearse import touched_by
from router.tools.replay.source import SourceMessage
from router.tools.verify.evidence import evidence_of
from router.tools.verify.history import History
from router.tools.verify.judge import judge
from router.tools.verify.kept import (
    Decided,
    Identity,
    KeptMessage,
    KeptSource,
    NewWrite,
    RouteVerdict,
)
from router.tools.verify.verdicts import (
    LOST,
    SHARED,
    WITHOUT_TRACE,
    MessageVerdict,
    undecided,
)
from router.tools.verify.writers import writers_by_table

_PLANNED_AT_A_TIME = 100
_READ_AT_A_TIME = 100
Each = TypeVar("Each")
Progress = Callable[[int], None]


class ReadItems(Protocol):
    """Reads items of a table by their keys."""

    def read(self, table: Table, keys: Sequence[StoredItem]) -> list[StoredItem | None]:
        """Return the items, None for one that is not there."""

    def end(self, table: str) -> str | None:
        """Return the attribute by which the items of a table expire, "" for none; None if that is not known."""


class Verifier:
    """Verifies the messages of a source; with `complete`, it has all that its queues' routes ever wrote."""

    def __init__(
        self,
        program: Program,
        aws: Aws,
        reader: ReadItems,
        kept: KeptSource,
        clock: Clock,
        *,
        complete: bool,
    ) -> None:
        """`aws` only fetches the payloads that messages point to; `clock` tells the time since 1970."""
        self.queues: set[str] = set()
        self._program = program
        self._planner = Planner(aws)
        self._reader = reader
        self._kept = kept
        self._clock = clock
        self._complete = complete
        self._position = 0
        self._touched: set[str] = set()
        """The routes of which an item was looked at."""
        compiled = [each for queue in program.engine.queues.values() for each in queue.routes]
        self._configs = {each.route.name: each.write for each in compiled}
        self._hooked = {
            each.route.name for each in compiled if each.transform_item or each.transform_message
        }
        self._metadata = {name: _metadata(program, name) for name in program.config.routes}

    def take(self, messages: Iterable[SourceMessage], progress: Progress) -> int:
        """Plan the messages and keep what they write; return how many they are."""
        start_plugins(self._program)
        for queue, some in groupby(messages, lambda each: each.queue.name):
            self.queues.add(queue)
            for batch in _batches(some, _PLANNED_AT_A_TIME):
                self._take(self._program.queue(queue), batch)
                progress(self._position)
        self._kept.index()
        return self._position

    def look(self, progress: Progress) -> None:
        """Read the idempotency keys and the items that the messages write, and judge each write."""
        done = 0
        once = {
            each.once.table.name: each.once.table for each in self._configs.values() if each.once
        }
        for table, keys in _by_table(self._kept.idempotency_keys(), once):
            name = table.key[0][0]
            found = self._reader.read(table, [{name: {"S": key}} for _, key in keys])
            self._kept.apply(keys, [each is not None for each in found], self._clock())
            done += len(keys)
            progress(done)
        tables = {each.table.name: each.table for each in self._configs.values()}
        ends = {name: self._reader.end(name) for name in tables}
        writers = writers_by_table(self._program, self.queues, ends, complete=self._complete)
        for table, identities in _by_table(self._kept.identities(), tables):
            item_keys = [self._kept.key(each, table) for each in identities]
            stored = self._reader.read(table, item_keys)
            for identity, key, item in zip(identities, item_keys, stored, strict=True):
                history = History(
                    writers[table.name], self._configs, table, key, item, self._clock()
                )
                self._kept.decide(self._judge(identity, history))
            done += len(identities)
            progress(done)

    def messages(self) -> Iterator[Decided]:
        """Yield the messages in the order of the source, with their verdicts."""
        for decided in self._kept.decided():
            if self._program.queue(decided.message.queue).atomic:
                yield _together(decided)
            else:
                yield decided

    def _take(self, queue: CompiledQueue, messages: Sequence[SourceMessage]) -> None:
        records = [each.to_deliver() for each in messages]
        plans = self._planner.plan_all(queue, records)
        again: Iterable[PlannedMessage | None] = [None] * len(records)
        if self._hooked.intersection(each.route.name for each in queue.routes):
            again = self._planner.plan_all(queue, records)
        for message, planned, other in zip(messages, plans, again, strict=True):
            self._position += 1
            kept = KeptMessage(self._position, queue.name, message.shown_id, message.place)
            digest = hashlib.sha256(message.record.body.encode()).digest()[:16]
            if self._kept.add(kept, digest) and message.has_own_id:
                decided = MessageVerdict("duplicate", "the source has the message before")
            elif other and (planned.outcome, planned.writes) != (other.outcome, other.writes):
                decided = undecided("its plugin makes another item each time")
            elif planned.outcome is None:
                self._touch(planned)
                self._kept.add_writes(kept, self._new_writes(queue, message, planned.writes))
                continue
            else:
                decided = self._decide(queue, message, planned.outcome)
            route = planned.outcome.route if planned.outcome else ""
            self._kept.decide([(self._position, RouteVerdict(route, (), decided))])

    def _touch(self, planned: PlannedMessage) -> None:
        """Read the items of the first message of each route.

        A table that cannot be read ends the command before a source of any length is planned.
        """
        routes = {write.route for write in planned.writes}
        if routes <= self._touched:
            return
        self._touched |= routes
        for _, (table, key) in touched_by(planned):
            self._reader.read(table, [key])

    def _new_writes(
        self, queue: CompiledQueue, message: SourceMessage, writes: Sequence[Write]
    ) -> Iterator[NewWrite]:
        # A condition of one write of a transaction decides about the others.
        is_sure = not queue.atomic or len(writes) == 1 or not any(map(_is_conditional, writes))
        for write in writes:
            unknown = self._unknown(write.route, message)
            yield NewWrite(write, unknown, self._key_until(write, message), is_sure)

    def _key_until(self, write: Write, message: SourceMessage) -> int | None:
        once = self._configs[write.route].once
        if once is None or write.idempotency_key is None:
            return None
        if once.key is None and not message.has_own_id:
            return 0
        end = write.idempotency_key.call["Item"].get(once.ttl, {"N": 0})
        return int(end["N"]) if once.ttl else None

    def _decide(
        self, queue: CompiledQueue, message: SourceMessage, outcome: Outcome
    ) -> MessageVerdict:
        """Return the verdict about a message of which nothing is to be written."""
        text = f"{outcome.code} {outcome.reason}".strip()
        if outcome.kind == "dropped":
            return MessageVerdict("dropped", text)
        for each in queue.routes:
            if unknown := self._unknown(each.route.name, message):
                return undecided(
                    f"it is {outcome.kind} without {unknown}, which the source does not say"
                )
        if outcome.kind == "rejected" and outcome.code != REDACTED.id:
            return MessageVerdict("rejected", text)
        return undecided(f"it cannot be planned: {text}")

    def _unknown(self, route: str, message: SourceMessage) -> str:
        """Return the first metadata of a message that a route reads and the source does not say, or ""."""
        return next((f"'{name}'" for name in self._metadata[route] if not _says(message, name)), "")

    def _judge(self, identity: Identity, history: History) -> Iterator[tuple[int, RouteVerdict]]:
        known: dict[Outcome, Outcome] = {}
        outcomes = []
        for order, kept in enumerate(self._kept.writes(identity, self._configs)):
            outcome = WRITTEN if kept.is_repeated else history.see(order, kept)
            outcomes.append(known.setdefault(outcome, outcome))
        history.end()
        for order, kept in enumerate(self._kept.writes(identity, self._configs)):
            config = self._configs[kept.write.route]
            verdict = judge(history, order, kept, config, outcomes[order])
            evidence = evidence_of(history, kept, config) if verdict.fate in LOST else None
            yield kept.position, RouteVerdict(kept.write.route, identity, verdict, evidence)


def _metadata(program: Program, name: str) -> tuple[str, ...]:
    """Return the metadata that a route reads of a message, those of its idempotency key excepted."""
    route = program.config.routes[name]
    found = {each for attribute in (route.item or {}).values() for each in meta_of(attribute)}
    return tuple(sorted(found - {"queue", "route"}))


def _says(message: SourceMessage, name: str) -> bool:
    """Return whether the source says a metadatum of a message, or that it has none."""
    if name == "message_id":
        return message.has_own_id
    system = message.record.attributes
    if name in META_TIMES:
        return META_TIMES[name] in system
    # A body comes with no more than times.
    return not system.keys() <= {*META_TIMES.values()}


def _is_conditional(write: Write) -> bool:
    return write.idempotency_key is not None or bool((write.call or {}).get("ConditionExpression"))


def _together(decided: Decided) -> Decided:
    """Return a message whose writes are one transaction: without a trace of one, none may have been made."""
    found = [each.verdict for each in decided.verdicts]
    if not any(each == SHARED or each.fate in WITHOUT_TRACE for each in found):
        return decided
    refused = undecided(
        "its transaction may have been refused, as another of its writes shows no trace"
    )
    verdicts = [
        msgspec.structs.replace(each, verdict=refused) if each.verdict.fate in LOST else each
        for each in decided.verdicts
    ]
    return Decided(decided.message, verdicts)


def _by_table(
    identities: Iterable[Identity], tables: Mapping[str, Table]
) -> Iterator[tuple[Table, list[Identity]]]:
    """Yield identities of one table, as many as are read together."""
    for name, some in groupby(identities, lambda each: each[0]):
        for batch in _batches(some, _READ_AT_A_TIME):
            yield tables[name], batch


def _batches(values: Iterable[Each], count: int) -> Iterator[list[Each]]:
    iterator = iter(values)
    while batch := list(islice(iterator, count)):
        yield batch
