"""DynamoDB, SQS and S3 in memory, by their protocols: what was really written, sent and deleted."""

import json
from collections import deque
from collections.abc import Callable, Iterable
from hashlib import md5
from itertools import count
from typing import Any, NamedTuple

from tests.faults.fault_rig import FOLDER
from tests.support.aws import WriteResponse
from tests.support.program import load_program
from tests.support.testing import MemoryTables

CONFIG = FOLDER / "peers" / "routes.yaml"
DEAD_LETTERS = "dead"
WRITES = ("BatchWriteItem", "PutItem", "UpdateItem", "TransactWriteItems")
TABLES = {"put": "puts", "insert": "inserts", "update": "updates", "count": "counts"}
"""The tables by the kinds of messages."""
VISIBILITY = 60
"""Seconds; no message of a healthy call becomes visible again on a busy machine."""

Request = dict[str, Any]


class Answer(NamedTuple):
    """A response without its headers, and the ids of the messages that the call is about."""

    status: int
    body: bytes
    ids: frozenset[str] = frozenset()
    code: str = ""


class SentMessage(NamedTuple):
    """A message as it is sent to a queue, and where it has to end: in a table, or as a dead letter.

    `payload` is that of the object in S3 to which it points, if any.
    """

    id: str
    body: str
    place: str
    value: int
    payload: bytes = b""


def make_message(number: int, kind: str) -> SentMessage:
    """Make a message of a kind: one of TABLES, "bad" or "object"."""
    id_, value = f"m{number}", number * 7
    content = {"id": id_, "kind": "put" if kind in ("bad", "object") else kind, "value": value}
    if kind == "bad":
        return SentMessage(id_, json.dumps({**content, "value": str(value)}), DEAD_LETTERS, value)
    text = json.dumps(content)
    if kind != "object":
        return SentMessage(id_, text, TABLES[kind], value)
    pointer = {"s3BucketName": "bucket", "s3Key": id_}
    body = json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", pointer])
    return SentMessage(id_, body, "puts", value, text.encode())


class MemoryQueue:
    """A queue: visible messages, leases by receipt handle, and the ids of deleted messages.

    Visibility timeouts do not end by themselves: `expire` ends them.
    """

    def __init__(self) -> None:
        self.visible: deque[SentMessage] = deque()
        self.leased: dict[str, SentMessage] = {}
        self.deleted: set[str] = set()
        self._receives: dict[str, int] = {}
        self._handles = count()

    def send(self, messages: Iterable[SentMessage]) -> None:
        """Add messages."""
        self.visible.extend(messages)

    def receive(self, most: int) -> list[dict[str, Any]]:
        """Lease visible messages."""
        received: list[dict[str, Any]] = []
        while self.visible and len(received) < most:
            message = self.visible.popleft()
            handle = f"{message.id}-{next(self._handles)}"
            self.leased[handle] = message
            received.append(self._in_sqs(message, handle))
        return received

    def _in_sqs(self, message: SentMessage, handle: str) -> dict[str, Any]:
        self._receives[message.id] = self._receives.get(message.id, 0) + 1
        return {
            "MessageId": message.id,
            "ReceiptHandle": handle,
            "Body": message.body,
            "MD5OfBody": md5(message.body.encode(), usedforsecurity=False).hexdigest(),
            "Attributes": {"ApproximateReceiveCount": str(self._receives[message.id])},
        }

    def delete(self, handle: str) -> str | None:
        """Delete a message; return its id, None if the receipt handle is an old one."""
        message = self.leased.pop(handle, None)
        if message is None:
            return None
        self.deleted.add(message.id)
        return message.id

    def expire(self, handles: Iterable[str]) -> None:
        """End the visibility timeouts of messages."""
        for handle in handles:
            message = self.leased.pop(handle, None)
            if message is not None:
                self.visible.append(message)

    @property
    def is_empty(self) -> bool:
        """Whether it has no message, visible or not."""
        return not self.visible and not self.leased


