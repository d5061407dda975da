"""Proves that two routes of a table never write one key, and finds the pairs of which it is unsure.

Whatever messages the routes take: a proof is by one key attribute, whose values differ.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import product

from msgspec import Struct

from router.prover.predicates import BOUNDS, EACH, Schema, Steps, any_of, there
from router.prover.schema_prover import NO, SchemaProver
from router.prover.text_patterns import exclude_each_other
from router.runtime.sources import source_of
from router.tools.check.analysis.key_shapes import (
    Key,
    KeyShape,
    leaves_at,
    shape_of,
    values_at,
    with_messages,
)
from router.tools.check.analysis.routes import AnalyzedRoute

# Ends a head that is a whole value, so that it is no beginning of another.
_END = "\U0010ffff"
_MOST_BOUNDS = 8


class KeyedRoute(Struct, frozen=True, eq=False):
    """A route with what is known of each key attribute of its table, in the order of the key."""

    route: AnalyzedRoute
    shapes: tuple[KeyShape, ...]

    def heads(self, place: int) -> Collection[str]:
        """Return what the values of a key attribute begin with."""
        shape = self.shapes[place]
        if shape.texts is None:
            return (shape.head,)
        return [f"{text}{_END}" for text in shape.texts]


def keyed(route: AnalyzedRoute, key: Key) -> KeyedRoute:
    """Return a route with what is known of its keys."""
    known = with_messages(route)
    return KeyedRoute(known, tuple(shape_of(known, name, kind) for name, kind in key))


def are_plainly_apart(one: KeyedRoute, other: KeyedRoute) -> bool:
    """Return whether what is known of their texts shows at once that two routes write no key both."""
    for each in (one.route.messages, other.route.messages):
        if each.unreachable or each.no_elements:
            return True
    return any(map(_plainly_differ, one.shapes, other.shapes))


def _plainly_differ(one: KeyShape, other: KeyShape) -> bool:
    if one.texts is not None and other.texts is not None:
        return one.texts.isdisjoint(other.texts)
    if one.texts is not None or other.texts is not None:
        return False
    shorter, longer = sorted((one.head, other.head), key=len)
    ending, whole = sorted((one.tail, other.tail), key=len)
    return not (longer.startswith(shorter) and whole.endswith(ending))


def why_apart(one: KeyedRoute, other: KeyedRoute, key: Key) -> str:
    """Return the key attribute whose values are proved to differ in all messages; "" if none is.

    The messages are two: what one message writes by both routes is not asked.
    """
    pairs = zip(key, one.shapes, other.shapes, strict=True)
    for (name, kind), mine, theirs in pairs:
        if _shapes_differ(one, mine, other, theirs):
            return name
        if kind == "S" and _sources_differ(one.route, other.route, name):
            return name
    return ""


def are_apart_in_one_message(one: KeyedRoute, other: KeyedRoute) -> bool:
    """Return whether it is proved that two routes write no key both, not for one message either."""
    if are_plainly_apart(one, other):
        return True
    pairs = zip(one.shapes, other.shapes, strict=True)
    return any(_shapes_differ(one, mine, other, theirs) for mine, theirs in pairs)


def _shapes_differ(one: KeyedRoute, mine: KeyShape, other: KeyedRoute, theirs: KeyShape) -> bool:
    if exclude_each_other(mine.patterns, theirs.patterns):
        return True
    return _values_differ(one.route, mine, other.route, theirs)


def _values_differ(
    one: AnalyzedRoute, mine: KeyShape, other: AnalyzedRoute, theirs: KeyShape
) -> bool:
    """Return whether a predicate that all values of one route satisfy, none of the other does."""
    if mine.origin is None or theirs.origin is None or one.mapped is None or other.mapped is None:
        return False
    if mine.of_number != theirs.of_number:
        return False
    leaves = [*_leaves(one, mine.origin), *_leaves(other, theirs.origin)]
    sides = (
        (one.mapped, mine.origin, other.mapped, theirs.origin),
        (other.mapped, theirs.origin, one.mapped, mine.origin),
    )
    for leaf, side in product(leaves, sides):
        messages, steps, others, others_steps = side
        if messages.proves_at(steps, leaf) and _excludes(others, others_steps, leaf):
            return True
    return False


def _excludes(messages: SchemaProver, steps: Steps, leaf: Schema) -> bool:
    """Return whether it is proved that no value at a path satisfies a predicate."""
    if messages.proves_at(steps, {"not": leaf}):
        return True
    return EACH not in steps and messages.allows(there(steps, leaf)) is NO


def _leaves(route: AnalyzedRoute, steps: Steps) -> Iterator[Schema]:
    """Yield predicates that the values at a path may satisfy."""
    values = values_at(route, steps)
    if values is not None:
        yield any_of([{"enum": values}])
        return
    places = () if route.index is None else [place.content for place in route.index.at(steps)]
    tested = list(leaves_at(route.when.predicate, steps))
    bounds = dict.fromkeys(_bounds([*places, *tested]))
    for bound in list(bounds)[:_MOST_BOUNDS]:
        yield {"minimum": bound}
        yield {"maximum": bound}
    for leaf in tested[:_MOST_BOUNDS]:
        if "pattern" in leaf:
            yield {"type": "string", "pattern": leaf["pattern"]}


def _bounds(schemas: Iterable[Schema]) -> Iterator[object]:
    """Yield the numbers that bound a value, those of an opposite too."""
    for schema in schemas:
        for part in (schema, schema.get("not")):
            if isinstance(part, dict):
                bounds = (part[each] for each in BOUNDS if each in part)
                yield from (bound for bound in bounds if type(bound) is not bool)


def _sources_differ(one: AnalyzedRoute, other: AnalyzedRoute, name: str) -> bool:
    """Return whether an attribute is the id of the message, or a hash of other values."""
    mine = one.attribute_of(name)
    theirs = other.attribute_of(name)
    if mine.transform or theirs.transform or not (one.final and other.final):
        return False
    source, given = source_of(mine)
    their_source, their_given = source_of(theirs)
    if source is not their_source:
        return False
    if source.key == "meta":
        # Two messages have two ids.
        return bool(given == their_given == "message_id")
    # Only equal lists have one hash.
    return source.key == "hash" and len(given) != len(their_given)
