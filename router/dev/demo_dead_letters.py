"""Reads the dead-letter queues of a demo."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from router.deliver.dead_letters import ATTRIBUTE

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_AT_ONCE = 10


class DeadLetter(Struct, frozen=True):
    """A message on a dead-letter queue; all but `queue` and `body` are empty where there was no room for the reason."""

    queue: str
    body: str
    message_id: str = ""
    code: str = ""
    reason: str = ""

    def is_about(self, message_id: str, body: str) -> bool:
        """Whether it is the letter of a message: by the id that it tells of, else by the body."""
        return self.message_id == message_id if self.message_id else self.body == body


def read_letters(client: "SQSClient", queues: Iterable[str]) -> tuple[DeadLetter, ...]:
    """All that is on queues, by their names in AWS."""
    return tuple(letter for queue in queues for letter in _read_queue(client, queue))


def _read_queue(client: "SQSClient", queue: str) -> Iterator[DeadLetter]:
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    while True:
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=_AT_ONCE, MessageAttributeNames=[ATTRIBUTE], VisibilityTimeout=3600
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        for message in messages:
            attributes = message.get("MessageAttributes", {})
            told = json.loads(attributes[ATTRIBUTE]["StringValue"]) if ATTRIBUTE in attributes else {}
            known = {name: told.get(name, "") for name in ("message_id", "code", "reason")}
            yield DeadLetter(queue, message["Body"], **known)
            # A FIFO queue gives no more of a group while one of it is hidden.
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
