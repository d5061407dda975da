"""The calls of the view Routes: the graph of a config, the contract of a route, what runs in AWS.

The contract of a route says in words what it takes, what it stores, and what happens to the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any
from xml.etree.ElementTree import Element

from msgspec import Struct

from router.errors import ConfigError, UsageError
from router.model import plugin_name
from router.runtime.config import spec
from router.runtime.modes import MODES
from router.runtime.program.load import Loaded
from router.runtime.program.schemas.documents import list_of
from router.tools.change.items import settings_of
from router.tools.console.api import Call
from router.tools.console.checking import Draft, RouteOfDraft, message_job, of_console
from router.tools.console.workspace import Workspace, require_aws
from router.tools.dev.compare import to_json
from router.tools.dev.graph import (
    Edge,
    Graph,
    GroupBy,
    Node,
    SharedTable,
    file_finder,
    graph_of,
    group,
    open_group,
    select,
)
from router.tools.dev.graph_picture import draw
from router.tools.dev.shared_tables import shared_tables

_STORES = {
    "attributes": "some attributes of the item, and leaves the others",
    "nothing": "nothing: it deletes the item of the key",
}


class GraphOfDraft(Draft, frozen=True):
    """A graph of a draft: all, what has a name such as `pattern`, or what is in the group of a
    node; with `live`, nodes have space for what runs.
    """

    group: GroupBy = "auto"
    pattern: str = ""
    opened: str = ""
    live: bool = False


class PageGraph(Struct, frozen=True):
    """A graph as the page draws it.

    `picture` is the SVG of `router graph`, as elements: name, attributes, text, children. Its nth
    `g` is the nth node.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    picture: Any
    counts: Mapping[str, int]


def make_graph(given: GraphOfDraft) -> PageGraph:
    """Return the graph of a draft; a job."""
    loaded = given.load()
    whole = graph_of(_require_config(loaded))
    shown = _choose(whole, given, loaded)
    counts = {kind: whole.count(kind) for kind in ("queue", "route", "table", "dead_letter")}
    picture = draw(shown, 3 if given.live else 0)
    return PageGraph(shown.nodes, shown.edges, as_elements(picture), counts)


def share_tables(given: Draft) -> list[SharedTable]:
    """Return the tables of a draft that several routes share, and how."""
    return list(shared_tables(given.load()).values())


def _require_config(loaded: Loaded) -> spec.Config:
    if loaded.config is None:
        raise ConfigError(tuple(loaded.findings))
    return loaded.config


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
    from router.tools.console import live

    is_local = workspace.target == "local"
    asked = live.LiveOfDraft(str(workspace.config), given.unsaved, is_local, workspace.worker)
    return workspace.live.run(live.read_live, asked)


class Contract(Struct, frozen=True):
    """The contract of a route: sentences, and its attributes with what they are made from."""

    route: str
    description: str
    owner: str
    takes: list[str]
    stores: list[str]
    attributes: list[tuple[str, str]]
    rest: list[str]
    tests: int
    file: str
    line: int


def contract_of_route(given: RouteOfDraft) -> Contract:
    """Return the contract of a route of a draft; raises RouterError."""
    loaded = given.load()
    config = _require_config(loaded)
    name = given.route
    route = config.routes.get(name)
    if route is None:
        raise UsageError(f"there is no route '{name}'")
    queue = config.queues.get(route.queue) or spec.Queue()
    table = config.tables.get(route.table)
    place = loaded.findings.locate(("routes", name), True)
    return Contract(
        route=name,
        description=route.description,
        owner=route.owner,
        takes=[
            *_source(route, queue),
            *_conditions(config, name, queue),
            _schema(loaded, name, route),
        ],
        stores=[
            *_items(route, table),
            *_writes(route, table, queue),
            *_contents(route, config.plugins),
        ],
        attributes=list(_attributes(route)),
        rest=list(_rest(route, queue)),
        tests=len(route.tests),
        file=place.file,
        line=place.line,
    )


def _source(route: spec.RouteSettings, queue: spec.Queue) -> Iterator[str]:
    source = f"Messages of the queue {_named(route.queue, queue.name)}"
    if queue.envelope:
        source += f", unwrapped from {' in '.join(reversed(queue.envelope))}"
    yield f"{source}."
    if queue.encoding != "json":
        yield f"Their payload is {queue.encoding}."


