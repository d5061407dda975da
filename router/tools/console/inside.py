"""Reads and replaces a file of a folder by descriptors, so that nothing outside of the folder is
read or written.

A path is looked up once, with its links. From then on no link is followed: a folder of the path
that somebody replaces by a link meanwhile is an error.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from router.runtime.config.merge import resolve_inside
from router.runtime.config.source import MAX_BYTES
from router.runtime.filesystem import open_regular, read_descriptor
from router.tools.deploy.file_writing import replace_in

_OUT = "it leads out of the folder of the config"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NOT_FOLLOWED = frozenset((errno.ELOOP, errno.EMLINK, errno.ENOTDIR))
"""The errors of `open` for a link that is not to be followed: those of POSIX, of FreeBSD, and of a
folder.
"""


class FileInside(Struct, frozen=True):
    """A file that may be there: its name in a folder, and the descriptor of that folder."""

    name: str
    folder: int

    def exists(self) -> bool:
        """Whether there is something of this name."""
        try:
            os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def read(self) -> bytes:
        """Return the content, or as much as is too much for a config; raises OSError unless it is a
        regular file.
        """
        with _naming_links(self.name):
            descriptor = open_regular(self.name, os.O_RDONLY | os.O_NOFOLLOW, folder=self.folder)
        return read_descriptor(descriptor, MAX_BYTES + 1)

    def replace(self, content: bytes) -> None:
        """Write the file, with the mode that it has; raises OSError."""
        replace_in(self.name, content, folder=self.folder)


@contextmanager
def open_inside(path: Path, folder: Path) -> Iterator[FileInside]:
    """Enter with a file of a folder; a link must lead to one in the folder, too. Raises OSError."""
    root = folder.resolve()
    real = resolve_inside(folder, path.absolute())
    if real is None or not real.is_relative_to(root):
        raise OSError(errno.EACCES, _OUT)
    *folders, name = real.relative_to(root).parts or (".",)
    descriptor = _open_folder(root, folders)
    try:
        yield FileInside(name, descriptor)
    finally:
        os.close(descriptor)


def _open_folder(root: Path, names: Sequence[str]) -> int:
    """Return the descriptor of a folder below another one, without following a link."""
    with _naming_links(root.name):
        descriptor = os.open(root, _FOLDER)
    for name in names:
        try:
            with _naming_links(name):
                inner = os.open(name, _FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


@contextmanager
def _naming_links(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_FOLLOWED:
            raise OSError(errno.ELOOP, "a link has taken its place", name) from None
        raise
