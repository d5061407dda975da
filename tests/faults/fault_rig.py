"""The program under test as a process, worker or Lambda function, with its queues and tables."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from router.model import Table
from tests.support.dev import LocalAws, clients, create_table, scan_table
from tests.support.program import load_program

FOLDER = Path(__file__).parent
FLOWS = FOLDER / "flows" / "routes.yaml"
START_TRIES = 10
"""A worker that cannot reach its queues exits with code 2, and its supervisor restarts it."""
GRACE = 50
"""The grace period of a worker, in seconds, which it must not need on a busy machine."""
BATCH = 10

Item = dict[str, Any]
Message = dict[str, Any]
"""A message as ReceiveMessage returns it."""


class Rig:
    """The queues and tables of a configuration on an embedded AWS, under names of their own.

    The program calls AWS through `endpoint`; the rig calls the server directly. Queues have no redrive policy, so each
    message of a dead-letter queue was sent by the router.
    """

    def __init__(
        self,
        server: LocalAws,
        endpoint: str,
        prefix: str,
        config: Path = FLOWS,
        visibility: int = 3,
        transport: str = "direct",
        certificate: Path | None = None,
    ) -> None:
        self.prefix = prefix
        self.config = config
        ours = {"PREFIX": prefix, "ROUTER_CONFIG": str(config), "ROUTER_TRANSPORT": transport}
        trusted = {"AWS_CA_BUNDLE": str(certificate)} if certificate else {}
        self.environment = LocalAws(endpoint).environment() | ours | trusted
        self.dynamodb, self.sqs = clients(server)
        program = load_program(config, self.environment)
        queues = program.engine.queues.values()
        names = {name for queue in queues for name in (queue.reference, queue.dead_letter) if name}
        self.urls = {name: self._create_queue(name, visibility) for name in sorted(names) if "missing" not in name}
        self.sources = [queue.reference for queue in queues]
        self._letters: dict[str, list[Message]] = {name: [] for name in self.urls}
        for table in program.config.tables.values():
            if "missing" not in table.name:
                create_table(self.dynamodb, Table(table.name, tuple(table.key.items())), table.ttl)

    def _create_queue(self, name: str, visibility: int) -> str:
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        attributes = {"VisibilityTimeout": str(visibility), **fifo}
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])  # type: ignore[arg-type]

    def set_visibility(self, queue: str, seconds: int) -> None:
        """Set the visibility timeout of a queue, named without the prefix."""
        attributes: Any = {"VisibilityTimeout": str(seconds)}
        self.sqs.set_queue_attributes(QueueUrl=self.urls[f"{self.prefix}-{queue}"], Attributes=attributes)

    def send(self, queue: str, bodies: Sequence[str], groups: Sequence[str] = (), **attributes: Any) -> list[str]:
        """Send bodies in order to a queue, named without the prefix; return their message ids."""
        ids = []
        for start in range(0, len(bodies), BATCH):
            entries: list[Any] = [
                {"Id": str(number), "MessageBody": bodies[number], **attributes}
                | ({"MessageGroupId": groups[number], "MessageDeduplicationId": os.urandom(8).hex()} if groups else {})
                for number in range(start, min(start + BATCH, len(bodies)))
            ]
            answer = self.sqs.send_message_batch(QueueUrl=self.urls[f"{self.prefix}-{queue}"], Entries=entries)
            ids += [each["MessageId"] for each in sorted(answer["Successful"], key=lambda each: int(each["Id"]))]
        return ids

    def left(self, queues: Sequence[str] = ()) -> int:
        """Return the number of messages on the source queues, including those in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        total = 0
        for queue in queues or self.sources:
            answer = self.sqs.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=names)  # type: ignore[arg-type]
            total += sum(int(number) for number in answer["Attributes"].values())
        return total

    def receive(self, queue: str) -> list[Message]:
        """Receive up to ten messages of a queue, by its full name, with all attributes."""
        answer = self.sqs.receive_message(
            QueueUrl=self.urls[queue],
            MaxNumberOfMessages=BATCH,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [dict(message) for message in answer.get("Messages", ())]

    def delete(self, queue: str, message: Message) -> None:
        """Delete a received message."""
        self.sqs.delete_message(QueueUrl=self.urls[queue], ReceiptHandle=message["ReceiptHandle"])

    def letters(self, queue: str) -> list[Message]:
        """Return all messages of a dead-letter queue, named without the prefix."""
        name = f"{self.prefix}-{queue}"
        while messages := self.receive(name):
            for message in messages:
                self._letters[name].append(message)
                self.delete(name, message)
        return self._letters[name]

    def items(self, table: str) -> list[Item]:
        """Return all items of a table, named without the prefix."""
        return scan_table(self.dynamodb, f"{self.prefix}-{table}")


def wait_until(look: Callable[[], Any], seconds: float, what: str, meanwhile: Callable[[], Any] = lambda: None) -> Any:
    """Return the first true result of `look`; fail after so many seconds."""
    end = time.monotonic() + seconds
    over = False
    while not (seen := look()):
        assert not over, f"{what}: not in {seconds} seconds"
        meanwhile()
        time.sleep(0.05)
        # One more look, if this process was stopped until then.
        over = time.monotonic() >= end
    return seen


def read_lines(log: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a log that may be written at the same time, so that its last line is not whole yet."""
    return [json.loads(line) for line in log.read_bytes().split(b"\n")[:-1] if line.startswith(b"{")]


class RigWorker:
    """`router worker` as a process that can be killed and restarted; all of them write one log file."""

    def __init__(self, rig: Rig, log: Path, receivers: int = 2, *more: str, hasty: bool = True) -> None:
        """With `hasty`, it has the short timeouts and few retries of `hasty.py`."""
        options = ["-c", str(rig.config), "--receivers", str(receivers), "--wait", "1", "--grace", str(GRACE), *more]
        module = [str(FOLDER / "hasty.py"), "router"] if hasty else ["-m", "router"]
        self._command = [sys.executable, *module, "worker", *options]
        self._environment = rig.environment
        self.log = log
        log.touch()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, repeatedly if it cannot reach its queues, and return when it polls."""
        for _ in range(START_TRIES):
            if self._try_to_start():
                return
        raise AssertionError(f"the worker does not start: {self.log.read_text()[-2000:]}")

    def _try_to_start(self) -> bool:
        before = self.starts()
        with self.log.open("ab") as stderr:
            process = self.process = subprocess.Popen(self._command, env=self._environment, stderr=stderr)
        wait_until(lambda: self.starts() > before or process.poll() is not None, 60, "start of the worker")
        return self.starts() > before

    def starts(self) -> int:
        """Return how often it has started."""
        return self._count("worker started")

    def _count(self, text: str) -> int:
        return self.log.read_text().count(text)

    def kill(self) -> None:
        """Kill it."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Send SIGSTOP: the process does nothing until `resume`, as in a pause of its virtual machine."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def reload(self) -> None:
        """Send SIGHUP, repeatedly if it cannot reach its queues, and return when the configuration is reloaded."""
        for _ in range(START_TRIES):
            if self._try_to_reload():
                return
        raise AssertionError(f"the worker does not reload: {self.log.read_text()[-2000:]}")

    def _try_to_reload(self) -> bool:
        assert self.process
        done, failed = "config reloaded", "continuing with the old config"
        before = self._count(done), self._count(failed)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: (self._count(done), self._count(failed)) != before, 60, "the reload")
        return self._count(done) > before[0]

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def lines(self) -> list[dict[str, Any]]:
        """Return the JSON lines of its log; other lines, such as a traceback, are not log lines."""
        return read_lines(self.log)


@contextmanager
def running_worker(rig: Rig, log: Path, receivers: int = 2, *more: str, hasty: bool = True) -> Iterator[RigWorker]:
    """Run a worker while the context lasts."""
    worker = RigWorker(rig, log, receivers, *more, hasty=hasty)
    try:
        worker.start()
        yield worker
    finally:
        worker.kill()


class RigFunction:
    """The Lambda function's process."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def invoke(self, records: Sequence[dict[str, Any]]) -> list[str]:
        """Invoke it, and return the ids of the records that it reports as failed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(records) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text()[-2000:]
        failed: list[str] = json.loads(line)
        return failed

    def kill(self) -> None:
        """Kill it: an invocation that runs fails."""
        self._process.kill()


@contextmanager
def running_function(rig: Rig, log: Path, *, hasty: bool = True, wrapper: str = "hasty.py") -> Iterator[RigFunction]:
    """Run the function while the context lasts, by a wrapper if it is hasty; it ends with its input."""
    command = [sys.executable, *([str(FOLDER / wrapper)] if hasty else []), str(FOLDER / "function_driver.py")]
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            command,
            env=rig.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield RigFunction(process, log)
        finally:
            assert process.stdin
            with suppress(OSError):
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


def lambda_record(message: Message, queue: str) -> dict[str, Any]:
    """Convert a received message to a record of a Lambda event: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue}",
        "awsRegion": "us-east-1",
    }
