"""The interface to AWS's data plane: SQS, DynamoDB and S3 as the router uses them.

Errors of AWS are values, never exceptions: an `AwsFault` says why something was not done.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from msgspec import Raw, Struct

from router.model import Action, AttributeValue, KeyType, Operation, Record

FaultKind = Literal["retry", "refused", "configuration", "condition"]
Request = dict[str, Any]
"""A request of BatchWriteItem: {"PutRequest": {"Item": {…}}} or {"DeleteRequest": {"Key": {…}}}."""
KeySchema = tuple[tuple[str, KeyType], ...]
"""The key attributes of a table and their types: the partition key, then the sort key if there is one."""
THROTTLING = frozenset(
    (
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
    )
)
"""The error codes of writes for a table, a key or an account at its capacity:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""
CONFLICTS = frozenset(
    (
        "PriorRequestNotComplete",
        "ReplicatedWriteConflictException",
        "TransactionCanceledException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)
"""The error codes of writes for an item that another transaction, or another region, writes."""
_BUSY = THROTTLING | frozenset(
    (
        "BandwidthLimitExceeded",
        "Busy",
        "KMS.ThrottlingException",
        "KmsThrottled",
        "OverLimit",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "TooManyRequestsException",
    )
)
"""Those of all services."""
T = TypeVar("T")
Receipt = tuple[str, str]
VisibilityTimeout = tuple[str, str, int]
"""A received message as its id and its receipt handle, and with its visibility timeout: seconds from now."""
T_co = TypeVar("T_co", covariant=True)


class AwsFault(Struct, frozen=True):
    """Why AWS did not do something, without AWS's own text.

    `kind` is "retry" (the same call may succeed later), "refused" (this request never will), "condition" (a condition
    of a write failed) or "configuration" (no message is at fault: no such table or queue, no permission, no valid
    credentials). `code` is AWS's error code, or the name of the failure if there was no response; `status` is the HTTP
    status, 0 if there was none.
    """

    kind: FaultKind
    code: str
    status: int = 0

    @property
    def cause(self) -> str:
        """The code, and what it means, for people."""
        # Only what fails needs the words.
        from router.runtime.aws.causes import in_words

        return in_words(self.code)

    @property
    def is_throttling(self) -> bool:
        """Whether the service has more calls than it takes."""
        return self.code in _BUSY or self.status == 503


class WriteResponse(Struct, frozen=True):
    """The response to a write; with a fault, none of the call's writes is known to be made.

    `unprocessed` are the requests of a batch that must be sent again. If the fault is a failed condition, `position` is
    the index of the action that failed, and `stored` the item that exists, if AWS returned it. `consumed` is how many
    write units a measured call has used; None if that was not requested, or not returned.
    """

    unprocessed: list[Request] = []
    fault: AwsFault | None = None
    position: int = 0
    stored: dict[str, AttributeValue] | None = None
    consumed: float | None = None

    @property
    def is_throttled(self) -> bool:
        """Whether the table, its account or its key was at its capacity, so that nothing was written."""
        return self.fault is not None and self.fault.code in THROTTLING


class QueueAttributes(Struct, frozen=True):
    """The attributes of a queue: its visibility timeout in seconds, and its `maxReceiveCount`.

    `max_receive_count` is 0 without a redrive policy. `in_flight` is SQS's count of messages that are invisible.
    """

    visibility: int
    max_receive_count: int = 0
    in_flight: int = 0


class OutgoingMessage(Struct, frozen=True):
    """A message to send; `message_attributes` are in SendMessage's shape, a binary value as bytes.

    `id` identifies it in the response only. `group_id`, `deduplication_id`, `trace_header` and the `delay` in seconds
    are left out if empty.
    """

    id: str
    body: str
    message_attributes: Mapping[str, Mapping[str, Any]] = {}
    group_id: str = ""
    deduplication_id: str = ""
    trace_header: str = ""
    """The trace that it belongs to, as X-Ray writes it; SQS does not count its bytes."""
    delay: int = 0

    @property
    def size(self) -> int:
        """The bytes as SQS counts them: the body, and the names, types and values of the attributes."""
        size = 0
        texts = [self.body]
        for name, attribute in self.message_attributes.items():
            texts += (name, attribute["DataType"])
            if "BinaryValue" in attribute:
                size += len(attribute["BinaryValue"])
            else:
                texts.append(attribute["StringValue"])
        text = "".join(texts)
        # A body may hold half a surrogate pair, which has no UTF-8 of its own.
        return size + len(text if text.isascii() else text.encode(errors="surrogatepass"))


class Tables(Protocol):
    """DynamoDB, as the router uses it; safe to call from several threads. No method retries.

    A call takes `timeout` seconds at most, whatever it waits for: a name server, a connection, the response. The
    response to a `measured` one says how many write units it has consumed.
    """

    def batch_write(
        self, table: str, requests: list[Request], timeout: float, measured: bool = False
    ) -> WriteResponse:
        """Put and delete at most 25 items of one table in one BatchWriteItem."""

    def write(
        self,
        operation: Operation,
        parameters: dict[str, Any],
        timeout: float,
        measured: bool = False,
    ) -> WriteResponse:
        """Call PutItem, UpdateItem or DeleteItem; the parameters name the table."""

    def transact(
        self, actions: Sequence[Action], timeout: float, measured: bool = False
    ) -> WriteResponse:
        """Make at most 100 actions on distinct items in one TransactWriteItems."""

    def key_schema(self, table: str, timeout: float) -> KeySchema | AwsFault:
        """Return the key of a table."""


class PendingResponse(Protocol[T_co]):
    """A call under way: whoever polls calls `arrived` when its connection is ready, and then `finish`, once."""

    @property
    def seconds(self) -> float:
        """How many seconds after its beginning it is late.

        With a call of `arrived` it may be more, and less only if there is another file descriptor.
        """

    @property
    def events(self) -> int:
        """What to poll for: it changes only with a call of `arrived`."""

    def fileno(self) -> int:
        """Return the file descriptor to poll; -1 if there is nothing to wait for.

        It changes only with a call of `arrived`: if a connection is begun, once an address is known or once more.
        """

    def arrived(self) -> bool:
        """Open the connection, send or read, as far as that goes without waiting.

        Return whether the response is complete, or none will come.
        """

    def finish(self, late: bool = False) -> T_co:
        """Wait for the response, unless it has arrived, and return it; with `late`, do not wait."""


PendingWrite = PendingResponse[WriteResponse]
"""A write under way."""


@runtime_checkable
class NonBlockingTables(Protocol):
    """Tables that can have several calls under way in one thread."""

    def begin_batch_write(
        self, table: str, requests: Sequence[Request | Raw], timeout: float, measured: bool = False
    ) -> PendingWrite:
        """Send what `batch_write` sends; a request may be encoded already."""

    def begin_actions(
        self, actions: Sequence[Action], timeout: float, measured: bool = False
    ) -> PendingWrite:
        """Send what `write` sends, or for several actions what `transact` sends."""


class Queues(Protocol):
    """SQS, as the router uses it; safe to call from several threads.

    `delete`, `send` and `change_visibility` take any number of messages, call SQS as often as its limits require, and
    return the faults of those that failed, by message id. A method takes `timeout` seconds at most, with all its calls:
    OUT_OF_TIME is the fault of what it has not begun by then.
    """

    def url(self, reference: str, timeout: float) -> str | AwsFault:
        """Return the URL of a queue by its name, ARN or URL, and cache it."""

    def attributes(self, url: str, timeout: float) -> QueueAttributes | AwsFault:
        """Return the attributes of a queue."""

    def receive(
        self, url: str, count: int, wait_seconds: int, visibility: int
    ) -> list[Record] | AwsFault:
        """Receive up to `count` messages; each call waits up to `wait_seconds`, 20 at most, for its first message.

        The messages are invisible for `visibility` seconds, which begin at some moment between request and response.
        """

    def delete(self, url: str, messages: Sequence[Receipt], timeout: float) -> dict[str, AwsFault]:
        """Delete messages."""

    def send(
        self, url: str, messages: Sequence[OutgoingMessage], timeout: float
    ) -> dict[str, AwsFault]:
        """Send messages, in order."""

    def change_visibility(
        self, url: str, messages: Sequence[VisibilityTimeout], timeout: float
    ) -> dict[str, AwsFault]:
        """Set the visibility timeout of messages; 0 makes them visible."""


class PendingCalls(Protocol[T_co]):
    """Calls that were sent; `finish` waits for their responses, once, and returns what they mean together."""

    @property
    def until(self) -> float:
        """The moment of `boottime` from which on they are late."""

    def fileno(self) -> int:
        """Return the file descriptor of one that has no response, to poll; -1 if there is nothing to wait for."""

    def arrived(self) -> bool:
        """Read what has come of all of them, without waiting; return whether all responses are there."""

    def finish(self) -> T_co:
        """Wait for the responses."""


@runtime_checkable
class NonBlockingQueues(Protocol):
    """Queues whose receives and acknowledgements overlap in one thread; calls that fail are not retried."""

    def begin_receive(
        self, url: str, count: int, wait_seconds: int, visibility: int
    ) -> PendingCalls[list[Record] | AwsFault]:
        """Send what `receive` sends."""

    def begin_delete(
        self, url: str, messages: Sequence[Receipt], timeout: float
    ) -> PendingCalls[dict[str, AwsFault]]:
        """Send what `delete` sends."""

    def begin_change_visibility(
        self, url: str, messages: Sequence[VisibilityTimeout], timeout: float
    ) -> PendingCalls[dict[str, AwsFault]]:
        """Send what `change_visibility` sends."""


class Objects(Protocol):
    """S3, as the router uses it; safe to call from several threads."""

    def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        """Get an object, without retries, in `timeout` seconds; one of more than `max_bytes` is refused: TOO_LARGE."""


class EndedCall(Generic[T]):
    """A call that has its response when it begins."""

    events = 0
    seconds = 0.0
    until = float("inf")

    def __init__(self, response: T) -> None:
        self._response = response

    def fileno(self) -> int:
        """There is nothing to poll."""
        return -1

    def arrived(self) -> bool:
        """It has."""
        return True

    def finish(self, late: bool = False) -> T:
        """Return the response."""
        return self._response


@runtime_checkable
class NonBlockingObjects(Protocol):
    """Objects of which several can be fetched at a time in one thread."""

    def begin_fetch(
        self, bucket: str, key: str, max_bytes: int, timeout: float, has_room: Callable[[int], bool]
    ) -> PendingResponse[bytes | AwsFault]:
        """Send what `fetch` sends.

        `has_room` is asked before so many bytes are kept, for all of an object if its length is declared; if it returns
        False, the object is not read to its end: NO_ROOM.
        """


NO_ROOM = AwsFault("refused", "NoRoom", 200)
"""There was no room for an object."""
TOO_LARGE = AwsFault("refused", "TooLarge", 200)
"""An object is larger than `max_bytes`; it is not read to its end."""
OUT_OF_TIME = AwsFault("retry", "OutOfTime")
"""A call was not begun, because its time was up."""
TIMED_OUT = AwsFault("retry", "ReadTimeoutError")
"""A call was not answered in time."""
DAMAGED = AwsFault("retry", "ChecksumError", 200)
"""A request or a response was changed on its way: its checksum is another one."""
UNREADABLE = AwsFault("retry", "UnreadableAnswer", 200)
"""A response that is not what the operation returns, such as a proxy's page with status 200."""
UNREADABLE_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""The exceptions of code that reads a response which is JSON, but not what the operation returns."""


MEASURED = {"ReturnConsumedCapacity": "TOTAL"}
"""The parameter of a measured write."""


class NoObjects:
    """The S3 of a program that follows no pointers."""

    def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        """Return a configuration error."""
        return AwsFault("configuration", "NotConnected")


def _open_none(seconds: float) -> None:
    pass


class Aws(Struct, frozen=True):
    """A connection to AWS: one for each process.

    `open_early` opens a connection for the first call of DynamoDB, if the client can, within some seconds; it raises
    nothing.
    """

    tables: Tables
    queues: Queues
    objects: Objects = NoObjects()
    open_early: Callable[[float], None] = _open_none


def read_consumed(response: Mapping[str, Any]) -> float | None:
    """Return the write units of a response, of all its tables; None if it does not say."""
    found = response.get("ConsumedCapacity")
    if not found:
        return None
    try:
        return float(
            sum(each["CapacityUnits"] for each in (found if isinstance(found, list) else [found]))
        )
    except UNREADABLE_ERRORS:
        # The write was made all the same.
        return None


def read_key_schema(description: Mapping[str, Any]) -> KeySchema:
    """Return the key attributes and their types of a table or index.

    `description` has `KeySchema` and `AttributeDefinitions`, as the response of DescribeTable has them for a table.
    """
    types: dict[str, KeyType] = {
        each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]
    }
    # "HASH" (the partition key) sorts before "RANGE" (the sort key).
    parts = sorted(description["KeySchema"], key=lambda part: str(part["KeyType"]))
    return tuple((part["AttributeName"], types[part["AttributeName"]]) for part in parts)
