"""The plugin `devices`, as the router runs it."""

import ast
from pathlib import Path
from typing import Any

import pytest

from router import Message, Route
from router.model import Place
from tests.support.config import Findings
from tests.support.program import load_plugins

ROOT = Path(__file__).parents[3]


def run(item: dict[str, Any], options: dict[str, Any] | None = None) -> Any:
    findings = Findings(lambda path, key: Place("routes.yaml"))
    (step,) = load_plugins(["plugins/devices.py"], ROOT, findings).item_pipeline()
    return step(item, Message({}), Route("r", "q", "t", options or {}))


@pytest.mark.parametrize(
    ("device", "platform"),
    [
        ("iPhoneX", "ios"),
        ("iPad Pro", "ios"),
        ("Apple iPod touch", "ios"),
        ("iOS 19", "ios"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Safari/604.1", "ios"),
        ("Pixel 9", "android"),
        ("Galaxy S7 edge", "android"),
        ("SM-G998B", "android"),
        ("OnePlus 12", "android"),
        ("Redmi Note 13", "android"),
        ("moto g84", "android"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/130", "android"),
        ("Chrome on Windows", "web"),
        ("Firefox", "web"),
        ("web", "web"),
        ("Microsoft Edge", "web"),
        ("Chromecast", "other"),
        ("Kiosk", "other"),
        ("curiosity", "other"),
        ("", "other"),
    ],
)
def test_the_platform_of_a_device(device: str, platform: str) -> None:
    """The platform is added to the item, and nothing else is changed."""
    assert run({"id": "1", "device": device}) == {"id": "1", "device": device, "platform": platform}


def test_the_option_unknown() -> None:
    """What an unknown device is called is the route's to say."""
    assert run({"device": "Kiosk"}, {"devices": {"unknown": "none"}}) == {"device": "Kiosk", "platform": "none"}


@pytest.mark.parametrize("item", [{}, {"device": None}, {"device": 5}, {"device": "iPhone", "platform": "mine"}])
def test_other_items_stay_as_they_are(item: dict[str, Any]) -> None:
    """Without a device as text, or with a platform already, nothing is added."""
    assert run(item) is item


def test_it_imports_public_names_only() -> None:
    """Of the router it uses what `router` exports."""
    tree = ast.parse((ROOT / "plugins" / "devices.py").read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [module for module in imported if module.startswith("router")] == ["router"]
