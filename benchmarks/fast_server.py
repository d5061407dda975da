"""The server of canned answers in Rust, for workers by HTTP: it takes half of the processor time of the one in Python.

Both give the same bytes. Those of the server in Rust are made by the one in Python before the run, and its requests are
verified by it after the run. `server/src/main.rs` describes what it does.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request

import rust
from answering import CONSTANT, Answers
from environment import HERE
from serving import Server, direct

SOURCES = HERE / "server"
_QUEUE = b"receivemessage"
_NAMED = (b"getqueueurl", b"getqueueattributes", b"describetable")


class FastServer(Server):
    """The running server: its queue has the messages that it was given, and no rate."""

    def __init__(self, port: str) -> None:
        super().__init__(port, "", Path())
        self._size, self._count = "", 0

    def fill(self, size: str, count: int, rate: float = 0.0) -> None:
        """Put messages into its queue."""
        self._size, self._count = size, count
        data = _join(_prepare(size, count, self.endpoint))
        with direct.open(Request(f"{self.endpoint}/fill?count={count}", data)):
            pass

    def report(self) -> dict[str, Any]:
        """Return the report of the requests since then, as the server in Python does."""
        with direct.open(f"{self.endpoint}/report") as answer:
            (_, found), *requests = _split(answer.read())
        answers = Answers()
        answers.fill(self._size, 0, 0)
        for operation, content in requests:
            answers.answer(operation, content, self.endpoint)
        report: dict[str, Any] = answers.report() | json.loads(found)
        return report


def _prepare(size: str, count: int, endpoint: str) -> Iterator[tuple[bytes, bytes]]:
    """Return all answers that do not depend on the call, with the operation of each."""
    answers = Answers()
    answers.fill(size, count, 0)
    content = json.dumps({"QueueName": size, "TableName": size}).encode()
    for operation in (*CONSTANT, *_NAMED, *[_QUEUE] * -(-count // 10)):
        yield operation, answers.answer(operation, content, endpoint)[0]


def _join(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(len(part).to_bytes(4, "little") + part for pair in pairs for part in pair)


def _split(data: bytes) -> list[tuple[bytes, bytes]]:
    parts, place = [], 0
    while place < len(data):
        end = place + 4 + int.from_bytes(data[place : place + 4], "little")
        parts.append(data[place + 4 : end])
        place = end
    return list(zip(parts[::2], parts[1::2], strict=True))


@contextmanager
def serve_fast(folder: Path) -> Iterator[FastServer | str]:
    """Build and run the server while the context lasts, in a new folder; or return why it cannot be built."""
    program = rust.build(SOURCES, folder)
    if isinstance(program, str):
        yield program
        return
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield FastServer(process.stdout.readline().strip())
        process.stdin.close()
