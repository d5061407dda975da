"""The threads of a worker."""

from collections.abc import Callable
from threading import Thread


def start_daemon(name: str, run: Callable[..., object], *arguments: object) -> Thread:
    """Start a thread that does not keep the process alive if it hangs.

    Raises RuntimeError if the system has no further thread.
    """
    thread = Thread(target=run, args=arguments, name=name, daemon=True)
    thread.start()
    return thread
