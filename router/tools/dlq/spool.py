"""Dead letters in files: what a command has received and rehearsed, and exports as lines of JSON.

The former are private temporary files: 100,000 messages do not fit into memory. `router dlq export` writes the latter;
`router dlq redrive --from` and `router replay` read them.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any, Self

import msgspec

from router.errors import UsageError, refusing_file
from router.model import Record
from router.runtime.aws.protocols import AwsFault, Receipt
from router.runtime.engine.writes import StoredItem
from router.runtime.program.route_tests import Identity
from router.tools.deploy.file_writing import sync_folder
from router.tools.dlq.messages import DlqMessage

_RECORDS_AT_A_TIME = 16
"""Records that are read at a time: 16 MiB at most."""
_RECEIPTS_AT_A_TIME = 1000
_DECODER = msgspec.msgpack.Decoder(Record)


class TemporaryDatabase:
    """A database in a temporary file without a name, so that nobody else can open it; it ends with the block."""

    def __init__(self, *statements: str) -> None:
        # Bodies may be personal data: SQLite's own temporary file ends with the process, even if that is killed.
        # https://www.sqlite.org/inmemorydb.html#temp_db
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", *statements):
            self._query(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Enter with the database, of one thread at a time; raises UsageError if its file cannot grow."""
        with self._lock:
            try:
                yield self._database
            except sqlite3.DatabaseError as error:
                advice = "make room in the folder of temporary files, or name another with TMPDIR"
                raise UsageError(
                    f"cannot keep messages in a temporary file: {error}; {advice}"
                ) from None

    def _query(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._using() as database:
            return database.execute(statement, values).fetchall()

    def _pages(
        self, statement: str, values: Sequence[Any], after: Sequence[Any], most: int
    ) -> Iterator[list[Any]]:
        """Yield rows, at most so many at a time; each time those whose first columns are greater than `after`."""
        while rows := self._query(statement, (*values, *after, most)):
            yield rows
            if len(rows) < most:
                return
            after = rows[-1][: len(after)]

    def _change_all(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row."""
        with self._using() as database:
            database.executemany(statement, rows)


class Spool(TemporaryDatabase):
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

    def __len__(self) -> int:
        return int(self._query("SELECT count(*) FROM messages")[0][0])

    def add(self, message: DlqMessage, *, selected: bool, until: float = inf) -> bool:
        """Store a message, leased until a moment of the lease's clock.

        Return False if it is there already, and keep its newest receipt handle and lease.
        """
        handle = message.record.receipt_handle
        with self._using() as database:
            update = database.execute(
                "UPDATE messages SET handle = ?, until = ? WHERE id = ?",
                (handle, until, message.id),
            )
            if update.rowcount:
                return False
            sent = "" if self._fifo else message.sent_at
            database.execute(
                "INSERT INTO messages (sent, id, handle, selected, record, until) VALUES (?, ?, ?, ?, ?, ?)",
                (sent, message.id, handle, selected, msgspec.msgpack.encode(message.record), until),
            )
        return True

    def selected(self) -> Iterator[DlqMessage]:
        """Yield the selected messages that are stored; some may be removed in the meantime."""
        query = (
            "SELECT sent, position, handle, record FROM messages WHERE (sent, position) > (?, ?) AND selected "
            "ORDER BY sent, position LIMIT ?"
        )
        for rows in self._pages(query, (), ("", 0), _RECORDS_AT_A_TIME):
            for _, _, handle, record in rows:
                yield _decode(handle, record)

    def assign(self, message_id: str, batch: int) -> None:
        """Note in which batch a message is to be redriven."""
        self._query("UPDATE messages SET batch = ? WHERE id = ?", (batch, message_id))

    def take(self, batch: int) -> list[DlqMessage]:
        """Return the messages of a batch in their order, and deselect them."""
        with self._using() as database:
            rows = database.execute(
                "SELECT handle, record FROM messages WHERE batch = ? AND selected ORDER BY sent, position",
                (batch,),
            ).fetchall()
            database.execute(
                "UPDATE messages SET selected = 0, batch = NULL WHERE batch = ?", (batch,)
            )
        return [_decode(handle, record) for handle, record in rows]

    def receipts(self, now: float) -> Iterator[list[Receipt]]:
        """Yield the ids and receipt handles of the stored messages that are leased at `now`, some at a time."""
        query = "SELECT position, id, handle FROM messages WHERE until > ? AND position > ? ORDER BY position LIMIT ?"
        for rows in self._pages(query, (now,), (0,), _RECEIPTS_AT_A_TIME):
            yield [(id_, handle) for _, id_, handle in rows]

    def extend(self, receipts: Iterable[Receipt], until: float) -> None:
        """Set the end of leases; one with another receipt handle by now keeps its own."""
        self._change_all(
            "UPDATE messages SET until = ? WHERE id = ? AND handle = ?",
            ((until, id_, handle) for id_, handle in receipts),
        )

    def leases(self, ids: Sequence[str]) -> dict[str, tuple[str, float]]:
        """Return the newest receipt handle and the end of the lease of those of the ids that are stored."""
        marks = ",".join("?" * len(ids))
        query = f"SELECT id, handle, until FROM messages WHERE id IN ({marks})"  # noqa: S608 — question marks only
        return {id_: (handle, until) for id_, handle, until in self._query(query, ids)}

    def deselect(self, message_id: str) -> None:
        """Leave a message out of the selection; it stays stored."""
        self._query("UPDATE messages SET selected = 0 WHERE id = ?", (message_id,))

    def remove(self, ids: Iterable[str]) -> None:
        """Remove messages."""
        self._change_all("DELETE FROM messages WHERE id = ?", ((id_,) for id_ in ids))


def _decode(handle: str, record: bytes) -> DlqMessage:
    return DlqMessage.of(msgspec.structs.replace(_DECODER.decode(record), receipt_handle=handle))


class WrittenItems(TemporaryDatabase):
    """The items that rehearsed messages would have written, in DynamoDB's JSON, in a temporary file.

    Each has the id of the message that wrote it last. Once messages are delivered, the tables have the items; what is
    kept of them is that no one else had written them.
    """

    def __init__(self) -> None:
        super().__init__(
            "CREATE TABLE items (identity BLOB PRIMARY KEY, item BLOB, writer TEXT, delivered INT DEFAULT 0)",
            "CREATE INDEX by_writer ON items (writer)",
        )

    def store(self, items: Mapping[Identity, tuple[StoredItem | None, str]]) -> None:
        """Store items, None for one that is deleted, and the ids of their writers, by what identifies the items."""
        self._change_all(
            "INSERT OR REPLACE INTO items (identity, item, writer) VALUES (?, ?, ?)",
            (
                (_encode(identity), _encode(item), writer)
                for identity, (item, writer) in items.items()
            ),
        )

    def load(
        self, identities: Iterable[Identity]
    ) -> tuple[dict[Identity, StoredItem | None], set[Identity]]:
        """Return those of the items that are stored, and which are delivered, so that the tables have them."""
        found = {}
        delivered = set()
        for identity in identities:
            query = "SELECT item, delivered FROM items WHERE identity = ?"
            for item, is_delivered in self._query(query, (_encode(identity),)):
                if is_delivered:
                    delivered.add(identity)
                else:
                    found[identity] = msgspec.msgpack.decode(item)
        return found, delivered

    def deliver(self, ids: Iterable[str]) -> None:
        """Note that messages are delivered."""
        self._change_all(
            "UPDATE items SET delivered = 1, item = NULL WHERE writer = ?", ((id_,) for id_ in ids)
        )

    def forget_undelivered(self) -> None:
        """Forget the items of messages that are not delivered."""
        self._query("DELETE FROM items WHERE NOT delivered")


_encode = msgspec.msgpack.encode


_LINES = msgspec.json.Encoder()
"""Binary values of message attributes become base64, as in the JSON of AWS."""


def write_messages(path: Path, messages: Iterable[DlqMessage]) -> int:
    """Write messages to a new file that only its owner may read; return how many.

    They are on the disk then; without room for all of them there is no file. Raises UsageError.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists already; choose another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {(error.strerror or 'error').lower()}") from None
    count = 0
    try:
        with refusing_file(f"write {path}"), os.fdopen(descriptor, "wb") as file:
            for count, message in enumerate(messages, 1):  # noqa: B007 — the count is the result
                file.write(export_line(message))
            file.flush()
            os.fsync(file.fileno())
            # The messages may be deleted from their queue next: the name of the file must last, too.
            sync_folder(path.parent)
    except BaseException:  # whatever stopped it: a part of an export would be taken for all of it
        with suppress(OSError):
            path.unlink()
        raise
    return count


class FileSource:
    """Messages of a file, spooled: deleting one deletes it from the spool only."""

    fifo = False
    lasting = True

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def leased_until(self, ids: Sequence[str]) -> Mapping[str, float]:
        """Return that nobody else takes messages of a file."""
        return dict.fromkeys(ids, inf)

    def delete(self, ids: Sequence[str]) -> Mapping[str, AwsFault]:
        """Remove messages from the spool."""
        self._spool.remove(ids)
        return {}


def export_line(message: DlqMessage) -> bytes:
    """Return the line of a message in an export: in the form of ReceiveMessage, without its receipt handle."""
    record = message.record
    line = {
        "MessageId": record.message_id,
        "Body": record.body,
        "Attributes": record.attributes,
        "MessageAttributes": record.message_attributes,
    }
    return _LINES.encode(line) + b"\n"
