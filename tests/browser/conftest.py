"""What the browser tests share: Debian's Chromium, consoles, and pages of them.

Each page fails its test if it asks another address than the loopback one, or if a script of it fails.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.console import RunningConsole, running_console

REQUIRED = "ROUTER_BROWSER_TESTS"
"""Set by `.ci/run`: a missing browser fails the tests instead of skipping them."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 60_000
LOOPBACK = ("127.0.0.1", "localhost")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name leads out of the machine, whatever a page asks for.
    "--host-resolver-rules=MAP * 127.0.0.1",
)


def chromium() -> str:
    """The path of Chromium; skips the test if there is none, or fails in continuous integration."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        reason = "there is no program chromium: apt-get install chromium"
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)(reason)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser of each process of the tests."""
    path = chromium()
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()


Start = Callable[..., RunningConsole]


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Start]:
    """Start consoles, in an empty folder unless told."""
    with ExitStack() as stack:
        yield lambda *words, folder=tmp_path, **settings: stack.enter_context(
            running_console(folder, *words, **settings)
        )


Open = Callable[..., Page]


@contextmanager
def watched(context: BrowserContext) -> Iterator[BrowserContext]:
    """Fail at the end if a page asked for another address, or a script failed."""
    asked: list[str] = []
    failed: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: failed.append(str(error.error)))
    context.on("console", lambda message: failed.append(message.text) if is_violation(message.text) else None)
    yield context
    addresses = (urlsplit(url) for url in asked if not url.startswith(("data:", "blob:")))
    strange = [url.geturl() for url in addresses if url.hostname not in LOOPBACK]
    assert [*strange, *failed] == []


def is_violation(text: str) -> bool:
    """Whether the browser reports a violation of the Content-Security-Policy."""
    return "Content Security Policy" in text or "TrustedHTML" in text


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open the page of a console at a view, in a browser that has no cookies."""
    with ExitStack() as stack:

        def new(console: RunningConsole, view: str = "edit", *, dark: bool = False, width: int = 1280) -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
            )
            stack.callback(context.close)
            stack.enter_context(watched(context))
            context.set_default_timeout(TIMEOUT_MS)
            page = context.new_page()
            page.goto(f"{console.url}#{view}")
            return page

        yield new


def checked(page: Page) -> None:
    """Wait until the view Edit has the config, and what is found in it."""
    expect(page.get_by_label("Findings")).to_contain_text("claims proved", timeout=60_000)


def write(page: Page, label: str, text: str) -> None:
    """Replace the text of an editor by keyboard."""
    page.get_by_label(label, exact=True).focus()
    page.keyboard.press("Control+A")
    # The browser would keep the style of what it replaces, which the policy of the page forbids.
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    page.keyboard.press("Escape")  # closes the completion
