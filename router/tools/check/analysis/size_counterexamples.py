"""Finds a valid message whose item is larger than DynamoDB accepts, where a schema does not bound a
part of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from itertools import chain, count, islice
from typing import Any

from msgspec import structs

from router.errors import Rejection
from router.model import Message
from router.prover.example_search import Growth
from router.prover.expressions import valid_tree_of
from router.prover.predicates import ENCODER, Steps, text_of
from router.prover.scalars import MOST_BYTES
from router.prover.value_generation import MISSING
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_ITEM_BYTES, encode_item, over_limit
from router.runtime.engine.engine import UNLIMITED
from router.runtime.program.mapping import MapItems
from router.tools.check.analysis.failures import map_attribute
from router.tools.check.analysis.item_sizes import most_bytes
from router.tools.check.analysis.refutations import (
    SYSTEM,
    compile_alone,
    has_only_built_ins,
    paths_of,
    tested_paths,
)
from router.tools.check.analysis.routes import AnalyzedRoute

# So many characters are too large, also if they are Base64.
_MANY = 4 * (MAX_ITEM_BYTES // 3 + 1)
# The bytes of a message for a larger value: it has others besides.
_ROOM = MOST_BYTES - 16 * 1024
# So many are too large: each takes a byte, and one more in its list.
_ELEMENTS = MAX_ITEM_BYTES // 2
# The most items of `for_each` that are measured: each has a copy of what is in the message.
_ITEMS = 3
# A character that names of hosts may have, and that does not count: a soft hyphen.
_IGNORED = "\u00ad"
# The lengths of texts in a list whose elements have some length, but not any.
_LENGTHS = (4096, 1000, 250, 60)
_POSITIONS = 4
_WAYS = 5
_DEPTH = 3
# Numbers from this on have eight digits, so that Base64 and a number are Base64.
_FIRST_NUMBER = 10_000_000
_NUMBER_STEPS = (1, -1, Decimal("1e-8"), Decimal("-1e-8"))
# The most names of an object whose values are enlarged.
_NAMES = 6


def unbounded_part(route: AnalyzedRoute) -> str:
    """Return a sentence about a value of a valid message that makes an item too large.

    "" if none is found.
    """
    found = (_unbounded(route, name, each) for name, each in measured_parts(route))
    steps = next((steps for steps in found if steps is not None), None)
    if steps is None:
        return ""
    what = f"'{text_of(steps)}'" if steps else "the message"
    return f"{what} may be so long that the item has more than {MAX_ITEM_BYTES} bytes"


def _unbounded(route: AnalyzedRoute, name: str, attribute: spec.Attribute | None) -> Steps | None:
    """Return the path of such a value of an attribute; None if none is found.

    What is found is true of an equal attribute of another route, whose messages have room for the
    value, unless that is a key, which has a limit of its own.
    """
    facts = None if attribute is None else route.facts(attribute)
    if facts is not None and most_bytes(route, name, facts) <= MAX_ITEM_BYTES:
        return None

    def find() -> Steps | None:
        found = find_oversized(route, name, attribute)
        return found and found[0]

    parts = None if route.mapped is None else route.mapped.parts
    if facts is None or not name or parts is None or not parts.demands_little:
        return find()
    return facts.unless_none(("size", name), find)


def measured_parts(route: AnalyzedRoute) -> Iterator[tuple[str, spec.Attribute | None]]:
    """Yield what is measured alone: each attribute, or the whole item, and with the name "" the map
    that `merge` finds.
    """
    if route.is_whole:
        yield "", None
    else:
        yield from route.attributes.items()
    if route.route.merge is not None:
        yield "", map_attribute(route.route.merge)


def find_oversized(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute | None
) -> tuple[Steps, Any] | None:
    """Return a path, and a message whose value there makes an attribute or the whole item too
    large.

    None if none is found. An attribute is mapped alone, as the engine maps it. One with a transform
    of a plugin is not.
    """
    messages = route.mapped
    element = route.scope.element
    if messages is None or (route.scope.each and element is None):
        return None
    item: dict[str, spec.Attribute] | None = None
    read: Iterable[Steps] = [element or ()]
    if attribute is not None:
        if (
            not has_only_built_ins(route, attribute)
            or most_bytes(route, name, route.facts(attribute)) <= MAX_ITEM_BYTES
        ):
            return None
        item = {name: attribute} if name else {}
        read = paths_of(route, attribute)
    merge = None if name or attribute is None else route.route.merge
    measure = partial(_measure, compile_alone(route, item, merge))
    growth = Growth(
        lambda data: measure(data) is False,
        _enlarged,
        lambda data: measure(data) is True and _json_bytes(data) <= MOST_BYTES,
    )
    there = [] if element is None else [element]
    tested = tested_paths(route)
    read = list(read)
    # A template has no value if a part of it has none.
    beside = [[*there, *read], there] if len(read) > 1 else [there]
    tried = (
        (steps, messages.find_larger(steps, growth, each, tested))
        for each in beside
        for steps in read
    )

    def grown_by(part: Any) -> Growth:
        grow = partial(_with_part, part)
        return structs.replace(growth, fits=lambda data: True, grow=grow)

    made = (
        (steps, messages.find_larger((), grown_by(part), there, tested))
        for steps, part in _parts_by_expressions(route, attribute)
    )
    return next((found for found in chain(tried, made) if found[1] is not MISSING), None)


def _parts_by_expressions(
    route: AnalyzedRoute, attribute: spec.Attribute | None
) -> Iterator[tuple[Steps, Any]]:
    """Yield parts of messages of which an expression of an attribute makes a long value, with the
    path of a long text in each.
    """
    uses = () if attribute is None else route.uses(attribute)
    text = _lengthened("x", 0)
    # Of most attributes a long value is found without it.
    from router.prover.expression_inputs import parts_with

    for use in uses:
        yield from parts_with(valid_tree_of(use.text), route.scope, text)


def _with_part(part: Any, message: Any) -> Iterator[Any]:
    from router.prover.expression_inputs import merged

    yield merged(message, part)


def _measure(map_items: MapItems, data: Any) -> bool | None:
    """Return whether an item of a message is too large, None if the message is not mapped."""
    try:
        items = [*islice(map_items(Message(data, "message", system=SYSTEM), UNLIMITED), _ITEMS)]
    except Rejection:
        return None
    try:
        for item in items:
            encode_item(item)
    except Rejection as rejection:
        return over_limit().reason in rejection.reason
    return False


def _json_bytes(value: Any) -> int:
    """Return the bytes of a message as JSON."""
    match value:
        case str() if len(value) > _MANY:
            return _text_bytes(value)
        case {} if value:
            return 1 + sum(
                len(ENCODER.encode(name)) + 2 + _json_bytes(each) for name, each in value.items()
            )
        case [_, *others] if len(others) < _POSITIONS:
            return 1 + sum(1 + _json_bytes(each) for each in value)
    return len(ENCODER.encode(value))


@lru_cache(maxsize=16)
def _text_bytes(text: str) -> int:
    """Return the bytes of a long text as JSON: most routes try the same few."""
    return len(ENCODER.encode(text))


def _enlarged(value: Any, depth: int = _DEPTH) -> Iterator[Any]:
    """Yield values like one that are too large for an item: text with more of its characters, lists
    with elements.
    """
    match value:
        case str():
            yield from (_lengthened(value, way) for way in range(_WAYS))
        case [first, *_]:
            for index, element in enumerate(value[: _POSITIONS if depth else 0]):
                yield from (
                    [*value[:index], each, *value[index + 1 :]]
                    for each in _enlarged(element, depth - 1)
                )
            # A set has none of its values twice, and a list may have different ones.
            yield from _distinct(first)
            yield [first] * min(_ELEMENTS, _count(first, ","))
            yield from ([each] * _count(each, ",") for each in _longer(first))
        case {}:
            yield {**value, "x": _lengthened("x", 0)}
            for inner in [*value.values()][:_NAMES]:
                yield {
                    **value,
                    **{f"x{number}": inner for number in range(_count(inner, '"x123456":,'))},
                }
            for name in [*value][: _NAMES if depth else 0]:
                yield from ({**value, name: each} for each in _enlarged(value[name], depth - 1))


def _longer(element: Any) -> Iterator[Any]:
    """Yield elements of a list that are somewhat longer: their text, or one of their texts."""
    match element:
        case str():
            yield from (element.ljust(length, element[-1:] or "x") for length in _LENGTHS)
        case {}:
            for name in _names_of_texts(element):
                yield from ({**element, name: each} for each in _longer(element[name]))


def _distinct(element: Any) -> Iterator[list[Any]]:
    """Yield lists of different elements, which are like one: it, or one of its texts, has a number."""
    numbers = range(_FIRST_NUMBER, _FIRST_NUMBER + _count(element, f"{_FIRST_NUMBER},"))
    match element:
        case bool():
            pass
        case str():
            yield [f"{element}{number}" for number in numbers]
            if kept := element[: -len(str(_FIRST_NUMBER))]:
                yield [f"{kept}{_FIRST_NUMBER + number}" for number in range(_count(element, ","))]
        case int() | Decimal():
            for step in _NUMBER_STEPS:
                start = element + step * _FIRST_NUMBER
                yield [*islice(count(start, step), _count(start, ","))]
        case {}:
            for name in _names_of_texts(element):
                yield [{**element, name: f"{element[name]}{number}"} for number in numbers]


def _names_of_texts(element: Mapping[str, Any]) -> list[str]:
    """Return the names of the first texts of an object."""
    return [name for name, value in element.items() if isinstance(value, str)][:_NAMES]


def _count(value: Any, more: str) -> int:
    """Return how many values of the size of one, each with more JSON beside it, a message can have."""
    return _ROOM // (len(ENCODER.encode(value)) + len(more))


@lru_cache(maxsize=16)
def _lengthened(value: str, way: int) -> str:
    """Return a text with many more of its characters, at one of the places where a pattern may
    allow them.

    Most routes try the same few texts, and a text that exists has its hash.
    """
    last = value[-1:] or "x"
    inner = value[-2:-1] or "x"
    match way:
        case 0:
            return f"{value}{last * _MANY}"
        case 1:
            return f"{value[:-1]}{inner * _MANY}{last}"
        case 2:
            return f"{value[:1] * _MANY}{value}"
        case 3:
            return f"{value[:1]}{_IGNORED * (_MANY // 2)}{value[1:]}"
    return f"{value[:-1]}.{'0' * _MANY}{last}"  # a time with a fraction
