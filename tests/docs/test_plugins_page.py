"""The page about plugins."""

from pathlib import Path

import pytest

from docs.generate.plugins import plugins_page
from router import Drop, Message, Route
from router.model import Place
from tests.support.config import Findings
from tests.support.program import HOOKS, load_plugins


def test_every_hook_has_a_heading() -> None:
    """The page describes each hook under its name."""
    headings = [line[4:] for line in plugins_page().splitlines() if line.startswith("### router_")]

    assert headings == list(HOOKS)


def test_the_example_plugin_works(tmp_path: Path) -> None:
    """The whole plugin on the page loads without findings and does what its code says."""
    code = plugins_page().split("```python\n")[1].split("```")[0]
    (tmp_path / "p.py").write_text(code, encoding="utf-8")
    findings = Findings(lambda path, key: Place("routes.yaml"))

    plugins = load_plugins(["p.py"], tmp_path, findings)

    (message_step,), (item_step,) = plugins.message_pipeline(), plugins.item_pipeline()
    route = Route("r", "q", "t")
    with pytest.raises(Drop):
        message_step(Message({}, attributes={"origin": "test"}), route)
    message = message_step(Message({}, queue="q"), route)
    assert (list(findings), plugins.transforms["initials"]("Ann Bee"), item_step({"id": "1"}, message, route)) == (
        [],
        "AB",
        {"id": "1", "queue": "q"},
    )
