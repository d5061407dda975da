"""What a failed condition means for a write, told from the item that was there."""

from decimal import Decimal
from typing import Any

from router.codes import ALREADY_THERE, BAD_VERSION, SUPERSEDED
from router.engine.order import value_order
from router.model import AttributeValue, Outcome, Write

Stored = dict[str, AttributeValue]
"""An item as the table has it, from a failed condition."""


def judge(write: Write, stored: Stored | None) -> Outcome:
    """What a failed condition means, from the item that was there instead."""
    if not stored:
        # Nothing is there, or the server does not tell: what the mode's condition says is all that is known.
        kind = "duplicate" if write.kind == "insert" else "stale"
        return _found(write, kind, conflict=False)
    same = _says_the_same(write, stored)
    if write.version is None:
        return _found(write, "duplicate", conflict=not same)
    known = stored.get(_version_name(write), {})
    (given_type, given), (known_type, there) = value_order(write.version), value_order(known)
    if given_type != known_type:
        reason = f"the stored version is of type {known_type}, the message's is {given_type}"
        return Outcome("rejected", BAD_VERSION.id, reason, write.route)
    if same:
        return _found(write, "duplicate", conflict=False)
    return _found(write, "stale", conflict=given == there)


def _found(write: Write, kind: Any, *, conflict: bool) -> Outcome:
    code = ALREADY_THERE if kind == "duplicate" else SUPERSEDED
    reason = "the item is there already" if kind == "duplicate" else "something as new or newer is stored"
    if conflict:
        reason += ", with other content"
    return Outcome(kind, code.id, reason, write.route, conflict=conflict)


def _says_the_same(write: Write, stored: Stored) -> bool:
    """Whether the stored item is what the write would have made of it."""
    if write.kind == "update":
        return all(name in stored and _same(write.item[name], stored[name]) for name in _set_by(write))
    return write.kind != "delete" and _same({"M": write.item}, {"M": stored})


def _set_by(write: Write) -> set[str]:
    """The attributes that an update sets to a value of its own: not what it adds to, or sets only once."""
    names = (write.call or {}).get("ExpressionAttributeNames", {})
    parts = (write.call or {}).get("UpdateExpression", "").replace(",", " ").split()
    plain = {parts[at - 1] for at, part in enumerate(parts) if part == "=" and parts[at + 1].startswith(":")}
    return {names[place] for place in plain}


def _same(one: AttributeValue, other: AttributeValue) -> bool:
    """Whether two values are the same to DynamoDB: of one type, numbers by value, sets in any order."""
    ((kind, mine), (other_kind, there)) = (*one.items(), *other.items())
    if kind != other_kind:
        return False
    match kind:
        case "N":
            return Decimal(mine) == Decimal(there)
        case "M":
            return mine.keys() == there.keys() and all(_same(mine[name], there[name]) for name in mine)
        case "L":
            return len(mine) == len(there) and all(map(_same, mine, there))
        case "NS":
            return set(map(Decimal, mine)) == set(map(Decimal, there))
        case "SS" | "BS":
            return set(mine) == set(there)
        case _:
            return bool(mine == there)


def _version_name(write: Write) -> str:
    names = (write.call or {}).get("ExpressionAttributeNames", {})
    return str(names.get("#v", ""))
