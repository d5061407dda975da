"""Runs a message through a route of a version, as its queue holds it, without the other routes of the queue."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from router import codes
from router.change.routes import RouteVersion
from router.dev.records import MESSAGE_ID, META, RECEIPT_HANDLE, make_body
from router.dev.run_tests import show_request
from router.engine.attributes import decode_item
from router.engine.engine import plan
from router.errors import UsageError
from router.model import WRITTEN, Item, Outcome, Record

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
        body = make_body(message, route.queue_settings, route.version.program.plugins.envelopes)
    except (UsageError, ValueError, TypeError):
        return None
    return Record(MESSAGE_ID, RECEIPT_HANDLE, body, META)


def run(route: RouteVersion, record: Record) -> RouteResult:
    """Plan a record on a route, after the earlier routes of its queue if that matches the first."""
    planned = plan(route.isolated, record)
    outcome = planned.outcome or WRITTEN
    writes = [write for write in planned.writes if write.route == route.name]
    # Nothing to write for an empty list is no refusal, nor is what a plugin drops.
    dropped = outcome.kind == "dropped" and outcome.route == route.name and outcome.code == codes.DROPPED.id
    items = [decode_item(write.item) for write in writes]
    requests = [show_request(write, route.queue.atomic) for write in writes]
    return RouteResult(bool(writes) or dropped, outcome, items, requests)
