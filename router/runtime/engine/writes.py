"""Planned writes, the planned message, the write modes that plan, and what a failed condition means for a write.

Attribute names are never written into an expression: each has a placeholder, since a name may be a reserved word or
contain a dot.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from router.codes import ALREADY_THERE, BAD_VERSION, NOT_ATOMIC, SUPERSEDED
from router.errors import Rejection
from router.model import (
    Action,
    AttributeValue,
    Item,
    Message,
    Operation,
    Outcome,
    Record,
    Table,
)
from router.runtime.engine.attributes import identify

Setting = Literal["version", "add", "append", "keep_first", "once", "once_key"]
"""A setting of `write:` besides `mode`."""
Facet = Literal["existence", "content", "version"]
"""What a mode can rely on: that there is a stored item or none, its content besides key and version, its version."""
StoredItem = dict[str, AttributeValue]
"""An item as the table has it, from a failed condition."""

MAX_ACTIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
"""Of all items of a transaction together."""
_ORDERED_TYPES = frozenset(("S", "N", "B"))
VERSION_IS_NEWER = "attribute_not_exists(#v) OR #v < :v"
"""The condition of a versioned write. Values of different types are never in order, so that it fails for them too."""


class WriteOperation(Struct, frozen=True):
    """A write operation of DynamoDB: `payload` is the parameter that holds the item or key.

    `batch_request` is the name of its request in BatchWriteItem, or "" if BatchWriteItem does not offer it.
    """

    name: Operation
    payload: Literal["Item", "Key"]
    permission: str
    """The IAM action of a call and of an action in a transaction."""
    batch_request: str = ""


PUT = WriteOperation("Put", "Item", "dynamodb:PutItem", "PutRequest")
UPDATE = WriteOperation("Update", "Key", "dynamodb:UpdateItem")
DELETE = WriteOperation("Delete", "Key", "dynamodb:DeleteItem", "DeleteRequest")
BATCH_PERMISSION = "dynamodb:BatchWriteItem"


class IdempotencyKey(Struct, frozen=True):
    """The item that stores an idempotency key, put in one transaction with its update; `call` is the Put of it."""

    table: Table
    call: dict[str, Any]


class Write(Struct, frozen=True, gc=False):
    """One planned write: the item (of an update, the mapped attributes; of a delete, the key).

    `identity` is the table and the typed key values, equal exactly when DynamoDB identifies the same item. `size` is
    the item's size in bytes as DynamoDB counts it. `call` has the parameters of a write with a condition or an update
    expression; it is None for a plain put or delete, which BatchWriteItem can carry. `sets` names the attributes whose
    stored value is that of `item` once the update is applied.

    A plain put or delete that could be made as text has that as its `request` instead of the item in `encoded`; `size`
    is then the length of the text. The general way and the fast path both make such a text.
    """

    route: str
    table: Table
    mode: Mode
    identity: tuple[str, ...]
    encoded: dict[str, AttributeValue] | None
    size: int
    call: dict[str, Any] | None = None
    version_name: str = ""
    version: AttributeValue | None = None
    sets: tuple[str, ...] = ()
    idempotency_key: IdempotencyKey | None = None
    request: Raw | None = None

    @property
    def item(self) -> dict[str, AttributeValue]:
        """The item in DynamoDB's JSON."""
        if self.request is None:
            return self.encoded or {}
        # It has no binary values, which are other text in JSON.
        operation = self.mode.operation
        request = msgspec.json.decode(self.request)[operation.batch_request]
        item: dict[str, AttributeValue] = request[operation.payload]
        return item

    def batch_request(self) -> dict[str, Any]:
        """Return the request of BatchWriteItem for a plain put or delete."""
        operation = self.mode.operation
        return {operation.batch_request: {operation.payload: self.item}}

    def request_bytes(self) -> int:
        """Return the bytes of the request of BatchWriteItem."""
        return len(msgspec.json.encode(self.request or self.batch_request()))

    def action(self) -> Action:
        """Return the write as a call by itself, or as an action of a transaction."""
        operation = self.mode.operation
        return operation.name, self.call or {
            "TableName": self.table.name,
            operation.payload: self.item,
        }

    @property
    def version_order(self) -> tuple[str, Any]:
        """What orders writes by their versions."""
        return value_order(self.version or {})

    def already_applied(self) -> Outcome:
        """Return the outcome of an update whose idempotency key is stored already."""
        reason = f"the update was already applied to table '{self.table.name}'"
        return Outcome("duplicate", ALREADY_THERE.id, reason, self.route)

    def duplicate(self, *, conflict: bool) -> Outcome:
        """Return the outcome if the item is stored already; a conflict if the stored content differs."""
        reason = f"table '{self.table.name}' has the item already"
        if conflict:
            reason += ", with other content"
        return Outcome("duplicate", ALREADY_THERE.id, reason, self.route, conflict=conflict)

    def not_newer(self) -> Outcome:
        """Return the outcome if the condition of a versioned write failed, and it is not known what is stored."""
        reason = f"table '{self.table.name}' refused the write: no item with a lesser '{self.version_name}' is stored"
        return Outcome("stale", SUPERSEDED.id, reason, self.route)

    def stale(self, *, conflict: bool) -> Outcome:
        """Return the outcome if the stored item supersedes the write; a conflict if content of its version differs."""
        reason = (
            f"table '{self.table.name}' has the item with an equal or greater '{self.version_name}'"
        )
        if conflict:
            reason += ", with other content"
        return Outcome("stale", SUPERSEDED.id, reason, self.route, conflict=conflict)

    def compare_versions(self, stored: StoredItem, *, same: bool) -> Outcome:
        """Return the outcome if the condition of a versioned write failed.

        `same` tells whether the stored content is what the write would have stored. Raises ValueError for a stored item
        with which the condition holds, or with another key.
        """
        our_type, ours = self.version_order
        their_type, theirs = value_order(stored.get(self.version_name, {}))
        if not their_type or (our_type == their_type and theirs < ours):
            raise ValueError("the stored version is less")
        self.check_key(stored)
        if our_type != their_type:
            where = f"table '{self.table.name}' has the item with a '{self.version_name}'"
            reason = f"{where} of type {their_type}, the message's is {our_type}"
            return Outcome("rejected", BAD_VERSION.id, reason, self.route)
        return self.duplicate(conflict=False) if same else self.stale(conflict=ours == theirs)

    def check_key(self, stored: StoredItem) -> None:
        """Raise ValueError if a stored item has another key."""
        try:
            identity = identify(self.table.name, self.table.key, stored)
        except Rejection as rejection:
            raise ValueError(rejection.reason) from None
        if identity != self.identity:
            raise ValueError("the stored item has another key")

    def is_stored(self, stored: StoredItem) -> bool:
        """Return whether the stored item is the item of the write."""
        return same_value({"M": self.item}, {"M": stored})


