"""A graph as text for other programs: Mermaid, Graphviz' DOT, JSON."""

from collections.abc import Iterator

import msgspec

from router.dev.graph.model import Edge, Graph, Node

_PLURALS = {"queue": "queues", "route": "routes", "table": "tables", "dead_letter": "dead-letter queues"}
_SHAPES = {"queue": ('(["', '"])'), "route": ('["', '"]'), "table": ('[("', '")]'), "dead_letter": ('[/"', '"/]')}
_DOT_SHAPES = {"queue": "oval", "route": "box", "table": "cylinder", "dead_letter": "parallelogram"}


def lines_of(node: Node) -> list[str]:
    """Return the label of a node: its name, and what is known about it."""
    return [node.name, f"{node.count} {_PLURALS[node.kind]}"] if node.count > 1 else [node.name, *node.details]


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
    return "".join(char if char.isalnum() or char in " _-.,:=()'" else f"#{ord(char)};" for char in text)


def as_dot(graph: Graph) -> str:
    """Return a graph of Graphviz: https://graphviz.org/doc/info/lang.html."""
    return "\n".join(["digraph {", "  rankdir=LR", "  node [fontname=sans]", *_dot(graph), "}"])


def _dot(graph: Graph) -> Iterator[str]:
    for node in graph.nodes:
        label = r"\n".join(map(_escape_dot, lines_of(node)))
        yield f'  "{_escape_dot(node.id)}" [shape={_DOT_SHAPES[node.kind]} label="{label}"]'
    for edge in graph.edges:
        settings = [*(["style=dashed"] if edge.kind == "dead_letter" else []), _label(edge, 'label="', '"')]
        shown = " ".join(filter(None, settings))
        yield f'  "{_escape_dot(edge.source)}" -> "{_escape_dot(edge.target)}"' + (f" [{shown}]" if shown else "")


def _escape_dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
