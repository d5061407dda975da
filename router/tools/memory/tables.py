"""DynamoDB and SQS in memory, by the protocols of the router's AWS clients: no network, no SDK."""

import ast
import operator as operators
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from threading import Lock
from typing import Any, Self

from router.errors import RouterError
from router.model import Action, Item, Operation, Record
from router.runtime.aws.faults import translate
from router.runtime.aws.protocols import (
    AwsFault,
    KeySchema,
    OutgoingMessage,
    QueueAttributes,
    Receipt,
    Request,
    WriteResponse,
)
from router.runtime.config.spec import TableIndex
from router.runtime.engine.attributes import encode_number, identify
from router.runtime.engine.writes import value_order
from router.runtime.program.load import Program
from router.tools.memory.decoding import decode_item
from router.tools.memory.indexes import index_fault

_MAX_BATCH = 25
_WIDE = Context(prec=300)
"""Adds any two numbers of DynamoDB exactly: their digits are at most 256 places apart."""
_CONDITION = "ConditionalCheckFailedException"
_CLAUSE = re.compile(r"(SET|ADD|REMOVE) (.*?)(?= (?:SET|ADD|REMOVE) |$)")
_PART = re.compile(r"(?:[^,(]|\((?:[^()]|\([^()]*\))*\))+")
_IN_PYTHON = {
    "#": "_",
    ":": "value_",
    " = ": " == ",
    " <> ": " != ",
    " AND ": " and ",
    " OR ": " or ",
}
_NOT_PYTHON = re.compile("|".join(_IN_PYTHON))

StoredItem = dict[str, Any]
"""An item in DynamoDB's JSON."""
Parameters = dict[str, Any]
"""Those of a call."""
Actions = Sequence[tuple[str, Parameters]]
"""The operations (Put, Update, Delete) with their parameters."""
Faults = dict[str, AwsFault]
"""Faults by the id of their message."""
Effect = tuple[str, str, StoredItem | None]
"""A table, the text of a key, and the item after an action, or None."""


class Refused(Exception):
    """A call fails with an error code of AWS; `item` is the stored one, if a condition failed and it was requested."""

    def __init__(self, code: str, item: StoredItem | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.item = item


def _evaluate(expression: str, parameters: Parameters, item: StoredItem) -> Any:
    """Return the value of a condition, or of what SET assigns; an attribute that the item lacks is None.

    Python's parser reads it: DynamoDB's grammar differs in placeholders, `=`, `<>` and capital letters only.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
    """
    names = parameters.get("ExpressionAttributeNames", {})
    values = parameters.get("ExpressionAttributeValues", {})
    known = {f"_{place[1:]}": item.get(name) for place, name in names.items()}
    known |= {f"value_{place[1:]}": value for place, value in values.items()}
    text = _NOT_PYTHON.sub(lambda found: _IN_PYTHON[found[0]], expression)
    return _value(ast.parse(text, mode="eval").body, known)


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return known[name]
        case ast.BoolOp(op=operator, values=parts):
            join = all if isinstance(operator, ast.And) else any
            return join(_value(part, known) for part in parts)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            one, other = value_order(_value(left, known) or {}), value_order(_value(right, known))
            return one[0] == other[0] and _COMPARISONS[type(operator)](one[1], other[1])
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return _FUNCTIONS[function](*(_value(argument, known) for argument in arguments))
        case _:
            raise Refused("ValidationException")


def _list_append(one: Any, other: Any) -> Any:
    if "L" not in one or "L" not in other:
        raise Refused("ValidationException")
    return {"L": one["L"] + other["L"]}


_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operators.eq,
    ast.NotEq: operators.ne,
    ast.Lt: operators.lt,
    ast.LtE: operators.le,
    ast.Gt: operators.gt,
    ast.GtE: operators.ge,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "if_not_exists": lambda value, otherwise: otherwise if value is None else value,
    "list_append": _list_append,
}