class IdempotencyConfig(Struct, frozen=True):
    """The table that stores an idempotency key for each applied update, and its time-to-live attribute or ""."""

    table: Table
    ttl: str
    key: Callable[[Any], Any] | None = None
    """The idempotency key of a message's data; None for route and message id."""


class WriteConfig(Struct, frozen=True):
    """How a route writes. `version`, `add`, `append` and `keep_first` name attributes; `version` is "" without one.

    `declared` are the attributes that the config names, which a reason may therefore show.
    """

    route: str
    table: Table
    mode: Mode
    version: str = ""
    add: frozenset[str] = frozenset()
    append: frozenset[str] = frozenset()
    keep_first: frozenset[str] = frozenset()
    once: IdempotencyConfig | None = None
    declared: frozenset[str] = frozenset()

    def version_in(self, encoded: Mapping[str, AttributeValue]) -> AttributeValue:
        """Return the version in an encoded item; raises Rejection if it is missing or has no order."""
        version = encoded.get(self.version)
        if version is None:
            raise Rejection(BAD_VERSION, f"the version '{self.version}' is missing")
        if _ORDERED_TYPES.isdisjoint(version):
            raise Rejection(
                BAD_VERSION, f"the version '{self.version}' is no text, number or binary"
            )
        return version

    def call(
        self,
        target: dict[str, Any],
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, AttributeValue] | None = None,
    ) -> dict[str, Any]:
        """Return the parameters of PutItem, UpdateItem or DeleteItem, which a transaction's actions share.

        `names` and `values` are what the placeholders stand for.
        """
        parameters: dict[str, Any] = {
            "TableName": self.table.name,
            **target,
            "ExpressionAttributeNames": names,
        }
        if condition:
            parameters["ConditionExpression"] = condition
            parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if values:
            parameters["ExpressionAttributeValues"] = values
        return parameters

    def write(
        self,
        encoded: dict[str, AttributeValue],
        size: int,
        call: dict[str, Any] | None,
        version: AttributeValue | None = None,
        sets: tuple[str, ...] = (),
        idempotency_key: IdempotencyKey | None = None,
    ) -> Write:
        """Return the write of an encoded item or key; raises Rejection if its key is not valid."""
        identity = identify(self.table.name, self.table.key, encoded)
        return Write(
            self.route,
            self.table,
            self.mode,
            identity,
            encoded,
            size,
            call,
            self.version,
            version,
            sets,
            idempotency_key,
        )


