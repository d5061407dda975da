"""A graph as a picture in SVG, without other programs; it has light and dark colours, and holds no script.

It has three columns: queues, routes, and tables with dead-letter queues.
"""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import Struct

from router.runtime.printable import printable
from router.tools.dev.graph import Edge, Graph, Node, lines_of

ROW = 58
"""The height of a row, in pixels."""


class Layout(Struct, frozen=True):
    """The column of each node, 0 to 2, its middle in pixels from the top, and the height of the whole.

    `lanes` are the heights at which edges from queues to the third column pass the routes.
    """

    columns: Mapping[str, int]
    middles: Mapping[str, float]
    lanes: Mapping[tuple[str, str], float]
    height: float


def place(graph: Graph) -> Layout:
    """Return where each node is drawn.

    A queue is beside its routes, and below them a row is left free for the edge to its dead-letter queue. A table is in
    the middle of the routes that write to it, or as near as there is room.
    """
    kinds = {node.id: node.kind for node in graph.nodes}
    read, writers, dead = _neighbours(graph)
    middles: dict[str, float] = {}
    lanes: dict[tuple[str, str], float] = {}
    wanted: dict[str, list[float]] = {}
    row = 0.5
    for queue, routes in read.items():
        first = row
        for route in routes:
            # Grouped, a node of routes may read several queues.
            if route not in middles:
                middles[route] = row * ROW
                row += 1
        middles[queue] = max(first, (first + row - 1) / 2) * ROW
        for target in dead.get(queue, []):
            lanes[queue, target] = row * ROW
            wanted.setdefault(target, []).append(row * ROW)
            row += 1
        row = max(row, first + 1)
    for target, routes in writers.items():
        wanted[target] = [middles[route] for route in routes]
    last = [node.id for node in graph.nodes if kinds[node.id] in ("table", "dead_letter")]
    ends = {id_: sum(wanted.get(id_, [row * ROW])) / len(wanted.get(id_, [0])) for id_ in last}
    middles |= _spread(ends)
    columns = {id_: {"queue": 0, "route": 1}.get(kind, 2) for id_, kind in kinds.items()}
    return Layout(columns, middles, lanes, max([0, *middles.values(), *lanes.values()]) + ROW / 2)


def _neighbours(
    graph: Graph,
) -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, list[str]]]:
    """Return the routes that read each queue, those that write to each table, and the dead-letter queues of each."""
    read: dict[str, list[str]] = {node.id: [] for node in graph.nodes if node.kind == "queue"}
    dead: dict[str, list[str]] = {}
    writers: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "reads":
            read[edge.source].append(edge.target)
        elif edge.kind == "writes":
            writers.setdefault(edge.target, []).append(edge.source)
        else:
            dead.setdefault(edge.source, []).append(edge.target)
    return read, writers, dead


def _spread(wanted: Mapping[str, float]) -> dict[str, float]:
    """Return places near the wanted ones, a row apart: neighbours that want one place are around it together."""
    blocks: list[tuple[list[str], float]] = []
    for id_, place_ in sorted(wanted.items(), key=lambda each: each[1]):
        ids, middle = [id_], place_
        # A block that overlaps the one before is put together with it.
        while blocks and middle - len(ids) * ROW / 2 < blocks[-1][1] + len(blocks[-1][0]) * ROW / 2:
            before, other = blocks.pop()
            middle = (middle * len(ids) + other * len(before)) / (len(ids) + len(before))
            ids = [*before, *ids]
            middle = max(middle, len(ids) * ROW / 2)
        blocks.append((ids, middle))
    return {
        id_: middle + (index - (len(ids) - 1) / 2) * ROW
        for ids, middle in blocks
        for index, id_ in enumerate(ids)
    }


