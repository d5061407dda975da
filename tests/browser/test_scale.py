"""A config of 1,000 routes: each interaction keeps the main thread of the page for less than 100 ms or so.

They are compared with what the browser takes to lay out 3,000 texts: a busy machine slows down both.
"""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, checked
from tests.support.console import RunningConsole, running_console

ROUTES = 1_000
MOST_RATIO = 1.5
LAYOUT = """() => {
  const create = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const graph = create("svg");
  for (let number = 0; number < 3000; number++) {
    const text = create("text");
    text.textContent = `text ${number}`;
    graph.append(text);
  }
  document.body.append(graph);
  graph.getBBox();
  graph.remove();
}"""
SHOWN = """([selector, count]) => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error(`not ${count} of ${selector}`)), 60000);
  const look = () => {
    if (document.querySelectorAll(selector).length !== count) return;
    observer.disconnect();
    requestAnimationFrame(() => resolve());
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, {childList: true, subtree: true, attributes: true});
  look();
})"""
"""Resolves once the page has this many elements. Playwright's own waits look again and again, on the main thread."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("scale")
    numbers = range(ROUTES)
    queues = "".join(f"  team{n % 25}-events{n}: {{dead_letter: team{n % 25}-dlq}}\n" for n in numbers)
    tables = "".join(f"  team{n % 25}-items: {{key: {{id: S}}}}\n" for n in range(25))
    routes = "".join(
        f"  team{n % 25}-route{n}: {{queue: team{n % 25}-events{n}, table: team{n % 25}-items}}\n" for n in numbers
    )
    text = f"version: 1\nqueues:\n{queues}tables:\n{tables}routes:\n{routes}"
    (folder / "routes.yaml").write_text(text)
    with running_console(folder) as running:
        yield running


def work(page: Page, interact: Callable[[], None]) -> float:
    """The CPU seconds of the main thread of the page from an interaction until what it leads to is shown."""
    session = page.context.new_cdp_session(page)
    # Time of the thread: a busy machine makes it no longer.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))

    before = seconds()
    interact()
    return seconds() - before


def too_long(page: Page, *interactions: Callable[[], None]) -> dict[str, float]:
    """The interactions that take too long, each the best of three rounds: what else the browser does counts, too."""
    rounds = []
    for _ in range(3):
        layout = work(page, lambda: page.evaluate(LAYOUT))
        rounds.append([round(work(page, each) / layout, 2) for each in interactions])
    least = {each.__name__: min(ratios) for each, ratios in zip(interactions, zip(*rounds, strict=True), strict=True)}
    return {name: ratio for name, ratio in least.items() if ratio >= MOST_RATIO}


def test_routes(console: RunningConsole, open_page: Open) -> None:
    """Search, a group, a route, zoom."""
    page = open_page(console, "routes")
    canvas, details = page.locator(".canvas"), page.locator("aside")
    # By attribute: a role is computed for each element that is looked at, on the main thread.
    name = '[aria-label="Route team7-route7"]'
    route = canvas.locator(name)
    expect(canvas.locator("g").first).to_be_visible()
    search = page.get_by_label("Search")

    def find() -> None:
        search.fill("team7-route7")
        page.evaluate(SHOWN, [f".canvas {name}", 1])

    def choose() -> None:
        route.click()
        expect(details).to_contain_text("team7-items")

    def leave() -> None:
        page.locator("header button", has_text="All").click()
        page.evaluate(SHOWN, [f".canvas {name}", 0])

    def zoom() -> None:
        page.get_by_label("Zoom in").click()

    assert too_long(page, find, choose, leave, zoom) == {}


def test_edit(console: RunningConsole, open_page: Open) -> None:
    """A key in the editor, and the findings that follow."""
    page = open_page(console)
    checked(page)
    page.get_by_label("The config, as YAML").focus()
    page.keyboard.press("Control+End")

    def type_() -> None:
        page.keyboard.type("#")

    def undo() -> None:
        page.keyboard.press("Control+Z")

    assert too_long(page, type_, undo) == {}
