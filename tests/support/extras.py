"""What an extra of this distribution installs, so that a test can run a command with exactly that.

To make an environment for each would take minutes: a process here finds only the modules that would be in it.
"""

import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

NAME = "message-router"
_BLOCKER = """\
from importlib.machinery import PathFinder

def find_spec(name, path=None, target=None, find=PathFinder.find_spec):
    return None if name.partition(".")[0] in {missing!r} else find(name, path, target)

PathFinder.find_spec = find_spec
"""


def blocking(missing: set[str]) -> str:
    """Return the code that hides modules from what runs after it."""
    return _BLOCKER.format(missing=missing)


def missing_with(extra: str) -> set[str]:
    """Return the modules that are installed here, and are not where only an extra is installed."""
    # A new environment has pip, which `router build` calls.
    there = {"pip", *_closure(NAME, frozenset([extra]))}
    return {
        module
        for module, owners in packages_distributions().items()
        if there.isdisjoint(map(_normal, owners)) and module != "sitecustomize"
    }


def environment_with(extra: str, folder: Path) -> Mapping[str, str]:
    """Return the environment of a process that finds only what an extra installs; `folder` is for its files."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(blocking(missing_with(extra)))
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path}


def _closure(name: str, extras: frozenset[str]) -> Iterator[str]:
    """Yield a distribution with all that it requires."""
    waiting = [(name, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        given = waiting.pop()
        if given in seen:
            continue
        seen.add(given)
        yield _normal(given[0])
        waiting += _required(*given)


def _required(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    try:
        texts = requires(name) or []
    except PackageNotFoundError:
        # Of another platform or Python.
        return
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield requirement.name, frozenset(requirement.extras)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