_HEIGHT = 42
_GAP = 84
_MARGIN = 12
_HEADING = 26
_CHARACTER, _PADDING = 7.4, 26
"""The widths of a character and around a text, in pixels; text is cut so that it fits in any font."""
_MAX_CHARACTERS = 34
_HEADINGS = ("queues", "routes", "tables and dead-letter queues")
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.name { font-weight: 600; }
.detail, .heading, .count { font-size: 11px; fill: #59636e; }
rect { stroke-width: 1.5; }
.queue { fill: #ddf4ff; stroke: #0969da; }
.route { fill: #f6f8fa; stroke: #818b98; }
.table { fill: #dafbe1; stroke: #1a7f37; }
.dead_letter { fill: #ffebe9; stroke: #cf222e; }
path { fill: none; stroke: #818b98; stroke-width: 1.5; }
path.dead_letter { fill: none; stroke-dasharray: 5 4; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .detail, .heading, .count { fill: #9198a1; }
  .queue { fill: #121d2f; stroke: #4493f8; }
  .route { fill: #151b23; stroke: #656c76; }
  .table { fill: #12261e; stroke: #3fb950; }
  .dead_letter { fill: #25171c; stroke: #f85149; }
  path, path.dead_letter { fill: none; stroke: #656c76; }
  path.dead_letter { stroke: #f85149; }
}
"""


def as_svg(graph: Graph) -> str:
    """Return the picture of a graph, as a file."""
    root = draw(graph)
    indent(root)
    return str(tostring(root, encoding="unicode")) + "\n"


def draw(graph: Graph) -> Element:
    """Return the picture of a graph, as an element of SVG."""
    layout = place(graph)
    widths = [0.0, 0.0, 0.0]
    for node in graph.nodes:
        column = layout.columns[node.id]
        widths[column] = max(
            widths[column], _PADDING + _CHARACTER * max(len(_cut(line)) for line in _shown(node))
        )
    lefts = [_MARGIN, _MARGIN + widths[0] + _GAP, _MARGIN + widths[0] + widths[1] + 2 * _GAP]
    width, height = lefts[2] + max(widths[2], 190) + _MARGIN, layout.height + _HEADING + _MARGIN
    root = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
    )
    root.set("width", f"{width:.0f}")
    root.set("height", f"{height:.0f}")
    counts = f"{graph.count('queue')} queues, {graph.count('route')} routes, {graph.count('table')} tables"
    SubElement(root, "title").text = counts
    SubElement(root, "style").text = _STYLE
    for left, heading in zip(lefts, _HEADINGS, strict=True):
        _text(root, left, 16, heading, "heading")
    boxes = {
        node.id: (lefts[layout.columns[node.id]], widths[layout.columns[node.id]])
        for node in graph.nodes
    }
    for edge in graph.edges:
        _draw_edge(root, edge, layout, boxes, lefts[1] + widths[1])
    for node in graph.nodes:
        _draw_node(root, node, boxes[node.id], layout.middles[node.id] + _HEADING)
    return root


def _shown(node: Node) -> list[str]:
    """Return the one or two lines in a node."""
    name, *details = lines_of(node)
    return [name, "; ".join(details)] if details else [name]


def _cut(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _MAX_CHARACTERS else f"{shown[: _MAX_CHARACTERS - 1]}…"


def _draw_node(root: Element, node: Node, box: tuple[float, float], middle: float) -> None:
    left, width = box
    part = SubElement(root, "g")
    SubElement(part, "title").text = printable("; ".join(lines_of(node)))
    rect = SubElement(
        part, "rect", x=f"{left:.1f}", y=f"{middle - _HEIGHT / 2:.1f}", width=f"{width:.1f}"
    )
    rect.set("height", str(_HEIGHT))
    rect.set("rx", "6" if node.kind == "route" else "12")
    rect.set("class", node.kind)
    lines = _shown(node)
    _text(part, left + 12, middle + (4.5 if len(lines) == 1 else -3), _cut(lines[0]), "name")
    for line in lines[1:]:
        _text(part, left + 12, middle + 13, _cut(line), "detail")


def _text(parent: Element, left: float, bottom: float, text: str, kind: str) -> None:
    SubElement(
        parent, "text", {"x": f"{left:.1f}", "y": f"{bottom:.1f}", "class": kind}
    ).text = text


def _draw_edge(
    root: Element,
    edge: Edge,
    layout: Layout,
    boxes: Mapping[str, tuple[float, float]],
    after_routes: float,
) -> None:
    start, end = sum(boxes[edge.source]), boxes[edge.target][0]
    from_, to = layout.middles[edge.source] + _HEADING, layout.middles[edge.target] + _HEADING
    lane = layout.lanes.get((edge.source, edge.target))
    if lane is not None and end > after_routes:
        lane += _HEADING
        path = f"{_curve(start, from_, start + _GAP, lane)} H {after_routes:.1f} {_curve(after_routes, lane, end, to)}"
    else:
        path = _curve(start, from_, end, to)
    path = f"M {start:.1f} {from_:.1f} {path}"
    SubElement(root, "path", {"d": path, "class": edge.kind})
    if edge.count > 1:
        left, bottom = (
            ((start + end) / 2 - 8, (from_ + to) / 2 - 4)
            if lane is None
            else (after_routes + 12, lane - 4)
        )
        _text(root, left, bottom, str(edge.count), "count")


def _curve(left: float, top: float, right: float, bottom: float) -> str:
    bend = (right - left) / 2
    return (
        f"C {left + bend:.1f} {top:.1f}, {right - bend:.1f} {bottom:.1f}, {right:.1f} {bottom:.1f}"
    )
