"""SQS without an SDK: the `Queues` of the interface."""

import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import md5
from logging import getLogger
from random import uniform
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct, field

from router.aws.calls import RESPONSE_SECONDS, boottime
from router.aws.http.connections import CallTimeout
from router.aws.http.service import FailedCall, JsonService, PendingCall, decode_object
from router.aws.protocols import OUT_OF_TIME, AwsFault, OutgoingMessage, Receipt
from router.aws.references import is_fifo
from router.aws.run_lock import blocking
from router.aws.sqs import (
    BATCH_ENTRIES,
    EntryBatch,
    SqsQueues,
    batch_request,
    delete_batches,
    find_failed,
    message_batches,
    receive_request,
)
from router.model import Record

SECONDS = RESPONSE_SECONDS
"""The time-out of a response; that of a long poll is longer by its wait time."""
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
_OUT_OF_TIME = FailedCall(OUT_OF_TIME)

T = TypeVar("T")
R = TypeVar("R")


class _ReceivedMessage(Struct, gc=False, rename="pascal"):
    """A message of ReceiveMessage."""

    message_id: str
    receipt_handle: str
    body: str
    md5: str | None = field(default=None, name="MD5OfBody")
    attributes: dict[str, str] | None = None
    message_attributes: dict[str, dict[str, Any]] | None = None


class _Received(Struct, rename="pascal"):
    """The response of ReceiveMessage."""

    messages: list[_ReceivedMessage] | None = None


_decode_received = msgspec.json.Decoder(_Received).decode


