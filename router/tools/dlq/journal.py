"""The journal of a redrive: the messages whose outcome is confirmed, and which of them are deleted."""

import errno
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, get_args

from router.errors import UsageError
from router.model import OutcomeKind
from router.runtime.filesystem import open_regular, read_regular, sync_folder

if sys.platform != "win32":
    import fcntl

_BEGIN = b'{"id": "'
"""What each line begins with."""
_LONGEST = max(get_args(OutcomeKind), key=len)
"""The result with the longest line."""
_ROOM = b"\0"
"""What fills the file after its last line, while a command runs."""
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NO_ALLOCATION = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))
"""The errors of a file system that cannot allocate."""
_OTHER = "name another with --journal"


class Journal:
    """A file with the messages whose outcome is confirmed, and which of them are deleted; a context that writes to it.

    The file is deleted at the end, unless there is a message that is confirmed and not deleted: one that is not visible
    yet after a command was killed would be delivered again. That of an export has all of these, and stays. Only one
    command at a time writes to it.

    Room for the lines of a message is allocated before the message is delivered: on a full disk, its line would be lost
    otherwise, and the next run would deliver it again.
    """

    def __init__(self, path: Path, *, again: bool = False) -> None:
        """Read a journal, if there is one of an earlier run, or with `again` begin a new one; raises UsageError."""
        self.path = path
        self._again = again
        self._undeleted: dict[str, str] = {}
        self._end = 0
        try:
            content = read_regular(path)
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise UsageError(
                f"cannot read the journal {path}: {_reason(error)}; {_OTHER}"
            ) from None
        self._load(content)

    def __enter__(self) -> Self:
        """Open the file, and read what another command has added since; raises UsageError."""
        self._descriptor = self._open()
        while not _is_file_of(self._descriptor, self.path):
            # The command that had it deleted it between the two calls.
            os.close(self._descriptor)
            self._descriptor = self._open()
        try:
            with open(self._descriptor, "rb", closefd=False) as stream:
                self._load(stream.read())
            with self._writing():
                os.ftruncate(self._descriptor, self._end)
        except UsageError:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # A file that cannot be deleted or shortened says the same as one that is.
        with suppress(OSError):
            if self._undeleted:
                os.ftruncate(self._descriptor, self._end)
            else:
                self.path.unlink()
        os.close(self._descriptor)

    @property
    def undeleted(self) -> Mapping[str, str]:
        """The results of the messages that are confirmed and not deleted, by id."""
        return self._undeleted

    def result(self, message_id: str) -> str | None:
        """Return the result of a message that is confirmed and not deleted."""
        return self._undeleted.get(message_id)

    def reserve(self, ids: Sequence[str]) -> None:
        """Make room for the lines of messages; raises UsageError, after which none of them may be delivered."""
        lines = [*_confirmed(dict.fromkeys(ids, _LONGEST)), *_deleted(ids)]
        size = sum(map(len, lines))
        if size:
            with self._writing():
                _allocate(self._descriptor, self._end, size)
                # Some file systems know only now whether they have the room.
                os.fsync(self._descriptor)

    def confirm(self, results: Mapping[str, str]) -> None:
        """Add results by message id, and wait until they are on the disk; raises UsageError."""
        if results:
            self._undeleted |= results
            with self._writing():
                self._append(_confirmed(results))
                os.fsync(self._descriptor)

    def delete(self, ids: Collection[str]) -> None:
        """Note that confirmed messages are deleted from their dead-letter queue; raises UsageError."""
        for id_ in ids:
            del self._undeleted[id_]
        with self._writing():
            self._append(_deleted(ids))

    def _open(self) -> int:
        try:
            sync_folder(self.path.parent)
            descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise UsageError(
                f"cannot write the journal {self.path}: {_reason(error)}; {_OTHER}"
            ) from None
        if not _lock(descriptor):
            os.close(descriptor)
            raise UsageError(
                f"another 'router dlq redrive' writes the journal {self.path}; wait for its end, or name another file "
                "with --journal"
            )
        return descriptor

    def _load(self, content: bytes) -> None:
        # The room after the lines, or lines that were not on the disk for sure when the machine stopped.
        written, _, _ = content.partition(_ROOM)
        end = written.rfind(b"\n") + 1
        # The last line has no end if the run was killed while it wrote.
        torn = written[end:]
        if not content.isascii() or not (torn.startswith(_BEGIN) or _BEGIN.startswith(torn)):
            raise self._foreign()
        undeleted: dict[str, str] = {}
        for line in written[:end].splitlines():
            self._read(line, undeleted)
        if not self._again:
            self._undeleted, self._end = undeleted, end

    def _read(self, line: bytes, undeleted: dict[str, str]) -> None:
        try:
            entry = json.loads(line)
            if entry.get("deleted"):
                undeleted.pop(entry["id"], None)
            else:
                undeleted[entry["id"]] = entry["result"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._foreign() from None

    def _foreign(self) -> UsageError:
        return UsageError(f"{self.path} is not a journal of 'router dlq redrive'; {_OTHER}")

    def _append(self, lines: Iterable[bytes]) -> None:
        content = b"".join(lines)
        _write(self._descriptor, self._end, content)
        self._end += len(content)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = "make room there, and" if error.errno in _FULL else "when it can be written,"
            sentence = f"cannot write the journal {self.path}: {_reason(error)}; {advice} run the same command again"
            raise UsageError(sentence) from None


def _confirmed(results: Mapping[str, str]) -> Iterator[bytes]:
    return (_line({"id": id_, "result": result}) for id_, result in results.items())


def _deleted(ids: Iterable[str]) -> Iterator[bytes]:
    return (_line({"id": id_, "deleted": True}) for id_ in ids)


def _line(entry: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(entry)}\n".encode()


def _allocate(descriptor: int, start: int, size: int) -> None:
    """Make the disk keep room for so many bytes; they are zeros until they are written. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, start, size)
        except OSError as error:
            if error.errno not in _NO_ALLOCATION:
                raise
        else:
            return
    _write(descriptor, start, _ROOM * size)


def _write(descriptor: int, start: int, content: bytes) -> None:
    os.lseek(descriptor, start, os.SEEK_SET)
    left = memoryview(content)
    while left:
        # On a disk that gets full, a part is written first.
        left = left[os.write(descriptor, left) :]


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _lock(descriptor: int) -> bool:
    """Lock a file while it is open; return False if another process has it locked."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
