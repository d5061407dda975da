"""The graph of a config: its queues, routes and tables, and what goes from one to another; and the graph as text."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Literal

import msgspec
from msgspec import Struct, structs

from router.runtime.aws.references import is_fifo
from router.runtime.config import spec
from router.runtime.config.findings import Findings
from router.tools.check.owners import Owners, owners_of

NodeKind = Literal["queue", "route", "table", "dead_letter"]
EdgeKind = Literal["reads", "writes", "dead_letter"]
GroupBy = Literal["auto", "none", "owner", "file", "name"]
_SECTIONS = {"queue": "queues", "dead_letter": "queues", "route": "routes", "table": "tables"}
_AFTER_WORD = re.compile("[-_.]")
MAX_ROUTES = 40
"""A graph with more routes is grouped by default, as it would be too large to read."""
MAX_GROUPS = 40
OTHERS = "others"
"""The group of what has no owner, and of what is in small groups, if there are too many groups."""


class Node(Struct, frozen=True):
    """A queue, route or table, or several of one kind; `details` say what its settings are."""

    id: str
    kind: NodeKind
    name: str
    details: tuple[str, ...] = ()
    count: int = 1
    owner: str = ""


class Edge(Struct, frozen=True):
    """A connection of two nodes; `count` is the number of edges that a group has merged."""

    source: str
    target: str
    kind: EdgeKind
    count: int = 1


class Graph(Struct, frozen=True):
    """Nodes in the order of the config, and edges between them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def count(self, kind: NodeKind) -> int:
        """Return how many queues, routes, tables or dead-letter queues there are."""
        return sum(node.count for node in self.nodes if node.kind == kind)


def graph_of(config: spec.Config) -> Graph:
    """Return the graph of a config."""
    owners = owners_of(config)
    read = {route.queue: None for route in config.routes.values()}
    queues = dict.fromkeys([*config.queues, *read])
    dead_letters = {
        queue.dead_letter for queue in config.queues.values() if queue.dead_letter
    } - read.keys()
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for name in queues:
        settings = config.queues.get(name, spec.Queue())
        nodes.setdefault(
            _queue_id(name, dead_letters), _queue_node(name, settings, name in dead_letters, owners)
        )
    for name, route in config.routes.items():
        id_ = f"route:{name}"
        nodes[id_] = Node(id_, "route", name, tuple(_details_of(route)), owner=route.owner)
        edges.append(Edge(f"queue:{route.queue}", id_, "reads"))
        tables = [route.table, *([route.write.once] if isinstance(route.write.once, str) else [])]
        edges += [Edge(id_, f"table:{table}", "writes") for table in tables]
    for name, table in config.tables.items():
        about = _named(name, table.name, ", ".join(table.key))
        nodes[f"table:{name}"] = Node(
            f"table:{name}", "table", name, about, owner=owners.tables[name]
        )
    for name in queues:
        target = config.queues.get(name, spec.Queue()).dead_letter
        if target:
            nodes.setdefault(
                _queue_id(target, dead_letters), _queue_node(target, spec.Queue(), True, owners)
            )
            edges.append(
                Edge(_queue_id(name, dead_letters), _queue_id(target, dead_letters), "dead_letter")
            )
    return Graph(tuple(nodes.values()), tuple(edges))


def _queue_id(name: str, dead_letters: set[str]) -> str:
    return f"{'dead_letter' if name in dead_letters else 'queue'}:{name}"


def _queue_node(name: str, settings: spec.Queue, is_dead_letter: bool, owners: Owners) -> Node:
    kind: NodeKind = "dead_letter" if is_dead_letter else "queue"
    about = ", ".join([*settings.envelope, *(["FIFO"] if is_fifo(settings.name or name) else [])])
    return Node(
        f"{kind}:{name}", kind, name, _named(name, settings.name, about), owner=owners.queues[name]
    )


def _named(key: str, name: str, about: str) -> tuple[str, ...]:
    return tuple(filter(None, [name if name != key else "", about]))


def _details_of(route: spec.RouteSettings) -> Iterator[str]:
    if route.when is not None:
        yield f"when {route.when}"
    if route.for_each is not None:
        yield f"for each {route.for_each}"
    if route.write.mode != spec.WriteSettings().mode:
        yield route.write.mode


def select(graph: Graph, pattern: str) -> Graph:
    """Return the nodes whose names match a pattern such as `orders*`, with all that they are connected to."""
    return _around(graph, {node.id for node in graph.nodes if fnmatchcase(node.name, pattern)})


def select_queue(graph: Graph, name: str) -> Graph:
    """Return a queue, its routes, and what these are connected to."""
    return _around(graph, {f"queue:{name}"})


def _around(graph: Graph, matched: set[str]) -> Graph:
    routes = {
        edge.source
        for edge in graph.edges
        if edge.target in matched and edge.source.startswith("route:")
    }
    routes |= {
        edge.target
        for edge in graph.edges
        if edge.source in matched and edge.target.startswith("route:")
    }
    inner = matched | routes
    kept = set(inner)
    for edge in graph.edges:
        if edge.source in inner or edge.target in inner:
            kept |= {edge.source, edge.target}
    edges = tuple(edge for edge in graph.edges if edge.source in kept and edge.target in kept)
    return Graph(tuple(node for node in graph.nodes if node.id in kept), edges)


