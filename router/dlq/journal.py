"""The journal of a redrive: what is confirmed, and not deleted yet, so that no run delivers it again."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TextIO

from router.errors import UsageError

if sys.platform != "win32":
    import fcntl


class Journal:
    """A file with the messages whose outcome is confirmed, and which of them are deleted; a context that writes to it.

    The file is deleted at the end, unless there is a message that is confirmed and not deleted: one that is not visible
    yet after a command was killed would be delivered again. That of an export has all of these, and stays. Only one
    command at a time writes to it.
    """

    def __init__(self, path: Path, *, again: bool = False) -> None:
        """Read a journal, if there is one of an earlier run, or with `again` begin a new one; raises UsageError."""
        self.path = path
        self._again = again
        self._load()

    def __enter__(self) -> Self:
        """Open the file, and read what another command has added since; raises UsageError."""
        self._file = self._open()
        while not _is_file_of(self._file, self.path):
            # The command that had it deleted it between the two calls.
            self._file.close()
            self._file = self._open()
        self._load()
        self._file.truncate(self._complete)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._undeleted:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def result(self, message_id: str) -> str | None:
        """Return the result of a message that is confirmed and not deleted."""
        return self._undeleted.get(message_id)

    def confirm(self, results: Mapping[str, str]) -> None:
        """Add results by message id, and wait until they are on the disk."""
        if results:
            self._undeleted |= results
            self._write({"id": id_, "result": result} for id_, result in results.items())
            os.fsync(self._file.fileno())

    def delete(self, ids: Iterable[str]) -> None:
        """Note that messages are deleted from their dead-letter queue."""
        deleted = [id_ for id_ in ids if self._undeleted.pop(id_, None) is not None]
        self._write({"id": id_, "deleted": True} for id_ in deleted)

    def _open(self) -> TextIO:
        try:
            file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            why = (error.strerror or "error").lower()
            raise UsageError(f"cannot write the journal {self.path}: {why}; name another with --journal") from None
        if not _lock(file):
            file.close()
            raise UsageError(
                f"another 'router dlq redrive' writes the journal {self.path}; wait for its end, or name another file "
                "with --journal"
            )
        return file

    def _load(self) -> None:
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
            # The last line has no end if the run was killed while it wrote.
            self._complete = 0 if self._again else data.rfind(b"\n") + 1
            lines = data[: self._complete].decode().splitlines()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"cannot read the journal {self.path}") from None
        self._undeleted: dict[str, str] = {}
        for line in lines:
            self._read(line)

    def _write(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._file.writelines(json.dumps(entry) + "\n" for entry in entries)
        self._file.flush()

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
            if entry.get("deleted"):
                self._undeleted.pop(entry["id"], None)
            else:
                self._undeleted[entry["id"]] = entry["result"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self.path} is not a journal of 'router dlq redrive'") from None


def _lock(file: TextIO) -> bool:
    """Lock a file while it is open; return False if another process has it locked."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _is_file_of(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
