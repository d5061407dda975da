"""The built-in transforms of lists, and the look-up in a table."""

from collections.abc import Hashable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any

from router.model import Transform
from router.transforms.scalars import number_of, to_text
from router.transforms.text import text_of

_EXACT = Context(prec=10_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""More digits than a message's number has: one of over 4,300 is refused when the message is decoded."""


def join(value: list[Any], separator: str) -> str:
    """One text of the elements (texts, numbers, true and false), with the separator between them.

    >>> join(["IN", 700001], "-")
    'IN-700001'
    """
    return text_of(separator).join(to_text(element) for element in _list_of(value))


def unique(value: list[Any]) -> list[Any]:
    """The list with only the first of equal elements; numbers are equal by value.

    >>> unique(["drama", "comedy", "drama"])
    ['drama', 'comedy']
    """
    first: dict[Hashable, Any] = {}
    for element in _list_of(value):
        first.setdefault(_identity(element), element)
    return list(first.values())


def sort(value: list[Any]) -> list[Any]:
    """The list in ascending order: numbers by value, or texts by their characters.

    >>> sort(["b", "a"])
    ['a', 'b']
    """
    elements = _list_of(value)
    kind = text_of if elements and isinstance(elements[0], str) else number_of
    return sorted(elements, key=kind)


def first(value: list[Any]) -> Any:
    """The first element; of an empty list, nothing.

    >>> first(["drama", "comedy"])
    'drama'
    """
    elements = _list_of(value)
    return elements[0] if elements else None


def last(value: list[Any]) -> Any:
    """The last element; of an empty list, nothing.

    >>> last(["drama", "comedy"])
    'comedy'
    """
    elements = _list_of(value)
    return elements[-1] if elements else None


def lookup(value: Any, map: Mapping[str, Any], default: Any = None) -> Any:
    """What `map` has for the value (a number by its plain text), else `default`.

    >>> lookup("IN", {"IN": "India"})
    'India'
    """
    if not isinstance(map, Mapping):
        raise TypeError("map must be a map")
    return map.get(to_text(value), default)


def _list_of(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("it is not a list")
    return value


def _identity(value: Any) -> Hashable:
    """Equal for two values exactly when they are the same JSON: 1 and 1.0 are, 1 and true are not.

    Numbers are compared as text, whose hash a sender cannot foresee: Python's hash of a number is the number modulo
    2^61 - 1, and thousands of equal hashes make a set or dict quadratic.
    """
    if isinstance(value, dict):
        return "map", frozenset((name, _identity(child)) for name, child in value.items())
    if isinstance(value, list):
        return "list", tuple(_identity(child) for child in value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "number", str(Decimal(value).normalize(_EXACT))
    return isinstance(value, bool), value


TRANSFORMS: tuple[Transform, ...] = (join, unique, sort, first, last, lookup)
