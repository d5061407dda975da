"""What a failed condition means for a write, judged by the item that is stored."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from router.codes import ALREADY_THERE, BAD_VERSION, SUPERSEDED
from router.engine.writes import StoredItem, Write
from router.model import AttributeValue, Outcome


def duplicate(write: Write, *, conflict: bool) -> Outcome:
    """Return the outcome of a write whose item is stored already; a conflict if the stored content differs."""
    reason = "the item is there already"
    return Outcome("duplicate", ALREADY_THERE.id, _with_conflict(reason, conflict), write.route, conflict=conflict)


def stale(write: Write, *, conflict: bool = False) -> Outcome:
    """Return the outcome of a write that the stored item supersedes; a conflict if content of its version differs."""
    reason = "something as new or newer is stored"
    return Outcome("stale", SUPERSEDED.id, _with_conflict(reason, conflict), write.route, conflict=conflict)


def already_applied(write: Write) -> Outcome:
    """Return the outcome of an update whose idempotency key is stored already."""
    return Outcome("duplicate", ALREADY_THERE.id, "the update was already applied", write.route)


def compare_versions(write: Write, stored: StoredItem, *, same: bool) -> Outcome:
    """Return the outcome of a versioned write whose condition failed.

    `same` tells whether the stored content is what the write would have stored.
    """
    (our_type, ours), (their_type, theirs) = version_order(write), value_order(stored.get(write.version_name, {}))
    if our_type != their_type:
        reason = f"the stored version is of type {their_type}, the message's is {our_type}"
        return Outcome("rejected", BAD_VERSION.id, reason, write.route)
    return duplicate(write, conflict=False) if same else stale(write, conflict=ours == theirs)


def no_condition(write: Write, stored: StoredItem | None) -> Outcome:
    """Raise AssertionError: a mode without conditions has none that can fail."""
    raise AssertionError(f"a write of mode {write.mode.name} has no condition")


def same_attributes(write: Write, stored: StoredItem, names: Iterable[str]) -> bool:
    """Return whether the stored item has these attributes with the values of the write."""
    return all(name in stored and same_value(write.item[name], stored[name]) for name in names)


def same_item(write: Write, stored: StoredItem) -> bool:
    """Return whether the stored item is the item of the write."""
    return same_value({"M": write.item}, {"M": stored})


def same_value(one: AttributeValue, other: AttributeValue) -> bool:
    """Return whether two values are equal to DynamoDB: of one type, numbers by value, sets in any order."""
    ((kind, mine), (other_kind, theirs)) = (*one.items(), *other.items())
    if kind != other_kind:
        return False
    match kind:
        case "N":
            return Decimal(mine) == Decimal(theirs)
        case "M":
            return mine.keys() == theirs.keys() and all(same_value(mine[name], theirs[name]) for name in mine)
        case "L":
            return len(mine) == len(theirs) and all(map(same_value, mine, theirs))
        case "NS":
            return set(map(Decimal, mine)) == set(map(Decimal, theirs))
        case "SS" | "BS":
            return set(mine) == set(theirs)
        case _:
            return bool(mine == theirs)


def version_order(write: Write) -> tuple[str, Any]:
    """Return what orders writes by their versions."""
    return value_order(write.version or {})


def value_order(value: AttributeValue) -> tuple[str, Any]:
    """Return what orders values as DynamoDB does: by type, then by number or by the bytes of UTF-8."""
    for kind, content in value.items():
        return kind, Decimal(content) if kind == "N" else content.encode() if kind == "S" else content
    return "", None


def _with_conflict(reason: str, conflict: bool) -> str:
    return f"{reason}, with other content" if conflict else reason
