"""The source `meta`: metadata of the message, such as its id or the time at which it was sent."""

from typing import Annotated

from msgspec import Meta

from router.model import META_TIMES, time_text
from router.runtime.config_types import MetaName
from router.runtime.sources import AttributeSource, Computed, GetValue, Lookup

ID_LENGTH = 128
"""Longest message id, group id, deduplication id or sender id, in characters."""
_SYSTEM_NAMES = {
    "group_id": "MessageGroupId",
    "sequence_number": "SequenceNumber",
    "deduplication_id": "MessageDeduplicationId",
    "sender_id": "SenderId",
}
_FIFO_ONLY = ("sequence_number", "deduplication_id")
_FIXED = ("queue", "route")
"""Those that are the same for all messages of a route."""


def _getter(name: str, route: str, as_number: bool) -> GetValue:
    if name in META_TIMES:
        if as_number:
            return lambda data, message: message.epoch_ms(name)
        key = META_TIMES[name]
        return lambda data, message: time_text(message.system.get(key))
    if name in _SYSTEM_NAMES:
        key = _SYSTEM_NAMES[name]
        return lambda data, message: message.system.get(key)
    if name == "message_id":
        return lambda data, message: message.id
    if name == "queue":
        return lambda data, message: message.queue
    if name == "route":
        return lambda data, message: route
    attribute = name.removeprefix("attribute.")
    return lambda data, message: message.attributes.get(attribute)


def _values(name: str, fifo: bool, type_: str) -> Computed:
    if name in META_TIMES:
        number = type_ == "N"
        return Computed("number" if number else "string", None if number else 24, milliseconds=True)
    if name.startswith("attribute."):
        gap = f"senders may leave out the message attribute '{name.removeprefix('attribute.')}'"
        return Computed("", missing=True, gap=gap)
    missing: bool | None = False
    gap = ""
    if not fifo and name in _FIFO_ONLY:
        missing = True
        gap = f"messages of a standard queue have no '{name}'"
    elif not fifo and name == "group_id":
        # Fair queues: senders may give messages of standard queues a group.
        missing = True
        gap = "senders may leave out the group of a message on a standard queue"
    return Computed("string", ID_LENGTH, missing=missing, gap=gap, fixed=name in _FIXED)


SOURCE = AttributeSource(
    key="meta",
    spec=Annotated[
        MetaName,
        Meta(
            description="Metadata of the message: `message_id`, `sent_at`, `first_received_at`, `group_id`, "
            "`sequence_number`, `deduplication_id`, `sender_id`, `queue`, `route`, or `attribute.NAME`.",
            examples=["sent_at"],
        ),
    ],
    compile=lambda name, compiler: Lookup(
        _getter(name, compiler.route, compiler.type == "N"),
        reads_data=False,
        plain=name in META_TIMES and compiler.type != "N",
    ),
    expressions=lambda name: (),
    meta=lambda name: (name,),
    values=_values,
)
