"""Processes that end with the program that started them, and the embedded AWS as one of them.

`python -m router.dev.guard DIRECTORY` serves the embedded AWS on a free port of the loopback address, prints the port,
and ends when its standard input ends: the system closes that when the program ends, in whatever way, SIGKILL included.
It then kills the server and the functions that it runs, and removes DIRECTORY.
"""

import asyncio
import os
import select
import shutil
import signal
import socket
import sys
import threading
from contextlib import suppress

STANDARD_INPUT = 0
_POLL_SECONDS = 0.2


def end_with_input() -> None:
    """End this process as soon as its standard input ends.

    Standard input is a pipe of the program that started it; the system closes the pipe when that program ends.
    """
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    # Not by sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(STANDARD_INPUT, 1024):
        pass
    # An orderly shutdown could hang, and there is nothing to save.
    os._exit(0)


def wait_for_input(child: int) -> None:
    """Wait until standard input or the child process of that id ends."""
    while True:
        readable, _, _ = select.select([STANDARD_INPUT], [], [], _POLL_SECONDS)
        if readable and not os.read(STANDARD_INPUT, 1024):
            return
        if os.waitpid(child, os.WNOHANG)[0]:
            return


ADDRESS = "127.0.0.1"
_BACKLOG = 128


def settings(directory: str, port: int) -> dict[str, str]:
    """Return ministack's environment variables: no state, no other listeners, no files outside `directory`."""
    return {
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "TMPDIR": directory,
        "STATE_DIR": directory,
        "S3_DATA_DIR": directory,
        "LOG_LEVEL": "WARNING",
        # By default it listens for MQTT and SFTP on all interfaces, and stops containers of other ministack servers.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{directory}/no-docker",
    }


def main() -> None:
    """Serve until standard input ends."""
    directory = sys.argv[1]
    server = os.fork()
    if not server:
        # A process group of its own, so that the functions that it runs can be killed with it.
        os.setsid()
        _run(directory)
        return
    wait_for_input(server)
    with suppress(ProcessLookupError):
        os.killpg(server, signal.SIGKILL)
    # After the kill, since running processes could create files again.
    shutil.rmtree(directory, ignore_errors=True)


def _run(directory: str) -> None:
    # For the case that the guard itself is killed.
    end_with_input()
    listener = socket.create_server((ADDRESS, 0), backlog=_BACKLOG)
    port = listener.getsockname()[1]
    os.environ |= settings(directory, port)
    # Connections wait in the backlog until the server is up, so that clients need not poll.
    print(port, flush=True)  # noqa: T201
    # Standard output is not read any further; later output goes to the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_serve(listener))


async def _serve(listener: socket.socket) -> None:
    # ministack reads its environment when it is imported.
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    await serve(app, config)


if __name__ == "__main__":
    main()
