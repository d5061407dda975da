"""Opens regular files.

A FIFO in a folder would be waited for until somebody writes to it, and a device may never end.
"""

import errno
import os
import stat
from pathlib import Path

NOT_REGULAR = "it is not a regular file"
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_CANNOT_BE_OPENED = frozenset((errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP))
"""The errors of `open` for a socket, a FIFO without a reader and a device without a driver."""


def open_regular(
    path: str | Path, flags: int = os.O_RDONLY, mode: int = 0o666, *, folder: int | None = None
) -> int:
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
    return read_descriptor(open_regular(path), size)


def read_descriptor(descriptor: int, size: int = -1) -> bytes:
    """Return what is left of an open file, at most `size` bytes of it if that is given, and close it."""
    with open(descriptor, "rb") as stream:
        return stream.read(size)
