"""Which queues have a fast path, and from which message on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from router.model import Record, Table
from tests.support.config import REDACT_KEY
from tests.support.deliver import COMPILE_AFTER, FastPaths
from tests.support.engine import CompiledQueue, TypedSteps, Write, plan
from tests.support.modes import MODES
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


def test_one_that_cannot_be_compiled(queue_of: Compile) -> None:
    """Messages are planned without it."""
    queue = queue_of()

    def compile_typed() -> None:
        raise RecursionError

    queue = structs.replace(queue, routes=(structs.replace(queue.routes[0], compile_typed=compile_typed),))
    paths = FastPaths()

    assert [paths.of(queue, 100) for _ in range(2)] == [None, None]


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


class Panic(BaseException):
    """As libraries in Rust raise it."""


@pytest.mark.parametrize("error", [Panic, ValueError, KeyboardInterrupt])
def test_what_a_struct_raises_before_hooks(queue_of: Compile, error: type[BaseException]) -> None:
    """What takes more messages has a look, and the general way decides; only Ctrl-C ends the command."""
    tried = []

    def fail(body: str) -> Any:
        tried.append(body)
        raise error

    def take(body: str) -> Any:
        if "y" in body:
            raise ValueError
        return body

    write = Write("r", Table("things", ()), MODES["put"], ("things", "x"), {}, 0)
    steps = (
        TypedSteps(fail, lambda *given: (write, None), is_flat=True),
        TypedSteps(take, lambda *given: (write, None), is_flat=True),
    )
    queue = queue_of()
    queue = structs.replace(queue, routes=(structs.replace(queue.routes[0], compile_typed=lambda: steps),))
    fast = FastPaths().of(queue, COMPILE_AFTER + 1)
    assert fast is not None
    records = [Record("m1", "", f'{{"id": "{value}"}}') for value in "yxxyyx"]

    if error is KeyboardInterrupt:
        with pytest.raises(error):
            fast(records[0])
    else:
        planned = [fast(each) for each in records]
        assert [each and each.writes for each in planned] == [None, [write], [write], None, None, None]
        assert len(tried) == 2


def load_queues(tmp_path: Path, items: list[dict[str, Any]]) -> list[CompiledQueue]:
    """Compile a queue for each item, with a route and a table of its own."""
    routes, tables = {}, {}
    for number, item in enumerate(items):
        tables[f"table-{number}"] = {"key": {"id": "S"}}
        routes[f"r{number}"] = {"queue": f"q{number}", "table": f"table-{number}", "item": item, "schema": SCHEMA}
    path = tmp_path / "routes.yaml"
    path.write_text(json.dumps({"version": 1, "tables": tables, "routes": routes}), encoding="utf-8")
    return [*load_program(path, {}).engine.queues.values()]


def test_queues_of_one_shape_share_what_is_compiled(tmp_path: Path) -> None:
    """Their messages count together, and each is planned as its own route plans it."""
    queues, paths = load_queues(tmp_path, [{"id": "id", "a": {"value": 1}}] * 3), FastPaths()

    early = [paths.of(queue, COMPILE_AFTER // 2) for queue in queues[:2]]
    found = [paths.of(queue, 1) for queue in queues]

    assert early == [None, None]
    planned = [fast and fast(Record("m1", "", '{"id": "x"}')) for fast in found]
    writes = [each.writes[0] for each in planned if each]
    assert [(write.route, write.table.name) for write in writes] == [(f"r{n}", f"table-{n}") for n in range(3)]


@pytest.mark.parametrize(
    "items",
    [
        [{"id": "id", "by": {"meta": "route"}}] * 2,
        [{"id": "id", "n": {"value": 1}}, {"id": "id", "n": {"value": "1"}}],
        [{"id": "id", "n": {"value": 1}}, {"id": "id", "n": {"value": True}}],
        [{"id": "id"}, {"id": "a", "a": "id"}],
    ],
)
def test_other_items_have_another_shape(tmp_path: Path, items: list[dict[str, Any]]) -> None:
    """Each route has what it maps, also the name of the route."""
    queues, paths = load_queues(tmp_path, items), FastPaths()
    record = Record("m1", "", '{"id": "x", "a": "y"}')

    planned = [(paths.of(queue, COMPILE_AFTER + 1), plan(queue, record)) for queue in queues]

    for fast, general in planned:
        assert fast is not None
        found = fast(record)
        assert found is not None
        assert found.writes[0].item == general.writes[0].item
