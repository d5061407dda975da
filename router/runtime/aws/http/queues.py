"""SQS without an SDK: the `Queues` of the interface."""

import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from router.model import Record
from router.runtime.aws import RESPONSE_SECONDS
from router.runtime.aws.calls import (
    MOST_CALLS,
    CallTimeout,
    PolledCalls,
    blocking,
    boottime,
    result_of,
)
from router.runtime.aws.http.service import (
    NOT_BEGUN,
    FailedCall,
    JsonService,
    OverlappingCalls,
    decode_object,
)
from router.runtime.aws.protocols import AwsFault, OutgoingMessage, Receipt, VisibilityTimeout
from router.runtime.aws.references import is_fifo
from router.runtime.aws.sqs import (
    BATCH_ENTRIES,
    EntryBatch,
    ResponseMessage,
    SqsQueues,
    batch_request,
    delete_batches,
    find_failed,
    message_batches,
    read_message,
    read_records,
    receive_request,
    visibility_batches,
)

_read_binary = partial(b64decode, validate=True)
SECONDS = RESPONSE_SECONDS
"""The time-out of a response; that of a long poll is longer by its wait time."""
TRIES = 3
PAUSE_SECONDS = 0.2
"""The upper bound of the random wait before the first retry, doubled before the second."""
RETRY_CAPACITY = 500
"""What retries may cost together, until calls that succeed refund some of it, as in the SDKs' standard mode:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
RETRY_COST = 5
TIMEOUT_COST = 10
"""A call that timed out has cost its service more."""
REFUND = 1
_TIMEOUTS = frozenset({"ReadTimeoutError", "ConnectTimeoutError"})


class _Received(Struct, rename="pascal"):
    """The response of ReceiveMessage."""

    messages: list[ResponseMessage | None] | None = None


_decode_well_formed = msgspec.json.Decoder(_Received).decode


def _decode_received(body: bytes) -> _Received:
    """Decode a response; a malformed message is None. Raises msgspec.DecodeError, UnicodeDecodeError."""
    try:
        return _decode_well_formed(body)
    except msgspec.ValidationError:
        messages = decode_object(body).get("Messages")
        if not isinstance(messages, list):
            raise
        return _Received([read_message(message) for message in messages])


class _Call(Struct, frozen=True):
    """A call of SQS; `decode` gets the body of the response."""

    operation: str
    body: bytes
    timeout: CallTimeout
    decode: Callable[[bytes], Any] = decode_object


class _Until(Struct, frozen=True):
    """Calls start until this moment, and may take as long."""

    moment: float

    def timeout(self, now: float) -> float:
        return self.moment - now


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
        self._calls: PolledCalls[_Call, Any] = PolledCalls(
            lambda call, _: service.begin(call.operation, call.body, call.timeout, call.decode),
            lambda response: result_of(
                response.fault if isinstance(response, FailedCall) else None
            ),
            clock,
            MOST_CALLS,
        )

    def receive(
        self, url: str, count: int, wait_seconds: int, visibility: int
    ) -> list[Record] | AwsFault:
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
                call = _Call("ReceiveMessage", body, timeout, _decode_received)
                (response,) = self._retry([call], [failed])
                if isinstance(response, FailedCall):
                    return response.fault
                good = [response]
            messages = [message for each in good for message in each.messages or ()]
            return [*read_records(messages, _read_binary)]

        bodies = [body] * -(-count // BATCH_ENTRIES)
        return OverlappingCalls(
            self._service, self._clock, "ReceiveMessage", bodies, timeout, _decode_received, read
        )

    def begin_delete(
        self, url: str, messages: Sequence[Receipt], timeout: float
    ) -> "OverlappingCalls[dict[str, Any], dict[str, AwsFault]]":
        """Send what `delete` sends."""
        return self._begin_batches("DeleteMessageBatch", url, delete_batches(messages), timeout)

    def begin_change_visibility(
        self, url: str, messages: Sequence[VisibilityTimeout], timeout: float
    ) -> "OverlappingCalls[dict[str, Any], dict[str, AwsFault]]":
        """Send what `change_visibility` sends."""
        return self._begin_batches(
            "ChangeMessageVisibilityBatch", url, visibility_batches(messages), timeout
        )

    def send(
        self, url: str, messages: Sequence[OutgoingMessage], timeout: float
    ) -> dict[str, AwsFault]:
        """Call SendMessageBatch; calls overlap, those of a FIFO queue if they have no message group in common."""
        until = self._clock() + timeout
        batches = [*message_batches(messages)]
        failed: dict[str, AwsFault] = {}
        for together in _of_distinct_groups(batches) if is_fifo(url) else (batches,):
            left = until - self._clock()
            failed |= self._call_in_batches("SendMessageBatch", url, together, left)
        return failed

    def _call_in_batches(
        self, operation: str, url: str, batches: Iterable[EntryBatch], timeout: float
    ) -> dict[str, AwsFault]:
        until = CallTimeout(SECONDS, self._clock() + timeout)
        sent = [*batches]
        responses = self._call_each(
            [_Call(operation, _encode(batch_request(url, batch)), until) for batch in sent]
        )
        return _find_failed(sent, responses)

    def _begin_batches(
        self, operation: str, url: str, batches: Iterable[EntryBatch], timeout: float
    ) -> "OverlappingCalls[dict[str, Any], dict[str, AwsFault]]":
        sent = [*batches]
        bodies = [_encode(batch_request(url, batch)) for batch in sent]
        until = CallTimeout(SECONDS, self._clock() + timeout)
        return OverlappingCalls(
            self._service,
            self._clock,
            operation,
            bodies,
            until,
            decode_object,
            partial(_find_failed, sent),
        )

    def _call_once(
        self, operation: str, request: Mapping[str, Any], timeout: float
    ) -> dict[str, Any] | AwsFault:
        until = CallTimeout(SECONDS, self._clock() + timeout)
        (response,) = self._call_each([_Call(operation, _encode(request), until)])
        return response.fault if isinstance(response, FailedCall) else response

    def _call_each(self, calls: Sequence[_Call]) -> list[Any | FailedCall]:
        """Make calls that have the same time; return their final responses."""
        return self._retry(calls, self._make(calls))

    def _make(self, calls: Sequence[_Call]) -> list[Any | FailedCall]:
        if not calls:
            return []
        responses = self._calls.make(calls, _Until(calls[0].timeout.until))
        return [NOT_BEGUN if response is None else response for response in responses]

    def _retry(
        self, calls: Sequence[_Call], responses: Sequence[Any | FailedCall]
    ) -> list[Any | FailedCall]:
        """Repeat calls, together, while they fail for a transient reason and have time; return the final responses."""
        found = [*responses]
        spent = [0] * len(calls)
        pause = PAUSE_SECONDS
        for _ in range(TRIES - 1):
            failing = [number for number, response in enumerate(found) if _may_succeed(response)]
            if not failing:
                break
            from random import uniform  # a start, and calls that succeed, do without it

            wait = uniform(0, pause)  # noqa: S311 — jitter, no secret
            again = []
            for number in failing:
                cost = TIMEOUT_COST if found[number].fault.code in _TIMEOUTS else RETRY_COST
                if self._clock() + wait < calls[number].timeout.until and self._budget.spend(cost):
                    spent[number] = cost
                    again.append(number)
            if not again:
                break
            with blocking:
                self._sleep(wait)
            pause *= 2
            repeated = self._make([calls[number] for number in again])
            for number, response in zip(again, repeated, strict=True):
                found[number] = response
        for response, cost in zip(found, spent, strict=True):
            if not isinstance(response, FailedCall):
                self._budget.refund(cost)
        return found


def _find_failed(
    batches: Iterable[EntryBatch], responses: Iterable[dict[str, Any] | FailedCall]
) -> dict[str, AwsFault]:
    """Return the faults of the entries that SQS does not confirm, by message id, from a response for each batch."""
    failed: dict[str, AwsFault] = {}
    for batch, response in zip(batches, responses, strict=True):
        failed |= find_failed(
            batch, response.fault if isinstance(response, FailedCall) else response
        )
    return failed


def _may_succeed(response: object) -> bool:
    return isinstance(response, FailedCall) and response.fault.kind == "retry"


def _of_distinct_groups(batches: Iterable[EntryBatch]) -> Iterator[list[EntryBatch]]:
    """Yield the batches that may be sent together, in order: no two of them have a message group in common."""
    together: list[EntryBatch] = []
    groups: set[str] = set()
    for batch in batches:
        own = {entry.get("MessageGroupId", "") for _, entry in batch}
        if not groups.isdisjoint(own):
            yield together
            together = []
            groups = set()
        together.append(batch)
        groups |= own
    yield together


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
