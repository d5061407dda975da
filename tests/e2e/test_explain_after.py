"""`router explain --after`: the stored item before and after a message."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIG = """\
version: 1
queues: {orders: {dead_letter: d}, payments: {dead_letter: d}}
tables: {orders: {name: prod-orders, key: {id: S}}, marks: {key: {m: S}}}
routes:
  placed:
    queue: orders
    table: orders
    when: type == 'placed'
    item: {id: id, lines: lines, at: at}
    write: {mode: newest, version: at}
  seen:
    queue: orders
    table: orders
    when: type == 'seen'
    item: {id: id, seen: {value: 1}}
    write: {mode: update, add: [seen], once: marks}
  gone:
    queue: orders
    table: orders
    when: type == 'gone'
    item: {id: id}
    write: {mode: delete}
  paid:
    queue: payments
    table: orders
    item: {id: id, amount: {from: amount, type: N}, at: at}
    write: {mode: newest, version: at}
"""
PLACED = {"type": "placed", "id": "o-1", "lines": ["tea"], "at": 1}
PAID = {"id": "o-1", "amount": 7.50, "at": 2}
KEY = {"id": "o-1"}


@pytest.fixture
def explain(router: Run, tmp_path: Path) -> Callable[..., Any]:
    """Explain a message of the queue `orders`, after others; each is JSON."""
    (tmp_path / "routes.yaml").write_text(CONFIG)

    def run(message: Any, *after: str, options: tuple[str, ...] = ("--json",), queue: str = "orders") -> Any:
        words = [word for each in after for word in ("--after", each)]
        done = router("explain", "--queue", queue, *options, *words, "-", input=json.dumps(message))
        assert not done.stderr
        return json.loads(done.stdout) if "--json" in options else done.stdout

    return run


def test_what_is_erased(explain: Callable[..., Any], tmp_path: Path) -> None:
    """By another route, of another queue; a message is a file, or JSON."""
    (tmp_path / "placed.json").write_text(json.dumps(PLACED))
    found = explain(PAID, "orders=placed.json", queue="payments")

    assert found["outcome"]["kind"] == "written"
    assert [each["kind"] for each in found["earlier"]] == ["written"]
    assert found["items"] == [
        {
            "table": "prod-orders",
            "routes": ["paid"],
            "key": KEY,
            "before": {"id": "o-1", "lines": ["tea"], "at": 1},
            "after": {"id": "o-1", "amount": 7.5, "at": 2},
            "changes": [
                {"attribute": "lines", "before": ["tea"]},
                {"attribute": "at", "before": 1, "after": 2},
                {"attribute": "amount", "after": 7.5},
            ],
        }
    ]


def test_what_is_stale(explain: Callable[..., Any]) -> None:
    """The outcome is that of the message after the others."""
    found = explain(PLACED, f"payments={json.dumps(PAID)}")

    item = {"id": "o-1", "amount": 7.5, "at": 2}
    assert found["outcome"]["kind"] == "stale"
    assert found["items"] == [
        {"table": "prod-orders", "routes": ["placed"], "key": KEY, "before": item, "after": item, "changes": []}
    ]


def test_no_item(explain: Callable[..., Any]) -> None:
    """Before the first message, and after a delete."""
    created = explain({"type": "seen", "id": "o-2"}, json.dumps(PLACED))
    deleted = explain({"type": "gone", "id": "o-1"}, json.dumps(PLACED))

    assert created["items"][0]["before"] is None
    assert created["items"][0]["changes"] == [{"attribute": "id", "after": "o-2"}, {"attribute": "seen", "after": 1}]
    assert deleted["items"][0]["after"] is None


def test_messages_are_different_ones(explain: Callable[..., Any]) -> None:
    """Each has an id of its own, unless a record says which it has."""
    seen = {"type": "seen", "id": "o-1"}
    record = json.dumps({"messageId": "m", "body": json.dumps(seen)})
    found = explain(seen, json.dumps(seen), json.dumps(seen))
    again = explain(json.loads(record), record, options=("--json", "--raw"))

    assert (found["items"][0]["before"], found["items"][0]["after"]) == (
        {"id": "o-1", "seen": 2},
        {"id": "o-1", "seen": 3},
    )
    assert again["outcome"]["kind"] == "duplicate"


def test_text(explain: Callable[..., Any]) -> None:
    """The earlier messages with their outcomes, then each item; without `--after` nothing of it."""
    found = explain(PLACED, json.dumps({"type": "new"}), json.dumps(PLACED | {"lines": ["milk"], "at": 0}), options=())
    lines = found.splitlines()
    shown = lines[lines.index("earlier messages") :]
    assert shown == [
        "earlier messages",
        "  1: rejected (RT805 no route takes the message)",
        "  2: written",
        'item of table prod-orders {"id":"o-1"}, by placed',
        '  before  {"id":"o-1","lines":["milk"],"at":0}',
        '  after   {"id":"o-1","lines":["tea"],"at":1}',
        '  lines  ["milk"] → ["tea"]',
        "  at     0 → 1",
    ]
    unchanged = explain({"type": "gone", "id": "o-2"}, json.dumps(PLACED), options=("--route", "gone")).splitlines()
    assert unchanged[-4:] == [
        'item of table prod-orders {"id":"o-2"}, by gone',
        "  before  none",
        "  after   none",
        "  nothing changes",
    ]
    erased = explain(PAID, f"orders={json.dumps(PLACED)}", options=(), queue="payments")
    assert erased.splitlines()[-3:] == ['  lines   ["tea"] → none', "  at      1 → 2", "  amount  none → 7.5"]
    assert "before" not in explain(PLACED, options=())
    assert "by placed" not in explain(PLACED, json.dumps(PLACED), options=("--route", "gone"))


def test_page(explain: Callable[..., Any], tmp_path: Path) -> None:
    """The page has the item, too."""
    explain(PLACED, json.dumps(PLACED | {"lines": ["milk"], "at": 0}), options=("--html", "page.html"))
    page = (tmp_path / "page.html").read_text()

    assert "The item of table prod-orders" in page
    assert '<td>lines</td><td>["milk"]</td><td>["tea"]</td>' in page
    explain(PLACED, options=("--html", "page.html"))
    assert "The item of table" not in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("nothing.json", "'nothing.json': no such file or directory"),
        ("orders=nothing.json", "'nothing.json': no such file or directory"),
        ('nothing={"a": 1}', "'nothing={\"a\": 1}': no such file or directory"),
    ],
)
def test_messages_that_cannot_be_read(router: Run, tmp_path: Path, after: str, reason: str) -> None:
    """Of a queue that the config does not have, it is taken for a file."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    done = router("explain", "--queue", "orders", "--after", after, "-", input="{}")

    assert done.returncode == 2
    assert reason in done.stderr
