"""A demo's course, whoever moves the messages: send them, wait for empty queues, look at what became of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from router.aws.references import queue_name, table_name
from router.dev.demo_dead_letters import read_letters
from router.dev.provision import clients, scan_table
from router.dev.results import Played, Said, Seen, judge, stays
from router.dev.samples import Sending
from router.dev.server import LocalAws
from router.program.load import Program

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

DRAIN_SECONDS = 60
"""How long the queues may take to get empty."""
_LOOK_SECONDS = 0.2


class Mover(Protocol):
    """What moves messages from queues to tables."""

    def said(self) -> Mapping[str, Said]:
        """The last line that it logged about each message, by the message's id; raises UsageError if it has ended."""

    def finish(self) -> Mapping[str, Said]:
        """Let it finish what it has begun, and end it; all that it said."""


def play(
    program: Program,
    sendings: Sequence[Sending],
    local: LocalAws,
    moving: Callable[[], AbstractContextManager[Mover]],
) -> Played:
    """Send the messages, have them moved, and look; the queues and tables of the config are there already."""
    tables, queues = clients(local)
    names = {name: queue_name(queue.reference) for name, queue in program.engine.queues.items()}
    urls = {name: queues.get_queue_url(QueueName=aws_name)["QueueUrl"] for name, aws_name in names.items()}
    sent = {_send(queues, urls[sending.queue], number, sending): sending for number, sending in enumerate(sendings)}
    dead_letters = {name: queue_name(queue.dead_letter) for name, queue in program.engine.queues.items()}
    staying = {id_: sending for id_, sending in sent.items() if stays(sending, dead_letters)}
    with moving() as mover:
        _drain(queues, list(urls.values()), staying, mover)
        said = mover.finish()
    # Letters on a queue that a route reads are on their way again.
    kept = {name: queue for name, queue in dead_letters.items() if queue and queue not in names.values()}
    letters = read_letters(queues, dict.fromkeys(kept.values()))
    left = {name: _left(queues, url) for name, url in urls.items()}
    stored = {
        table_name(table.name or name): scan_table(tables, table.name or name)
        for name, table in program.config.tables.items()
    }
    return judge(sent, Seen(said, left, stored, letters, kept))


def _send(client: "SQSClient", url: str, number: int, sending: Sending) -> str:
    attributes: dict[str, MessageAttributeValueTypeDef] = dict(sending.attributes)
    if url.endswith(".fifo"):
        return client.send_message(
            QueueUrl=url,
            MessageBody=sending.body,
            MessageAttributes=attributes,
            MessageGroupId="demo",
            MessageDeduplicationId=str(number),
        )["MessageId"]
    return client.send_message(QueueUrl=url, MessageBody=sending.body, MessageAttributes=attributes)["MessageId"]


def _drain(client: "SQSClient", urls: Sequence[str], staying: Mapping[str, Sending], mover: Mover) -> None:
    """Wait until all messages are off the queues but those that are to stay, or cannot."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        said = mover.said()
        stay = sum(id_ in said and said[id_]["outcome"] == sending.outcome for id_, sending in staying.items())
        if stay == len(staying) and sum(_left(client, url) for url in urls) <= stay:
            return
        time.sleep(_LOOK_SECONDS)


def _left(client: "SQSClient", url: str) -> int:
    """How many messages are on a queue, those that are being worked on included."""
    answer = client.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    return sum(int(number) for number in answer["Attributes"].values())
