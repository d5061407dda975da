"""Samples of `router new` from a queue: received, and visible again at the end."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from msgspec import Struct

from router.errors import UsageError
from router.model import Record
from router.runtime.aws.connect import connect
from router.runtime.aws.protocols import Aws, AwsFault
from router.runtime.aws.references import is_fifo, queue_name
from router.runtime.aws.sqs import max_receive_count, redrive_target
from router.tools.cli.dlq_options import stop_on_sigterm
from router.tools.cli.dlq_session import read_attributes
from router.tools.cli.masked_output import tell
from router.tools.cli.terminal import progress_bar
from router.tools.dev.new.samples import Body, Fetch, SampleSet, open_samples, parse_body
from router.tools.dlq.queues import CALL_SECONDS, DlqLease
from router.tools.dlq.spool import Spool

_CONNECTIONS = 4
_MAX_OBJECT_BYTES = 16 * 1024 * 1024


class LiveSamples(Struct, frozen=True):
    """Messages of a queue, its name, and its settings in a config: it exists, so that a stack must not create it."""

    name: str
    samples: SampleSet
    settings: Mapping[str, Any]


def sample_queue(reference: str, count: int) -> LiveSamples:
    """Receive up to `count` messages of a queue, given by name, ARN or URL, and release them; raises UsageError."""
    aws = connect(_CONNECTIONS)
    name = queue_name(reference)
    records, attributes = receive_records(aws, reference, count)
    bodies = []
    for record in records:
        place = f"message {record.message_id}"
        bodies.append(Body(parse_body(record.body, place), place))
    if not bodies:
        raise UsageError(f"there is no visible message on '{name}'")
    settings: dict[str, Any] = {"managed": False}
    target = redrive_target(attributes)
    if target:
        settings["dead_letter"] = queue_name(target)
    return LiveSamples(name, open_samples(bodies, _fetcher(aws)), settings)


def receive_records(aws: Aws, reference: str, count: int) -> tuple[list[Record], Mapping[str, str]]:
    """Return up to `count` messages of a queue, which become visible again, and its attributes; raises UsageError."""
    from router.tools.control_plane.clients import connect_services

    stop_on_sigterm()
    name = queue_name(reference)
    url = aws.queues.url(reference, CALL_SECONDS)
    if isinstance(url, AwsFault):
        raise UsageError(f"the queue '{reference}' cannot be opened: {url.cause}")
    attributes = read_attributes(connect_services(("sqs",))["sqs"], url) or {}
    receives = max_receive_count(attributes)
    if receives:
        tell(f"note: this counts as one of {receives} receives of each message")
    with Spool(is_fifo(name)) as spool, DlqLease(aws.queues, name, url, spool) as lease:
        with progress_bar(f"receiving from {name}", count) as progress:
            lease.receive(lambda message: True, count, progress)
        # A receive returns up to ten.
        return [message.record for message in islice(spool.selected(), count)], attributes


def _fetcher(aws: Aws) -> Fetch:
    def fetch(bucket: str, key: str) -> bytes:
        found = aws.objects.fetch(bucket, key, _MAX_OBJECT_BYTES, CALL_SECONDS)
        if isinstance(found, AwsFault):
            raise UsageError(f"a payload in bucket '{bucket}' cannot be read: {found.cause}")
        return found

    return fetch
