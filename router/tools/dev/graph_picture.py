"""A graph as a picture in SVG, without other programs; it has light and dark colours, and holds no
script.

It has three columns: queues, routes, and tables with dead-letter queues.
"""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import Struct

from router.runtime.printable import printable
from router.tools.dev.graph import Edge, EdgeKind, Graph, Node, lines_of

ROW = 58
"""The height of a row, in pixels."""
_COLUMNS = {"queue": 0, "route": 1, "table": 2, "dead_letter": 2}


class Layout(Struct, frozen=True):
    """Where nodes are drawn, in pixels from the top."""

    columns: Mapping[str, int]
    """The column of each node, 0 to 2."""
    middles: Mapping[str, float]
    """The middle of each node."""
    lanes: Mapping[tuple[str, str], float]
    """Where edges from queues to the third column pass the routes."""
    height: float
    """The height of the whole."""


def place(graph: Graph) -> Layout:
    """Return where each node is drawn.

    A queue is beside its routes, and below them a row is left free for the edge to its dead-letter
    queue. A table is in the middle of the routes that write to it, or as near as there is room.
    """
    columns = {node.id: _COLUMNS[node.kind] for node in graph.nodes}
    routes_of = _neighbours(graph, "reads")
    dead_letters_of = _neighbours(graph, "dead_letter")
    middles: dict[str, float] = {}
    lanes: dict[tuple[str, str], float] = {}
    row = 0.5
    for queue in graph.nodes:
        if queue.kind != "queue":
            continue
        first = row
        for route in routes_of.get(queue.id, ()):
            # Grouped, a node of routes may read several queues.
            if route not in middles:
                middles[route] = row * ROW
                row += 1
        middles[queue.id] = max(first, (first + row - 1) / 2) * ROW
        for target in dead_letters_of.get(queue.id, ()):
            lanes[queue.id, target] = row * ROW
            row += 1
        row = max(row, first + 1)
    # What is at the left of each node in the third column.
    sources: dict[str, list[float]] = {id_: [] for id_, column in columns.items() if column == 2}
    for edge in graph.edges:
        if edge.kind == "writes":
            sources[edge.target].append(middles[edge.source])
    for (_, target), lane in lanes.items():
        sources[target].append(lane)
    middles |= _spread({id_: _mean(at or [row * ROW]) for id_, at in sources.items()})
    lowest = max([0, *middles.values(), *lanes.values()])
    return Layout(columns, middles, lanes, lowest + ROW / 2)


def _neighbours(graph: Graph, kind: EdgeKind) -> dict[str, list[str]]:
    """Return to what the edges of one kind lead from each node."""
    found: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == kind:
            found.setdefault(edge.source, []).append(edge.target)
    return found


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


class _Block(Struct, frozen=True):
    """Nodes that are drawn a row apart, around one middle."""

    ids: list[str]
    middle: float

    @property
    def top(self) -> float:
        """Its upper end."""
        return self.middle - len(self.ids) * ROW / 2

    @property
    def bottom(self) -> float:
        """Its lower end."""
        return self.middle + len(self.ids) * ROW / 2


def _spread(wanted: Mapping[str, float]) -> dict[str, float]:
    """Return places near the wanted ones, a row apart: neighbours that want one place are around it
    together.
    """
    blocks: list[_Block] = []
    for id_ in sorted(wanted, key=wanted.__getitem__):
        block = _Block([id_], wanted[id_])
        while blocks and block.top < blocks[-1].bottom:
            block = _joined(blocks.pop(), block)
        blocks.append(block)
    middles = {}
    for block in blocks:
        for index, id_ in enumerate(block.ids):
            middles[id_] = block.middle + (index - (len(block.ids) - 1) / 2) * ROW
    return middles


def _joined(above: _Block, below: _Block) -> _Block:
    """Return two blocks that overlap as one, around the middle of what their nodes want."""
    ids = [*above.ids, *below.ids]
    total = below.middle * len(below.ids) + above.middle * len(above.ids)
    return _Block(ids, max(total / len(ids), len(ids) * ROW / 2))