def file_finder(findings: Findings) -> Callable[[Node], str]:
    """Return a function that returns the file in which a node of a config is defined."""
    return lambda node: findings.locate((_SECTIONS[node.kind], node.name)).file


def group(graph: Graph, by: GroupBy, file_of: Callable[[Node], str]) -> Graph:
    """Return a graph with one node for all queues, routes or tables of an owner, of a file, or of one first word.

    `auto` leaves a small graph as it is, and takes the first of these of which there are several.
    """
    groups = _groups_of(graph, by, file_of)
    return _grouped(graph, groups) if groups else graph


def open_group(graph: Graph, by: GroupBy, file_of: Callable[[Node], str], id_: str) -> Graph:
    """Return what one node of `group` stands for, and what that is connected to."""
    groups = _groups_of(graph, by, file_of)
    matched = {
        node.id for node in graph.nodes if f"{node.kind}:{groups.get(node.id, node.name)}" == id_
    }
    return _around(graph, matched)


def _groups_of(graph: Graph, by: GroupBy, file_of: Callable[[Node], str]) -> Mapping[str, str]:
    """Return the group of each node by its id; nothing if they are not grouped."""
    if by == "none" or (by == "auto" and graph.count("route") <= MAX_ROUTES):
        return {}
    choices = {
        "owner": {node.id: node.owner or OTHERS for node in graph.nodes},
        "file": {node.id: file_of(node) for node in graph.nodes},
        "name": {node.id: _AFTER_WORD.split(node.name, 1)[0] for node in graph.nodes},
    }
    several = (
        name for name, groups in choices.items() if 1 < len(set(groups.values())) <= MAX_GROUPS
    )
    chosen = next(several, "name") if by == "auto" else by
    return _merge_small(choices[chosen], graph)


def _merge_small(groups: Mapping[str, str], graph: Graph) -> Mapping[str, str]:
    """Return the groups of nodes; of each kind the smallest are together, so that there are few."""
    sizes: dict[str, Counter[str]] = {}
    for node in graph.nodes:
        sizes.setdefault(node.kind, Counter())[groups[node.id]] += 1
    kept = {
        kind: {
            name
            for name, _ in counts.most_common(
                MAX_GROUPS if len(counts) <= MAX_GROUPS else MAX_GROUPS - 1
            )
        }
        for kind, counts in sizes.items()
    }
    return {
        node.id: groups[node.id] if groups[node.id] in kept[node.kind] else OTHERS
        for node in graph.nodes
    }


def _grouped(graph: Graph, groups: Mapping[str, str]) -> Graph:
    members: dict[tuple[NodeKind, str], list[Node]] = {}
    for node in graph.nodes:
        members.setdefault((node.kind, groups[node.id]), []).append(node)
    merged: dict[str, Node] = {}
    for (kind, name), nodes in members.items():
        id_ = f"{kind}:{name}"
        single = len(nodes) == 1
        owners = {node.owner for node in nodes}
        owner = owners.pop() if len(owners) == 1 else ""
        shown = (
            structs.replace(nodes[0], id=id_)
            if single
            else Node(id_, kind, name, (), len(nodes), owner)
        )
        merged |= {node.id: shown for node in nodes}
    counts = Counter(
        (merged[edge.source].id, merged[edge.target].id, edge.kind) for edge in graph.edges
    )
    edges = [Edge(source, target, kind, count) for (source, target, kind), count in counts.items()]
    return Graph(tuple(dict.fromkeys(merged.values())), tuple(edges))


_PLURALS = {
    "queue": "queues",
    "route": "routes",
    "table": "tables",
    "dead_letter": "dead-letter queues",
}
_SHAPES = {
    "queue": ('(["', '"])'),
    "route": ('["', '"]'),
    "table": ('[("', '")]'),
    "dead_letter": ('[/"', '"/]'),
}


def lines_of(node: Node) -> list[str]:
    """Return the label of a node: its name, and what is known about it."""
    return (
        [node.name, f"{node.count} {_PLURALS[node.kind]}"]
        if node.count > 1
        else [node.name, *node.details]
    )


def as_json(graph: Graph) -> str:
    """Return `{"nodes": […], "edges": […]}`."""
    return msgspec.json.format(msgspec.json.encode(graph)).decode()


def as_mermaid(graph: Graph) -> str:
    """Return a flowchart of Mermaid, which GitHub shows in Markdown: https://mermaid.js.org/syntax/flowchart.html."""
    return "\n".join(["flowchart LR", *_mermaid(graph)])


def _mermaid(graph: Graph) -> Iterator[str]:
    ids = {node.id: f"n{index}" for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        start, end = _SHAPES[node.kind]
        yield f"  {ids[node.id]}{start}{'<br/>'.join(map(_escape_mermaid, lines_of(node)))}{end}"
    for edge in graph.edges:
        line = "-.->" if edge.kind == "dead_letter" else "-->"
        yield f"  {ids[edge.source]} {line}{_label(edge, '|', '|')} {ids[edge.target]}"


def _label(edge: Edge, start: str, end: str) -> str:
    return f"{start}{edge.count}{end}" if edge.count > 1 else ""


def _escape_mermaid(text: str) -> str:
    """Write all but letters, digits and a few signs as Mermaid's entities, such as `#34;` for a quote."""
    return "".join(
        char if char.isalnum() or char in " _-.,:=()'" else f"#{ord(char)};" for char in text
    )
