"""Bounds the size in an item of every value at a path, by what its subschemas say of texts, lists and names."""

from collections.abc import Collection, Sequence
from math import inf
from typing import Any

from msgspec import Struct

from router.errors import Rejection
from router.prover.predicates import EACH
from router.prover.subschema_walker import Every, Level, Own, Some, SubschemaWalker, own_types
from router.prover.text_patterns import has_no_text, longest_match
from router.runtime.engine.attributes import MAX_DIGITS, MAX_NESTING, encode_item, text_bytes
from router.runtime.program.expressions import kind_of
from router.runtime.program.schemas.references import Location

MAX_VALUES = 5000
"""The most parts of a value that are added up."""
NUMBER_BYTES = (MAX_DIGITS + 1) // 2 + 1
BYTES_OF_A_CHARACTER = 4
LIST_BYTES = 3
_LENGTHS = {"date": 10, "uuid": 36, "ipv4": 15, "ipv6": 45, "hostname": 255, "email": 320, "idn-email": 320}
"""The longest texts of formats that have one."""
_FIRST_WITH_CONST = 6
_FEW = {frozenset[str](): 0, frozenset(("boolean",)): 2, frozenset(("null",)): 1, frozenset(("boolean", "null")): 3}
"""The number of values of types that have few."""
_ALL_TYPES = frozenset(("string", "number", "boolean", "null", "array", "object"))


class _ValueBounds(Struct, frozen=True):
    """What subschemas say of a value: its types, and the most characters, elements and bytes; None for any names.

    `values` is the most values that differ; a list has none twice if it is `unique`.
    """

    types: frozenset[str] = _ALL_TYPES
    characters: float = inf
    items: float = inf
    names: frozenset[str] | None = None
    bytes: float = inf
    values: float = inf
    unique: bool = False


class SizeBounds:
    """The sizes of the values of a schema."""

    def __init__(self, levels: SubschemaWalker) -> None:
        self._walker = levels
        self._left = MAX_VALUES

    def most_bytes(self, level: Level, kinds: Collection[str] = _ALL_TYPES) -> float:
        """Return the most bytes in an item of a value of a level, if it has one of some types.

        Infinity if there is no bound, or none is known.
        """
        self._left = MAX_VALUES
        return self._bytes(level, 0, kinds)

    def most_items(self, level: Level) -> float:
        """Return the most elements of a list of a level; infinity if there is no bound."""
        return self._items(level, _bounds_of(self._walker.parts(level)))

    def _items(self, level: Level, bounds: _ValueBounds) -> float:
        element = _bounds_of(self._walker.parts(self._walker.below(level, EACH)))
        if not element.types:
            return 0
        return min(bounds.items, element.values) if bounds.unique else bounds.items

    def _bytes(self, level: Level, depth: int, kinds: Collection[str] = _ALL_TYPES) -> float:
        self._left -= 1
        if depth > MAX_NESTING or self._left < 0:
            return inf
        bounds = _bounds_of(self._walker.parts(level))
        types = bounds.types.intersection(kinds)
        sizes = [1.0]
        if "string" in types:
            if bounds.characters == bounds.bytes == inf:
                return inf  # whatever else it may be
            sizes.append(bounds.characters * BYTES_OF_A_CHARACTER)
        if "number" in types:
            sizes.append(NUMBER_BYTES)
        if "array" in types and bounds.bytes == inf:
            items = self._items(level, bounds)
            element = self._bytes(self._walker.below(level, EACH), depth + 1) if items else 0
            sizes.append(LIST_BYTES + (items * (element + 1) if items else 0))
        if "object" in types and bounds.bytes == inf:
            sizes.append(self._object_bytes(level, bounds, depth))
        return min(bounds.bytes, max(sizes))

    def _object_bytes(self, level: Level, bounds: _ValueBounds, depth: int) -> float:
        total: float = inf if bounds.names is None else LIST_BYTES
        for name in bounds.names or ():
            if total == inf:
                break
            total += 1 + text_bytes(name) + self._bytes(self._walker.below(level, name), depth + 1)
        return total


def most_characters(level: Level) -> float:
    """Return the most characters of a text of a level that is taken apart; infinity if there is no bound."""
    bounds = _bounds_of(level)
    return bounds.characters if "string" in bounds.types else 0


def constant_bytes(value: Any) -> float:
    """Return the bytes of a constant in an item; infinity if it cannot be stored."""
    try:
        return encode_item({"x": value})[1] - 1
    except Rejection:
        return inf


def _bounds_of(level: Level) -> _ValueBounds:
    match level:
        case Every(parts):
            return _of_all([_bounds_of(part) for part in parts])
        case Some(parts):
            return _of_one([_bounds_of(part) for part in parts])
    assert isinstance(level, Own)
    return _own(level.place)


def _of_all(bounds: Sequence[_ValueBounds]) -> _ValueBounds:
    names = [bounds.names for bounds in bounds if bounds.names is not None]
    return _ValueBounds(
        types=_ALL_TYPES.intersection(*(bounds.types for bounds in bounds)),
        characters=min((bounds.characters for bounds in bounds), default=inf),
        items=min((bounds.items for bounds in bounds), default=inf),
        names=frozenset.intersection(*names) if names else None,
        bytes=min((bounds.bytes for bounds in bounds), default=inf),
        values=min((bounds.values for bounds in bounds), default=inf),
        unique=any(bounds.unique for bounds in bounds),
    )


def _of_one(bounds: Sequence[_ValueBounds]) -> _ValueBounds:
    names = [bounds.names for bounds in bounds if bounds.names is not None]
    return _ValueBounds(
        types=frozenset[str]().union(*(bounds.types for bounds in bounds)),
        characters=max((bounds.characters for bounds in bounds), default=0),
        items=max((bounds.items for bounds in bounds), default=0),
        names=None if len(names) < len(bounds) else frozenset[str]().union(*names),
        bytes=max((bounds.bytes for bounds in bounds), default=0),
        values=sum(bounds.values for bounds in bounds),
        unique=all(bounds.unique for bounds in bounds),
    )


def _own(place: Location) -> _ValueBounds:
    schema, values = place.content, _constants(place)
    types = frozenset("number" if kind == "integer" else kind for kind in own_types(schema))
    if values is not None:
        types = types.intersection(map(kind_of, values))
    pattern, form = schema.get("pattern"), schema.get("format", "")
    if has_no_text([schema]):
        types -= {"string"}
    longest = None if pattern is None else longest_match(pattern)
    lengths = [schema.get("maxLength", inf), _LENGTHS.get(form, inf), inf if longest is None else longest]
    if values is not None:
        lengths.append(max((len(value) for value in values if isinstance(value, str)), default=0))
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    # Keywords for other types than those that it has do not count.
    return _ValueBounds(
        types=types,
        characters=min(lengths) if "string" in types else 0,
        items=schema.get("maxItems", inf) if "array" in types else 0,
        names=frozenset(schema.get("properties", ()) if closed else ()) if closed or "object" not in types else None,
        bytes=inf if values is None else max([NUMBER_BYTES, *map(constant_bytes, values)]),
        values=_FEW.get(types, inf) if values is None else len(values),
        unique=schema.get("uniqueItems") is True or "array" not in types,
    )


def _constants(place: Location) -> list[Any] | None:
    """Return the values of which a subschema allows one; None if it does not list them."""
    if "const" in place.content and place.document.draft >= _FIRST_WITH_CONST:
        return [place.content["const"]]
    values: list[Any] | None = place.content.get("enum")
    return values
