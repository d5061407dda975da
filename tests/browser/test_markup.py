"""Markup in messages and configs, and a config that is none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, checked, write
from tests.support.console import RunningConsole, running_console

CONFIG = """\
version: 1
queues: {orders: {dead_letter: orders-dlq}}
tables: {orders: {key: {id: S}}}
routes:
  orders: # <script>alert("a")</script>
    queue: orders
    table: orders
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 99}}}
    description: "<img src=x onerror=alert(2)>"
    tests: [{name: "<b>bold</b>", message: {id: "<script>alert(3)</script>"}, item: {id: none}}]
"""
EVIL = {
    "id": "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>": "</pre><svg onload=alert(1)>",
    "n": "javascript:alert(1)",
}
YAML = "The config, as YAML"


@pytest.fixture
def console(tmp_path: Path) -> Iterator[RunningConsole]:
    (tmp_path / "routes.yaml").write_text(CONFIG)
    with running_console(tmp_path) as running:
        yield running


def test_markup_is_text(console: RunningConsole, open_page: Open) -> None:
    """In a message, a config and the results of its tests; no dialog opens, no element is made."""
    page = open_page(console)
    checked(page)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))

    write(page, "The message, as JSON", json.dumps(EVIL))
    expect(page.get_by_label("Results")).to_contain_text("</pre><svg onload=alert(1)>")
    expect(page.get_by_label("Results")).to_contain_text("<b>bold</b>")
    page.get_by_role("tab", name="Routes").click()
    page.get_by_role("button", name="Route orders").click()
    expect(page.get_by_label("Details")).to_contain_text("<img src=x onerror=alert(2)>")

    made = page.locator("main img, main b, main script, main svg[onload]").count()
    assert (dialogs, made) == ([], 0)


def test_a_config_that_breaks(console: RunningConsole, open_page: Open) -> None:
    """What is no YAML is a finding; the page goes on, and so it does when it is fixed."""
    page = open_page(console)
    checked(page)

    write(page, YAML, "routes: [")
    expect(page.get_by_label("Findings")).to_contain_text("RT0")
    write(page, YAML, CONFIG)

    checked(page)
