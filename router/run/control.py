"""The line between a worker process and the one that started it: asked `?`, it says how it is; when the line ends,
so does the worker.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import msgspec

from router.run.state import State

QUESTION = b"?\n"
_READ_BYTES = 1024


class Control:
    """The worker's end, a connected socket by its file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)

    def serve(self, look: Callable[[], State]) -> None:
        """Answer from now on, in a thread; that there is an answer at all says that the worker has started."""
        threading.Thread(target=self._serve, args=(look,), name="control", daemon=True).start()

    def _serve(self, look: Callable[[], State]) -> None:
        # An error of it is its end, too.
        with suppress(OSError), self._socket as line:
            while asked := line.recv(_READ_BYTES):
                for _ in range(asked.count(QUESTION)):
                    line.sendall(msgspec.json.encode(look()) + b"\n")
        # Whoever started it is gone: nobody would stop it, and whoever is started next has workers of its own.
        os.kill(os.getpid(), signal.SIGTERM)
