"""Runs a demo on the embedded AWS: sends messages, waits for empty queues, and collects the results."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Protocol

from router.errors import UsageError
from router.model import Table
from router.runtime.aws.references import is_fifo, queue_name, table_name
from router.runtime.program.load import Program
from router.tools.dev.demo_results import (
    DemoResult,
    DemoState,
    LogLine,
    MessageLog,
    evaluate,
    find_unseen,
    read_dead_letters,
    read_log,
    without_retried,
)
from router.tools.dev.demo_tests import DemoRound, evaluate_test, run_tests
from router.tools.dev.emulator import LocalAws, clients, create_queues, create_table, scan_table
from router.tools.dev.samples import Sample, stays

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

DRAIN_SECONDS = 60
"""The longest wait for empty queues."""
_POLL_SECONDS = 0.2


class Consumer(Protocol):
    """The process that reads the queues and writes the tables."""

    def log(self) -> MessageLog:
        """Return what its log says about messages; raises UsageError if it has ended."""

    def finish(self) -> MessageLog:
        """Stop it after it has finished its work, and return its log as `log` does."""


def run_samples(
    demo: DemoRound, local: LocalAws, start: Callable[[], AbstractContextManager[Consumer]]
) -> DemoResult:
    """Send the messages, consume them, and evaluate the results; the queues and tables of the config must exist.

    The tests follow one after the other, each on tables that hold its items only.
    """
    program, (tables, queues) = demo.program, clients(local)
    names = {name: queue_name(queue.reference) for name, queue in program.engine.queues.items()}
    urls = {
        name: queues.get_queue_url(QueueName=aws_name)["QueueUrl"]
        for name, aws_name in names.items()
    }
    numbers = count()
    sent = {
        _send(queues, urls[sample.queue], str(next(numbers)), sample): sample
        for sample in demo.samples
    }
    dead_letters = {
        name: queue_name(queue.dead_letter) for name, queue in program.engine.queues.items()
    }
    staying = {id_: sample for id_, sample in sent.items() if stays(sample, dead_letters)}
    delivered = dict(sent)

    def deliver(sample: Sample) -> str:
        # In a group of its own: a message that stays on a FIFO queue must not block others.
        number = str(next(numbers))
        id_ = _send(queues, urls[sample.queue], number, sample, f"demo-{number}")
        delivered[id_] = sample
        if stays(sample, dead_letters):
            staying[id_] = sample
        _drain(queues, list(urls.values()), staying, consumer)
        return id_

    with start() as consumer:
        _drain(queues, list(urls.values()), staying, consumer)
        references = [table.name or name for name, table in program.config.tables.items()]
        stored = {table_name(each): scan_table(tables, each) for each in references}
        ran = list(run_tests(demo.tests, tables, deliver))
        log = consumer.finish()
    # A dead-letter queue that a route reads contains messages of that route.
    kept = {
        name: queue for name, queue in dead_letters.items() if queue and queue not in names.values()
    }
    stay = Counter(sample.queue for id_, sample in staying.items() if id_ in log.lines)
    left = {name: _left(queues, url) - stay[name] for name, url in urls.items()}
    log = without_retried(delivered, log, left)
    letters = read_dead_letters(queues, dict.fromkeys(kept.values()))
    state = DemoState(log, left, find_unseen(delivered, log), stored, letters, kept)
    return evaluate(sent, state, [result for each in ran for result in evaluate_test(each, state)])


def _send(client: "SQSClient", url: str, number: str, sample: Sample, group: str = "demo") -> str:
    more: dict[str, Any] = (
        {"MessageGroupId": group, "MessageDeduplicationId": number} if is_fifo(url) else {}
    )
    sent = client.send_message(
        QueueUrl=url, MessageBody=sample.body, MessageAttributes=sample.attributes, **more
    )
    return sent["MessageId"]


def _drain(
    client: "SQSClient", urls: Sequence[str], staying: Mapping[str, Sample], consumer: Consumer
) -> None:
    """Wait until only messages that are expected to stay are on the queues, or until the time is over."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        log = consumer.log().lines
        stay = sum(
            id_ in log and log[id_]["outcome"] == sample.outcome for id_, sample in staying.items()
        )
        if stay == len(staying) and sum(_left(client, url) for url in urls) <= stay:
            return
        time.sleep(_POLL_SECONDS)


def _left(client: "SQSClient", url: str) -> int:
    """Return the number of messages on a queue, including those in flight."""
    answer = client.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    return sum(int(number) for number in answer["Attributes"].values())


STOP_SECONDS = 30
"""The longest wait for the worker to end after SIGTERM."""


def run_with_worker(demo: DemoRound, config: Path, local: LocalAws) -> DemoResult:
    """Create queues and tables, send the messages, and run the worker until the queues are empty; raises UsageError."""
    provision(demo.program, local)
    return run_samples(demo, local, lambda: _working(config, local, demo.env))


def provision(program: Program, local: LocalAws, existing: Collection[str] = ()) -> None:
    """Create the queues and tables of the config, except those whose names in AWS are given."""
    tables, queues = clients(local)
    named = {
        table_name(settings.name or key): settings
        for key, settings in program.config.tables.items()
    }
    for name, settings in named.items():
        if name not in existing:
            create_table(tables, Table(name, tuple(settings.key.items())), settings.ttl)
    read = {queue.reference: queue.dead_letter for queue in program.engine.queues.values()}
    create_queues(
        queues,
        {name: letters for name, letters in read.items() if queue_name(name) not in existing},
    )


class WorkerProcess:
    """The worker as a user starts it, on the embedded AWS; its log is read while it is written."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log = log

    def log(self) -> MessageLog:
        """Return what its log says about messages."""
        if self._process.poll() is not None:
            raise UsageError(
                f"the worker ended by itself:\n{self._text().decode(errors='replace')}"
            )
        return read_log(self._lines())

    def finish(self) -> MessageLog:
        """Stop it with SIGTERM, and return its log."""
        self._process.terminate()
        self._process.wait(STOP_SECONDS)
        return read_log(self._lines())

    def _lines(self) -> Iterator[LogLine]:
        for line in self._text().splitlines(keepends=True):
            if line.startswith(b"{") and line.endswith(b"\n"):
                # A plugin may print what is no JSON.
                with suppress(ValueError):
                    yield json.loads(line)

    def _text(self) -> bytes:
        """Return the whole log without moving the file position, which the writer shares."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0)


def start_worker(
    config: Path,
    env: Mapping[str, str],
    log: IO[bytes] | int,
    *,
    own_session: bool = False,
    listen: str = "",
) -> "subprocess.Popen[bytes]":
    """Start the worker as a user does, on an embedded AWS; it ends with its standard input, a pipe to this process.

    Its pages are at `listen`, an address and a port, if it is given.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "router",
        "worker",
        "--config",
        str(config),
        "--wait",
        "1",
    ]
    command += ["--bare-names", "--end-with-input", *(["--listen", listen] if listen else [])]
    return subprocess.Popen(  # noqa: S603 — our own program
        command, env=env, stdin=subprocess.PIPE, stderr=log, start_new_session=own_session
    )


@contextmanager
def _working(config: Path, local: LocalAws, more: Mapping[str, str]) -> Iterator[WorkerProcess]:
    # A test cannot select another AWS.
    env = local.environment() | {
        name: value for name, value in more.items() if not name.startswith("AWS_")
    }
    with TemporaryFile() as log, start_worker(config, env, log) as process:
        try:
            yield WorkerProcess(process, log)
        finally:
            if process.poll() is None:
                process.kill()
