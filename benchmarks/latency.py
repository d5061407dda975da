"""The suite of latency: how long a message takes from sent to stored, at little and at much load.

The load is the same for all, or a share of the speed with which the same worker has just emptied a queue. Messages are
sent at random moments, by a rate. The first quarter of them does not count.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import node
from drain import LATENCY_MS, NODE, SIZE, DrainCase, drain, idle_calls
from figures import FigureBudget, Figures
from rounds import Rounds
from serving import Server
from turns import simulate
from verifying import expected_digest

MEDIAN, HIGH, SENT = "latency", "latency, 99th percentile", "latency, messages a second"
CALLS, IDLE = "latency, calls", "an idle queue"
WRITE, BEFORE = "a write", "before"
RATE = 100
"""Messages a second of the case in which all workers have the same load."""
LOADS = (0.05, 0.8)
SECONDS = 4.0
LEAST, MOST = 120, 60_000
"""Messages of a figure; at least so many, if slow programs take longer for them."""
WORKERS = (
    DrainCase("router", 1, LATENCY_MS, 30_000),
    DrainCase("boto3 loop", 1, LATENCY_MS, 300),
    DrainCase(NODE, 1, LATENCY_MS, 2_000),
)
IDLE_SECONDS = 3
"""A worker whose receives wait a second each makes one call in a second of an idle queue."""
BUDGETS = (
    FigureBudget(MEDIAN, f"{RATE} a second", "router", WRITE, 1.8, aim=1.3),
    FigureBudget(CALLS, f"{RATE} a second", "router", BEFORE, 1.25),
    FigureBudget(CALLS, IDLE, "router", BEFORE, 1.1),
)


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * len(WORKERS)


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure in rounds; raises BenchmarkError if a worker did not write and delete all messages."""
    figures = {MEDIAN: Figures("ms", 1e3), HIGH: Figures("ms", 1e3), SENT: Figures("messages a second", 1)}
    figures[CALLS] = Figures("calls", 1)
    with TemporaryDirectory() as folder:
        missing = node.install(Path(folder))
        for _ in rounds:
            for worker in WORKERS:
                if worker.program != NODE or not missing:
                    _measure_worker(server, worker, figures, Path(folder), SECONDS / 4 if quick else SECONDS)
                advance()
            figures[CALLS].add(IDLE, "router", idle_calls(server, WORKERS[0], IDLE_SECONDS))
            figures[CALLS].add(IDLE, BEFORE, 1.0)
    server.slow_down(0)
    return figures


def _measure_worker(
    server: Server, worker: DrainCase, figures: dict[str, Figures], installed: Path, seconds: float
) -> None:
    speed = drain(server, worker, expected_digest(SIZE, worker.count), installed).speed or 0.0
    for case, rate in {f"{RATE} a second": float(RATE), **{f"{load:.0%}": load * speed for load in LOADS}}.items():
        count = max(LEAST, min(MOST, int(rate * seconds)))
        drained = drain(server, replace(worker, count=count, rate=rate), expected_digest(SIZE, count), installed)
        figures[MEDIAN].add(case, worker.program, drained.latency["p50"])
        figures[HIGH].add(case, worker.program, drained.latency["p99"])
        figures[SENT].add(case, worker.program, rate)
        if worker.program == "router":
            figures[MEDIAN].add(case, WRITE, LATENCY_MS / 1000)
            if rate == RATE:
                figures[CALLS].add(case, worker.program, drained.calls / count)
                # As one receiver makes them that does nothing else while it writes.
                figures[CALLS].add(case, BEFORE, simulate(rate, 1.0, count)[1])
