"""DynamoDB and SQS in memory, by the protocols of the router's AWS clients: no network, no SDK."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Self

from router.aws.faults import translate
from router.aws.protocols import AwsFault, KeySchema, OutgoingMessage, Receipt, Request, WriteResponse
from router.engine.attributes import decode_item
from router.model import Action, Item, Operation, Record
from router.program.load import Program
from router.testing.store import Key, Refused, Store, batch_actions

_MAX_BATCH = 25
_CONDITION = "ConditionalCheckFailedException"


class MemoryTables:
    """Tables in memory, with the results that DynamoDB has for the router's writes.

    It implements the conditions, updates and transactions that the router sends. It never throttles, and refuses what
    DynamoDB refuses: a table that does not exist, a key that is not the table's, more than 25 requests in a batch.
    `keys` are the key attributes of each table by its name, as {"users": (("id", "S"),)}.
    """

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._store = Store(keys)
        self._lock = Lock()

    @classmethod
    def of(cls, program: Program) -> Self:
        """Return the tables of a config, empty."""
        tables = program.config.tables.items()
        return cls({table.name or name: tuple(table.key.items()) for name, table in tables})

    def items(self, table: str) -> list[Item]:
        """Return the items of a table, by its name in AWS, in Python's own types and in the order of their keys."""
        stored = self._store.items[table]
        return [decode_item(stored[key]) for key in sorted(stored)]

    def batch_write(self, table: str, requests: list[Request]) -> WriteResponse:
        """Put and delete items of one table: all of them, or none."""
        if len(requests) > _MAX_BATCH:
            return WriteResponse(fault=translate("ValidationException", 400))
        return self._write(batch_actions(table, requests))

    def write(self, operation: Operation, parameters: dict[str, Any]) -> WriteResponse:
        """PutItem, UpdateItem or DeleteItem."""
        return self._write([(operation, parameters)])

    def transact(self, actions: Sequence[Action]) -> WriteResponse:
        """Apply all actions or none; of several refusals, a failed condition is reported first, as by the client."""
        with self._lock:
            effects, reasons = self._store.plan_each(actions)
            refused = [(reason, position) for position, reason in enumerate(reasons) if reason]
            if refused:
                reason, position = min(refused, key=lambda each: each[0].code != _CONDITION)
                return WriteResponse(fault=translate(reason.code, 400), position=position, stored=reason.item)
            if len({effect[:2] for effect in effects}) < len(effects):
                return WriteResponse(fault=translate("ValidationException", 400))
            self._store.apply(effects)
        return WriteResponse()

    def key_schema(self, table: str) -> KeySchema | AwsFault:
        """Return the key attributes of a table."""
        key = self._store.keys.get(table)
        return translate("ResourceNotFoundException", 400) if key is None else key

    def _write(self, actions: Sequence[tuple[str, dict[str, Any]]]) -> WriteResponse:
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

    def url(self, reference: str) -> str | AwsFault:
        """Return the reference itself."""
        return reference

    def visibility(self, url: str) -> int | AwsFault:
        """Return 30 seconds, the default of SQS."""
        return 30

    def receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | AwsFault:
        """Return nothing: `deliver` takes the records."""
        return []

    def delete(self, url: str, messages: Sequence[Receipt]) -> dict[str, AwsFault]:
        """Delete messages."""
        self.deleted += [message_id for message_id, _ in messages]
        return {}

    def send(self, url: str, letters: Sequence[OutgoingMessage]) -> dict[str, AwsFault]:
        """Accept messages."""
        self.letters.setdefault(url, []).extend(letters)
        return {}

    def change_visibility(self, url: str, messages: Sequence[tuple[str, str, int]]) -> dict[str, AwsFault]:
        """Change the visibility timeout of messages."""
        self.hidden |= {message_id: seconds for message_id, _, seconds in messages}
        return {}
