"""Ends a process of ours with the program that started it, in whatever way that ends, SIGKILL included."""

import os
import select
import threading

STANDARD_INPUT = 0
_LOOK_SECONDS = 0.2


def end_with_input() -> None:
    """From now on, end this process once its standard input does.

    Standard input is a pipe that the starting program holds; the system closes it when that program ends.
    """
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(STANDARD_INPUT, 1024):
        pass
    # Nothing here is worth a shutdown in order, which could hang.
    os._exit(0)


def wait_for_input(child: int) -> None:
    """Wait until standard input ends, or a child process of that id does."""
    while True:
        readable, _, _ = select.select([STANDARD_INPUT], [], [], _LOOK_SECONDS)
        if readable and not os.read(STANDARD_INPUT, 1024):
            return
        if os.waitpid(child, os.WNOHANG)[0]:
            return
