"""How findings about a config speak: what a path is called, what a value is, what was probably meant."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from router.model import Path

_NAMED = {"queues": "queue", "tables": "table", "routes": "route"}
_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    Decimal: "a number",
    float: "a number",
    list: "a list",
    dict: "a map",
}
_LONGEST = 60


def describe(path: Path) -> str:
    """What a person calls the thing at a path: `'type' of attribute 'tags' of route 'user-metadata'`."""
    if not path:
        return "the config"
    *before, last = path
    parent = tuple(before)
    if len(path) == 2 and parent[0] in _NAMED:
        return f"{_NAMED[str(parent[0])]} {quote(last)}"
    if len(path) == 4 and path[0] == "routes" and path[2] == "item":
        return f"attribute {quote(last)} of {describe(path[:2])}"
    if len(path) == 4 and path[0] == "routes" and path[2] == "tests" and isinstance(last, int):
        return f"test {last + 1} of {describe(path[:2])}"
    name = f"entry {last + 1}" if isinstance(last, int) else quote(last)
    return f"{name} of {describe(parent)}" if parent else name


def quote(value: Any) -> str:
    """A value of the config in quotes, shortened if it is long; a number as it is."""
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 2]}…'"


def kind_of(value: Any) -> str:
    """What a value is, in the words of YAML."""
    return _KINDS[type(value)]


def any_of(words: Iterable[Any]) -> str:
    """The alternatives in a row: `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else str(last)


def closest(word: str, candidates: Sequence[str]) -> str | None:
    """The candidate that was probably meant, whatever its case, if one is near."""
    from difflib import get_close_matches  # only where there is a fault: start-up does without it

    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(word.casefold()[:_LONGEST], folded, 1)
    return folded[near[0]] if near else None
