"""Finds a valid message whose item is larger than DynamoDB accepts, where a schema does not bound a part of it."""

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from math import inf
from typing import Any

import msgspec
from msgspec import UNSET

from router.check.analysis.item_sizes import most_bytes
from router.check.analysis.predicates import Steps, text_of
from router.check.analysis.refutations import SYSTEM, compile_alone, is_built_in, paths_of, tested_paths
from router.check.analysis.routes import AnalyzedRoute, is_set
from router.check.analysis.scalars import MOST_BYTES
from router.check.analysis.witnesses import Growth
from router.codes import BAD_ITEM
from router.config import spec
from router.engine.attributes import MAX_ITEM_BYTES, encode_item
from router.engine.engine import UNLIMITED
from router.errors import Rejection
from router.model import Message
from router.program.mapping import MapItems

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_MANY = 4 * (MAX_ITEM_BYTES // 3 + 1)
"""So many characters are too large, also if they are Base64."""
_ELEMENTS = MAX_ITEM_BYTES // 2
"""So many are too large: each takes a byte, and one more in its list."""
_WAYS = 4
_DEPTH = 3
_NAMES = 6
"""The most names of an object whose values are enlarged."""


def unbounded_part(route: AnalyzedRoute) -> str:
    """Return a sentence about a value of a valid message that makes an item too large; "" if none is found.

    Each attribute is mapped alone, as the engine maps it; one with a transform of a plugin is not.
    """
    whole = not is_set(route.route.item)
    for name, attribute in [("", None)] if whole else route.attributes.items():
        steps = _found(route, name, attribute)
        if steps is not None:
            what = f"'{text_of(steps)}'" if steps else "the message"
            return f"{what} may be so long that the item has more than {MAX_ITEM_BYTES} bytes"
    return ""


def _found(route: AnalyzedRoute, name: str, attribute: spec.Attribute | None) -> Steps | None:
    """Return a path of the message whose value makes an attribute, or the whole item, too large."""
    messages, element = route.mapped, route.scope.element
    if messages is None or (route.scope.each and element is None):
        return None
    item: Any = UNSET
    read: Iterable[Steps] = [element or ()]
    if attribute is not None:
        if not is_built_in(route, attribute) or most_bytes(route, name, attribute) < inf:
            return None
        item, read = {name: attribute}, paths_of(route, attribute)
    measure = partial(_measure, compile_alone(route, item))
    growth = Growth(lambda data: measure(data) is False, _enlarged, lambda data: measure(data) is True)
    there = [] if element is None else [element]
    tested, read = tested_paths(route), list(read)
    # A template has no value if a part of it has none.
    beside = [[*there, *read], there] if len(read) > 1 else [there]
    tried = ((steps, each) for each in beside for steps in read)
    return next((steps for steps, each in tried if messages.can_exceed(steps, growth, each, tested)), None)


def _measure(map_items: MapItems, data: Any) -> bool | None:
    """Return whether an item of a message is too large, None if the message is not mapped."""
    try:
        items = [*map_items(Message(data, "message", system=SYSTEM), UNLIMITED)]
    except Rejection:
        return None
    try:
        for item in items:
            encode_item(item)
    except Rejection as rejection:
        # A value that was made larger adds no other fault.
        return rejection.code == BAD_ITEM
    return False


def _enlarged(value: Any, depth: int = _DEPTH) -> Iterator[Any]:
    """Yield values like one that are too large for an item: text with more of its characters, lists with elements."""
    match value:
        case str():
            yield from (_lengthened(value, way) for way in range(_WAYS))
        case [first, *others]:
            yield from ([each, *others] for each in (_enlarged(first, depth - 1) if depth else ()))
            yield [first] * min(_ELEMENTS, MOST_BYTES // (len(_ENCODER.encode(first)) + 1))
            yield from _distinct(first)
        case {}:
            yield {**value, "x": _lengthened("x", 0)}
            for inner in [*value.values()][:_NAMES]:
                yield {**value, **{f"x{number}": inner for number in range(_count(inner))}}
            for name in [*value][: _NAMES if depth else 0]:
                yield from ({**value, name: each} for each in _enlarged(value[name], depth - 1))


def _distinct(element: Any) -> Iterator[list[Any]]:
    """Yield lists of different elements, which are like one: their text, or one of their texts, has a number."""
    numbers = range(_count(element))
    match element:
        case str():
            yield [f"{element}{number}" for number in numbers]
        case {}:
            for name in [name for name, value in element.items() if isinstance(value, str)][:_NAMES]:
                yield [{**element, name: f"{element[name]}{number}"} for number in numbers]


def _count(value: Any) -> int:
    """Return how many values of the size of one, each with a number of its own, a message can have."""
    return MOST_BYTES // (len(_ENCODER.encode(value)) + len('"x123456":,'))


@lru_cache(maxsize=16)
def _lengthened(value: str, way: int) -> str:
    """Return a text with many more of its characters, at one of the places where a pattern may allow them.

    Most routes try the same few texts, and a text that exists has its hash.
    """
    last, inner = value[-1:] or "x", value[-2:-1] or "x"
    match way:
        case 0:
            return f"{value}{last * _MANY}"
        case 1:
            return f"{value[:-1]}{inner * _MANY}{last}"
        case 2:
            return f"{value[:1] * _MANY}{value}"
    return f"{value[:-1]}.{'0' * _MANY}{last}"  # a time with a fraction
