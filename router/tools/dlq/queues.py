"""The dead-letter queues of a config, and the lease of the messages of one while a command works on them.

SQS has no way to look at a message without receiving it: messages are received with a visibility timeout, which is
extended while the command works, and set to 0 at its end. If the command is killed, they become visible by themselves.

A lease has an end, counted from before the call that received or extended the message. If the process is suspended for
longer, others may have the message: it is neither extended nor made visible any more, and it must not be delivered.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Self

from msgspec import Struct

from router.errors import UsageError
from router.model import iso_ms
from router.runtime.aws.calls import Clock, boottime
from router.runtime.aws.causes import in_words
from router.runtime.aws.protocols import Aws, AwsFault, Queues, Receipt
from router.runtime.aws.references import is_fifo, queue_name
from router.runtime.aws.sqs import BATCH_ENTRIES, max_receive_count, redrive_target
from router.runtime.program.load import Program
from router.tools.control_plane.deployed import DENIED
from router.tools.dlq.messages import DlqMessage, Selection
from router.tools.dlq.spool import Spool

VISIBILITY_SECONDS = 120
"""The visibility timeout of leased messages: how long they stay invisible if the command is killed.

The leases are extended after a third of it, while the command works.
"""
RECEIVE_COUNT = 100
"""Messages of one round of receives at most, ten a call."""
WAIT_SECONDS = 1
"""How long a receive waits for its first message.

A receive that waits asks all servers of SQS, one that does not only some of them: so an empty one means that no message
is visible. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
"""
CALL_SECONDS = 60.0
"""The time-out of the calls for up to 1,000 messages together, ten a call."""
IN_FLIGHT_LIMIT = 120_000
"""Of a queue, about; a receive that waits is empty then, without an error. Quotas for standard and FIFO queues:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
_NOT_LEASED = frozenset({"InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid"})
"""Faults of a message that is deleted, visible, or received by others: there is nothing to release.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html"""

Progress = Callable[[int], None]
"""Called with the number of messages done so far."""
_VISIBLE = "ApproximateNumberOfMessages"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
Selects = Callable[[DlqMessage], bool]
"""Returns whether a command works on a message."""
Attributes = Callable[[str], Mapping[str, str] | None]
"""Returns the attributes of a queue by its URL; None if they cannot be read."""


