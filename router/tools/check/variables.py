"""Tells what the variables of a config are for: which it refers to, who reads them, and whether it needs a key."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import getitem
from typing import Any

from router.model import Path
from router.runtime.config.environment import names_in

# The settings of queues and routes that only running code reads, by section.
_AT_RUN_TIME = {
    "queues": ("encoding", "match", "redact", "unmatched"),
    "routes": (
        "for_each",
        "item",
        "merge",
        "on_invalid",
        "options",
        "schema",
        "tests",
        "when",
    ),
}


def is_read_at_run_time(path: Path) -> bool:
    """Return whether only running code reads the text at a path, from its environment.

    Texts at other paths are parts of names, ARNs, keys or settings, which a template
    has, or name files to pack.
    """
    match path:
        case ("function" | "worker", "environment", _):
            return True
        case ("routes", _, "schema") | (*_, "$ref"):
            return False
        case (str(section), _, str(setting), *_):
            return setting in _AT_RUN_TIME.get(section, ())
        case _:
            return False


def redacts(data: Mapping[str, Any]) -> bool:
    """Return whether a queue of a file has `redact`, so that the config needs its key."""
    queues = (data.get("queues") or {}).values()
    return any(queue.get("redact") for queue in queues if queue)


def variables_in(data: Any, paths: Iterable[Path]) -> set[str]:
    """Return the names of the variables that the texts at these paths refer to."""
    names: set[str] = set()
    for path in paths:
        names.update(names_in(reduce(getitem, path, data)))
    return names
