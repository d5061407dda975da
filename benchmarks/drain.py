"""The second suite: worker processes that empty a queue; processor time per message, and speed.

The processor time is the system's value for all processes of a worker, minus that of the same worker with a queue of
ten messages, so that the start does not count.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, NamedTuple

import node
from environment import HERE, BenchmarkError, prepare
from fast_server import serve_fast
from figures import FigureBudget, Figures
from rounds import Rounds
from serving import Server
from verifying import expected_digest

CPU, SPEED, SERVER, CALLS, MEMORY = "drain", "drain speed", "drain server", "drain calls", "drain memory"
MEMORY_FEW, SCALING = "drain memory, few messages", "drain scaling"
SIZE = "small"
NODE = "node"
FEW = 10
LATENCY_MS = 8
DRAIN_SECONDS = 120
LOOK_SECONDS = 2


@dataclass(frozen=True)
class DrainCase:
    """A worker, and the messages in its queue."""

    program: str
    processes: int
    latency: int
    count: int
    cores: int = 0
    """The number of cores that worker and server share; 0 for all."""
    secure: bool = False
    """Whether its connections use TLS."""
    rate: float = 0.0
    """The messages that are sent a second; 0 if all are there from the beginning."""

    @property
    def name(self) -> str:
        """The name in tables, without the program."""
        processes = "1 process" if self.processes == 1 else f"{self.processes} processes"
        where = f" on {self.cores} core" if self.cores else ""
        secure = ", TLS" if self.secure else ""
        return f"{processes}{where}, {f'{self.latency} ms a call' if self.latency else 'no latency'}{secure}"


CASES = (
    DrainCase("router", 1, 0, 40_000),
    DrainCase("router", 1, 0, 40_000, cores=1),
    DrainCase("boto3 loop", 1, 0, 2_000),
    DrainCase("router", 2, 0, 80_000),
    DrainCase("boto3 loop", 2, 0, 4_000),
    DrainCase("router", 1, LATENCY_MS, 40_000),
    DrainCase("boto3 loop", 1, LATENCY_MS, 1_000),
    DrainCase(NODE, 1, LATENCY_MS, 3_000),
    DrainCase("router", 2, LATENCY_MS, 80_000),
    DrainCase("boto3 loop", 2, LATENCY_MS, 1_500),
    DrainCase("router", 1, LATENCY_MS, 40_000, secure=True),
    DrainCase("boto3 loop", 1, LATENCY_MS, 1_000, secure=True),
    DrainCase(NODE, 1, LATENCY_MS, 3_000, secure=True),
)
"""So many messages that the start, in which workers find their batch size, is a small part."""
QUICK = tuple(replace(case, count=case.count // 5) for case in CASES)
PAIR = tuple(
    replace(case, count=2 * case.count)
    for case in CASES
    if case.program == "router" and case.latency and not case.secure
)
"""The speed of two processes relative to one. Speeds vary more than processor time, so there are more rounds of these,
in direct succession; and two processes take longer until their speed has settled, so there are more messages."""
PAIRS = 2
BUDGETS = (
    FigureBudget(CPU, "1 process, no latency", "router", "boto3 loop", 1 / 8),
    FigureBudget(CPU, f"1 process, {LATENCY_MS} ms a call", "router", "boto3 loop", 1 / 25, aim=1 / 35),
    FigureBudget(CPU, f"1 process, {LATENCY_MS} ms a call", "router", NODE, 1 / 8, aim=1 / 12),
    FigureBudget(SCALING, f"{LATENCY_MS} ms a call", "2 processes", "1 process", 1.8, at_least=True),
)


class Servers(NamedTuple):
    """The servers of a run, by HTTP and by TLS; the one by HTTP is in Rust if it can be built."""

    plain: Server
    secure: Server


def cases_of(*, quick: bool) -> tuple[DrainCase, ...]:
    """Return the names of the figures."""
    cases = QUICK if quick else CASES
    return cases if hasattr(os, "sched_setaffinity") else tuple(case for case in cases if not case.cores)


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * (len(cases_of(quick=quick)) + (0 if quick else PAIRS * len(PAIR)))


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure all cases in rounds; raises BenchmarkError if a worker did not write and delete all messages."""
    figures = {
        CPU: Figures("µs a message", 1e6),
        SPEED: Figures("messages a second", 1),
        SERVER: Figures("µs a message", 1e6),
        CALLS: Figures("calls for ten messages", 10),
        MEMORY: Figures("MB", 1e-6),
        MEMORY_FEW: Figures("MB", 1e-6),
        SCALING: Figures("messages a second", 1),
    }
    cases = (*cases_of(quick=quick), *(() if quick else PAIR))
    counts = {FEW, *(case.count for case in cases)}
    digests = {count: expected_digest(SIZE, count) for count in counts}
    with TemporaryDirectory() as folder, serve_fast(Path(folder) / "server") as fast:
        missing = node.install(Path(folder))
        figures[CPU].missing = {"sqs-consumer on Node": missing} if missing else {}
        if isinstance(fast, str):
            figures[SERVER].missing = {"workers with the server in Rust": fast}
        servers = Servers(server if isinstance(fast, str) else fast, server)
        installed = None if missing else Path(folder)
        for _ in rounds:
            _measure_round(servers, figures, digests, installed, quick=quick, advance=advance)
    server.slow_down(0)
    return figures


