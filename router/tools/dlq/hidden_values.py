"""Shows values of dead letters to people: all of them, or only their types and lengths."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any

from router.model import JsonObject

Names = Collection[str] | None
"""The names of which values are shown without them, and that are shown themselves; with None, all as they are."""
_IDENTITY = ("group_id", "deduplication_id", "sender_id")
"""What senders choose of the identity of a message, and who they are."""


def shown(value: Any, names: Names) -> Any:
    """Return a value in which text, numbers, booleans and binary values are replaced by their type.

    Null is kept, and so are the names in objects that are among `names`: another one may be a value. With None for
    `names`, nothing is replaced.
    """
    if names is None:
        return value
    if isinstance(value, dict):
        as_shown = shown_names(value, names)
        return {as_shown[name]: shown(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [shown(each, names) for each in value]
    return _type_of(value)


def _type_of(value: Any) -> str | None:
    """Return the type of a value without names; None for null."""
    if isinstance(value, str):
        return f"(text, {len(value)} characters)"
    if isinstance(value, bool):
        return "(boolean)"
    if isinstance(value, int | float | Decimal):
        return "(number)"
    if isinstance(value, bytes):
        return f"(binary, {len(value)} bytes)"
    if isinstance(value, set | frozenset):
        return f"(set of {len(value)})"
    return None


def shown_names(found: Iterable[str], names: Names) -> dict[str, str]:
    """Return how the names of one object are shown.

    Those among `names` are shown as they are, the others by their number; with None, all as they are.
    """
    result: dict[str, str] = {}
    for name in found:
        is_known = names is None or name in names
        number = len(result) + 1
        result[name] = name if is_known else f"(name {number}, {len(name)} characters)"
    return result


def shown_failure(failure: JsonObject, names: Names) -> JsonObject:
    """Return what a dead letter says of its failure; unless `names` is None, without what its sender chose."""
    result = {**failure}
    for name in _IDENTITY:
        if result.get(name):  # SQS has no empty ones
            result[name] = shown(result[name], names)
    return result
