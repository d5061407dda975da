"""The values that all parts of the router exchange."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, Protocol

from msgspec import Struct, structs

__version__ = "0.1.0"
"""That of this distribution, which takes too long to look up in the installed packages at a cold start."""

Severity = Literal["error", "warning", "info"]
OutcomeKind = Literal["written", "duplicate", "stale", "dropped", "rejected", "retry"]
KeyType = Literal["S", "N", "B"]
Path = tuple[str | int, ...]
"""A path in a config: keys and list indices from the root."""
JsonObject = dict[str, Any]
"""An object of JSON: what commands print, and journals keep."""
Item = dict[str, Any]
"""An item in Python's own types: str, int, Decimal, bool, bytes, None, list, dict, set."""
AttributeValue = dict[str, Any]
"""A value in DynamoDB's JSON, e.g. {"S": "x"}; the bytes of a B are raw, not base64."""
Operation = Literal["Put", "Update", "Delete"]
Action = tuple[Operation, dict[str, Any]]
"""A call of PutItem, UpdateItem or DeleteItem, or an action of a transaction; both take the same parameters."""


class Remove:
    """The type of `REMOVE`."""

    def __repr__(self) -> str:
        return "REMOVE"

    def __reduce__(self) -> str:
        return "REMOVE"  # so that copies and unpickled values are this object


REMOVE = Remove()
"""As a value in the item of an update: the attribute is removed from the stored item."""
META_NAMES = (
    "message_id",
    "sent_at",
    "first_received_at",
    "group_id",
    "sequence_number",
    "deduplication_id",
    "sender_id",
    "queue",
    "route",
)
"""What `meta` can name besides `attribute.NAME`."""
META_TIMES = {"sent_at": "SentTimestamp", "first_received_at": "ApproximateFirstReceiveTimestamp"}
"""Those of `META_NAMES` that are times, with the names that SQS has for them."""


class TextFormat(Struct, frozen=True):
    """The texts that a conversion accepts, for proofs about schemas.

    It accepts every text that matches `pattern`, and no other if `exact`. It accepts those, too, that a schema asserts
    to have a `format` or an `encoding` (`contentEncoding`). `keyword` is what a schema can require it with.
    """

    name: str
    keyword: str
    pattern: str = ""
    exact: bool = False
    format: str = ""
    encoding: str = ""
    stored: str = ""
    """The pattern of texts whose values DynamoDB can store; "" if it can store all."""
    numbers: tuple[int, ...] | None = None
    """The only numbers that it accepts besides; None if it accepts all, or none."""


class Code(Struct, frozen=True):
    """A stable code of a finding or an outcome: `RT102`, what it means, why it matters."""

    id: str
    title: str
    why: str
    severity: Severity = "error"


class Place(Struct, frozen=True, order=True):
    """A position in a file; line and column count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Finding(Struct, frozen=True):
    """A finding of `router check`, at the place that a person must edit."""

    code: Code
    sentence: str
    place: Place
    suggestion: str = ""

    def __str__(self) -> str:
        tail = f"; {self.suggestion}" if self.suggestion else ""
        return f"{self.place}: {self.code.severity} {self.code.id} {self.sentence}{tail}"


class Remark(Struct, frozen=True):
    """A finding of a plugin's check: a code of its own (`ACME1`, never `RT…`), and a path in the config."""

    code: str
    sentence: str
    path: Path = ()
    suggestion: str = ""
    severity: Severity = "error"


class Outcome(Struct, frozen=True, gc=False):
    """The outcome of a message, or of one of its writes; `delay` is in seconds, for a retry."""

    kind: OutcomeKind
    code: str = ""
    reason: str = ""
    route: str = ""
    pointer: str = ""
    delay: float | None = None
    configuration_error: bool = False
    """No message is at fault: no such table, access denied."""
    conflict: bool = False
    """The content that is stored under the same key (and version) differs from the message's."""
    cause: str = ""
    """Why a write is retried, where the code does not tell it: `throttled`, `outage`, `condition` or `deadline`."""


WRITTEN = Outcome("written")

_WORST_FIRST: tuple[OutcomeKind, ...] = (
    "retry",
    "rejected",
    "written",
    "stale",
    "duplicate",
    "dropped",
)


