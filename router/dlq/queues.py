"""The dead-letter queues of a config, and one that is opened: its messages received, leased and spooled."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from msgspec import Struct

from router.aws.faults import DENIED
from router.aws.protocols import Aws, AwsFault
from router.aws.references import is_fifo, queue_name
from router.aws.sqs import max_receive_count, redrive_target
from router.dlq.lease import CALL_SECONDS, DlqLease, Progress
from router.dlq.messages import DlqMessage, Selection
from router.dlq.spool import Spool
from router.errors import UsageError
from router.program.load import Program

_VISIBLE = "ApproximateNumberOfMessages"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
Attributes = Callable[[str], Mapping[str, str] | None]
"""Returns the attributes of a queue by its URL; None if they cannot be read."""


class DeadLetterQueue(Struct, frozen=True):
    """A dead-letter queue: its reference, URL, about how many messages are visible, and its own maxReceiveCount."""

    reference: str
    url: str
    visible: int = 0
    max_receives: int = 0
    """If not 0, the queue has a redrive policy of its own: looking at a message so often moves it."""

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
    selects: Callable[[DlqMessage], bool]
    unseen: int | None
    elsewhere: int = 0
    limited: bool = False


def find_queues(
    program: Program, aws: Aws, attributes: Attributes, sources: frozenset[str], given: str | None, place: str = ""
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
        raise UsageError("no queue has a dead-letter queue: set 'dead_letter', or name one with --dead-letter")
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


def _open(aws: Aws, reference: str, what: str, place: str) -> str:
    url = aws.queues.url(reference, CALL_SECONDS)
    if isinstance(url, AwsFault):
        needs = "; the command needs sqs:GetQueueUrl" if url.code in DENIED else ""
        raise UsageError(f"{what} cannot be opened{place}: {url.code}{needs}")
    return url


def _describe(aws: Aws, attributes: Attributes, reference: str, place: str) -> DeadLetterQueue:
    url = _open(aws, reference, f"the dead-letter queue '{reference}'", place)
    found = attributes(url) or {}
    return DeadLetterQueue(reference, url, int(found.get(_VISIBLE, 0)), max_receive_count(found))


def _count_unseen(attributes: Attributes, queue: DeadLetterQueue, received: int) -> int | None:
    found = attributes(queue.url)
    if found is None:
        return None
    # Both together: for some time SQS counts received messages as visible.
    return max(0, int(found.get(_VISIBLE, 0)) + int(found.get(_IN_FLIGHT, 0)) - received)


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

    def selects(message: DlqMessage) -> bool:
        see(message)
        return selection.selects(message, message.find_queue(program, queue.reference))

    with Spool(queue.fifo) as spool, DlqLease(aws.queues, queue.name, queue.url, spool) as lease:
        selected = lease.receive(selects, limit, progress, queue.visible)
        unseen = _count_unseen(attributes, queue, len(spool))
        limited = selected == limit
        elsewhere = 0 if limited or (queue.fifo and len(spool)) else unseen or 0
        yield OpenQueue(queue, spool, lease, selects, unseen, elsewhere, limited)
