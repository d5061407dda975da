"""Bounds the size in an item of every value at a path, by what its subschemas say of texts, lists and names."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from msgspec import Struct, structs

from router.check.analysis.levels import Every, Level, Levels, Own, Some, own_types
from router.check.analysis.pattern_lengths import longest_match
from router.check.analysis.predicates import EACH, Schema
from router.engine.attributes import MAX_DIGITS, MAX_NESTING, encode_item, text_bytes
from router.errors import Rejection

MAX_VALUES = 5000
"""The most parts of a value that are added up."""
NUMBER_BYTES = (MAX_DIGITS + 1) // 2 + 1
BYTES_OF_A_CHARACTER = 4
LIST_BYTES = 3
_LENGTHS = {"date": 10, "uuid": 36, "ipv4": 15, "ipv6": 45, "hostname": 255, "email": 320}
"""The longest texts of formats that have one."""
_ALL_TYPES = frozenset(("string", "number", "boolean", "null", "array", "object"))


class _Extent(Struct, frozen=True):
    """What subschemas say of a value: its types, and the most characters, elements and bytes; None for any names."""

    types: frozenset[str] = _ALL_TYPES
    characters: float = inf
    items: float = inf
    names: frozenset[str] | None = None
    bytes: float = inf


class Extents:
    """The sizes of the values of a schema."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._left = MAX_VALUES

    def most_bytes(self, level: Level) -> float:
        """Return the most bytes of a value of a level in an item; infinity if there is no bound, or none is known."""
        self._left = MAX_VALUES
        return self._bytes(level, 0)

    def most_items(self, level: Level) -> float:
        """Return the most elements of a list of a level; infinity if there is no bound."""
        return _extent(self._levels.parts(level)).items

    def _bytes(self, level: Level, depth: int) -> float:
        self._left -= 1
        if depth > MAX_NESTING or self._left < 0:
            return inf
        extent = _extent(self._levels.parts(level))
        sizes = [1.0]
        if "string" in extent.types:
            if extent.characters == extent.bytes == inf:
                return inf  # whatever else it may be
            sizes.append(extent.characters * BYTES_OF_A_CHARACTER)
        if "number" in extent.types:
            sizes.append(NUMBER_BYTES)
        if "array" in extent.types and extent.bytes == inf:
            element = self._bytes(self._levels.below(level, EACH), depth + 1) if extent.items else 0
            sizes.append(LIST_BYTES + (extent.items * (element + 1) if extent.items else 0))
        if "object" in extent.types and extent.bytes == inf:
            sizes.append(self._object_bytes(level, extent, depth))
        return min(extent.bytes, max(sizes))

    def _object_bytes(self, level: Level, extent: _Extent, depth: int) -> float:
        total: float = inf if extent.names is None else LIST_BYTES
        for name in extent.names or ():
            if total == inf:
                break
            total += 1 + text_bytes(name) + self._bytes(self._levels.below(level, name), depth + 1)
        return total


def most_characters(level: Level) -> float:
    """Return the most characters of a text of a level that is taken apart; infinity if there is no bound."""
    extent = _extent(level)
    return extent.characters if "string" in extent.types else 0


def constant_bytes(value: Any) -> float:
    """Return the bytes of a constant in an item; infinity if it cannot be stored."""
    try:
        return encode_item({"x": value})[1] - 1
    except Rejection:
        return inf


def _extent(level: Level) -> _Extent:
    match level:
        case Every(parts):
            return _joined([_extent(part) for part in parts], min, frozenset.intersection, _ALL_TYPES)
        case Some(parts):
            return _joined([_extent(part) for part in parts], max, frozenset.union, frozenset())
    assert isinstance(level, Own)
    return _own(level.place.content)


def _joined(
    extents: Sequence[_Extent],
    choose: Callable[..., float],
    join: Callable[..., frozenset[str]],
    types: frozenset[str],
) -> _Extent:
    names = [extent.names for extent in extents]
    known = [each for each in names if each is not None]
    unbounded = not known or (choose is max and None in names)
    return _Extent(
        types=join(*(extent.types for extent in extents)) if extents else types,
        characters=choose((extent.characters for extent in extents), default=inf),
        items=choose((extent.items for extent in extents), default=inf),
        names=None if unbounded else join(*known),
        bytes=choose((extent.bytes for extent in extents), default=inf),
    )


def _own(schema: Schema) -> _Extent:
    types = frozenset("number" if kind == "integer" else kind for kind in own_types(schema))
    lengths = [schema.get("maxLength", inf), _LENGTHS.get(schema.get("format", ""), inf)]
    longest = longest_match(schema["pattern"]) if "pattern" in schema else None
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        lengths.append(max((len(value) for value in values if isinstance(value, str)), default=0))
    extent = _Extent(types, min(*lengths, inf if longest is None else longest), schema.get("maxItems", inf))
    if schema.get("additionalProperties") is False and "patternProperties" not in schema:
        extent = structs.replace(extent, names=frozenset(schema.get("properties", ())))
    return extent if values is None else structs.replace(extent, bytes=max(map(constant_bytes, values)))
