"""The benchmarks: `make bench`. Prints each figure beside its floor; the exit code is 1 if one is below.

Each figure is the median of rounds, and each round measures all programs in turn: machines are noisy, but the ratio of
two figures of one round is less so. Each program runs in its own process, against a server of canned answers, and its
writes are compared with the expected items. A complete run writes docs/performance.md and its picture.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import checking
import cold
import drain
import function
import handlers
import latency
import page
import ways
from environment import HERE, BenchmarkError
from figures import Figures
from floors import TITLES
from rich.console import Console
from rich.table import Table
from serving import serve

SUITES: dict[str, ModuleType] = {
    "handlers": handlers,
    "ways": ways,
    "function": function,
    "cold": cold,
    "drain": drain,
    "latency": latency,
    "check": checking,
}
ROUNDS = {"handlers": 7, "ways": 5, "function": 5, "cold": 5, "drain": 5, "latency": 5, "check": 3}
SECONDS = {"handlers": 90, "ways": 65, "function": 70, "cold": 30, "drain": 85, "latency": 90, "check": 80}
"""A suite starts no round that is not likely to end in this time, but for its first."""


def main() -> int:
    """Measure, print and write; return the exit code: 1 if a figure is below its floor, 2 without result."""
    options = _read_options()
    chosen = options.only or list(SUITES)
    figures = Figures()
    try:
        with serve() as server:
            for name in chosen:
                began = time.monotonic()
                most = options.rounds or ROUNDS[name]
                SUITES[name].measure(server, figures, _rounds(most, SECONDS[name]))
                print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        rows = figures.rows(chosen)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    table = Table("figure", "ratio of", "measured (least to most)", "floor", "")
    for row in rows:
        table.add_row(*row.cells)
    # A log has lines of 80 columns otherwise.
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    for program, why in figures.missing.items():
        print(f"not measured: {TITLES.get(program, program)}: {why}")
    if set(chosen) == set(SUITES) and not options.rounds:
        page.write(figures, rows, HERE.parent / "docs")
    return 1 if any(row.below for row in rows) else 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=SUITES, metavar="SUITE", help=f"one of {', '.join(SUITES)}")
    parser.add_argument("--rounds", type=int, help="at most so many rounds of each suite, and no page")
    return parser.parse_args()


def _rounds(most: int, seconds: float) -> Iterator[int]:
    """Yield the numbers of rounds: `most` of them, or as many as `seconds` are enough for, but one at least."""
    began = time.monotonic()
    for done in range(most):
        passed = time.monotonic() - began
        if done and passed + passed / done > seconds:
            return
        yield done


if __name__ == "__main__":
    sys.exit(main())
