"""Tables that routes share: what is known of the routes, in the graph's data and in its pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from router.tools.dev.graph import Graph, SharedPair, SharedTable, as_json, as_mermaid, graph_of, group, select
from router.tools.dev.graph_picture import as_svg
from router.tools.dev.shared_tables import shared_tables
from tests.support.program import Loaded, load

CONFIG = """\
version: 1
plugins: [own.py]
tables:
  orders: {name: prod-orders, key: {id: S}}
  again: {name: prod-orders, key: {id: S}}
  notes: {key: {id: S}}
  kinds: {key: {id: S}}
  alone: {key: {id: S}}
  hidden: {key: {id: S}}
  many: {key: {id: S}}
routes:
  placed: {queue: q, table: orders, when: "t == 'a'", item: {id: id, lines: lines}, plugins: []}
  paid: {queue: q, table: again, when: "t == 'b'", item: {id: id, amount: amount}, plugins: []}
  note: {queue: n, table: notes, item: {id: {template: "note-{id}"}, text: text}, plugins: []}
  mark: {queue: n, table: notes, item: {id: {template: "mark-{id}"}, mark: mark}, plugins: []}
  one:
    schema: {required: [id], properties: {id: {type: string, pattern: '^[0-9]{3}$'}}}
    queue: one
    table: kinds
    item: {id: id, n: n}
    plugins: []
  two:
    schema: {required: [id], properties: {id: {type: string, pattern: '^[a-z]{3}$'}}}
    queue: two
    table: kinds
    item: {id: id, m: m}
    plugins: []
  alone: {queue: a, table: alone, item: {id: id}, plugins: []}
  seen: {queue: h, table: hidden, item: {id: id, seen: seen}}
  other: {queue: i, table: hidden, item: {id: id, other: other}}
  many-a: {queue: a, table: many, item: {id: id, a: a}, plugins: []}
  many-b: {queue: b, table: many, item: {id: id, b: b}, plugins: []}
  many-c: {queue: c, table: many, item: {id: id, c: c}, plugins: []}
  many-d: {queue: d, table: many, item: {id: id, d: d}, plugins: []}
