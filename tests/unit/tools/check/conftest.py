"""Findings in a config, of loading and of the rules that report the codes in `CODES` of a test module."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.check import check, rules_reporting

Find = Callable[..., list[str]]


@pytest.fixture
def find_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Find:
    """Returns the findings, without their places, in a config without its version, with schemas by file name."""
    monkeypatch.chdir(tmp_path)
    rules = [rule for id_ in request.module.CODES for rule in rules_reporting(id_)]

    def run(text: str, **schemas: str) -> list[str]:
        for stem, schema in schemas.items():
            Path(f"{stem}.json").write_text(schema, encoding="utf-8")
        Path("routes.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")
        findings = check(Path("routes.yaml"), {}, rules=list(dict.fromkeys(rules)))
        return [f"{each.code.id} {each.sentence}; {each.suggestion}" for each in findings]

    return run


@pytest.fixture
def find(find_all: Find) -> Find:
    """Returns the findings in a route `r` of a queue `q` and a table `t`, with the schema and plugin that it needs."""

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
        return find_all(
            f"plugins: [{'own.py' if plugin else ''}]\nqueues: {{{name}: {{{queue}}}}}\n"
            f"tables: {{t: {{name: table, {table}}}}}\nroutes:\n"
            f"  r: {{queue: {name}, table: t{schema}, {route}}}\n"
        )

    return run
