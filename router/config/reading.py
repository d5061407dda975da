"""The results of reading a config: each file, the merged whole, and the places of keys and values."""

import gc
import pathlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from router.config import spec
from router.config.environment import parts
from router.config.findings import Findings, Locate
from router.model import Path, Place


class SourceFile(Struct, frozen=True):
    """A file that was read: its data, and the places of its keys and values."""

    file: str
    """Its name in findings."""
    folder: pathlib.Path
    """The folder that file names in it are relative to."""
    data: dict[str, Any]
    """Plain data: dict, list, str, int, Decimal, bool and None."""
    findings: Findings
    """The faults that did not stop reading; later steps add their own."""
    locate: Callable[[Path, bool], Place]
    """Returns the place of the value (or, with True, of the key) at a path."""


class IncludedFile(Struct, frozen=True):
    """An included file, and its folder relative to that of the config, such as `flows`, or empty.

    `left_out` are the paths of entries that are not in `content` because they have faults.
    """

    source: SourceFile
    folder: str
    content: spec.Included
    left_out: set[Path]


class Reading(Struct, frozen=True):
    """A config with all files that it includes; `config` is None if its faults leave nothing to compile.

    It is `complete` if no section as a whole was left out, so that a name which seems unknown is unknown.
    """

    config: spec.Config | None
    findings: Findings
    folder: pathlib.Path
    complete: bool


@contextmanager
def without_garbage_collector() -> Iterator[None]:
    """Pause cyclic garbage collection: it takes three quarters of the time of building many nodes, and frees none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


_Spot = tuple[Place, Place, dict[str | int, Any]]
"""The places of a key and of its value, and the same for everything inside the value."""


def list_places(data: dict[str, Any], locate: Locate) -> list[int]:
    """Return line and column of the root, then of each key and its value, or of each element, depth first."""

    def walk(value: Any, path: Path) -> Iterator[Place]:
        for step, child in parts(value):
            where = (*path, step)
            if isinstance(step, str):
                yield locate(where, True)
            yield locate(where, False)
            yield from walk(child, where)

    places = (locate((), False), *walk(data, ()))
    return [number for place in places for number in (place.line, place.column)]


def locate_by(file: str, data: dict[str, Any], listed: Sequence[int]) -> Locate:
    """Return the function that finds places in the numbers which `list_places` returned for this data.

    For a path that does not exist, it finds the nearest parent that does, as for the file itself.
    """
    numbers = iter(listed)

    def place() -> Place:
        return Place(file, next(numbers), next(numbers))

    def read(value: Any) -> dict[str | int, Any]:
        return {
            step: ((here := place()), place() if isinstance(step, str) else here, read(child))
            for step, child in parts(value)
        }

    start = place()
    root: _Spot = (start, start, read(data))

    def locate(path: Path, key: bool = False) -> Place:
        spot = root
        for step in path:
            if step not in spot[2]:
                break
            spot = spot[2][step]
        return spot[0] if key else spot[1]

    return locate
