"""SQS without an SDK: the `Queues` of the seam."""

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import md5
from itertools import repeat
from logging import getLogger
from random import uniform
from typing import Any

import msgspec

from router.aws.batches import BATCH_ENTRIES, Entry, in_batches, numbered, parcels, queue_request, tens
from router.aws.client import Letter, Received
from router.aws.faults import Fault
from router.aws.http.budget import COST, TIMEOUT_COST, RetryBudget
from router.aws.http.service import UNREADABLE, Failed, Service
from router.aws.run_lock import away
from router.model import Record

SECONDS = 10
"""To wait for an answer: SQS answers in milliseconds when it is well; a poll waits for so much longer than SQS does."""
CALLS_AT_ONCE = 20
TRIES = 3
PAUSE_SECONDS = 0.2
"""The bound of the random wait before the second try, doubled before the third."""
PREFIX = "AmazonSQS"
_TIMEOUTS = frozenset({"ReadTimeoutError", "ConnectTimeoutError"})


class DirectQueues:
    """Calls SQS; a call that fails for a passing reason is tried again here, since each is asked for by itself."""

    def __init__(
        self,
        service: Service,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._sleep = sleep
        self._clock = clock
        self._urls: dict[str, str] = {}
        self._budget = RetryBudget()

    def url(self, reference: str) -> str | Fault:
        """GetQueueUrl, kept if it succeeds; a URL is taken as it is."""
        if "://" in reference:
            return reference
        if reference not in self._urls:
            answer = self._call("GetQueueUrl", queue_request(reference))
            if isinstance(answer, Fault):
                return answer
            if not isinstance(answer.get("QueueUrl"), str):
                return UNREADABLE
            self._urls[reference] = answer["QueueUrl"]
        return self._urls[reference]

    def visibility(self, url: str) -> int | Fault:
        """GetQueueAttributes."""
        answer = self._call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]})
        if isinstance(answer, Fault):
            return answer
        try:
            return int(answer["Attributes"]["VisibilityTimeout"])
        except (KeyError, TypeError, ValueError):
            return UNREADABLE

    def receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | Fault:
        """ReceiveMessage, with every attribute of each message; calls for more than ten go at the same time."""
        request = {
            "QueueUrl": url,
            "MaxNumberOfMessages": min(count, BATCH_ENTRIES),
            "WaitTimeSeconds": wait_seconds,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        body, seconds = _encode(request), wait_seconds + SECONDS
        answers = self._answers("ReceiveMessage", [body] * -(-count // BATCH_ENTRIES), seconds)
        good = [answer for answer in answers if not isinstance(answer, Failed)]
        # Where messages have come, they do not wait for further tries of the calls that failed.
        if not good:
            answer = self._settle("ReceiveMessage", body, answers[0], seconds)
            if isinstance(answer, Fault):
                return answer
            good = [answer]
        return [_record(message) for answer in good for message in answer.get("Messages") or () if _is_whole(message)]

    def delete(self, url: str, messages: Sequence[Received]) -> dict[str, Fault]:
        """DeleteMessageBatch, ten messages a call; the calls go at the same time."""
        entries = [(id_, {"ReceiptHandle": handle}) for id_, handle in messages]
        return self._in_batches("DeleteMessageBatch", url, tens(entries))

    def release(self, url: str, messages: Sequence[tuple[str, str, int]]) -> dict[str, Fault]:
        """ChangeMessageVisibilityBatch, ten messages a call; the calls go at the same time."""
        entries = [(id_, {"ReceiptHandle": handle, "VisibilityTimeout": hidden}) for id_, handle, hidden in messages]
        return self._in_batches("ChangeMessageVisibilityBatch", url, tens(entries))

    def send(self, url: str, letters: Sequence[Letter]) -> dict[str, Fault]:
        """SendMessageBatch, up to ten letters and 1 MiB a call; the calls go at the same time, but for FIFO queues."""
        if not any(letter.group_id for letter in letters):
            return self._in_batches("SendMessageBatch", url, parcels(letters))

        def send(entries: list[Entry]) -> Mapping[str, Any] | Fault:
            return self._call("SendMessageBatch", {"QueueUrl": url, "Entries": entries})

        return in_batches(send, parcels(letters))

    def _in_batches(self, operation: str, url: str, entries: Iterator[list[tuple[str, Entry]]]) -> dict[str, Fault]:
        """A batch operation, in calls at the same time."""
        batches = [*entries]
        bodies = [_encode({"QueueUrl": url, "Entries": numbered(batch)}) for batch in batches]
        answers = self._answers(operation, bodies, SECONDS)
        settled = map(self._settle, repeat(operation), bodies, answers, repeat(SECONDS))
        return in_batches(lambda entries: next(settled), iter(batches))

    def _answers(self, operation: str, bodies: Sequence[bytes], seconds: float) -> list[dict[str, Any] | Failed]:
        """What several calls are answered, some at a time in one thread; they have so many seconds together."""
        answers: list[dict[str, Any] | Failed] = []
        for start in range(0, len(bodies), CALLS_AT_ONCE):
            begun = [self._service.begin(operation, body, seconds) for body in bodies[start : start + CALLS_AT_ONCE]]
            until = self._clock() + seconds
            # The last one first: once it is answered the others are too, most likely, and need no wait of their own.
            ended = [call.finish(late=self._clock() >= until) for call in reversed(begun)]
            answers += reversed(ended)
        return answers

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | Fault:
        body = _encode(request)
        return self._settle(operation, body, self._service.call(operation, body, SECONDS), SECONDS)

    def _settle(
        self, operation: str, body: bytes, answer: dict[str, Any] | Failed, seconds: float
    ) -> dict[str, Any] | Fault:
        """The answer of a call in the end; it is made again while it fails for a passing reason."""
        pause, spent = PAUSE_SECONDS, 0
        for _ in range(TRIES - 1):
            if not isinstance(answer, Failed):
                self._budget.earn(spent)
                return answer
            cost = TIMEOUT_COST if answer.fault.code in _TIMEOUTS else COST
            if answer.fault.kind != "retry" or not self._budget.spend(cost):
                return answer.fault
            spent = cost
            with away:
                self._sleep(uniform(0, pause))  # noqa: S311 — jitter, no secret
            pause *= 2
            answer = self._service.call(operation, body, seconds)
        if isinstance(answer, Failed):
            return answer.fault
        self._budget.earn(spent)
        return answer


def _encode(request: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError:
        # Half a surrogate pair, which has no UTF-8 but an escape; what to think of it is for SQS to say.
        return json.dumps(request, default=lambda value: b64encode(value).decode()).encode()


def _is_whole(message: Mapping[str, Any]) -> bool:
    # MD5 is what SQS gives, against accidents; on systems without it for secrets it is still there for this.
    given = message.get("MD5OfBody")
    if given is None or given == md5(message["Body"].encode(errors="surrogatepass"), usedforsecurity=False).hexdigest():
        return True
    # It is left, and comes again.
    fields = {"message_id": message["MessageId"], "error": "ChecksumError"}
    getLogger("router").warning("the body is not what was sent", extra={"fields": fields})
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
