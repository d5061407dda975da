"""The suite of ways: what a message costs beside a plain put, if it meets a hook, a condition, or many routes.

Each is measured in a process of its own, by `way.py`. How much of decoding a large event is spent on its brackets is
measured by `bounding.py`.
"""

import json
from collections.abc import Callable

from environment import BenchmarkError, ask, prepare
from figures import FigureBudget, Figures
from rounds import Rounds
from serving import Server
from way import BATCH, FOUR, HOOKS, LETTER, PUT, WAYS

CPU, BOUNDING = "ways", "bounding"
CASE, GITHUB = f"{BATCH:,} small", "an event as GitHub's, 9 KB"
BRACKETS, WHOLE = "bounding its nesting", "decoding, bounding and validating"
SECONDS = 0.3
"""The least processor time behind each figure."""
_CONDITIONAL = ("insert", "newest", "update")
BUDGETS = (
    *(FigureBudget(CPU, CASE, way, PUT, 1.3, aim=1.15) for way in HOOKS),
    FigureBudget(CPU, CASE, LETTER, PUT, 4),
    *(FigureBudget(CPU, CASE, way, PUT, 4, aim=2.5) for way in _CONDITIONAL),
    FigureBudget(CPU, CASE, "2,000 routes", "2 routes", 1.7, aim=1.3),
    FigureBudget(BOUNDING, GITHUB, BRACKETS, WHOLE, 1 / 5),
)
_CALLS = {"update": "updateitem"}
"""The operation of a way whose items the server does not keep."""


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * (len(WAYS) + 1)


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure all ways in rounds; raises BenchmarkError if one did other work."""
    figures = {CPU: Figures("µs a message", 1e6), BOUNDING: Figures("µs", 1e6)}
    for _ in rounds:
        for way in WAYS:
            figures[CPU].add(CASE, way, measure_one(server, way, SECONDS / 10 if quick else SECONDS))
            advance()
        found = json.loads(ask("bounding the nesting", ["bounding.py"]))
        for program in (BRACKETS, WHOLE):
            figures[BOUNDING].add(GITHUB, program, found[program])
        advance()
    return figures


def measure_one(server: Server, way: str, seconds: float) -> float:
    """Return the processor seconds of a message; raises BenchmarkError if not all were written as they are to be."""
    server.reset()
    figure: dict[str, float] = json.loads(ask(way, ["way.py", way, str(seconds)], prepare(server.endpoint)))
    report = server.report()
    done = report["letters"] if way == LETTER else report["calls"].get(_CALLS.get(way), report["items"])
    wanted = figure["messages"] * (4 if way == FOUR else 1)
    if way == "delete":
        done, wanted = report["calls"]["batchwriteitem"], figure["messages"] / 25
    if done != wanted:
        raise BenchmarkError(f"the way '{way}' has done {done}, not {wanted:.0f}")
    return figure["cpu"]
