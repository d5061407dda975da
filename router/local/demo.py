"""The demo's run: the queues and tables of a config, its messages, and the real worker, all on the embedded AWS."""

import json
import os
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
from router.local.letters import DeadLetter, read_letters
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
    """What a demo came to: how each message ended, what is in each table (by its name in AWS), and the dead letters."""

    endings: tuple[Ending, ...]
    tables: Mapping[str, list[Item]]
    letters: tuple[DeadLetter, ...]

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
    dead_letters = {name: queue_name(queue.dead_letter) for name, queue in program.engine.queues.items()}
    staying = {id_: sending for id_, sending in sent.items() if _stays(sending, dead_letters)}
    with TemporaryFile() as log, _worker(config, local, log) as worker:
        _drain(queues, list(urls.values()), staying, worker, log)
        worker.terminate()
        worker.wait(STOP_SECONDS)
        said = _read_log(log)
    # Letters on a queue that a route reads are on their way again.
    kept = {name: queue for name, queue in dead_letters.items() if queue and queue not in names.values()}
    letters = read_letters(queues, dict.fromkeys(kept.values()))
    left = {name: _left(queues, url) for name, url in urls.items()}
    stored = {
        table_name(table.name or name): scan_table(tables, table.name or name)
        for name, table in program.config.tables.items()
    }
    endings = []
    for id_, sending in sent.items():
        fault = _letter_fault(id_, sending, kept.get(sending.queue, ""), letters)
        endings.append(_ending(sending, said.get(id_), left[sending.queue], stored, sendings, fault))
    return Played(tuple(endings), stored, letters)


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
    command = [sys.executable, "-P", "-m", "router", "worker", "--config", str(config), "--wait", "1"]
    command += ["--bare-names", "--end-with-input"]
    with subprocess.Popen(  # noqa: S603 — our own program
        command, env=local.environment(), stdin=subprocess.PIPE, stderr=log
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _stays(sending: Sending, dead_letters: Mapping[str, str]) -> bool:
    """Whether a message is to be on its queue in the end."""
    return sending.outcome == "retry" or (sending.outcome == "rejected" and not dead_letters[sending.queue])


def _drain(
    client: "SQSClient",
    urls: Sequence[str],
    staying: Mapping[str, Sending],
    worker: subprocess.Popen[bytes],
    log: IO[bytes],
) -> None:
    """Wait until the worker has taken all messages off the queues but those that are to stay, or cannot."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        if worker.poll() is not None:
            raise UsageError(f"the worker ended by itself:\n{_whole(log).decode(errors='replace')}")
        said = _read_log(log) if staying else {}
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


def _whole(log: IO[bytes]) -> bytes:
    """All of a log that is still written to: its position, which the writer shares, stays where it is."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)


def _read_log(log: IO[bytes]) -> dict[str, dict[str, str]]:
    """The last line that the worker logged about each message; none says that it was written."""
    said = {}
    for line in _whole(log).splitlines(keepends=True):
        fields = json.loads(line) if line.startswith(b"{") and line.endswith(b"\n") else {}
        if "outcome" in fields:
            said[fields["message_id"]] = fields
    return said


def _letter_fault(message_id: str, sending: Sending, queue: str, letters: Sequence[DeadLetter]) -> str:
    """What is wrong with the letter of a message that was rejected to a queue, or ""."""
    if not queue or any(each.queue == queue and each.is_about(message_id, sending.body) for each in letters):
        return ""
    return f"its dead letter is not in {queue}"


def _ending(
    sending: Sending,
    said: Mapping[str, str] | None,
    left: int,
    stored: Mapping[str, list[Item]],
    sendings: Sequence[Sending],
    letter_fault: str,
) -> Ending:
    if sending.fault:
        return Ending(sending, said["outcome"] if said else "written", sending.fault, expected=False)
    if said and said["outcome"] == "rejected" and letter_fault:
        return Ending(sending, "rejected", letter_fault, expected=False)
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
