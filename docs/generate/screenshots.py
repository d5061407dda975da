"""Takes the pictures of the console that its page in the documentation shows.

`python -m docs.generate.screenshots docs/console` needs the program chromium.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.console import running_console
from tests.support.shop import running_shop

WIDTH, HEIGHT = 1200, 760
TIMEOUT_MS = 60_000
ROOT = Path(__file__).parents[2]


def _idle(page: Page) -> None:
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def _edit(page: Page) -> None:
    expect(page.get_by_label("Findings")).to_contain_text("claims proved")
    expect(page.get_by_label("Results")).to_contain_text("written")
    _idle(page)


def _routes(page: Page) -> None:
    page.get_by_role("button", name="Route user-metadata").click()
    expect(page.get_by_label("Details")).to_contain_text("proved")
    expect(page.locator(".canvas")).to_contain_text("waiting")


def _letters(page: Page) -> None:
    page.get_by_label("Show values").check()
    page.get_by_role("button", name="fails 'type'").click()
    page.locator(".halves > div").nth(1).locator("tbody button").first.click()
    expect(page.get_by_text("What is known of it")).to_be_visible()
    _idle(page)


def _change(page: Page) -> None:
    expect(page.get_by_role("heading", name="Route orders")).to_be_visible()
    _idle(page)


def _take(browser: Browser, address: str, show: Callable[[Page], None], picture: Path) -> None:
    """Take the picture `VIEW-SCHEME.png` of a view, once it shows what is waited for."""
    view, scheme = picture.stem.split("-")
    page = browser.new_page(
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"{address}#{view}")
    show(page)
    page.screenshot(path=picture)
    page.close()


def main(folder: Path) -> None:
    """Write the pictures into a folder: two of the sample, and two of a shop with dead letters and a changed schema."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright, TemporaryDirectory() as name, running_shop(Path(name)) as shop:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with running_console(ROOT, "--local") as console:
            _take(browser, console.url, _edit, folder / "edit-light.png")
            _take(browser, console.url, _routes, folder / "routes-light.png")
        shop.take_text()
        with running_console(shop.folder, "--aws", "--write", env=shop.environment) as console:
            _take(browser, console.url, _letters, folder / "letters-dark.png")
            _take(browser, console.url, _change, folder / "change-dark.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
