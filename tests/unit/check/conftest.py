"""Finds in a config of one route, with what it needs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from router.check.run import check

Find = Callable[..., list[str]]


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Find:
    """What is found in a route `r` of a queue `q` and a table `t`, of which each line is given without its place."""
    monkeypatch.chdir(tmp_path)

    def run(
        route: str,
        schema: str = "",
        table: str = "key: {id: S}",
        queue: str = "dead_letter: dlq",
        name: str = "q",
        plugin: str = "",
    ) -> list[str]:
        Path("schema.json").write_text(schema or "true", encoding="utf-8")
        Path("own.py").write_text(f"from router import *\n{plugin}", encoding="utf-8")
        schema = ", schema: schema.json" if schema else ""
        Path("routes.yaml").write_text(
            f"version: 1\nplugins: [{'own.py' if plugin else ''}]\nqueues: {{{name}: {{{queue}}}}}\n"
            f"tables: {{t: {{name: table, {table}}}}}\nroutes:\n"
            f"  r: {{queue: {name}, table: t{schema}, {route}}}\n",
            encoding="utf-8",
        )
        return [f"{each.code.id} {each.sentence}; {each.suggestion}" for each in check(Path("routes.yaml"), {})]

    return run


@pytest.fixture
def find_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Find:
    """What is found in a whole config, with JSON Schemas by file name."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, **schemas: str) -> list[str]:
        for stem, schema in schemas.items():
            Path(f"{stem}.json").write_text(schema, encoding="utf-8")
        Path("routes.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")
        return [f"{each.code.id} {each.sentence}; {each.suggestion}" for each in check(Path("routes.yaml"), {})]

    return run
