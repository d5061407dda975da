"""Items in memory, changed as DynamoDB changes them: keys, conditions, updates, transactions."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.engine.attributes import identify
from router.errors import RouterError
from router.model import KeyType
from router.testing.expressions import Refused, StoredItem, holds, updated

Key = tuple[tuple[str, KeyType], ...]
Effect = tuple[str, str, StoredItem | None]
"""A table, the text of a key, and the item that is there then, or None."""


class Store:
    """The tables of a DynamoDB; `items` are by table, then by the text of their key."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self.keys = dict(keys)
        self.items: dict[str, dict[str, StoredItem]] = {name: {} for name in keys}

    def key(self, table: str, item: StoredItem) -> str | None:
        """The key of an item as text; None for one that has no such key, or an empty one."""
        try:
            return "/".join(identify(table, self.keys[table], item)[1:])
        except (KeyError, RouterError):
            return None

    def refuses(self, item: StoredItem) -> bool:
        """Whether the table finds an item invalid for a reason of its own, as the key of an index; here never."""
        return False

    def plan(self, actions: Sequence[tuple[str, dict[str, Any]]]) -> list[Effect]:
        """What actions (Put, Update, Delete) would leave, on distinct items; raises Refused."""
        effects = [self._effect(operation, parameters) for operation, parameters in actions]
        if len({(table, key) for table, key, _ in effects}) < len(effects):
            raise Refused("ValidationException")
        return effects

    def apply(self, effects: Sequence[Effect]) -> None:
        """Leave what was planned."""
        for table, key, item in effects:
            if item is None:
                self.items[table].pop(key, None)
            else:
                self.items[table][key] = item

    def plan_each(self, actions: Sequence[tuple[str, dict[str, Any]]]) -> tuple[list[Effect], list[Refused | None]]:
        """What the actions of a transaction would leave, each by itself, and why each is refused, if it is."""
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
            told = parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise Refused("ConditionalCheckFailedException", old if told else None)
        new: StoredItem | None = None
        if operation == "Put":
            new = parameters["Item"]
        elif operation == "Update":
            new = updated(parameters, old)
        if new and self.refuses(new):
            raise Refused("ValidationException")
        return table, key, new


def target(parameters: dict[str, Any]) -> StoredItem:
    """The item or key of a call, or of a request of BatchWriteItem."""
    inner = parameters.get("PutRequest") or parameters.get("DeleteRequest") or parameters
    item: StoredItem = inner["Item"] if "Item" in inner else inner["Key"]
    return item


def batch_actions(table: str, requests: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The requests of BatchWriteItem as actions."""
    return [
        ("Put", {"TableName": table, **each["PutRequest"]})
        if "PutRequest" in each
        else ("Delete", {"TableName": table, **each["DeleteRequest"]})
        for each in requests
    ]