def _conditions(config: spec.Config, name: str, queue: spec.Queue) -> Iterator[str]:
    route = config.routes[name]
    if route.when is not None:
        yield f"Those for which {route.when} is true."
    if queue.match == "first":
        before = takewhile(name.__ne__, config.routes)
        earlier = [each for each in before if config.routes[each].queue == route.queue]
        if earlier:
            yield f"Those that no earlier route takes: {', '.join(earlier)}."


def _schema(loaded: Loaded, name: str, route: spec.RouteSettings) -> str:
    if route.schema is None:
        return "It has no schema: each message that can be mapped is stored."
    schema = route.schema if isinstance(route.schema, str) else "the schema in the config"
    validation = loaded.validation(name)
    content = validation.root.content if validation else None
    required = list_of(content, "required") if isinstance(content, dict) else []
    members = f", which requires {', '.join(map(str, required))}" if required else ""
    return f"They satisfy {schema}{members}."


def _items(route: spec.RouteSettings, table: spec.TableSettings | None) -> Iterator[str]:
    each = "" if route.for_each is None else f" for each element of {route.for_each}"
    key = f" under the key {', '.join(table.key)}" if table else ""
    yield f"One item{each} in the table {_named(route.table, table.name if table else '')}{key}."


def _writes(
    route: spec.RouteSettings,
    table: spec.TableSettings | None,
    queue: spec.Queue,
) -> Iterator[str]:
    write = route.write
    mode = MODES[write.mode]
    yield f"Mode {mode.name}: it {mode.summary.replace('`', '')}."
    if mode.stores in _STORES:
        yield f"A write stores {_STORES[mode.stores]}."
    if write.version is not None:
        yield f"{write.version} orders the writes of one key."
    if write.once is not None:
        yield f"Once for each message: the table {write.once} remembers those that were written."
    if queue.atomic:
        yield "All items of one message are written in one transaction, or none."
    if table and table.ttl:
        yield f"DynamoDB deletes an item after the time in {table.ttl}."


def _contents(route: spec.RouteSettings, plugins: Sequence[str]) -> Iterator[str]:
    if route.item is None:
        yield "The item is the whole message."
    if route.merge is not None:
        yield f"The entries of {route.merge.from_} are attributes, too."
    names = map(plugin_name, plugins) if route.plugins is None else route.plugins
    listed = ", ".join(names)
    if listed:
        yield f"Plugins may change it: {listed}."


def _attributes(route: spec.RouteSettings) -> Iterator[tuple[str, str]]:
    for name, attribute in (route.item or {}).items():
        given = settings_of(attribute)
        yield name, given["from"] if list(given) == ["from"] else to_json(given)


def _rest(route: spec.RouteSettings, queue: spec.Queue) -> Iterator[str]:
    dead_letter = f"stays on {route.queue}, for its redrive policy"
    if queue.dead_letter:
        dead_letter = f"goes to the dead-letter queue {queue.dead_letter}, with the reason"
    ends = {"dead_letter": dead_letter, "drop": "is dropped"}
    if route.schema is not None:
        yield f"A message that fails the schema {ends[route.on_invalid]}."
    yield f"A message that cannot be mapped {dead_letter}."
    yield f"A message of the queue that no route takes {ends[queue.unmatched]}."
    mode = MODES[route.write.mode]
    yield f"A message that is received twice: {mode.when_duplicate.replace('`', '')}."
    yield f"A message that is older than the stored item: {mode.when_late.replace('`', '')}."
    yield f"While DynamoDB is throttled or failing, messages wait, and survive an outage of {queue.outlast}."


def _named(key: str, name: str) -> str:
    return f"{key} ({name})" if name and name != key else key


CALLS = (
    Call("routes/graph", GraphOfDraft, message_job(make_graph)),
    # Comparing keys may take seconds: messages do not wait for it.
    Call(
        "routes/shared",
        Draft,
        lambda workspace, given: workspace.checks.run(share_tables, of_console(workspace, given)),
    ),
    Call("routes/contract", RouteOfDraft, message_job(contract_of_route)),
    Call("routes/live", Draft, read_live),
)
