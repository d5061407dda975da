"""The view Dead letters, on dead letters of a real worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Open, Start, checked, write
from tests.support.console import RunningConsole, running_console
from tests.support.dev import create_queues
from tests.support.shop import CONFIG, Shop, running_shop

TYPE = "fails 'type' at /properties/total/type"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop for a test that changes its dead letters."""
    with running_shop(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def reading(shop: Shop) -> Iterator[RunningConsole]:
    """A console that may not change AWS."""
    with running_console(shop.folder, "--aws", env=shop.environment) as running:
        yield running


def idle(page: Page) -> None:
    """Wait for the end of what the page does."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def detail(page: Page) -> Locator:
    """The right half of the view."""
    return page.locator(".halves > div").nth(1)


def open_message(page: Page, reason: str) -> None:
    """Open the first message of a cause."""
    page.get_by_role("button", name=reason).click()
    detail(page).locator("tbody button").first.click()
    expect(detail(page).get_by_text("What is known of it")).to_be_visible()


def test_the_place_in_a_message(shop: Shop, reading: RunningConsole, open_page: Open) -> None:
    """A cause leads to its messages, and one of these to the place of its failure; values are shown if asked for."""
    page = open_page(reading, "letters")

    open_message(page, TYPE)
    masked = page.locator("mark.line").all_inner_texts()
    page.get_by_label("Show values").check()
    expect(page.locator("mark.line")).to_contain_text(".70")
    idle(page)

    assert (masked, shop.dead_letters()) == (['  "total": "(text, 5 characters)",'], 5)


def test_the_runbook(shop: Shop, reading: RunningConsole, open_page: Open) -> None:
    """A code opens what to do, of a cause and of a message."""
    page = open_page(reading, "letters")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="RT801").first.click()
    expect(dialog.locator("pre").first).to_contain_text("router dlq list --code RT801")
    assert "```" not in dialog.inner_text()
    page.keyboard.press("Escape")

    open_message(page, TYPE)
    detail(page).get_by_role("button", name="RT806").click()

    expect(dialog).to_contain_text("router dlq redrive --code RT806")


def test_markup_in_a_message_is_text(shop: Shop, reading: RunningConsole, open_page: Open) -> None:
    """Elements in a message become no elements of the page."""
    page = open_page(reading, "letters")
    page.get_by_label("Show values").check()

    open_message(page, "'email' is missing")

    expect(detail(page).locator("pre")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_selection(shop: Shop, reading: RunningConsole, open_page: Open) -> None:
    """The fields are the options of the command; what it does not take is said."""
    page = open_page(reading, "letters")
    idle(page)

    page.get_by_label("Code").fill("RT801")
    page.get_by_label("Code").press("Enter")
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.get_by_label("Where").fill("[")
    page.get_by_role("button", name="Select", exact=True).click()

    expect(page.get_by_text("--where: ")).to_be_visible()


def test_while_messages_are_received(shop: Shop, reading: RunningConsole, open_page: Open) -> None:
    """The list says that it works, and for which queue, instead of being empty."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    def release() -> None:
        # The text can be there before the request is.
        while not held:
            page.wait_for_timeout(10)
        held.pop().continue_()

    page = open_page(reading, "edit")
    checked(page)
    page.route("**/api/letters/list", hold)
    page.get_by_role("tab", name="Dead letters").click()
    expect(page.get_by_text("Receiving from the dead-letter queues…")).to_be_visible()
    release()
    idle(page)

    page.get_by_role("textbox", name="Queue").fill("orders")
    page.get_by_role("button", name="Select", exact=True).click()

    expect(page.get_by_text("Receiving from the dead-letter queue of orders…")).to_be_visible()
    release()
    expect(page.get_by_text("5 selected")).to_be_visible()


def test_a_queue_that_is_not_there(shop: Shop, console: Start, open_page: Open, tmp_path: Path) -> None:
    """It is said, and the view goes on."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("orders-dlq", "none-dlq").replace("schemas/order.json", "{}"))
    page = open_page(console("--aws", env=shop.environment), "letters")

    expect(page.get_by_text("the dead-letter queue 'none-dlq' cannot be opened")).to_be_visible()
    expect(page.get_by_role("button", name="Select", exact=True)).to_be_enabled()


def test_queues_without_a_message(shop: Shop, console: Start, open_page: Open, tmp_path: Path) -> None:
    """They are one line, below those that have some; all are received from at a time."""
    queues = "queues:\n  returns: {dead_letter: returns-dlq}\n  gifts: {dead_letter: gifts-dlq}\n"
    routes = "".join(f"  {name}: {{queue: {name}, table: orders}}\n" for name in ("returns", "gifts"))
    config = CONFIG.replace("queues:\n", queues).replace("schemas/order.json", "{}")
    (tmp_path / "routes.yaml").write_text(config + routes, encoding="utf-8")
    create_queues(shop.sqs, {"returns": "returns-dlq", "gifts": "gifts-dlq"})
    page = open_page(console("--aws", env=shop.environment), "letters")

    expect(page.get_by_text("5 selected")).to_be_visible()
    page.get_by_text("No message is visible and selected on 2 dead-letter queues").click()
    expect(page.get_by_text("gifts-dlq")).to_be_visible()


def test_rehearsed_against_the_edited_config(shop: Shop, reading: RunningConsole, open_page: Open) -> None:
    """What is edited and not saved decides, and the item is shown beside the stored one."""
    page = open_page(reading)
    edited = CONFIG.replace("schema: schemas/order.json", "schema: {type: object}").replace(
        "total: total", "sum: total"
    )
    checked(page)
    write(page, "The config, as YAML", edited)
    expect(page.get_by_text("not saved")).to_be_visible()
    page.get_by_role("tab", name="Dead letters").click()
    idle(page)

    page.get_by_label("Show values").check()
    open_message(page, TYPE)

    changes = detail(page).locator("section section").all_inner_texts()
    assert "Table orders: replaced" in changes[0]
    rows = [" ".join(row.split()) for row in changes[0].splitlines()]
    assert rows[-3:] == ['status "open" "paid"', 'sum - "19.70"', "total 19.7 -"]


def test_redrive(own_shop: Shop, console: Start, open_page: Open) -> None:
    """Read-only, nothing can be confirmed; with --write it is, after the plan."""
    folder, environment = own_shop.folder, own_shop.environment
    own_shop.take_text()
    page = open_page(console("--aws", folder=folder, env=environment), "letters")
    idle(page)
    page.get_by_role("button", name="Redrive…").click()
    expect(page.get_by_text("AWS is read-only here")).to_be_visible()
    expect(page.get_by_role("button", name="Redrive 3 messages")).to_be_disabled()
    writing = open_page(console("--aws", "--write", folder=folder, env=environment), "letters")
    idle(writing)

    writing.get_by_role("button", name="Redrive…").click()
    writing.get_by_role("button", name="Redrive 3 messages").click()

    expect(writing.get_by_text("orders-dlq: written 3")).to_be_visible()
    idle(writing)
    assert (own_shop.dead_letters(), own_shop.dynamodb.scan(TableName="orders")["Count"]) == (2, 3)
