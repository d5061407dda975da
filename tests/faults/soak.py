"""Runs the long form of the fault tests, and prints its figures if every invariant holds: `make soak`."""

import argparse
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults import dlq_soak, isolation
from tests.faults.fault_model import Model, check_acknowledged, check_once, check_tables
from tests.faults.fault_proxy import FaultPlan, FaultProxy, HotKeys, fault_proxy
from tests.faults.fault_report import SoakRun, result
from tests.faults.fault_rig import FLOWS, FOLDER, Rig, RigWorker, running_function, running_worker
from tests.faults.fault_runs import HOT, Messages, feed_function, run_hot, run_interrupted, run_paused, run_worker
from tests.faults.hostile.model import HostileModel
from tests.support.dev import LocalAws, local_aws

WAVE = 200
"""Messages in a wave: the server slows down above some 2,000."""

Report = Callable[[int], object]
Wave = Callable[[Messages, Report], int]
"""Sends a wave, waits until it is processed, and returns the number of interruptions."""


class Scene(NamedTuple):
    """A kind of run: the program, the share of its calls that fail, and what else happens to it."""

    name: str
    rate: float
    program: str = "worker"
    disturbance: Literal["", "kill", "stop", "reload", "pause", "hot keys", "hostile"] = ""
    visibility: int = 3
    transport: str = "direct"
    workers: int = 1


SCENES = (
    Scene("worker, calls break", 0.2),
    Scene("worker on boto3, calls break", 0.2, transport="boto3"),
    Scene("Lambda function, calls break", 0.3, "function"),
    Scene("worker, killed (SIGKILL)", 0, disturbance="kill"),
    Scene("worker, killed, and calls break", 0.1, disturbance="kill"),
    Scene("worker, stopped (SIGTERM)", 0, disturbance="stop", visibility=20),
    Scene("worker, reloaded (SIGHUP), and calls break", 0.1, disturbance="reload"),
    Scene("two workers, one of them paused (SIGSTOP)", 0, disturbance="pause", workers=2),
    Scene("two workers, one of them paused, and calls break", 0.1, disturbance="pause", workers=2),
    Scene("four workers, one of them paused, and calls break", 0.1, disturbance="pause", workers=4),
    Scene("worker, hot keys", 0, disturbance="hot keys"),
    Scene("worker, hostile messages", 0, disturbance="hostile", visibility=20),
    Scene(dlq_soak.NAME, dlq_soak.RATE, "redrive", "kill"),
)


