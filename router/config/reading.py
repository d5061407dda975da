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


class Source(Struct, frozen=True):
    """A file that was read: its data, and a place for each finding about it."""

    file: str
    """As findings show it."""
    folder: pathlib.Path
    """What relative names in it are relative to."""
    data: dict[str, Any]
    """Plain data: dict, list, str, int, Decimal, bool and None."""
    findings: Findings
    """The faults that did not stop reading; later steps add theirs."""
    locate: Callable[[Path, bool], Place]
    """Where the value (or, with True, the key) at a path stands."""


class Part(Struct, frozen=True):
    """An included file; `folder` is its own, from the folder of the config, as `flows`, or empty.

    `left_out` are the paths of what is not in `content` because it has faults.
    """

    source: Source
    folder: str
    content: spec.Included
    left_out: set[Path]


class Reading(Struct, frozen=True):
    """A config that was read with all that it includes; `config` is None if there is nothing to go on with.

    `complete` tells that no part as a whole had to be left out: what seems unknown elsewhere is not in one.
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
