"""Plans a record: decode, match, validate, transform and map it into writes, none of which is made yet."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from msgspec import Struct, structs

from router import codes
from router.errors import Rejection
from router.model import Item, Message, Outcome, Record, Route
from router.runtime.engine.attributes import memory_bytes, memory_of_scalars
from router.runtime.engine.backoff import Backoff, OutageBackoff
from router.runtime.engine.decode import Decoder, PointerFinder, decode_plain
from router.runtime.engine.identity import with_original_identity
from router.runtime.engine.item_text import ValueTexts, texts_for
from router.runtime.engine.outcomes import Disposition, Redactor, disposed, failed, rejected
from router.runtime.engine.writes import PlannedMessage, Write, WriteConfig, check_transaction

MAX_ELEMENTS = 10_000
"""The most elements that `for_each` takes from one message."""

MAX_PLANNED_BYTES = 256 * 1024 * 1024
"""The most memory that the items of one message may take: `for_each` can copy the message onto each of its lines."""

Trace = Callable[[str, str, Any], None]
"""Called after each stage of a message with the route (or ""), the stage and its result."""


class OutOfBudget(Exception):
    """Planning a message takes more time than there is."""


class Budget:
    """The time that planning a message may take, here without a bound.

    Only `for_each` can take more than a time that the size of the message bounds.
    """

    def start(self) -> None:
        """Count from now on."""

    def check(self) -> None:
        """Raise OutOfBudget if the time is used up."""


UNLIMITED = Budget()


PlanPut = Callable[[WriteConfig, Message, ValueTexts], Write]
"""From a message to its one write; `texts_for` the text of the data."""
PlanItem = Callable[[WriteConfig, Item, Message, int], Write]
"""From an item, its message and its place among the items of the message to its write, as the mode plans it."""
PlanTyped = Callable[[WriteConfig, str, Message], Write]
"""From the text of the data, and the message without data, to the one write.

The text is no longer than an item may be, and has no backslash. For a text that it does not take, whether valid or not,
it raises some exception.
"""


class TypedSteps(Struct, frozen=True):
    """What a `PlanTyped` does, in two steps: the hooks of plugins run after each of them."""

    validate: Callable[[str], Any]
    """From the text of the data to a struct of it; for a text that it does not take it raises some exception."""
    write: Callable[[WriteConfig, Any, Message], tuple[Write, Item | None]]
    """From the struct to the one write, and its item if a hook gets it; raises some exception if it cannot."""
    is_flat: bool
    """Whether each attribute that is of the data is a member of it, and no list or object."""


class CompiledRoute(Struct, frozen=True):
    """A route as plain callables; each is None where the route has no such stage.

    `map_items` returns the items of a message, one after the other; it raises Rejection, and OutOfBudget.
    """

    route: Route
    write: WriteConfig
    when: Callable[[Any], bool] | None
    validate: Callable[[Any], Any] | None
    on_invalid: Disposition
    transform_message: tuple[Callable[[Message, Route], Message], ...]
    map_items: Callable[[Message, Budget], Iterable[Item]]
    transform_item: tuple[Callable[[Item, Message, Route], Item], ...]
    plan_put: PlanPut | None = None
    """Plans the put or delete of the one item of a message as text, as `map_items` and the write mode do."""
    plan_item: PlanItem | None = None
    """Plans the put of an item as text, as the write mode does, where `plan_put` does not plan that of a message."""
    compile_typed: Callable[[], tuple[PlanTyped, ...] | tuple[TypedSteps, ...]] | None = None
    """Returns what also decodes and validates: what takes more messages comes later, and is slower.

    These are steps if there are hooks.
    """
    shape: Callable[[], str] = str
    """Returns what `compile_typed` depends on: routes of one shape may share its result."""


_RouteT = TypeVar("_RouteT")


class RouteIndex(Struct, frozen=True):
    """The places in `routes` of a queue of those whose `when` can hold, by the text at a path of the message.

    `others` are those for any other value; under each text they are listed too.
    """

    look: Callable[[Any], Any]
    by_text: Mapping[str, tuple[int, ...]]
    others: tuple[int, ...]

    def select(self, routes: Sequence[_RouteT], data: Any) -> list[_RouteT]:
        """Return the routes of which one or more may take a message, in their order."""
        value = self.look(data)
        places = self.by_text.get(value, self.others) if isinstance(value, str) else self.others
        return [routes[place] for place in places]


class CompiledQueue(Struct, frozen=True):
    """A queue and the routes that read it. `reference` is its name, URL or ARN; `dead_letter` too, or "".

    `outage` is the back-off of messages that met an outage, `backoff` that of the others.
    `pointers` finds the object in S3 that holds a record's payload, and `redaction` redacts values; None where there is
    never one. `index` selects the routes whose `when` can hold; None where all are asked.
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
    outage: OutageBackoff = OutageBackoff()
    pointers: PointerFinder | None = None
    redaction: Redactor | None = None
    index: RouteIndex | None = None

    @property
    def plain_route(self) -> CompiledRoute | None:
        """The only route, if it takes each body as the JSON of a message, and can write what it plans."""
        is_plain = self.decode is decode_plain and self.redaction is None and not self.atomic
        if is_plain and len(self.routes) == 1 and self.routes[0].when is None:
            return self.routes[0]
        return None


