"""The results of reading a config: each file, and the merged whole."""

import gc
import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from router.config import spec
from router.config.findings import Findings
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
