"""The answers of the canned server, and its counts.

Answers follow the AWS JSON protocols, with the checksums that clients verify: CRC32 in DynamoDB's, MD5 of bodies in
SQS's. The bytes of requests are stored and parsed only for the report, so that a call costs nothing more.
"""

import json
import re
import time
import zlib
from collections import Counter
from hashlib import md5
from itertools import count as counting
from statistics import median
from typing import Any

from messages import SENT_MS, body
from pacing import PacedQueue, join
from verifying import canonical_item, digest, read_item

VISIBILITY_SECONDS = 3600
KEYS = {"small": "user_id", "medium": "order_id", "large": "document_id", "nested": "booking_id"}
_ID = re.compile(rb'"Id":\s*"([^"]*)"')
_HANDLE = re.compile(rb'"ReceiptHandle":\s*"([^"]*)"')
_WAIT = re.compile(rb'"WaitTimeSeconds":\s*(\d+)')
_NAME = re.compile(rb'"(?:QueueName|TableName)":\s*"([^"]*)"')
CONSTANT = {
    b"batchwriteitem": b'{"UnprocessedItems":{}}',
    b"putitem": b"{}",
    b"updateitem": b"{}",
}
_KEPT = frozenset({b"batchwriteitem", b"putitem", b"deletemessagebatch"})


ID = b"canned-00000000"
"""The request id of each answer until it is sent: a client may refuse one that it had before."""


def render(content: bytes, crc: bool = False) -> bytes:
    """A complete answer."""
    checksum = b"x-amz-crc32: %d\r\n" % zlib.crc32(content) if crc else b""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: %s\r\n%sContent-Length: "
        b"%d\r\n\r\n%s" % (ID, checksum, len(content), content)
    )


_SENT = b'{"Id":"%s","MessageId":"sent-%s"}'


_RENDERED = {operation: render(content, crc=True) for operation, content in CONSTANT.items()}
_EMPTY = render(b"{}")


