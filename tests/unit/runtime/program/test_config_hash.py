"""The hash of a config: what it depends on, and what it does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import load_program

CONFIG = """
version: 1
plugins: [own.py]
queues:
  a: {name: "${STAGE}-a", dead_letter: d}
tables:
  things: {key: {id: S}}
routes:
  one: {queue: a, table: things, when: "x", schema: s.json}
  two: {queue: a, table: things}
"""
FILES = {"routes.yaml": CONFIG, "s.json": '{"required": ["id"], "type": "object"}', "own.py": "A = 1\n"}
ROUTES = CONFIG.splitlines()[-2:]
Hash = Callable[..., str]


@pytest.fixture
def hash_of(tmp_path: Path) -> Hash:
    """The hash of a config with some of its files changed."""

    def load(stage: str = "dev", **changed: str) -> str:
        for name, content in {**FILES, **{each.replace("_", "."): text for each, text in changed.items()}}.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        return load_program(tmp_path / "routes.yaml", {"STAGE": stage}).hash

    return load


@pytest.mark.parametrize(
    "changed",
    [
        {"routes_yaml": CONFIG + "# a comment\n"},
        {"routes_yaml": CONFIG.replace("{queue: a, table: things}", "\n    table: things\n    queue: a")},
        {
            "routes_yaml": CONFIG.replace(
                "{queue: a, table: things}", "{queue: a, table: things, tests: [{message: {}}]}"
            )
        },
        {"s_json": '{ "required" :\n["id"],"type":  "object" }'},
    ],
)
def test_what_has_no_effect(hash_of: Hash, changed: dict[str, str]) -> None:
    """Comments, layout, and tests."""
    assert hash_of(**changed) == hash_of()


@pytest.mark.parametrize(
    "changed",
    [
        {"stage": "prod"},
        {"routes_yaml": CONFIG.replace('"x"', '"y"')},
        {"routes_yaml": CONFIG.replace("\n".join(ROUTES), "\n".join(reversed(ROUTES)))},
        {"s_json": '{"required": ["other"]}'},
        {"own_py": "A = 2\n"},
    ],
)
def test_what_has_an_effect(hash_of: Hash, changed: dict[str, str]) -> None:
    """Variables, expressions, the order of routes, schema files and plugin files."""
    assert hash_of(**changed) != hash_of()


def test_the_form(hash_of: Hash) -> None:
    """16 hexadecimal digits."""
    digits = hash_of()

    assert (len(digits), set(digits) <= set("0123456789abcdef")) == (16, True)


def test_a_plugin_whose_file_is_gone(tmp_path: Path, hash_of: Hash) -> None:
    """It is loaded, and only its name counts."""
    before = hash_of()
    program = load_program(tmp_path / "routes.yaml", {"STAGE": "dev"})
    (tmp_path / "own.py").unlink()

    assert program.hash != before