def _measure_round(
    servers: Servers,
    figures: Mapping[str, Figures],
    digests: Mapping[int, str],
    installed: Path | None,
    *,
    quick: bool,
    advance: Callable[[], None],
) -> None:
    for case in cases_of(quick=quick):
        if case.program == NODE and installed is None:
            advance()
            continue
        server = servers.secure if case.secure else servers.plain
        started = drain(server, replace(case, count=FEW), digests[FEW], installed)
        drained = drain(server, case, digests[case.count], installed)
        figures[CPU].add(case.name, case.program, (drained.cpu - started.cpu) / (case.count - FEW))
        figures[SPEED].add(case.name, case.program, _speed(case, drained))
        figures[SERVER].add(case.name, case.program, drained.server / case.count)
        figures[CALLS].add(case.name, case.program, drained.calls / case.count)
        figures[MEMORY].add(case.name, case.program, drained.memory)
        figures[MEMORY_FEW].add(case.name, case.program, started.memory)
        advance()
    for case in () if quick else PAIR * PAIRS:
        processes, _, latency = case.name.partition(", ")
        drained = drain(servers.plain, case, digests[case.count])
        figures[SCALING].add(latency, processes, _speed(case, drained))
        advance()


class Drained(NamedTuple):
    """Processor seconds of the worker and of the server, and messages per second after the start of all processes.

    `speed` is None if no message was left by then. `memory` is the maximum of all processes together, in bytes; 0 if
    the system does not provide it. `latency` has the seconds from sent to stored, if messages were sent at a rate.
    """

    cpu: float
    server: float
    speed: float | None
    calls: int
    memory: int
    latency: Mapping[str, float]


def drain(server: Server, case: DrainCase, expected: str, installed: Path | None = None) -> Drained:
    """Let a worker empty a queue; raises BenchmarkError if it did not write and delete all messages.

    `installed` is the folder of the worker on Node.
    """
    server.slow_down(case.latency)
    server.fill(SIZE, case.count, case.rate)
    with TemporaryFile() as log:
        with _cores(server, case.cores):
            workers = [_start(server, case, command, log) for command in _commands(case, installed)]
        try:
            _await(server, case, workers, log)
            memory = sum(memory_of(worker.pid) for worker in workers)
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            cpu = sum(_cpu_of(worker) for worker in workers)
    report = server.report()
    if report["deleted"] != case.count or report["distinct"] != case.count or report["digest"] != expected:
        who = f"{case.program}, {case.name}"
        raise BenchmarkError(
            f"{who}: of {case.count} messages {report['distinct']} written, {report['deleted']} deleted"
        )
    return Drained(cpu, report["busy"], report["speed"], sum(report["calls"].values()), memory, report["latency"])


def idle_calls(server: Server, case: DrainCase, seconds: int) -> float:
    """Return how many receives a second a worker makes while its queue is empty, once it has begun."""
    server.slow_down(case.latency)
    server.fill(SIZE, FEW)
    with TemporaryFile() as log:
        workers = [_start(server, case, command, log) for command in _commands(case, None)]
        try:
            _await(server, case, workers, log)
            time.sleep(1)
            before: int = server.report()["calls"]["receivemessage"]
            time.sleep(seconds)
            after: int = server.report()["calls"]["receivemessage"]
            return (after - before) / seconds
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
                _cpu_of(worker)


def _speed(case: DrainCase, drained: Drained) -> float:
    if drained.speed is None:
        raise BenchmarkError(f"{case.program}, {case.name}: all was done before each process had begun")
    return drained.speed


@contextmanager
def _cores(server: Server, count: int) -> Iterator[None]:
    """Restrict the server, and processes started meanwhile, to a number of cores; 0 for all."""
    if not hasattr(os, "sched_setaffinity"):
        yield  # this system has no affinity, and no case requires it
        return
    every = os.sched_getaffinity(0)
    some = set(sorted(every)[: count or len(every)])
    server.use_cores(some)
    os.sched_setaffinity(0, some)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def _await(server: Server, case: DrainCase, workers: list[subprocess.Popen[bytes]], log: IO[bytes]) -> None:
    """Wait until the queue is empty and each process has started, so that no figure has the start of some only.

    Raises BenchmarkError if a worker ends or the time limit passes.
    """
    until = time.monotonic() + DRAIN_SECONDS
    while not server.await_drained(LOOK_SECONDS, case.processes):
        if time.monotonic() > until or any(worker.poll() is not None for worker in workers):
            log.seek(0)
            last = log.read().decode().splitlines()[-3:]
            raise BenchmarkError(f"{case.program}, {case.name}: it did not empty the queue: {' '.join(last)}")


def _commands(case: DrainCase, installed: Path | None) -> list[list[str]]:
    if case.program == NODE:
        assert installed
        return [node.command(installed, SIZE)] * case.processes
    if case.program != "router":
        return [[sys.executable, "-m", "peers.loop"]] * case.processes
    processes = ["--processes", str(case.processes)] if case.processes > 1 else []
    return [[sys.executable, "-m", "router", "worker", "--queue", SIZE, "--wait", "1", "--grace", "5", *processes]]


def _start(server: Server, case: DrainCase, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    env = prepare(server.endpoint) | {"BENCH_SIZE": SIZE} | (server.tls_environment() if case.secure else {})
    return subprocess.Popen(command, env=env, cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _cpu_of(worker: subprocess.Popen[bytes]) -> float:
    """Return the processor seconds of a process and its children when it ends."""
    if worker.returncode is not None:
        return 0.0  # it has failed, which the caller reports
    _, status, usage = os.wait4(worker.pid, 0)
    worker.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def memory_of(pid: int) -> int:
    """Return the maximum memory of a process and its children, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    _, found, rest = status.partition("VmHWM:")
    return (int(rest.split()[0]) * 1024 if found else 0) + sum(memory_of(int(child)) for child in children)
