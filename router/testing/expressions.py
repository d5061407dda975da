"""Conditions and updates, as DynamoDB evaluates those that the router sends."""

import re
from decimal import Decimal
from typing import Any

_CLAUSE = re.compile(r"(SET|ADD|REMOVE) (.*?)(?= (?:SET|ADD|REMOVE) |$)")
_PART = re.compile(r"(?:[^,(]|\((?:[^()]|\([^()]*\))*\))+")

StoredItem = dict[str, Any]
"""An item in DynamoDB's JSON."""


class Refused(Exception):
    """A call fails with an error code of AWS; `item` is what was there, where a condition failed and that was asked."""

    def __init__(self, code: str, item: StoredItem | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.item = item


def holds(parameters: dict[str, Any], old: StoredItem) -> bool:
    """Whether the condition of a call holds for the stored item, {} if there is none."""
    condition = parameters.get("ConditionExpression")
    return not condition or any(_holds_term(term, parameters, old) for term in condition.split(" OR "))


def _holds_term(term: str, parameters: dict[str, Any], old: dict[str, Any]) -> bool:
    names = parameters["ExpressionAttributeNames"]
    if match := re.fullmatch(r"attribute_not_exists\((#\w+)\)", term):
        return names[match[1]] not in old
    match = re.fullmatch(r"(#\w+) < (:\w+)", term)
    assert match, term
    there = old.get(names[match[1]], {})
    given = parameters["ExpressionAttributeValues"][match[2]]
    return there.keys() == given.keys() and bool(_ordered(there) < _ordered(given))


def _ordered(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content.encode() if kind == "S" else content


def updated(parameters: dict[str, Any], old: StoredItem | None) -> StoredItem | None:
    """The item that UpdateItem leaves."""
    if old is None and re.match("REMOVE ", parameters.get("UpdateExpression", "")):
        return None  # an update that only removes makes no item
    names, values = parameters.get("ExpressionAttributeNames", {}), parameters.get("ExpressionAttributeValues", {})
    before = old or {}
    after: StoredItem = before | parameters["Key"]
    for verb, text in _CLAUSE.findall(parameters.get("UpdateExpression", "")):
        for part in (part.strip() for part in _PART.findall(text)):
            if verb == "SET":
                place, _, operand = part.partition(" = ")
                after[names[place]] = _operand(operand, names, values, before)
            elif verb == "ADD":
                place, given = part.split()
                after[names[place]] = _add(before.get(names[place]), values[given])
            else:
                after.pop(names[part], None)
    return after


def _operand(text: str, names: Any, values: Any, before: dict[str, Any]) -> dict[str, Any]:
    match = re.fullmatch(r"(\w+)\((.*)\)", text)
    if match is None:
        value: dict[str, Any] = values[text]
        return value
    first, second = (part.strip() for part in _PART.findall(match[2]))
    if match[1] == "if_not_exists":
        there: dict[str, Any] = before.get(names[first]) or _operand(second, names, values, before)
        return there
    assert match[1] == "list_append", text
    one, other = _operand(first, names, values, before), _operand(second, names, values, before)
    if "L" not in one or "L" not in other:
        raise Refused("ValidationException")
    return {"L": one["L"] + other["L"]}


def _add(there: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    if there is None:
        return given
    ((kind, content),) = given.items()
    if there.keys() != given.keys():
        raise Refused("ValidationException")
    if kind == "N":
        return {"N": str(Decimal(there["N"]) + Decimal(content))}
    return {kind: sorted({*there[kind], *content})}
