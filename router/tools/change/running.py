"""Runs messages through a route of a version, without the other routes of its queue, and compares two versions.

A recording is run against the outcomes in it, or against another version.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct, UnsetType

from router import codes
from router.errors import UsageError
from router.model import WRITTEN, Item, Outcome, Record
from router.runtime.engine.engine import plan
from router.runtime.engine.writes import Write
from router.tools.change.recording import RecordedMessage, Recording, outcome_of
from router.tools.change.routes import RouteVersion, pair, routes_of
from router.tools.change.versions import ConfigVersion, open_version, open_versions
from router.tools.dev.compare import ABSENT, cell
from router.tools.dev.records import make_body, make_record, record_with
from router.tools.dev.requests import show_request
from router.tools.dev.starting import start_plugins_if_possible
from router.tools.memory.decoding import decode_item
from router.tools.memory.indexes import index_fault

WHEN_FAILS = "'when' does not hold"
"""Why a route does not take a message whose condition is false."""


class RouteResult(Struct, frozen=True):
    """What becomes of a message on one route: whether the route takes it, its outcome, items and requests."""

    taken: bool
    outcome: Outcome
    items: Sequence[Item] = ()
    requests: Sequence[Mapping[str, Any]] = ()

    def describe(self) -> str:
        """Return the outcome in words, without a value of the message."""
        if self.taken or self.outcome.kind == "written":
            return self.outcome.kind if self.taken else self.refusal
        return f"{self.outcome.kind} ({self.outcome.code} {self.outcome.reason})"

    @property
    def refusal(self) -> str:
        """Why the route does not take the message, in words."""
        if self.outcome.kind == "written":
            return "an earlier route takes it"
        return WHEN_FAILS if self.outcome.code == codes.NO_ROUTE.id else self.outcome.reason


def record_of(route: RouteVersion, message: Any) -> Record | None:
    """Return the record in which the queue of a route holds a message; None if an envelope cannot be made."""
    try:
        return record_with(
            make_body(message, route.queue_settings, route.version.program.plugins.envelopes)
        )
    except (UsageError, ValueError, TypeError):
        return None


def run(route: RouteVersion, record: Record) -> RouteResult:
    """Plan a record on a route, after the earlier routes of its queue if that matches the first."""
    start_plugins_if_possible(route.version.program)
    planned = plan(route.isolated, record)
    outcome = planned.outcome or WRITTEN
    writes = [write for write in planned.writes if write.route == route.name]
    # Nothing to write for an empty list is no refusal, nor is what a plugin drops.
    dropped = (
        outcome.kind == "dropped"
        and outcome.route == route.name
        and outcome.code == codes.DROPPED.id
    )
    if refused := _index_refusal(route, writes):
        return RouteResult(False, refused)
    items = [decode_item(write.item) for write in writes]
    requests = [show_request(write, route.queue.atomic) for write in writes]
    return RouteResult(bool(writes) or dropped, outcome, items, requests)


def _index_refusal(route: RouteVersion, writes: Sequence[Write]) -> Outcome | None:
    """Return the outcome of a message with an item that DynamoDB refuses for an index of its table, or None."""
    for name, index in route.table_settings.indexes.items():
        for write in writes:
            fault = index_fault(write.item, index)
            if fault and write.mode.stores != "nothing":
                reason = f"the table refuses the item for index '{name}': {fault}"
                return Outcome("rejected", codes.REFUSED.id, reason, route.name)
    return None


class ItemDifference(Struct, frozen=True):
    """A kind of difference, and the first message that has it; `before` and `after` are the values or results, as text.

    `attribute` is "" for a difference in the outcome, the number of items, or the request.
    """

    attribute: str
    what: str
    message: Any
    before: str
    after: str


def differences(
    old: RouteVersion,
    new: RouteVersion,
    records: Iterable[tuple[Any, Record]],
    *,
    taking: bool = False,
) -> list[ItemDifference]:
    """Return the first difference of each kind; `records` are messages, each with the record that holds it.

    With `taking`, it is one too that one version takes a message and the other does not; else that is left to verdicts.
    """
    found: dict[tuple[str, str], ItemDifference] = {}
    for message, record in records:
        before, after = run(old, record), run(new, record)
        for attribute, what, was, is_ in _compare(before, after, taking):
            found.setdefault((attribute, what), ItemDifference(attribute, what, message, was, is_))
    return list(found.values())


def _compare(
    old: RouteResult, new: RouteResult, taking: bool
) -> Iterator[tuple[str, str, str, str]]:
    if not (old.taken and new.taken):
        before, after = old.describe(), new.describe()
        if old.taken != new.taken and taking:
            yield "", "no longer taken" if old.taken else "newly taken", before, after
        elif old.taken == new.taken and old.outcome.kind != new.outcome.kind:
            yield "", f"{old.outcome.kind} → {new.outcome.kind}", before, after
        return
    if len(old.items) != len(new.items):
        yield "", "number of items", _items(old), _items(new)
        return
    same = True
    for was, is_ in zip(old.items, new.items, strict=True):
        for name in {**was, **is_}:
            if _differ(was, is_, name):
                same = False
                values = cell(was.get(name, ABSENT)), cell(is_.get(name, ABSENT))
                yield name, _kind(was, is_, name), *values
    if same and old.requests != new.requests:
        yield "", "request", "; ".join(map(cell, old.requests)), "; ".join(map(cell, new.requests))


def _differ(before: Item, after: Item, name: str) -> bool:
    one, two = before.get(name, ABSENT), after.get(name, ABSENT)
    return type(one) is not type(two) or one != two


def _kind(before: Item, after: Item, name: str) -> str:
    if name not in before:
        return "added"
    if name not in after:
        return "removed"
    return "value" if type(before[name]) is type(after[name]) else "type"


def _items(result: RouteResult) -> str:
    return f"{len(result.items)} items" if len(result.items) != 1 else "1 item"


def tests_of(route: RouteVersion) -> Iterator[tuple[Any, Record]]:
    """Yield the messages of the tests of a route, with their records; those that cannot be read are left out."""
    settings, envelopes = route.queue_settings, route.version.program.plugins.envelopes
    for sent in chain.from_iterable(test.received for test in route.settings.tests):
        try:
            record = make_record(sent, settings, envelopes, route.version.program.folder)
        except UsageError:
            continue
        yield record.body if isinstance(sent.message, UnsetType) else sent.message, record


def run_recording(
    recording: Recording, config: Path, against: str | None
) -> list[Mapping[str, Any]]:
    """Return what differs if a recording is run: from its outcomes, or from the version `against`; raises UsageError.

    Each kind of difference has its first message, and the number of such messages.
    """
    with ExitStack() as stack:
        old, new = _open(config, against, stack)
        if recording.head.queue not in new.program.engine.queues:
            raise UsageError(
                f"no route of {config} reads the queue '{recording.head.queue}' of the recording"
            )
        return _versions(recording, old, new) if old else _outcomes(recording, new)


def _open(
    config: Path, against: str | None, stack: ExitStack
) -> tuple[ConfigVersion | None, ConfigVersion]:
    if against is None:
        return None, open_version(str(config), config, os.environ, stack)
    return open_versions(against, str(config), config, os.environ, stack)


def _outcomes(recording: Recording, new: ConfigVersion) -> list[Mapping[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for recorded in recording.messages:
        now = outcome_of(new.program, recording.head.queue, recorded.message)
        if (now.outcome, now.code, now.routes) == (
            recorded.outcome,
            recorded.code,
            recorded.routes,
        ):
            continue
        before, after = _in_words(recorded), _in_words(now)
        entry = {
            "what": "outcome",
            "message": recorded.message,
            "before": before,
            "after": after,
            "count": 0,
        }
        found.setdefault((before, after), entry)["count"] += 1
    return list(found.values())


def _in_words(result: RecordedMessage) -> str:
    words = [result.outcome]
    if result.code:
        words.append(result.code)
    if result.routes:
        words.append(f"by {', '.join(result.routes)}")
    return " ".join(words)


def _versions(
    recording: Recording, old: ConfigVersion, new: ConfigVersion
) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    messages = [each.message for each in recording.messages]
    pairs = pair(routes_of(old), routes_of(new))
    for before, after in pairs.both:
        if recording.head.queue not in (before.settings.queue, after.settings.queue):
            continue
        records = []
        counts: Counter[tuple[str, str]] = Counter()
        for message in messages:
            record = record_of(before, message)
            if record is None:
                continue
            records.append((message, record))
            # A message counts once for each kind of difference.
            own = differences(before, after, [(message, record)], taking=True)
            counts.update((each.attribute, each.what) for each in own)
        for each in differences(before, after, records, taking=True):
            what = f"attribute '{each.attribute}': {each.what}" if each.attribute else each.what
            results = {
                "before": each.before,
                "after": each.after,
                "count": counts[each.attribute, each.what],
            }
            found.append({"route": after.name, "what": what, "message": each.message, **results})
    for route in pairs.removed:
        if route.settings.queue == recording.head.queue:
            gone = {"what": "is removed", "message": None, "before": "", "after": "", "count": 1}
            found.append({"route": route.name, **gone})
    return found
