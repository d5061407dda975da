"""What a command has received and rehearsed, in private temporary files: 100,000 messages do not fit into memory."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, Self

import msgspec

from router.aws.protocols import Receipt
from router.dlq.messages import DlqMessage
from router.model import Record
from router.program.route_tests import Identity

_RECORDS_AT_A_TIME = 16
"""Records that are read at a time: 16 MiB at most."""
_RECEIPTS_AT_A_TIME = 1000
_DECODER = msgspec.msgpack.Decoder(Record)


class _TemporaryFile:
    """A database in a temporary file without a name, so that nobody else can open it; it ends with the block."""

    def __init__(self, *statements: str) -> None:
        # Bodies may be personal data: SQLite's own temporary file ends with the process, even if that is killed.
        # https://www.sqlite.org/inmemorydb.html#temp_db
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", *statements):
            self._database.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


class Spool(_TemporaryFile):
    """Messages in a temporary file; safe to use from several threads.

    They are in the order in which they were sent; with `fifo`, in that of their receipt, as groups depend on it.
    """

    def __init__(self, fifo: bool = False) -> None:
        super().__init__(
            "CREATE TABLE messages (position INTEGER PRIMARY KEY, sent TEXT, id TEXT UNIQUE, handle TEXT, "
            "selected INT, record BLOB, until REAL, batch INT)",
            "CREATE INDEX in_order ON messages (sent, position)",
            "CREATE INDEX in_batches ON messages (batch)",
        )
        self._fifo = fifo
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            count: int = self._database.execute("SELECT count(*) FROM messages").fetchone()[0]
        return count

    def add(self, message: DlqMessage, *, selected: bool, until: float = inf) -> bool:
        """Store a message, leased until a moment of the lease's clock.

        Return False if it is there already, and keep its newest receipt handle and lease.
        """
        handle = message.record.receipt_handle
        with self._lock:
            update = self._database.execute(
                "UPDATE messages SET handle = ?, until = ? WHERE id = ?", (handle, until, message.id)
            )
            if update.rowcount:
                return False
            sent = "" if self._fifo else message.sent_at
            self._database.execute(
                "INSERT INTO messages (sent, id, handle, selected, record, until) VALUES (?, ?, ?, ?, ?, ?)",
                (sent, message.id, handle, selected, msgspec.msgpack.encode(message.record), until),
            )
        return True

    def selected(self) -> Iterator[DlqMessage]:
        """Yield the selected messages that are stored; some may be removed in the meantime."""
        sent, last = "", 0
        while True:
            with self._lock:
                rows = self._database.execute(
                    "SELECT sent, position, handle, record FROM messages WHERE (sent, position) > (?, ?) AND selected "
                    "ORDER BY sent, position LIMIT ?",
                    (sent, last, _RECORDS_AT_A_TIME),
                ).fetchall()
            if not rows:
                return
            for sent, last, handle, record in rows:  # noqa: B007 — the last row is where the next query begins
                yield _decode(handle, record)

    def assign(self, message_id: str, batch: int) -> None:
        """Note in which batch a message is to be redriven."""
        with self._lock:
            self._database.execute("UPDATE messages SET batch = ? WHERE id = ?", (batch, message_id))

    def take(self, batch: int) -> list[DlqMessage]:
        """Return the messages of a batch in their order, and deselect them."""
        with self._lock:
            rows = self._database.execute(
                "SELECT handle, record FROM messages WHERE batch = ? AND selected ORDER BY sent, position", (batch,)
            ).fetchall()
            self._database.execute("UPDATE messages SET selected = 0, batch = NULL WHERE batch = ?", (batch,))
        return [_decode(handle, record) for handle, record in rows]

    def receipts(self, now: float) -> Iterator[list[Receipt]]:
        """Yield the ids and receipt handles of the stored messages that are leased at `now`, some at a time."""
        last = 0
        while True:
            with self._lock:
                rows = self._database.execute(
                    "SELECT position, id, handle FROM messages WHERE position > ? AND until > ? "
                    "ORDER BY position LIMIT ?",
                    (last, now, _RECEIPTS_AT_A_TIME),
                ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [(id_, handle) for _, id_, handle in rows]

    def extend(self, receipts: Iterable[Receipt], until: float) -> None:
        """Set the end of leases; one with another receipt handle by now keeps its own."""
        with self._lock:
            self._database.executemany(
                "UPDATE messages SET until = ? WHERE id = ? AND handle = ?",
                ((until, id_, handle) for id_, handle in receipts),
            )

    def leases(self, ids: Sequence[str]) -> dict[str, tuple[str, float]]:
        """Return the newest receipt handle and the end of the lease of those of the ids that are stored."""
        marks = ",".join("?" * len(ids))
        with self._lock:
            rows = self._database.execute(
                f"SELECT id, handle, until FROM messages WHERE id IN ({marks})",  # noqa: S608 — question marks only
                tuple(ids),
            ).fetchall()
        return {id_: (handle, until) for id_, handle, until in rows}

    def deselect(self, message_id: str) -> None:
        """Leave a message out of the selection; it stays stored."""
        with self._lock:
            self._database.execute("UPDATE messages SET selected = 0 WHERE id = ?", (message_id,))

    def remove(self, ids: Iterable[str]) -> None:
        """Remove messages."""
        with self._lock:
            self._database.executemany("DELETE FROM messages WHERE id = ?", ((id_,) for id_ in ids))


def _decode(handle: str, record: bytes) -> DlqMessage:
    return DlqMessage.of(msgspec.structs.replace(_DECODER.decode(record), receipt_handle=handle))


class WrittenItems(_TemporaryFile):
    """The items that rehearsed messages would have written, in DynamoDB's JSON, in a temporary file.

    Each has the id of the message that wrote it last. Once messages are delivered, the tables have the items; what is
    kept of them is that no one else had written them.
    """

    def __init__(self) -> None:
        super().__init__(
            "CREATE TABLE items (identity BLOB PRIMARY KEY, item BLOB, writer TEXT, delivered INT DEFAULT 0)",
            "CREATE INDEX by_writer ON items (writer)",
        )

    def store(self, items: Mapping[Identity, tuple[Mapping[str, Any] | None, str]]) -> None:
        """Store items, None for one that is deleted, and the ids of their writers, by what identifies the items."""
        self._database.executemany(
            "INSERT OR REPLACE INTO items (identity, item, writer) VALUES (?, ?, ?)",
            ((_encode(identity), _encode(item), writer) for identity, (item, writer) in items.items()),
        )

    def load(self, identities: Iterable[Identity]) -> tuple[dict[Identity, dict[str, Any] | None], set[Identity]]:
        """Return those of the items that are stored, and which are delivered, so that the tables have them."""
        found, delivered = {}, set()
        for identity in identities:
            query = "SELECT item, delivered FROM items WHERE identity = ?"
            for item, is_delivered in self._database.execute(query, (_encode(identity),)).fetchall():
                if is_delivered:
                    delivered.add(identity)
                else:
                    found[identity] = msgspec.msgpack.decode(item)
        return found, delivered

    def deliver(self, ids: Iterable[str]) -> None:
        """Note that messages are delivered."""
        self._database.executemany(
            "UPDATE items SET delivered = 1, item = NULL WHERE writer = ?", ((id_,) for id_ in ids)
        )

    def forget_undelivered(self) -> None:
        """Forget the items of messages that are not delivered."""
        self._database.execute("DELETE FROM items WHERE NOT delivered")


_encode = msgspec.msgpack.encode
