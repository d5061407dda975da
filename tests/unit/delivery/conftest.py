"""A little DynamoDB in memory, under the router's own `DynamoTables`, that fails as a test tells it to.

It knows what the router's writes ask of the real one: conditions, updates, transactions with their reasons, the limits
of a batch, a secondary index whose key must be text.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from router.aws.dynamodb import DynamoTables
from router.engine.attributes import identify

INDEX_KEY = "index"
"""The key of a secondary index of every table: an item that has it as anything but text is refused."""
_REASONS = {"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}
_CLAUSE = re.compile(r"(SET|ADD|REMOVE) (.*?)(?= (?:SET|ADD|REMOVE) |$)")
_PART = re.compile(r"(?:[^,(]|\((?:[^()]|\([^()]*\))*\))+")

Key = tuple[tuple[str, str], ...]
Fault = str | None
"""An error code; "lost" (the work is done, its answer is not heard); "unprocessed" (every second of a batch); None."""


class Refused(Exception):
    """A call fails with an error code of AWS."""

    def __init__(self, code: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.item = item


class Dynamo:
    """Has the methods of boto3's client that the router uses.

    `fault` is asked before each call, with the name of its operation. `calls` are (operation, keys), `made` the writes
    that were done, each as table, key, and the item it left or None.
    """

    def __init__(self, **keys: Key) -> None:
        self.keys = keys
        self.clear()

    def clear(self) -> None:
        self.items: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in self.keys}
        self.fault: Callable[[str], Fault] = lambda operation: None
        self.calls: list[tuple[str, list[Any]]] = []
        self.made: list[tuple[str, Any, dict[str, Any] | None]] = []
        self.under_way = self.most_under_way = 0
        self.during: Callable[[], None] = lambda: None
        self._lock = Lock()

    @property
    def tables(self) -> DynamoTables:
        client: Any = self
        return DynamoTables(client)

    def batch_write_item(self, RequestItems: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
        ((table, requests),) = RequestItems.items()

        def work(fault: Fault) -> dict[str, Any]:
            actions = [
                ("Put", {"TableName": table, **each["PutRequest"]})
                if "PutRequest" in each
                else ("Delete", {"TableName": table, **each["DeleteRequest"]})
                for each in requests
            ]
            if len(requests) > 25:
                raise Refused("ValidationException")
            done = self._plan(actions)
            if fault == "unprocessed":
                self._apply(done[1::2])
                return {"UnprocessedItems": {table: requests[::2]}}
            self._apply(done)
            return {"UnprocessedItems": {}}

        return self._call("BatchWriteItem", [(table, self._key(table, _target(each))) for each in requests], work)

    def put_item(self, **parameters: Any) -> Any:
        return self._write("Put", parameters)

    def update_item(self, **parameters: Any) -> Any:
        return self._write("Update", parameters)

    def delete_item(self, **parameters: Any) -> Any:
        return self._write("Delete", parameters)

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> Any:
        actions = [next(iter(each.items())) for each in TransactItems]
        keys = [(each["TableName"], self._key(each["TableName"], _target(each))) for _, each in actions]

        def work(fault: Fault) -> dict[str, Any]:
            if any(operation == "Update" and "UpdateExpression" not in each for operation, each in actions):
                raise Refused("ValidationException")
            done, reasons = [], []
            for action in actions:
                try:
                    done += self._plan([action])
                    reasons.append({"Code": "None"})
                except Refused as refused:
                    reason = {"Code": _REASONS.get(refused.code, refused.code)}
                    reasons.append(reason | ({"Item": refused.item} if refused.item else {}))
            if len(done) < len(actions):
                raise ClientError(
                    {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},
                    "TransactWriteItems",
                )
            if len({(table, key) for table, key, _ in done}) < len(done):
                raise Refused("ValidationException")
            self._apply(done)
            return {}

        return self._call("TransactWriteItems", keys, work)

    def describe_table(self, TableName: str) -> dict[str, Any]:
        def work(fault: Fault) -> dict[str, Any]:
            key = self.keys[TableName]
            return {
                "Table": {
                    "AttributeDefinitions": [{"AttributeName": n, "AttributeType": kind} for n, kind in key],
                    "KeySchema": [
                        {"AttributeName": n, "KeyType": "RANGE" if at else "HASH"} for at, (n, _) in enumerate(key)
                    ],
                }
            }

        return self._call("DescribeTable", [TableName], work)

    def _write(self, operation: str, parameters: dict[str, Any]) -> Any:
        table = parameters["TableName"]
        key = (table, self._key(table, _target(parameters)))
        return self._call(operation, [key], lambda fault: self._apply(self._plan([(operation, parameters)])))

    def _call(self, operation: str, keys: list[Any], work: Callable[[Fault], Any]) -> Any:
        with self._lock:
            self.calls.append((operation, keys))
            fault = self.fault(operation)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.during()
            if fault and fault not in ("lost", "unprocessed"):
                raise Refused(fault)
            with self._lock:
                answer = work(fault)
            if fault == "lost":
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            return answer
        except Refused as refused:
            response = {"Error": {"Code": refused.code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(response | ({"Item": refused.item} if refused.item else {}), operation) from None
        finally:
            with self._lock:
                self.under_way -= 1

    def _key(self, table: str, item: dict[str, Any]) -> Any:
        """The key, as text; None for an item that has no such key."""
        try:
            return "/".join(identify(table, self.keys[table], item)[1:])
        except Exception:
            return None

    def _plan(self, actions: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, Any, dict[str, Any] | None]]:
        """What actions would leave: table, key, item or None."""
        done = []
        for operation, parameters in actions:
            table = parameters["TableName"]
            if table not in self.keys:
                raise Refused("ResourceNotFoundException")
            key = self._key(table, _target(parameters))
            old = self.items[table].get(key)
            if key is None:
                raise Refused("ValidationException")
            if not _holds(parameters, old or {}):
                told = parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
                raise Refused("ConditionalCheckFailedException", old if told else None)
            new = {"Put": _put, "Update": _update, "Delete": _delete}[operation](parameters, old)
            if new and "S" not in new.get(INDEX_KEY, {"S": ""}):
                raise Refused("ValidationException")
            done.append((table, key, new))
        if len({(table, key) for table, key, _ in done}) < len(done):
            raise Refused("ValidationException")
        return done

    def _apply(self, done: list[tuple[str, Any, dict[str, Any] | None]]) -> None:
        for table, key, item in done:
            self.made.append((table, key, item))
            if item is None:
                self.items[table].pop(key, None)
            else:
                self.items[table][key] = item


def _target(parameters: dict[str, Any]) -> dict[str, Any]:
    inner = parameters.get("PutRequest") or parameters.get("DeleteRequest") or parameters
    target: dict[str, Any] = inner["Item"] if "Item" in inner else inner["Key"]
    return target


def _holds(parameters: dict[str, Any], old: dict[str, Any]) -> bool:
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
    return there.keys() == given.keys() and _ordered(there) < _ordered(given)


def _ordered(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content.encode() if kind == "S" else content


def _put(parameters: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    item: dict[str, Any] = parameters["Item"]
    return item


def _delete(parameters: dict[str, Any], old: dict[str, Any] | None) -> None:
    return None


def _update(parameters: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any] | None:
    if old is None and re.match("REMOVE ", parameters.get("UpdateExpression", "")):
        return None  # an update that only removes makes no item
    names, values = parameters.get("ExpressionAttributeNames", {}), parameters.get("ExpressionAttributeValues", {})
    before = old or {}
    after = before | parameters["Key"]
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


@pytest.fixture(scope="session")
def dynamo_of() -> Callable[..., Dynamo]:
    """Makes a DynamoDB of tables, each with its key."""
    return Dynamo


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried at once."""
    monkeypatch.setattr("router.writer.BACKOFF_BASE", 0.0)
