"""The page of recipes: `router check` has no warning about a configuration there, and its tests pass."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.cli import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPES = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```yaml\n(version: 1\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
ENVIRONMENT = {"ROUTER_REDACT_KEY": "k" * 32}


@pytest.mark.parametrize("config", RECIPES.values(), ids=RECIPES)
def test_a_recipe(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who copies a recipe has no warning to explain, and sees its tests pass."""
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "routes.yaml").write_text(config, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    checked = CliRunner().invoke(app, ["check"], env=ENVIRONMENT)
    tested = CliRunner().invoke(app, ["test"], env=ENVIRONMENT)

    assert (checked.exit_code, tested.exit_code) == (0, 0), checked.output + tested.output
    assert " warning " not in checked.output


def test_each_recipe_has_a_config() -> None:
    """Each heading has a configuration; that on pull requests from forks shows a workflow."""
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)

    assert [name for name in headings if name not in RECIPES] == ["Forks"]