"""
PLUGIN = "from router import hookimpl\n\n\n@hookimpl\ndef router_transform_item(item, message, route): pass\n"
MEETING = SharedPair(
    ("placed", "paid"),
    "may meet",
    losses=(
        "in order, 'paid' replaces the item, and erases 'lines' of 'placed'",
        "out of order, a late message of 'placed' replaces the item, and erases 'amount' of 'paid'",
    ),
)
Loads = Callable[[str], Loaded]


@pytest.fixture
def loads(tmp_path: Path) -> Loads:
    """Return a function that loads a config."""

    def loading(text: str) -> Loaded:
        (tmp_path / "own.py").write_text(PLUGIN, encoding="utf-8")
        (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / "routes.yaml", {})

    return loading


@pytest.fixture
def graph(loads: Loads) -> Graph:
    """The graph of `CONFIG`, with the tables that routes share."""
    loaded = loads(CONFIG)
    return graph_of(loaded.require().config, shared_tables(loaded))


def tables_of(graph: Graph) -> list[str]:
    """The lines of Mermaid with tables."""
    return [line.partition("[(")[2] for line in as_mermaid(graph).splitlines() if "[(" in line]


def test_tables(loads: Loads) -> None:
    """Two names of one table in AWS are one table, and a table with one writer is not shared."""
    found = shared_tables(loads(CONFIG))

    pairs = {name: [(each.routes, each.verdict) for each in table.pairs] for name, table in found.items()}
    many = [
        ("many-a", "many-b"),
        ("many-a", "many-c"),
        ("many-b", "many-c"),
        ("many-a", "many-d"),
        ("many-b", "many-d"),
    ]
    assert found["orders"] == SharedTable("orders", ("placed", "paid"), "may meet", (MEETING,))
    assert {name: table.verdict for name, table in found.items()} == {
        "orders": "may meet",
        "again": "may meet",
        "notes": "no loss",
        "kinds": "no loss",
        "hidden": "not decided",
        "many": "may meet",
    }
    assert pairs == {
        "orders": [(("placed", "paid"), "may meet")],
        "again": [(("placed", "paid"), "may meet")],
        "notes": [],
        "kinds": [(("one", "two"), "apart")],
        "hidden": [(("seen", "other"), "not decided")],
        "many": [*((each, "may meet") for each in many), (("many-d",), "not decided")],
    }


def test_why(loads: Loads) -> None:
    """A reason is given unless keys meet."""
    found = shared_tables(loads(CONFIG))

    assert [found[name].pairs[-1].reason for name in ("orders", "kinds", "hidden", "many")] == [
        "",
        "'id' is never the same in two messages",
        "a plugin changes messages or items of their queues",
        "more routes of its table have keys like its own than are compared",
    ]


def test_ignored_pairs(loads: Loads) -> None:
    """They say why; other pairs, other codes and other files do not."""
    ignore = (
        "ignore:\n"
        "  - {code: RT627, at: routes.paid, reason: no}\n"
        "  - {code: RT626, at: routes.paid, and: routes.placed, reason: paid is last}\n"
        "  - {code: RT241, at: routes.other, and: routes.seen, reason: they differ}\n"
        "  - {code: RT242, at: routes.many-d, reason: many}\n"
    )
    found = shared_tables(loads(CONFIG + ignore))

    assert found["orders"].pairs[0].reason == "ignored: paid is last"
    assert found["orders"].pairs[0].losses == MEETING.losses
    assert [each.reason for each in found["hidden"].pairs] == ["ignored: they differ"]
    assert [each.reason for each in found["many"].pairs] == ["", "", "", "", "", "ignored: many"]
    lines = as_mermaid(graph_of(loads(CONFIG + ignore).require().config, found))
    assert "placed and paid may meet: ignored: paid is last" in lines


def test_a_config_with_errors(loads: Loads) -> None:
    """Nothing is known of it."""
    assert shared_tables(loads(CONFIG.replace("lines: lines", "lines: 'a b'"))) == {}


def test_labels(graph: Graph) -> None:
    """A table says how many routes share it and what they lose; of three pairs at most, the worst first."""
    erased = "and erases '{}' of 'many-{}'"
    lost = [
        f"many-{one} and many-{two} may meet: in order, 'many-{two}' replaces the item, {erased.format(one, one)}"
        for one, two in ("ab", "ac", "bc")
    ]
    meeting = f"2 routes: may lose data<br/>prod-orders<br/>id<br/>placed and paid may meet: {MEETING.losses[0]}"
    plugin = "seen and other not decided: a plugin changes messages or items of their queues"
    assert tables_of(graph) == [
        f'"orders<br/>{meeting}")]',
        f'"again<br/>{meeting}")]',
        '"notes<br/>2 routes: no loss<br/>id")]',
        '"kinds<br/>2 routes: no loss<br/>id")]',
        '"alone<br/>id")]',
        f'"hidden<br/>2 routes: not decided<br/>id<br/>{plugin}")]',
        f'"many<br/>4 routes: may lose data<br/>id<br/>{"<br/>".join(lost)}<br/>and 3 more")]',
    ]


def test_groups(graph: Graph) -> None:
    """A node of several tables says how many may lose data; one of its kind in a group says all."""
    groups = {"orders": "a", "notes": "a", "kinds": "a", "hidden": "a", "alone": "b", "many": "b", "again": "c"}

    found = group(graph, "file", lambda node: groups.get(node.name, "routes.yaml"))

    assert [line.partition("<br/>prod")[0] for line in tables_of(found)] == [
        '"a<br/>4 tables<br/>1 may lose data<br/>1 not decided")]',
        '"again<br/>2 routes: may lose data',
        '"b<br/>2 tables<br/>1 may lose data")]',
    ]


def test_selected(graph: Graph) -> None:
    """A table says what all its routes lose, also those that are not drawn."""
    assert tables_of(select(graph, "placed")) == tables_of(graph)[:1]


def test_picture(graph: Graph) -> None:
    """The second line of a table begins with what is known of its routes, and one that may lose data has its class."""
    root = ET.fromstring(as_svg(graph))

    parts = [each for each in root if each.tag.endswith("}g")][-7:]
    assert [(each[1].get("class"), each[3].text) for each in parts] == [
        ("table lossy", "2 routes: may lose data; prod-ord…"),
        ("table lossy", "2 routes: may lose data; prod-ord…"),
        ("table", "2 routes: no loss; id"),
        ("table", "2 routes: no loss; id"),
        ("table", "id"),
        ("table", "2 routes: not decided; id; seen a…"),
        ("table lossy", "4 routes: may lose data; id; many…"),
    ]
    assert (parts[0][0].text or "").endswith(f"placed and paid may meet: {MEETING.losses[0]}")


def test_json(graph: Graph) -> None:
    """All pairs, with all that is lost."""
    nodes = {each["id"]: each["shared"] for each in json.loads(as_json(graph))["nodes"]}

    assert nodes["route:placed"] == nodes["table:alone"] == []
    assert nodes["table:orders"] == [
        {
            "table": "orders",
            "routes": ["placed", "paid"],
            "verdict": "may meet",
            "pairs": [
                {
                    "routes": ["placed", "paid"],
                    "verdict": "may meet",
                    "reason": "",
                    "losses": list(MEETING.losses),
                }
            ],
        }
    ]
