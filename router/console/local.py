"""The embedded AWS of `router console --local`: the queues, tables and worker of the config, as of `router local`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from router.dev.emulator import LocalAws, local_aws
from router.dev.local import Report, keep_up, provision_new
from router.errors import RouterError
from router.program.load import load_program

PAUSE_SECONDS = 2.0
"""Before a worker that ended by itself is started again."""


@contextmanager
def local_environment(config: Path, env: Mapping[str, str], report: Report) -> Iterator[Mapping[str, str]]:
    """Keep an embedded AWS up with a worker; return the environment that leads SDKs to it. Raises RouterError."""
    program = load_program(config, env)
    stop = Event()
    with local_aws() as local:
        provision_new(program, local)
        worker = Thread(target=_keep_worker, args=(config, local, stop, report), daemon=True)
        worker.start()
        try:
            yield local.environment()
        finally:
            stop.set()
            worker.join()


def _keep_worker(config: Path, local: LocalAws, stop: Event, report: Report) -> None:
    while not stop.is_set():
        try:
            keep_up(config, local, stop, report)
        except RouterError as error:
            report(f"{error}; it is started again")
            stop.wait(PAUSE_SECONDS)
