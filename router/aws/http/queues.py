"""SQS without an SDK: the `Queues` of the interface."""

import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import md5
from itertools import repeat
from logging import getLogger
from random import uniform
from typing import Any

import msgspec

from router.aws.batches import (
    BATCH_ENTRIES,
    BatchEntry,
    EntryBatch,
    call_in_batches,
    message_batches,
    number_entries,
    queue_request,
    receipt_batches,
    visibility_batches,
)
from router.aws.calls import blocking
from router.aws.http.service import FailedCall, JsonService
from router.aws.protocols import UNREADABLE, AwsFault, OutgoingMessage, Receipt
from router.model import Record

SECONDS = 10
"""To wait for a response: a healthy SQS responds in milliseconds, to a long poll so much later."""
CONCURRENT_CALLS = 20
TRIES = 3
PAUSE_SECONDS = 0.2
"""The upper bound of the random wait before the first retry, doubled before the second."""
RETRY_CAPACITY = 500
"""What retries may cost until calls that succeed have refilled it, as in the SDKs' standard mode:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
RETRY_COST = 5
TIMEOUT_COST = 10
"""A call that timed out has cost its service more."""
REFUND = 1
_TIMEOUTS = frozenset({"ReadTimeoutError", "ConnectTimeoutError"})


class DirectQueues:
    """Calls SQS, and retries calls that fail for a transient reason."""

    def __init__(
        self,
        service: JsonService,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        budget: "RetryBudget | None" = None,
    ) -> None:
        self._service = service
        self._sleep = sleep
        self._clock = clock
        self._urls: dict[str, str] = {}
        self._budget = budget or RetryBudget()

    def url(self, reference: str) -> str | AwsFault:
        """Call GetQueueUrl, and cache its result; a URL is returned as it is."""
        if "://" in reference:
            return reference
        if reference not in self._urls:
            response = self._call("GetQueueUrl", queue_request(reference))
            if isinstance(response, AwsFault):
                return response
            if not isinstance(response.get("QueueUrl"), str):
                return UNREADABLE
            self._urls[reference] = response["QueueUrl"]
        return self._urls[reference]

    def visibility(self, url: str) -> int | AwsFault:
        """Call GetQueueAttributes."""
        response = self._call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]})
        if isinstance(response, AwsFault):
            return response
        try:
            return int(response["Attributes"]["VisibilityTimeout"])
        except (KeyError, TypeError, ValueError):
            return UNREADABLE

    def receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | AwsFault:
        """Call ReceiveMessage, for all attributes of each message; several calls for more than ten overlap."""
        request = {
            "QueueUrl": url,
            "MaxNumberOfMessages": min(count, BATCH_ENTRIES),
            "WaitTimeSeconds": wait_seconds,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        body, seconds = _encode(request), wait_seconds + SECONDS
        responses = self._call_each("ReceiveMessage", [body] * -(-count // BATCH_ENTRIES), seconds)
        good = [response for response in responses if not isinstance(response, FailedCall)]
        # Messages that were received do not wait for retries of the calls that failed.
        if not good:
            response = self._retry("ReceiveMessage", body, responses[0], seconds)
            if isinstance(response, AwsFault):
                return response
            good = [response]
        return [_record(message) for each in good for message in each.get("Messages") or () if _is_intact(message)]

    def delete(self, url: str, messages: Sequence[Receipt]) -> dict[str, AwsFault]:
        """Call DeleteMessageBatch, for up to ten messages each time; the calls overlap."""
        return self._in_batches("DeleteMessageBatch", url, receipt_batches(messages))

    def change_visibility(self, url: str, messages: Sequence[tuple[str, str, int]]) -> dict[str, AwsFault]:
        """Call ChangeMessageVisibilityBatch, for up to ten messages each time; the calls overlap."""
        return self._in_batches("ChangeMessageVisibilityBatch", url, visibility_batches(messages))

    def send(self, url: str, messages: Sequence[OutgoingMessage]) -> dict[str, AwsFault]:
        """Call SendMessageBatch, for up to ten messages and 1 MiB each time; the calls overlap, but for FIFO queues."""
        if not any(message.group_id for message in messages):
            return self._in_batches("SendMessageBatch", url, message_batches(messages))

        def send(entries: list[BatchEntry]) -> Mapping[str, Any] | AwsFault:
            return self._call("SendMessageBatch", {"QueueUrl": url, "Entries": entries})

        return call_in_batches(send, message_batches(messages))

    def _in_batches(self, operation: str, url: str, batches: Iterable[EntryBatch]) -> dict[str, AwsFault]:
        """Call a batch operation for each batch, in overlapping calls."""
        sent = [*batches]
        bodies = [_encode({"QueueUrl": url, "Entries": number_entries(batch)}) for batch in sent]
        responses = self._call_each(operation, bodies, SECONDS)
        final = map(self._retry, repeat(operation), bodies, responses, repeat(SECONDS))
        return call_in_batches(lambda entries: next(final), sent)

    def _call_each(self, operation: str, bodies: Sequence[bytes], seconds: float) -> list[dict[str, Any] | FailedCall]:
        """Make several calls, some at a time in one thread; those at a time have `seconds` together."""
        responses: list[dict[str, Any] | FailedCall] = []
        for start in range(0, len(bodies), CONCURRENT_CALLS):
            begun = [self._service.begin(operation, body, seconds) for body in bodies[start : start + CONCURRENT_CALLS]]
            until = self._clock() + seconds
            # The last one first: once its response is there the others most likely are too, and need no wait.
            ended = [call.finish(late=self._clock() >= until) for call in reversed(begun)]
            responses += reversed(ended)
        return responses

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | AwsFault:
        body = _encode(request)
        return self._retry(operation, body, self._service.begin(operation, body, SECONDS).finish(), SECONDS)

    def _retry(
        self, operation: str, body: bytes, response: dict[str, Any] | FailedCall, seconds: float
    ) -> dict[str, Any] | AwsFault:
        """Repeat a call while it fails for a transient reason; return the final response."""
        pause, spent = PAUSE_SECONDS, 0
        for _ in range(TRIES - 1):
            if not isinstance(response, FailedCall):
                self._budget.refund(spent)
                return response
            cost = TIMEOUT_COST if response.fault.code in _TIMEOUTS else RETRY_COST
            if response.fault.kind != "retry" or not self._budget.spend(cost):
                return response.fault
            spent = cost
            with blocking:
                self._sleep(uniform(0, pause))  # noqa: S311 — jitter, no secret
            pause *= 2
            response = self._service.begin(operation, body, seconds).finish()
        if isinstance(response, FailedCall):
            return response.fault
        self._budget.refund(spent)
        return response


class RetryBudget:
    """Limits retries, so that a service in trouble is not called many times over; thread-safe.

    A call that succeeds at once refunds a little; one that succeeds after a retry refunds what the retry cost.
    """

    def __init__(self) -> None:
        self.left = RETRY_CAPACITY
        self._lock = threading.Lock()

    def spend(self, cost: int = RETRY_COST) -> bool:
        """Pay for a retry; return False if too little is left for it."""
        with self._lock:
            if self.left < cost:
                return False
            self.left -= cost
            return True

    def refund(self, spent: int = 0) -> None:
        """Refund what a successful call has spent, or a little if nothing."""
        with self._lock:
            self.left = min(RETRY_CAPACITY, self.left + (spent or REFUND))


def _encode(request: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError:
        # Half a surrogate pair can only be escaped; SQS decides whether it is valid.
        return json.dumps(request, default=lambda value: b64encode(value).decode()).encode()


def _is_intact(message: Mapping[str, Any]) -> bool:
    # SQS's MD5 detects accidental damage; `usedforsecurity` allows it on systems that forbid it for secrets.
    given = message.get("MD5OfBody")
    if given is None or given == md5(message["Body"].encode(errors="surrogatepass"), usedforsecurity=False).hexdigest():
        return True
    # The message is left on the queue, and received again.
    fields = {"message_id": message["MessageId"], "error": "ChecksumError"}
    getLogger("router").warning("the body is damaged", extra={"fields": fields})
    return False


def _record(message: Mapping[str, Any]) -> Record:
    attributes = message.get("MessageAttributes")
    return Record(
        message["MessageId"],
        message["ReceiptHandle"],
        message["Body"],
        message.get("Attributes") or {},
        {name: _read_attribute(value) for name, value in attributes.items()} if attributes else {},
    )


def _read_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    if "BinaryValue" in attribute:
        return {"DataType": attribute["DataType"], "BinaryValue": b64decode(attribute["BinaryValue"])}
    return {"DataType": attribute["DataType"], "StringValue": attribute.get("StringValue", "")}