_ACKNOWLEDGED = frozenset(("written", "stale", "duplicate", "dropped"))


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of a message with several writes: retry > rejected > written > stale > duplicate > dropped.

    Of outcomes of one kind, one with a configuration error or a conflict decides, so that it is reported; otherwise
    the first. A message that is acknowledged reports the conflict of a write, whatever became of the others.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    order = _WORST_FIRST.index
    found = min(
        outcomes,
        key=lambda each: (order(each.kind), not each.configuration_error, not each.conflict),
    )
    if found.conflict or found.kind not in _ACKNOWLEDGED:
        return found
    conflict = next((each for each in outcomes if each.conflict), found)
    return structs.replace(conflict, kind=found.kind) if conflict.conflict else found


class Record(Struct, frozen=True, gc=False):
    """An SQS message as received, whether by a Lambda event or by ReceiveMessage.

    `attributes` are set by SQS (SentTimestamp, MessageGroupId …), all strings; `message_attributes` are set by the
    sender, in the shape of SendMessage: {"DataType": "String", "StringValue": …} or "BinaryValue" as bytes.
    """

    message_id: str
    receipt_handle: str
    body: str
    attributes: Mapping[str, str] = {}
    message_attributes: Mapping[str, Mapping[str, Any]] = {}
    fetched: bytes | None = None
    """The object that its S3 pointer refers to; None if it has no pointer, or the pointer was not followed."""

    @property
    def group_id(self) -> str | None:
        """The message group: always set on FIFO queues, and on standard queues if the sender set it (fair queues)."""
        return self.attributes.get("MessageGroupId")

    @property
    def receive_count(self) -> int:
        """How often the message has been received, this receive included; 0 if SQS did not report it."""
        text = self.attributes.get("ApproximateReceiveCount", "")
        return int(text) if text.isdecimal() else 0


_MOST_DIGITS = 14
"""The digits of a time in milliseconds, as long as it is a time of this era."""


class Message(Struct, frozen=True, gc=False):
    """A decoded message, which expressions and hooks get.

    `data` is the JSON value, with numbers as int or Decimal. `attributes` are the sender's message attributes and
    those of an SNS envelope, as str, Decimal or bytes. `system` are the attributes that SQS sets.
    """

    data: Any
    id: str = ""
    queue: str = ""
    attributes: Mapping[str, Any] = {}
    system: Mapping[str, str] = {}

    def with_data(self, data: Any) -> "Message":
        """Return the message with other data: what a `router_transform_message` hook returns."""
        return structs.replace(self, data=data)

    def epoch_ms(self, name: str) -> int | None:
        """Return the time `name` (one of META_TIMES) in milliseconds since 1970, or None."""
        return read_epoch_ms(self.system.get(META_TIMES[name]))

    def time(self, name: str) -> str | None:
        """Return the time `name` (one of META_TIMES) as ISO 8601 text in UTC with milliseconds and `Z`, or None."""
        return time_text(self.system.get(META_TIMES[name]))

    @property
    def sent_at(self) -> str | None:
        """The time when the message was sent, as `time` returns it."""
        return self.time("sent_at")

    @property
    def group_id(self) -> str | None:
        """The message group: always set on FIFO queues, and on standard queues if the sender set it (fair queues)."""
        return self.system.get("MessageGroupId")


def read_epoch_ms(text: str | None) -> int | None:
    """Return the milliseconds since 1970 that SQS writes as text, or None."""
    # More digits are after the year 5138; the greatest of them have no date.
    return int(text) if text and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def time_text(text: str | None) -> str | None:
    """Return the milliseconds since 1970 that SQS writes as text as `iso_ms` does, or None."""
    # A time of this century, as all are but in tests: without numbers between.
    if text and len(text) == 13 and text.isdecimal() and text.isascii():
        return f"{_iso_second(text[:-3])}.{text[-3:]}Z"
    return iso_ms(read_epoch_ms(text))


