"""How quick the page of `router console` is: `python benchmarks/console.py [ROUTES]`; needs the program chromium.

For a config of so many routes (100): when the page first paints something, and for each of some interactions the time
from the event to the next paint, as browsers count it for Interaction to Next Paint, and until the result is
shown. https://web.dev/articles/inp
"""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.browser.conftest import FLAGS, chromium
from tests.support.console import running_console

ROUTES = 100
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
OBSERVE = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    const interactions = list.getEntries().filter((entry) => entry.interactionId);
    for (const { duration } of interactions) window.longest = Math.max(window.longest, duration);
  }).observe({ type: "event", durationThreshold: 16 });
}"""
NOW = "performance.now()"
SETTLE_MS = 500
"""Entries of events come after their paint."""


def make_config(routes: int) -> str:
    """Return a config of so many routes."""
    numbers = range(routes)
    queues = "".join(f"  events{n}: {{dead_letter: team{n % 10}-dlq}}\n" for n in numbers)
    tables = "".join(f"  items{n}: {{key: {{id: S}}}}\n" for n in range(10))
    lines = "".join(f"  route{n}: {{queue: events{n}, table: items{n % 10}, item: {{id: id}}}}\n" for n in numbers)
    return f"version: 1\nqueues:\n{queues}tables:\n{tables}routes:\n{lines}"


def main() -> None:
    """Measure, and print a table."""
    routes = int(sys.argv[1]) if len(sys.argv) > 1 else ROUTES
    with TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "routes.yaml").write_text(make_config(routes), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        with running_console(folder) as console:
            page = browser.new_page(viewport={"width": 1200, "height": 760})
            page.goto(console.url)
            expect(page.get_by_label("Findings")).to_contain_text("claims proved", timeout=60_000)
            print(f"{routes} routes: first paint after {page.evaluate(FIRST_PAINT):.0f} ms")
            print(f"{'interaction':34} {'next paint':>10} {'shown':>10}")
            page.get_by_label("The config, as YAML").press("Control+End")
            page.evaluate(OBSERVE)
            for label, act, shown in interactions(page, routes):
                report(page, label, act, shown)
        browser.close()


Interaction = tuple[str, Callable[[], object], Callable[[], None]]


def interactions(page: Page, routes: int) -> list[Interaction]:
    """Return what is done, and how it shows."""
    last = f"route{routes - 1}"
    search, editor = page.get_by_role("searchbox"), page.get_by_label("The config, as YAML")
    nodes = page.locator(".canvas .node")
    group = page.get_by_role("combobox", name="Group")
    return [
        (
            "type a character in the editor",
            lambda: editor.press("Space"),
            lambda: expect(editor).to_be_focused(),
        ),
        ("open the view Routes", lambda: page.keyboard.press("Alt+Digit2"), lambda: expect(nodes).not_to_have_count(0)),
        ("show all routes", lambda: group.select_option("none"), lambda: expect(nodes).not_to_have_count(0)),
        ("search a route", lambda: search.press_sequentially(last), lambda: expect(nodes).to_have_count(3)),
        (
            "choose a route",
            lambda: page.get_by_role("button", name=f"Route {last}").click(),
            lambda: expect(page.get_by_label("Details")).to_contain_text("Takes"),
        ),
        ("show the keys", lambda: page.keyboard.press("?"), lambda: expect(page.get_by_role("dialog")).to_be_visible()),
        (
            "close them",
            lambda: page.keyboard.press("Escape"),
            lambda: expect(page.get_by_role("dialog")).to_have_count(0),
        ),
        (
            "open the view Change",
            lambda: page.keyboard.press("Alt+Digit4"),
            lambda: expect(page.locator("#view-change [aria-busy]")).to_have_count(0),
        ),
    ]


def report(page: Page, label: str, act: Callable[[], object], shown: Callable[[], None]) -> None:
    """Do something, and print how long it took."""
    page.evaluate("() => { window.longest = 0; }")
    start = page.evaluate(NOW)
    act()
    shown()
    end = page.evaluate(NOW)
    page.wait_for_timeout(SETTLE_MS)
    longest = page.evaluate("window.longest")
    paint = f"{longest:.0f} ms" if longest else "< 16 ms"
    print(f"{label:34} {paint:>10} {end - start:>7.0f} ms")


if __name__ == "__main__":
    main()
