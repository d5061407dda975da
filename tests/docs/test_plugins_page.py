"""The page about plugins."""

from pathlib import Path

import pytest

from router import Drop, Message, Route
from router.model import Place
from tests.support.config import Findings
from tests.support.program import load_plugins

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")


def test_the_example_plugin_works(tmp_path: Path) -> None:
    """The whole plugin on the page loads without findings and does what its code says."""
    code = PAGE.partition("```python title=plugins/visits.py\n")[2].partition("```")[0]
    (tmp_path / "visits.py").write_text(code, encoding="utf-8")
    findings = Findings(lambda path, key: Place("routes.yaml"))

    plugins = load_plugins(["visits.py"], tmp_path, findings)

    (message_step,), (item_step,) = plugins.message_pipeline(), plugins.item_pipeline()
    route = Route("r", "q", "t")
    with pytest.raises(Drop):
        message_step(Message({}, attributes={"origin": "test"}), route)
    message = message_step(Message({}, queue="q"), route)
    assert list(findings) == []
    assert plugins.transforms["initials"]("Ann Bee") == "AB"
    assert item_step({"id": "1"}, message, route) == {"id": "1", "site": "unknown"}
