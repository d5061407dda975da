"""Processes that end with the program that started them, and the embedded AWS as one of them.

`python -m router.tools.dev.guard DIRECTORY PORT [STATE]` serves the embedded AWS on a port of the
loopback address, or on a free one for 0, prints the port, and ends when its standard input ends:
the system closes that when the program ends, in whatever way, SIGKILL included. It then kills the
server and the functions that it runs, and removes DIRECTORY. With STATE, a folder, the server
starts with the state in there, and saves it at the end.
"""

import asyncio
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

STANDARD_INPUT = 0
_POLL_SECONDS = 0.2
SAVE_SECONDS = 10
"""The time to save the state."""


def end_with_input(save_seconds: float = 0) -> None:
    """End this process when its standard input ends; by SIGTERM first, if it needs `save_seconds`
    to save its state.

    Standard input is a pipe of the program that started it; the system closes the pipe when that
    program ends.
    """
    threading.Thread(target=_wait, args=(save_seconds,), daemon=True).start()


def _wait(save_seconds: float) -> None:
    # Not by sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(STANDARD_INPUT, 1024):
        pass
    if save_seconds:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(save_seconds)
    # An orderly shutdown could hang.
    os._exit(0)


def wait_for_input(child: int) -> bool:
    """Wait until standard input or the child process of that id ends; return whether the child has
    ended.
    """
    while True:
        readable, _, _ = select.select([STANDARD_INPUT], [], [], _POLL_SECONDS)
        if readable and not os.read(STANDARD_INPUT, 1024):
            return False
        if os.waitpid(child, os.WNOHANG)[0]:
            return True


def _wait_for_end(child: int) -> None:
    """Wait until a child has saved its state."""
    end = time.monotonic() + SAVE_SECONDS
    while time.monotonic() < end and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(_POLL_SECONDS)


ADDRESS = "127.0.0.1"
_BACKLOG = 128


def settings(directory: str, port: int, state: str = "") -> dict[str, str]:
    """Return ministack's environment variables: no other listeners, no files outside `directory`
    but those of `state`.

    Without `state`, a folder, nothing is kept.
    """
    return {
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1" if state else "0",
        "S3_PERSIST": "1" if state else "0",
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
    ended = wait_for_input(server)
    if state and not ended:
        _wait_for_end(server)
    with suppress(ProcessLookupError):
        os.killpg(server, signal.SIGKILL)
    # After the kill, since running processes could create files again.
    shutil.rmtree(directory, ignore_errors=True)


def _run(directory: str, port: int, state: str) -> None:
    # For the case that the guard itself is killed, and to save the state.
    end_with_input(SAVE_SECONDS if state else 0)
    listener = socket.create_server((ADDRESS, port), backlog=_BACKLOG)
    port = listener.getsockname()[1]
    os.environ |= settings(directory, port, state)
    # Connections wait in the backlog until the server is up, so that clients need not poll.
    print(port, flush=True)  # noqa: T201
    # Standard output is not read any further; later output goes to the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_serve(listener))


async def _serve(listener: socket.socket) -> None:
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
    after_import(PROVISIONERS, accept_metric_math)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    await serve(ministack_app.app, config)


if __name__ == "__main__":
    main()