@lru_cache(maxsize=64)
def iso_ms(epoch_ms: int | None) -> str | None:
    """Return milliseconds since 1970 as `2026-01-02T03:04:05.678Z`.

    Cached, since many lines are logged within a millisecond.
    """
    if epoch_ms is None:
        return None
    seconds, ms = divmod(epoch_ms, 1000)
    return f"{_iso_second(str(seconds))}.{ms:03d}Z"


@lru_cache(maxsize=64)
def _iso_second(seconds: str) -> str:
    """Cached, since the messages of a batch were sent within a few seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()[:19]


class Route(Struct, frozen=True):
    """The route that a hook runs for; `options` are by plugin name."""

    name: str
    queue: str
    table: str
    options: Mapping[str, Any] = {}


class Table(Struct, frozen=True):
    """A table: the name or ARN in calls, and its key attributes in order.

    This process may use `write_units` of its write capacity per second; 0 if there is no bound. `counted` says that
    what it consumes is a metric.
    """

    name: str
    key: tuple[tuple[str, KeyType], ...]
    write_units: float = 0.0
    counted: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether DynamoDB is asked what a write consumes."""
        return self.counted or self.write_units > 0


class Result(Struct, frozen=True):
    """A message and its outcome; what `router_outcome` hooks get."""

    message_id: str
    queue: str
    outcome: Outcome
    receive_count: int = 0
    sender_id: str = ""
    """The principal that sent it, as SQS names it."""
    sent_at: int | None = None
    """When it was sent, in milliseconds since 1970."""


class Summary(Struct, frozen=True):
    """The outcomes of a batch; what `router_batch_done` hooks get.

    `counts` are by outcome; a hook finds 0 for an outcome that no message had. `conflicts` are counted among duplicate
    and stale, `configuration_errors` among retry. `seconds` is the wall time of the batch. `malformed_failures` are
    messages whose attribute `router` was ignored, since it does not describe a dead letter.
    """

    queue: str
    counts: Mapping[OutcomeKind, int]
    seconds: float
    conflicts: int = 0
    configuration_errors: int = 0
    malformed_failures: int = 0
    codes: Mapping[str, int] = {}
    """The messages that are not written, by code."""
    dead_letters: Mapping[str, int] = {}
    """The dead letters that were sent, by code."""
    retries: Mapping[str, int] = {}
    """The messages that are left on their queue, by cause."""
    ages: tuple[int, ...] = ()
    """How many messages were written at an age of each bucket, of which the last has no bound."""
    age_seconds: float = 0.0
    """The sum of their ages."""
    write_calls: int = 0
    write_units: Mapping[str, float] = {}
    """What DynamoDB says was consumed, by table."""
    routes: Mapping[tuple[str, str], Mapping[OutcomeKind, int]] = {}
    """The messages by route and table, then by outcome, if the config asks for it."""


class Router(Protocol):
    """The loaded config; what `router_start` and `router_stop` hooks get."""

    @property
    def queues(self) -> Sequence[str]:
        """The names of the queues, in the order of the file."""

    @property
    def routes(self) -> Sequence[Route]:
        """The routes, in the order of the file."""


def names_file(plugin: str) -> bool:
    """Return whether an entry of `plugins:` names a file, rather than an installed module."""
    return plugin.endswith(".py") or "/" in plugin


def plugin_name(entry: str) -> str:
    """Return the name of a plugin: its file's without `.py`, or that of the module."""
    return entry.rpartition("/")[2].removesuffix(".py") if names_file(entry) else entry


Unwrapped = tuple[Any, Mapping[str, Any]]
"""What an envelope decoder returns: the payload inside, and the attributes that the envelope carried."""
Envelope = Callable[[Any, Mapping[str, Any]], Unwrapped]
"""An envelope decoder: takes the payload (str at first) and the attributes so far; raises Reject."""
Replace = Callable[[Any, str, Callable[[str, Any], Any]], str]
"""Puts another payload into an envelope: takes the envelope, the text of the new payload, and a function that returns
what replaces the value of an attribute that the envelope carries, by the attribute's name; returns the text."""
Wrap = Callable[[str], str]
"""The inverse of an envelope decoder: takes the text of a payload, and returns the text of the envelope around it."""
TransformFunction = Callable[..., Any]
"""The function of a transform; takes the value, then the arguments from the config."""
Number = int | Decimal
