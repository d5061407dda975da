"""Figures by round, budgets and ratios."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Key(NamedTuple):
    """What a figure belongs to: the suite's case (`1,000 small messages`) and the program (`router`, or a peer)."""

    case: str
    program: str


@dataclass
class Figures:
    """The figures of a suite: one for each round, in which all programs were measured in turn.

    `unit` is the unit of the page, and `scale` converts seconds (or bytes) to it. `missing` has what was not measured.
    """

    unit: str
    scale: float
    values: dict[Key, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, case: str, program: str, value: float) -> None:
        """Add the figure of a round."""
        self.values.setdefault(Key(case, program), []).append(value)

    def of(self, case: str, program: str) -> list[float]:
        """Return the figures of all rounds, in the unit of the page."""
        return [value * self.scale for value in self.values[Key(case, program)]]

    def median(self, case: str, program: str) -> float:
        """Return the median, in the unit of the page."""
        return statistics.median(self.of(case, program))

    def ratio(self, case: str, program: str, peer: str) -> "Ratio | None":
        """Return the ratio of a program to its peer, by round; None if one was not measured."""
        ours, theirs = self.values.get(Key(case, program)), self.values.get(Key(case, peer))
        if not ours or not theirs:
            return None
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))

    @property
    def cases(self) -> list[str]:
        """The cases, in the order of measuring."""
        return list(dict.fromkeys(key.case for key in self.values))

    def programs(self, case: str) -> list[str]:
        """Return the programs of a case, in the order of measuring."""
        return [key.program for key in self.values if key.case == case]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as measured, in seconds, bytes or messages a second, for `--json`."""
        values = [{"case": key.case, "program": key.program, "rounds": rounds} for key, rounds in self.values.items()]
        return {"unit": self.unit, "figures": values, "missing": self.missing}


class Ratio(NamedTuple):
    """The median, the least and the greatest of the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.least)} to {_short(self.most)})"


def _short(value: float) -> str:
    return f"{value:.2f}" if value >= 0.995 else f"{value:.3f}"


@dataclass(frozen=True)
class FigureBudget:
    """The limit of a ratio: at most `limit`, or with `at_least` no less; and what it is to become, the `aim`."""

    figure: str
    case: str
    program: str
    peer: str
    limit: float
    at_least: bool = False
    aim: float | None = None

    def holds(self, limit: float, ratio: Ratio) -> bool:
        """Whether the median is within the limit, or the aim."""
        return ratio.median >= limit if self.at_least else ratio.median <= limit

    def words(self, limit: float) -> str:
        """The limit, or the aim, in words."""
        if self.at_least:
            return f"at least {limit:g} times"
        parts = 1 / limit
        return f"at most 1/{round(parts)}" if parts > 1 and abs(parts - round(parts)) < 1e-6 else f"at most {limit:g}"


@dataclass(frozen=True)
class Judged:
    """A budget and its result."""

    budget: FigureBudget
    ratio: Ratio

    @property
    def met(self) -> bool:
        """Whether the budget is met."""
        return self.budget.holds(self.budget.limit, self.ratio)

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None if there is no aim beyond the budget."""
        return None if self.budget.aim is None else self.budget.holds(self.budget.aim, self.ratio)

    def to_json(self) -> dict[str, Any]:
        """Return the budget and its result, for `--json`."""
        return {**asdict(self.budget), "ratio": self.ratio._asdict(), "met": self.met, "reached": self.reached}


def judge(figures: dict[str, Figures], budgets: tuple[FigureBudget, ...]) -> list[Judged]:
    """Return the results of the budgets whose figures were measured."""
    found = []
    for budget in budgets:
        ratio = budget.figure in figures and figures[budget.figure].ratio(budget.case, budget.program, budget.peer)
        if ratio:
            found.append(Judged(budget, ratio))
    return found
