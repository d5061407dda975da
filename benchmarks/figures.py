"""Figures by round, and their ratios beside the floors."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from environment import BenchmarkError
from floors import FLOORS, SECOND, Floor


class Key(NamedTuple):
    """What a figure belongs to: the case (`1,000 small`) and the program (`router`, or a peer)."""

    case: str
    program: str


class Ratio(NamedTuple):
    """The median, the least and the greatest of the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.least)} to {short(self.most)})"


def short(ratio: float) -> str:
    """Write a ratio with three digits, as a fraction if it is small."""
    return f"1/{1 / ratio:.3g}" if ratio <= 1 / 3 else f"{ratio:.3g}"


class Row(NamedTuple):
    """A floor and what was measured: the ratio, or why there is none."""

    floor: Floor
    found: Ratio | str

    @property
    def below(self) -> bool:
        """Whether the ratio was measured and is not within its floor."""
        return isinstance(self.found, Ratio) and self.found.median > self.floor.limit

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The cells of the table."""
        measured, limit = str(self.found), short(self.floor.limit)
        if isinstance(self.found, Ratio) and self.floor.peer == SECOND:
            measured, limit = f"{self.found.median:.3f} s", f"{self.floor.limit:g} s"
        verdict = "not measured" if isinstance(self.found, str) else "BELOW" if self.below else "ok"
        return self.floor.case, self.floor.ratio_of, measured, limit, verdict


def digits(value: float) -> str:
    """Write a number with three digits, or with all digits before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass
class Figures:
    """The figures of all rounds, in seconds or calls, and why a program was not measured."""

    values: dict[Key, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, case: str, program: str, value: float) -> None:
        """Add the figure of a round."""
        self.values.setdefault(Key(case, program), []).append(value)

    def median(self, case: str, program: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.values[Key(case, program)])

    def ratio(self, case: str, program: str, peer: str) -> Ratio | None:
        """Return the ratio of a program to its peer, by round; None if one was not measured."""
        ours, theirs = self.values.get(Key(case, program)), self.values.get(Key(case, peer))
        if not ours or not theirs:
            return None
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))

    def rows(self, suites: Iterable[str]) -> list[Row]:
        """Return the rows of some suites; raises BenchmarkError if a figure is missing without a reason."""
        return [self._row(floor) for floor in FLOORS if floor.suite in suites]

    def _row(self, floor: Floor) -> Row:
        found = self.ratio(floor.case, floor.program, floor.peer)
        reason = self.missing.get(floor.peer) or self.missing.get(floor.suite)
        if found is None and reason is None:
            raise BenchmarkError(f"nothing was measured for {floor.case}: {floor.ratio_of}")
        return Row(floor, found or reason or "")