_HEIGHT = 42
LINE = 14
"""The height of a free line, in pixels."""
_MIN_FREE = 210
"""The least width of a column with free lines."""
_GAP = 84
_MARGIN = 12
_HEADING = 26
_CHARACTER = 7.4
"""The width of a character, in pixels; text is cut so that it fits in any font."""
_PADDING = 26
"""The width around a text."""
_MAX_CHARACTERS = 34
_MIN_LAST_COLUMN = 190
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
.lossy { stroke: #9a6700; stroke-width: 3; }
path { fill: none; stroke: #818b98; stroke-width: 1.5; }
path.dead_letter { fill: none; stroke-dasharray: 5 4; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .detail, .heading, .count { fill: #9198a1; }
  .queue { fill: #121d2f; stroke: #4493f8; }
  .route { fill: #151b23; stroke: #656c76; }
  .table { fill: #12261e; stroke: #3fb950; }
  .dead_letter { fill: #25171c; stroke: #f85149; }
  .lossy { stroke: #d29922; }
  path, path.dead_letter { fill: none; stroke: #656c76; }
  path.dead_letter { stroke: #f85149; }
}
"""


def as_svg(graph: Graph) -> str:
    """Return the picture of a graph, as a file."""
    root = draw(graph)
    indent(root)
    return str(tostring(root, encoding="unicode")) + "\n"


class _Box(Struct, frozen=True):
    """Where a node is drawn."""

    left: float
    right: float
    middle: float
    height: float

    @property
    def top(self) -> float:
        """Its upper end."""
        return self.middle - self.height / 2


def draw(graph: Graph, free_lines: int = 0) -> Element:
    """Return the picture of a graph, as an element of SVG.

    At the bottom of each node, so many lines are left free.
    """
    layout = place(graph)
    free = free_lines * LINE
    scale = (ROW + free) / ROW
    widths = [_MIN_FREE if free else 0.0] * 3
    for node in graph.nodes:
        column = layout.columns[node.id]
        widths[column] = max(widths[column], _width(node))
    lefts = [_MARGIN, _MARGIN + widths[0] + _GAP, _MARGIN + widths[0] + widths[1] + 2 * _GAP]
    boxes = {}
    for node in graph.nodes:
        column = layout.columns[node.id]
        left = lefts[column]
        middle = layout.middles[node.id] * scale + _HEADING
        boxes[node.id] = _Box(left, left + widths[column], middle, _HEIGHT + free)
    width = lefts[2] + max(widths[2], _MIN_LAST_COLUMN) + _MARGIN
    height = layout.height * scale + _HEADING + _MARGIN
    root = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
    )
    counts = f"{graph.count('queue')} queues, {graph.count('route')} routes, {graph.count('table')} tables"
    SubElement(root, "title").text = counts
    SubElement(root, "style").text = _STYLE
    for left, heading in zip(lefts, _HEADINGS, strict=True):
        _text(root, left, 16, heading, "heading")
    after_routes = lefts[1] + widths[1]
    for edge in graph.edges:
        lane = layout.lanes.get((edge.source, edge.target))
        below = None if lane is None else lane * scale + _HEADING
        _draw_edge(root, edge, boxes, after_routes, below)
    for node in graph.nodes:
        _draw_node(root, node, boxes[node.id])
    return root


def _width(node: Node) -> float:
    longest = max(len(_cut(line)) for line in _shown(node))
    return _PADDING + _CHARACTER * longest


def _shown(node: Node) -> list[str]:
    """Return the one or two lines in a node."""
    name, *details = lines_of(node)
    return [name, "; ".join(details)] if details else [name]


def _cut(text: str) -> str:
    shown = printable(text)
    if len(shown) <= _MAX_CHARACTERS:
        return shown
    return f"{shown[: _MAX_CHARACTERS - 1]}…"


def _draw_node(root: Element, node: Node, box: _Box) -> None:
    part = SubElement(root, "g")
    is_lossy = any(table.verdict == "may meet" for table in node.shared)
    SubElement(part, "title").text = printable("; ".join(lines_of(node)))
    rect = {
        "x": f"{box.left:.1f}",
        "y": f"{box.top:.1f}",
        "width": f"{box.right - box.left:.1f}",
        "height": str(box.height),
        "rx": "6" if node.kind == "route" else "12",
        "class": f"{node.kind} lossy" if is_lossy else node.kind,
    }
    SubElement(part, "rect", rect)
    name, *details = _shown(node)
    middle = box.top + _HEIGHT / 2
    _text(part, box.left + 12, middle + (-3 if details else 4.5), _cut(name), "name")
    for line in details:
        _text(part, box.left + 12, middle + 13, _cut(line), "detail")


def _text(
    parent: Element,
    left: float,
    bottom: float,
    text: str,
    kind: str,
) -> None:
    place_ = {"x": f"{left:.1f}", "y": f"{bottom:.1f}", "class": kind}
    SubElement(parent, "text", place_).text = text


def _draw_edge(
    root: Element,
    edge: Edge,
    boxes: Mapping[str, _Box],
    after_routes: float,
    lane: float | None,
) -> None:
    source = boxes[edge.source]
    target = boxes[edge.target]
    start, end = source.right, target.left
    count_at = (start + end) / 2 - 8, (source.middle + target.middle) / 2 - 4
    if lane is None:
        path = _curve(start, source.middle, end, target.middle)
    else:
        # Below the routes of the queue.
        count_at = after_routes + 12, lane - 4
        path = _curve(start, source.middle, start + _GAP, lane)
        path += f" H {after_routes:.1f} {_curve(after_routes, lane, end, target.middle)}"
    path = f"M {start:.1f} {source.middle:.1f} {path}"
    SubElement(root, "path", {"d": path, "class": edge.kind})
    if edge.count > 1:
        _text(root, *count_at, str(edge.count), "count")


def _curve(
    left: float,
    top: float,
    right: float,
    bottom: float,
) -> str:
    bend = (right - left) / 2
    return (
        f"C {left + bend:.1f} {top:.1f}, {right - bend:.1f} {bottom:.1f}, {right:.1f} {bottom:.1f}"
    )
