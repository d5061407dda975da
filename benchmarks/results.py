"""The results of a run."""

from dataclasses import dataclass
from typing import Any

from figures import Figures, Judged
from growth import Growth
from whereabouts import Stages


@dataclass(frozen=True)
class Results:
    """Figures by name, the results of the budgets, and those of other suites; None if a suite did not run.

    `flames` is the reason why there is no flame graph, or "".
    """

    machine: dict[str, str]
    figures: dict[str, Figures]
    judged: list[Judged]
    growth: Growth | None = None
    stages: Stages | None = None
    flames: str = ""

    @property
    def missing(self) -> dict[str, str]:
        """The programs that were not measured, with the reasons."""
        return {name: why for figures in self.figures.values() for name, why in figures.missing.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the results for `--json`."""
        return {
            "machine": self.machine,
            "budgets": [each.to_json() for each in self.judged],
            "figures": {name: figures.to_json() for name, figures in self.figures.items()},
            "growth": self.growth.to_json() if self.growth else None,
            "stages": self.stages,
        }
