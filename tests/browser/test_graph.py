"""The view Routes in a browser: the graph by mouse and by keyboard, groups, and the contract of a route."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Open, Start
from tests.support.console import RunningConsole, running_console
from tests.support.dev import LocalAws, clients

ROOT = Path(__file__).parents[2]
MANY = "version: 1\ntables: {things: {key: {id: S}}}\nroutes:\n" + "".join(
    f"  team{number % 6}-r{number}: {{queue: team{number % 6}-q, table: things, item: {{id: id}}}}\n"
    for number in range(60)
)

ROUTE = "routes:\n  r: {queue: q, table: things, item: {id: id}}\n"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """The console of the sample."""
    folder = tmp_path_factory.mktemp("sample")
    shutil.copy(ROOT / "routes.yaml", folder)
    for name in ("plugins", "schemas"):
        shutil.copytree(ROOT / name, folder / name)
    with running_console(folder) as running:
        yield running


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """The console of 60 routes."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "routes.yaml").write_text(MANY, encoding="utf-8")
    with running_console(folder) as running:
        yield running


def test_the_contract_of_a_route(sample: RunningConsole, open_page: Open) -> None:
    """By keyboard: what the route takes, stores and rejects, and what is proved of it."""
    page = open_page(sample, "routes")
    details = page.get_by_label("Details")

    page.get_by_role("button", name="Route orders;").focus()
    page.keyboard.press("Enter")

    expect(details).to_contain_text("Messages of the queue orders, unwrapped from sns.")
    expect(details).to_contain_text("Those for which type == 'order_placed' is true.")
    expect(details).to_contain_text("One item in the table orders under the key order_id.")
    expect(details).to_contain_text("key order_id proved")
    details.get_by_role("button", name="routes.yaml:").click()
    expect(page.get_by_label("The config, as YAML")).to_be_focused()


def test_a_queue(sample: RunningConsole, open_page: Open) -> None:
    """Its routes, from which one comes to their contracts."""
    page = open_page(sample, "routes")

    page.get_by_role("button", name="Queue orders;").click()
    page.get_by_label("Details").get_by_role("button", name="order-lines").click()

    expect(page.get_by_label("Details")).to_contain_text("One item for each element of order.lines")


def test_routes_that_share_a_table(tmp_path: Path, console: Start, open_page: Open) -> None:
    """The table shows which pairs may meet, in words, and what is lost."""
    routes = "".join(f"  {name}: {{queue: {name}, table: things, item: {{id: id, {name}: at}}}}\n" for name in "ab")
    (tmp_path / "routes.yaml").write_text(f"{MANY.partition('routes:')[0]}routes:\n{routes}", encoding="utf-8")
    page = open_page(console(), "routes")

    page.get_by_role("button", name="Table things;").click()

    details = page.get_by_label("Details")
    expect(details).to_contain_text("2 routes share it")
    expect(details.get_by_role("listitem")).to_contain_text("a and b may meet")
    expect(details.get_by_role("listitem")).to_contain_text("in order, 'b' replaces the item, and erases 'a' of 'a'")


def test_what_runs_in_a_node(tmp_path: Path, console: Start, open_page: Open) -> None:
    """All outcomes at once, within the node that they are of; those of routes if the metrics are by route."""
    queues = "telemetry: {metrics: route}\nqueues: {q: {dead_letter: q-dlq}}\n"
    (tmp_path / "routes.yaml").write_text(MANY.partition("routes:")[0] + queues + ROUTE, encoding="utf-8")
    running = console("--local")
    endpoint = re.findall(r"http://127\.0\.0\.1:\d+", (tmp_path / "console.log").read_text())[0]
    _, sqs = clients(LocalAws(endpoint))
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    for body in ('{"id": "a"}', "no JSON"):
        sqs.send_message(QueueUrl=url, MessageBody=body)

    page = open_page(running, "routes")

    queue = page.get_by_role("button", name=re.compile("Queue q; 0 waiting, .*written 1, rejected 1"))
    expect(queue).to_have_count(1)
    expect(page.get_by_role("button", name="Dead-letter queue q-dlq; 1 message")).to_have_count(1)
    expect(page.get_by_role("button", name="Route r; written 1")).to_have_count(1)
    box = queue.locator("rect").bounding_box()
    assert box
    for line in queue.locator(".live").all():
        text = line.bounding_box()
        assert text
        assert box["x"] < text["x"] < text["x"] + text["width"] < box["x"] + box["width"]
        assert text["y"] + text["height"] <= box["y"] + box["height"]
    queue.click()
    expect(page.get_by_label("Details").get_by_role("term").filter(has_text="95 % stored within")).to_have_count(1)


def test_retries_by_cause(tmp_path: Path, console: Start, open_page: Open) -> None:
    """The details of a queue say why its messages are retried, and how old they are when they are stored."""
    (tmp_path / "routes.yaml").write_text(MANY.partition("routes:")[0] + ROUTE, encoding="utf-8")
    running = console("--local")
    page = open_page(running, "routes")

    def measured(route: Route) -> None:
        live = route.fetch().json()
        route.fulfill(json=live | {"retries": {"q": {"throttled": 3}}, "ages": {"q": 2.5}})

    page.route("**/routes/live", measured)
    page.get_by_role("button", name=re.compile("Queue q; ")).click()

    details = page.get_by_label("Details")
    expect(details).to_contain_text("retry: throttled3")
    expect(details).to_contain_text("95 % stored within2.5 s")


def test_groups(large: RunningConsole, open_page: Open) -> None:
    """A group opens to its members; a search shows what has such a name; All leads back."""
    page = open_page(large, "routes")
    group = page.get_by_role("button", name="Route team1; 10 routes")
    group.click()
    expect(page.get_by_role("button", name="Route team1-r1", exact=True)).to_be_visible()
    page.get_by_role("button", name="All").click()
    expect(group).to_be_visible()

    page.get_by_label("Search").fill("r59")

    expect(page.get_by_role("button", name="Route ")).to_have_count(1)
    expect(page.get_by_role("button", name="Route team5-r59")).to_be_visible()
