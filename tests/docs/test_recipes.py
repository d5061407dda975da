"""The how-to pages: each configuration is proved as `router check --strict` does, and passes its tests."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.cli import app

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path for path in (ROOT / "docs" / "how-to").glob("*.md") if path.name != "README.md")
ENVIRONMENT = {"ROUTER_REDACT_KEY": "k" * 32}


@pytest.mark.parametrize("page", RECIPES, ids=lambda page: page.stem)
def test_a_recipe(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its configuration has no error, no warning and no claim that is not proved, but what it accepts with a reason."""
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    text = page.read_text(encoding="utf-8")
    for name, content in re.findall(r"^```\w+ title=(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    checked = CliRunner().invoke(app, ["check", "--strict"], env=ENVIRONMENT)
    tested = CliRunner().invoke(app, ["test"], env=ENVIRONMENT)

    assert (checked.exit_code, tested.exit_code) == (0, 0), checked.output + tested.output
