"""Decides for which queues the fast path is compiled: what decodes, validates and maps in one step.

Compiling it takes about a millisecond, which a cold start with few messages does without. Of many queues whose routes
differ in their names and tables only, each would get too few messages: what is compiled is theirs together.

Why: docs/decisions/mechanisms-that-hold-a-floor.md
"""

from collections.abc import Callable
from typing import cast

from router.model import Message, Record
from router.runtime.engine.attributes import MAX_ITEM_BYTES
from router.runtime.engine.engine import CompiledQueue, PlanTyped, TypedSteps
from router.runtime.engine.writes import PlannedMessage

COMPILE_AFTER = 50
"""So many messages of a shape are planned in the general way, or those of its last batch."""
TRIES = 3
"""So many messages of a batch may be refused; the rest of the batch does without a try."""

_Plans = tuple[PlanTyped, ...]
_Steps = tuple[TypedSteps, ...]
FastPath = Callable[[Record], PlannedMessage | None]
"""Returns a message as `plan` does, or None if it is not the usual one: `plan` is to be called."""


class FastPaths:
    """The fast paths of the queues of a process; queues whose routes have one shape share what is compiled.

    Threads may count a batch less, or compile a fast path twice: nothing but time depends on that.
    """

    def __init__(self) -> None:
        self._shapes: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._compiled: dict[str, _Plans | _Steps] = {}
        self._of_queues: dict[str, _Plans | _Steps] = {}

    def of(self, queue: CompiledQueue, messages: int) -> FastPath | None:
        """Return the fast path for the next messages of a queue; None if it has none, or not yet."""
        name = queue.name
        if name not in self._of_queues:
            route = queue.plain_route
            if route is None or route.compile_typed is None:
                self._of_queues[name] = ()
                return None
            # A large schema makes it long: it is made once.
            shape = self._shapes.get(name) or self._shapes.setdefault(name, route.shape())
            if shape not in self._compiled:
                seen = self._seen.get(shape, 0) + messages
                self._seen[shape] = seen
                if seen <= COMPILE_AFTER:
                    return None
                try:
                    self._compiled[shape] = route.compile_typed()
                except Exception:
                    # The general way plans the messages.
                    self._compiled[shape] = ()
            self._of_queues[name] = self._compiled[shape]
            self._shapes.pop(name, None)
        typed = self._of_queues[name]
        if typed and isinstance(typed[0], TypedSteps):
            return _hooked_path(queue, typed)
        return _fast_path(queue, cast("_Plans", typed)) if typed else None


def _fast_path(queue: CompiledQueue, plans: _Plans) -> FastPath:
    name, config = queue.name, queue.routes[0].write
    tries = TRIES
    typed, *others = plans
    later = _fast_path(queue, tuple(others)) if others else None

    def plan_fast(record: Record) -> PlannedMessage | None:
        nonlocal tries, typed, later
        body = record.body
        if record.message_attributes or "\\" in body or len(body) > MAX_ITEM_BYTES or not tries:
            return None
        try:
            message = Message(None, record.message_id, name, {}, record.attributes)
            return PlannedMessage(record, None, [typed(config, body, message)])
        except BaseException as error:
            # What a plugin raises is decided by `plan`, which raises it again. Ctrl-C ends a command.
            if isinstance(error, KeyboardInterrupt):
                raise
        planned = later(record) if later else None
        if planned:
            # The messages of a batch are alike: what took this one takes the next.
            (typed,), later = others, None
        else:
            tries -= 1
        return planned

    return plan_fast


def _hooked_path(queue: CompiledQueue, plans: _Steps) -> FastPath:
    # Queues without hooks do without the module.
    from router.runtime.engine.decode import JSON
    from router.runtime.engine.hooked import plan_hooked

    tries = TRIES

    def plan_fast(record: Record) -> PlannedMessage | None:
        nonlocal tries, plans
        body = record.body
        if record.message_attributes or "\\" in body or len(body) > MAX_ITEM_BYTES or not tries:
            return None
        for steps in plans:
            try:
                typed, data = steps.validate(body), JSON.decode(body)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                continue
            if steps is not plans[0]:
                # The messages of a batch are alike: what took this one takes the next.
                plans = (steps,)
            return plan_hooked(queue, record, data, typed, steps)
        tries -= 1
        return None

    return plan_fast
