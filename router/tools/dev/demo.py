"""Runs a demo on the embedded AWS: sends messages, waits for empty queues, and collects the
results.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Protocol

from router.errors import UsageError
from router.runtime.aws.references import is_fifo, queue_name, table_name
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
from router.tools.dev.emulator import LocalAws, clients, scan_table
from router.tools.dev.provision import provision
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
    demo: DemoRound,
    local: LocalAws,
    start: Callable[[], AbstractContextManager[Consumer]],
) -> DemoResult:
    """Send the messages, consume them, and evaluate the results; the queues and tables of the
    config must exist.

    The tests follow one after the other, each on tables that hold its items only.
    """
    program = demo.program
    tables, queues = clients(local)
    names = {name: queue_name(queue.reference) for name, queue in program.engine.queues.items()}
    dead_letters = {
        name: queue_name(queue.dead_letter) for name, queue in program.engine.queues.items()
    }
    sending = _Sending(queues, names, dead_letters)
    for sample in demo.samples:
        sending.send(sample, "demo")
    sent = dict(sending.sent)

    def deliver(sample: Sample) -> str:
        # In a group of its own: a message that stays on a FIFO queue must not block others.
        id_ = sending.send(sample)
        sending.drain(consumer)
        return id_

    with start() as consumer:
        sending.drain(consumer)
        references = [table.name or name for name, table in program.config.tables.items()]
        stored = {table_name(each): scan_table(tables, each) for each in references}
        ran = list(run_tests(demo.tests, tables, deliver))
        log = consumer.finish()
    left = sending.left_unexpectedly(log)
    log = without_retried(sending.sent, log, left)
    # A dead-letter queue that a route reads contains messages of that route.
    kept = {
        name: queue for name, queue in dead_letters.items() if queue and queue not in names.values()
    }
    state = DemoState(
        log=log,
        left=left,
        unseen=find_unseen(sending.sent, log),
        tables=stored,
        dead_letters=read_dead_letters(queues, dict.fromkeys(kept.values())),
        dead_letter_queues=kept,
    )
    results = [result for each in ran for result in evaluate_test(each, state)]
    return evaluate(sent, state, results)


class _Sending:
    """The messages that were sent, by their ids, and those of them that are expected to stay on
    their queues.
    """

    def __init__(
        self,
        client: "SQSClient",
        names: Mapping[str, str],
        dead_letters: Mapping[str, str],
    ) -> None:
        self._client = client
        self._dead_letters = dead_letters
        self._urls = {
            name: client.get_queue_url(QueueName=aws_name)["QueueUrl"]
            for name, aws_name in names.items()
        }
        self._numbers = count()
        self.sent: dict[str, Sample] = {}
        self._staying: dict[str, Sample] = {}

    def send(self, sample: Sample, group: str = "") -> str:
        """Send a message, on a FIFO queue in a group, or in one of its own; return its id."""
        number = next(self._numbers)
        url = self._urls[sample.queue]
        more: dict[str, Any] = {}
        if is_fifo(url):
            more["MessageGroupId"] = group or f"demo-{number}"
            more["MessageDeduplicationId"] = str(number)
        response = self._client.send_message(
            QueueUrl=url,
            MessageBody=sample.body,
            MessageAttributes=sample.attributes,
            **more,
        )
        id_ = response["MessageId"]
        self.sent[id_] = sample
        if stays(sample, self._dead_letters):
            self._staying[id_] = sample
        return id_

    def drain(self, consumer: Consumer) -> None:
        """Wait until only messages that are expected to stay are on the queues, or until the time
        is over.
        """
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end:
            log = consumer.log().lines
            ended = [
                id_
                for id_, sample in self._staying.items()
                if id_ in log and log[id_]["outcome"] == sample.outcome
            ]
            if len(ended) == len(self._staying) and sum(self._left().values()) <= len(ended):
                return
            time.sleep(_POLL_SECONDS)

    def left_unexpectedly(self, log: MessageLog) -> dict[str, int]:
        """Return the number of messages on each queue besides those that are expected to stay."""
        left = self._left()
        for id_, sample in self._staying.items():
            if id_ in log.lines:
                left[sample.queue] -= 1
        return left

    def _left(self) -> dict[str, int]:
        return {name: _count(self._client, url) for name, url in self._urls.items()}


def _count(client: "SQSClient", url: str) -> int:
    """Return the number of messages on a queue, including those in flight."""
    answer = client.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    return sum(int(number) for number in answer["Attributes"].values())


STOP_SECONDS = 30
"""The longest wait for the worker to end after SIGTERM."""


def run_with_worker(demo: DemoRound, config: Path, local: LocalAws) -> DemoResult:
    """Create queues and tables, send the messages, and run the worker until the queues are empty;
    raises UsageError.
    """
    provision(demo.program, local)
    return run_samples(demo, local, lambda: _working(config, local, demo.env))


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
    """Start the worker as a user does, on an embedded AWS; it ends with its standard input, a pipe
    to this process.

    Its pages are at `listen`, an address and a port, if it is given.
    """
    command = [sys.executable, "-P", "-m", "router", "worker", "--config", str(config)]
    command += ["--wait", "1", "--bare-names", "--end-with-input"]
    if listen:
        command += ["--listen", listen]
    return subprocess.Popen(  # noqa: S603 — our own program
        command,
        env=env,
        stdin=subprocess.PIPE,
        stderr=log,
        start_new_session=own_session,
    )


@contextmanager
def _working(config: Path, local: LocalAws, more: Mapping[str, str]) -> Iterator[WorkerProcess]:
    # A test cannot select another AWS.
    others = {name: value for name, value in more.items() if not name.startswith("AWS_")}
    env = local.environment() | others
    with TemporaryFile() as log, start_worker(config, env, log) as process:
        try:
            yield WorkerProcess(process, log)
        finally:
            if process.poll() is None:
                process.kill()
