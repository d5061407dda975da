"""All that a run has measured."""

from dataclasses import dataclass
from typing import Any

from figures import Figures, Judged
from growth import Growth
from whereabouts import Stages


@dataclass(frozen=True)
class Results:
    """Figures by name, what became of the budgets, and what other suites found; None where one did not run.

    `flames` says why there is no flame graph; it is "" if there is one.
    """

    machine: dict[str, str]
    figures: dict[str, Figures]
    judged: list[Judged]
    growth: Growth | None = None
    stages: Stages | None = None
    flames: str = ""

    @property
    def missing(self) -> dict[str, str]:
        """What was not measured, and why."""
        return {name: why for figures in self.figures.values() for name, why in figures.missing.items()}

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "machine": self.machine,
            "budgets": [each.to_json() for each in self.judged],
            "figures": {name: figures.to_json() for name, figures in self.figures.items()},
            "growth": self.growth.to_json() if self.growth else None,
            "stages": self.stages,
        }
