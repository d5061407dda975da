"""The embedded AWS as processes that cannot outlive their program: `python -m router.dev.guard DIRECTORY`.

It serves on a free port of the loopback address, which it prints first, and until its standard input ends: the
system closes that when the program ends, in whatever way. Then the server ends, with the functions that it runs, and
DIRECTORY with them.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress

from router.dev.parent_watchdog import end_with_input, wait_for_input

ADDRESS = "127.0.0.1"
_BACKLOG = 128


def settings(directory: str, port: int) -> dict[str, str]:
    """What ministack reads from the environment: no state, no other listener, nothing outside `directory`."""
    return {
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "TMPDIR": directory,
        "STATE_DIR": directory,
        "S3_DATA_DIR": directory,
        "LOG_LEVEL": "WARNING",
        # It would listen for MQTT and SFTP on every interface, and stop containers of other servers of its kind.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{directory}/no-docker",
    }


def main() -> None:
    """Serve until standard input ends."""
    directory = sys.argv[1]
    server = os.fork()
    if not server:
        # A group of its own, to be ended as one with the functions that it runs.
        os.setsid()
        _run(directory)
        return
    wait_for_input(server)
    with suppress(ProcessLookupError):
        os.killpg(server, signal.SIGKILL)
    # Only then: what still runs could make files again.
    shutil.rmtree(directory, ignore_errors=True)


def _run(directory: str) -> None:
    # Should the guard be killed.
    end_with_input()
    listener = socket.create_server((ADDRESS, 0), backlog=_BACKLOG)
    port = listener.getsockname()[1]
    os.environ |= settings(directory, port)
    # Who asks now waits in the backlog until the server is up, so nobody needs to poll.
    print(port, flush=True)  # noqa: T201
    # Nobody reads on, so whatever else is printed goes to the log.
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