class Answers:
    """The answers of a run, and a record of its requests."""

    def __init__(self) -> None:
        self._ids = counting(1)
        self._prepared: list[bytes] = []
        self._filled = 0
        self.latency = 0.0
        """Seconds of each call, besides those of a receive that waits."""
        self.reset()

    def reset(self) -> None:
        """Delete all records and empty the queue."""
        self.calls: Counter[bytes] = Counter()
        self._kept: dict[bytes, list[bytes]] = {operation: [] for operation in _KEPT}
        self._prepared, self._filled, self._deleted, self._letters = [], 0, 0, 0
        self._paced: PacedQueue | None = None

    def fill(self, size: str, count: int, rate: float, seed: int) -> None:
        """Put a number of messages of a size into the queue, in batches of ten; or send them at a rate a second."""
        self.reset()
        self._filled = count
        if rate:
            messages = [json.dumps(_message(size, number)).encode() for number in range(count)]
            self._paced = PacedQueue(messages, rate, seed)
            return
        batches = [range(start, min(start + 10, count)) for start in range(0, count, 10)]
        self._prepared = [_received(size, numbers) for numbers in reversed(batches)]

    @property
    def drained(self) -> bool:
        """Whether all messages were deleted."""
        return self._deleted >= self._filled

    def answer(self, operation: bytes, content: bytes, endpoint: str) -> tuple[bytes, float]:
        """Return the answer to a call of an endpoint, and the seconds to delay it."""
        rendered, seconds = self._rendered(operation, content, endpoint)
        return rendered.replace(ID, b"canned-%08d" % next(self._ids), 1), seconds

    def _rendered(self, operation: bytes, content: bytes, endpoint: str) -> tuple[bytes, float]:
        self.calls[operation] += 1
        kept = self._kept.get(operation)
        if kept is not None:
            kept.append(content)
            if self._paced and operation == b"batchwriteitem":
                self._paced.store(time.monotonic() + self.latency, content)
        rendered = _RENDERED.get(operation)
        if rendered is not None:
            return rendered, 0.0
        match operation:
            case b"receivemessage":
                if self._prepared:
                    return self._prepared.pop(), 0.0
                wait = _WAIT.search(content)
                longest = float(wait[1]) if wait else 0.0
                if self._paced:
                    messages, seconds = self._paced.receive(time.monotonic(), longest, self.latency)
                    return render(join(messages)), seconds
                return _EMPTY, longest
            case b"sendmessagebatch":
                ids = _ID.findall(content)
                self._letters += len(ids)
                sent = [_SENT % (id_, id_) for id_ in ids]
                return render(b'{"Successful":[%s],"Failed":[]}' % b",".join(sent)), 0.0
            case b"deletemessagebatch" | b"changemessagevisibilitybatch":
                ids = _ID.findall(content)
                if operation == b"deletemessagebatch":
                    self._deleted += len(ids)
                return render(b'{"Successful":[%s],"Failed":[]}' % b",".join(b'{"Id":"%s"}' % id_ for id_ in ids)), 0.0
        return render(json.dumps(self._seldom(operation, content, endpoint)).encode()), 0.0

    def _seldom(self, operation: bytes, content: bytes, endpoint: str) -> Any:
        """Prepare the answers that take time to create."""
        found = _NAME.search(content)
        name = found[1].decode() if found else ""
        match operation:
            case b"getqueueurl":
                return {"QueueUrl": f"{endpoint}/123456789012/{name}"}
            case b"getqueueattributes":
                return {"Attributes": {"VisibilityTimeout": str(VISIBILITY_SECONDS)}}
            case b"describetable":
                key = KEYS.get(name, "id")
                return {
                    "Table": {
                        "TableName": name,
                        "TableStatus": "ACTIVE",
                        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
                        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
                    }
                }
        return {}

    def report(self) -> dict[str, Any]:
        """Report the requests since the last reset.

        `calls` by operation; `letters` sent to a queue; `items` written, how many are `distinct`, and their `digest`;
        `deleted` messages, each counted once; `latency`: of messages sent at a rate, the median of the seconds until
        each was stored.
        """
        # The batches of an invocation are often those of the one before, and are then parsed once.
        written = Counter(self._kept[b"batchwriteitem"])
        lines = []
        for content, times in written.items():
            lines += [canonical_item(table, read_item(item)) for table, item in _batch_items(content)] * times
        lines += [canonical_item(table, read_item(item)) for table, item in _put_items(self._kept[b"putitem"])]
        return {
            "calls": {operation.decode(): count for operation, count in sorted(self.calls.items())},
            "items": len(lines),
            "distinct": len(set(lines)),
            "digest": digest(lines),
            "letters": self._letters,
            "deleted": len({handle for sent in self._kept[b"deletemessagebatch"] for handle in _HANDLE.findall(sent)}),
            "latency": median(self._paced.latencies(_numbers)) if self._paced else 0.0,
        }


def _batch_items(content: bytes) -> list[tuple[str, dict[str, Any]]]:
    return [
        (table, request["PutRequest"]["Item"])
        for table, requests in json.loads(content)["RequestItems"].items()
        for request in requests
        if "PutRequest" in request
    ]


def _numbers(content: bytes) -> list[int]:
    """Return the numbers of the messages whose items a batch has; they end the keys of items."""
    return [int(item[KEYS[table]]["S"].rpartition("_")[2]) for table, item in _batch_items(content)]


def _put_items(bodies: list[bytes]) -> list[tuple[str, dict[str, Any]]]:
    return [(request["TableName"], request["Item"]) for request in map(json.loads, bodies)]


def _received(size: str, numbers: range) -> bytes:
    """Return the answer of ReceiveMessage with these messages."""
    return render(json.dumps({"Messages": [_message(size, number) for number in numbers]}).encode())


def _message(size: str, number: int) -> dict[str, Any]:
    text = body(size, number)
    return {
        "MessageId": f"00000000-0000-4000-8000-{number:012d}",
        "ReceiptHandle": f"{number:012d}" + "AQEBzbVv0" * 20,
        "MD5OfBody": _md5(text),
        "Body": text,
        "Attributes": {
            "SenderId": "AIDACKCEVSQ6C2EXAMPLE",
            "SentTimestamp": str(SENT_MS),
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": str(SENT_MS + 1),
        },
    }


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
