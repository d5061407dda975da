"""Runs the long form of the fault tests: `make soak`. Writes docs/reliability.md if every invariant holds."""

import argparse
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.fault_model import (
    Model,
    Watch,
    check_acknowledged,
    check_once,
    check_order,
    check_tables,
    count_duplicates,
    count_lost,
)
from tests.faults.fault_proxy import FaultPlan, FaultProxy, fault_proxy
from tests.faults.fault_report import SoakRun, page
from tests.faults.fault_rig import Rig, running_function, running_worker
from tests.faults.fault_runs import feed_function, run_interrupted, run_worker
from tests.support.dev import LocalAws, local_aws

WAVE = 200
"""Messages in a wave: the server slows down above some 2,000."""
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

Wave = Callable[[Model], int]
"""Sends a wave, waits until it is processed, and returns the number of restarts."""


class Scene(NamedTuple):
    """A kind of run: the program, the share of its calls that fail, and how it is ended."""

    name: str
    rate: float
    program: str = "worker"
    end: str = ""
    visibility: int = 3
    transport: str = "direct"


SCENES = (
    Scene("worker, calls break", 0.2),
    Scene("worker on boto3, calls break", 0.2, transport="boto3"),
    Scene("Lambda function, calls break", 0.3, "function"),
    Scene("worker, killed (SIGKILL)", 0, end="kill"),
    Scene("worker, killed, and calls break", 0.1, end="kill"),
    Scene("worker, stopped (SIGTERM)", 0, end="stop", visibility=20),
)


def main() -> int:
    """Run all scenes and return the exit code."""
    options = _options()
    end = time.monotonic() + options.minutes * 60
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    runs = []
    console = Console(stderr=True)
    with local_aws() as server, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for number, scene in enumerate(SCENES):
            task = progress.add_task(scene.name, total=options.messages)
            share = time.monotonic() + (end - time.monotonic()) / (len(SCENES) - number)
            run = _run(server, scene, options.seed + number, options.messages, share, _bar(progress, task))
            progress.update(task, total=run.messages, completed=run.messages)
            if not console.is_terminal:
                print(f"{run.name}: {run.messages} messages, {run.faults.total()} faults, {run.restarts} restarts")
            runs.append(run)
            if run.lost or run.duplicates:
                print(f"{run.name}: lost {run.lost}, duplicates {run.duplicates}", file=sys.stderr)
                return 1
    PAGE.write_text(page(runs, options.seed), encoding="utf-8")
    print(page(runs, options.seed).partition("## The last run\n\n")[2].partition("\n\n## ")[0])
    return 0


def _bar(progress: Progress, task: object) -> Callable[[int], object]:
    return lambda done: progress.update(task, completed=done)  # type: ignore[arg-type]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000, help="for each run (default: 5000)")
    parser.add_argument("--minutes", type=float, default=15, help="for all runs together (default: 15)")
    parser.add_argument("--seed", type=int, default=1, help="decides on messages, faults and kills (default: 1)")
    return parser.parse_args()


def _run(
    server: LocalAws, scene: Scene, seed: int, messages: int, until: float, bar: Callable[[int], object]
) -> SoakRun:
    """Run a scene and check it; raises AssertionError if the order or an acknowledgement is wrong."""
    model = Model(seed)
    restarts = 0
    with fault_proxy(server.endpoint, FaultPlan(seed, scene.rate)) as proxy:
        name = f"soak-{uuid.uuid4().hex[:8]}"
        rig = Rig(server, proxy.endpoint, name, visibility=scene.visibility, transport=scene.transport)
        with _program(scene, rig, random.Random(seed), lambda left: bar(max(0, model.sent - left))) as wave:
            while model.sent < messages and time.monotonic() < until:
                restarts += wave(model)
                bar(model.sent)
        lost, duplicates = count_lost(model, rig), count_duplicates(rig)
        if not lost and not duplicates:
            _check(scene, model, rig, proxy)
        calls = proxy.journal.calls()
        return SoakRun(scene.name, model.sent, len(calls), proxy.journal.faults, restarts, lost, duplicates)


def _check(scene: Scene, model: Model, rig: Rig, proxy: FaultProxy) -> None:
    calls = proxy.journal.calls()
    check_tables(model, rig)
    check_order(model, calls)
    if scene.program == "worker":
        check_acknowledged(calls)
    if scene.end == "stop":
        check_once(model, calls)


@contextmanager
def _program(scene: Scene, rig: Rig, chance: random.Random, report: Callable[[int], object]) -> Iterator[Wave]:
    """Run the program of a scene; yields the function that processes a wave."""
    with tempfile.TemporaryDirectory(prefix="router-soak-") as folder:
        log = Path(folder, "log")
        if scene.program == "function":
            with running_function(rig, log) as function:

                def feed(model: Model) -> int:
                    feed_function(function, rig, model.wave(WAVE), Watch(rig))
                    return 0

                yield feed
            return
        with running_worker(rig, log) as worker:

            def stop() -> None:
                assert worker.stop() == 0

            def work(model: Model) -> int:
                if not scene.end:
                    run_worker(rig, model, WAVE, report)
                    return 0
                end = worker.kill if scene.end == "kill" else stop
                return run_interrupted(rig, worker, model, WAVE, chance, end, report)

            yield work
            stop()


if __name__ == "__main__":
    sys.exit(main())
