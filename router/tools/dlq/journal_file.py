"""Journals: files of JSON lines that say what a command has done, for when it is run again."""

import errno
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Self

from router.errors import UsageError, reason_of
from router.model import JsonObject
from router.runtime.filesystem import open_regular, read_regular
from router.tools.deploy.file_writing import sync_folder
from router.tools.dev.file_lock import lock

_ROOM = b"\0"
"""What fills the file after its last line, while a command runs."""
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NO_ALLOCATION = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))
"""The errors of a file system that cannot allocate."""
_OTHER = "name another with --journal"


class JournalFile(ABC):
    """A journal that is written to inside of its context, by one command at a time.

    A class of journals says what its lines mean. Room for lines is allocated before what they are about is done: on a
    full disk they would be lost otherwise, and the next run would do it again.
    """

    command: ClassVar[str]
    """The command that writes it."""
    begin: ClassVar[bytes]
    """What each line begins with."""

    def __init__(self, path: Path, *, again: bool = False) -> None:
        """Read a journal, if there is one of an earlier run, or with `again` begin a new one; raises UsageError."""
        self.path = path
        self._again = again
        self._end = 0
        try:
            content = read_regular(path)
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise UsageError(
                f"cannot read the journal {path}: {reason_of(error)}; {_OTHER}"
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
            if self.is_needed:
                os.ftruncate(self._descriptor, self._end)
            else:
                self.path.unlink()
        os.close(self._descriptor)

    @property
    @abstractmethod
    def is_needed(self) -> bool:
        """Whether a later run needs the file."""

    @abstractmethod
    def clear(self) -> None:
        """Forget all lines."""

    @abstractmethod
    def read(self, entry: JsonObject) -> None:
        """Take a line; raises KeyError, TypeError, or ValueError for one that is none of this journal."""

    def make_room(self, size: int) -> None:
        """Make room for lines of so many bytes; raises UsageError."""
        with self._writing():
            _allocate(self._descriptor, self._end, size)
            # Some file systems know only now whether they have the room.
            os.fsync(self._descriptor)

    def append(self, lines: Iterable[bytes], *, sync: bool) -> None:
        """Add lines, and with `sync` wait until they are on the disk; raises UsageError."""
        content = b"".join(lines)
        with self._writing():
            _write(self._descriptor, self._end, content)
            self._end += len(content)
            if sync:
                os.fsync(self._descriptor)

    def _open(self) -> int:
        try:
            sync_folder(self.path.parent)
            descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise UsageError(
                f"cannot write the journal {self.path}: {reason_of(error)}; {_OTHER}"
            ) from None
        if not lock(descriptor):
            os.close(descriptor)
            raise UsageError(
                f"another '{self.command}' writes the journal {self.path}; wait for its end, or name another file "
                "with --journal"
            )
        return descriptor

    def _load(self, content: bytes) -> None:
        # The room after the lines, or lines that were not on the disk for sure when the machine stopped.
        written, _, _ = content.partition(_ROOM)
        end = written.rfind(b"\n") + 1
        # The last line has no end if the run was killed while it wrote.
        torn = written[end:]
        if not content.isascii() or not (
            torn.startswith(self.begin) or self.begin.startswith(torn)
        ):
            raise self._foreign()
        self.clear()
        try:
            for line in written[:end].splitlines():
                self.read(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._foreign() from None
        if self._again:
            self.clear()
        else:
            self._end = end

    def _foreign(self) -> UsageError:
        return UsageError(f"{self.path} is not a journal of '{self.command}'; {_OTHER}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = "make room there, and" if error.errno in _FULL else "when it can be written,"
            sentence = f"cannot write the journal {self.path}: {reason_of(error)}; {advice} run the same command again"
            raise UsageError(sentence) from None


def line(entry: JsonObject) -> bytes:
    """Return a line of a journal."""
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


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
