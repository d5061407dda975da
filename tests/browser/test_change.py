"""The view Change, on a config in a git repository."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.support.console import RunningConsole, running_console
from tests.support.shop import Shop, running_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_shop(tmp_path_factory.mktemp("shop")) as running:
        running.take_text()
        yield running


@pytest.fixture(scope="module")
def console(shop: Shop) -> Iterator[RunningConsole]:
    with running_console(shop.folder) as running:
        yield running


def marked(page: Page, side: str) -> list[str]:
    """The lines that differ in a column, without their numbers."""
    return [
        text.split("\n")[-1].strip().lstrip("0123456789").strip()
        for text in page.locator(f"mark.{side}").all_inner_texts()
    ]


def test_the_last_commit_beside_what_is_edited(console: RunningConsole, open_page: Open) -> None:
    """The verdict, the lines that differ, and the message that breaks with what becomes of it."""
    page = open_page(console, "change")

    expect(page.get_by_role("heading", name="Route orders")).to_be_visible()
    expect(page.get_by_label("A message that shows the change").first).to_contain_text('"status": "cancelled"')
    expect(page.get_by_text("After: rejected (RT806 fails 'enum' at /properties/status/enum)")).to_be_visible()
    assert marked(page, "gone") == ['"paid",', '"cancelled"', '"type": "number"']
    assert marked(page, "added") == ['"paid"', '"type": [', '"number",', '"string"', "]"]


def test_another_version(console: RunningConsole, open_page: Open) -> None:
    """The same version twice has no changes; one that is not there is said."""
    page = open_page(console, "change")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)

    page.get_by_label("Old").fill("routes.yaml")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("nothing breaks no changes; routes: 1 the same")).to_be_visible()
    page.get_by_label("Old").fill("git:none")
    page.get_by_label("Old").press("Enter")

    expect(page.get_by_text("git knows no commit 'none'")).to_be_visible()
