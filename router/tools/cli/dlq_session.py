"""The config, the connection and the selection that the commands of `router dlq` share."""

import logging
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from router.errors import UsageError
from router.model import Table
from router.runtime.aws.connect import connect
from router.runtime.aws.faults import translate
from router.runtime.aws.protocols import Aws, AwsFault
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.writes import StoredItem
from router.runtime.program.load import Loaded, Program, load_any
from router.tools.cli.dlq_report import describe_unreleased, describe_unseen
from router.tools.cli.options import Repeated, parse_expression
from router.tools.cli.terminal import literal, output, progress_bar
from router.tools.dlq.messages import DlqMessage, Selection, UnknownNames
from router.tools.dlq.queues import (
    Attributes,
    DeadLetterQueue,
    OpenQueue,
    Progress,
    find_queues,
    opened,
)
from router.tools.dlq.redacted import as_redacted
from router.tools.dlq.rehearse import ReadItem

if TYPE_CHECKING:
    from router.tools.control_plane.clients import ServiceClient

T = TypeVar("T")
_CONNECTIONS = 40
_QUEUES = 8
"""Of how many dead-letter queues messages are counted at a time."""
_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class DlqOptions(Struct, frozen=True):
    """The options that select messages."""

    config: Path
    queues: Repeated = ()
    routes: Repeated = ()
    codes: Repeated = ()
    pointers: Repeated = ()
    since: str | None = None
    where: str | None = None
    ids: Repeated = ()
    limit: int | None = None
    dead_letter: str | None = None

    def selection(self) -> Selection:
        """Return the selection; raises UsageError for a time or expression that is not valid."""
        return Selection(
            frozenset(self.queues),
            frozenset(self.routes),
            frozenset(self.codes),
            frozenset(self.pointers),
            frozenset(self.ids),
            parse_time(self.since, datetime.now(UTC)),
            parse_expression(self.where, "--where"),
        )


def parse_time(text: str | None, now: datetime, option: str = "--since") -> datetime | None:
    """Return the time of an option such as `--since`, if it is given; raises UsageError."""
    if not text:
        return None
    match = _AGO.fullmatch(text)
    if match:
        try:
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        except OverflowError:
            raise UsageError(f"{option} {text} is too long ago") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} is '{text}'; give 90s, 30m, 2h or 3d, or an ISO 8601 time"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class DlqSession(Struct, frozen=True):
    """The config and the connection of one command."""

    loaded: Loaded
    program: Program
    aws: Aws
    services: "Mapping[str, ServiceClient]"
    attributes: Attributes
    read_item: ReadItem
    queues: tuple[DeadLetterQueue, ...]
    selection: Selection
    limit: int | None
    unknown: UnknownNames

    def each_opened(self) -> AbstractContextManager[Iterator[OpenQueue]]:
        """Enter with an iterator over the dead-letter queues, each with its messages leased until the next one.

        At the end they are released, also if the iteration stops before its end.
        """
        return closing(self._each_opened())

    def _each_opened(self) -> Generator[OpenQueue, None, None]:
        limited = False
        for number, queue in enumerate(self.queues, 1):
            with self._open(queue) as found:
                limited = limited or found.limited
                if number == len(self.queues) and not limited:
                    self.unknown.require_none()
                yield found

    def map_opened(self, work: Callable[[OpenQueue], T]) -> list[T]:
        """Return what a function returns for each dead-letter queue, whose messages are leased meanwhile.

        Several queues are received from at a time: to know that one is empty takes a second.
        """
        stopped = Event()
        received = Counter[str]()
        for queue in self.queues:
            _warn(queue)

        def run(queue: DeadLetterQueue) -> tuple[OpenQueue, Sequence[str], T]:
            def count(done: int) -> None:
                if stopped.is_set():
                    raise CancelledError
                received[queue.url] = done
                progress(received.total())

            with self._lease(queue, count) as found:
                return found, list(describe_unseen(found)), work(found)

        first, *others = self.queues
        what = f"{len(self.queues)} dead-letter queues" if others else first.name
        visible = sum(queue.visible for queue in self.queues)
        with (
            progress_bar(f"receiving from {what}", visible or None) as progress,
            ThreadPoolExecutor(_QUEUES, "dlq-queue") as pool,
        ):
            try:
                results = list(pool.map(run, self.queues))
            finally:  # after an error, or an interrupt, the others end, too
                stopped.set()
                pool.shutdown(cancel_futures=True)
        for found, unseen, _ in results:
            _tell(unseen)
            _tell_unreleased(found)
        if not any(found.limited for found, _, _ in results):
            self.unknown.require_none()
        return [result for _, _, result in results]

    @contextmanager
    def _open(self, queue: DeadLetterQueue) -> Iterator[OpenQueue]:
        """Lease the messages of one dead-letter queue, with a progress bar."""
        _warn(queue)
        found = None
        try:
            with ExitStack() as stack:
                with progress_bar(
                    f"receiving from {queue.name}", queue.visible or None
                ) as progress:
                    found = stack.enter_context(self._lease(queue, progress))
                _tell(describe_unseen(found))
                yield found
        finally:
            if found:
                _tell_unreleased(found)

    def _lease(
        self, queue: DeadLetterQueue, progress: Progress
    ) -> AbstractContextManager[OpenQueue]:
        return opened(
            self.program,
            self.aws,
            self.attributes,
            queue,
            self.selection,
            self.limit,
            progress,
            self.unknown.see,
        )

    def redacted(self, queue: DeadLetterQueue, message: DlqMessage) -> DlqMessage:
        """Return a message as it may be shown and exported."""
        return as_redacted(self.program, message, message.find_queue(self.program, queue.reference))

    def names(self, queues: Iterable[CompiledQueue]) -> frozenset[str]:
        """Return the names that the config has for the messages and items of queues."""
        from router.tools.check.analysis.config_names import names_of

        return frozenset(
            names_of(self.loaded, self.program, (queue.name for queue in queues)).names
        )

    def queue_name(self, queue: DeadLetterQueue, message: DlqMessage) -> str:
        """Return the name of the queue that a message failed on; that of the failure if the config has none."""
        found = message.find_queue(self.program, queue.reference)
        if found:
            return found.name
        return message.failed.queue if message.failed else ""


