"""Processes that end with the program that started them, and the embedded AWS as one of them.

`python -m router.tools.dev.guard DIRECTORY PORT [STATE]` serves the embedded AWS on a port of the
loopback address, or on a free one for 0, prints the port, and ends when its standard input ends:
the system closes that when the program ends, in whatever way, SIGKILL included. It then kills the
server and the functions that it runs, and removes DIRECTORY. With STATE, a folder, the server
starts with the state in there, and saves it at the end, however long that takes; the guard prints
why, if it was not saved.
"""

import asyncio
import logging
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

STANDARD_INPUT = 0
_POLL_SECONDS = 0.2
SAVE_SECONDS = 60
"""A server that has written nothing of its state for so long does not save it any more."""
_START_SECONDS = 3600
"""To load the state, and to save it: longer than any."""
_LOG_LINES = 3
_ENDED = "the embedded AWS ended before"


def end_with_input(state: str = "") -> None:
    """End this process when its standard input ends; by SIGTERM first, if it saves its state in the
    folder `state`.

    Standard input is a pipe of the program that started it; the system closes the pipe when that
    program ends.
    """
    threading.Thread(target=_wait, args=(state,), daemon=True).start()


def _wait(state: str) -> None:
    # Not by sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(STANDARD_INPUT, 1024):
        pass
    if state:
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for_saving(state, lambda: False)
    # An orderly shutdown could hang.
    os._exit(1 if state else 0)


class _Child:
    """A child process; `status` is that with which it has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status = 0

    def has_ended(self) -> bool:
        """Return whether it has ended; not to be called again once it has."""
        ended, self.status = os.waitpid(self.pid, os.WNOHANG)
        return bool(ended)


def _wait_for_input(child: _Child) -> bool:
    """Wait until standard input or a child ends; return whether the child has ended."""
    while True:
        readable, _, _ = select.select([STANDARD_INPUT], [], [], _POLL_SECONDS)
        if readable and not os.read(STANDARD_INPUT, 1024):
            return False
        if child.has_ended():
            return True


def wait_for_saving(folder: str, has_ended: Callable[[], bool]) -> bool:
    """Wait until the process that saves its state in a folder `has_ended`; return False if it has
    written nothing for SAVE_SECONDS before.
    """
    seen: dict[str, tuple[int, int]] = {}
    end = time.monotonic() + SAVE_SECONDS
    while not has_ended():
        found = _files(folder)
        if found != seen:
            seen, end = found, time.monotonic() + SAVE_SECONDS
        if time.monotonic() >= end:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _files(folder: str) -> dict[str, tuple[int, int]]:
    """Return the size of each file of a folder, and when it was written."""
    found = {}
    # It may be gone, or something else by now.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            # It may be renamed meanwhile.
            with suppress(FileNotFoundError):
                status = entry.stat()
                found[entry.name] = status.st_size, status.st_mtime_ns
    return found


def _save(state: str, server: _Child, log: str) -> str:
    """Wait until a server whose input has ended has saved its state; return why it did not, or ""."""
    if not wait_for_saving(state, server.has_ended):
        return f"nothing of it was written for {SAVE_SECONDS} s"
    if not server.status:
        return ""
    last = ""
    with suppress(FileNotFoundError), open(log, errors="replace") as lines:  # noqa: PTH123 — no other use of pathlib here
        last = "; ".join(lines.read().splitlines()[-_LOG_LINES:])
    return last or _ENDED


ADDRESS = "127.0.0.1"
_BACKLOG = 128


def settings(directory: str, port: int, state: str = "") -> dict[str, str]:
    """Return ministack's environment variables: no other listeners, no files outside `directory`
    but those of `state`.

    Without `state`, a folder, nothing is kept.
    """
    keeps = "1" if state else "0"
    return {
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": keeps,
        "S3_PERSIST": keeps,
        "TMPDIR": directory,
        "STATE_DIR": state or directory,
        "S3_DATA_DIR": os.path.join(state, "s3") if state else directory,  # noqa: PTH118 — no other use of pathlib here
        "LOG_LEVEL": "WARNING",
        # By default it listens for MQTT and SFTP on all interfaces, and stops containers of other ministack servers.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{directory}/no-docker",
    }


def main() -> None:
    """Serve until standard input ends."""
    directory, port, *state = sys.argv[1:]
    server = os.fork()
    if not server:
        # A process group of its own, so that the functions that it runs can be killed with it.
        os.setsid()
        _run(directory, int(port), "".join(state))
        return
    child = _Child(server)
    ended = _wait_for_input(child)
    unsaved = _ENDED if ended else ""
    if state and not ended:
        unsaved = _save(state[0], child, os.path.join(directory, "log"))  # noqa: PTH118 — as above
    if state and unsaved:
        # The program that started it may have ended.
        with suppress(OSError):
            print(unsaved, flush=True)  # noqa: T201 — for the program that started it
    with suppress(ProcessLookupError):
        os.killpg(server, signal.SIGKILL)
    # After the kill, since running processes could create files again.
    shutil.rmtree(directory, ignore_errors=True)


def _run(directory: str, port: int, state: str) -> None:
    # For the case that the guard itself is killed, and to save the state.
    end_with_input(state)
    listener = socket.create_server((ADDRESS, port), backlog=_BACKLOG)
    port = listener.getsockname()[1]
    os.environ |= settings(directory, port, state)
    # Connections wait in the backlog until the server is up, so that clients need not poll.
    print(port, flush=True)  # noqa: T201 — for the program that started it
    # Standard output is not read any further; later output goes to the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    unkept = _Unkept(logging.ERROR)
    asyncio.run(_serve(listener, unkept))
    if unkept.found:
        sys.exit(1)


class _Unkept(logging.Handler):
    """Notes that ministack could not load or save some of its state, which it only logs."""

    found = False

    def emit(self, _: logging.LogRecord) -> None:
        self.found = True


async def _serve(listener: socket.socket, unkept: _Unkept) -> None:
    # ministack reads its environment when it is imported.
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack_app
    from ministack.core.lambda_runtime import Worker

    from router.tools.dev.alarm_math import PROVISIONERS, accept_metric_math, after_import
    from router.tools.dev.function_log import read_whole_logs

    # No call leaves the machine, so that policies which ask for TLS hold.
    pin = ministack_app.pin_request_origin
    ministack_app.pin_request_origin = lambda address, _: pin(address, True)
    read_whole_logs(Worker)
    _watch_state(ministack_app, unkept)
    after_import(PROVISIONERS, accept_metric_math)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.startup_timeout = config.shutdown_timeout = _START_SECONDS
    await serve(ministack_app.app, config)


def _watch_state(ministack_app: Any, unkept: _Unkept) -> None:
    """End the server if it cannot load all of its state: it would save the rest over it at the end."""
    logging.getLogger("persistence").addHandler(unkept)
    load = ministack_app._load_persisted_state

    def load_all() -> None:
        ministack_app.logger.addHandler(unkept)
        load()
        ministack_app.logger.removeHandler(unkept)
        if unkept.found:
            os._exit(1)

    ministack_app._load_persisted_state = load_all


if __name__ == "__main__":
    main()
