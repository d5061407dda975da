"""Tables in memory do what DynamoDB does: by all write modes, from whatever is stored.

They are compared with ministack; moto fails on a condition that compares values of two types.
"""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.model import WRITTEN, Table
from tests.aws.conftest import connected
from tests.support.config import spec
from tests.support.dev import LocalAws, clients, create_table, make_record, write_together
from tests.support.engine import decode_item, encode_item, plan
from tests.support.modes import WRITES
from tests.support.program import load_program
from tests.support.testing import MemoryTables

ATTRIBUTES = "id: id, v: v, n: n, l: l, f: f, s: {from: s, type: SS}"
ROUTES = {
    **WRITES,
    "update-parts": "{mode: update, add: [n, s], append: [l], keep_first: [f]}",
    "update-once": "{mode: update, add: [n], append: [l], once: markers}",
}
BOTH = {"things": "insert", "others": "update-once"}
"""The tables of the atomic queue, and how each is written."""


def config(prefix: str) -> str:
    """A queue for each way to write, and an atomic one whose messages go to two tables."""
    routes = [(mode, mode, "things", write) for mode, write in ROUTES.items()]
    routes += [(f"both-{table}", "both", table, ROUTES[mode]) for table, mode in BOTH.items()]
    lines = ["version: 1", "queues:", "  both: {dead_letter: d, atomic: true}"]
    lines += [f"  {mode}: {{dead_letter: d}}" for mode in ROUTES]
    lines += ["tables:", *(f"  {name}: {{name: {prefix}-{name}, key: {{id: S}}}}" for name in (*BOTH, "markers"))]
    lines += ["routes:"]
    for name, queue, table, write in routes:
        lines += [f"  {name}:", f"    queue: {queue}", f"    table: {table}", f"    write: {write}"]
        lines += [f"    item: {{{ATTRIBUTES}{_removable(write)}}}"]
    return "\n".join(lines)


def _removable(write: str) -> str:
    return ", d: {from: d, null: remove}" if "update" in write else ""


Compare = Callable[[str, list[Any], list[Any]], tuple[Any, Any]]
"""From a queue, stored items and messages to the outcomes and items in memory, and those on the server."""


@pytest.fixture(scope="module")
def compare(guarded: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """Deliver messages one after the other, in memory and on the server."""
    file = tmp_path_factory.mktemp("memory") / "routes.yaml"
    file.write_text(config(f"memory-{uuid.uuid4().hex[:8]}"), encoding="utf-8")
    program = load_program(file, {})
    dynamodb, _ = clients(guarded)
    with connected(guarded) as connection:
        remote = connection.tables
    names = [table.name or name for name, table in program.config.tables.items()]
    for name in names:
        create_table(dynamodb, Table(name, (("id", "S"),)))

    def deliver(tables: Any, queue: str, run: str, stored: list[Any], received: list[Any]) -> Any:
        for item in stored:
            encoded, _ = encode_item({**item, "id": run + item["id"]})
            for name in names[: len(BOTH)]:
                assert tables.write("Put", {"TableName": name, "Item": encoded}, 60).fault is None
        for id_, message in received:
            sent = spec.ReceivedMessage(message={**message, "id": run + message["id"]}, id=run + id_)
            planned = plan(program.engine.queues[queue], make_record(sent, spec.Queue()))
            write_together([planned], tables, queue == "both")
            outcome = planned.outcome or WRITTEN
            yield outcome.kind, outcome.code, outcome.conflict
        keys = [{"id": {"S": run + key}} for key in ("a", "b")]
        for name in names[: len(BOTH)]:
            yield [decode_item(item) for key in keys if (item := read(tables, name, key))]

    def read(tables: Any, name: str, key: Any) -> Any:
        if isinstance(tables, MemoryTables):
            return tables.get(name, key)
        return dynamodb.get_item(TableName=name, Key=key, ConsistentRead=True).get("Item")

    def both(queue: str, stored: list[Any], received: list[Any]) -> tuple[Any, Any]:
        run = uuid.uuid4().hex
        in_memory = list(deliver(MemoryTables.of(program), queue, run, stored, received))
        return in_memory, list(deliver(remote, queue, run, stored, received))

    return both


NUMBERS = st.integers(-3, 3) | st.decimals(-9, 9, places=1)
VERSIONS = st.integers(1, 3) | st.sampled_from(["1", "2"])
SETS = st.lists(st.sampled_from("xyz"), min_size=1, unique=True)
KEYS = st.sampled_from(["a", "b"])
MESSAGES = st.fixed_dictionaries(
    # With an attribute to set: an update that only removes creates no item in DynamoDB, and one on both servers.
    {"id": KEYS, "f": NUMBERS},
    optional={
        "v": VERSIONS,
        "n": NUMBERS,
        "l": st.lists(NUMBERS, max_size=2) | st.just("x"),
        "s": SETS,
        "d": st.none() | NUMBERS,
    },
)
STORED = st.fixed_dictionaries(
    {"id": KEYS},
    optional={
        "v": VERSIONS | st.just([1]),
        "n": NUMBERS | st.just("no number"),
        "l": st.lists(NUMBERS, max_size=1),  # ministack appends to what is no list, which DynamoDB refuses
        "f": NUMBERS,
        "s": SETS.map(set) | st.just("x"),
        "d": NUMBERS,
        "other": st.binary(max_size=2),
    },
)
RECEIVED = st.lists(st.tuples(st.sampled_from(["m-1", "m-2", "m-3"]), MESSAGES), min_size=1, max_size=5)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.sampled_from([*ROUTES, "both"]), st.lists(STORED, max_size=2), RECEIVED)
def test_memory_and_server(compare: Compare, queue: str, stored: list[Any], received: list[Any]) -> None:
    """Each message has the same outcome, and the tables hold the same items afterwards."""
    in_memory, on_server = compare(queue, stored, received)

    assert in_memory == on_server
