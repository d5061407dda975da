"""The fourth suite: how the cost of a record grows with batches, items and routes; a quadratic shows as a slope of 2.

The slope is that of a straight line through the logarithms of the upper half of the points: at small sizes a fixed cost
hides the growing one.
"""

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import many_queues
from drain import FEW, LATENCY_MS, SIZE, DrainCase, drain
from environment import HERE, ask, prepare
from rounds import Rounds
from serving import Server
from verifying import expected_digest


class Kind(NamedTuple):
    """A kind of growth: its function in `probe.py`, the labels of both axes, and the greatest allowed slope.

    `scale` converts seconds (or bytes) to the unit. The slopes allow for a machine with other load. `ceiling` is the
    greatest allowed cost of the largest size, in the unit.
    """

    name: str
    title: str
    grows: str
    cost: str
    most: float
    scale: float = 1e6
    ceiling: float = math.inf


PROCESSES = Kind("processes", "processes", "processes of a worker", "µs of processor a message", 0.5)
"""Measured by emptying a queue instead of by `probe.py`."""
QUEUES = Kind(
    "queues",
    "queues of a worker",
    "queues of a worker",
    f"ms to start, {LATENCY_MS} ms a call",
    1.25,
    1e3,
    many_queues.MOST_SECONDS * 1e3,
)
QUEUES_MEMORY = Kind("queues memory", "memory", "queues of a worker", "MB", 1.25, 1e-6)
"""Both are measured by starting a worker."""
KINDS = (
    Kind("batch", "batch", "records of a batch", "µs a record", 0.25),
    Kind("text", "text", "bytes of a text", "µs a record", 1.25),
    Kind("elements", "list", "elements of a list", "µs a record", 1.25),
    Kind("load", "loading", "routes", "ms to load", 1.25, 1e3),
    Kind("check", "router check", "routes", "ms to check", 1.25, 1e3),
    Kind("dispatch", "other queues", "routes, each of its own queue", "µs to plan a record", 0.25),
    Kind(
        "first", "first messages", "routes, each with the first messages of its own queue", "µs to plan a record", 0.25
    ),
    Kind("match", "its own queue", "routes of the queue", "µs to plan a record", 0.25),
    PROCESSES,
    QUEUES,
    QUEUES_MEMORY,
)
COUNTS = (1, 2, 4)
"""Numbers of processes; each has this number of messages:"""
EACH = 20_000


@dataclass
class Growth:
    """The points of each kind: a list of seconds (or bytes) by size, one for each round."""

    points: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def medians(self, kind: Kind) -> dict[int, float]:
        """Return the medians in the unit of the kind."""
        return {size: statistics.median(each) * kind.scale for size, each in self.points[kind.name].items()}

    @property
    def fine(self) -> bool:
        """Whether no slope is too steep, and no cost too high."""
        return all(self.is_met(kind) for kind in self.kinds)

    def is_met(self, kind: Kind) -> bool:
        """Whether a slope is not too steep, and the cost of the largest size not too high."""
        points = self.medians(kind)
        return self.slope(kind) <= kind.most and points[max(points)] <= kind.ceiling

    def slope(self, kind: Kind) -> float:
        """Return the slope of the upper half of the points."""
        points = sorted(self.medians(kind).items())
        upper = points[len(points) // 2 :] if len(points) > 3 else points
        line = statistics.linear_regression([math.log(x) for x, _ in upper], [math.log(y) for _, y in upper])
        return line.slope

    @property
    def kinds(self) -> list[Kind]:
        """The measured kinds."""
        return [kind for kind in KINDS if kind.name in self.points]

    def to_json(self) -> dict[str, Any]:
        """Return the seconds and the fitted slopes, for `--json`."""
        return {kind.name: {"points": self.points[kind.name], "slope": self.slope(kind)} for kind in self.kinds}


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * (len(KINDS) - 1)


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> Growth:
    """Measure all kinds in rounds."""
    growth = Growth()
    for _ in rounds:
        for kind in KINDS[:-2]:
            found = growth.points.setdefault(kind.name, {})
            points = _drains(server, quick=quick) if kind is PROCESSES else _probe(server, kind, quick=quick)
            for size, seconds in points.items():
                found.setdefault(int(size), []).append(seconds)
            advance()
        _start_workers(server, growth, quick=quick)
        advance()
    return growth


def _start_workers(server: Server, growth: Growth, *, quick: bool) -> None:
    for count in many_queues.COUNTS[:-1] if quick else many_queues.COUNTS:
        for kind, value in zip((QUEUES, QUEUES_MEMORY), many_queues.start(server, count), strict=True):
            growth.points.setdefault(kind.name, {}).setdefault(count, []).append(value)


def _drains(server: Server, *, quick: bool) -> dict[int, float]:
    """Return the processor seconds per message, by the number of processes of the worker."""
    found = {}
    for count in COUNTS:
        case = DrainCase("router", count, LATENCY_MS, count * (EACH // 10 if quick else EACH))
        started, drained = (
            drain(server, each, expected_digest(SIZE, each.count)) for each in (replace(case, count=FEW), case)
        )
        found[count] = (drained.cpu - started.cpu) / (case.count - FEW)
    server.slow_down(0)
    return found


def _probe(server: Server, kind: Kind, *, quick: bool) -> dict[str, float]:
    server.reset()
    command = ["probe.py", kind.name, *(["quick"] if quick else [])]
    points: dict[str, float] = json.loads(ask(kind.title, command, prepare(server.endpoint, HERE / "growth.yaml")))
    return points
