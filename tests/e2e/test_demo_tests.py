"""The demo of tests with stored items or several messages, and what it takes for a result as it should be."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

HEAD = """\
version: 1
queues:
  users: {dead_letter: users-dlq}
  plays: {name: plays.fifo, dead_letter: plays-dlq.fifo}
  bare: {}
tables:
  users: {key: {id: S, at: N}}
  plays: {key: {title: S}}
  once: {key: {k: S}}
routes:
"""
TESTS = """\
  users:
    queue: users
    table: users
    item: {id: id, at: {from: at, type: N}, city: city, sent_at: {meta: sent_at}, tags: {from: tags, type: SS}}
    write: {mode: newest, version: sent_at}
    tests:
      - name: stored for all
        message: {id: u-0, at: 1}
      - name: the newest wins
        messages:
          - {message: {id: u-1, at: 1, city: Pune}, sent_at: "2026-01-02T00:00:02Z"}
          - {message: {id: u-1, at: 1, city: Agra}, sent_at: "2026-01-02T00:00:01Z", outcome: stale}
          - {message: {id: u-1, at: 1, city: Pune}, sent_at: "2026-01-02T00:00:02Z", outcome: duplicate}
          - {body: "{", outcome: rejected}
        table: [{id: u-1, at: 1, city: Pune, sent_at: "2026-01-02T00:00:02.000Z"}]
      - name: what is stored
        given: {users: [{id: u-2, at: 1, tags: [b, a]}, {id: u-3, at: 1.5, city: Goa, sent_at: "2030"}]}
        messages:
          - {message: {id: u-2, at: 1, tags: [c]}}
          - {message: {id: u-3, at: 1.5}, outcome: stale}
        table: {contains: [{id: u-2, at: 1, tags: [c]}, {id: u-3, at: 1.50, city: Goa}], absent: [{id: u-1, at: 1}]}
  plays:
    queue: plays
    table: plays
    item: {title: title, plays: {value: 1}, group: {meta: group_id}, nr: {meta: sequence_number}}
    write: {mode: update, add: [plays], once: once}
    tests:
      - name: exactly once
        given: {plays: [{title: t, plays: 41}]}
        messages:
          - {id: m-1, message: {title: t}}
          - {id: m-1, message: {title: t}, outcome: duplicate}
          - {id: m-2, message: {title: t}, group: g-2}
        table: {contains: [{title: t, plays: 43, group: g-2}]}
"""


def rows(printed: str, title: str) -> list[list[str]]:
    """The rows of a printed table below its head."""
    lines = iter(printed.splitlines())
    assert any(line.strip() == title for line in lines), printed
    found = []
    for line in lines:
        if not line.strip():
            break
        if line.startswith("│"):
            found.append([cell.strip() for cell in line.strip("│").split("│")])
    return found


def test_tests_with_state(router: Run, tmp_path: Path) -> None:
    """Each test runs by itself, with the ids and times that it says; the tables shown are those of the other tests."""
    (tmp_path / "routes.yaml").write_text(HEAD + TESTS, encoding="utf-8")

    done = router("demo")

    assert [row[:4] for row in rows(done.stdout, "messages")] == [
        ["ok", "users", "users: stored for all", "written"],
        ["ok", "users", "users: the newest wins [0]", "written"],
        ["ok", "users", "users: the newest wins [1]", "stale"],
        ["ok", "users", "users: the newest wins [2]", "duplicate"],
        ["ok", "users", "users: the newest wins [3]", "rejected"],
        ["ok", "users", "users: what is stored [0]", "written"],
        ["ok", "users", "users: what is stored [1]", "stale"],
        ["ok", "plays", "plays: exactly once [0]", "written"],
        ["ok", "plays", "plays: exactly once [1]", "duplicate"],
        ["ok", "plays", "plays: exactly once [2]", "written"],
    ]
    assert (
        [row[0] for row in rows(done.stdout, "table users")],
        rows(done.stdout, "table plays"),
        done.returncode,
    ) == (
        ["u-0"],
        [],
        0,
    )


MEANING = """\
  users:
    queue: users
    table: users
    item: {id: id, at: {from: at, type: N}, city: city}
    write: {mode: insert}
    tests:
      - {name: the first, message: {id: u-1, at: 1}}
      - {name: the same, message: {id: u-1, at: 1}}
  bare:
    queue: bare
    table: users
    on_invalid: retry
    schema: {type: object, required: [at]}
    tests:
      - {name: not now, message: {id: u-3}, outcome: retry}
      - {name: beside it, message: {id: u-3, at: 1}}
"""


def test_duplicates_that_the_config_calls_for(router: Run, tmp_path: Path) -> None:
    """A message whose item another one wrote may be a duplicate; one that stays on a queue tells nothing of others."""
    (tmp_path / "routes.yaml").write_text(HEAD + MEANING, encoding="utf-8")

    done = router("demo")

    found = rows(done.stdout, "messages")
    assert (sorted(row[3] for row in found[:2]), [row[0] for row in found], done.returncode) == (
        ["duplicate", "written"],
        ["ok"] * 4,
        0,
    )


def test_rejections_that_no_test_expects(router: Run, tmp_path: Path) -> None:
    """Of messages without tests, one that the config rejects is not as it should be, though the engine says so."""
    (tmp_path / "routes.yaml").write_text(HEAD + MEANING, encoding="utf-8")

    done = router("demo", "--queue", "users", "--messages", "-", input='{"id": "a", "at": 1}\n{"id": "a"}\n')

    assert ([row[:4] for row in rows(done.stdout, "messages")], done.returncode) == (
        [["ok", "users", "line 1", "written"], ["NO", "users", "line 2", "rejected"]],
        1,
    )


WRONG = """\
  users:
    queue: users
    table: users
    item: {id: id, at: {from: at, type: N}}
    tests:
      - {name: another table, message: {id: u-1, at: 1}, table: []}
      - {name: one more item, message: {id: u-1, at: 1}, table: [{id: u-1, at: 1}]}
  bare:
    queue: bare
    table: users
    item: {id: id, at: {from: at, type: N}, sent_at: {meta: sent_at}}
    write: {mode: newest, version: sent_at}
    tests:
      - name: a late message
        messages:
          - {message: {id: u-2, at: 1}, sent_at: "2026-01-02T00:00:02Z"}
          - {message: {id: u-2, at: 1}, sent_at: "2026-01-02T00:00:01Z", outcome: stale}
"""
THIEF = """\
import boto3
from router import hookimpl

@hookimpl
def router_outcome(outcome):
    boto3.client("dynamodb").put_item(TableName="users", Item={"id": {"S": "x"}, "at": {"N": "1"}})
"""


def test_not_as_expected(router: Run, tmp_path: Path) -> None:
    """A test that fails without AWS, a table with other items, and an outcome that SQS decides are reported."""
    config = HEAD.replace("queues:", "plugins: [thief.py]\nqueues:", 1) + WRONG
    (tmp_path / "routes.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "thief.py").write_text(THIEF, encoding="utf-8")

    done = router("demo", env=os.environ | {"COLUMNS": "250"})

    depends = "its outcome depends on 'id', 'group' or 'sent_at', which SQS sets unless the queue has a 'dead_letter'"
    found = [[*row[:1], *row[2:]] for row in rows(done.stdout, "messages")]
    assert ([row[:2] + row[3:] for row in found], done.returncode) == (
        [
            ["NO", "users: another table", "router test: table[u-1, 1]"],
            ["NO", "users: one more item", "the table has 2 items, not 1"],
            ["NO", "bare: a late message [0]", depends],
            ["NO", "bare: a late message [1]", depends],
        ],
        1,
    )
