"""Which queues have a fast path, and from which message on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from router.model import Record
from tests.support.config import REDACT_KEY
from tests.support.deliver import COMPILE_AFTER, FastPaths
from tests.support.engine import CompiledQueue
from tests.support.program import load_program

SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}, "a": {"type": "string"}}}
Compile = Callable[..., CompiledQueue]


@pytest.fixture
def queue_of(tmp_path: Path) -> Compile:
    """Compiles a queue with one route, whose schema is simple."""

    def compile_queue(queue: Any = None, **more: Any) -> CompiledQueue:
        route = {"queue": "q", "table": "things", "item": {"id": "id"}, "schema": SCHEMA} | more
        tables = {"things": {"key": {"id": "S"}}}
        config = {"version": 1, "queues": {"q": queue or {}}, "tables": tables, "routes": {"r": route}}
        path = tmp_path / "routes.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return load_program(path, {REDACT_KEY: "k" * 32}).engine.queues["q"]

    return compile_queue


def test_the_general_way_comes_first(queue_of: Compile) -> None:
    """A start does without compiling; a first batch that is large does not."""
    queue, paths = queue_of(), FastPaths()

    found = [paths.of(queue, messages) is not None for messages in (COMPILE_AFTER - 1, 1, 1, 1)]

    assert found == [False, False, True, True]
    assert FastPaths().of(queue, COMPILE_AFTER + 1) is not None


def test_it_is_compiled_once(queue_of: Compile) -> None:
    """For a queue, whatever becomes of its messages; also if it has none."""
    queue = queue_of()
    compiled = []

    def compile_typed() -> None:
        compiled.append(1)

    queue = structs.replace(queue, routes=(structs.replace(queue.routes[0], compile_typed=compile_typed),))
    paths = FastPaths()

    assert [paths.of(queue, 100) for _ in range(3)] == [None] * 3
    assert len(compiled) == 1


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"atomic": True}, {}),
        ({"encoding": "base64"}, {}),
        ({"redact": ["a"]}, {}),
        ({}, {"when": "a == 'x'"}),
        ({}, {"schema": {"type": "object"}}),
        ({}, {"item": {"id": "id", "n": "length(id)"}}),
        ({}, {"write": {"mode": "insert"}}),
    ],
)
def test_no_fast_path(queue_of: Compile, settings: Any, more: Any) -> None:
    """With a condition, an encoding, transactions, masks, other schemas, expressions, or another mode."""
    assert FastPaths().of(queue_of(settings, **more), COMPILE_AFTER + 1) is None


def test_no_fast_path_without_a_schema(queue_of: Compile) -> None:
    """There is nothing that a struct could check."""
    queue = queue_of()
    route = structs.replace(queue.routes[0], compile_typed=None)

    assert FastPaths().of(structs.replace(queue, routes=(route,)), COMPILE_AFTER + 1) is None


@pytest.mark.parametrize("count", [0, 2])
def test_no_fast_path_of_other_numbers_of_routes(queue_of: Compile, count: int) -> None:
    """Each message is planned for all routes together."""
    queue = queue_of()

    assert FastPaths().of(structs.replace(queue, routes=queue.routes * count), COMPILE_AFTER + 1) is None


def test_messages_that_are_not_the_usual_ones(queue_of: Compile) -> None:
    """Those with attributes or escapes are not tried, however many there are."""
    fast = FastPaths().of(queue_of(), COMPILE_AFTER + 1)
    assert fast is not None
    with_attributes = Record("m1", "", '{"id": "x"}', {}, {"a": {"DataType": "String", "StringValue": "b"}})
    with_escapes = Record("m1", "", '{"id": "\\u00e9"}')
    usual = Record("m1", "", '{"id": "x"}')

    unusual = [fast(each) for each in (with_attributes, with_escapes) * 3]

    assert unusual == [None] * 6
    assert fast(usual) is not None
