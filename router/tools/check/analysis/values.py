"""Asks what is proved of a value: its types, a predicate that it satisfies, its elements."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from router.model import KeyType
from router.prover.inference import ALL_TYPES, Value, of_path
from router.prover.predicates import EACH, SOME_VALUE, Schema, in_words
from router.prover.schema_prover import NO, UNKNOWN, Answer, SchemaProver
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.runtime.program.expressions.functions import Types

KINDS_OF_KEYS: Mapping[KeyType, str] = {"S": "string", "N": "number", "B": "binary"}
"""The types of values that the types of key attributes take."""


ORDERED = ("string", "number", "binary")
"""The types of values that DynamoDB compares with others of their type."""


def key_limits(key: Iterable[str]) -> dict[str, int]:
    """Return the most bytes of each key attribute of a table."""
    return dict(zip(key, (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES), strict=False))


def possible(value: Value, except_: Sequence[str] = ()) -> list[str]:
    """Return the types that a value is not proved not to have, except some."""
    found = [
        kind for kind, answer in value.types.items() if answer is not NO and kind not in except_
    ]
    return sorted(found, key=ALL_TYPES.index) if len(found) > 1 else found


def kinds_of(takes: Types) -> tuple[list[str], list[str]]:
    """Return the types that an argument of a function may have, and those of a list's elements."""
    kinds: list[str] = []
    elements: list[str] = []
    for each in takes:
        if each.startswith("array-"):
            elements.append(each.removeprefix("array-"))
        else:
            kinds.append(each)
    if elements:
        kinds.append("array")
    return kinds, elements


class Misfit(Struct, frozen=True):
    """What a value provably can be that something does not take, in words.

    `always` is true if it can be nothing else.
    """

    always: bool
    words: str


def misfit_of(value: Value, takes: Collection[str]) -> Misfit | None:
    """Return which other types a value has than those that something takes.

    None if no other is proved, or if the schema says nothing of the value.
    """
    unfit = value.other_than(takes)
    if unfit and value.can_be(takes) is NO:
        return Misfit(True, f"is {in_words(unfit)}")
    if unfit and not value.untyped:
        return Misfit(False, f"may be {in_words(unfit)}")
    return None


def answer(messages: SchemaProver | None, value: Value, leaf: Schema) -> Answer:
    """Return whether each value taken from a path satisfies a predicate."""
    if messages is None or value.origin is None:
        return UNKNOWN
    return messages.holds_at(value.origin, leaf)


def has_nulls(messages: SchemaProver | None, listed: Value) -> bool:
    """Whether elements of a list may be null; a projection omits them."""
    if messages is None or listed.origin is None:
        return False
    return messages.holds_at((*listed.origin, EACH), SOME_VALUE) is NO


def holds(messages: SchemaProver | None, value: Value, leaf: Schema) -> bool:
    """Whether it is proved that each value taken from a path satisfies a predicate."""
    return (
        messages is not None and value.origin is not None and messages.proves_at(value.origin, leaf)
    )


def are_elements(messages: SchemaProver | None, value: Value, kinds: tuple[str, ...]) -> bool:
    """Whether each element of a list is proved to have one of some types, and not to be null."""
    if value.ends is not None:  # a list of texts that were made
        return "string" in kinds
    element = of_path(messages, value.elements)
    nulls = value.origin is not None and not holds(messages, element, SOME_VALUE)
    return not nulls and not possible(element, kinds)
