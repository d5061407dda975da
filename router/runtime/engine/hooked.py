"""Plans a message of which only its hooks are not known yet: a struct has decoded and validated it.

Hooks get the data as a dict, and the item. Most hooks leave most messages as they are: then the item is written from
the struct.

Why: docs/decisions/mechanisms-that-hold-a-floor.md
"""

from operator import is_
from typing import Any

from router.model import Item, Message, Record
from router.runtime.engine.engine import (
    UNLIMITED,
    CompiledQueue,
    CompiledRoute,
    OutOfBudget,
    TypedSteps,
    map_message,
    outcome_of,
)
from router.runtime.engine.item_text import SCALARS
from router.runtime.engine.writes import PlannedMessage, Write


def plan_hooked(
    queue: CompiledQueue, record: Record, data: Any, typed: Any, steps: TypedSteps
) -> PlannedMessage:
    """Return a record as `plan` does, whose body is that of `data`; `steps` have validated it as the struct `typed`."""
    route = queue.routes[0]
    # What SQS reported is the record's own.
    message = Message(data, record.message_id, queue.name, {}, {**record.attributes})
    is_same = True
    try:
        if route.transform_message:
            before = data.copy()
            for step in route.transform_message:
                message = step(message, route.route)
            is_same = steps.is_flat and message.data is data and _is_same(data, before)
        write = _write(route, typed, message, steps) if is_same else None
        if write is not None:
            writes = [write]
        elif route.plan_put is not None:
            writes = [route.plan_put(route.write, message, SCALARS)]
        else:
            writes = map_message(route, message, None, UNLIMITED)
    except OutOfBudget:
        raise
    except BaseException as error:  # a plugin may raise anything; its message stays on the queue
        return PlannedMessage(record, outcome_of(error, route, None))
    return PlannedMessage(record, None, writes)


def _is_same(values: Item, before: Item) -> bool:
    """Whether hooks have left the values of a dict, which they cannot change in place.

    They are compared by identity, since 1 is equal to True.
    """
    return all(map(is_, values.values(), before.values())) and values == before


def _write(route: CompiledRoute, typed: Any, message: Message, steps: TypedSteps) -> Write | None:
    """Return the write of data that no hook has changed; None if the general way decides about it."""
    try:
        write, item = steps.write(route.write, typed, message)
    except BaseException as error:
        # What a plugin raises is raised again. Ctrl-C ends a command.
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    if item is None:
        return write
    before = item.copy()
    for step in route.transform_item:
        item = step(item, message, route.route)
    # A dict of another class may say anything of itself.
    if item.__class__ is dict and _is_same(item, before):
        return write
    plan_item = route.plan_item or route.write.mode.plan
    return plan_item(route.write, item, message, 0)
