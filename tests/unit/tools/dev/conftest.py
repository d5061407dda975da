"""Configs in temporary folders."""

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """\
version: 1
queues: {q: {dead_letter: d}}
tables: {things: {key: {id: S}}}
routes:
  r:
    queue: q
    table: things
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a config of one route `r` with more lines, and returns its path."""

    def put(route: str, head: str = HEAD) -> Path:
        file = tmp_path / "routes.yaml"
        file.write_text(head + route, encoding="utf-8")
        return file

    return put
