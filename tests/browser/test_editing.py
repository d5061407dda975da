"""The view Edit in a browser: completion, hover, a message as a test, changes on the disk, schemas."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Start
from tests.support.console import RunningConsole, running_console

CONFIG = """\
version: 1
queues:
  users: {dead_letter: users-dlq}
tables:
  users: {key: {id: S}}
routes:
  users:
    queue: users
    table: users
    schema: user.json
    item:
      id: user.id
    tests:
      - {name: one, message: {user: {id: a}}, item: {id: a}}
"""
SCHEMA = {
    "type": "object",
    "required": ["user"],
    "properties": {
        "user": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 36}, "device": {"type": "string"}},
        }
    },
}
CONFIG_LABEL, MESSAGE_LABEL = "The config, as YAML", "The message, as JSON"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningConsole, Path]]:
    """A console that all tests share, and its folder."""
    folder = tmp_path_factory.mktemp("edited")
    (folder / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    with running_console(folder) as running:
        yield running, folder


@pytest.fixture
def folder(shared: tuple[RunningConsole, Path]) -> Path:
    """The folder of the console, with the files as they are at first."""
    (shared[1] / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    (shared[1] / "user.json").write_text(json.dumps(SCHEMA, indent=2), encoding="utf-8")
    return shared[1]


@pytest.fixture
def page(shared: tuple[RunningConsole, Path], folder: Path, open_page: Open) -> Page:
    """The view, once it shows the config and what becomes of a message."""
    opened = open_page(shared[0])
    expect(opened.get_by_label("Results")).to_contain_text("written")
    expect(opened.get_by_label("Findings")).to_contain_text("No findings.")
    return opened


def at_end_of(page: Page, line: str) -> None:
    """Put the cursor to the end of a line of the config."""
    page.locator(".cm-line", has_text=line).first.click()
    page.keyboard.press("End")


def expect_offers(page: Page, expected: list[str]) -> None:
    """Wait until this is offered: what was offered for the letters before may still be there."""
    expect(page.locator(".cm-completionLabel")).to_have_text(expected)


@pytest.mark.parametrize(
    ("after", "typed", "expected"),
    [
        ("    schema: user.json", "\non_i", ["on_invalid"]),
        ("    schema: user.json", "\nwrite: {mode: ins", ["insert"]),
        ("  users: {dead_letter: users-dlq}", "\nmore: {env", ["envelope"]),
        ("      id: user.id", "\nd: use", ["user", "user.device", "user.id"]),
        ("      id: user.id", "\nd: {from: user.id, tr", ["transform"]),
        ("      id: user.id", "\nd: {meta: sent", ["sent_at"]),
        ("version: 1", "\nplu", ["plugins"]),
    ],
)
def test_completion(page: Page, after: str, typed: str, expected: list[str]) -> None:
    """Keys and values of the published schema, names of the config, paths of the schema of the route."""
    at_end_of(page, after)

    page.keyboard.type(typed)

    expect_offers(page, expected)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "routes:\n  r:\n    tests:\n      - name: x\n        mes",
            {"path": ["routes", "r", "tests", "[]"], "word": "mes"},
        ),
        ("routes:\n  r:\n    tests:\n    - na", {"path": ["routes", "r", "tests", "[]"], "word": "na"}),
        ("queues:\n  q: {envelope: [sns, c", {"path": ["queues", "q", "envelope", "[]"], "word": "c"}),
        ('routes:\n  "a b":\n    ', {"path": ["routes", "a b"], "word": ""}),
        ("routes:\n  # a: comment\n  r:\n    a: {b: {c: 1}, d", {"path": ["routes", "r", "a"], "word": "d"}),
    ],
)
def test_places(page: Page, text: str, place: dict[str, Any]) -> None:
    """The keys that lead to the cursor, in block and in flow style."""
    found = page.evaluate(
        """async text => {
          const { placeOf } = await import("/static/complete.js");
          const lines = text.split("\\n");
          return placeOf(lines, lines.length - 1, lines.at(-1).length);
        }""",
        text,
    )

    assert {name: found[name] for name in place} == place


def test_claims_below_many_findings(console: Start, open_page: Open, tmp_path: Path) -> None:
    """Their number is visible without scrolling, and so are they once they are opened."""
    routes = "".join(
        f"  r{n}: {{queue: q, table: ttt, schema: {{type: object}}, when: \"a == '{n}'\", item: {{id: id}}}}\n"
        for n in range(20)
    )
    (tmp_path / "routes.yaml").write_text(f"version: 1\ntables: {{ttt: {{key: {{id: S}}}}}}\nroutes:\n{routes}")
    page = open_page(console())
    expect(page.get_by_label("Findings")).to_contain_text("claims proved")
    summary = page.get_by_label("Findings").locator("summary")

    expect(summary).to_be_in_viewport(ratio=0.9)
    summary.click()

    expect(page.get_by_label("Findings").get_by_role("columnheader", name="verdict")).to_be_in_viewport()


def test_hover(page: Page) -> None:
    """A key shows its description; an attribute what is proved of it."""
    page.get_by_text("schema", exact=True).first.hover()
    expect(page.locator(".cm-tooltip-hover")).to_contain_text("The JSON Schema of the message")
    page.mouse.move(0, 0)

    page.locator(".cm-line", has_text="id: user.id").locator("span").first.hover()

    expect(page.locator(".cm-tooltip-hover")).to_contain_text("proved: key id")


def test_names_in_descriptions(page: Page) -> None:
    """What the documentation has in backquotes is shown as code: of a key, a completion and a code."""
    page.get_by_text("dead_letter", exact=True).first.hover()
    expect(page.locator(".cm-tooltip-hover p code").first).to_have_text("queues")
    expect(page.locator(".cm-tooltip-hover")).not_to_contain_text("`")

    shown = page.evaluate(
        """async () => {
          const { explainInDialog } = await import("/static/dialogs.js");
          const why = { code: "RT422", severity: "warning", title: "`for_each` over a value", why: "See `item`." };
          await explainInDialog({ api: async () => why }, "RT422");
          const dialog = document.querySelector("dialog.explained");
          const codes = [...dialog.querySelectorAll("code")];
          return [dialog.textContent.includes("`"), ...codes.map((each) => each.textContent)];
        }"""
    )
    assert shown == [False, "for_each", "item"]


def test_a_message_becomes_a_test(page: Page, folder: Path) -> None:
    """It is in the editor, passes, and is not saved until that is asked."""
    page.get_by_label(MESSAGE_LABEL).focus()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text('{"user": {"id": "b"}}')
    expect(page.get_by_label("Results")).to_contain_text('"id": "b"')

    page.get_by_role("button", name="Make it a test").click()
    page.get_by_label("What does it verify?").fill("another user")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_label("Results")).to_contain_text("2 pass")
    before = (folder / "routes.yaml").read_text()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved routes.yaml")).to_be_visible()

    added = "      - {name: another user, message: {user: {id: b}}, item: {id: b}}\n"
    assert (before, (folder / "routes.yaml").read_text()) == (CONFIG, CONFIG + added)


def test_a_change_on_the_disk(page: Page, folder: Path) -> None:
    """Without edits it is shown; with edits it is said, and overwritten only after a confirmation."""
    (folder / "routes.yaml").write_text(f"{CONFIG}# theirs\n", encoding="utf-8")
    expect(page.get_by_text("routes.yaml changed on the disk, and is shown")).to_be_visible()
    expect(page.get_by_label(CONFIG_LABEL)).to_contain_text("# theirs")
    at_end_of(page, "version: 1")
    page.keyboard.type(" # mine")
    (folder / "routes.yaml").write_text(f"{CONFIG}# theirs again\n", encoding="utf-8")
    expect(page.get_by_role("alert")).to_contain_text("changed on the disk meanwhile")

    page.get_by_role("button", name="Save").click()
    kept = (folder / "routes.yaml").read_text()
    page.get_by_role("button", name="Overwrite").click()
    expect(page.get_by_text("Saved routes.yaml")).to_be_visible()

    mine = CONFIG.replace("version: 1", "version: 1 # mine") + "# theirs\n"
    assert (kept, (folder / "routes.yaml").read_text()) == (f"{CONFIG}# theirs again\n", mine)


def test_an_error_keeps_the_last_result(page: Page) -> None:
    """The result of the message stays and is said to be old, until the config has no errors."""
    at_end_of(page, "table: users")
    page.keyboard.type("x")
    expect(page.get_by_text("The config has errors: this is what became of the message before.")).to_be_visible()
    expect(page.get_by_label("Results")).to_contain_text('"id": "a"')

    page.keyboard.press("Backspace")

    expect(page.get_by_text("this is what became of the message before")).to_be_hidden()


def test_a_schema(page: Page, folder: Path) -> None:
    """A schema is edited beside the config, and decides at once about the message."""
    page.get_by_label("File").select_option("user.json")
    page.get_by_label(CONFIG_LABEL).focus()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(json.dumps({**SCHEMA, "required": ["user", "n"]}))

    expect(page.get_by_label("Results")).to_contain_text("'n' is missing")

    assert json.loads((folder / "user.json").read_text()) == SCHEMA


def test_what_a_code_means(page: Page) -> None:
    """A code opens what `router check --explain` says, and closes by Escape."""
    at_end_of(page, "table: users")
    page.keyboard.type("x")

    page.get_by_label("Findings").get_by_role("button", name="RT201").click()
    expect(page.get_by_role("dialog")).to_contain_text("unknown table")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
