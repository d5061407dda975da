"""Runs the trials and measurements, prints what is wrong, and writes the figures to docs/conformance.md."""

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.soundness.corpus import PublicSchema, by_collection, interleave, public_schemas
from tests.soundness.hostile import hostile_schemas
from tests.soundness.jobs import CheckCost, Trial, measure, perform
from tests.soundness.minimise import minimised
from tests.soundness.report import CheckCosts, TrialTally, update_page
from tests.soundness.trial import Judgement
from tests.soundness.workers import Pool

TRIAL_SECONDS = 30.0
MEASURE_SECONDS = 60.0
_COLUMNS = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def main(arguments: list[str] | None = None) -> int:
    """Run everything and return the exit code: 1 if check says something wrong, or is silent about what is wrong."""
    options = _options().parse_args(arguments)
    logging.disable(logging.CRITICAL)  # a line for each rejected message
    logging.disable(logging.CRITICAL)  # a line for each rejected message
    # Each part has its share of the time, so that a run that is too short for all has some of each.
    random_until, public_until, until = (monotonic() + options.minutes * 60 * share for share in (0.4, 0.85, 1))
    schemas = public_schemas(options.seed)
    console = Console(stderr=True)
    with Progress(*_COLUMNS, console=console, disable=not console.is_terminal) as progress:
        random = [Trial(options.seed * 1_000_000 + number, options.messages) for number in range(options.configs)]
        tallies = [_try("random", random, options, random_until, progress)]
        public = list(_public(schemas, options))
        tallies.append(_try("public", public, options, public_until, progress))
        alone = interleave(schemas)[: options.alone]
        costs = [_measure("public", alone, until, progress), _measure("hostile", [*hostile_schemas()], until, progress)]
    for tally in tallies:
        print(tally.table())
    for cost in costs:
        print(cost.table())
    for tally in tallies:
        _explain(tally, options)
    if options.write:
        update_page(tallies, costs, options.seed)
    wrong = any(tally.wrong for tally in tallies) or any(cost.over or cost.broken for cost in costs)
    return 1 if wrong else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soundness", description=__doc__)
    parser.add_argument("--configs", type=int, default=5000, help="random configs (default: 5000)")
    parser.add_argument("--public", type=int, default=1500, help="configs on public schemas (default: 1500)")
    parser.add_argument("--alone", type=int, default=900, help="public schemas whose cost is measured (default: 900)")
    parser.add_argument("--messages", type=int, default=100, help="for each config (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="decides on configs and messages (default: 1)")
    parser.add_argument("--minutes", type=float, default=30, help="for all together (default: 30)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a CPU)")
    parser.add_argument("--show", type=int, default=5, help="failing configs that are shown (default: 5)")
    parser.add_argument("--reasons", type=int, default=0, help="reasons of claims that are not decided (default: 0)")
    parser.add_argument("--write", action="store_true", help="write the figures to docs/conformance.md")
    return parser


def _public(schemas: list[PublicSchema], options: argparse.Namespace) -> Iterator[Trial]:
    """Yield configs on public schemas: of all collections, most of SchemaStore's, several for a schema."""
    chance, by_source = Random(options.seed), by_collection(schemas)
    for number in range(options.public):
        source = chance.choices(list(by_source), [0.6 if name == "schemastore" else 0.2 for name in by_source])[0]
        turn = by_source[source]
        yield Trial(options.seed * 1_000_000 + number, options.messages, turn[number % len(turn)])


def _try(name: str, trials: list[Trial], options: argparse.Namespace, until: float, progress: Progress) -> TrialTally:
    tally = TrialTally(name)
    task = progress.add_task(f"{name} configs", total=len(trials))
    pool: Pool[Trial, Judgement | None] = Pool(perform, options.jobs, TRIAL_SECONDS, 25)
    for trial, verdict in pool.run(trials, until):
        tally.add(trial, verdict)
        progress.advance(task)
    return tally


def _measure(name: str, schemas: Sequence[PublicSchema | str], until: float, progress: Progress) -> CheckCosts:
    costs = CheckCosts(name)
    bar = progress.add_task(f"{name} schemas alone", total=len(schemas))
    pool: Pool[PublicSchema | str, CheckCost] = Pool(measure, 1, MEASURE_SECONDS, 1)
    for schema, cost in pool.run(schemas, until):
        costs.add(schema, cost)
        progress.advance(bar)
    return costs


def _explain(tally: TrialTally, options: argparse.Namespace) -> None:
    """Print the causes, and the smallest config of the most frequent ones."""
    causes = Counter({cause: len(trials) for cause, trials in tally.causes.items()})
    for cause, count in causes.most_common():
        print(f"{count:5} {tally.name} {cause}")
    for reason, count in tally.reasons.most_common(options.reasons):
        print(f"{count:5} {tally.name} not decided, {tally.only_reasons[reason]} of them only for this: {reason}")
    for cause, _ in causes.most_common(options.show):
        print(f"\n{cause}, for example:\n", file=sys.stderr)
        print(minimised(tally.causes[cause][0], cause), file=sys.stderr)
