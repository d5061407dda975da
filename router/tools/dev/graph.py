"""The graph of a config: its queues, routes and tables, and what goes from one to another; and the
graph as text.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct, structs

from router.runtime.aws.references import is_fifo
from router.runtime.config import spec
from router.runtime.config.findings import Findings
from router.tools.check.analysis.verdicts import KeyVerdict
from router.tools.check.owners import owners_of

SharedVerdict = Literal["may meet", "not decided", "no loss"]
NodeKind = Literal["queue", "route", "table", "dead_letter"]
EdgeKind = Literal["reads", "writes", "dead_letter"]
GroupBy = Literal["auto", "none", "owner", "file", "name"]
_SECTIONS = {"queue": "queues", "dead_letter": "queues", "route": "routes", "table": "tables"}
_AFTER_WORD = re.compile("[-_.]")
_UNSAFE = re.compile(r"[^\w \-.,:=()']")
MAX_ROUTES = 40
"""A graph with more routes is grouped by default, as it would be too large to read."""
MAX_GROUPS = 40
OTHERS = "others"
"""The group of what has no owner, and of what is in small groups, if there are too many groups."""


class SharedPair(Struct, frozen=True):
    """Two routes of a table that could lose something to each other, the earlier one first.

    A route that was not compared with all others is alone.
    """

    routes: tuple[str, ...]
    verdict: KeyVerdict
    reason: str = ""
    """Why the keys are apart, or why that is not decided, or that it is ignored and why."""
    losses: tuple[str, ...] = ()
    """What is lost if the keys meet, as a sentence: in order, and out of order."""


class SharedTable(Struct, frozen=True):
    """A table in which several routes store items, and the worst that is known of two of them.

    Pairs that lose nothing by their settings, or whose keys begin with other texts, are left out.
    """

    table: str
    routes: tuple[str, ...]
    verdict: SharedVerdict
    pairs: tuple[SharedPair, ...] = ()
    """The worst first."""


class Node(Struct, frozen=True):
    """A queue, route or table, or several of one kind."""

    id: str
    kind: NodeKind
    name: str
    details: tuple[str, ...] = ()
    """What its settings are."""
    count: int = 1
    """How many it stands for."""
    owner: str = ""
    shared: tuple[SharedTable, ...] = ()
    """The tables that several routes share, if it stands for a table or several."""


GroupOf = Callable[[Node], str]
"""Returns the file of a node, or what else it can be grouped by."""


class Edge(Struct, frozen=True):
    """A connection of two nodes."""

    source: str
    target: str
    kind: EdgeKind
    count: int = 1
    """How many connections a group has merged."""


class Graph(Struct, frozen=True):
    """Nodes in the order of the config, and edges between them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def count(self, kind: NodeKind) -> int:
        """Return how many queues, routes, tables or dead-letter queues there are."""
        return sum(node.count for node in self.nodes if node.kind == kind)


def graph_of(
    config: spec.Config, shared: Mapping[str, SharedTable] = MappingProxyType({})
) -> Graph:
    """Return the graph of a config: its queues, routes and tables, then dead-letter queues without
    settings.

    `shared` are the tables that routes share, by their names in the config.
    """
    owners = owners_of(config)
    queues = dict(config.queues)
    for route in config.routes.values():
        queues.setdefault(route.queue, spec.Queue())
    kinds = _kinds_of_queues(config)
    nodes = [
        _queue_node(kinds[name], name, settings, owners.queues[name])
        for name, settings in queues.items()
    ]
    edges = []
    for name, route in config.routes.items():
        node = Node(f"route:{name}", "route", name, tuple(_details_of(route)), owner=route.owner)
        nodes.append(node)
        edges.append(Edge(f"queue:{route.queue}", node.id, "reads"))
        edges.append(Edge(node.id, f"table:{route.table}", "writes"))
        if route.write.once is not None:
            edges.append(Edge(node.id, f"table:{route.write.once}", "writes"))
    for name, table in config.tables.items():
        details = _details(name, table.name, ", ".join(table.key))
        owner = owners.tables[name]
        how = (shared[name],) if name in shared else ()
        nodes.append(Node(f"table:{name}", "table", name, details, owner=owner, shared=how))
    for name, settings in tuple(queues.items()):
        target = settings.dead_letter
        if not target:
            continue
        kind = kinds[target]
        edges.append(Edge(f"{kinds[name]}:{name}", f"{kind}:{target}", "dead_letter"))
        if target not in queues:
            queues[target] = spec.Queue()
            nodes.append(_queue_node(kind, target, queues[target], owners.queues[target]))
    return Graph(tuple(nodes), tuple(edges))