def main() -> int:
    """Run all scenes and return the exit code."""
    options = _options()
    end = time.monotonic() + options.minutes * 60
    columns = (TextColumn("{task.description:50}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    runs: list[SoakRun] = []
    console = Console(stderr=True)
    with local_aws() as server, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for number, scene in enumerate(SCENES):
            task = progress.add_task(scene.name, total=options.messages)
            share = time.monotonic() + (end - time.monotonic()) / (len(SCENES) - number)
            run_scene = _redrive if scene.program == "redrive" else _run
            run = run_scene(server, scene, options.seed + number, options.messages, share, _bar(progress, task))
            progress.update(task, total=run.messages, completed=run.messages)
            if not console.is_terminal:
                done = f"{run.messages} messages, {run.faults.total()} faults, {run.interruptions} interruptions"
                print(f"{run.name}: {done}")
            runs.append(run)
            if run.lost or run.duplicates or run.disorder:
                wrong = f"lost {run.lost}, duplicates {run.duplicates}, out of order {run.disorder}"
                print(f"{run.name}: {wrong}", file=sys.stderr)
                return 1
        costs = []
        for cost in dlq_soak.measure(server, options.letters):
            print(f"dlq {cost.command}: {cost.letters} letters, {cost.seconds:.1f} s, {cost.memory:.0f} MiB")
            costs.append(cost)
    print("measuring isolation", file=sys.stderr)
    print(result(runs, options.seed, isolation.measure(), costs))
    return 0


def _bar(progress: Progress, task: object) -> Report:
    return lambda done: progress.update(task, completed=done)  # type: ignore[arg-type]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000, help="for each run (default: 5000)")
    parser.add_argument("--minutes", type=float, default=15, help="for all runs together (default: 15)")
    parser.add_argument("--seed", type=int, default=1, help="decides on messages, faults and kills (default: 1)")
    parser.add_argument("--letters", type=int, default=20_000, help="on the dead-letter queue (default: 20000)")
    return parser.parse_args()


def _run(server: LocalAws, scene: Scene, seed: int, messages: int, until: float, bar: Report) -> SoakRun:
    """Run a scene and check it; raises AssertionError if a table or an acknowledgement is wrong."""
    hostile = scene.disturbance == "hostile"
    model = HostileModel(seed) if hostile else Model(seed)
    interruptions = 0
    plan = HotKeys(HOT) if scene.disturbance == "hot keys" else FaultPlan(seed, scene.rate)
    with fault_proxy(server.endpoint, plan) as proxy:
        name = f"soak-{uuid.uuid4().hex[:8]}"
        config = FOLDER / "hostile" / "routes.yaml" if hostile else FLOWS
        rig = Rig(server, proxy.endpoint, name, config, scene.visibility, scene.transport)
        with _program(scene, rig, plan, random.Random(seed)) as wave:
            while model.sent < messages and time.monotonic() < until:
                interruptions += wave(model, lambda left: bar(max(0, model.sent - left)))
                bar(model.sent)
        calls = proxy.journal.calls()
        disorder = model.find_disorder(calls)
        for sentence in disorder:
            print(sentence, file=sys.stderr)
        lost, duplicates = model.count_lost(rig), model.count_duplicates(rig)
        if isinstance(model, Model) and not lost and not duplicates:
            _check(scene, model, rig, proxy)
        faults = proxy.journal.faults
        return SoakRun(scene.name, model.sent, len(calls), faults, interruptions, lost, duplicates, len(disorder))


def _redrive(server: LocalAws, scene: Scene, seed: int, messages: int, until: float, bar: Report) -> SoakRun:
    return dlq_soak.redrive_disturbed(server, seed, messages, until, bar)


def _check(scene: Scene, model: Model, rig: Rig, proxy: FaultProxy) -> None:
    calls = proxy.journal.calls()
    check_tables(model, rig)
    if scene.program == "worker":
        check_acknowledged(calls)
    if scene.disturbance == "stop":
        check_once(model, calls)


@contextmanager
def _program(scene: Scene, rig: Rig, plan: FaultPlan, chance: random.Random) -> Iterator[Wave]:
    """Run the program of a scene; yields the function that processes a wave."""
    with tempfile.TemporaryDirectory(prefix="router-soak-") as folder, ExitStack() as stack:
        if scene.program == "function":
            function = stack.enter_context(running_function(rig, Path(folder, "log")))

            def feed(model: Messages, report: Report) -> int:
                feed_function(function, rig, model.wave(WAVE), model.watch(rig))
                return 0

            yield feed
            return
        workers = [
            stack.enter_context(running_worker(rig, Path(folder, f"log-{number}"))) for number in range(scene.workers)
        ]
        yield _wave(scene, rig, workers, plan, chance)
        for worker in workers:
            _stop(worker)


def _wave(scene: Scene, rig: Rig, workers: Sequence[RigWorker], plan: FaultPlan, chance: random.Random) -> Wave:
    """Return the function that lets workers process a wave."""
    worker = workers[0]

    def stop_and_start() -> None:
        _stop(worker)
        worker.start()

    interrupts = {"kill": worker.restart, "stop": stop_and_start, "reload": worker.reload}

    def work(model: Messages, report: Report) -> int:
        if interrupt := interrupts.get(scene.disturbance):
            return run_interrupted(rig, model, WAVE, chance, interrupt, report)
        if scene.disturbance == "pause":
            return run_paused(rig, workers, model, WAVE, chance, report)
        if isinstance(plan, HotKeys):
            run_hot(rig, plan, model, WAVE, report)
        else:
            run_worker(rig, model, WAVE, report)
        return 0

    return work


def _stop(worker: RigWorker) -> None:
    assert worker.stop() == 0


if __name__ == "__main__":
    sys.exit(main())
