"""Plans a message of which only its hooks are not known yet: it is decoded and validated by a struct.

Most hooks leave most messages as they are, often without a look at the data. So the data is decoded for them only when
they ask for it, and the item is written from the struct if nothing has.

Why: docs/decisions/2026-12-01-ways-beside-a-plain-put.md
"""

from collections.abc import Callable
from operator import is_
from typing import Any

from msgspec import UNSET, Struct

from router.model import Message, Record
from router.runtime.engine.decode import decode_json
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

_DATA: Any = Message.data
"""The place of the data in a message."""


class Undecoded(Struct, gc=False):
    """The text of the data of a message, and the data once something has asked for it; UNSET before."""

    text: str
    data: Any = UNSET
    decoder: Callable[[str], Any] = decode_json
    """A function, so that msgspec does not encode this in place of the data."""

    def decode(self) -> Any:
        """Return the data: the same object for all messages that are copies of one."""
        if self.data is UNSET:
            self.data = self.decoder(self.text)
        return self.data


class UndecodedMessage(Message, frozen=True, gc=False):
    """A message whose data is `Undecoded` until something asks for it; equal to the message with that data."""

    @property  # type: ignore[misc]
    def data(self) -> Any:
        """The JSON value."""
        data = _DATA.__get__(self)
        if data.__class__ is Undecoded:
            data = data.decode()
            _DATA.__set__(self, data)
        return data

    def _decoded(self) -> Message:
        return Message(self.data, self.id, self.queue, self.attributes, self.system)

    def __eq__(self, other: object) -> bool:
        return self._decoded() == other

    __hash__ = Message.__hash__

    def __repr__(self) -> str:
        return repr(self._decoded())

    def __reduce__(self) -> Any:
        return self._decoded().__reduce__()


def plan_hooked(
    queue: CompiledQueue, record: Record, data: Any, steps: TypedSteps
) -> PlannedMessage:
    """Return a record as `plan` does, whose body is that of `data`, which `steps` have validated."""
    route = queue.routes[0]
    body = Undecoded(record.body)
    # What SQS reported is the record's own.
    system = dict(record.attributes)
    given: Message = UndecodedMessage(body, record.message_id, queue.name, {}, system)
    message = given
    try:
        for step in route.transform_message:
            message = step(message, route.route)
        write = None
        if message is given and body.data is UNSET:
            write = _write(route, data, message, steps)
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


def _write(route: CompiledRoute, data: Any, message: Message, steps: TypedSteps) -> Write | None:
    """Return the write of data that no hook has seen; None if the general way decides about it."""
    try:
        write, item = steps.write(route.write, data, message)
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
    # The values before were scalars, which no hook can change in place. They are compared by identity, since 1 is equal
    # to True. A dict of another class may say anything of itself.
    if item.__class__ is dict and all(map(is_, item.values(), before.values())) and item == before:
        return write
    plan_item = route.plan_item or route.write.mode.plan
    return plan_item(route.write, item, message, 0)
