"""`router list` as a user starts it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIG = """\
version: 1
tags: {env: dev}
queues: {orders: {dead_letter: orders-dlq, description: what is bought, tags: {cost: "2"}}}
tables: {things: {key: {id: S}}}
routes:
  orders: {queue: orders, table: things, owner: shop}
  clicks: {queue: clicks, table: things}
"""


@pytest.fixture
def config(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(CONFIG)


@pytest.mark.usefixtures("config")
def test_list(router: Run) -> None:
    """Each queue, table and route, with its owner and what it is for."""
    done = router("list")

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert rows == [
        ["queue", "orders", "shop", "dead letters: orders-dlq", "what is bought"],
        ["queue", "clicks", "", "", ""],
        ["queue", "orders-dlq", "shop", "", ""],
        ["table", "things", "", "key: id", ""],
        ["route", "orders", "shop", "orders → things", ""],
        ["route", "clicks", "", "clicks → things", ""],
    ]


@pytest.mark.usefixtures("config")
def test_owner(router: Run) -> None:
    """What belongs to one owner, with its tags, or to none."""
    shop = json.loads(router("list", "--owner", "shop", "--json").stdout)
    none = json.loads(router("list", "--owner", "-", "--json").stdout)

    assert shop[0] == {
        "kind": "queue",
        "name": "orders",
        "owner": "shop",
        "about": "dead letters: orders-dlq",
        "description": "what is bought",
        "tags": {"env": "dev", "cost": "2"},
    }
    assert ([each["name"] for each in shop], [each["name"] for each in none]) == (
        ["orders", "orders-dlq", "orders"],
        ["clicks", "things", "clicks"],
    )


@pytest.mark.usefixtures("config")
def test_errors_of_the_user(router: Run, tmp_path: Path) -> None:
    """An owner of nothing, and a config with errors."""
    unknown = router("list", "--owner", "others")
    (tmp_path / "routes.yaml").write_text("version: 2\n")
    wrong = router("list")

    assert (unknown.returncode, unknown.stderr) == (
        2,
        "router: nothing belongs to 'others'; the owners in the config: shop\n",
    )
    assert (wrong.returncode, "RT104" in wrong.stderr) == (2, True)
