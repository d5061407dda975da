"""The benchmarks: `make bench`. All suites take eleven minutes, with `--quick` one or two.

Each figure is the median of rounds, and each round measures all programs in turn: machines are noisy, but the ratio of
two figures of one round is less so. Each program runs in its own process, against a server of canned answers; its
writes are compared with the expected items. A complete run writes docs/performance.md and its plots.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import checking
import cold
import drain
import function
import growth
import handlers
import latency
import machine
import page
import tables
import ways
import whereabouts
from environment import HERE, BenchmarkError
from figures import Figures, judge
from results import Results
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rounds import Rounds
from serving import Server, serve

SUITES: dict[str, Any] = {
    "stages": whereabouts,
    "handler": handlers,
    "ways": ways,
    "function": function,
    "drain": drain,
    "latency": latency,
    "cold": cold,
    "check": checking,
    "growth": growth,
}
ROUNDS = {"handler": 5, "function": 3, "drain": 5, "latency": 2, "cold": 7, "check": 3, "growth": 3, "stages": 1} | {
    "ways": 3
}
SECONDS = {"handler": 80, "function": 115, "drain": 160, "latency": 70, "cold": 35, "check": 60, "growth": 60} | {
    "stages": 45,
    "ways": 40,
}
"""A suite starts no round that is not likely to end in this time, but for its first."""
DOCS = HERE.parent / "docs"


def main() -> int:
    """Measure, print and write the results; return the exit code: 0, 1 if a budget is not met, 2 without result."""
    options = _read_options()
    chosen = options.only or list(SUITES)
    console = Console(width=None if sys.stdout.isatty() else 130)
    try:
        with serve() as server, tempfile.TemporaryDirectory() as folder:
            results = _measure(server, chosen, Path(folder), options)
            tables.show(results, console)
            if options.json:
                options.json.write_text(json.dumps(results.to_json(), indent=1) + "\n")
            if len(chosen) == len(SUITES) and (options.docs or not options.quick):
                page.write(results, options.docs or DOCS, Path(folder))
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    fine = all(each.met for each in results.judged) and (results.growth is None or results.growth.fine)
    return 0 if fine else 1


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of less: a minute, and no page")
    parser.add_argument("--only", action="append", choices=SUITES, metavar="SUITE", help=f"one of {', '.join(SUITES)}")
    parser.add_argument("--rounds", type=int, help="how often each figure is measured; default: by suite, 1 to 7")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of each round")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="where performance.md and its plots go")
    return parser.parse_args()


def _measure(server: Server, chosen: list[str], folder: Path, options: argparse.Namespace) -> Results:
    """Run the selected suites, with a progress bar on a terminal."""
    requested = {name: options.rounds or (1 if options.quick else ROUNDS[name]) for name in chosen}
    rounds = {name: Rounds(most, SECONDS[name]) for name, most in requested.items()}
    found: dict[str, Any] = {}
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks = {
            name: progress.add_task(name, total=SUITES[name].steps(quick=options.quick, rounds=requested[name]))
            for name in chosen
        }
        for name, task in tasks.items():
            advance = partial(progress.advance, task)
            found[name] = SUITES[name].measure(server, quick=options.quick, rounds=rounds[name], advance=advance)
    flames = whereabouts.draw_flames(server, folder, quick=options.quick) if "stages" in chosen else "not drawn"
    handler = {handlers.FIGURE: found["handler"]} if "handler" in found else {}
    figures: dict[str, Figures] = {**handler}
    for name in ("ways", "function", "drain", "latency", "cold", "check"):
        figures |= found.get(name, {})
    suites = (handlers, ways, function, drain, latency, cold, checking)
    judged = judge(figures, tuple(budget for suite in suites for budget in suite.BUDGETS))
    described = machine.describe() | {
        "rounds": ", ".join(f"{name} {each.done}" for name, each in rounds.items() if each.done)
    }
    return Results(described, figures, judged, found.get("growth"), found.get("stages"), flames)


if __name__ == "__main__":
    sys.exit(main())
