"""Writes files as a whole.

A file that is written in place has neither its old content nor its new one once the disk is full.
"""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from router.runtime.filesystem import NOT_REGULAR, open_regular

_KEPT_IN_PLACE = frozenset((errno.EACCES, errno.EBUSY, errno.EPERM, errno.EROFS))
"""The errors of a folder that takes no new files, and of a file that is mounted: the file may still be writable."""


def replace_file(path: Path, content: bytes) -> None:
    """Write a file as a whole, or leave it as it is; raises OSError.

    The mode stays, and so does a link. Only what cannot be replaced is written in place: a pipe or a device, a file
    that is open as `/dev/stdout`, one that is mounted, and one in a folder that takes no new files.
    """
    is_open = path.is_relative_to("/dev") or path.is_relative_to("/proc")
    if path.exists() and (is_open or not path.is_file()):
        path.write_bytes(content)
        return
    real = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        replace_in(real, content)
    except OSError as error:
        if error.errno not in _KEPT_IN_PLACE or not real.exists():
            raise
        real.write_bytes(content)


def replace_in(path: str | Path, content: bytes, *, folder: int | None = None) -> None:
    """Write a regular file by another one that takes its place, with its mode; raises OSError.

    A concurrent reader gets the old content or the new one. The last part of the path is not followed if it is a link.
    `folder` is the descriptor of the folder that the path is relative to.
    """
    new = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.urandom(4).hex()}")  # noqa: PTH118, PTH119, PTH120 — may be a name
    descriptor = open_regular(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _copy_mode(path, descriptor, folder)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        os.replace(new, path, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:  # whatever stopped it: nobody else knows the name of the new file
        with suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise


def _copy_mode(path: str | Path, descriptor: int, folder: int | None) -> None:
    """Give a new file the mode of the one whose place it takes, if there is one; raises OSError if that is no file."""
    try:
        mode = os.stat(path, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
    if sys.platform != "win32":
        os.fchmod(descriptor, stat.S_IMODE(mode))


def sync_folder(folder: Path) -> None:
    """Wait until the names of new files in a folder are on the disk, where that can be asked for; raises OSError."""
    if sys.platform == "win32":
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