class Engine(Struct, frozen=True):
    """The compiled config: its queues by name, and by their names, URLs or ARNs at SQS."""

    queues: Mapping[str, CompiledQueue]
    by_reference: Mapping[str, CompiledQueue]

    def queue_of(self, arn: str) -> CompiledQueue | None:
        """Return the queue of an ARN: an ARN or URL in the config matches wholly, a name matches in any account."""
        parts = arn.split(":")
        for known in (3, 2, 1):
            queue = self.by_reference.get(":".join(parts[-known:]))
            if queue is not None:
                return queue
        return None


def plan(
    queue: CompiledQueue, record: Record, trace: Trace | None = None, budget: Budget = UNLIMITED
) -> PlannedMessage:
    """Return a record as planned: with its writes, or the outcome that is decided without any; raises OutOfBudget."""
    try:
        data, attributes = queue.decode(record)
        message = Message(data, record.message_id, queue.name, attributes, record.attributes)
        if record.message_attributes and queue.dead_letter:
            redacted = queue.redaction.names if queue.redaction else frozenset()
            message = with_original_identity(message, record, redacted)
    except Rejection as rejection:
        return _decided(queue, record, rejected(rejection))
    except BaseException as error:  # a plugin's envelope may raise anything
        return _decided(queue, record, _failed(error, "", trace))
    if trace:
        trace("", "decode", data)
    writes: list[Write] = []
    decided: list[Outcome] = []
    # A plugin of one route could change what another route reads.
    is_shared = len(queue.routes) > 1 and not queue.first_only
    text = record.body if queue.decode is decode_plain else None
    # A trace shows the conditions that do not hold, too.
    routes = (
        queue.routes if queue.index is None or trace else queue.index.select(queue.routes, data)
    )
    for route in routes:
        if route.when is not None:
            holds = route.when(data)
            if trace:
                trace(route.route.name, "when", holds)
            if not holds:
                continue
        planned = _plan_route(route, message, text, is_shared, trace, budget)
        if isinstance(planned, Outcome):
            decided.append(planned)
        else:
            writes += planned
        if queue.first_only:
            break
    if not writes and not decided:
        decided.append(disposed(queue.unmatched, codes.NO_ROUTE, "no route takes the message"))
    # Most messages do without a call of `_combine`, which returns the same for them.
    is_plain = not decided and not queue.atomic
    return (
        PlannedMessage(record, None, writes)
        if is_plain
        else _combine(queue, record, writes, decided)
    )


def _failed(error: BaseException, route: str, trace: Trace | None) -> Outcome:
    if trace:
        trace(route, "failed", error)
    return failed(error, route)


def _decided(
    queue: CompiledQueue, record: Record, outcome: Outcome | None, writes: list[Write] | None = None
) -> PlannedMessage:
    if outcome is not None and queue.redaction is not None:
        outcome = queue.redaction.redact_reason(record, outcome)
    return PlannedMessage(record, outcome, writes or [])


