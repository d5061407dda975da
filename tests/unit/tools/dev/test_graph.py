"""Graphs of configs: what is connected, groups, and the formats."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from router.tools.dev.graph import MAX_GROUPS, Edge, Graph, Node, as_json, as_mermaid, graph_of, group, select
from router.tools.dev.graph_picture import ROW, as_svg, place
from tests.support.config import spec
from tests.support.program import load_program

CONFIG = """\
version: 1
queues:
  a: {name: prod-a, envelope: [sns], dead_letter: dead}
  b.fifo: {dead_letter: dead.fifo}
  dead: {retention: 14d}
tables: {things: {key: {id: S, n: N}}, marks: {key: {m: S}}}
routes:
  one: {queue: a, table: things, when: "x == 'y'", for_each: lines, item: {id: message.id, n: element.n}}
  two: {queue: b.fifo, table: things, item: {id: id, n: n, c: c}, write: {mode: update, add: [c], once: marks}}
  three: {queue: c, table: things}
"""
GRAPH = Graph(
    (
        Node("queue:a", "queue", "a", ("prod-a", "sns")),
        Node("queue:b.fifo", "queue", "b.fifo", ("FIFO",)),
        Node("dead_letter:dead", "dead_letter", "dead"),
        Node("queue:c", "queue", "c"),
        Node("route:one", "route", "one", ("when x == 'y'", "for each lines")),
        Node("route:two", "route", "two", ("update",)),
        Node("route:three", "route", "three"),
        Node("table:things", "table", "things", ("id, n",)),
        Node("table:marks", "table", "marks", ("m",)),
        Node("dead_letter:dead.fifo", "dead_letter", "dead.fifo", ("FIFO",)),
    ),
    (
        Edge("queue:a", "route:one", "reads"),
        Edge("route:one", "table:things", "writes"),
        Edge("queue:b.fifo", "route:two", "reads"),
        Edge("route:two", "table:things", "writes"),
        Edge("route:two", "table:marks", "writes"),
        Edge("queue:c", "route:three", "reads"),
        Edge("route:three", "table:things", "writes"),
        Edge("queue:a", "dead_letter:dead", "dead_letter"),
        Edge("queue:b.fifo", "dead_letter:dead.fifo", "dead_letter"),
    ),
)
HOSTILE = "<script>alert(1)</script>\"'\\`;\u202e]]>&"
Parse = Callable[[str], spec.Config]


@pytest.fixture
def config(tmp_path: Path) -> Parse:
    def parse(text: str) -> spec.Config:
        (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
        return load_program(tmp_path / "routes.yaml", {}).config

    return parse


def large(teams: int, each: int) -> Graph:
    """A graph with routes of some teams, each with one queue and one table."""
    names = [f"team{team}-{number}" for team in range(teams) for number in range(each)]
    first = {name: f"{name.partition('-')[0]}-0" for name in names}
    kept = dict.fromkeys(first.values())
    return Graph(
        (
            *(Node(f"queue:{name}", "queue", name) for name in kept),
            *(Node(f"route:{name}", "route", name) for name in names),
            *(Node(f"table:{name}", "table", name) for name in kept),
        ),
        tuple(
            edge
            for name in names
            for edge in (
                Edge(f"queue:{first[name]}", f"route:{name}", "reads"),
                Edge(f"route:{name}", f"table:{first[name]}", "writes"),
            )
        ),
    )


def test_graph(config: Parse) -> None:
    """Queues with and without settings, routes, tables, markers, and dead-letter queues of each kind."""
    assert graph_of(config(CONFIG)) == GRAPH


def test_a_dead_letter_queue_that_is_read(config: Parse) -> None:
    """It is one node, a queue."""
    text = "version: 1\nqueues: {a: {dead_letter: b}}\ntables: {things: {key: {id: S}}}\nroutes:\n"

    found = graph_of(config(f"{text}  one: {{queue: a, table: things}}\n  two: {{queue: b, table: things}}\n"))

    assert [node.id for node in found.nodes] == ["queue:a", "queue:b", "route:one", "route:two", "table:things"]
    assert found.edges[-1] == Edge("queue:a", "queue:b", "dead_letter")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("two", ["b.fifo", "two", "things", "marks"]),
        ("dead", ["a", "dead"]),
        ("c", ["c", "three", "things"]),
        ("m*", ["b.fifo", "two", "things", "marks"]),
        ("nothing", []),
    ],
)
def test_select(pattern: str, names: list[str]) -> None:
    """What matches, its routes, and all that those are connected to."""
    assert [node.name for node in select(GRAPH, pattern).nodes] == names


def test_groups_by_name() -> None:
    """What has one first word is one node, and edges are counted; one of a kind keeps its name."""
    found = group(large(2, 30), "auto", lambda node: "routes.yaml")

    assert found == Graph(
        (
            Node("queue:team0", "queue", "team0-0"),
            Node("queue:team1", "queue", "team1-0"),
            Node("route:team0", "route", "team0", (), 30),
            Node("route:team1", "route", "team1", (), 30),
            Node("table:team0", "table", "team0-0"),
            Node("table:team1", "table", "team1-0"),
        ),
        (
            Edge("queue:team0", "route:team0", "reads", 30),
            Edge("route:team0", "table:team0", "writes", 30),
            Edge("queue:team1", "route:team1", "reads", 30),
            Edge("route:team1", "table:team1", "writes", 30),
        ),
    )


def test_groups_by_file() -> None:
    """Several files are groups."""
    found = group(large(2, 30), "auto", lambda node: "a.yaml" if node.name.endswith("-0") else "b.yaml")

    assert [(node.id, node.count) for node in found.nodes] == [
        ("queue:a.yaml", 2),
        ("route:a.yaml", 2),
        ("route:b.yaml", 58),
        ("table:a.yaml", 2),
    ]


@pytest.mark.parametrize(("graph", "by"), [(GRAPH, "auto"), (large(2, 30), "none")])
def test_no_groups(graph: Graph, by: str) -> None:
    """A small graph is not grouped unless it is wanted."""
    assert group(graph, "none" if by == "none" else "auto", lambda node: "routes.yaml") == graph


def test_groups_by_owner(config: Parse) -> None:
    """Owners are groups before files are; what has none is a group, too."""
    text = "version: 1\ntables: {things: {key: {id: S}}}\nroutes:\n"
    routes = (f"  r{n}: {{queue: q, table: things{', owner: a' if n < 50 else ''}}}\n" for n in range(60))

    found = group(graph_of(config(text + "".join(routes))), "auto", lambda node: node.name)

    assert [(node.id, node.owner, node.count) for node in found.nodes] == [
        ("queue:others", "", 1),
        ("route:a", "a", 50),
        ("route:others", "", 10),
        ("table:others", "", 1),
    ]


def test_many_groups() -> None:
    """The smallest are one, so that a picture of any config can be read."""
    found = group(large(1000, 1), "auto", lambda node: "routes.yaml")

    assert (sum(node.kind == "route" for node in found.nodes), found.count("route")) == (MAX_GROUPS, 1000)


def test_mermaid() -> None:
    """Each node has the shape of its kind, and lines to dead-letter queues are dotted."""
    graph = Graph(
        (
            Node("queue:a", "queue", "a"),
            Node("route:r", "route", "r", ("when x",), 1),
            Node("table:t", "table", "t", (), 3),
            Node("dead_letter:d", "dead_letter", 'd"|'),
        ),
        (
            Edge("queue:a", "route:r", "reads"),
            Edge("route:r", "table:t", "writes", 3),
            Edge("queue:a", "dead_letter:d", "dead_letter"),
        ),
    )

    assert as_mermaid(graph).splitlines() == [
        "flowchart LR",
        '  n0(["a"])',
        '  n1["r<br/>when x"]',
        '  n2[("t<br/>3 tables")]',
        '  n3[/"d#34;#124;"/]',
        "  n0 --> n1",
        "  n1 -->|3| n2",
        "  n0 -.-> n3",
    ]


def test_json() -> None:
    """Nodes and edges with all that is known about them."""
    found = json.loads(as_json(GRAPH))

    assert (found["nodes"][0], found["edges"][0]) == (
        {
            "id": "queue:a",
            "kind": "queue",
            "name": "a",
            "details": ["prod-a", "sns"],
            "count": 1,
            "owner": "",
            "shared": [],
        },
        {"source": "queue:a", "target": "route:one", "kind": "reads", "count": 1},
    )


@pytest.mark.parametrize("graph", [GRAPH, large(7, 30), group(large(1000, 1), "auto", lambda node: ""), Graph((), ())])
def test_layout(graph: Graph) -> None:
    """Nodes of a column are a row apart, and all are in the picture."""
    layout = place(graph)

    gaps = [
        below - above
        for column in range(3)
        for above, below in pairwise(
            sorted(layout.middles[node.id] for node in graph.nodes if layout.columns[node.id] == column)
        )
    ]
    assert [gap for gap in gaps if gap < ROW - 0.01] == []
    assert all(ROW / 2 <= middle <= layout.height - ROW / 2 for middle in layout.middles.values())


def test_picture_of_hostile_text() -> None:
    """Text is text: no element and no attribute comes of it; a long one is cut."""
    graph = Graph(
        (Node("queue:a", "queue", HOSTILE), Node("route:a", "route", "r" * 99, (HOSTILE,))),
        (Edge("queue:a", "route:a", "reads"),),
    )

    root = ET.fromstring(as_svg(graph))

    tags = {element.tag.partition("}")[2] for element in root.iter()}
    names = {name for element in root.iter() for name in element.attrib}
    shown = [text for element in root.iter() if element.get("class") == "name" for text in element.itertext()]
    assert (tags, names) == (
        {"svg", "title", "style", "text", "g", "rect", "path"},
        {"role", "viewBox", "width", "height", "x", "y", "rx", "class", "d"},
    )
    assert shown == ["<script>alert(1)</script>\"'\\`;\\u2…", f"{'r' * 33}…"]


def test_picture() -> None:
    """Each node and each edge is drawn, and a heading of each column."""
    root = ET.fromstring(as_svg(GRAPH))

    classes = [element.get("class") for element in root.iter() if element.tag.endswith(("rect", "path"))]
    headings = [element.text for element in root.iter() if element.get("class") == "heading"]
    assert (classes, headings) == (
        [*(edge.kind for edge in GRAPH.edges), *(node.kind for node in GRAPH.nodes)],
        ["queues", "routes", "tables and dead-letter queues"],
    )