def updated(parameters: Parameters, old: StoredItem | None) -> StoredItem | None:
    """Return the item after UpdateItem, or None if there is none."""
    expression = parameters.get("UpdateExpression", "")
    names = parameters.get("ExpressionAttributeNames", {})
    if old is None and expression.startswith("REMOVE "):
        return None  # an update that only removes attributes creates no item
    before = old or {}
    after: StoredItem = before | parameters["Key"]
    for verb, text in _CLAUSE.findall(expression):
        for part in _PART.findall(text):
            place, _, operand = part.strip().partition(" = " if verb == "SET" else " ")
            name = names[place]
            if verb == "SET":
                after[name] = _evaluate(operand, parameters, before)
            elif verb == "ADD":
                added = parameters["ExpressionAttributeValues"][operand]
                after[name] = _add(before.get(name), added)
            else:
                after.pop(name, None)
    return after


def _add(there: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    if there is None:
        return given
    ((kind, content),) = given.items()
    if there.keys() != given.keys():
        raise Refused("ValidationException")
    if kind == "N":
        try:
            return {"N": encode_number(_WIDE.add(Decimal(there["N"]), Decimal(content)))}
        except RouterError:  # a sum that a table cannot hold
            raise Refused("ValidationException") from None
    return {kind: sorted({*there[kind], *content})}


Indexes = Mapping[str, Sequence[TableIndex]]
"""The indexes of tables by the names of these."""
NO_INDEXES: Indexes = {}


class Store:
    """DynamoDB tables in memory; `items` are by table, then by the text of their key."""

    def __init__(self, keys: Mapping[str, KeySchema], indexes: Indexes = NO_INDEXES) -> None:
        self.keys = dict(keys)
        self.indexes = indexes
        self.items: dict[str, dict[str, StoredItem]] = {name: {} for name in keys}

    def key(self, table: str, item: StoredItem) -> str | None:
        """Return the key of an item as text; None if it has none, or an empty one."""
        try:
            # Escaped, so that keys of two attributes differ whatever characters they have.
            parts = identify(table, self.keys[table], item)[1:]
            return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
        except (KeyError, RouterError):
            return None

    def plan(self, actions: Actions) -> list[Effect]:
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

    def plan_each(self, actions: Actions) -> tuple[list[Effect], list[Refused | None]]:
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

    def _effect(self, operation: str, parameters: Parameters) -> Effect:
        table = parameters["TableName"]
        if table not in self.keys:
            raise Refused("ResourceNotFoundException")
        key = self.key(table, target(parameters))
        if key is None:
            raise Refused("ValidationException")
        old = self.items[table].get(key)
        condition = parameters.get("ConditionExpression")
        if condition and not _evaluate(condition, parameters, old or {}):
            returns_item = parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise Refused("ConditionalCheckFailedException", old if returns_item else None)
        new: StoredItem | None = None
        if operation == "Put":
            new = parameters["Item"]
        elif operation == "Update":
            new = updated(parameters, old)
        if new is not None and any(index_fault(new, each) for each in self.indexes.get(table, ())):
            raise Refused("ValidationException")
        return table, key, new


def target(parameters: Parameters) -> StoredItem:
    """Return the item or key of a call, or of a request of BatchWriteItem."""
    inner = parameters.get("PutRequest") or parameters.get("DeleteRequest") or parameters
    item: StoredItem = inner["Item"] if "Item" in inner else inner["Key"]
    return item


def batch_actions(
    table: str, requests: Sequence[dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the requests of BatchWriteItem as actions."""
    actions = []
    for request in requests:
        # A request has one member: "PutRequest" or "DeleteRequest".
        ((name, parameters),) = request.items()
        actions.append((name.removesuffix("Request"), {"TableName": table, **parameters}))
    return actions


class MemoryTables:
    """Tables in memory, with the results that DynamoDB has for the router's writes.

    It implements the conditions, updates and transactions that the router sends. It never throttles, and refuses what
    DynamoDB refuses: a table that does not exist, a key that is not the table's, more than 25 requests in a batch.
    `keys` are the key attributes of each table by its name, as {"users": (("id", "S"),)}. An item that does not fit
    the key of an index of its table is refused, too.
    """

    def __init__(self, keys: Mapping[str, KeySchema], indexes: Indexes = NO_INDEXES) -> None:
        self._store = Store(keys, indexes)
        self._lock = Lock()

    @classmethod
    def of(cls, program: Program) -> Self:
        """Return the tables of a config, empty."""
        tables = {table.name or name: table for name, table in program.config.tables.items()}
        return cls(
            {name: tuple(table.key.items()) for name, table in tables.items()},
            {name: tuple(table.indexes.values()) for name, table in tables.items()},
        )

    def items(self, table: str) -> list[Item]:
        """Return the items of a table, by its name in AWS, in Python's own types and in the order of their keys."""
        key = self._store.keys[table]
        stored = sorted(
            self._store.items[table].values(), key=lambda item: identify(table, key, item)
        )
        return [decode_item(item) for item in stored]

    def get(self, table: str, key: StoredItem) -> StoredItem | None:
        """Return an item of a table by its key, both in DynamoDB's JSON; None if there is none."""
        return self._store.items[table].get(self._store.key(table, key) or "")

    def batch_write(
        self, table: str, requests: list[Request], timeout: float = 0, measured: bool = False
    ) -> WriteResponse:
        """Put and delete items of one table: all of them, or none."""
        if len(requests) > _MAX_BATCH:
            return WriteResponse(fault=translate("ValidationException", 400))
        return self._write(batch_actions(table, requests))

    def write(
        self,
        operation: Operation,
        parameters: Parameters,
        timeout: float = 0,
        measured: bool = False,
    ) -> WriteResponse:
        """PutItem, UpdateItem or DeleteItem."""
        return self._write([(operation, parameters)])

    def transact(
        self, actions: Sequence[Action], timeout: float = 0, measured: bool = False
    ) -> WriteResponse:
        """Apply all actions or none; of several refusals, a failed condition is reported first, as by the client."""
        with self._lock:
            effects, reasons = self._store.plan_each(actions)
            refused = [(reason, position) for position, reason in enumerate(reasons) if reason]
            if refused:
                reason, position = min(refused, key=lambda each: each[0].code != _CONDITION)
                return WriteResponse(
                    fault=translate(reason.code, 400), position=position, stored=reason.item
                )
            if len({effect[:2] for effect in effects}) < len(effects):
                return WriteResponse(fault=translate("ValidationException", 400))
            self._store.apply(effects)
        return WriteResponse()

    def key_schema(self, table: str, timeout: float = 0) -> KeySchema | AwsFault:
        """Return the key attributes of a table."""
        key = self._store.keys.get(table)
        return translate("ResourceNotFoundException", 400) if key is None else key

    def _write(self, actions: Actions) -> WriteResponse:
        with self._lock:
            try:
                self._store.apply(self._store.plan(actions))
            except Refused as refused:
                return WriteResponse(fault=translate(refused.code, 400), stored=refused.item)
        return WriteResponse()


class MemoryQueues:
    """Queues in memory: they accept every message, and record all calls.

    `letters` are the messages that were sent, by the queue's reference; `deleted` are the ids of deleted messages, and
    `hidden` the visibility timeouts in seconds, by message id.
    """

    def __init__(self) -> None:
        self.letters: dict[str, list[OutgoingMessage]] = {}
        self.deleted: list[str] = []
        self.hidden: dict[str, int] = {}

    def url(self, reference: str, timeout: float = 0) -> str | AwsFault:
        """Return the reference itself."""
        return reference

    def attributes(self, url: str, timeout: float = 0) -> QueueAttributes | AwsFault:
        """Return the defaults of SQS: a visibility timeout of 30 seconds, and no redrive policy."""
        return QueueAttributes(30)

    def receive(
        self, url: str, count: int, wait_seconds: int, visibility: int
    ) -> list[Record] | AwsFault:
        """Return nothing: `deliver` takes the records."""
        return []

    def delete(self, url: str, messages: Sequence[Receipt], timeout: float = 0) -> Faults:
        """Delete messages."""
        self.deleted += [message_id for message_id, _ in messages]
        return {}

    def send(self, url: str, letters: Sequence[OutgoingMessage], timeout: float = 0) -> Faults:
        """Accept messages."""
        self.letters.setdefault(url, []).extend(letters)
        return {}

    def change_visibility(
        self, url: str, messages: Sequence[tuple[str, str, int]], timeout: float = 0
    ) -> Faults:
        """Change the visibility timeout of messages."""
        self.hidden |= {message_id: seconds for message_id, _, seconds in messages}
        return {}
