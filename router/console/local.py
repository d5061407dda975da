"""The embedded AWS of `router console --local`: the queues, tables and worker of the config, as of `router local`."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from msgspec import Struct

from router.dev.emulator import LocalAws, local_aws
from router.dev.guard import ADDRESS
from router.dev.local import Report, keep_up, provision_new
from router.errors import RouterError
from router.program.load import load_program

PAUSE_SECONDS = 2.0
"""Before a worker that ended by itself is started again."""


class LocalTarget(Struct, frozen=True):
    """The environment that leads SDKs to an embedded AWS, and the address of the pages of its worker."""

    env: Mapping[str, str]
    worker: str


@contextmanager
def local_target(config: Path, env: Mapping[str, str], report: Report) -> Iterator[LocalTarget]:
    """Keep an embedded AWS up with a worker, and return where they are; raises RouterError."""
    program = load_program(config, env)
    stop = Event()
    report("starting the embedded AWS")
    with local_aws() as local:
        provision_new(program, local)
        report(f"the embedded AWS listens on {local.endpoint}")
        address = f"{ADDRESS}:{_free_port()}"
        worker = Thread(target=_keep_worker, args=(config, local, stop, report, address), daemon=True)
        worker.start()
        try:
            yield LocalTarget(local.environment(), address)
        finally:
            stop.set()
            worker.join()


def _free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _keep_worker(config: Path, local: LocalAws, stop: Event, report: Report, address: str) -> None:
    while not stop.is_set():
        try:
            keep_up(config, local, stop, report, address)
        except RouterError as error:
            report(f"{error}; it is started again")
            stop.wait(PAUSE_SECONDS)
