"""What surrounds the views: the sign that something is waited for, and the keys."""

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Open, Start, checked

CONFIG = "version: 1\ntables: {things: {key: {id: S}}}\nroutes:\n  r: {queue: q, table: things, item: {id: id}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config."""
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def test_a_busy_sign(folder: Path, console: Start, open_page: Open) -> None:
    """It is there while an answer is waited for, and not before or after."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page = open_page(console(folder=folder), "edit")
    checked(page)
    busy = page.get_by_role("progressbar", name="Working")
    expect(busy).to_be_hidden()
    page.route("**/api/routes/graph", hold)

    page.get_by_role("tab", name="Routes").click()

    expect(busy).to_be_visible()
    while not held:
        page.wait_for_timeout(10)
    held.pop().continue_()
    expect(busy).to_be_hidden()


def test_keys(folder: Path, console: Start, open_page: Open) -> None:
    """Views by Alt and a digit; ? lists the keys, but is a character in an editor."""
    page = open_page(console(folder=folder), "edit")
    checked(page)

    page.keyboard.press("Alt+Digit2")
    expect(page.get_by_role("tab", name="Routes")).to_have_attribute("aria-selected", "true")
    page.locator("#main").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Ctrl-Space")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Alt+Digit1")
    page.get_by_label("The message, as JSON").click()
    page.keyboard.type("?")

    expect(page.get_by_label("The message, as JSON")).to_contain_text("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