class Mode(Struct, frozen=True, kw_only=True, eq=False):
    """A write mode. No facet has a default, so that mypy names those that a mode lacks.

    Why an object: docs/decisions/2026-11-26-a-mode-is-an-object.md

    `summary`, `when_duplicate` and `when_late` are sentences without subject and full stop, for the published schema
    and the docs: what the mode does, and what it does for a duplicate and for an out-of-order message.
    """

    name: str
    summary: str
    when_duplicate: str
    when_late: str
    settings: frozenset[Setting]
    """The settings that the mode takes."""
    required: frozenset[Setting]
    """The settings that it does not work without."""
    repeats: frozenset[Setting]
    """The settings whose effect a redelivery repeats, unless `once` prevents it."""
    operation: WriteOperation
    batched: Literal["always", "without version", "never"]
    """When a write has neither condition nor update expression, so that BatchWriteItem can carry it."""
    stores: Literal["item", "attributes", "nothing"]
    """What a write stores: the whole item, some attributes of it, or nothing but the deletion of its key."""
    relies_on: frozenset[Facet]
    """What of the stored item decides about a write, or stays."""
    destroys: frozenset[Facet]
    """What of the stored item a write without version replaces or deletes, though other modes rely on it.

    Not the existence and content that a delete ends: that is its purpose.
    """
    combine: Literal["last", "greatest version", "never"]
    """Which of neighbouring writes of one item is sent for all; of modes with `last`, only writes without condition."""
    plan: Callable[[WriteConfig, Item, Message, int], Write]
    """Plans the write of an item, the nth of its message; raises Rejection."""
    on_condition_failed: Callable[[Write, StoredItem | None], Outcome]
    """The outcome of a write whose condition failed, from the stored item if the server returned it."""

    def is_batched(self, versioned: bool) -> bool:
        """Return whether BatchWriteItem can carry a write, with or without a version."""
        return self.batched == "always" or (self.batched == "without version" and not versioned)

    def permission(self, *, versioned: bool, atomic: bool) -> str:
        """Return the IAM action that a write needs; `atomic` if it is part of a transaction."""
        if self.is_batched(versioned) and not atomic:
            return BATCH_PERMISSION
        return self.operation.permission

    def __repr__(self) -> str:
        return f"Mode({self.name})"


class PlannedMessage(Struct, frozen=True, eq=False, gc=False):
    """A message with what is to be written for it.

    `outcome` is None, unless it was decided without a write.
    """

    record: Record
    outcome: Outcome | None = None
    writes: list[Write] = []


def _item_twice(writes: list[Write]) -> Rejection:
    """Return the rejection of writes of which two are of one item."""
    identities = [write.identity for write in writes]
    table = next(write.table for write in writes if identities.count(write.identity) > 1)
    key = " and ".join(f"'{name}'" for name, _ in table.key)
    return Rejection(
        NOT_ATOMIC,
        "the message writes one item twice, which no transaction can: "
        f"two items of table '{table.name}' have the same key {key}",
    )


def check_transaction(writes: list[Write]) -> None:
    """Raise Rejection if the writes of a message cannot be one transaction."""
    actions = sum(2 if write.idempotency_key else 1 for write in writes)
    if actions > MAX_ACTIONS:
        raise Rejection(
            NOT_ATOMIC,
            f"the message makes more than {MAX_ACTIONS} writes, too many for one transaction",
        )
    if len({write.identity for write in writes}) < len(writes):
        raise _item_twice(writes)
    if sum(write.size for write in writes) > MAX_TRANSACTION_BYTES:
        raise Rejection(
            NOT_ATOMIC,
            f"the items of the message have more than {MAX_TRANSACTION_BYTES} bytes together",
        )


def same_value(one: AttributeValue, other: AttributeValue) -> bool:
    """Return whether two values are equal to DynamoDB: of one type, numbers by value, sets in any order."""
    ((kind, mine), (other_kind, theirs)) = (*one.items(), *other.items())
    if kind != other_kind:
        return False
    match kind:
        case "N":
            return Decimal(mine) == Decimal(theirs)
        case "M":
            return mine.keys() == theirs.keys() and all(
                same_value(mine[name], theirs[name]) for name in mine
            )
        case "L":
            return len(mine) == len(theirs) and all(map(same_value, mine, theirs))
        case "NS":
            return set(map(Decimal, mine)) == set(map(Decimal, theirs))
        case "SS" | "BS":
            return set(mine) == set(theirs)
        case _:
            return bool(mine == theirs)


def value_order(value: AttributeValue) -> tuple[str, Any]:
    """Return what orders values as DynamoDB does: by type, then by number or by the bytes of UTF-8."""
    for kind, content in value.items():
        # The order of characters is that of their bytes in UTF-8.
        return kind, Decimal(content) if kind == "N" else content
    return "", None
