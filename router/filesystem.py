"""Opens regular files, and writes files as a whole.

A FIFO in a folder would be waited for until somebody writes to it, and a device may never end. A file that is written
in place has neither its old content nor its new one once the disk is full.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

NOT_REGULAR = "it is not a regular file"
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_CANNOT_BE_OPENED = frozenset((errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP))
"""The errors of `open` for a socket, a FIFO without a reader and a device without a driver."""
_KEPT_IN_PLACE = frozenset((errno.EACCES, errno.EBUSY, errno.EPERM, errno.EROFS))
"""The errors of a folder that takes no new files, and of a file that is mounted: the file may still be writable."""


def open_regular(path: str | Path, flags: int = os.O_RDONLY, mode: int = 0o666, *, folder: int | None = None) -> int:
    """Return a descriptor of a regular file, without waiting; raises OSError for anything else.

    `folder` is the descriptor of the folder that the path is relative to.
    """
    try:
        descriptor = os.open(path, flags | _AT_ONCE, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in _CANNOT_BE_OPENED:
            raise OSError(errno.EINVAL, NOT_REGULAR, str(path)) from None
        raise
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, NOT_REGULAR, str(path))


def read_regular(path: str | Path, size: int = -1) -> bytes:
    """Return the content of a regular file, at most `size` bytes of it if that is given; raises OSError."""
    with open(open_regular(path), "rb") as stream:
        return stream.read(size)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file as a whole, or leave it as it is; raises OSError.

    The mode stays, and so does a link. Only what cannot be replaced is written in place: a pipe or a device, a file
    that is mounted, and one in a folder that takes no new files.
    """
    real = Path(os.path.realpath(path))
    if real.exists() and not real.is_file():
        real.write_bytes(content)
        return
    new = real.with_name(f".{real.name}.{os.urandom(4).hex()}")
    try:
        with open(open_regular(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as stream:
            if real.exists():
                new.chmod(stat.S_IMODE(real.stat().st_mode))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(real)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        if error.errno not in _KEPT_IN_PLACE or not real.exists():
            raise
        real.write_bytes(content)


def sync_folder(folder: Path) -> None:
    """Wait until the names of new files in a folder are on the disk, where that can be asked for; raises OSError."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # new files need no permission to list the others
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
