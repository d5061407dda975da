"""Each view by the rules of WCAG 2.2 AA, light and dark, wide and narrow; and by keyboard."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, checked
from tests.support.console import RunningConsole, running_console
from tests.support.shop import running_shop

AXE = Path(__file__).with_name("axe")
VIEWS = ("edit", "routes", "letters", "change")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    # Experimental: it takes the lines of a picture together for one word.
    "rules": {"label-content-name-mismatch": {"enabled": False}},
}

EDITOR = 'class="cm-scroller"'
"""It scrolls with the text in it, which takes the keyboard."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """The console of a shop with dead letters, whose config was changed."""
    with running_shop(tmp_path_factory.mktemp("shop")) as shop:
        shop.take_text()
        with running_console(shop.folder, "--aws", env=shop.environment) as running:
            yield running


def violations(page: Page) -> list[Any]:
    """What axe has against a page: the rule, and the elements."""
    page.evaluate((AXE / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    elements = [(each["id"], [node["html"] for node in each["nodes"] if EDITOR not in node["html"]]) for each in found]
    return [(rule, nodes) for rule, nodes in elements if nodes]


def test_axe_is_what_was_vendored() -> None:
    """Its hash is the one that is written beside it."""
    (noted,) = re.findall(r"`([0-9a-f]{64})`", (AXE / "README.md").read_text(encoding="utf-8"))

    assert hashlib.sha256((AXE / "axe.min.js").read_bytes()).hexdigest() == noted


@pytest.mark.parametrize("view", VIEWS)
def test_views(console: RunningConsole, open_page: Open, view: str) -> None:
    """Contrast, names, roles and structure, in both colour schemes and in a narrow window."""
    page = open_page(console, view)
    expect(page.locator(f"#view-{view} > *").first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    light = violations(page)
    page.emulate_media(color_scheme="dark")
    dark = violations(page)
    page.set_viewport_size({"width": 360, "height": 740})
    narrow = violations(page)

    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert (light, dark, narrow, overflow) == ([], [], [], 0)


def focused(page: Page) -> str:
    """The name of what has the keyboard."""
    name: str = page.evaluate(
        "(element => element.getAttribute('aria-label') || element.labels?.[0]?.innerText || element.innerText)"
        "(document.activeElement)"
    )
    return name.strip()


def test_keyboard(console: RunningConsole, open_page: Open) -> None:
    """Everything is reached by keys: the skip link, the tabs by arrows, an editor that Tab leaves, a route."""
    page = open_page(console)
    checked(page)
    found = []
    for keys in (["Tab"], ["Tab"], ["ArrowRight"], ["End"], ["Home"]):
        for key in keys:
            page.keyboard.press(key)
        found.append(focused(page))
    page.get_by_label("The config, as YAML").focus()
    page.keyboard.press("Tab")
    left = focused(page)
    page.keyboard.press("Shift+Tab")
    back = focused(page)
    page.get_by_role("tab", name="Edit").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Route orders").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Details")).to_contain_text("What customers have ordered")

    assert found == ["Skip to the view", "Edit", "Routes", "Change", "Edit"]
    assert (left == "The config, as YAML", back) == (False, "The config, as YAML")
