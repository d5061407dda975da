"""What the tests of replays share: a program with queues, and sources."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.tools.replay.source import Source, SourceMessage, SourceOptions
from tests.support.program import Program, load_program

CONFIG = """
version: 1
queues:
  orders: {dead_letter: dead}
  wrapped: {envelope: [sns], encoding: base64}
tables: {orders: {key: {id: S}}}
routes:
  orders: {queue: orders, table: orders, item: {id: id, total: total, at: {meta: sent_at}}}
  wrapped: {queue: wrapped, table: orders}
"""
Read = Callable[..., list[SourceMessage]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The config of these tests."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return load_program(path, {})


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """Write a source with a line for each value, which is a text or anything else of JSON."""

    def write(*lines: Any, name: str = "source.jsonl") -> Path:
        path = tmp_path / name
        texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return path

    return write


@pytest.fixture
def read(program: Program) -> Read:
    """Read all messages of sources."""

    def read_all(*names: str | Path, start: int = 0, digest: int = 0, **reading: Any) -> list[SourceMessage]:
        return [*Source(program, [*map(str, names)], SourceOptions(**reading)).messages(start, digest)]

    return read_all
