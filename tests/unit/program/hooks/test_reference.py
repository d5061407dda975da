"""The reference pages of plugins."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from router import Drop, Message, Route
from router.program.hooks import reference
from router.program.hooks.implementations import HOOKS
from router.program.hooks.reference import PAGES, plugins_reference

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_current(name: str) -> None:
    """`python -m router.program.hooks.reference` would change nothing."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_hook_has_its_entry() -> None:
    """The page about plugins has a heading for each hook."""
    headings = [line[4:] for line in plugins_reference().splitlines() if line.startswith("### router_")]
    assert headings == list(HOOKS)


@pytest.mark.filterwarnings("ignore:'router.program.hooks.reference' found in sys.modules")
@pytest.mark.parametrize("arguments", [["x"], []])
def test_the_pages_are_written(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a program it writes both pages, into `docs` unless told otherwise."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / (arguments or ["docs"])[0]
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", ["reference", *arguments])
    runpy.run_path(str(reference.__file__), run_name="__main__")
    assert sorted(path.name for path in folder.iterdir()) == ["plugins.md", "transforms.md"]


def test_the_example_plugin_works(load: Any) -> None:
    """The whole plugin on the page does what it looks like."""
    code = plugins_reference().split("```python\n")[1].split("```")[0]
    plugins, findings = load(p=code)
    (message_step,), (item_step,) = plugins.message_pipeline(), plugins.item_pipeline()
    route = Route("r", "q", "t")
    with pytest.raises(Drop):
        message_step(Message({}, attributes={"origin": "test"}), route)
    message = message_step(Message({}, queue="q"), route)
    assert (findings, plugins.transforms["initials"]("Ann Bee"), item_step({"id": "1"}, message, route)) == (
        [],
        "AB",
        {"id": "1", "queue": "q"},
    )