def _kinds_of_queues(config: spec.Config) -> Mapping[str, NodeKind]:
    """Return the kind of each queue; a dead-letter queue that a route reads is a queue like others."""
    kinds: dict[str, NodeKind] = dict.fromkeys(config.queues, "queue")
    for queue in config.queues.values():
        if queue.dead_letter:
            kinds[queue.dead_letter] = "dead_letter"
    for route in config.routes.values():
        kinds[route.queue] = "queue"
    return kinds


def _queue_node(
    kind: NodeKind,
    name: str,
    settings: spec.Queue,
    owner: str,
) -> Node:
    about = list(settings.envelope)
    if is_fifo(settings.name or name):
        about.append("FIFO")
    details = _details(name, settings.name, ", ".join(about))
    return Node(f"{kind}:{name}", kind, name, details, owner=owner)


def _details(key: str, name: str, about: str) -> tuple[str, ...]:
    """Return the name in AWS, if it is another one than the key in the config, and what else is
    known.
    """
    other_name = "" if name == key else name
    return tuple(text for text in (other_name, about) if text)


def _details_of(route: spec.RouteSettings) -> Iterator[str]:
    if route.when is not None:
        yield f"when {route.when}"
    if route.for_each is not None:
        yield f"for each {route.for_each}"
    if route.write.mode != spec.WriteSettings().mode:
        yield route.write.mode


def select(graph: Graph, pattern: str) -> Graph:
    """Return the nodes whose names match a pattern such as `orders*`, with all that they are
    connected to.
    """
    return _around(graph, {node.id for node in graph.nodes if fnmatchcase(node.name, pattern)})


def select_queue(graph: Graph, name: str) -> Graph:
    """Return a queue, its routes, and what these are connected to."""
    return _around(graph, {f"queue:{name}"})


def _around(graph: Graph, matched: set[str]) -> Graph:
    """Return nodes, the routes that are connected to one of them, and what is connected to any of
    these.
    """
    inner = set(matched)
    for edge in graph.edges:
        if edge.target in matched and edge.source.startswith("route:"):
            inner.add(edge.source)
        if edge.source in matched and edge.target.startswith("route:"):
            inner.add(edge.target)
    kept = set(inner)
    for edge in graph.edges:
        if edge.source in inner or edge.target in inner:
            kept |= {edge.source, edge.target}
    return Graph(
        tuple(node for node in graph.nodes if node.id in kept),
        tuple(edge for edge in graph.edges if edge.source in kept and edge.target in kept),
    )


def file_finder(findings: Findings) -> GroupOf:
    """Return a function that returns the file in which a node of a config is defined."""
    return lambda node: findings.locate((_SECTIONS[node.kind], node.name)).file


def group(graph: Graph, by: GroupBy, file_of: GroupOf) -> Graph:
    """Return a graph with one node for all queues, routes or tables of an owner, of a file, or of
    one first word.

    `auto` leaves a small graph as it is, and takes the first of these of which there are several.
    """
    groups = _groups_of(graph, by, file_of)
    return _grouped(graph, groups) if groups else graph


def open_group(
    graph: Graph,
    by: GroupBy,
    file_of: GroupOf,
    id_: str,
) -> Graph:
    """Return what one node of `group` stands for, and what that is connected to."""
    groups = _groups_of(graph, by, file_of)
    matched = set()
    for node in graph.nodes:
        if f"{node.kind}:{groups.get(node.id, node.name)}" == id_:
            matched.add(node.id)
    return _around(graph, matched)


def _groups_of(graph: Graph, by: GroupBy, file_of: GroupOf) -> Mapping[str, str]:
    """Return the group of each node by its id; nothing if they are not grouped."""
    is_automatic = by == "auto"
    if by == "none" or (is_automatic and graph.count("route") <= MAX_ROUTES):
        return {}
    groups: dict[str, str] = {}
    for name, group_of in (("owner", _owner), ("file", file_of), ("name", _first_word)):
        groups = {node.id: group_of(node) for node in graph.nodes}
        if name == by or (is_automatic and 1 < len(set(groups.values())) <= MAX_GROUPS):
            break
    return _merge_small(groups, graph)


def _owner(node: Node) -> str:
    return node.owner or OTHERS


def _first_word(node: Node) -> str:
    return _AFTER_WORD.split(node.name, 1)[0]