def read_item(
    dynamodb: "ServiceClient", table: Table, key: StoredItem
) -> StoredItem | AwsFault | None:
    """Read an item, consistently; return a fault that may pass, and raise UsageError for others."""
    from router.tools.control_plane.clients import AwsCallError

    try:
        found = dynamodb.call("GetItem", TableName=table.name, Key=key, ConsistentRead=True)
    except AwsCallError as error:
        fault = translate(error.code)
        if fault.kind != "retry":
            raise UsageError(
                f"the table '{table.name}' cannot be read{dynamodb.place}: {error}"
            ) from None
        return fault
    item: StoredItem | None = found.get("Item")
    return item


def _warn(queue: DeadLetterQueue) -> None:
    if queue.max_receives:
        output(stderr=True).print(
            f"warning: {literal(queue.name)} has a redrive policy of its own: each command that looks at a message "
            f"counts as one of {queue.max_receives} receives"
        )


def _tell(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        output(stderr=True).print(literal(sentence))


def _tell_unreleased(found: OpenQueue) -> None:
    if found.lease.unreleased:
        _tell([describe_unreleased(found.lease)])


def open_session(options: DlqOptions) -> DlqSession:
    """Load the config and connect; raises RouterError."""
    from router.tools.control_plane.clients import connect_services

    selection = options.selection()
    loaded = load_any(options.config, os.environ)
    program = loaded.require()
    write_no_log()
    aws = connect(_CONNECTIONS)
    services = connect_services(("sqs", "dynamodb"))
    attributes = partial(read_attributes, services["sqs"])
    sources = frozenset(options.queues)
    place = services["sqs"].place
    queues = find_queues(program, aws, attributes, sources, options.dead_letter, place)
    return DlqSession(
        loaded,
        program,
        aws,
        services,
        attributes,
        partial(read_item, services["dynamodb"]),
        tuple(queues),
        selection,
        options.limit,
        UnknownNames(selection, program),
    )


def write_no_log() -> None:
    """Log nothing: the outcomes are shown by the command."""
    logging.getLogger("router").handlers = [logging.NullHandler()]
    logging.getLogger("router").propagate = False


def read_attributes(sqs: "ServiceClient", url: str) -> Mapping[str, str] | None:
    """Return the attributes of a queue; None if they cannot be read."""
    from router.tools.control_plane.clients import AwsCallError

    try:
        return dict(
            sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        )
    except AwsCallError:
        return None


@contextmanager
def finished_first() -> Iterator[None]:
    """Finish the block before Ctrl-C or SIGTERM ends the command; a second one ends it at once."""
    signals = (signal.SIGINT, signal.SIGTERM)
    received = []

    def receive(number: int, frame: object) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    before = [signal.signal(each, receive) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
    if received:
        raise KeyboardInterrupt
