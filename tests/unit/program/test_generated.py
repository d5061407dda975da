"""The generated function of a route has the results of the general way: writes, outcomes, reasons and places."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.errors import ConfigError
from router.model import Record
from router.program.generated import MAX_ATTRIBUTES, WARM, SourceShape, source_lines
from router.program.load import load_program
from tests.support.engine import MAX_ITEM_BYTES, CompiledQueue, PlannedMessage, plan

PLUGIN = '''"""Transforms that fail in each way."""

from router import Drop, hookimpl


def odd(value):
    if value == "drop":
        raise Drop("no")
    return {"key": 1 / 0, "float": 1.5}[value]


@hookimpl
def router_register_transforms(register):
    register("odd", odd)
'''
SOURCES = st.one_of(
    st.sampled_from(["a", "b", "c", "a.b", "length(a)", "@", "[a, b]"]),
    st.fixed_dictionaries({"from": st.sampled_from(["a", "b", "a.b"]), "type": st.sampled_from("SNB")}),
    st.fixed_dictionaries(
        {"from": st.sampled_from(["a", "b"])},
        optional={
            "missing": st.sampled_from(["omit", "null", "error"]),
            "null": st.sampled_from(["omit", "null", "error"]),
        },
    ),
    st.fixed_dictionaries({"from": st.just("a"), "default": st.sampled_from(["x", 0, [1, {"n": "é"}], "é"])}),
    st.fixed_dictionaries({"from": st.just("a"), "type": st.sampled_from(["json", "SS", "NS"])}),
    st.fixed_dictionaries({"from": st.just("a"), "transform": st.sampled_from(["lower", "odd", "to_epoch"])}),
    st.sampled_from(
        [{"meta": "sent_at"}, {"meta": "message_id"}, {"value": "x"}, {"template": "{a}/{b}"}, {"hash": ["a"]}]
    ),
)
KEYS: st.SearchStrategy[Any] = st.sampled_from(
    [{"id": "S"}, {"id": "N"}, {"id": "S", "at": "S"}, {"id": "S", "at": "N"}]
)
MODES = st.sampled_from([{"mode": "put"}, {"mode": "insert"}, {"mode": "newest", "version": "v"}])
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        ["", "x", "é", "drop", "key", "float", "y" * 513, "y" * 2049, "z" * 500_000, True, False, None, -0.5]
    ),
    st.sampled_from([0, 7, -1, 10**38, 1.10, 0.25, -0.0, 1e-7, 12345678901234567890.5, 1e126]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["b", "n", ""]), inner, max_size=2),
)
MESSAGES = VALUES | st.dictionaries(st.sampled_from(["a", "b", "c", "id", "at", "v"]), VALUES, max_size=6)
Compile = Callable[..., CompiledQueue | None]


@pytest.fixture(scope="module")
def queue_of(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles a queue with one route; None if the config has faults."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "own.py").write_text(PLUGIN, encoding="utf-8")

    def compile_queue(
        item: dict[str, Any], key: dict[str, str], write: dict[str, str], **more: Any
    ) -> CompiledQueue | None:
        config = {
            "version": 1,
            "plugins": ["own.py"],
            "queues": {"q": {}},
            "tables": {"things": {"key": key}},
            "routes": {"r": {"queue": "q", "table": "things", "item": item, "write": write, **more}},
        }
        path = Path(folder, "routes.yaml")
        path.write_text(json.dumps(config), encoding="utf-8")
        try:
            return load_program(path, {}).engine.queues["q"]
        except ConfigError as error:
            # What a generated config may be: `null` with a path that cannot have it.
            assert {finding.code.id for finding in error.findings} <= {"RT203", "RT407", "RT428"}  # noqa: PT017
            return None

    return compile_queue


def planned_both_ways(queue: CompiledQueue, data: Any) -> tuple[PlannedMessage, PlannedMessage]:
    """Return a message as planned by the generated function and in the general way."""
    (route,) = queue.routes
    assert route.short is not None
    for _ in range(WARM):
        route.short.count()
    assert route.short.encode is not None
    general = structs.replace(queue, routes=(structs.replace(route, short=None),))
    record = Record("m1", "", json.dumps(data), {"SentTimestamp": "1767323045678"})
    return plan(queue, record), plan(general, record)


@settings(deadline=None, max_examples=300)
@given(st.lists(SOURCES, max_size=4), KEYS, MODES, MESSAGES)
@example(["a", {"from": "b", "missing": "error"}], {"id": "S"}, {"mode": "put"}, {"id": "x", "a": "z" * 500_000})
@example(["@"], {"id": "S"}, {"mode": "put"}, {"id": "x", "b": [[]]})
@example([], {"id": "S", "at": "S"}, {"mode": "newest", "version": "v"}, {"id": "x", "at": "y", "v": 1})
def test_both_ways_have_one_result(queue_of: Compile, sources: list[Any], key: Any, write: Any, data: Any) -> None:
    """Over configs and messages, with reasons, places and sizes."""
    item = dict.fromkeys(key) | {name: name for name in key} | dict(zip(("p", "q", "r", "é"), sources, strict=False))
    queue = queue_of(item | ({"v": "v"} if "version" in write else {}), key, write)
    if queue is None or queue.routes[0].short is None:
        return

    short, general = planned_both_ways(queue, data)

    assert (short.outcome, short.writes) == (general.outcome, general.writes)


@pytest.mark.parametrize("count", range(MAX_ITEM_BYTES - 8, MAX_ITEM_BYTES - 2))
@pytest.mark.parametrize("left_out", [False, True])
def test_the_size_is_exact(queue_of: Compile, count: int, left_out: bool) -> None:
    """At the limit, with and without an attribute that is left out, in a list and beside one."""
    queue = queue_of({"id": "id", "a": "a", "omitted": {"from": "b", "missing": "omit"}}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    data = {"id": "x", "a": ["z" * (count - 5)]} | ({} if left_out else {"b": 1})

    short, general = planned_both_ways(queue, data)

    assert (short.outcome, short.writes) == (general.outcome, general.writes)


def test_the_general_way_comes_first(queue_of: Compile) -> None:
    """A start does without compiling."""
    queue = queue_of({"id": "id"}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    (route,) = queue.routes
    assert route.short is not None

    compiled = []
    for number in range(WARM + 1):
        plan(queue, Record(str(number), "", '{"id": "x"}'))
        compiled.append(route.short.encode is not None)

    assert compiled == [False] * (WARM - 1) + [True, True]


@pytest.mark.parametrize(
    ("item", "write", "more"),
    [
        ({f"a{number}": "a" for number in range(MAX_ATTRIBUTES)} | {"id": "id"}, {"mode": "put"}, {}),
        ({"id": "id", "é": "a"}, {"mode": "put"}, {}),
        ({"id": "id"}, {"mode": "update"}, {}),
        ({"id": "id"}, {"mode": "delete"}, {}),
        ({"id": "element.id"}, {"mode": "put"}, {"for_each": "lines"}),
        ({"id": "id"}, {"mode": "put"}, {"merge": "labels"}),
    ],
)
def test_no_short_form(queue_of: Compile, item: Any, write: Any, more: Any) -> None:
    """For many attributes, names beyond ASCII, modes that do not store each item as it is, and several items."""
    queue = queue_of(item, {"id": "S"}, write, **more)

    assert queue is not None
    assert queue.routes[0].short is None


def test_no_text_of_the_config_is_in_the_source() -> None:
    """The source is that of a shape: numbers only."""
    lines = source_lines(SourceShape((True, False), (0,)))

    assert {line.strip() for line in lines if "1" in line} == {
        "at = name_1",
        "v1 = source_1(data, message)",
        "if v1 is None:",
        "v1 = absent_1(data)",
        "if v1 is UNSET:",
        "size -= bytes_1",
        "if v1.__class__ is str and v1.isascii():",
        'encoded[name_1] = {"S": v1}',
        "size += len(v1)",
        "elif v1 is not UNSET:",
        "encoded[name_1], size = encode_attribute(name_1, v1, size)",
        "if v0.__class__ is str and 0 < len(v0) <= 512:",
    }
