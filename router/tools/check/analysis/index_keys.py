"""The attributes of items that are in the keys of indexes of their table.

DynamoDB refuses an item in which such an attribute has another type, is empty or too long. An item without the
attribute is stored, and is not in the index:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from collections.abc import Iterator, Sequence
from math import inf

from msgspec import Struct

from router.model import KeyType
from router.prover.predicates import SOME_VALUE, in_words
from router.prover.schema_prover import NO
from router.prover.size_bounds import BYTES_OF_A_CHARACTER, NUMBER_BYTES
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.tools.check.analysis.attributes import InferredAttribute, stored
from router.tools.check.analysis.failures import inferred_map, map_steps
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.values import KINDS_OF_KEYS, holds, key_limits, possible


class IndexKeyPart(Struct, frozen=True):
    """The partition key or the sort key of an index: its attributes, and the most bytes that it has."""

    index: str
    name: str
    attributes: tuple[tuple[str, KeyType], ...]
    limit: int


class IndexedAttribute(Struct, frozen=True):
    """An attribute in the keys of indexes, and these; `limit` is the least of theirs, in bytes."""

    name: str
    type: KeyType
    parts: tuple[IndexKeyPart, ...]

    @property
    def limit(self) -> int:
        """The most bytes that it may have."""
        return min(part.limit for part in self.parts)

    @property
    def in_words(self) -> str:
        """The indexes, for a sentence."""
        names = [f"'{part.index}'" for part in self.parts]
        return f"{'index' if len(names) == 1 else 'indexes'} {', '.join(names)}"


def key_parts(table: spec.TableSettings) -> Iterator[IndexKeyPart]:
    """Yield the partition keys and sort keys of the indexes of a table."""
    for name, index in table.indexes.items():
        yield IndexKeyPart(name, "partition", index.partition_key, MAX_PARTITION_KEY_BYTES)
        if index.sort_key:
            yield IndexKeyPart(name, "sort", index.sort_key, MAX_SORT_KEY_BYTES)


def projection_of(table: spec.TableSettings, index: spec.TableIndex) -> tuple[str, tuple[str, ...]]:
    """Return DynamoDB's type of a projection, and the attributes that it lists.

    Key attributes are projected in any case.
    """
    if isinstance(index.projection, str):
        return {"all": "ALL", "keys": "KEYS_ONLY"}[index.projection], ()
    keys = {*table.key, *index.key}
    others = tuple(name for name in dict.fromkeys(index.projection) if name not in keys)
    return "INCLUDE" if others else "KEYS_ONLY", others


def indexed_attributes(route: AnalyzedRoute) -> Sequence[IndexedAttribute]:
    """Return the attributes that items of a route may have and that are in keys of indexes.

    Those of the table's own key have the type of that key, and are never empty: they are left out where they are not
    too long for an index.
    """
    table = route.table
    if table is None or not table.indexes or route.deletes:
        return ()
    parts: dict[str, list[IndexKeyPart]] = {}
    for part in key_parts(table):
        for name, _ in part.attributes:
            parts.setdefault(name, []).append(part)
    own = key_limits(table.key)
    found: list[IndexedAttribute] = []
    for name, each in parts.items():
        indexed = IndexedAttribute(name, dict(each[0].attributes)[name], tuple(each))
        if may_have(route, name) and not _fits_as(own.get(name, inf), indexed):
            found.append(indexed)
    return found


def _fits_as(limit: float, indexed: IndexedAttribute) -> bool:
    """Whether an attribute with at most so many bytes fits, as that of the table's key."""
    is_alone = all(len(part.attributes) == 1 for part in indexed.parts)
    return is_alone and limit <= indexed.limit


def may_have(route: AnalyzedRoute, name: str) -> bool:
    """Whether an item may have an attribute: it is mapped or added, or comes with a message, a map or a plugin."""
    merge = route.route.merge
    return (
        route.is_whole
        or not route.final
        or name in route.attributes
        or (merge is not None and name.startswith(merge.prefix))
    )


def index_doubts(route: AnalyzedRoute, indexed: IndexedAttribute) -> Iterator[str]:
    """Yield why an attribute is not proved to be a valid part of index keys, or missing."""
    name, kind = indexed.name, KINDS_OF_KEYS[indexed.type]
    if name in route.route.write.append:
        yield "it is a list"
        return
    if not route.is_whole and name not in route.attributes:
        yield from _of_merge(route, name)
        return
    inferred = stored(route, name)
    value = inferred.value
    if may_be_null(route, inferred, name):
        yield "it may be null"
    if unfit := possible(value, (kind,)):
        yield f"it may be {in_words(unfit)}"
    if value.empty is not NO:
        yield "it may be empty"
    if most_bytes(inferred, indexed.type) > indexed.limit:
        yield f"its length may be over {indexed.limit} bytes"
        return
    for part in indexed.parts:
        if _total_bytes(route, part) > part.limit:
            yield f"the {part.name} key of index '{part.index}' may have over {part.limit} bytes in all"


def _of_merge(route: AnalyzedRoute, name: str) -> Iterator[str]:
    """Yield why a map that `merge` finds may bring an attribute, of which nothing is known then."""
    merge = route.route.merge
    if merge is None or not name.startswith(merge.prefix):
        return
    steps = map_steps(inferred_map(route, merge))
    at = None if steps is None else (*steps, name.removeprefix(merge.prefix))
    if at is None or route.mapped is None or not route.mapped.excludes(at):
        yield "the map of 'merge' may have it"


def may_be_null(route: AnalyzedRoute, inferred: InferredAttribute, name: str) -> bool:
    """Whether null may be stored: by `missing` or `null`, or of a message that is stored as it is."""
    attribute = route.attributes.get(name)
    if attribute is None:
        return not holds(route.mapped, inferred.value, SOME_VALUE)
    return "null" in (attribute.missing, attribute.null) and inferred.value.missing is not NO


def most_bytes(inferred: InferredAttribute, kind: KeyType) -> float:
    """Return the most bytes of a value in a key; infinite if that is not known."""
    if not inferred.value.may_be(KINDS_OF_KEYS[kind]):
        return 0
    if kind == "N":
        return NUMBER_BYTES
    if kind == "B":  # the text is base64, which is longer than what it encodes
        longest = inferred.raw.longest
        return inf if longest is None else longest * 3 / 4
    longest = inferred.value.longest
    return inf if longest is None else longest * BYTES_OF_A_CHARACTER


def _total_bytes(route: AnalyzedRoute, part: IndexKeyPart) -> float:
    """Return the most bytes of all attributes of a key together, which DynamoDB counts."""
    mapped = [
        (name, kind) for name, kind in part.attributes if route.is_whole or name in route.attributes
    ]
    return sum(most_bytes(stored(route, name), kind) for name, kind in mapped)
