"""Operators that run `router dlq redrive`, whose calls fail, and who are interrupted or killed at one of them."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.faults.dlq_model import LetterModel
from tests.faults.fault_proxy import Call, FaultPlan, FaultProxy, Kind, fault_proxy
from tests.faults.fault_rig import FOLDER, Rig, running_worker, wait_until
from tests.support.dev import LocalAws

CONFIG = FOLDER / "letters" / "routes.yaml"
RUN_SECONDS = 200
CALLS = 12
"""A run is interrupted at one of its first calls, so many, but for reads of items, which are most of them."""
_READS = "GetItem"
_CHANGES = ("TransactWriteItems", "PutItem", "BatchWriteItem", "SendMessageBatch", "DeleteMessageBatch")
WAYS: Sequence[tuple[str, ...]] = ((), (), ("--queue", "counts", "--to-queue"), ("--rate", "30"))
TO_QUEUE = ("--to-queue",)
_DONE, _LEFT, _COULD_NOT_RUN = 0, 1, 2


class Interrupts(FaultPlan):
    """Faults by a seeded plan, and one signal to a process when it makes its n-th call."""

    def __init__(self, seed: int, rate: float) -> None:
        super().__init__(seed, rate)
        self._chance = random.Random(seed)
        self._aim: tuple[subprocess.Popen[bytes], signal.Signals] | None = None
        self._left = 0
        self._changes_only = False
        self.interrupted = 0

    def aim(self, process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
        """Send a signal to a process at one of its next calls: mostly at one that writes, sends or deletes."""
        with self._lock:
            self._aim, self._left = (process, number), self._chance.randint(1, CALLS)
            self._changes_only = self._chance.random() < 0.7

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return the fault of the next call; one at which the process is killed is made or not."""
        changes = operation in _CHANGES
        if operation == _READS or (self._changes_only and not changes):
            return super().next(operation, request)
        with self._lock:
            self._left -= 1
            aim = self._aim if self._left == 0 else None
        if aim is None:
            # Writes fail more often: with two tries, some are left to the next run.
            return super().next(operation, request) or (super().next(operation, request) if changes else None)
        process, number = aim
        process.send_signal(number)
        self.interrupted += 1
        if number != signal.SIGKILL:
            return super().next(operation, request)
        process.wait()
        return self._chance.choice([None, "dropped"])


class Operator:
    """One who redrives from a folder with journals of its own, by a proxy of its own."""

    def __init__(self, rig: Rig, proxy: FaultProxy, plan: Interrupts, folder: Path) -> None:
        self.plan = plan
        self._proxy = proxy
        self._folder = folder
        folder.mkdir()
        self._environment = rig.environment | {"AWS_ENDPOINT_URL": proxy.endpoint}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Standard error of all runs."""
        return (self._folder / "log").read_text()

    def start(self, *words: str, interrupt: signal.Signals | None = None, hasty: bool = True) -> None:
        """Start `router dlq redrive`; if it is not hasty, no busy machine makes its calls fail."""
        module = [str(FOLDER / "hasty.py"), "router"] if hasty else ["-m", "router"]
        command = [sys.executable, *module, "dlq", "redrive", "--yes", "--json", "-c", str(CONFIG), *words]
        with (self._folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        if interrupt:
            self.plan.aim(process, interrupt)

    def wait(self) -> int:
        """Wait for its end, and return the exit code."""
        assert self._process
        code = self._process.wait(RUN_SECONDS)
        assert code in (_DONE, _LEFT, _COULD_NOT_RUN, -signal.SIGKILL), self.log[-3000:]
        assert "Traceback" not in self.log, self.log[-5000:]
        return code

    def kill(self) -> None:
        """End a process that is left."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def calm(self) -> None:
        """Let all further calls succeed."""
        self._proxy.plan = FaultPlan(0, 0)


class Night:
    """Two operators and a worker on the letters of a model."""

    def __init__(self, rig: Rig, proxies: Sequence[FaultProxy], operators: Sequence[Operator]) -> None:
        self.rig = rig
        self.operators = operators
        self.proxies = proxies

    def calls(self) -> list[Call]:
        """All calls of the operators and the worker, by their end."""
        return sorted((call for proxy in self.proxies for call in proxy.journal.calls()), key=lambda call: call.ended)

    def disturb(self, chance: random.Random, ways: Sequence[tuple[str, ...]] = WAYS) -> None:
        """Let both operators redrive at once, in one of some ways, each perhaps interrupted or killed."""
        for operator in self.operators:
            interrupt = chance.choice([None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL])
            operator.start(*chance.choice(ways), interrupt=interrupt)
        for operator in self.operators:
            operator.wait()

    def finish(self, *words: str) -> None:
        """Let both redrive without faults, after the leases of those that were killed."""
        for operator in self.operators:
            operator.calm()
        for operator in reversed(self.operators):
            wait_until(lambda: not self.in_flight(), 60, "the end of the leases")
            operator.start(*words, hasty=False)
            operator.wait()
        wait_until(lambda: not self.rig.left(), 60, "the messages that were sent back")

    def in_flight(self) -> int:
        """The invisible messages of the dead-letter queues."""
        name: Any = "ApproximateNumberOfMessagesNotVisible"
        total = 0
        for queue in ("dead", "dead.fifo"):
            url = self.rig.urls[f"{self.rig.prefix}-{queue}"]
            answer: Any = self.rig.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
            total += int(answer["Attributes"][name])
        return total


@contextmanager
def night(server: LocalAws, prefix: str, folder: Path, model: LetterModel, seed: int, rate: float) -> Iterator[Night]:
    """Put the letters of a model on their queues, beside a worker and two operators, whose calls fail at a rate."""
    with ExitStack() as stack:
        beside = stack.enter_context(fault_proxy(server.endpoint, FaultPlan(seed, 0)))
        rig = Rig(server, beside.endpoint, prefix, CONFIG)
        model.move(rig)
        stack.enter_context(running_worker(rig, folder / "worker"))
        model.fill(rig)
        operators, proxies = [], [beside]
        for number in range(2):
            plan = Interrupts(seed * 10 + number, rate)
            proxies.append(stack.enter_context(fault_proxy(server.endpoint, plan)))
            operators.append(Operator(rig, proxies[-1], plan, folder / f"operator-{number}"))
            stack.callback(operators[-1].kill)
        yield Night(rig, proxies, operators)
