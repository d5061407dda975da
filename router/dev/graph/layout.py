"""Places a graph in three columns: queues, routes, and tables with dead-letter queues."""

from collections.abc import Mapping

from msgspec import Struct

from router.dev.graph.model import Graph

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


def _neighbours(graph: Graph) -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, list[str]]]:
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
    return {id_: middle + (index - (len(ids) - 1) / 2) * ROW for ids, middle in blocks for index, id_ in enumerate(ids)}
