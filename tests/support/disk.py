"""A disk that is full, and what is no regular file."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IRREGULAR = ("FIFO", "link to a FIFO", "socket", "device", "folder")
NOT_REGULAR = "it is not a regular file"


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process grows beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def make_irregular(kind: str, path: Path) -> Path:
    """Make what is no regular file at a path; a device is a link to one, and so is a FIFO elsewhere."""
    match kind:
        case "FIFO":
            os.mkfifo(path)
        case "link to a FIFO":
            os.mkfifo(path.with_name("fifo"))
            path.symlink_to("fifo")
        case "socket":
            # Its path may be longer than an address can be.
            with socket.socket(socket.AF_UNIX) as server:
                folder = os.open(path.parent, os.O_RDONLY)
                server.bind(f"/proc/self/fd/{folder}/{path.name}")
                os.close(folder)
        case "device":
            path.symlink_to("/dev/full")
        case _:
            path.mkdir()
    return path
