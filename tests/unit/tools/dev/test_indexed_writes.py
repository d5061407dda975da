"""Which indexes the items of a message are in, as `router explain` shows it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.cli import app

CONFIG = """\
version: 1
queues: {q: {dead_letter: dlq}}
tables:
  things:
    name: arn:aws:dynamodb:eu-west-1:123456789012:table/the-things
    key: {id: S}
    indexes:
      by_x: {key: {x: S}}
      by_xn: {key: {x: S, n: N}, partition: 2}
routes:
  r: {queue: q, table: things, WRITE}
"""
PUT = "item: {id: id, x: x, n: n}"


@pytest.fixture
def explain(tmp_path: Path) -> Any:
    """Returns a function that explains a message."""

    def run(message: dict[str, Any], *words: str, write: str = PUT) -> Result:
        file = tmp_path / "routes.yaml"
        file.write_text(CONFIG.replace("WRITE", write))
        given = ["explain", "-c", str(file), "--queue", "q", *words, "-"]
        return CliRunner().invoke(app, given, input=json.dumps(message))

    return run


@pytest.mark.parametrize(
    ("message", "write", "lines"),
    [
        ({"id": "a", "x": "b", "n": 1}, PUT, ["in index by_x (x)", "in index by_xn (x, n)"]),
        ({"id": "a", "x": "b"}, PUT, ["in index by_x (x)", "not in index by_xn (x, n): without n"]),
        (
            {"id": "a", "n": 1},
            f"{PUT}, write: {{mode: update}}",
            [
                "perhaps in index by_x (x): it depends on the stored x",
                "perhaps in index by_xn (x, n): it depends on the stored x",
            ],
        ),
        ({"id": "a"}, "item: {id: id}, write: {mode: delete}", []),
    ],
)
def test_indexes(explain: Any, message: dict[str, Any], write: str, lines: list[str]) -> None:
    """By the key attributes that the item has; an update may leave what is stored."""
    brief, full = explain(message, write=write), explain(message, "--full", write=write)

    assert (brief.exit_code, full.exit_code) == (0, 0)
    for done in (brief, full):
        sentences = [line.strip().removeprefix("route r: ") for line in done.output.splitlines() if "index by" in line]
        assert sentences == lines


def test_an_item_that_is_refused(explain: Any, tmp_path: Path) -> None:
    """DynamoDB refuses the whole write, with an outcome of its own."""
    page = tmp_path / "page.html"
    done = explain({"id": "a", "x": ""}, "--json", "--html", str(page))

    explained = json.loads(done.output)
    assert done.exit_code == 1
    assert (explained["outcome"]["kind"], explained["outcome"]["code"], explained["failed_at"]) == (
        "rejected",
        "RT815",
        "write",
    )
    assert explained["outcome"]["reason"].endswith("refuses the item for its index 'by_x': 'x' is empty")
    assert [(each["index"], each["enters"], each["refused"], each["why"]) for each in explained["indexes"]] == [
        ("by_x", False, True, "'x' is empty"),
        ("by_xn", False, True, "'x' is empty"),
    ]
    assert "refused for index by_x (x): 'x' is empty" in page.read_text().replace("&#x27;", "'")


def test_another_route(explain: Any) -> None:
    """With `--route`, the indexes of its items."""
    assert "index by_x" in explain({"id": "a"}, "--route", "r").output
