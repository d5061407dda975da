"""Tells whether the writes of one message of an `atomic` queue fit in one transaction.

These are the writes of all routes that take the message.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from itertools import islice
from math import inf
from typing import Any

from router.errors import Rejection
from router.model import Message
from router.prover.conditions import evaluated
from router.prover.example_search import Growth
from router.prover.expressions import valid_tree_of
from router.prover.predicates import EACH, ENCODER, Steps
from router.prover.schema_prover import NO
from router.prover.value_generation import MISSING
from router.runtime.engine.attributes import MAX_ITEM_BYTES, encode_item, identify
from router.runtime.engine.engine import UNLIMITED
from router.runtime.engine.writes import MAX_ACTIONS, MAX_TRANSACTION_BYTES
from router.runtime.program.route_index import Required, required_texts
from router.tools.check.analysis.item_sizes import item_bytes
from router.tools.check.analysis.key_separation import are_apart_in_one_message, keyed
from router.tools.check.analysis.proof_cache import prover_without_schema
from router.tools.check.analysis.refutations import (
    SYSTEM,
    Refutation,
    compile_alone,
    has_only_built_ins,
    paths_of,
    tested_paths,
)
from router.tools.check.analysis.routes import AnalyzedRoute

Identity = tuple[str, ...]


def transaction_doubts(route: AnalyzedRoute, neighbours: Sequence[AnalyzedRoute]) -> Iterator[str]:
    """Yield why the writes of a message may be no transaction.

    Of the routes that take a message, the claim is that of the one with the most writes; the writes
    of the others count besides its own.
    """
    together = [route, *_fewer_writes(route, neighbours)]
    actions = sum(map(_most_actions, together))
    if actions > MAX_ACTIONS:
        many = "any number of" if actions == inf else f"{actions:.0f}"
        yield f"a message may make {many} writes, and a transaction has at most {MAX_ACTIONS}"
    sizes = [item_bytes(each) for each in together if not each.deletes]
    counts = [_most_items(each) for each in together if not each.deletes]
    # What is not bounded is said of the size of an item.
    if inf not in sizes and inf not in counts:
        limited = [min(size, MAX_ITEM_BYTES) for size in sizes]
        total = sum(size * count for size, count in zip(limited, counts, strict=True))
        if total > MAX_TRANSACTION_BYTES:
            yield f"its items may have {total:.0f} bytes, over the limit of {MAX_TRANSACTION_BYTES}"
    for other in together[1:]:
        if _table_of(other) == _table_of(route) and not _write_apart(route, other):
            yield f"it may write the same item as route '{other.name}'"


def most_elements(route: AnalyzedRoute, neighbours: Sequence[AnalyzedRoute]) -> int:
    """Return how many elements a list of `for_each` may have, so that a message can be written."""
    together = [route, *_taking_with(route, neighbours)]
    long = [each for each in together if _most_actions(each) > MAX_ACTIONS]
    room = MAX_ACTIONS - sum(_most_actions(each) for each in together if each not in long)
    return max(1, int(room // sum(map(_actions_of_an_item, long))))


def _fewer_writes(route: AnalyzedRoute, neighbours: Sequence[AnalyzedRoute]) -> list[AnalyzedRoute]:
    """Return the routes that may take a message of a route, and write less, or as much and come
    before it.
    """
    most = _most_actions(route)
    place = neighbours.index(route)
    return [
        other
        for index, other in enumerate(neighbours)
        if (_most_actions(other), index) < (most, place) and _may_share_messages(route, other)
    ]


def _taking_with(route: AnalyzedRoute, neighbours: Sequence[AnalyzedRoute]) -> list[AnalyzedRoute]:
    """Return the other routes that may take a message of a route."""
    others = [each for each in neighbours if each is not route]
    return [each for each in others if _may_share_messages(route, each)]


def _may_share_messages(one: AnalyzedRoute, other: AnalyzedRoute) -> bool:
    """Whether a message may be written by both of two routes of a queue."""
    if one.queue.match == "first" or other.table is None:
        return False
    if other.messages.unreachable or other.messages.no_elements:
        return False
    if one.route.when is None or other.route.when is None:
        return True
    mine, theirs = map(_required, (one.route.when, other.route.when))
    if any(texts.isdisjoint(theirs.get(path, texts)) for path, texts in mine.items()):
        return False
    messages = prover_without_schema().narrow(one.when.predicate, one.when.exact)
    return messages.narrow(other.when.predicate, other.when.exact).allows({}) is not NO


@lru_cache(maxsize=4096)
def _required(when: str) -> Required:
    """Return what a condition requires of texts; each is compared with those of its queue."""
    return required_texts(valid_tree_of(when))


def _most_actions(route: AnalyzedRoute) -> float:
    """Return the most actions that a route adds to the transaction of one message."""
    return _most_items(route) * _actions_of_an_item(route)


def _actions_of_an_item(route: AnalyzedRoute) -> int:
    return 1 if route.route.write.once is None else 2


def _most_items(route: AnalyzedRoute) -> float:
    """Return the most items of one message; infinity if there is no bound."""
    if route.route.for_each is None:
        return 1
    messages = route.messages.taken
    steps = route.value_in_message(route.route.for_each).elements
    if messages is None or steps is None or EACH in steps[:-1]:
        return inf
    return messages.most_items(steps[:-1])


def _table_of(route: AnalyzedRoute) -> str:
    """Return the name of a table in AWS."""
    return (route.table and route.table.name) or route.route.table


def _key_of(route: AnalyzedRoute) -> tuple[tuple[str, Any], ...]:
    return () if route.table is None else tuple(route.table.key.items())


def _write_apart(one: AnalyzedRoute, other: AnalyzedRoute) -> bool:
    """Whether it is proved that two routes of a table write no item both."""
    key = _key_of(one)
    return are_apart_in_one_message(keyed(one, key), keyed(other, key))


def transaction_refutation(
    route: AnalyzedRoute, neighbours: Sequence[AnalyzedRoute]
) -> Refutation | None:
    """Return a message whose writes are too many, or of one item by two routes; None if none is
    found.
    """
    messages = route.mapped
    if messages is None:
        return None
    schemas = (None, route.route.schema)
    # Of other schemas it is not known whether they take the message.
    others = [each for each in _taking_with(route, neighbours) if each.route.schema in schemas]
    writers = [_writer(each) for each in (route, *others)]
    reason = ""

    def is_rejected(message: Any) -> bool:
        nonlocal reason
        reason = _why_none(writers, message)
        return bool(reason)

    element = route.scope.element
    there = [] if element is None else [element]
    tested = [steps for each in (route, *others) for steps in tested_paths(each)]
    if element is None:
        read = [steps for each in (route, *others) for steps in _paths_of_key(each)]
        found = messages.find(read, is_rejected, there, tested)
    else:
        grow = partial(_lists, int(min(_most_items(route), MAX_ACTIONS + 1)))
        growth = Growth(lambda message: True, grow, is_rejected)
        found = messages.find_larger(element[:-1], growth, there, tested)
    return None if found is MISSING else Refutation(ENCODER.encode(found).decode(), reason)


def _writer(route: AnalyzedRoute) -> Callable[[Any], list[Identity]]:
    """Return a callable that returns the items which a route writes for a message, in each action.

    () stands for an idempotency key, and for an item whose key is made by a plugin. Raises
    Rejection.
    """
    key = _key_of(route)
    mapped = {name: route.attribute_of(name) for name, _ in key}
    is_known = all(has_only_built_ins(route, each) for each in mapped.values()) and route.final
    map_items = compile_alone(route, mapped if is_known else {})
    text = route.route.when
    holds = evaluated(text, True) if text is not None else None
    beside: list[Identity] = [()] * (_actions_of_an_item(route) - 1)

    def write(data: Any) -> list[Identity]:
        if holds is not None and not holds(data):
            return []
        found: list[Identity] = []
        for item in islice(
            map_items(Message(data, "message", system=SYSTEM), UNLIMITED), MAX_ACTIONS + 1
        ):
            encoded = encode_item(item, mapped)[0] if is_known else {}
            found += [identify(_table_of(route), key, encoded) if is_known else (), *beside]
        return found

    return write


def _why_none(writers: Sequence[Callable[[Any], list[Identity]]], message: Any) -> str:
    """Return why the writes of a message are no transaction; "" if they are one, or are none."""
    actions = 0
    written: set[Identity] = set()
    try:
        for write in writers:
            found = write(message)
            actions += len(found)
            items = {each for each in found if each}
            if not items.isdisjoint(written):
                return "two routes write one item for one message"
            written |= items
    except Rejection:
        return ""  # of another part of the route
    return f"a message makes more than {MAX_ACTIONS} writes" if actions > MAX_ACTIONS else ""


def _paths_of_key(route: AnalyzedRoute) -> Iterator[Steps]:
    for name, _ in _key_of(route):
        yield from paths_of(route, route.attribute_of(name))


def _lists(count: int, value: list[Any]) -> Iterator[list[Any]]:
    """Yield lists of so many elements like those of a list: different ones, and equal ones.

    The messages that are mapped have an element.
    """
    numbered = [_numbered(value[0], number) for number in range(count)]
    yield from map(list, zip(*numbered, strict=True))
    yield value[:1] * count


def _numbered(value: Any, number: int) -> list[Any]:
    """Return values like one that have a number: it, or one of its properties."""
    match value:
        case bool():
            return []
        case str():
            return [f"{value}{number}", f"{value[: -len(str(number))]}{number}"]
        case int() | Decimal():
            return [value + number]
        case {}:
            return [
                {**value, name: each}
                for name, inner in value.items()
                for each in _numbered(inner, number)
            ]
    return []
