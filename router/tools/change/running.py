"""Runs messages through a route of a version, without the other routes of its queue, and compares two versions.

A recording is run against the outcomes in it, or against another version.
"""

import os
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


Entry = Mapping[str, Any]
"""What differs if a recording is run, as it is reported."""


class RouteResult(Struct, frozen=True):
    """What becomes of a message on one route: whether the route takes it, its outcome, items and requests."""

    taken: bool
    outcome: Outcome
    items: Sequence[Item] = ()
    requests: Sequence[Mapping[str, Any]] = ()

    def describe(self) -> str:
        """Return the outcome in words, without a value of the message."""
        if self.taken:
            return self.outcome.kind
        if self.outcome.kind == "written":
            return self.refusal
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
    refused = _index_refusal(route, writes)
    if refused:
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

    @property
    def in_words(self) -> str:
        """What differs."""
        return f"attribute '{self.attribute}': {self.what}" if self.attribute else self.what


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
    found: dict[str, ItemDifference] = {}
    for message, record in records:
        for each in _compare(message, run(old, record), run(new, record), taking):
            found.setdefault(each.in_words, each)
    return list(found.values())


def _compare(
    message: Any, old: RouteResult, new: RouteResult, taking: bool
) -> Iterator[ItemDifference]:
    if not (old.taken and new.taken):
        what = ""
        if old.taken != new.taken:
            if taking:
                what = "no longer taken" if old.taken else "newly taken"
        elif old.outcome.kind != new.outcome.kind:
            what = f"{old.outcome.kind} → {new.outcome.kind}"
        if what:
            yield ItemDifference("", what, message, old.describe(), new.describe())
        return
    if len(old.items) != len(new.items):
        yield ItemDifference("", "number of items", message, _items(old), _items(new))
        return
    same = True
    for was, is_ in zip(old.items, new.items, strict=True):
        for name in {**was, **is_}:
            kind = _kind_of_difference(was, is_, name)
            if kind:
                same = False
                before, after = cell(was.get(name, ABSENT)), cell(is_.get(name, ABSENT))
                yield ItemDifference(name, kind, message, before, after)
    if same and old.requests != new.requests:
        before, after = "; ".join(map(cell, old.requests)), "; ".join(map(cell, new.requests))
        yield ItemDifference("", "request", message, before, after)


def _kind_of_difference(before: Item, after: Item, name: str) -> str:
    """Return how an attribute differs; "" if it does not."""
    one, two = before.get(name, ABSENT), after.get(name, ABSENT)
    is_same_type = type(one) is type(two)
    if is_same_type and one == two:
        return ""
    if name not in before:
        return "added"
    if name not in after:
        return "removed"
    return "value" if is_same_type else "type"


def _items(result: RouteResult) -> str:
    return f"{len(result.items)} items" if len(result.items) != 1 else "1 item"


def tests_of(route: RouteVersion) -> Iterator[tuple[Any, Record]]:
    """Yield the messages of the tests of a route, with their records; those that cannot be read are left out."""
    program = route.version.program
    for sent in chain.from_iterable(test.received for test in route.settings.tests):
        try:
            record = make_record(
                sent, route.queue_settings, program.plugins.envelopes, program.folder
            )
        except UsageError:
            continue
        yield record.body if isinstance(sent.message, UnsetType) else sent.message, record


def run_recording(recording: Recording, config: Path, against: str | None) -> list[Entry]:
    """Return what differs if a recording is run: from its outcomes, or from the version `against`; raises UsageError.

    Each kind of difference has its first message, and the number of such messages.
    """
    old = None
    with ExitStack() as stack:
        if against is None:
            new = open_version(str(config), config, os.environ, stack)
        else:
            old, new = open_versions(against, str(config), config, os.environ, stack)
        if recording.head.queue not in new.program.engine.queues:
            raise UsageError(
                f"no route of {config} reads the queue '{recording.head.queue}' of the recording"
            )
        return _versions(recording, old, new) if old else _outcomes(recording, new)


def _outcomes(recording: Recording, new: ConfigVersion) -> list[Entry]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for recorded in recording.messages:
        now = outcome_of(new.program, recording.head.queue, recorded.message)
        if now == recorded:
            continue
        before, after = _in_words(recorded), _in_words(now)
        entry = _entry("outcome", recorded.message, before, after, 0)
        found.setdefault((before, after), entry)["count"] += 1
    return list(found.values())


def _entry(what: str, message: Any, before: str, after: str, count: int) -> dict[str, Any]:
    return {"what": what, "message": message, "before": before, "after": after, "count": count}


def _in_words(result: RecordedMessage) -> str:
    words = [result.outcome]
    if result.code:
        words.append(result.code)
    if result.routes:
        words.append(f"by {', '.join(result.routes)}")
    return " ".join(words)


def _versions(recording: Recording, old: ConfigVersion, new: ConfigVersion) -> list[Entry]:
    found: list[Entry] = []
    queue = recording.head.queue
    pairs = pair(routes_of(old), routes_of(new))
    for before, after in pairs.both:
        if queue not in (before.settings.queue, after.settings.queue):
            continue
        entries: dict[str, dict[str, Any]] = {}
        for recorded in recording.messages:
            record = record_of(before, recorded.message)
            if record is None:
                continue
            # A message counts once for each kind of difference.
            for each in differences(before, after, [(recorded.message, record)], taking=True):
                what = each.in_words
                entry = _entry(what, each.message, each.before, each.after, 0)
                entries.setdefault(what, {"route": after.name, **entry})["count"] += 1
        found += entries.values()
    for route in pairs.removed:
        if route.settings.queue == queue:
            found.append({"route": route.name, **_entry("is removed", None, "", "", 1)})
    return found