class DirectQueues(SqsQueues):
    """Calls SQS, several calls at a time, and retries calls that fail for a transient reason."""

    def __init__(
        self,
        service: JsonService,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = boottime,
        budget: "RetryBudget | None" = None,
    ) -> None:
        super().__init__(self._call_once, clock)
        self._service = service
        self._sleep = sleep
        self._budget = budget or RetryBudget()

    def receive(self, url: str, count: int, wait_seconds: int, visibility: int) -> list[Record] | AwsFault:
        """Call ReceiveMessage, for all attributes of each message; several calls for more than ten overlap."""
        return self.begin_receive(url, count, wait_seconds, visibility).finish()

    def begin_receive(
        self, url: str, count: int, wait_seconds: int, visibility: int
    ) -> "OverlappingCalls[_Received, list[Record] | AwsFault]":
        """Send what `receive` sends."""
        body = _encode(receive_request(url, count, wait_seconds, visibility))
        seconds = wait_seconds + SECONDS
        # Messages whose visibility timeout is over are of no use.
        timeout = CallTimeout(seconds, self._clock() + max(seconds, visibility))

        def read(responses: list[_Received | FailedCall]) -> list[Record] | AwsFault:
            good = [response for response in responses if not isinstance(response, FailedCall)]
            # Messages that were received do not wait for retries of the calls that failed.
            if not good:
                failed = responses[0]
                if isinstance(failed, FailedCall) and failed.fault.code in _TIMEOUTS:
                    # The caller counts the visibility timeout from the first call: little of it would be left.
                    return failed.fault
                response = self._retry("ReceiveMessage", body, failed, timeout, _decode_received)
                if isinstance(response, AwsFault):
                    return response
                good = [response]
            return [_record(message) for each in good for message in each.messages or () if _is_intact(message)]

        bodies = [body] * -(-count // BATCH_ENTRIES)
        return OverlappingCalls(self._service, self._clock, "ReceiveMessage", bodies, timeout, _decode_received, read)

    def begin_delete(
        self, url: str, messages: Sequence[Receipt], timeout: float
    ) -> "OverlappingCalls[dict[str, Any], dict[str, AwsFault]]":
        """Send what `delete` sends; calls that fail are not retried."""
        batches = [*delete_batches(messages)]

        def read(responses: list[dict[str, Any] | FailedCall]) -> dict[str, AwsFault]:
            failed: dict[str, AwsFault] = {}
            for batch, response in zip(batches, responses, strict=True):
                failed |= find_failed(batch, response.fault if isinstance(response, FailedCall) else response)
            return failed

        bodies = [_encode(batch_request(url, batch)) for batch in batches]
        until = CallTimeout(SECONDS, self._clock() + timeout)
        return OverlappingCalls(self._service, self._clock, "DeleteMessageBatch", bodies, until, decode_object, read)

    def send(self, url: str, messages: Sequence[OutgoingMessage], timeout: float) -> dict[str, AwsFault]:
        """Call SendMessageBatch; the calls overlap, except for FIFO queues."""
        if is_fifo(url):
            return super()._call_in_batches("SendMessageBatch", url, message_batches(messages), timeout)
        return super().send(url, messages, timeout)

    def _call_in_batches(
        self, operation: str, url: str, batches: Iterable[EntryBatch], timeout: float
    ) -> dict[str, AwsFault]:
        until = CallTimeout(SECONDS, self._clock() + timeout)
        sent = [*batches]
        bodies = [_encode(batch_request(url, batch)) for batch in sent]
        responses = self._call_each(operation, bodies, until, decode_object)
        failed: dict[str, AwsFault] = {}
        for batch, body, response in zip(sent, bodies, responses, strict=True):
            failed |= find_failed(batch, self._retry(operation, body, response, until, decode_object))
        return failed

    def _call_each(
        self, operation: str, bodies: Sequence[bytes], timeout: CallTimeout, decode: Callable[[bytes], R]
    ) -> list[R | FailedCall]:
        calls: OverlappingCalls[R, list[R | FailedCall]]
        calls = OverlappingCalls(self._service, self._clock, operation, bodies, timeout, decode, list)
        return calls.finish()

    def _call_once(self, operation: str, request: Mapping[str, Any], timeout: float) -> dict[str, Any] | AwsFault:
        body, until = _encode(request), CallTimeout(SECONDS, self._clock() + timeout)
        (response,) = self._call_each(operation, [body], until, decode_object)
        return self._retry(operation, body, response, until, decode_object)

    def _retry(
        self,
        operation: str,
        body: bytes,
        response: R | FailedCall,
        timeout: CallTimeout,
        decode: Callable[[bytes], R],
    ) -> R | AwsFault:
        """Repeat a call while it fails for a transient reason and there is time; return the final response."""
        pause, spent = PAUSE_SECONDS, 0
        for _ in range(TRIES - 1):
            if not isinstance(response, FailedCall):
                self._budget.refund(spent)
                return response
            cost = TIMEOUT_COST if response.fault.code in _TIMEOUTS else RETRY_COST
            wait = uniform(0, pause)  # noqa: S311 — jitter, no secret
            late = self._clock() + wait >= timeout.until
            if late or response.fault.kind != "retry" or not self._budget.spend(cost):
                return response.fault
            spent = cost
            with blocking:
                self._sleep(wait)
            pause *= 2
            (response,) = self._call_each(operation, [body], timeout, decode)
        if isinstance(response, FailedCall):
            return response.fault
        self._budget.refund(spent)
        return response


class OverlappingCalls(Generic[R, T]):
    """Calls of an operation in one thread, up to CONCURRENT_CALLS at a time, which have the time of one together."""

    def __init__(
        self,
        service: JsonService,
        clock: Callable[[], float],
        operation: str,
        bodies: Sequence[bytes],
        timeout: CallTimeout,
        decode: Callable[[bytes], R],
        read: Callable[[list[R | FailedCall]], T],
    ) -> None:
        """Send the first of the calls; `decode` gets the body of each response, `read` all responses."""
        self._service = service
        self._clock = clock
        self._operation = operation
        self._bodies = bodies
        self._timeout = timeout
        self._decode = decode
        self._read = read
        self.until = float("inf")
        self._begun = self._begin(0)

    def _begin(self, start: int) -> list[PendingCall[R | FailedCall] | FailedCall]:
        begun = [
            _OUT_OF_TIME
            if self._clock() >= self._timeout.until
            else self._service.begin(self._operation, body, self._timeout, self._decode)
            for body in self._bodies[start : start + CONCURRENT_CALLS]
        ]
        self.until = self._clock() + self._timeout.seconds
        return begun

    def fileno(self) -> int:
        """Return the file descriptor of the last call: the others most likely have their responses before it."""
        last = self._begun[-1]
        return -1 if isinstance(last, FailedCall) else last.fileno()

    def arrived(self) -> bool:
        """Whether what can be read from it is a response, or the end of the connection. Does not wait."""
        last = self._begun[-1]
        return isinstance(last, FailedCall) or last.arrived()

    def finish(self) -> T:
        """Read all responses, and return what they mean; from `until` on, wait for none."""
        responses: list[R | FailedCall] = []
        while self._begun:
            # The last one first: once its response is there the others most likely are too, and need no wait.
            ended = [
                call if isinstance(call, FailedCall) else call.finish(late=self._clock() >= self.until)
                for call in reversed(self._begun)
            ]
            responses += reversed(ended)
            self._begun = self._begin(len(responses))
        return self._read(responses)


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
        """Refund what the retries of a successful call cost, or REFUND if it had none."""
        with self._lock:
            self.left = min(RETRY_CAPACITY, self.left + (spent or REFUND))


def _encode(request: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError:
        # Half a surrogate pair can only be escaped; SQS decides whether it is valid.
        return json.dumps(request, default=lambda value: b64encode(value).decode()).encode()


def _is_intact(message: _ReceivedMessage) -> bool:
    # SQS's MD5 detects accidental damage; `usedforsecurity` allows it on systems that forbid it for secrets.
    body = message.body.encode(errors="surrogatepass")
    if message.md5 is None or message.md5 == md5(body, usedforsecurity=False).hexdigest():
        return True
    # The message is left on the queue, and received again.
    fields = {"message_id": message.message_id, "error": "ChecksumError"}
    getLogger("router").warning("the body is damaged", extra={"fields": fields})
    return False


def _record(message: _ReceivedMessage) -> Record:
    sent = message.message_attributes
    return Record(
        message.message_id,
        message.receipt_handle,
        message.body,
        message.attributes or {},
        {name: _read_attribute(value) for name, value in sent.items()} if sent else {},
    )


def _read_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    if "BinaryValue" in attribute:
        return {"DataType": attribute["DataType"], "BinaryValue": b64decode(attribute["BinaryValue"])}
    return {"DataType": attribute["DataType"], "StringValue": attribute.get("StringValue", "")}
