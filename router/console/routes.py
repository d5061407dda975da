"""The calls of the view Routes: the graph of a config, the contract of a route, and what runs in AWS."""

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from msgspec import Struct

from router.console.api import Call
from router.console.checking import Draft, RouteOfDraft, message_job
from router.console.contract import contract_of_route
from router.console.workspace import Workspace, require_aws
from router.dev.graph.model import Edge, Graph, GroupBy, Node, file_finder, graph_of, group, open_group, select
from router.dev.graph.picture import draw
from router.errors import ConfigError
from router.program.load import Loaded


class GraphOfDraft(Draft, frozen=True):
    """A graph of a draft: all, what has a name such as `pattern`, or what is in the group of a node."""

    group: GroupBy = "auto"
    pattern: str = ""
    opened: str = ""


class PageGraph(Struct, frozen=True):
    """A graph as the page draws it.

    `picture` is the SVG of `router graph`, as elements: name, attributes, text, children. Its nth `g` is the nth node.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    picture: Any
    counts: Mapping[str, int]


def make_graph(given: GraphOfDraft) -> PageGraph:
    """Return the graph of a draft; a job."""
    loaded = given.load()
    if loaded.config is None:
        raise ConfigError(tuple(loaded.findings))
    whole = graph_of(loaded.config)
    shown = _choose(whole, given, loaded)
    counts = {kind: whole.count(kind) for kind in ("queue", "route", "table", "dead_letter")}
    return PageGraph(shown.nodes, shown.edges, as_elements(draw(shown)), counts)


def _choose(whole: Graph, asked: GraphOfDraft, loaded: Loaded) -> Graph:
    file_of = file_finder(loaded.findings)
    graph = select(whole, f"*{asked.pattern}*") if asked.pattern else whole
    if asked.opened:
        return open_group(graph, asked.group, file_of, asked.opened)
    return group(graph, asked.group, file_of)


def as_elements(element: Element) -> Any:
    """Return an element without the style sheet in it: the page has its own."""
    children = [as_elements(child) for child in element if child.tag != "style"]
    return [element.tag, element.attrib, element.text or "", children]


def read_live(workspace: Workspace, given: Draft) -> bytes:
    """Return what runs of a draft; raises ConsoleError."""
    require_aws(workspace)
    # boto3 takes 0.2 s to import: a console of files does without.
    from router.console import live

    asked = live.LiveOfDraft(str(workspace.config), given.unsaved, workspace.target == "local", workspace.worker)
    return workspace.live.run(live.read_live, asked)


CALLS = (
    Call("routes/graph", GraphOfDraft, message_job(make_graph)),
    Call("routes/contract", RouteOfDraft, message_job(contract_of_route)),
    Call("routes/live", Draft, read_live),
)