def _combine(
    queue: CompiledQueue, record: Record, writes: list[Write], decided: list[Outcome]
) -> PlannedMessage:
    """Return the planned message of all routes together.

    If one route rejects or retries a message, no write is made. If one drops it, writes by its other routes are still
    made.
    """
    if queue.atomic:
        try:
            check_transaction(writes)
        except Rejection as rejection:
            return _decided(queue, record, rejected(rejection))
    for kind in ("rejected", "retry"):
        for outcome in decided:
            if outcome.kind == kind:
                return _decided(queue, record, outcome)
    return _decided(queue, record, None if writes else decided[0], writes)


def _plan_route(
    route: CompiledRoute,
    message: Message,
    text: str | None,
    is_shared: bool,
    trace: Trace | None,
    budget: Budget,
) -> list[Write] | Outcome:
    """Return the writes of one route, or the outcome if it makes none; `text` is the JSON of the data, if known."""
    name = route.route.name
    try:
        if route.validate is not None:
            invalid = route.validate(message.data)
            if trace:
                trace(name, "validate", invalid)
            if invalid is not None:
                return disposed(
                    route.on_invalid, codes.INVALID, invalid.reason, name, invalid.pointer
                )
        if route.transform_message or route.transform_item:
            message = _transform_message(route, message, is_shared, trace)
            text = None
        if route.plan_put is not None and trace is None:
            return [route.plan_put(route.write, message, texts_for(text))]
        planned = map_message(route, message, trace, budget)
    except OutOfBudget:
        raise
    except BaseException as error:  # a plugin may raise anything; its message stays on the queue
        return outcome_of(error, route, trace)
    return planned or Outcome("dropped", codes.DROPPED.id, "for_each found an empty list", name)


def outcome_of(error: BaseException, route: CompiledRoute, trace: Trace | None) -> Outcome:
    """Return the outcome of a message whose planning for a route ended with an exception."""
    name = route.route.name
    if not isinstance(error, Rejection):
        return _failed(error, name, trace)
    about_item = error.code in (codes.BAD_KEY, codes.BAD_ITEM)
    subject = f"table '{route.write.table.name}': " if about_item else ""
    return rejected(error, name, subject)


def _transform_message(
    route: CompiledRoute, message: Message, is_shared: bool, trace: Trace | None
) -> Message:
    """Return the message of one route after the hooks of its plugins, which may change it in place."""
    data = deepcopy(message.data) if is_shared else message.data
    # What SQS reported is the record's own: its group decides about the order of writes.
    message = structs.replace(
        message, data=data, attributes=dict(message.attributes), system=dict(message.system)
    )
    for transform in route.transform_message:
        message = transform(message, route.route)
    if trace and route.transform_message:
        trace(route.route.name, "transform message", message.data)
    return message


def map_message(
    route: CompiledRoute, message: Message, trace: Trace | None, budget: Budget
) -> list[Write]:
    """Return the writes of a message after its hooks, with the hooks of its items."""
    items = route.map_items(message, budget)
    config = route.write
    # A trace shows the items of writes, which a text has to be decoded for.
    plan_write = config.mode.plan if route.plan_item is None or trace else route.plan_item
    # Elements of `for_each` may share parts of the message, and a plugin may change one item in place.
    is_copied = bool(route.transform_item) and not isinstance(items, list)
    if trace:
        items = [*items]
        trace(route.route.name, "map", items)
    writes: list[Write] = []
    planned = 0
    for index, item in enumerate(items):
        if route.transform_item:
            item = _transform(route, deepcopy(item) if is_copied else item, message, trace)  # noqa: PLW2901 — a pipeline
        write = plan_write(config, item, message, index)
        if trace:
            trace(route.route.name, "write", write)
        writes.append(write)
        if index:
            planned += (
                memory_bytes(write.item)
                if write.request is None
                else max(write.size, memory_of_scalars(item))
            )
            if planned > MAX_PLANNED_BYTES:
                what = f"the items of 'for_each' take more than {MAX_PLANNED_BYTES} bytes of memory"
                raise Rejection(codes.OUT_OF_BOUNDS, what)
    return writes


def _transform(route: CompiledRoute, item: Item, message: Message, trace: Trace | None) -> Item:
    for transform_item in route.transform_item:
        item = transform_item(item, message, route.route)
    if trace:
        trace(route.route.name, "transform item", item)
    return item
