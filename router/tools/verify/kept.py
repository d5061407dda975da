"""The writes of a source by the items that they write, and the verdicts by message, in a private temporary file.

A source of a million messages does not fit into memory. The writes of an item are read again in the order of the
source, a few at a time.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct, structs

from router.model import AttributeValue, Table
from router.runtime.engine.writes import StoredItem, Write, WriteConfig
from router.tools.dlq.spool import TemporaryDatabase
from router.tools.verify.verdicts import MessageVerdict, worst

_ROWS_AT_A_TIME = 500
Identity = tuple[str, ...]
_encode = msgspec.msgpack.encode


class KeptMessage(Struct, frozen=True):
    """A message of the source: its position from 1, its queue, its id as people see it, and its place."""

    position: int
    queue: str
    id: str
    place: str


class _Data(Struct, array_like=True):
    """What a write is made of again."""

    route: str
    item: StoredItem
    call: dict[str, Any] | None
    version: AttributeValue | None
    sets: tuple[str, ...]


class NewWrite(Struct, frozen=True):
    """A write to be kept.

    `unknown` is the metadata that its route reads and the source does not say. `key_until` is until when its
    idempotency key is stored, in seconds since 1970: None if it does not expire, 0 if that or the key is not known. It
    `is_sure` to be made, unless the condition of another write of its transaction may fail.
    """

    write: Write
    unknown: str
    key_until: int | None
    is_sure: bool

    def row(self, message: KeptMessage) -> tuple[Any, ...]:
        """Return the values of its row."""
        write = self.write
        data = _Data(write.route, write.item, write.call, write.version, write.sets)
        once = None
        if write.idempotency_key is not None:
            table = write.idempotency_key.table
            item = write.idempotency_key.call["Item"]
            name = table.key[0][0]
            once = _encode((table.name, item[name]["S"]))
        return (
            _encode(write.identity),
            message.position,
            _encode(data),
            once,
            self.key_until,
            self.is_sure,
            self.unknown,
        )


class KeptWrite(Struct, frozen=True):
    """A write as it is kept; `once` is its idempotency key: the table and the text, or ().

    `applied` is whether its idempotency key is stored, None if that is not known. Another message has the same
    idempotency key: with another content if it `is_doubtful`, before it if it `is_repeated`. `unknown` is the metadata
    of the message that the route reads and the source does not say.
    """

    position: int
    write: Write
    once: Identity
    applied: bool | None
    is_sure: bool
    is_doubtful: bool
    is_repeated: bool
    unknown: str


_DATA = msgspec.msgpack.Decoder(_Data)
_IDENTITY = msgspec.msgpack.Decoder(Identity)


class KeptSource(TemporaryDatabase):
    """Messages, their writes, and the verdicts."""

    def __init__(self) -> None:
        super().__init__(
            "CREATE TABLE messages (position INTEGER PRIMARY KEY, queue TEXT, id TEXT, place TEXT, digest BLOB)",
            "CREATE INDEX by_id ON messages (queue, id)",
            "CREATE TABLE writes (number INTEGER PRIMARY KEY, identity BLOB, position INT, data BLOB, "
            "once BLOB, ends INT, is_sure INT, applied INT, doubtful INT DEFAULT 0, repeated INT DEFAULT 0, "
            "unknown TEXT)",
            "CREATE TABLE verdicts (position INT, verdict BLOB)",
        )

    def add(self, message: KeptMessage, digest: bytes) -> bool:
        """Keep a message; return whether there is one with its queue, id and digest already."""
        found = self._query(
            "SELECT 1 FROM messages WHERE queue = ? AND id = ? AND digest = ?",
            (message.queue, message.id, digest),
        )
        self._query(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?)",
            (*structs.astuple(message), digest),
        )
        return bool(found)

    def add_writes(self, message: KeptMessage, writes: Iterable["NewWrite"]) -> None:
        """Keep the writes of a message."""
        self._change_all(
            "INSERT INTO writes (identity, position, data, once, ends, is_sure, unknown) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [each.row(message) for each in writes],
        )

    def index(self) -> None:
        """Order the writes, once all are kept."""
        self._query("CREATE INDEX by_identity ON writes (identity, number)")
        self._query("CREATE INDEX by_position ON verdicts (position)")
        self._query("CREATE INDEX by_once ON writes (once) WHERE once IS NOT NULL")
        self._query(
            "UPDATE writes SET doubtful = 1 WHERE once IN "
            "(SELECT once FROM writes WHERE once IS NOT NULL GROUP BY once HAVING count(DISTINCT data) > 1)"
        )
        self._query(
            "UPDATE writes SET repeated = 1 WHERE once IS NOT NULL AND NOT doubtful AND number NOT IN "
            "(SELECT min(number) FROM writes WHERE once IS NOT NULL GROUP BY once)"
        )

    def identities(self) -> Iterator[Identity]:
        """Return what identifies the items that are written, table by table."""
        return self._distinct("identity")

    def idempotency_keys(self) -> Iterator[Identity]:
        """Return the idempotency keys: their tables and texts."""
        return self._distinct("once")

    def reads(self) -> int:
        """Return how many items and idempotency keys are to be read."""
        rows = self._query(
            "SELECT (SELECT count(DISTINCT identity) FROM writes) + (SELECT count(DISTINCT once) FROM writes)"
        )
        return int(rows[0][0])

    def apply(self, keys: Iterable[Identity], stored: Iterable[bool], now: float) -> None:
        """Note which idempotency keys are stored; one that may have expired proves nothing."""
        self._change_all(
            "UPDATE writes SET applied = CASE WHEN ? THEN 1 WHEN ends IS NULL OR ends > ? THEN 0 END WHERE once = ?",
            ((found, now, _encode(key)) for key, found in zip(keys, stored, strict=True)),
        )

    def writes(self, identity: Identity, configs: Mapping[str, WriteConfig]) -> Iterator[KeptWrite]:
        """Yield the writes of an item in the order of the source."""
        query = (
            "SELECT number, position, data, once, applied, is_sure, doubtful, repeated, unknown "
            "FROM writes WHERE identity = ? AND number > ? ORDER BY number LIMIT ?"
        )
        for rows in self._pages(query, (_encode(identity),), (0,), _ROWS_AT_A_TIME):
            for _, position, encoded, once, applied, *flags, unknown in rows:
                data = _DATA.decode(encoded)
                config = configs[data.route]
                write = Write(
                    data.route,
                    config.table,
                    config.mode,
                    identity,
                    data.item,
                    0,
                    data.call,
                    config.version,
                    data.version,
                    data.sets,
                )
                is_sure, is_doubtful, is_repeated = map(bool, flags)
                yield KeptWrite(
                    position,
                    write,
                    _IDENTITY.decode(once) if once else (),
                    None if applied is None else bool(applied),
                    is_sure,
                    is_doubtful,
                    is_repeated,
                    unknown,
                )

    def key(self, identity: Identity, table: Table) -> StoredItem:
        """Return the key of an item."""
        rows = self._query(
            "SELECT data FROM writes WHERE identity = ? LIMIT 1", (_encode(identity),)
        )
        item = _DATA.decode(rows[0][0]).item
        return {name: item[name] for name, _ in table.key}

    def decide(self, rows: Iterable[tuple[int, "RouteVerdict"]]) -> None:
        """Keep verdicts, each with the position of its message."""
        values = ((position, _encode(verdict)) for position, verdict in rows)
        # They may come from reading the file, which another statement must not be using meanwhile.
        while some := [*islice(values, _ROWS_AT_A_TIME)]:
            self._change_all("INSERT INTO verdicts VALUES (?, ?)", some)

    def decided(self) -> Iterator["Decided"]:
        """Yield the messages in the order of the source, each with the verdicts about its writes."""
        query = "SELECT position, queue, id, place FROM messages WHERE position > ? ORDER BY position LIMIT ?"
        for rows in self._pages(query, (), (0,), _ROWS_AT_A_TIME):
            verdicts: dict[int, list[RouteVerdict]] = {}
            found = self._query(
                "SELECT * FROM verdicts WHERE position BETWEEN ? AND ?", (rows[0][0], rows[-1][0])
            )
            for position, verdict in found:
                verdicts.setdefault(position, []).append(_VERDICT.decode(verdict))
            for row in rows:
                yield Decided(KeptMessage(*row), verdicts.get(row[0], []))

    def _distinct(self, column: str) -> Iterator[Identity]:
        query = f"SELECT DISTINCT {column} FROM writes WHERE {column} > ? ORDER BY {column} LIMIT ?"  # noqa: S608 — two names
        for rows in self._pages(query, (), (b"",), _ROWS_AT_A_TIME):
            for (encoded,) in rows:
                yield _IDENTITY.decode(encoded)


class Evidence(Struct, frozen=True):
    """The attributes in which an item is not what it should be, as they are stored and expected; None for no item.

    `adds` is what the write adds and appends, and `once` its idempotency key if that is not stored.
    """

    stored: StoredItem | None
    expected: StoredItem | None
    adds: StoredItem
    once: Identity


class RouteVerdict(Struct, frozen=True):
    """The verdict about a write of a message, or about all of a message: then the item is ()."""

    route: str
    identity: Identity
    verdict: MessageVerdict
    evidence: Evidence | None = None


_VERDICT = msgspec.msgpack.Decoder(RouteVerdict)


class Decided(Struct, frozen=True):
    """A message, and the verdicts about its writes."""

    message: KeptMessage
    verdicts: list[RouteVerdict]

    @property
    def verdict(self) -> MessageVerdict:
        """What became of the message: the worst of its verdicts."""
        return worst(each.verdict for each in self.verdicts)
