"""Postpones messages that meet an outage: sends a copy of each to its queue, with a delay.

A message that is hidden is in flight, and SQS delivers nothing more of a queue that has 120,000 in
flight. A delayed message is not in flight.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html

Why: docs/decisions/in-lambda-an-outage-sends-copies.md
"""

import time
from collections.abc import Iterable

from router import codes
from router.model import Record, iso_ms
from router.runtime.aws.protocols import OutgoingMessage, Queues
from router.runtime.config import spec
from router.runtime.deliver.dead_letters import describe_failure, outgoing_of, with_failure
from router.runtime.deliver.visibility import Delivered
from router.runtime.engine.backoff import jitter
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import ATTRIBUTE, read_failed
from router.runtime.sources import meta_of

IN_FLIGHT_MOST = 30_000
"""The messages in flight above which others are postponed.

SQS's count may be a minute old. Three quarters of its quota are room for what fails meanwhile.
"""
COUNT_SECONDS = 15
"""How long a count of the messages in flight is used."""
SHORTEST_DELAY, LONGEST_DELAY = 675, 900
"""Seconds, of which SQS allows 900; messages that were postponed together return apart."""
_CODES = (codes.RETRY_LATER.id, codes.CONFIGURATION_ERROR.id, codes.NO_DEAD_LETTER.id)
"""Those of messages that met an outage: no dead letter has one."""


def can_postpone(queue: CompiledQueue, config: spec.Config) -> bool:
    """Return whether messages of a queue may be replaced by copies.

    A FIFO queue has no delays of single messages. Without a dead-letter queue, nobody reads the
    original identity of a copy. The sender of a copy is the router, which no route may store.
    """
    if queue.fifo or not queue.dead_letter:
        return False
    attributes = [
        attribute
        for route in config.routes.values()
        if route.queue == queue.name
        for attribute in (route.item or {}).values()
    ]
    return not any("sender_id" in meta_of(attribute) for attribute in attributes)


def postpone(
    queues: Queues,
    queue: CompiledQueue,
    url: str,
    failed: Iterable[Delivered],
    in_flight: int,
    timeout: float,
    config: str,
) -> frozenset[str]:
    """Postpone messages that met an outage; return the ids of those that are to be deleted.

    Those are postponed that were before, within `outlast` of their first failure, so that they do
    not fill the quota when they return, and with many messages `in_flight` all. `config` is the
    hash of the running config.
    """
    outlasted = iso_ms(int(time.time() - queue.outage.outlast) * 1000) or ""
    copies = []
    for each in failed:
        if in_flight > IN_FLIGHT_MOST or _was_postponed(each.record, outlasted):
            copy = _copy(queue, each, config)
            # Without the attribute it would be another message.
            if ATTRIBUTE in copy.message_attributes:
                copies.append(copy)
    if not copies:
        return frozenset()
    unsent = queues.send(url, copies, timeout)
    return frozenset(copy.id for copy in copies if copy.id not in unsent)


def _was_postponed(record: Record, outlasted: str) -> bool:
    """Return whether a message is a copy that first failed after a time, ISO 8601."""
    failed = read_failed(record)
    return (
        failed is not None and failed.code in _CODES and (failed.first_failed_at or "") > outlasted
    )


def _copy(queue: CompiledQueue, delivered: Delivered, config: str) -> OutgoingMessage:
    record = delivered.record
    delay = round(jitter(SHORTEST_DELAY, LONGEST_DELAY))
    copy = outgoing_of(record, fifo=False, delay=delay)
    return with_failure(copy, describe_failure(queue, record, delivered.outcome, config))
