"""`router explain --html`: a page to share, in which nothing of a message is markup."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
HOSTILE = "</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;\u202e\x9b<!--"
CONFIG = {
    "version": 1,
    "queues": {"q": {"dead_letter": "dead"}},
    "tables": {"items": {"key": {"id": "S"}}},
    "routes": {
        "r": {
            "queue": "q",
            "table": "items",
            "when": "id != '" + HOSTILE.replace("'", "") + "'",
            "schema": {"properties": {"n": {"type": "integer"}, HOSTILE: {"type": "integer"}}},
        },
        "others": {"queue": "q", "table": "items", "when": "other"},
    },
}


class Page(HTMLParser):
    """The elements, the attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def page(router: Run, tmp_path: Path) -> Callable[..., tuple[int, Page]]:
    """Explain a message on a page; the exit code, and the page."""
    (tmp_path / "routes.yaml").write_text(json.dumps(CONFIG), encoding="utf-8")

    def explain(message: str, *words: str) -> tuple[int, Page]:
        done = router("explain", "--queue", "q", "--html", "page.html", *words, "-", input=message)
        assert not done.stderr
        return done.returncode, Page((tmp_path / "page.html").read_text(encoding="utf-8"))

    return explain


def test_a_page(page: Callable[..., tuple[int, Page]]) -> None:
    """It has the outcome, the graph, the routes, each stage and the request, and loads nothing."""
    code, found = page('{"id": "a"}')

    assert code == 0
    assert {name: found.tags[name] for name in ("svg", "table", "pre", "script", "link", "img")} == {
        "svg": 1,
        "table": 1,
        "pre": 5,
        "script": 0,
        "link": 0,
        "img": 0,
    }
    assert found.attributes["content"][0] == "default-src 'none'; style-src 'unsafe-inline'"
    assert ("Outcome: written" in found.texts, "Requests to DynamoDB" in found.texts) == (True, True)
    assert not {"src", "href", "onerror", "onload"} & found.attributes.keys()


@pytest.mark.parametrize(
    "message",
    [
        {"id": HOSTILE, HOSTILE: HOSTILE, "n": 1},
        {"id": HOSTILE, "n": HOSTILE},
        {"id": "a", HOSTILE: HOSTILE, "other": HOSTILE},
    ],
)
def test_hostile_text(page: Callable[..., tuple[int, Page]], message: object) -> None:
    """A message full of HTML and script, and a config, are text; controls are escaped."""
    _, plain = page('{"id": "a"}')

    _, found = page(json.dumps(message))

    shown = "".join(found.texts)
    assert (found.tags.keys() - plain.tags.keys(), found.attributes.keys() - plain.attributes.keys()) == (set(), set())
    assert ("<script>alert(1)</script>" in shown, "\u202e" in shown, "\x9b" in shown) == (True, False, False)


def test_a_rejected_message(page: Callable[..., tuple[int, Page]]) -> None:
    """It has the reason and the violations; --json prints beside it; --route shows only one."""
    code, found = page('{"id": "a", "n": "x"}', "--route", "r")

    assert (code, "Outcome: rejected" in found.texts, "Violations of the schema" in found.texts) == (1, True, True)
    # Once in the graph, and not among the routes.
    assert Counter(found.texts)["others"] == 1


def test_a_page_beside_json(router: Run, tmp_path: Path) -> None:
    """With --json, both are written."""
    (tmp_path / "routes.yaml").write_text(json.dumps(CONFIG), encoding="utf-8")

    done = router("explain", "--queue", "q", "--html", "page.html", "--json", "-", input='{"id": "a"}')

    assert (json.loads(done.stdout)["queue"], (tmp_path / "page.html").exists()) == ("q", True)
