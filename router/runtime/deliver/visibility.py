"""What was delivered, and when the messages become visible again that are left on their queue."""

import math
from collections.abc import Iterable

from msgspec import Struct

from router import codes
from router.model import Outcome, Record, Result, read_epoch_ms
from router.runtime.aws.protocols import VisibilityTimeout
from router.runtime.engine.engine import CompiledQueue

_INFRASTRUCTURE = (codes.RETRY_LATER.id, codes.NO_DEAD_LETTER.id)


class Delivered(Struct, frozen=True, gc=False):
    """A message, its outcome, and whether it is to be deleted from its queue."""

    record: Record
    outcome: Outcome
    acknowledged: bool

    def result(self, queue: str) -> Result:
        """Return what is logged, and shown to observers; `queue` is the name of its queue."""
        record = self.record
        return Result(
            record.message_id,
            queue,
            self.outcome,
            record.receive_count,
            record.attributes.get("SenderId", ""),
            read_epoch_ms(record.attributes.get("SentTimestamp")),
        )


def is_infrastructure_failure(outcome: Outcome) -> bool:
    """Return whether no message is at fault.

    A table, bucket or queue fails then, or is not as the config says.
    """
    return outcome.configuration_error or outcome.code in _INFRASTRUCTURE


def visibility_timeouts(
    queue: CompiledQueue,
    delivered: Iterable[Delivered],
    longest: int,
) -> list[VisibilityTimeout]:
    """Return the visibility timeouts of messages that are not acknowledged, `longest` at most.

    Messages that were not started become visible at once. A rejected message is left out: the
    visibility timeout of the queue applies.
    """
    timeouts = []
    for each in delivered:
        if not each.acknowledged:
            wait = _wait(queue, each, longest)
            if wait is not None:
                timeouts.append((each.record.message_id, each.record.receipt_handle, wait))
    return timeouts


def _wait(queue: CompiledQueue, delivered: Delivered, longest: int) -> int | None:
    """Return the visibility timeout of a message in seconds; None to leave the one of the queue."""
    outcome = delivered.outcome
    receive_count = delivered.record.receive_count
    if outcome.kind == "rejected":
        return None
    if is_infrastructure_failure(outcome):
        return min(queue.outage.wait(receive_count), longest)
    if outcome.delay is not None:
        return min(math.ceil(outcome.delay), longest)
    return queue.backoff.wait(receive_count)
