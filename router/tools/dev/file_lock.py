"""Locks a file or a folder for one process."""

import sys

if sys.platform != "win32":
    import fcntl


def lock(descriptor: int) -> bool:
    """Lock what is open; return False if another process has it locked.

    It is locked until each process closes it that has inherited it. Windows has no such locks.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
