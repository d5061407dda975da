"""Test support for plugins and configs: records, DynamoDB and SQS in memory, and the delivery of a batch.

::

    program = load_program(Path("routes.yaml"), {})
    run = deliver(program, "orders", [record({"id": "o-1"})])
    assert run.tables.items("orders") == [{"id": "o-1"}]
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from router.model import Outcome, Record
from router.runtime.aws.calls import boottime
from router.runtime.aws.protocols import Aws
from router.runtime.config import spec
from router.runtime.deliver.delivery import Delivery, DeliveryOptions
from router.runtime.deliver.time_limits import FixedDeadline
from router.runtime.program.load import Program, load_program
from router.tools.dev.records import META, RECEIPT_HANDLE, make_body
from router.tools.dev.starting import start_plugins
from router.tools.memory.tables import MemoryQueues, MemoryTables

__all__ = ["MemoryQueues", "MemoryTables", "Run", "deliver", "load_program", "record"]

_SECONDS = 60.0


def record(
    message: Any = None,
    *,
    body: str | None = None,
    queue: spec.Queue | None = None,
    message_id: str = "",
    attributes: Mapping[str, Any] | None = None,
    **system: str,
) -> Record:
    """Return a record of a message, wrapped in the envelopes of a queue's settings, or of a body.

    `attributes` are message attributes: text is a String, a number a Number, bytes a Binary. `system` are SQS's own
    attributes, as SentTimestamp="1767323045678"; others have the values of `router test`. Each record has a message id
    of its own unless one is given.
    """
    text = make_body(message, queue or spec.Queue()) if body is None else body
    sent = {name: _attribute(value) for name, value in (attributes or {}).items()}
    return Record(message_id or str(uuid.uuid4()), RECEIPT_HANDLE, text, {**META, **system}, sent)


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"DataType": "Binary", "BinaryValue": value}
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    return {"DataType": "Number", "StringValue": str(value)}


class Run(Struct, frozen=True):
    """The result of a delivery: the outcome of each message in order, and the tables and queues after it."""

    outcomes: tuple[Outcome, ...]
    acknowledged: tuple[bool, ...]
    tables: MemoryTables
    queues: MemoryQueues

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """The attribute `router` of each dead letter: code, reason, pointer …"""
        return [
            msgspec.json.decode(letter.message_attributes["router"]["StringValue"])
            for letters in self.queues.letters.values()
            for letter in letters
        ]


def deliver(
    program: Program,
    queue: str,
    records: Sequence[Record],
    *,
    tables: MemoryTables | None = None,
    queues: MemoryQueues | None = None,
) -> Run:
    """Deliver one batch of a queue, by its name in the config, into tables in memory; raises UsageError.

    To test a second delivery, pass the `tables` of the first run. `router_start` of the plugins runs before the first
    delivery of a program.
    """
    start_plugins(program)
    tables = tables or MemoryTables.of(program)
    queues = queues or MemoryQueues()
    delivery = Delivery(program, Aws(tables, queues), options=DeliveryOptions(interruptible=True))
    delivered = delivery.deliver(
        program.queue(queue), records, FixedDeadline(boottime() + _SECONDS)
    )
    return Run(
        tuple(each.outcome for each in delivered),
        tuple(each.acknowledged for each in delivered),
        tables,
        queues,
    )