class Services:
    """The tables, queues and objects of the config, and the messages that are known to be done.

    `on_done` is called with the ids of messages whenever a call is made for them, with its operation.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.queues = {"messages": MemoryQueue(), "pointers": MemoryQueue()}
        self.expected: dict[str, SentMessage] = {}
        self.wrongly_deleted: list[str] = []
        """The ids of messages that were deleted before they were written or sent to the dead-letter queue."""
        self.on_done: Callable[[str, frozenset[str]], None] = lambda operation, ids: None
        self._letters: set[str] = set()
        self._tables = MemoryTables.of(load_program(CONFIG, {}))

    def expect(self, messages: Iterable[SentMessage]) -> None:
        """Take note of messages that are sent."""
        self.expected |= {message.id: message for message in messages}

    def is_done(self, id_: str) -> bool:
        """Whether a message is in its table with its value, or on the dead-letter queue."""
        message = self.expected[id_]
        if message.place == DEAD_LETTERS:
            return id_ in self._letters
        item = self._tables.get(message.place, {"id": {"S": id_}})
        return item is not None and int(item["value"]["N"]) >= message.value

    def ids_of(self, operation: str, request: Request) -> frozenset[str]:
        """Return the ids of the messages that a call is about; those of a receive are known later."""
        match operation:
            case "BatchWriteItem":
                puts = [each["PutRequest"] for part in request["RequestItems"].values() for each in part]
                return frozenset(put["Item"]["id"]["S"] for put in puts)
            case "PutItem":
                return frozenset([request["Item"]["id"]["S"]])
            case "UpdateItem":
                return frozenset([request["Key"]["id"]["S"]])
            case "TransactWriteItems":
                updates = [each["Update"] for each in request["TransactItems"] if "Update" in each]
                return frozenset(update["Key"]["id"]["S"] for update in updates)
            case "GetObject":
                return frozenset([request["Key"]])
            case "SendMessageBatch":
                return frozenset(json.loads(each["MessageBody"])["id"] for each in request["Entries"])
            case "DeleteMessageBatch" | "ChangeMessageVisibilityBatch":
                return frozenset(each["ReceiptHandle"].partition("-")[0] for each in request["Entries"])
        return frozenset()

    def confirm(self, operation: str, request: Request) -> bytes:
        """Return the body of a response that confirms a call, which is not made."""
        if operation == "BatchWriteItem":
            return b'{"UnprocessedItems":{}}'
        if operation == "ReceiveMessage":
            return b'{"Messages":[]}'
        if "Entries" in request:
            return _batch_result([each["Id"] for each in request["Entries"]])
        return b"{}"

    def call(self, operation: str, request: Request) -> Answer:
        """Make a call."""
        ids = self.ids_of(operation, request)
        if operation in WRITES:
            answer = self._write(operation, request)
        elif operation == "GetObject":
            answer = Answer(200, self.expected[request["Key"]].payload)
        else:
            answer = self._call_queue(operation, request)
        ids |= answer.ids
        if answer.status == 200:
            self.on_done(operation, ids)
        return answer._replace(ids=ids)

    def _write(self, operation: str, request: Request) -> Answer:
        tables = self._tables
        match operation:
            case "BatchWriteItem":
                ((table, requests),) = request["RequestItems"].items()
                response, body = tables.batch_write(table, requests), b'{"UnprocessedItems":{}}'
            case "TransactWriteItems":
                actions: list[Any] = [action for each in request["TransactItems"] for action in each.items()]
                return _transaction_result(tables.transact(actions), len(actions))
            case _:
                action: Any = operation.removesuffix("Item")
                response, body = tables.write(action, request), b"{}"
        if response.fault is None:
            return Answer(200, body)
        stored = {"Item": response.stored} if response.stored else {}
        error = {"__type": f"com.amazonaws.dynamodb.v20120810#{response.fault.code}", **stored}
        return Answer(400, json.dumps(error).encode(), code=response.fault.code)

    def _call_queue(self, operation: str, request: Request) -> Answer:
        if operation == "GetQueueUrl":
            url = f"{self.endpoint}/1/{request['QueueName']}"
            return Answer(200, json.dumps({"QueueUrl": url}).encode())
        if operation == "GetQueueAttributes":
            return Answer(200, json.dumps({"Attributes": {"VisibilityTimeout": str(VISIBILITY)}}).encode())
        if operation == "SendMessageBatch":
            self._letters |= self.ids_of(operation, request)
            return Answer(200, self.confirm(operation, request))
        queue = self.queues[request["QueueUrl"].rpartition("/")[2]]
        if operation == "ReceiveMessage":
            messages = queue.receive(request.get("MaxNumberOfMessages", 1))
            ids = frozenset(message["MessageId"] for message in messages)
            return Answer(200, json.dumps({"Messages": messages}).encode(), ids)
        for entry in request["Entries"]:
            if operation == "DeleteMessageBatch":
                self._delete(queue, entry["ReceiptHandle"])
            else:
                # Time is of no interest here: what is to be retried is visible at once.
                queue.expire([entry["ReceiptHandle"]] if entry["VisibilityTimeout"] < VISIBILITY else [])
        return Answer(200, self.confirm(operation, request))

    def _delete(self, queue: MemoryQueue, handle: str) -> None:
        id_ = queue.delete(handle)
        if id_ is not None and not self.is_done(id_):
            self.wrongly_deleted.append(id_)


def _batch_result(entries: list[str]) -> bytes:
    return json.dumps({"Successful": [{"Id": id_} for id_ in entries], "Failed": []}).encode()


def _transaction_result(response: WriteResponse, actions: int) -> Answer:
    if response.fault is None:
        return Answer(200, b"{}")
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in range(actions)]
    reasons[response.position] = {"Code": response.fault.code.removesuffix("Exception")}
    code = "TransactionCanceledException"
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "CancellationReasons": reasons}
    return Answer(400, json.dumps(error).encode(), code=code)
