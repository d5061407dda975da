"""Ends a process of ours with the program that started it, in whatever way that ends, SIGKILL included."""

import os
import shutil
import threading

STANDARD_INPUT = 0


def end_with_input(directory: str = "") -> None:
    """From now on, end this process once its standard input does, and `directory` with it.

    Standard input is a pipe that the starting program holds; the system closes it when that program ends.
    """
    threading.Thread(target=_wait, args=(directory,), daemon=True).start()


def _wait(directory: str) -> None:
    # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(STANDARD_INPUT, 1024):
        pass
    if directory:
        shutil.rmtree(directory, ignore_errors=True)
    # Nothing here is worth a shutdown in order, which could hang.
    os._exit(0)
