"""The seam to AWS's data plane: what the router asks of SQS, DynamoDB and S3, in its own nouns.

What AWS answers is a value, never an exception: a `Fault` says why something was not done.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from router.aws.faults import Fault
from router.errors import MissingExtra, UsageError
from router.model import Action, AttributeValue, KeyType, Operation, Record

TRANSPORT_VARIABLE = "ROUTER_TRANSPORT"
"""The environment variable that chooses the client of the data plane: `direct` (the default) or `boto3`."""
_SDKS_OWN = frozenset({"endpoint_url", "use_fips_endpoint", "use_dualstack_endpoint", "ca_bundle"})
Request = dict[str, Any]
"""A request of BatchWriteItem: {"PutRequest": {"Item": {…}}} or {"DeleteRequest": {"Key": {…}}}."""
KeySchema = tuple[tuple[str, KeyType], ...]
"""The key attributes of a table and their types: the partition key, then the sort key if there is one."""
Received = tuple[str, str]
"""A message as its id and its receipt handle."""


class Answer(Struct, frozen=True):
    """What became of writes: with a fault, none of them is known to be made.

    `unprocessed` are the requests of a batch that are to be sent again. Where the fault is a failed condition,
    `position` tells of which action, and `stored` is the item that was there instead, if AWS told.
    """

    unprocessed: list[Request] = []
    fault: Fault | None = None
    position: int = 0
    stored: dict[str, AttributeValue] | None = None


class Letter(Struct, frozen=True):
    """A message to send; `message_attributes` are in SendMessage's shape, a binary value as bytes.

    `id` is the sender's name for it, in answers only. `group_id` and `deduplication_id` are left out if empty.
    """

    id: str
    body: str
    message_attributes: Mapping[str, Mapping[str, Any]] = {}
    group_id: str = ""
    deduplication_id: str = ""

    @property
    def size(self) -> int:
        """The bytes as SQS counts them: the body, and the names, types and values of the attributes."""
        size = _bytes(self.body)
        for name, attribute in self.message_attributes.items():
            value = attribute["BinaryValue"] if "BinaryValue" in attribute else attribute["StringValue"]
            size += _bytes(name) + _bytes(attribute["DataType"]) + _bytes(value)
        return size


class Tables(Protocol):
    """DynamoDB, as the router uses it; safe to call from several threads."""

    def batch_write(self, table: str, requests: list[Request]) -> Answer:
        """Put and delete at most 25 items of one table, once: trying again is the caller's part."""

    def write(self, operation: Operation, parameters: dict[str, Any]) -> Answer:
        """PutItem, UpdateItem or DeleteItem, once; the parameters name the table."""

    def transact(self, actions: Sequence[Action]) -> Answer:
        """At most 100 actions on distinct items in one TransactWriteItems, once."""

    def key_schema(self, table: str) -> KeySchema | Fault:
        """The key of a table, asked for once and then kept."""


class Pending(Protocol):
    """A call that was sent; its answer is read by `finish`, once. After `seconds` without any, it is not waited for."""

    @property
    def seconds(self) -> float:
        """How long an answer may take to come."""

    def fileno(self) -> int:
        """What to poll for the answer; -1 if there is nothing to wait for."""

    def finish(self, late: bool = False) -> Answer:
        """The answer, waiting for it; with `late`, only if it is there."""


@runtime_checkable
class Overlapping(Protocol):
    """Tables that can have several calls under way in one thread."""

    def begin_batch_write(self, table: str, requests: list[Request]) -> Pending:
        """Send what `batch_write` sends."""

    def begin_actions(self, actions: Sequence[Action]) -> Pending:
        """Send what `write` sends, or of several actions what `transact` sends."""


class Queues(Protocol):
    """SQS, as the router uses it; safe to call from several threads.

    `delete`, `send` and `release` take any number of messages, call SQS as often as its limits demand, and return the
    faults of those that failed, by id.
    """

    def url(self, reference: str) -> str | Fault:
        """The URL of a queue by its name, ARN or URL, asked for once and then kept."""

    def visibility(self, url: str) -> int | Fault:
        """The visibility timeout of a queue, in seconds."""

    def receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | Fault:
        """Up to `count` messages, each call that it takes waiting up to `wait_seconds`, 20 at most, for its first."""

    def delete(self, url: str, messages: Sequence[Received]) -> dict[str, Fault]:
        """Acknowledge messages."""

    def send(self, url: str, letters: Sequence[Letter]) -> dict[str, Fault]:
        """Send messages, in order."""

    def release(self, url: str, messages: Sequence[tuple[str, str, int]]) -> dict[str, Fault]:
        """Hide messages (id, receipt handle) for so many seconds from now; 0 shows them to others at once."""


class Objects(Protocol):
    """S3, as the router uses it; safe to call from several threads."""

    def fetch(self, bucket: str, key: str, max_bytes: int) -> bytes | Fault:
        """An object, once: trying again is the caller's part. One of more than `max_bytes` is refused: TOO_LARGE."""


TOO_LARGE = Fault("refused", "TooLarge", 200)
"""An object is larger than asked for; it is not read to its end."""


class NoObjects:
    """The S3 of who follows no pointers."""

    def fetch(self, bucket: str, key: str, max_bytes: int) -> bytes | Fault:
        """No object; that is the set-up's fault."""
        return Fault("setup", "NotConnected")


class Aws(Struct, frozen=True):
    """A connection to AWS: one for a process."""

    tables: Tables
    queues: Queues
    objects: Objects = NoObjects()


def _bytes(value: str | bytes) -> int:
    # A body may hold half a surrogate pair, which has no UTF-8 of its own.
    return len(value) if isinstance(value, bytes) else len(value.encode(errors="surrogatepass"))


def _needs_sdk(env: Mapping[str, str]) -> bool:
    """Whether something is set that only the SDK heeds: a proxy by TLS, or in AWS's config file, which Lambda lacks."""
    if any(name.lower() == "https_proxy" and value.lower().startswith("https:") for name, value in env.items()):
        return True
    file = Path(env.get("AWS_CONFIG_FILE") or "~/.aws/config")
    try:
        lines = file.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, RuntimeError, ValueError):
        return False
    return not _SDKS_OWN.isdisjoint(line.partition("=")[0].strip() for line in lines)


def connect(max_connections: int) -> Aws:
    """Connect with the credentials, region and endpoint of the environment; up to so many calls at a time.

    ROUTER_TRANSPORT=boto3 takes the SDK's client instead of ours; so does a setting in AWS's config file that ours does
    not read, or a proxy that is reached by TLS, unless ROUTER_TRANSPORT is `direct`. Raises UsageError (no region, an
    unknown transport, settings that are none), MissingExtra (no boto3 where it is needed).
    """
    transport = os.environ.get(TRANSPORT_VARIABLE) or ("boto3" if _needs_sdk(os.environ) else "direct")
    if transport == "direct":
        # Each only where it is used: the time of imports is most of a cold start.
        from router.aws.http.connect import connect as connect_directly

        return connect_directly(os.environ, max_connections)
    if transport != "boto3":
        raise UsageError(f"{TRANSPORT_VARIABLE} is '{transport}'; there are 'direct' and 'boto3'")
    try:
        from router.aws import boto
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise MissingExtra("the worker", "worker") from None
    return boto.connect(max_connections)
