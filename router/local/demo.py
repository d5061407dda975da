"""The demo's run: the queues and tables of a config, its messages, and the real worker, all on the embedded AWS."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from router.compile.load import Program
from router.compile.references import queue_name, table_name
from router.errors import UsageError
from router.local.provision import QueueSpec, TableSpec, clients, create_queues, create_tables, scan_table
from router.local.sendings import Sending
from router.local.server import LocalAws
from router.model import Item

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

DRAIN_SECONDS = 60
"""How long the worker may take to empty the queues."""
STOP_SECONDS = 30
"""How long the worker may take to end after SIGTERM."""
_LOOK_SECONDS = 0.2


class Ending(Struct, frozen=True):
    """What became of a message, why, and whether that is as it was to be."""

    sending: Sending
    outcome: str
    why: str
    expected: bool


class Played(Struct, frozen=True):
    """What a demo came to: how each message ended, and what is in each table (by its name in AWS)."""

    endings: tuple[Ending, ...]
    tables: Mapping[str, list[Item]]

    @property
    def succeeded(self) -> bool:
        """Whether each message ended as it was to."""
        return all(ending.expected for ending in self.endings)


def play(program: Program, config: Path, sendings: Sequence[Sending], local: LocalAws) -> Played:
    """Make queues and tables, send the messages, run the worker until the queues are empty; raises UsageError."""
    tables, queues = clients(local)
    names = _provision(program, local)
    urls = {name: queues.get_queue_url(QueueName=aws_name)["QueueUrl"] for name, aws_name in names.items()}
    sent = {_send(queues, urls[sending.queue], number, sending): sending for number, sending in enumerate(sendings)}
    with TemporaryFile() as log, _worker(config, local, log) as worker:
        _drain(queues, list(urls.values()), worker, log)
        worker.terminate()
        worker.wait(STOP_SECONDS)
        log.seek(0)
        said = _read_log(log)
    left = {name: _left(queues, url) for name, url in urls.items()}
    stored = {
        table_name(table.name or name): scan_table(tables, table.name or name)
        for name, table in program.config.tables.items()
    }
    endings = [_ending(sending, said.get(id_), left[sending.queue], stored, sendings) for id_, sending in sent.items()]
    return Played(tuple(endings), stored)


def _provision(program: Program, local: LocalAws) -> dict[str, str]:
    """Make what the config names; the AWS name of each queue."""
    tables, queues = clients(local)
    config = program.config
    create_tables(
        tables,
        [TableSpec(table.name or name, tuple(table.key.items()), table.ttl) for name, table in config.tables.items()],
    )
    read = program.engine.queues
    create_queues(queues, [QueueSpec(queue.reference, queue.dead_letter) for queue in read.values()])
    return {name: queue_name(queue.reference) for name, queue in read.items()}


def _send(client: "SQSClient", url: str, number: int, sending: Sending) -> str:
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": value} for name, value in sending.attributes.items()
    }
    if url.endswith(".fifo"):
        return client.send_message(
            QueueUrl=url,
            MessageBody=sending.body,
            MessageAttributes=attributes,
            MessageGroupId="demo",
            MessageDeduplicationId=str(number),
        )["MessageId"]
    return client.send_message(QueueUrl=url, MessageBody=sending.body, MessageAttributes=attributes)["MessageId"]


@contextmanager
def _worker(config: Path, local: LocalAws, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The real worker, as a user would start it, but for its AWS."""
    command = [sys.executable, "-P", "-m", "router", "worker", "--config", str(config), "--wait", "1", "--bare-names"]
    with subprocess.Popen(command, env=local.environment(), stderr=log) as process:  # noqa: S603 — our own program
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _drain(client: "SQSClient", urls: Sequence[str], worker: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Wait until the worker has taken all messages off the queues, or cannot."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end and any(_left(client, url) for url in urls):
        if worker.poll() is not None:
            log.seek(0)
            raise UsageError(f"the worker ended by itself:\n{log.read().decode(errors='replace')}")
        time.sleep(_LOOK_SECONDS)


def _left(client: "SQSClient", url: str) -> int:
    """How many messages are on a queue, those that are being worked on included."""
    answer = client.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    return sum(int(number) for number in answer["Attributes"].values())


def _read_log(log: IO[bytes]) -> dict[str, dict[str, str]]:
    """The last line that the worker logged about each message; none says that it was written."""
    said = {}
    for line in log:
        fields = json.loads(line) if line.startswith(b"{") else {}
        if "message_id" in fields:
            said[fields["message_id"]] = fields
    return said


def _ending(
    sending: Sending,
    said: Mapping[str, str] | None,
    left: int,
    stored: Mapping[str, list[Item]],
    sendings: Sequence[Sending],
) -> Ending:
    if sending.fault:
        return Ending(sending, said["outcome"] if said else "written", sending.fault, expected=False)
    if said:
        return Ending(sending, said["outcome"], f"{said['code']} {said['reason']}", said["outcome"] == sending.outcome)
    if left:
        return Ending(sending, "retry", "it is still on its queue", expected=False)
    missing = [each.table for each in sending.items if not _is_stored(each.identity, each.table, stored, sendings)]
    why = f"its item is not in {', '.join(missing)}" if missing else ""
    return Ending(sending, "written", why, expected=sending.outcome == "written" and not missing)


def _is_stored(
    identity: tuple[str, ...], table: str, stored: Mapping[str, list[Item]], sendings: Sequence[Sending]
) -> bool:
    """Whether an item is there as one of the messages that write it says; which of them came last is not known."""
    candidates = [each.attributes for sending in sendings for each in sending.items if each.identity == identity]
    return any(
        all(name in item and item[name] == value for name, value in wanted.items())
        for wanted in candidates
        for item in stored[table_name(table)]
    )
