"""Items in memory, changed as DynamoDB changes them: keys, conditions, updates, transactions."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from router.engine.attributes import identify
from router.errors import RouterError
from router.model import KeyType

_CLAUSE = re.compile(r"(SET|ADD|REMOVE) (.*?)(?= (?:SET|ADD|REMOVE) |$)")
_PART = re.compile(r"(?:[^,(]|\((?:[^()]|\([^()]*\))*\))+")

StoredItem = dict[str, Any]
"""An item in DynamoDB's JSON."""
Key = tuple[tuple[str, KeyType], ...]
Effect = tuple[str, str, StoredItem | None]
"""A table, the text of a key, and the item after an action, or None."""


class Refused(Exception):
    """A call fails with an error code of AWS; `item` is the stored one, if a condition failed and it was requested."""

    def __init__(self, code: str, item: StoredItem | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.item = item


def holds(parameters: dict[str, Any], old: StoredItem) -> bool:
    """Return whether the condition of a call is true for the stored item, {} if there is none."""
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
    """Return the item after UpdateItem, or None if there is none."""
    if old is None and re.match("REMOVE ", parameters.get("UpdateExpression", "")):
        return None  # an update that only removes attributes creates no item
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


class Store:
    """DynamoDB tables in memory; `items` are by table, then by the text of their key."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self.keys = dict(keys)
        self.items: dict[str, dict[str, StoredItem]] = {name: {} for name in keys}

    def key(self, table: str, item: StoredItem) -> str | None:
        """Return the key of an item as text; None if it has none, or an empty one."""
        try:
            return "/".join(identify(table, self.keys[table], item)[1:])
        except (KeyError, RouterError):
            return None

    def refuses(self, item: StoredItem) -> bool:
        """Return whether the table refuses an item for another reason, such as the key of an index; never, here."""
        return False

    def plan(self, actions: Sequence[tuple[str, dict[str, Any]]]) -> list[Effect]:
        """Return the effects of actions (Put, Update, Delete) on distinct items; raises Refused."""
        effects = [self._effect(operation, parameters) for operation, parameters in actions]
        if len({(table, key) for table, key, _ in effects}) < len(effects):
            raise Refused("ValidationException")
        return effects

    def apply(self, effects: Sequence[Effect]) -> None:
        """Apply planned effects."""
        for table, key, item in effects:
            if item is None:
                self.items[table].pop(key, None)
            else:
                self.items[table][key] = item

    def plan_each(self, actions: Sequence[tuple[str, dict[str, Any]]]) -> tuple[list[Effect], list[Refused | None]]:
        """Return the effects of the actions of a transaction, and for each action the refusal, if any."""
        effects: list[Effect] = []
        refusals: list[Refused | None] = []
        for action in actions:
            try:
                effects += self.plan([action])
                refusals.append(None)
            except Refused as refused:
                refusals.append(refused)
        return effects, refusals

    def _effect(self, operation: str, parameters: dict[str, Any]) -> Effect:
        table = parameters["TableName"]
        if table not in self.keys:
            raise Refused("ResourceNotFoundException")
        key = self.key(table, target(parameters))
        if key is None:
            raise Refused("ValidationException")
        old = self.items[table].get(key)
        if not holds(parameters, old or {}):
            returns_item = parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise Refused("ConditionalCheckFailedException", old if returns_item else None)
        new: StoredItem | None = None
        if operation == "Put":
            new = parameters["Item"]
        elif operation == "Update":
            new = updated(parameters, old)
        if new and self.refuses(new):
            raise Refused("ValidationException")
        return table, key, new


def target(parameters: dict[str, Any]) -> StoredItem:
    """Return the item or key of a call, or of a request of BatchWriteItem."""
    inner = parameters.get("PutRequest") or parameters.get("DeleteRequest") or parameters
    item: StoredItem = inner["Item"] if "Item" in inner else inner["Key"]
    return item


def batch_actions(table: str, requests: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return the requests of BatchWriteItem as actions."""
    return [
        ("Put", {"TableName": table, **each["PutRequest"]})
        if "PutRequest" in each
        else ("Delete", {"TableName": table, **each["DeleteRequest"]})
        for each in requests
    ]
