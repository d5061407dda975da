"""Measures what a slow table and a hot key cost the other messages of a worker: a part of `make soak`.

Alone: `python -m tests.faults.isolation`.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from tests.faults.fault_rig import FOLDER
from tests.support.dev import LocalAws

CONFIG = """\
version: 1
queues: {slow: {dead_letter: d}, quick: {dead_letter: d}, many: {dead_letter: d}}
tables: {slow: {key: {id: S}}, quick: {key: {id: S}}, many: {key: {id: S}}}
routes: {slow: {queue: slow, table: slow}, quick: {queue: quick, table: quick}, many: {queue: many, table: many}}
"""
SETTLING_SECONDS = 5
"""Until the receivers of the backlog are as many as there will be."""
SECONDS = 6
ROUNDS = 3


class Isolation(NamedTuple):
    """The 99th percentile of the latencies of a queue, in milliseconds, alone and beside one whose table is slow.

    `hot_share` is the throughput with one message of a hundred on a hot key, as a share of that without.
    """

    alone: float
    beside: float
    hot_share: float


def measure() -> Isolation:
    """Measure in rounds, and return the medians: on a machine with two cores it takes two or three minutes."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            alone, beside = (_percentile(latencies(Path(folder), *slow)) for slow in ((), ("slow",)))
            without, with_ = (run(Path(folder), [backlog])["written"] for backlog in ("many", "hot"))
            rounds.append(Isolation(alone, beside, with_ / without))
    return Isolation(*(median(each) for each in zip(*rounds, strict=True)))


def _percentile(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98] * 1000


def latencies(folder: Path, *backlogs: str) -> list[float]:
    """Return the seconds from send to write of each message of the quick queue."""
    found: list[float] = run(folder, backlogs)["latencies"]
    return found


def run(folder: Path, backlogs: Any) -> dict[str, Any]:
    """Run a worker beside backlogs of queues; return what the server has seen."""
    with running(folder, *backlogs) as look:
        time.sleep(SETTLING_SECONDS)
        look()
        time.sleep(SECONDS)
        return look()


@contextmanager
def running(folder: Path, *backlogs: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """Run a worker beside backlogs of queues; call what is returned for what the server has seen since it last was."""
    config = folder / "routes.yaml"
    config.write_text(CONFIG)
    server_command = [sys.executable, str(FOLDER / "paced_server.py"), *backlogs]
    worker_command = [sys.executable, "-m", "router", "worker", "-c", str(config)]
    with subprocess.Popen(server_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        input_, output = server.stdin, server.stdout
        assert input_
        assert output
        endpoint = f"http://127.0.0.1:{output.readline().strip()}"

        def look() -> dict[str, Any]:
            print(file=input_, flush=True)
            seen: dict[str, Any] = json.loads(output.readline())
            return seen

        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(worker_command, env=LocalAws(endpoint).environment(), stderr=log) as worker,
        ):
            try:
                yield look
            finally:
                worker.kill()
        input_.close()


if __name__ == "__main__":
    found = measure()
    print(f"99th percentile of the latency: {found.alone:.1f} ms alone, {found.beside:.1f} ms beside a slow table")
    print(f"throughput with one message of a hundred on a hot key: {found.hot_share:.0%} of that without")