class DlqLease:
    """Leases messages of one dead-letter queue into a spool; a context that releases at its end what is left of them.

    `unreleased` is the number of messages that could not be made visible, and `fault` why; they become visible after
    VISIBILITY_SECONDS at most.
    """

    lasting = False

    def __init__(
        self,
        queues: Queues,
        name: str,
        url: str,
        spool: Spool,
        visibility: int = 0,
        clock: Clock = boottime,
    ) -> None:
        """`name` is the queue's name for messages to the user; `visibility` is by default VISIBILITY_SECONDS."""
        self.unreleased = 0
        self.fault: AwsFault | None = None
        self._queues = queues
        self._name = name
        self._url = url
        self._spool = spool
        self._visibility = visibility or VISIBILITY_SECONDS
        self._clock = clock
        self._ended = threading.Event()
        self._renewals = threading.Thread(target=self._renew, name="dlq-lease", daemon=True)
        # Ctrl-C interrupts the main thread only: what a receive brings then is not lost, but released.
        self._receiver = ThreadPoolExecutor(1, "dlq-receive")

    @property
    def fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return is_fifo(self._url)

    def __enter__(self) -> Self:
        self._renewals.start()
        # Its thread starts here: an interrupt while it starts would leave it running.
        self._receiver.submit(int).result()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._receiver.shutdown()
        # A renewal that ends later would make released messages invisible again.
        self._renewals.join(CALL_SECONDS)
        # A spool that could not be written can mostly be read; else the messages become visible by themselves.
        with suppress(UsageError):
            for receipts in self._spool.receipts(self._clock()):
                self._release(receipts)

    def _release(self, receipts: Sequence[Receipt]) -> None:
        changes = [(id_, handle, 0) for id_, handle in receipts]
        failed = self._queues.change_visibility(self._url, changes, CALL_SECONDS).values()
        faults = [fault for fault in failed if fault.code not in _NOT_LEASED]
        self.unreleased += len(faults)
        self.fault = next(iter(faults), self.fault)

    def receive(
        self,
        selects: Selects,
        limit: int | None = None,
        progress: Progress = lambda done: None,
        expected: int = 0,
    ) -> int:
        """Receive the visible messages, or until `limit` are selected; return the number of new selected messages.

        Messages that are not selected are leased too, since SQS would return them again. `expected` is about how many
        are visible: it decides how many calls are made at a time, and a receive is repeated if it is empty before so
        many have come. It is not relied on, as SQS's counts are approximate. Raises UsageError.
        """
        return self._receiver.submit(self._receive, selects, limit, progress, expected).result()

    def _receive(
        self,
        selects: Selects,
        limit: int | None,
        progress: Progress,
        expected: int,
    ) -> int:
        new = empty = last = 0
        while not self._ended.is_set() and (limit is None or new < limit):
            until = self._clock() + self._visibility
            # Full calls: after calls that were all full, one more than those.
            count = min(-(-max(expected, last + 1) // BATCH_ENTRIES) * BATCH_ENTRIES, RECEIVE_COUNT)
            received = self._queues.receive(self._url, count, WAIT_SECONDS, self._visibility)
            if isinstance(received, AwsFault):
                raise UsageError(self._explain(received))
            last = len(received)
            expected -= last
            empty = 0 if received else empty + 1
            for record in received:
                message = DlqMessage.of(record)
                chosen = selects(message) and (limit is None or new < limit)
                new += self._spool.add(message, selected=chosen, until=until) and chosen
            progress(len(self._spool))
            if empty > (expected > 0):
                break
        return new

    def delete(self, ids: Sequence[str]) -> dict[str, AwsFault]:
        """Delete messages from the queue and the spool; return the faults of those that are still on the queue."""
        receipts = [(id_, handle) for id_, (handle, _) in self._spool.leases(ids).items()]
        failed = self._queues.delete(self._url, receipts, CALL_SECONDS)
        self._spool.remove(id_ for id_ in ids if id_ not in failed)
        return failed

    def leased_until(self, ids: Sequence[str]) -> dict[str, float]:
        """Return the moment of the clock at which the lease of each message ends."""
        return {id_: until for id_, (_, until) in self._spool.leases(ids).items()}

    def extend(self) -> None:
        """Extend the leases that are not over."""
        for receipts in self._spool.receipts(self._clock()):
            if self._ended.is_set():
                return
            until = self._clock() + self._visibility
            changes = [(id_, handle, self._visibility) for id_, handle in receipts]
            failed = self._queues.change_visibility(self._url, changes, CALL_SECONDS)
            extended = [receipt for receipt in receipts if receipt[0] not in failed]
            self._spool.extend(extended, until)

    def _renew(self) -> None:
        # Without renewals the leases end, and then nothing of them is delivered.
        with suppress(UsageError):
            while not self._ended.wait(self._visibility / 3):
                self.extend()

    def _explain(self, fault: AwsFault) -> str:
        if fault.code.endswith("OverLimit"):
            # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
            return (
                f"too many messages of '{self._name}' are in flight: SQS allows about {IN_FLIGHT_LIMIT:,}; wait for "
                "its other consumers, or select fewer with --limit"
            )
        why = explain_code(fault.code, "sqs:ReceiveMessage")
        advice = "" if fault.kind == "configuration" else "; try again"
        return f"cannot receive from '{self._name}': {why}{advice}"


class DeadLetterQueue(Struct, frozen=True):
    """A dead-letter queue: its reference, URL, about how many messages are visible, and its own maxReceiveCount."""

    reference: str
    url: str
    visible: int = 0
    max_receives: int = 0
    """If not 0, the queue has a redrive policy of its own: looking at a message so often moves it."""
    retention: int = 0
    """For how many seconds it keeps a message; 0 is not known."""

    @property
    def name(self) -> str:
        """The name at SQS."""
        return queue_name(self.reference)

    @property
    def fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return is_fifo(self.reference)


class OpenQueue(Struct, frozen=True):
    """A dead-letter queue while a command works on it.

    `unseen` is about how many messages were not received; None if SQS does not say. `elsewhere` is about how many of
    them other consumers have in flight: 0 if they may be unseen because the selection reached its limit (`limited`), or
    because they are behind others of their group.
    """

    queue: DeadLetterQueue
    spool: Spool
    lease: DlqLease
    selects: Selects
    unseen: int | None
    elsewhere: int
    limited: bool
    first_end: str
    """When SQS deletes the first of the messages that were received, ISO 8601; "" is not known."""


def find_queues(
    program: Program,
    aws: Aws,
    attributes: Attributes,
    sources: frozenset[str],
    given: str | None,
    place: str,
) -> list[DeadLetterQueue]:
    """Return the dead-letter queues of the sources (empty: all), or the one that is given by name, ARN or URL.

    That of a source without `dead_letter` is the one of its redrive policy at SQS. Messages of a source that the config
    does not have may be on any. `place` is what errors say of where the queues are. Raises UsageError if there is none,
    or one does not exist.
    """
    if not sources <= program.engine.queues.keys():
        sources = frozenset()
    references = [given] if given else list(_references(program, aws, attributes, sources, place))
    if not references:
        raise UsageError(
            "no queue has a dead-letter queue: set 'dead_letter', or name one with --dead-letter"
        )
    return [_describe(aws, attributes, reference, place) for reference in dict.fromkeys(references)]


def _references(
    program: Program, aws: Aws, attributes: Attributes, sources: frozenset[str], place: str
) -> Iterator[str]:
    for name, queue in program.engine.queues.items():
        if sources and name not in sources:
            continue
        if queue.dead_letter:
            yield queue.dead_letter
            continue
        found = attributes(_open(aws, queue.reference, f"the queue '{name}'", place))
        if found is None:
            raise UsageError(
                f"the redrive policy of the queue '{name}' cannot be read: the command needs sqs:GetQueueAttributes on "
                "it; or name its dead-letter queue with --dead-letter"
            )
        if target := redrive_target(found):
            yield target


def explain_code(code: str, action: str) -> str:
    """Return the error code of a call and what it means, or the IAM action that the caller lacks."""
    return f"{code}; the command needs {action}" if code in DENIED else in_words(code)


def _open(aws: Aws, reference: str, what: str, place: str) -> str:
    url = aws.queues.url(reference, CALL_SECONDS)
    if isinstance(url, AwsFault):
        why = explain_code(url.code, "sqs:GetQueueUrl")
        raise UsageError(f"{what} cannot be opened{place}: {why}")
    return url


def _describe(aws: Aws, attributes: Attributes, reference: str, place: str) -> DeadLetterQueue:
    url = _open(aws, reference, f"the dead-letter queue '{reference}'", place)
    found = attributes(url) or {}
    return DeadLetterQueue(
        reference,
        url,
        int(found.get(_VISIBLE, 0)),
        max_receive_count(found),
        int(found.get("MessageRetentionPeriod", 0)),
    )


@contextmanager
def opened(
    program: Program,
    aws: Aws,
    attributes: Attributes,
    queue: DeadLetterQueue,
    selection: Selection,
    limit: int | None,
    progress: Progress,
    see: Callable[[DlqMessage], object] = lambda message: None,
) -> Iterator[OpenQueue]:
    """Receive the messages of a queue, and release at the end those that were not deleted; raises UsageError.

    `see` gets each message, selected or not.
    """
    first = math.inf

    def selects(message: DlqMessage) -> bool:
        nonlocal first
        first = min(first, message.end_ms(queue.retention))
        see(message)
        return selection.selects(message, message.find_queue(program, queue.reference))

    with Spool(queue.fifo) as spool, DlqLease(aws.queues, queue.name, queue.url, spool) as lease:
        selected = lease.receive(selects, limit, progress, queue.visible)
        unseen = None
        found = attributes(queue.url)
        if found is not None:
            # Both together: for some time SQS counts received messages as visible.
            there = int(found.get(_VISIBLE, 0)) + int(found.get(_IN_FLIGHT, 0))
            unseen = max(0, there - len(spool))
        limited = selected == limit
        elsewhere = 0 if limited or (queue.fifo and len(spool)) else unseen or 0
        end = "" if first == math.inf else iso_ms(int(first)) or ""
        yield OpenQueue(queue, spool, lease, selects, unseen, elsewhere, limited, end)
