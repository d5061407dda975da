"""The calls of the view Routes: the graph, contracts in words, and what runs."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.console import Refused, Workspace, call, opened

CONFIG = """\
version: 1
queues:
  orders:
    name: prod-orders
    envelope: [sns]
    dead_letter: orders-dlq
    match: first
  clicks: {}
tables:
  orders: {name: prod-orders, key: {id: S, at: N}, ttl: expires_at}
  lines: {key: {id: S}}
routes:
  orders:
    queue: orders
    table: orders
    description: What was ordered.
    owner: shop
    when: type == 'order'
    schema: order.json
    on_invalid: drop
    item:
      id: id
      at: {from: at, type: N}
      expires_at: {ttl: {from: at, after: 90d}}
    write: {mode: newest, version: at}
    tests: [{message: {id: a, at: 1, type: order}, item_contains: {id: a}}]
  lines:
    queue: orders
    table: lines
    for_each: lines
    item: {id: element.id}
  clicks: {queue: clicks, table: lines, plugins: []}
"""
SCHEMA = {"type": "object", "required": ["id", "at"], "properties": {"id": {"type": "string"}}}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The workspace of a config."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "order.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    with opened(folder / "routes.yaml", os.environ) as workspace:
        yield workspace


def ids(graph: Any) -> list[str]:
    return [node["id"] for node in graph["nodes"]]


def large(routes: int) -> str:
    """A config of many routes, a queue for ten of them."""
    entries = [
        f"  team{number % 25}-route{number}: {{queue: team{number % 25}-q{number // 10}, table: things}}\n"
        for number in range(routes)
    ]
    return "version: 1\ntables: {things: {key: {id: S}}}\nroutes:\n" + "".join(entries)


def test_the_graph(workspace: Workspace) -> None:
    """All nodes with their edges, and a picture in which each has its group, in that order."""
    found = call(workspace, "routes/graph")

    groups = [child for child in found["picture"][3] if child[0] == "g"]
    assert (
        ids(found),
        [group[3][0][2].partition(";")[0] for group in groups],
        found["counts"],
        len(found["edges"]),
    ) == (
        [
            "queue:orders",
            "queue:clicks",
            "route:orders",
            "route:lines",
            "route:clicks",
            "table:orders",
            "table:lines",
            "dead_letter:orders-dlq",
        ],
        ["orders", "clicks", "orders", "lines", "clicks", "orders", "lines", "orders-dlq"],
        {"queue": 2, "route": 3, "table": 2, "dead_letter": 1},
        7,
    )


def test_the_graph_of_unsaved_texts(workspace: Workspace) -> None:
    """The graph is that of the texts in the editor."""
    unsaved = {str(workspace.config): "version: 1\ntables: {t: {key: {id: S}}}\nroutes: {r: {queue: q, table: t}}\n"}

    assert ids(call(workspace, "routes/graph", unsaved=unsaved)) == ["queue:q", "route:r", "table:t"]


def test_the_graph_of_a_broken_config(workspace: Workspace) -> None:
    """Its first finding is the reason."""
    with pytest.raises(Refused) as caught:
        call(workspace, "routes/graph", unsaved={str(workspace.config): "version: ["})

    assert caught.value.args[::2] == ("RT002", 422)


def test_a_search(workspace: Workspace) -> None:
    """What has such a name, and what that is connected to."""
    found = call(workspace, "routes/graph", pattern="click")

    assert ids(found) == ["queue:clicks", "route:clicks", "table:lines"]


def test_groups(workspace: Workspace) -> None:
    """A large graph is grouped; a group is opened to its members and their neighbours."""
    unsaved = {str(workspace.config): large(1000)}
    grouped = call(workspace, "routes/graph", unsaved=unsaved)

    opened_ = call(workspace, "routes/graph", unsaved=unsaved, opened="route:team7")

    routes = [node for node in grouped["nodes"] if node["kind"] == "route"]
    inside = [node["name"] for node in opened_["nodes"] if node["kind"] == "route"]
    assert (len(routes), {node["count"] for node in routes}, len(inside), {name.split("-")[0] for name in inside}) == (
        25,
        {40},
        40,
        {"team7"},
    )


def test_shared_tables(workspace: Workspace) -> None:
    """The tables that several routes write, of the texts in the editor."""
    text = "version: 1\ntables: {things: {key: {id: S}}}\nroutes:\n"
    routes = "".join(f"  {name}: {{queue: {name}, table: things, item: {{id: id, {name}: at}}}}\n" for name in "ab")

    found, broken = [
        call(workspace, "routes/shared", unsaved={str(workspace.config): text + routes + more})
        for more in ("", "  c: {}\n")
    ]

    assert [(each["table"], each["verdict"], len(each["pairs"])) for each in found] == [("things", "may meet", 1)]
    assert broken == []


def test_the_contract_of_a_route(workspace: Workspace) -> None:
    """What it takes, what it stores, and what happens to the rest, in words."""
    found = call(workspace, "routes/contract", route="orders")

    place = {"file": str(workspace.config), "line": 13}
    assert found == {
        "route": "orders",
        "description": "What was ordered.",
        "owner": "shop",
        "takes": [
            "Messages of the queue orders (prod-orders), unwrapped from sns.",
            "Those for which type == 'order' is true.",
            "They satisfy order.json, which requires id, at.",
        ],
        "stores": [
            "One item in the table orders (prod-orders) under the key id, at.",
            "Mode newest: it stores the item if nothing is there, or no version, or a lesser one.",
            "at orders the writes of one key.",
            "DynamoDB deletes an item after the time in expires_at.",
        ],
        "attributes": [
            ["id", "id"],
            ["at", '{"from":"at","type":"N"}'],
            ["expires_at", '{"ttl":{"from":"at","after":"90d"}}'],
        ],
        "rest": [
            "A message that fails the schema is dropped.",
            "A message that cannot be mapped goes to the dead-letter queue orders-dlq, with the reason.",
            "A message of the queue that no route takes goes to the dead-letter queue orders-dlq, with the reason.",
            "A message that is received twice: duplicate.",
            "A message that is older than the stored item: stale.",
            "While DynamoDB is throttled or failing, messages wait, and survive an outage of 12h.",
        ],
        "tests": 1,
        **place,
    }


def test_a_contract_without_a_schema(workspace: Workspace) -> None:
    """The others of the queue come first, and the queue has no dead-letter queue."""
    lines = call(workspace, "routes/contract", route="lines")
    clicks = call(workspace, "routes/contract", route="clicks")

    assert (lines["takes"][1:], lines["stores"][0], clicks["takes"], clicks["stores"][-1], clicks["rest"][0]) == (
        [
            "Those that no earlier route takes: orders.",
            "It has no schema: each message that can be mapped is stored.",
        ],
        "One item for each element of lines in the table lines under the key id.",
        ["Messages of the queue clicks.", "It has no schema: each message that can be mapped is stored."],
        "The item is the whole message.",
        "A message that cannot be mapped stays on clicks, for its redrive policy.",
    )


@pytest.mark.parametrize(
    ("of_route", "listed"), [("", "own, acme.shouts"), ("plugins: [own]", "own"), ("plugins: []", "")]
)
def test_the_plugins_of_a_contract(workspace: Workspace, of_route: str, listed: str) -> None:
    """Those that the route names, or all of the config, by their names."""
    route = ", ".join(filter(None, ["queue: q", "table: t", of_route]))
    text = (
        f"version: 1\nplugins: [./own.py, acme.shouts]\ntables: {{t: {{key: {{id: S}}}}}}\nroutes: {{r: {{{route}}}}}\n"
    )

    found = call(workspace, "routes/contract", route="r", unsaved={str(workspace.config): text})

    sentences = [each for each in found["stores"] if each.startswith("Plugins")]
    assert sentences == ([f"Plugins may change it: {listed}."] if listed else [])


def test_no_such_route(workspace: Workspace) -> None:
    """It is said."""
    with pytest.raises(Refused) as caught:
        call(workspace, "routes/contract", route="none")

    assert caught.value.args == ("usage", "there is no route 'none'", 400)


def test_what_runs_needs_aws(workspace: Workspace) -> None:
    """A console of files says how to start one that has it."""
    with pytest.raises(Refused) as caught:
        call(workspace, "routes/live")

    sentence = "this needs AWS: start router console with --local or --aws"
    assert caught.value.args == ("offline", sentence, 409)
