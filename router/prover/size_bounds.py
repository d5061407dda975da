"""Bounds the size in an item of every value at a path.

Its subschemas say that of texts, lists and names.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal
from math import inf
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

from router.errors import Rejection
from router.prover.predicates import EACH, Schema
from router.prover.subschema_walker import (
    ALL_TYPES,
    Every,
    Level,
    Some,
    SubschemaWalker,
    as_own,
    json_types,
)
from router.prover.text_patterns import has_no_text, longest_match
from router.runtime.engine.attributes import (
    MAX_DIGITS,
    MAX_NESTING,
    encode_item,
    text_bytes,
)
from router.runtime.program.schemas.references import Location

# The most parts of a value that are added up.
_MAX_VALUES = 5000
NUMBER_BYTES = (MAX_DIGITS + 1) // 2 + 1
BYTES_OF_A_CHARACTER = 4
LIST_BYTES = 3
# The longest texts of formats that have one.
_LENGTHS = {
    "date": 10,
    "uuid": 36,
    "ipv4": 15,
    "ipv6": 45,
    "hostname": 255,
    "email": 320,
    "idn-email": 320,
}
_FIRST_WITH_CONST = 6
# The number of values of types that have few.
_FEW = {
    frozenset[str](): 0,
    frozenset(("boolean",)): 2,
    frozenset(("null",)): 1,
    frozenset(("boolean", "null")): 3,
}
_ALL_TYPES = frozenset(ALL_TYPES)


class _ValueBounds(Struct, frozen=True):
    """What subschemas say of a value.

    `characters`, `items` and `bytes` are the most that it has. `names` are those of its
    properties; None for any. `values` is the most values that differ. A list has none
    twice if it is `unique`.
    """

    types: frozenset[str] = _ALL_TYPES
    characters: float = inf
    items: float = inf
    names: frozenset[str] | None = None
    bytes: float = inf
    values: float = inf
    unique: bool = False


_UNBOUNDED = _ValueBounds()
_IMPOSSIBLE = _ValueBounds(frozenset(), 0, 0, frozenset(), 0, 0, True)


class SizeBounds:
    """The sizes of the values of a schema."""

    def __init__(self, walker: SubschemaWalker) -> None:
        self._walker = walker
        self._left = _MAX_VALUES

    def most_bytes(self, level: Level, kinds: Collection[str] = _ALL_TYPES) -> float:
        """Return the most bytes in an item of a value of a level.

        Only values of some types count. Infinity if no bound is known.
        """
        self._left = _MAX_VALUES
        return self._bytes(level, 0, kinds)

    def most_items(self, level: Level) -> float:
        """Return the most elements of a list of a level; infinity without a bound."""
        return self._items(level, self._bounds(level))

    def _bounds(self, level: Level) -> _ValueBounds:
        return _bounds_of(self._walker.parts(level))

    def _items(self, level: Level, bounds: _ValueBounds) -> float:
        element = self._bounds(self._walker.below(level, EACH))
        if not element.types:
            return 0
        return min(bounds.items, element.values) if bounds.unique else bounds.items

    def _bytes(self, level: Level, depth: int, kinds: Collection[str] = _ALL_TYPES) -> float:
        self._left -= 1
        if depth > MAX_NESTING or self._left < 0:
            return inf
        bounds = self._bounds(level)
        types = bounds.types.intersection(kinds)
        sizes = [1.0]
        if "string" in types:
            # Whatever else it may be, it has no bound.
            if bounds.characters == bounds.bytes == inf:
                return inf
            sizes.append(bounds.characters * BYTES_OF_A_CHARACTER)
        if "number" in types:
            sizes.append(NUMBER_BYTES)
        # Constants have a size, so that no part of them is looked at.
        if bounds.bytes < inf and not types.isdisjoint(("array", "object")):
            return bounds.bytes
        if "array" in types:
            sizes.append(self._list_bytes(level, bounds, depth))
        if "object" in types:
            sizes.append(self._object_bytes(level, bounds, depth))
        return min(bounds.bytes, max(sizes))

    def _list_bytes(self, level: Level, bounds: _ValueBounds, depth: int) -> float:
        items = self._items(level, bounds)
        if not items:
            return LIST_BYTES
        element = self._bytes(self._walker.below(level, EACH), depth + 1)
        return LIST_BYTES + items * (element + 1)

    def _object_bytes(self, level: Level, bounds: _ValueBounds, depth: int) -> float:
        if bounds.names is None:
            return inf
        total: float = LIST_BYTES
        for name in bounds.names:
            if total == inf:
                break
            value = self._bytes(self._walker.below(level, name), depth + 1)
            total += 1 + text_bytes(name) + value
        return total


def most_characters(level: Level) -> float:
    """Return the most characters of a text of a level that is taken apart.

    Infinity if there is no bound.
    """
    bounds = _bounds_of(level)
    return bounds.characters if "string" in bounds.types else 0


def constant_bytes(value: Any) -> float:
    """Return the most bytes of a constant in an item; infinity if it cannot be stored.

    A number in a list or a map counts as the longest one: as text, 1E+125 has 126 bytes.
    """
    try:
        return encode_item({"x": value})[1] - 1 + NUMBER_BYTES * _numbers_within(value)
    except Rejection:
        return inf


def _numbers_within(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return 0
    return sum(isinstance(each, int | Decimal) + _numbers_within(each) for each in inside)


def _bounds_of(level: Level) -> _ValueBounds:
    match level:
        case Every(parts):
            return _of_all([_bounds_of(part) for part in parts])
        case Some(parts):
            return _of_one([_bounds_of(part) for part in parts])
    return _own(as_own(level).place)


def _columns(bounds: Sequence[_ValueBounds]) -> Any:
    """Return the fields of several bounds: first all types, then all characters, ..."""
    return zip(*map(astuple, bounds), strict=True)


def _of_all(bounds: Sequence[_ValueBounds]) -> _ValueBounds:
    if not bounds:
        return _UNBOUNDED
    types, characters, items, names, sizes, values, unique = _columns(bounds)
    closed = [each for each in names if each is not None]
    return _ValueBounds(
        types=frozenset.intersection(*types),
        characters=min(characters),
        items=min(items),
        names=frozenset.intersection(*closed) if closed else None,
        bytes=min(sizes),
        values=min(values),
        unique=any(unique),
    )


def _of_one(bounds: Sequence[_ValueBounds]) -> _ValueBounds:
    if not bounds:
        return _IMPOSSIBLE
    types, characters, items, names, sizes, values, unique = _columns(bounds)
    return _ValueBounds(
        types=frozenset.union(*types),
        characters=max(characters),
        items=max(items),
        names=None if None in names else frozenset.union(*names),
        bytes=max(sizes),
        values=sum(values),
        unique=all(unique),
    )


def _own(place: Location) -> _ValueBounds:
    """Return the bounds of a subschema itself.

    Keywords for other types than those that it has do not count.
    """
    schema = place.content
    values = _constants(place)
    types = json_types(schema, values)
    if has_no_text([schema]):
        types -= {"string"}
    closed = schema.get("additionalProperties") is False
    names = None
    if "object" not in types:
        names = frozenset[str]()
    elif closed and "patternProperties" not in schema:
        names = frozenset(schema.get("properties", ()))
    size = inf
    if values is not None:
        size = max([NUMBER_BYTES, *map(constant_bytes, values)])
    return _ValueBounds(
        types=types,
        characters=_characters(schema, values) if "string" in types else 0,
        items=schema.get("maxItems", inf) if "array" in types else 0,
        names=names,
        bytes=size,
        values=_FEW.get(types, inf) if values is None else len(values),
        unique=schema.get("uniqueItems") is True or "array" not in types,
    )


def _characters(schema: Schema, values: list[Any] | None) -> float:
    """Return the most characters of a text of a subschema."""
    lengths: list[float] = [
        schema.get("maxLength", inf),
        _LENGTHS.get(schema.get("format", ""), inf),
    ]
    longest = longest_match(schema["pattern"]) if "pattern" in schema else None
    if longest is not None:
        lengths.append(longest)
    if values is not None:
        texts = [len(value) for value in values if isinstance(value, str)]
        lengths.append(max(texts, default=0))
    return min(lengths)


def _constants(place: Location) -> list[Any] | None:
    """Return the values of which a subschema allows one; None if it lists none."""
    if "const" in place.content and place.document.draft >= _FIRST_WITH_CONST:
        return [place.content["const"]]
    values: list[Any] | None = place.content.get("enum")
    return values
