"""An event source mapping by AWS's rules: it polls a queue, invokes, and deletes what the answer does not report.

Records: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
Answers: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#sqs-batchfailurereporting-conditions
"""

import base64
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from tests.e2e.runtime_api import FunctionAnswer

RECEIVED_AT_ONCE = 10


def reported(answer: FunctionAnswer, batch: Collection[str]) -> set[str]:
    """The ids that are to come again after an answer: none, those that it reports, or the whole batch.

    The whole batch: an error, no JSON, an id that is empty, null, under another key, or of no message of the batch.
    None: an empty list, a null list, an empty answer, a null answer.
    """
    everything = set(batch)
    if answer.kind != "response":
        return everything
    try:
        response = json.loads(answer.body) if answer.body else None
    except ValueError:
        return everything
    if response is None or response == {}:
        return set()
    if not isinstance(response, dict):
        return everything
    failures = response.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return everything
    ids = [failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures]
    known = {id_ for id_ in ids if id_ in everything}
    return known if len(known) == len(set(ids)) else everything


class EventSource:
    """The mapping of one queue to a function, with `ReportBatchItemFailures`.

    It never changes a visibility timeout: what failed comes again when that of its queue is over.
    """

    def __init__(self, sqs: Any, url: str, invoke: Callable[[Any], FunctionAnswer], batch_size: int = 10) -> None:
        self._sqs, self._url, self._invoke, self._batch_size = sqs, url, invoke, batch_size
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self._arn = answer["Attributes"]["QueueArn"]

    def poll(self, wait_seconds: int = 0) -> dict[str, bool]:
        """One invocation with what the queue has: whether each message was deleted, by its body; empty if none is."""
        messages = list(self._receive(wait_seconds))
        if not messages:
            return {}
        answer = self._invoke({"Records": [as_record(message, self._arn) for message in messages]})
        again = reported(answer, [message["MessageId"] for message in messages])
        for message in messages:
            if message["MessageId"] not in again:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return {message["Body"]: message["MessageId"] not in again for message in messages}

    def _receive(self, wait_seconds: int) -> Iterator[dict[str, Any]]:
        left = self._batch_size
        while left:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(left, RECEIVED_AT_ONCE),
                WaitTimeSeconds=wait_seconds,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            yield from messages
            left -= len(messages)
            wait_seconds = 0
            if not messages:
                return


def as_record(message: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A message as ReceiveMessage gives it, as a record of an event."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }
    if "MD5OfMessageAttributes" in message:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    lists: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "BinaryValue" in value:
        return {"binaryValue": base64.b64encode(value["BinaryValue"]).decode(), **lists}
    return {"stringValue": value["StringValue"], **lists}
