"""The first suite: Lambda handlers, invoked with batches; processor time per record, and verified writes."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass

from environment import BenchmarkError, ask, prepare
from figures import FigureBudget, Figures
from messages import most
from rounds import Rounds
from serving import Server
from verifying import expected_digest

FIGURE = "handler"
TITLES = {
    "router": "router",
    "batch_writer": "jsonschema, batch_writer",
    "put_item": "jsonschema, put_item",
    "powertools": "Powertools, put_item",
    "on_fastsqs": "fastsqs, put_item",
}
_NEEDS = {"powertools": "fastjsonschema", "on_fastsqs": "fastsqs"}
SECONDS = 0.2
"""The least processor time behind each figure."""
BATCH_ITEMS = 25
FIRST = 50
"""The marker with which the output of `measure.py` begins."""


@dataclass(frozen=True)
class Case:
    """A batch, its programs, and the repetitions in a round."""

    size: str
    count: int
    programs: tuple[str, ...] = ("router", "batch_writer")
    times: int = 1

    @property
    def name(self) -> str:
        """The name in tables."""
        return f"{self.count:,} {self.size}"


ALL = ("router", "batch_writer", "put_item", "powertools", "on_fastsqs")
CASES = (
    Case("small", 10),
    Case("small", 1000, ALL, times=3),
    Case("small", most("small")),
    Case("medium", 10),
    Case("medium", 1000, ("router", "batch_writer", "put_item")),
    Case("medium", most("medium")),
    Case("large", 10),
    Case("large", 40, ("router", "batch_writer", "put_item")),
)
QUICK = (Case("small", 1000, ALL[:3]), Case("medium", 200), Case("large", 10))
BUDGETS = (
    FigureBudget(FIGURE, "1,000 small", "router", "batch_writer", 1 / 16, aim=1 / 24),
    FigureBudget(FIGURE, "1,000 small", "router", "put_item", 1 / 80, aim=1 / 120),
    FigureBudget(FIGURE, "1,000 medium", "router", "batch_writer", 1 / 25, aim=1 / 35),
    FigureBudget(FIGURE, "40 large", "router", "batch_writer", 1 / 25, aim=1 / 35),
)


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> Figures:
    """Measure all cases in rounds; raises BenchmarkError if a program did not write the expected items."""
    figures = Figures("µs a record", 1e6)
    missing = {name for name, library in _NEEDS.items() if importlib.util.find_spec(library) is None}
    figures.missing = {TITLES[name]: f"it needs {_NEEDS[name]}" for name in missing}
    cases = cases_of(quick=quick)
    digests = {case: expected_digest(case.size, case.count) for case in cases}
    for _ in rounds:
        for case in cases:
            for program in case.programs * case.times:
                if program not in missing:
                    figures.add(case.name, program, measure_one(server, case, program, digests[case]))
                advance()
    return figures


def cases_of(*, quick: bool) -> tuple[Case, ...]:
    """Return the name of the figure."""
    return QUICK if quick else CASES


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * sum(len(case.programs) * case.times for case in cases_of(quick=quick))


def measure_one(server: Server, case: Case, program: str, expected: str, seconds: float = SECONDS) -> float:
    """Return one figure, in seconds per record; raises BenchmarkError if the program did other work."""
    server.reset()
    figure = run(server, program, case.size, case.count, seconds)
    report = server.report()
    who = f"{TITLES[program]} with {case.name} messages"
    first = min(FIRST, case.count)
    written = figure["invocations"] * case.count + first
    if report["items"] != written or report["digest"] != expected:
        raise BenchmarkError(
            f"{who} wrote {report['items']} items, not the {written} that it was given as they are to be"
        )
    calls = figure["invocations"] * -(-case.count // BATCH_ITEMS) + -(-first // BATCH_ITEMS)
    if program == "router" and report["calls"] != {"batchwriteitem": calls}:
        raise BenchmarkError(f"{who} made calls {report['calls']}, not {calls} of BatchWriteItem and nothing else")
    return figure["cpu"]


def run(server: Server, program: str, size: str, count: int, seconds: float) -> dict[str, float]:
    """Return the figure that `measure.py` prints for a program."""
    env = prepare(server.endpoint) | {"BENCH_SIZE": size}
    figure: dict[str, float] = json.loads(
        ask(TITLES[program], ["measure.py", program, size, str(count), str(seconds)], env)
    )
    return figure
