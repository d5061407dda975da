"""Finds the modules of a package in which each module defines one concept, such as an attribute source."""

import os
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType


def import_modules(package: str, folders: Iterable[str]) -> list[ModuleType]:
    """Import the modules of a package, in the order of their names; one whose name starts with `_` is none of them.

    `folders` is the `__path__` of the package. The Lambda package holds all modules of a package that calls this.
    """
    # pkgutil and pathlib do the same, and cost more time at a cold start.
    files = [name for folder in folders for name in os.listdir(folder)]  # noqa: PTH208
    names = {name.partition(".")[0] for name in files if name.endswith((".py", ".pyc"))}
    return [
        import_module(f"{package}.{name}") for name in sorted(names) if not name.startswith("_")
    ]