def _merge_small(groups: Mapping[str, str], graph: Graph) -> Mapping[str, str]:
    """Return the groups of nodes; of each kind the smallest are together, so that there are few."""
    merged = dict(groups)
    for kind in _SECTIONS:
        ids = [node.id for node in graph.nodes if node.kind == kind]
        counts = Counter(groups[id_] for id_ in ids)
        if len(counts) <= MAX_GROUPS:
            continue
        kept = dict(counts.most_common(MAX_GROUPS - 1))
        for id_ in ids:
            if groups[id_] not in kept:
                merged[id_] = OTHERS
    return merged


def _grouped(graph: Graph, groups: Mapping[str, str]) -> Graph:
    members: dict[str, list[Node]] = {}
    for node in graph.nodes:
        members.setdefault(f"{node.kind}:{groups[node.id]}", []).append(node)
    nodes = []
    ids: dict[str, str] = {}
    for id_, group in members.items():
        first, *others = group
        ids |= dict.fromkeys([node.id for node in group], id_)
        if not others:
            nodes.append(structs.replace(first, id=id_))
            continue
        has_one_owner = all(node.owner == first.owner for node in others)
        owner = first.owner if has_one_owner else ""
        name = id_.removeprefix(f"{first.kind}:")
        shared = tuple(each for node in group for each in node.shared)
        nodes.append(Node(id_, first.kind, name, count=len(group), owner=owner, shared=shared))
    counts = Counter((ids[edge.source], ids[edge.target], edge.kind) for edge in graph.edges)
    edges = [Edge(*ends, count) for ends, count in counts.items()]
    return Graph(tuple(nodes), tuple(edges))


_PLURALS = {
    "queue": "queues",
    "route": "routes",
    "table": "tables",
    "dead_letter": "dead-letter queues",
}
_IN_WORDS: Mapping[SharedVerdict, str] = {
    "may meet": "may lose data",
    "not decided": "not decided",
    "no loss": "no loss",
}
"""The verdicts about tables as people read them, the worst first."""
_MOST_PAIRS = 3
"""The most pairs of routes in the label of a table: the JSON has all."""
_SHAPES = {
    "queue": ('(["', '"])'),
    "route": ('["', '"]'),
    "table": ('[("', '")]'),
    "dead_letter": ('[/"', '"/]'),
}


def lines_of(node: Node) -> list[str]:
    """Return the label of a node: its name, and what is known about it."""
    if node.count > 1:
        return [node.name, f"{node.count} {_PLURALS[node.kind]}", *_counts(node.shared)]
    how = [f"{len(each.routes)} routes: {_IN_WORDS[each.verdict]}" for each in node.shared]
    pairs = [line for each in node.shared for line in _lines_of_pairs(each)]
    return [node.name, *how, *node.details, *pairs]


def _counts(shared: Sequence[SharedTable]) -> Iterator[str]:
    """Yield how many of several tables are not without loss."""
    counts = Counter(table.verdict for table in shared)
    for verdict, words in _IN_WORDS.items():
        if counts[verdict] and verdict != "no loss":
            yield f"{counts[verdict]} {words}"


def _lines_of_pairs(table: SharedTable) -> Iterator[str]:
    """Yield what is known of pairs of routes whose keys are not apart."""
    pairs = [pair for pair in table.pairs if pair.verdict != "apart"]
    for pair in pairs[:_MOST_PAIRS]:
        why = pair.reason or pair.losses[0]
        yield f"{' and '.join(pair.routes)} {pair.verdict}: {why}"
    if len(pairs) > _MOST_PAIRS:
        yield f"and {len(pairs) - _MOST_PAIRS} more"


def as_json(graph: Graph) -> str:
    """Return `{"nodes": […], "edges": […]}`."""
    return msgspec.json.format(msgspec.json.encode(graph)).decode()


def as_mermaid(graph: Graph) -> str:
    """Return a flowchart of Mermaid, which GitHub shows in Markdown:
    https://mermaid.js.org/syntax/flowchart.html.
    """
    return "\n".join(["flowchart LR", *_mermaid(graph)])


def _mermaid(graph: Graph) -> Iterator[str]:
    ids = {}
    for number, node in enumerate(graph.nodes):
        ids[node.id] = f"n{number}"
        start, end = _SHAPES[node.kind]
        label = "<br/>".join(map(_escape_mermaid, lines_of(node)))
        yield f"  n{number}{start}{label}{end}"
    for edge in graph.edges:
        line = "-.->" if edge.kind == "dead_letter" else "-->"
        label = f"|{edge.count}|" if edge.count > 1 else ""
        yield f"  {ids[edge.source]} {line}{label} {ids[edge.target]}"


def _escape_mermaid(text: str) -> str:
    """Write all but letters, digits and a few signs as Mermaid's entities, such as `#34;` for a
    quote.
    """
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", text)
