"""`router dlq` on many dead letters: what it takes, and whether each has its effect."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from router.model import Table
from tests.faults.fault_rig import FOLDER
from tests.support.dev import LocalAws, clients, create_table, scan_table

CONFIG = """
version: 1
queues: {letters: {dead_letter: dead}}
tables: {letters: {name: TABLE, key: {id: S}}}
routes:
  letters: {queue: letters, table: letters, write: {mode: insert}}
"""

MEASURED = """
import pathlib, re, router.tools.cli
try:
    router.tools.cli.main()
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path("memory").write_text(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])
"""
"""Runs `router`, and writes the most memory that it had, in KiB; `wait4` would count what the parent has too."""


class Cost(NamedTuple):
    """What a command took for so many letters: seconds, and the most memory in MiB."""

    command: str
    letters: int
    seconds: float
    memory: float


class ManyLetters:
    """A dead-letter queue with letters, and the commands; `server` has the table."""

    def __init__(self, server: LocalAws, queue: "subprocess.Popen[str]", folder: Path, letters: int) -> None:
        assert queue.stdout
        self.letters = letters
        self._queue = queue
        self._folder = folder
        self._table = f"many-{uuid.uuid4().hex[:8]}"
        self._dynamodb, _ = clients(server)
        create_table(self._dynamodb, Table(self._table, (("id", "S"),)))
        (folder / "routes.yaml").write_text(CONFIG.replace("TABLE", self._table))
        endpoint = f"http://127.0.0.1:{queue.stdout.readline().strip()}"
        self._environment = server.environment() | {"AWS_ENDPOINT_URL_SQS": endpoint}

    def counts(self) -> list[int]:
        """Return the numbers of visible, invisible and deleted letters."""
        assert self._queue.stdin
        assert self._queue.stdout
        self._queue.stdin.write("\n")
        self._queue.stdin.flush()
        counts: list[int] = json.loads(self._queue.stdout.readline())
        return counts

    def stored(self) -> int:
        """Return the number of items."""
        return len(scan_table(self._dynamodb, self._table))

    def run(self, *words: str) -> tuple[Cost, Any]:
        """Run `router dlq …`; return what it took and its JSON."""
        command = [sys.executable, "-c", MEASURED, "dlq", *words, "--json", "-c", "routes.yaml"]
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, stdout=subprocess.PIPE, text=True, check=False
        )
        seconds = time.monotonic() - started
        assert done.returncode < 2
        kibibytes = int((self._folder / "memory").read_text())
        return Cost(words[0], self.letters, seconds, kibibytes / 1024), json.loads(done.stdout)

    def list(self) -> Cost:
        """Run `list`, and check that it has counted and released all."""
        cost, (found,) = self.run("list")
        assert (found["messages"], found["not_received"], self.counts()) == (self.letters, 0, [self.letters, 0, 0])
        return cost

    def rehearse(self) -> Cost:
        """Run `rehearse`, and check that all pass and stay."""
        cost, (found,) = self.run("rehearse")
        assert (found["passing"], self.counts(), self.stored()) == (self.letters, [self.letters, 0, 0], 0)
        return cost

    def redrive(self) -> Cost:
        """Run `redrive`, and check that each letter has its effect and is gone."""
        cost, (found,) = self.run("redrive", "--yes")
        assert (found["redriven"], found["complete"]) == ({"written": self.letters}, True)
        assert (self.counts(), self.stored()) == ([0, 0, self.letters], self.letters)
        return cost


@contextmanager
def many_letters(server: LocalAws, folder: Path, letters: int) -> Iterator[ManyLetters]:
    """Run a queue with so many dead letters."""
    command = [sys.executable, str(FOLDER / "letter_server.py"), str(letters)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as queue:
        yield ManyLetters(server, queue, folder, letters)
        assert queue.stdin
        queue.stdin.close()
