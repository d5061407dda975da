"""Prints the lowest version of each dependency of the run time that `pyproject.toml` allows, for `make lowest`."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirement: Requirement) -> str:
    """Return the requirement of the lowest version; raises ValueError if it has none."""
    for each in requirement.specifier:
        if each.operator == ">=":
            return f"{requirement.name}=={each.version}"
    raise ValueError(f"{requirement} has no lowest version (>=)")


if __name__ == "__main__":
    for text in tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]:
        print(lowest(Requirement(text)))
