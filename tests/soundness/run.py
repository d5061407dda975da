"""Runs the trials and measurements, and prints the figures and what is wrong.

A run that was interrupted, or whose time was up, continues where it ended. Parts of a run can be performed one after
another, or at once; a run without `--part` then has the results of all.
"""

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from random import Random
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tests.soundness.corpus import PublicSchema, by_collection, interleave, public_schemas
from tests.soundness.hostile import hostile_schemas
from tests.soundness.jobs import CheckCost, Trial, measure, perform
from tests.soundness.minimise import minimised
from tests.soundness.report import CheckCosts, TrialTally
from tests.soundness.results import Results
from tests.soundness.trial import Judgement
from tests.soundness.workers import Pool

TRIAL_SECONDS = 30.0
MEASURE_SECONDS = 60.0
_TASKS = 100
"""The most trials of a process."""
_COLUMNS = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


class _Run:
    """The tasks of a run, whose results are kept: those of an earlier run of the same code are not performed again."""

    def __init__(self, options: argparse.Namespace, progress: Progress) -> None:
        self._options = options
        self._results = Results(options.seed, options.messages)
        self._progress = progress
        part, _, parts = options.part.partition("/")
        self._part, self._parts = int(part) - 1, int(parts)

    def try_configs(self, name: str, trials: Iterable[Trial], wanted: int, until: float) -> TrialTally:
        """Return the tally of trials: of so many configs that load and have messages."""
        wanted = -(-wanted // self._parts)
        tally = TrialTally(name, wanted)
        bar = self._progress.add_task(f"{name} configs", total=wanted)

        def missing() -> Iterator[tuple[int, Trial]]:
            for number, trial in enumerate(trials):
                if tally.configs >= wanted:
                    return
                if number % self._parts == self._part:
                    if self._results.knows(name, number):
                        self._add(tally, bar, trial, self._results.known(name, number))
                    else:
                        yield number, trial

        pool: Pool[tuple[int, Trial], Judgement | None] = Pool(_perform, self._options.jobs, TRIAL_SECONDS, _TASKS)
        for (number, trial), verdict in pool.run(missing(), until):
            self._results.keep(name, number, verdict)
            self._add(tally, bar, trial, verdict)
        return tally

    def _add(self, tally: TrialTally, bar: TaskID, trial: Trial, verdict: Any) -> None:
        tally.add(trial, verdict)
        self._progress.update(bar, completed=tally.configs)

    def measure(self, name: str, schemas: Sequence[PublicSchema | str], until: float) -> CheckCosts:
        """Return what checking each schema alone takes."""
        costs, kind = CheckCosts(name), f"{name} alone"
        own = [(number, each) for number, each in enumerate(schemas) if number % self._parts == self._part]
        bar = self._progress.add_task(f"{name} schemas alone", total=len(own))
        waiting = [(number, each) for number, each in own if not self._results.knows(kind, number)]
        for number, each in own:
            if self._results.knows(kind, number):
                costs.add(each, self._results.known(kind, number))
        pool: Pool[tuple[int, PublicSchema | str], CheckCost] = Pool(_measure, self._options.jobs, MEASURE_SECONDS, 1)
        for (number, schema), cost in pool.run(waiting, until):
            self._results.keep(kind, number, cost)
            costs.add(schema, cost)
            self._progress.update(bar, completed=len(costs.known) + len(costs.broken))
        return costs


def _perform(task: tuple[int, Trial]) -> Judgement | None:
    return perform(task[1])


def _measure(task: tuple[int, PublicSchema | str]) -> CheckCost:
    return measure(task[1])


def main(arguments: list[str] | None = None) -> int:
    """Run everything and return the exit code: 1 if check says something wrong, or is silent about what is wrong."""
    options = _options().parse_args(arguments)
    logging.disable(logging.CRITICAL)  # a line for each rejected message
    if options.documented:
        return _run_documented(options)
    # Each kind has its share of the time, so that a run that is too short for all has some of each.
    shares = (0.35, 0.5, 0.85, 1)
    random_until, heavy_until, public_until, until = (monotonic() + options.minutes * 60 * each for each in shares)
    schemas = public_schemas(options.seed)
    with _progress() as progress:
        run = _Run(options, progress)
        first = options.seed * 1_000_000
        random = (Trial(first + number, options.messages) for number in count())
        heavy = (Trial(first + number, options.messages, heavy=True) for number in count())
        tallies = [run.try_configs("random", random, options.configs, random_until)]
        tallies.append(run.try_configs("heavy", heavy, options.heavy, heavy_until))
        tallies.append(run.try_configs("public", _public(schemas, options), options.public, public_until))
        alone = interleave(schemas)[: options.alone]
        hostile = run.measure("hostile", [*hostile_schemas()], until)
        costs = [run.measure("public", alone, until), hostile]
    for tally in tallies:
        print(tally.table())
    for cost in costs:
        print(cost.table())
    for tally in tallies:
        _explain(tally, options)
    wrong = any(tally.wrong for tally in tallies) or any(cost.over or cost.broken for cost in costs)
    return 1 if wrong else 0


def _run_documented(options: argparse.Namespace) -> int:
    with _progress() as progress:
        first = options.seed * 1_000_000
        trials = (Trial(first + number, options.messages, documented=True) for number in count())
        run = _Run(options, progress)
        tally = run.try_configs("documented", trials, options.configs, monotonic() + options.minutes * 60)
    print(tally.table())
    _explain(tally, options)
    return 1 if tally.wrong else 0


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(*_COLUMNS, console=console, disable=not console.is_terminal)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soundness", description=__doc__)
    parser.add_argument("--documented", action="store_true", help="the configs of the second generator, and no others")
    parser.add_argument("--configs", type=int, default=5000, help="random configs (default: 5000)")
    parser.add_argument("--heavy", type=int, default=1500, help="configs of nested expressions (default: 1500)")
    parser.add_argument("--public", type=int, default=1500, help="configs on public schemas (default: 1500)")
    parser.add_argument("--alone", type=int, default=900, help="public schemas whose cost is measured (default: 900)")
    parser.add_argument("--messages", type=int, default=100, help="for each config (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="decides on configs and messages (default: 1)")
    parser.add_argument("--part", default="1/1", help="K/N: only each Nth config, from the Kth on (default: 1/1)")
    parser.add_argument("--minutes", type=float, default=15, help="for all together (default: 15)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a CPU)")
    parser.add_argument("--show", type=int, default=5, help="failing configs that are shown (default: 5)")
    parser.add_argument("--reasons", type=int, default=0, help="reasons of claims that are not decided (default: 0)")
    return parser


def _public(schemas: list[PublicSchema], options: argparse.Namespace) -> Iterator[Trial]:
    """Yield configs on public schemas: of all collections, most of SchemaStore's, several for a schema."""
    chance, by_source = Random(options.seed), by_collection(schemas)
    for number in count():
        source = chance.choices(list(by_source), [0.6 if name == "schemastore" else 0.2 for name in by_source])[0]
        turn = by_source[source]
        yield Trial(options.seed * 1_000_000 + number, options.messages, turn[number % len(turn)])


def _explain(tally: TrialTally, options: argparse.Namespace) -> None:
    """Print the causes, and the smallest config of the most frequent ones."""
    causes = Counter({cause: len(trials) for cause, trials in tally.causes.items()})
    for cause, number in causes.most_common():
        print(f"{number:5} {tally.name} {cause}")
    for reason, number in tally.reasons.most_common(options.reasons):
        print(f"{number:5} {tally.name} not decided, {tally.only_reasons[reason]} of them only for this: {reason}")
    for cause, _ in causes.most_common(options.show):
        print(f"\n{cause}, for example:\n", file=sys.stderr)
        print(minimised(tally.causes[cause][0], cause), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
