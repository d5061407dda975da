"""Owners and tags: of entries, of files, and of what routes use; keys that begin with `x-`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.tools.check.owners import Owners, owners_of
from tests.support.config import parse_text, read_config, with_defaults

CONFIG = """\
version: 1
include: flows/*.yaml
owner: platform
tags: {env: "${STAGE:-dev}", cost: "1"}
queues:
  orders: {dead_letter: orders-dlq, owner: shop, tags: {cost: "2"}}
  clicks: {dead_letter: clicks-dlq}
tables: {things: {key: {id: S}, description: all}}
routes:
  orders: {queue: orders, table: things, owner: shop}
"""
FLOW = """\
owner: web
tables: {clicks: {key: {id: S}}}
routes:
  clicks: {queue: clicks, table: clicks}
  marks: {queue: others, table: things}
"""
NONE = """\
tables: {logs: {key: {id: S}}, marks: {key: {id: S}}}
queues: {mine: {dead_letter: letters, owner: me}, yours: {dead_letter: letters}, letters: {}}
routes:
  logs: {queue: logs, table: logs, owner: a, write: {mode: update, add: [n], once: marks}, item: {id: id, n: n}}
  more: {queue: logs, table: logs, owner: b, item: {id: id}}
  mine: {queue: mine, table: logs, item: {id: id}}
  yours: {queue: yours, table: logs, owner: me, item: {id: id}}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Read a config with included files; it has no errors."""

    def run(**flows: str) -> Any:
        (tmp_path / "routes.yaml").write_text(CONFIG)
        (tmp_path / "flows").mkdir()
        for name, text in flows.items():
            (tmp_path / "flows" / f"{name}.yaml").write_text(text)
        reading = read_config(tmp_path / "routes.yaml", {})
        assert [str(each) for each in reading.findings] == []
        return reading.config

    return run


def test_owners_of_files(read: Callable[..., Any]) -> None:
    """An entry has its own owner and tags, and those of its file; others follow from routes."""
    config = read(flow=FLOW)

    assert owners_of(config) == Owners(
        {"orders": "shop", "clicks": "platform", "others": "web", "orders-dlq": "shop", "clicks-dlq": "platform"},
        {"things": "platform", "clicks": "web"},
        {"orders": "shop", "clicks": "web", "marks": "web"},
    )
    assert (config.queues["orders"].tags, config.routes["orders"].tags, config.routes["clicks"].tags) == (
        {"env": "dev", "cost": "2"},
        {"env": "dev", "cost": "1"},
        {},
    )


def test_owners_without_a_default(read: Callable[..., Any]) -> None:
    """What routes of several owners use has none."""
    config = read(none=NONE)

    owners = owners_of(config)

    assert {name: owners.queues[name] for name in ("logs", "mine", "yours", "letters")} == {
        "logs": "",
        "mine": "me",
        "yours": "me",
        "letters": "me",
    }
    assert {name: owners.tables[name] for name in ("logs", "marks")} == {"logs": "", "marks": "a"}


@pytest.mark.parametrize(
    "data",
    [
        {"queues": {"q": {}}},
        {"owner": 1, "tags": [], "queues": {"q": {}}},
        {"owner": "", "tags": {}, "queues": {"q": None}},
        {"owner": "a", "tags": {"x": "y"}, "queues": 1, "tables": {"t": 2}},
    ],
)
def test_data_without_defaults(data: dict[str, Any]) -> None:
    """Data of another shape stays as it is, for the findings about it."""
    assert with_defaults(data) == data


def test_defaults_of_entries() -> None:
    """Tags of another shape stay, and so does an entry that is none."""
    data = {"owner": "a", "tags": {"x": "1"}, "queues": {"q": {}, "p": None}, "tables": {"t": {"tags": 1}}}

    assert with_defaults(data) == {
        **data,
        "queues": {"q": {"owner": "a", "tags": {"x": "1"}}, "p": None},
        "tables": {"t": {"owner": "a", "tags": 1}},
    }


def test_tags_without_an_owner() -> None:
    """One can do without the other."""
    assert with_defaults({"tags": {"x": "1"}, "routes": {"r": {"owner": "a"}}})["routes"] == {
        "r": {"owner": "a", "tags": {"x": "1"}}
    }


TEXT = """\
x-top: ${UNSET}
version: 1
queues:
  q: {x-slack: "#a", retry: {x-why: b}}
  x-q: {dead_letter: d}
tables: {x-t: {key: {x-id: S}, x-a: [1]}}
routes:
  x-r:
    x-note: ${UNSET}
    queue: q
    table: x-t
    options: {own: {x-kept: 1}}
    schema: {x-kept: 1}
    item: {x-id: x, c: {from: c, x-note: d}, e: {ttl: {from: f, after: 1d, x-g: h}}}
    tests: [{message: {x-kept: 1}, item: {x-id: 1}, x-ticket: 7}]
x-number: 1
"""


def test_extensions() -> None:
    """Keys that begin with `x-` are ignored in each map whose keys are fixed, before variables are read."""
    source = parse_text(TEXT, {})

    assert (source.data, [str(each) for each in source.findings]) == (
        {
            "version": 1,
            "queues": {"q": {"retry": {}}, "x-q": {"dead_letter": "d"}},
            "tables": {"x-t": {"key": {"x-id": "S"}}},
            "routes": {
                "x-r": {
                    "queue": "q",
                    "table": "x-t",
                    "options": {"own": {"x-kept": 1}},
                    "schema": {"x-kept": 1},
                    "item": {"x-id": "x", "c": {"from": "c"}, "e": {"ttl": {"from": "f", "after": "1d"}}},
                    "tests": [{"message": {"x-kept": 1}, "item": {"x-id": 1}}],
                }
            },
        },
        [],
    )


def test_data_as_written() -> None:
    """An edit of the file needs all keys."""
    data = parse_text(f"{TEXT}owner: a\n", as_written=True).data

    assert (data["x-number"], data["queues"]["q"]) == (1, {"x-slack": "#a", "retry": {"x-why": "b"}})
