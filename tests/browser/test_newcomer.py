"""A newcomer's way: from a sample message in an empty folder to a fixed config in the console."""

import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Open, Start, checked, write

SAMPLE = {"order_id": "o-1", "status": "paid", "total": 12.5}
FINDINGS = "Findings"
RESULTS = "Results"


def new_project(folder: Path) -> None:
    """Run `router new` on a sample."""
    (folder / "order.json").write_text(json.dumps(SAMPLE))
    command = [sys.executable, "-m", "router", "new", "order.json", "--queue", "orders", "--yes"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_edit_see_a_finding_fix_it_see_the_item(tmp_path: Path, console: Start, open_page: Open) -> None:
    """All on the saved files of `router new`, with an embedded AWS; nothing is saved until asked."""
    new_project(tmp_path)
    before = (tmp_path / "routes.yaml").read_text()
    page = open_page(console("--local"))
    findings, results = page.get_by_label(FINDINGS), page.get_by_label(RESULTS)
    checked(page)
    expect(results).to_contain_text("written")

    write(page, "The config, as YAML", before.replace("    table: orders", "    table: order"))
    expect(findings).to_contain_text("unknown table 'order'; did you mean 'orders'")
    findings.get_by_role("button", name="routes.yaml:").first.click()
    write(page, "The config, as YAML", before.replace("- name: a message", "- name: the first"))
    expect(findings).to_contain_text("No findings.")
    write(page, "The message, as JSON", json.dumps({**SAMPLE, "order_id": "o-2"}))
    expect(results).to_contain_text('"order_id": "o-2"')
    unsaved = (tmp_path / "routes.yaml").read_text()
    page.keyboard.press("Control+S")
    expect(page.get_by_text("Saved routes.yaml")).to_be_visible()

    assert (unsaved, (tmp_path / "routes.yaml").read_text()) == (before, before.replace("a message", "the first"))


def test_a_project_from_a_pasted_message(tmp_path: Path, console: Start, open_page: Open) -> None:
    """Without a config, the page asks for messages first; then it is the console of what they made."""
    page = open_page(console())
    expect(page.get_by_role("heading", name="There is no routes.yaml yet")).to_be_visible()
    expect(page.get_by_role("tab")).to_have_count(0)

    page.get_by_label("Messages, as JSON").fill("no JSON")
    page.get_by_role("button", name="Make a project").click()
    expect(page.get_by_role("alert")).to_contain_text("JSON")
    page.get_by_label("Messages, as JSON").fill(json.dumps(SAMPLE))
    page.get_by_role("textbox", name="Key").fill("order_id")
    page.get_by_role("button", name="Make a project").click()

    checked(page)
    expect(page.get_by_label(RESULTS)).to_contain_text("written")
    assert (tmp_path / "routes.yaml").exists()
