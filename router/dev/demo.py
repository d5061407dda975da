"""The demo's run: the queues and tables of a config, its messages, and the real worker, all on the embedded AWS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from router.dev.demo_run import play
from router.dev.provision import QueueSpec, TableSpec, clients, create_queues, create_tables
from router.dev.results import Played, Said
from router.dev.samples import Sending
from router.dev.server import LocalAws
from router.errors import UsageError
from router.program.load import Program

STOP_SECONDS = 30
"""How long the worker may take to end after SIGTERM."""


def play_with_worker(
    program: Program, config: Path, sendings: Sequence[Sending], local: LocalAws, env: Mapping[str, str] | None = None
) -> Played:
    """Make queues and tables, send the messages, run the worker until the queues are empty; raises UsageError.

    `env` are variables that the worker gets too: those of the tests that the messages are of.
    """
    _provision(program, local)
    return play(program, sendings, local, lambda: _working(config, local, env or {}))


def _provision(program: Program, local: LocalAws) -> None:
    """Make what the config names."""
    tables, queues = clients(local)
    config = program.config
    create_tables(
        tables,
        [TableSpec(table.name or name, tuple(table.key.items()), table.ttl) for name, table in config.tables.items()],
    )
    read = program.engine.queues.values()
    create_queues(queues, [QueueSpec(queue.reference, queue.dead_letter) for queue in read])


class Worker:
    """The real worker, as a user would start it, but for its AWS; its log is read while it is written."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log = log

    def said(self) -> Mapping[str, Said]:
        """The last line that it logged about each message; none says that it was written."""
        if self._process.poll() is not None:
            raise UsageError(f"the worker ended by itself:\n{self._whole().decode(errors='replace')}")
        return self._read()

    def finish(self) -> Mapping[str, Said]:
        """Stop it with SIGTERM; all that it said."""
        self._process.terminate()
        self._process.wait(STOP_SECONDS)
        return self._read()

    def _read(self) -> Mapping[str, Said]:
        said: dict[str, Said] = {}
        for line in self._whole().splitlines(keepends=True):
            fields = json.loads(line) if line.startswith(b"{") and line.endswith(b"\n") else {}
            if "outcome" in fields:
                said[fields["message_id"]] = fields
        return said

    def _whole(self) -> bytes:
        """All of the log: its position, which the writer shares, stays where it is."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0)


@contextmanager
def _working(config: Path, local: LocalAws, more: Mapping[str, str]) -> Iterator[Worker]:
    # No test can name another AWS.
    env = local.environment() | {name: value for name, value in more.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-P", "-m", "router", "worker", "--config", str(config), "--wait", "1"]
    command += ["--bare-names", "--end-with-input"]
    with (
        TemporaryFile() as log,
        subprocess.Popen(  # noqa: S603 — our own program
            command, env=env, stdin=subprocess.PIPE, stderr=log
        ) as process,
    ):
        try:
            yield Worker(process, log)
        finally:
            if process.poll() is None:
                process.kill()
