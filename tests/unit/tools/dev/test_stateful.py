"""Tests of routes that start from stored items, have several messages, or say what the table holds afterwards."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from router.tools.dev.run_tests import Suite
from router.tools.dev.update import update

Write = Callable[..., Path]
HEAD = """\
version: 1
queues: {q: {dead_letter: d, match: all}}
tables:
  things: {name: real-things, key: {id: S, at: N}}
  keys: {key: {k: S}}
routes:
  r:
    queue: q
    table: things
    when: kind != 'other'
    item:
      id: id
      at: {from: at, type: N}
      v: {from: v}
      tags: {from: tags, type: SS}
      data: {from: data, type: B}
      sent_at: {meta: sent_at}
      group: {meta: group_id}
"""
MODES = {
    "insert": "{mode: insert}",
    "newest": "{mode: newest, version: v}",
    "once": "{mode: update, add: [v], once: keys}",
    "delete": "{mode: delete}",
    "put": "{}",
}
A, B = "{id: a, at: 1, v: 1}", "{id: a, at: 1, v: 2}"
META = "sent_at: '2026-01-02T03:04:05.678Z', group: group-1"
STORED = {"id": "a", "at": 1, "v": 2, "sent_at": "2026-01-02T03:04:05.678Z", "group": "group-1"}


@pytest.fixture
def config(write: Write) -> Callable[..., Path]:
    """Return a function that writes a config with one test of a route that writes in a mode."""

    def put(mode: str, test: str, more: str = "") -> Path:
        return write(f"    write: {MODES[mode]}\n    tests:\n      - {test}\n{more}", HEAD)

    return put


def differences(file: Path) -> list[tuple[str, Any, Any]]:
    """Run the one test of a config."""
    [verdict] = Suite(file, {}).run()
    return [(each.what, each.expected, each.found) for each in verdict.differences]


@pytest.mark.parametrize(
    ("mode", "test"),
    [
        ("newest", f"{{messages: [{{message: {B}}}, {{message: {A}, outcome: stale, code: RT821}}]}}"),
        ("newest", f"{{given: {{things: [{B}]}}, message: {A}, outcome: stale}}"),
        ("newest", f"{{given: {{things: [{A}]}}, message: {B}, table: [{{id: a, at: 1, v: 2, {META}}}]}}"),
        ("newest", f"{{messages: [{{message: {A}}}, {{message: {A}, outcome: duplicate}}]}}"),
        ("insert", f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, table: [{A}]}}"),
        (
            "once",
            (
                f"{{messages: [{{message: {A}, id: m}}, {{message: {A}, id: m, outcome: duplicate}}], "
                "table: {contains: [{id: a, at: 1.0, v: 1}]}}"
            ),
        ),
        ("once", f"{{messages: [{{message: {A}}}, {{message: {A}}}], table: {{contains: [{{id: a, at: 1, v: 2}}]}}}}"),
        ("once", f"{{given: {{keys: [{{k: r#m#0}}]}}, message: {A}, id: m, outcome: duplicate, table: []}}"),
        (
            "delete",
            (
                f"{{given: {{things: [{A}, {{id: b, at: 1}}]}}, message: {A}, "
                "table: {absent: [{id: a, at: 1}], contains: [{id: b, at: 1}]}}"
            ),
        ),
        (
            "put",
            f"{{messages: [{{message: {A}}}, {{body: '{{', outcome: rejected, code: RT801}}], "
            "table: {items: [{id: a, at: 1, v: 1, " + META + "}]}}",
        ),
        (
            "put",
            (
                "{message: {id: a, at: 1}, sent_at: '2026-01-02T04:00:00+01:00', group: g, "
                "table: [{id: a, at: 1, sent_at: '2026-01-02T03:00:00.000Z', group: g}]}"
            ),
        ),
        (
            "put",
            (
                "{given: {things: [{id: a, at: 1, tags: [y, x], data: AA==}, {id: b, at: 1, tags: none, data: é}]}, "
                "message: {kind: other}, outcome: rejected, "
                "table: [{id: b, at: 1, data: é, tags: none}, {id: a, at: 1, tags: [x, y], data: AA==}]}"
            ),
        ),
        ("put", f"{{given: {{things: [{A}]}}, message: {B}, item: {{id: a, at: 1, v: 2, {META}}}}}"),
    ],
)
def test_as_expected(config: Any, mode: str, test: str) -> None:
    """What a table holds decides about a message as in DynamoDB, one message after the other."""
    assert differences(config(mode, test)) == []


@pytest.mark.parametrize(
    ("mode", "test", "found"),
    [
        (
            "newest",
            f"{{messages: [{{message: {B}}}, {{name: late, message: {A}}}]}}",
            [
                (
                    "messages[1].outcome",
                    "written",
                    "stale (RT821 table 'real-things' has the item with an equal or greater 'v')",
                )
            ],
        ),
        (
            "put",
            f"{{messages: [{{message: {A}}}, {{body: x, outcome: rejected, code: RT802, reason: y}}], table: []}}",
            [
                ("messages[1].code", "RT802", "RT801"),
                ("messages[1].reason", "y", "the payload is not JSON"),
                ("table[a, 1]", "(no such item)", {**STORED, "v": 1}),
            ],
        ),
        (
            "put",
            f"{{message: {B}, table: {{items: [{{id: a, at: 1, v: 3, x: 1}}, {{id: b, at: 1.5}}]}}}}",
            [
                ("table[a, 1].v", 3, 2),
                ("table[a, 1].x", 1, "(no such attribute)"),
                ("table[a, 1].sent_at", "(no such attribute)", STORED["sent_at"]),
                ("table[a, 1].group", "(no such attribute)", STORED["group"]),
                ("table[b, 1.5]", {"id": "b", "at": Decimal("1.5")}, "(no such item)"),
            ],
        ),
        (
            "put",
            f"{{message: {B}, table: {{contains: [{{id: a, at: 1, v: 3}}]}}}}",
            [("table[a, 1].v", 3, 2)],
        ),
        (
            "put",
            f"{{message: {B}, table: {{absent: [{{id: a, at: 1}}]}}}}",
            [("table[a, 1]", "(no such item)", STORED)],
        ),
        (
            "put",
            "{messages: [{message: {kind: other, id: a, at: 1}}]}",
            [("messages[0].outcome", "written", "not written by this route")],
        ),
        (
            "put",
            f"{{messages: [{{message: {A}}}, {{file: no.json}}]}}",
            [("message", "one that can be read", "cannot read 'no.json': no such file or directory")],
        ),
    ],
)
def test_differences(config: Any, mode: str, test: str, found: list[tuple[str, Any, Any]]) -> None:
    """Each difference names the message, or the key of the item."""
    other = "  s: {queue: q, table: things, when: kind == 'other'}\n"

    assert differences(config(mode, test, other)) == found


def test_records_of_one_test(config: Any) -> None:
    """Each record is a message of its own, unless it has the message id of another."""
    records = (
        "[{record: {body: {id: a, at: 1, v: 1}}}, {record: {body: {id: a, at: 1, v: 1}}}, "
        "{record: {messageId: m, body: {id: a, at: 1, v: 1}}}, "
        "{record: {messageId: m, body: {id: a, at: 1, v: 1}}, outcome: duplicate}]"
    )

    assert differences(config("once", f"{{messages: {records}, table: {{contains: [{{id: a, at: 1, v: 3}}]}}}}")) == []


def test_an_atomic_queue(write: Write) -> None:
    """All writes of a message are one transaction: a failed condition of one route writes nothing."""
    test = "{given: {others: [{id: a}]}, message: {id: a, n: 1}, outcome: duplicate, table: []}"
    file = write(
        f"    tests:\n      - {test}\n  s: {{queue: q, table: others, write: {{mode: insert}}}}\n",
        "version: 1\nqueues: {q: {dead_letter: d, atomic: true}}\n"
        "tables: {things: {key: {id: S}}, others: {key: {id: S}}}\nroutes:\n  r:\n    queue: q\n    table: things\n",
    )

    assert differences(file) == []


KEPT = "its table holds an item that is expected to be absent; change it by hand"


@pytest.mark.parametrize(
    ("mode", "before", "after", "kept"),
    [
        ("delete", f"{{message: {A}}}", f"{{message: {A}, item: {{id: a, at: 1}}}}", []),
        (
            "delete",
            f"{{given: {{things: [{A}, {{id: b, at: 1}}]}}, message: {A}}}",
            f"{{given: {{things: [{A}, {{id: b, at: 1}}]}}, message: {A}, table: [{{id: b, at: 1}}]}}",
            [],
        ),
        ("delete", f"{{messages: [{{message: {A}}}]}}", f"{{messages: [{{message: {A}}}], table: []}}", []),
        (
            "insert",
            f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate}}",
            f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate}}",
            [],
        ),
        (
            "insert",
            f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, table: [{{id: c, at: 1}}]}}",
            f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, table: [{A}]}}",
            [],
        ),
        (
            "insert",
            f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, table: {{items: [{B}]}}}}",
            f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, table: {{items: [{A}]}}}}",
            [],
        ),
        (
            "insert",
            (
                f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, "
                "table: {contains: [{id: a, at: 1, v: 3, x: 1}, {id: b, at: 1}], absent: [{id: c, at: 1}]}}"
            ),
            (
                f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, "
                f"table: {{contains: [{{id: a, at: 1, v: 1}}], absent: [{{id: c, at: 1}}]}}}}"
            ),
            [],
        ),
        (
            "put",
            f"{{message: {A}, table: {{absent: [{{id: a, at: 1}}]}}}}",
            f"{{message: {A}, table: {{absent: [{{id: a, at: 1}}]}}}}",
            [KEPT],
        ),
        (
            "newest",
            f"{{messages: [{{message: {B}}}, {{message: {A}}}]}}",
            f"{{messages: [{{message: {B}}}, {{message: {A}}}]}}",
            ["the outcome of messages[1] is 'stale', not 'written'; --update-outcomes changes that too"],
        ),
        (
            "newest",
            f"{{messages: [{{message: {B}}}, {{message: {A}, outcome: stale, code: RT820}}]}}",
            f"{{messages: [{{message: {B}}}, {{message: {A}, outcome: stale, code: RT821}}]}}",
            [],
        ),
        (
            "put",
            "{messages: [{message: {kind: other, id: a, at: 1}}]}",
            "{messages: [{message: {kind: other, id: a, at: 1}}]}",
            ["messages[0] is not written by this route; change it or its outcome by hand"],
        ),
        (
            "put",
            "{message: {kind: other, id: a, at: 1}, table: []}",
            "{message: {kind: other, id: a, at: 1}, table: [{kind: other, id: a, at: 1}]}",
            [],
        ),
    ],
)
def test_update(config: Any, mode: str, before: str, after: str, kept: list[str]) -> None:
    """What differs in `table` and in codes changes; a test without expectations gets its table."""
    file = config(mode, before, "  s: {queue: q, table: things, when: kind == 'other'}\n")
    suite = Suite(file, {})

    done = update(suite, suite.run())

    text = file.read_text(encoding="utf-8").partition("tests:\n      - ")[2].partition("\n")[0]
    assert (text, [each.kept for each in done if each.kept]) == (after, kept)


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        (
            "newest",
            f"{{messages: [{{message: {B}}}, {{message: {A}}}]}}",
            f"{{messages: [{{message: {B}}}, {{message: {A}, outcome: stale, code: RT821}}]}}",
        ),
        (
            "newest",
            f"{{messages: [{{message: {A}}}, {{message: {B}, outcome: stale, code: RT821}}], table: []}}",
            (
                f"{{messages: [{{message: {A}}}, {{message: {B}}}], table: [{{id: a, at: 1, v: 2, sent_at: "
                "'2026-01-02T03:04:05.678Z', group: group-1}]}"
            ),
        ),
        (
            "insert",
            f"{{given: {{things: [{A}]}}, message: {B}, item: {B}}}",
            f"{{given: {{things: [{A}]}}, message: {B}, outcome: duplicate, code: RT820}}",
        ),
        (
            "insert",
            f"{{message: {A}, outcome: duplicate, table: [{B}]}}",
            f"{{message: {A}, table: [{{id: a, at: 1, v: 1, sent_at: '2026-01-02T03:04:05.678Z', group: group-1}}]}}",
        ),
        (
            "put",
            "{message: {kind: other, id: a, at: 1}, outcome: stale, table: []}",
            "{message: {kind: other, id: a, at: 1}, table: [{kind: other, id: a, at: 1}]}",
        ),
    ],
)
def test_update_outcomes(config: Any, mode: str, before: str, after: str) -> None:
    """On request, outcomes of messages change too, and the test passes then."""
    file = config(mode, before, "  s: {queue: q, table: things, when: kind == 'other'}\n")
    suite = Suite(file, {})

    update(suite, suite.run(), outcomes=True)

    text = file.read_text(encoding="utf-8").partition("tests:\n      - ")[2].partition("\n")[0]
    assert (text, differences(file)) == (after, [])
