"""The suite of workers that empty a queue: processor time of a message.

The processor time is the system's value for a worker, minus that of the same worker with a queue of ten messages, so
that the start does not count.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

import node
from environment import HERE, BenchmarkError, prepare
from figures import Figures
from floors import DRAIN, LOOP, NODE, ROUTER
from serving import Server
from verifying import expected_digest

SIZE = "small"
FEW = 10
COUNTS = {ROUTER: 40_000, LOOP: 1_000, NODE: 3_000}
"""So many messages that the start, in which workers find their batch size, is a small part."""
LATENCY_MS = 8
DRAIN_SECONDS = 120
LOOK_SECONDS = 2


class Worker(NamedTuple):
    """A worker: its program, and the folder of the one on Node."""

    program: str
    installed: Path = Path()

    @property
    def command(self) -> list[str]:
        """The command that starts it."""
        if self.program == NODE:
            return node.command(self.installed, SIZE)
        if self.program == LOOP:
            return [sys.executable, "-m", "peers.loop"]
        return [sys.executable, "-m", "router", "worker", "--queue", SIZE, "--wait", "1", "--grace", "5"]


class Drained(NamedTuple):
    """Processor seconds of a worker, its calls, and the median of the seconds from sent to stored."""

    cpu: float
    calls: int
    latency: float


def measure(server: Server, figures: Figures, rounds: Iterable[int]) -> None:
    """Measure in rounds; raises BenchmarkError if a worker did not write and delete all messages."""
    digests = {count: expected_digest(SIZE, count) for count in (FEW, *COUNTS.values())}
    with TemporaryDirectory() as folder:
        if missing := node.install(Path(folder)):
            figures.missing[NODE] = missing
        workers = [Worker(program, Path(folder)) for program in COUNTS if program not in figures.missing]
        for _ in rounds:
            for worker in workers:
                count = COUNTS[worker.program]
                started = drain(server, worker, FEW, digests[FEW])
                drained = drain(server, worker, count, digests[count])
                figures.add(DRAIN, worker.program, (drained.cpu - started.cpu) / (count - FEW))
    server.slow_down(0)


def drain(server: Server, worker: Worker, count: int, expected: str, rate: float = 0.0, seed: int = 0) -> Drained:
    """Let a worker empty a queue; raises BenchmarkError if it did not write and delete all messages.

    With a rate so many messages are sent a second, at moments that the seed decides; otherwise all are there at once.
    """
    server.slow_down(LATENCY_MS)
    server.fill(SIZE, count, rate, seed)
    with _running(server, worker) as process:
        pass
    report = server.report()
    if report["deleted"] != count or report["distinct"] != count or report["digest"] != expected:
        raise BenchmarkError(
            f"{worker.program}: of {count} messages {report['distinct']} written, {report['deleted']} deleted"
        )
    return Drained(process.cpu, sum(report["calls"].values()), report["latency"])


def idle_calls(server: Server, seconds: int) -> float:
    """Return how many receives a second the router makes while its queue is empty."""
    server.slow_down(LATENCY_MS)
    server.fill(SIZE, FEW)
    with _running(server, Worker(ROUTER)):
        time.sleep(1)
        before: int = server.report()["calls"]["receivemessage"]
        time.sleep(seconds)
        after: int = server.report()["calls"]["receivemessage"]
    return (after - before) / seconds


class _Process:
    """A worker that runs; once it has ended, `cpu` has its processor seconds."""

    cpu = 0.0


@contextmanager
def _running(server: Server, worker: Worker) -> Iterator[_Process]:
    """Run a worker until its queue is empty, and while the context lasts.

    Raises BenchmarkError if it ends before or takes too long.
    """
    env, ran = prepare(server.endpoint) | {"BENCH_SIZE": SIZE}, _Process()
    with TemporaryFile() as log:
        process = subprocess.Popen(worker.command, env=env, cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until = time.monotonic() + DRAIN_SECONDS
            while not server.await_drained(LOOK_SECONDS):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    last = log.read().decode().splitlines()[-3:]
                    raise BenchmarkError(f"{worker.program} did not empty the queue: {' '.join(last)}")
            yield ran
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                ran.cpu = usage.ru_utime + usage.ru_stime
