"""From records to tickets: decode, match, validate, transform, map, plan — with no write made yet."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from msgspec import Struct

from router import codes
from router.engine.backoff import Backoff
from router.engine.decode import Decoder
from router.engine.pointers import PointerFinder
from router.engine.ticket import Ticket
from router.engine.transaction import check_transaction
from router.engine.writes import WriteShape, plan_write
from router.errors import Drop, PluginError, Refusal, Reject, Retry
from router.model import Code, Item, Message, Outcome, Record, Route, Write

MAX_ELEMENTS = 10_000
"""The most elements that `for_each` takes from one message."""

Trace = Callable[[str, str, Any], None]
"""Told of each stage that a message passes: route (or ""), stage, value."""
Disposition = str


class CompiledRoute(Struct, frozen=True):
    """A route as plain callables; each is None where the route has no such stage.

    `map_items` gives the items of a message, each with what its `element` was; it raises Refusal.
    """

    route: Route
    shape: WriteShape
    when: Callable[[Any], bool] | None
    validate: Callable[[Any], Any] | None
    on_invalid: Disposition
    transform_message: tuple[Callable[[Message, Route], Message], ...]
    map_items: Callable[[Message], list[Item]]
    transform_item: tuple[Callable[[Item, Message, Route], Item], ...]


class CompiledQueue(Struct, frozen=True):
    """A queue and the routes that read it. `reference` is its name, URL or ARN; `dead_letter` too, or "".

    `pointers` finds what is to be fetched before a record is planned; None where nothing ever is.
    """

    name: str
    reference: str
    fifo: bool
    decode: Decoder
    routes: tuple[CompiledRoute, ...]
    first_only: bool
    unmatched: Disposition
    dead_letter: str
    atomic: bool = False
    backoff: Backoff = Backoff()
    pointers: PointerFinder | None = None


def plan(queue: CompiledQueue, record: Record, trace: Trace | None = None) -> Ticket:
    """What is to be done about a record: a ticket with its writes, or with an outcome if it is decided already."""
    try:
        data, attributes = queue.decode(record)
    except Refusal as refusal:
        return Ticket(record, _rejected(refusal))
    except Exception as error:  # a plugin's envelope may raise anything
        return Ticket(record, _failed(error))
    if trace:
        trace("", "decode", data)
    message = Message(data, record.message_id, queue.name, attributes, record.attributes)
    writes: list[Write] = []
    decided: list[Outcome] = []
    matched = False
    # Whether a plugin of one route could change what another route sees.
    copies = len(queue.routes) > 1 and not queue.first_only
    for route in queue.routes:
        if route.when is not None:
            holds = route.when(data)
            if trace:
                trace(route.route.name, "when", holds)
            if not holds:
                continue
        matched = True
        outcome = _plan_route(route, message, writes, copies, trace)
        if outcome is not None:
            decided.append(outcome)
        if queue.first_only:
            break
    if not matched:
        decided.append(_disposed(queue.unmatched, codes.NO_ROUTE, "no route takes the message"))
    return _ticket(record, writes, decided, queue.atomic) if decided or queue.atomic else Ticket(record, None, writes)


def _ticket(record: Record, writes: list[Write], decided: list[Outcome], atomic: bool) -> Ticket:
    """One rejection writes nothing, nor does one retry; a drop leaves the other routes' writes."""
    if atomic:
        try:
            check_transaction(writes)
        except Refusal as refusal:
            return Ticket(record, _rejected(refusal))
    for kind in ("rejected", "retry"):
        for outcome in decided:
            if outcome.kind == kind:
                return Ticket(record, outcome)
    return Ticket(record, None if writes else decided[0], writes)


def _plan_route(
    route: CompiledRoute, message: Message, writes: list[Write], copies: bool, trace: Trace | None
) -> Outcome | None:
    """Add the writes of one route; an outcome instead if it ends here."""
    name = route.route.name
    try:
        if route.validate is not None:
            invalid = route.validate(message.data)
            if trace:
                trace(name, "validate", invalid)
            if invalid is not None:
                return _disposed(route.on_invalid, codes.INVALID, invalid.reason, name, invalid.pointer)
        planned = _map(route, message, copies, trace)
    except Refusal as refusal:
        return _rejected(refusal, name)
    except Exception as error:  # a plugin may raise anything; its message stays on the queue
        return _failed(error, name)
    if not planned:
        return Outcome("dropped", codes.DROPPED.id, "for_each found an empty list", name)
    writes += planned
    return None


def _map(route: CompiledRoute, message: Message, copies: bool, trace: Trace | None) -> list[Write]:
    told = route.route
    if copies and (route.transform_message or route.transform_item):
        # A plugin may change the data in place, and another route must not see that.
        message = message.with_data(deepcopy(message.data))
    for transform in route.transform_message:
        message = transform(message, told)
    if trace and route.transform_message:
        trace(told.name, "transform message", message.data)
    items = route.map_items(message)
    if not trace and not route.transform_item:
        return [plan_write(route.shape, item, message, index) for index, item in enumerate(items)]
    if len(items) > 1:
        # Nor must an item see what a plugin did to another: elements of `for_each` may share parts of the message.
        items = [deepcopy(item) for item in items]
    if trace:
        trace(told.name, "map", items)
    writes = []
    for index, item in enumerate(items):
        for transform_item in route.transform_item:
            item = transform_item(item, message, told)  # noqa: PLW2901 — a pipeline
        if trace and route.transform_item:
            trace(told.name, "transform item", item)
        write = plan_write(route.shape, item, message, index)
        if trace:
            trace(told.name, "write", write)
        writes.append(write)
    return writes


def _rejected(refusal: Refusal, route: str = "") -> Outcome:
    return Outcome("rejected", refusal.code.id, refusal.reason, route, refusal.pointer)


def _disposed(disposition: Disposition, code: Code, reason: str, route: str = "", pointer: str = "") -> Outcome:
    """What `dead_letter`, `drop` or `retry` of the config makes of a message."""
    kinds: Mapping[str, Any] = {"dead_letter": "rejected", "drop": "dropped", "retry": "retry"}
    return Outcome(kinds[disposition], code.id, reason, route, pointer)


def _failed(error: Exception, route: str = "") -> Outcome:
    """What an exception from a plugin's code means for the message."""
    match error:
        case Drop():
            return Outcome("dropped", codes.DROPPED.id, error.reason or "dropped by a plugin", route)
        case Reject():
            return Outcome("rejected", codes.PLUGIN_REJECTED.id, error.reason or "rejected by a plugin", route)
        case Retry():
            return Outcome(
                "retry", codes.PLUGIN_RETRY.id, error.reason or "a plugin asks to retry", route, delay=error.delay
            )
        case PluginError():
            return Outcome("retry", codes.PLUGIN_FAILED.id, str(error), route)
        case _:
            return Outcome("retry", codes.PLUGIN_FAILED.id, f"unexpected {type(error).__name__}", route)


class Engine(Struct, frozen=True):
    """The compiled config: its queues by name, and by what SQS calls them."""

    queues: Mapping[str, CompiledQueue]
    by_reference: Mapping[str, CompiledQueue]

    def queue_of(self, arn: str) -> CompiledQueue | None:
        """The queue of an ARN: an ARN or URL in the config matches wholly, a name matches in any account."""
        parts = arn.split(":")
        for known in (3, 2, 1):
            queue = self.by_reference.get(":".join(parts[-known:]))
            if queue is not None:
                return queue
        return None

    def plan(self, queue: CompiledQueue, records: Sequence[Record]) -> list[Ticket]:
        """The tickets of a batch, in the order of the records."""
        return [plan(queue, record) for record in records]
