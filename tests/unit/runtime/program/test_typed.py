"""The fast path has the result of the general way for each message that it takes, and takes the usual ones."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.model import Outcome, Record
from router.runtime.program.load import load_program
from router.runtime.program.typed_schema import MAX_CHOICES, MAX_FIELDS, typed_schema
from tests.support.deliver import COMPILE_AFTER, TRIES, FastPath, FastPaths
from tests.support.engine import MAX_ITEM_BYTES, CompiledQueue, TypedSteps, plan
from tests.support.planning import meaning

SYSTEM = {"SentTimestamp": "1767323045678"}
TEXTS = ["", "x", "é", "play", "07", "a-b", "0.5", "😀", '"', "\\", "\x7f", "\n", "y" * 600]
NUMBERS: list[Any] = [
    0,
    5,
    -1,
    4,
    2**53,
    2**53 + 1,
    2**64,
    10**30,
    0.5,
    1.0,
    -0.0,
    1e-7,
    4.000000000000001,
    1e300,
    1e126,
]
FIELDS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "pattern": st.sampled_from(["^[a-z0-9.-]+$", "^x$", "^[0-9]{2}$", "x", "^\\d+$"]),
            "title": st.just("a title"),
            "format": st.just("date"),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.sampled_from([0, -5, 0.5, -(2**60)]),
            "maximum": st.sampled_from([4, 5, 2**53, 4.5]),
            "multipleOf": st.just(2),
        },
    ),
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"enum": ["play", "é"]}, {"const": "x"}, {"enum": ["x", 0]}]
    ),
    st.sampled_from([{"type": ["string", "null"]}, {}, {"type": "array"}, {"type": "string", "enum": ["x", "07"]}]),
)
NAMES = ["id", "a", "b", "é", "o"]


def objects(fields: st.SearchStrategy[Any], names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return the schemas of objects with these properties."""
    return st.fixed_dictionaries(
        {"properties": st.dictionaries(st.sampled_from(names), fields, min_size=1, max_size=4)},
        optional={
            "type": st.just("object"),
            "required": st.lists(st.sampled_from(names), unique=True),
            "additionalProperties": st.booleans(),
        },
    )


SCHEMAS = objects(FIELDS | objects(FIELDS, ["a", "b"]), NAMES)
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [*TEXTS, *NUMBERS, True, False, None, [], ["x"], {}, {"a": "x"}, {"a": 5, "b": "play"}, {"b": None}]
)
MESSAGES = st.dictionaries(st.sampled_from([*NAMES, "other"]), VALUES, max_size=5) | VALUES
ITEMS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["p", "q", "r", "é"]),
    st.one_of(
        st.sampled_from(["a", "b", '"é"', "o.a", "o.b", "o", "length(a)"]),
        st.fixed_dictionaries(
            {"from": st.sampled_from(["a", "o.a"])}, optional={"missing": st.sampled_from(["omit", "null", "error"])}
        ),
        st.sampled_from([{"meta": "sent_at"}, {"meta": "message_id"}, {"meta": "group_id", "missing": "omit"}]),
        st.sampled_from([{"value": '"'}, {"value": [1]}, {"from": "a", "default": 1}, {"from": "b", "null": "null"}]),
    ),
    max_size=4,
)
Compile = Callable[..., CompiledQueue]


@pytest.fixture(scope="module")
def queue_of(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles a queue with one route."""
    folder = tmp_path_factory.mktemp("typed")

    def compile_queue(schema: Any, item: dict[str, Any], key: dict[str, str]) -> CompiledQueue:
        route = {"queue": "q", "table": "things", "item": item, "schema": schema}
        config = {"version": 1, "queues": {"q": {}}, "tables": {"things": {"key": key}}, "routes": {"r": route}}
        path = Path(folder, "routes.yaml")
        path.write_text(json.dumps(config), encoding="utf-8")
        return load_program(path, {}).engine.queues["q"]

    return compile_queue


def fast_path(queue: CompiledQueue) -> FastPath | None:
    """Return the fast path of a queue that has had enough messages for it; None if it has none."""
    return FastPaths().of(queue, COMPILE_AFTER + 1)


def agrees(queue: CompiledQueue, body: str) -> bool | None:
    """Return whether the fast path has the result of the general way; None if it leaves the message to it."""
    record = Record("m1", "", body, SYSTEM)
    fast = fast_path(queue)
    planned = fast and fast(record)
    (route,) = queue.routes
    general = plan(structs.replace(queue, routes=(structs.replace(route, plan_put=None),)), record)
    return None if planned is None else meaning(planned) == meaning(general)


@settings(deadline=None, max_examples=600)
@given(SCHEMAS, ITEMS, st.sampled_from([{"id": "S"}, {"id": "N"}]), st.lists(MESSAGES, min_size=1, max_size=8))
@example(
    {"properties": {"id": {"type": "string"}, "a": {"type": "number"}}},
    {"p": "a"},
    {"id": "S"},
    [{"id": "x", "a": "5"}],
)
@example(
    {"properties": {"id": {"type": "string"}, "a": {"type": "number"}}}, {}, {"id": "S"}, [{"id": "x", "a": 1e300}]
)
@example({"properties": {"id": {"type": "integer"}}}, {}, {"id": "N"}, [{"id": True}, {"id": 1.0}, {"id": 5}])
def test_it_has_the_result_of_the_general_way(
    queue_of: Compile, schema: Any, item: dict[str, Any], key: dict[str, str], messages: list[Any]
) -> None:
    """Over schemas, items and messages."""
    queue = queue_of(schema, {"id": "id"} | item, key)

    found = [agrees(queue, json.dumps(each, ensure_ascii=False)) for each in messages]

    assert False not in found


WHOLE = {"from": "o", "missing": "omit"}
STRINGS_BELOW = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("kinds", "value"),
    [
        ("boolean", "false"),
        ("string", '""'),
        ("integer", "0"),
        ("array", "[]"),
        ("null", "null"),
        ("null", '{"a": "v"}'),
    ],
)
def test_an_object_and_a_member_of_it(queue_of: Compile, kinds: str, value: str) -> None:
    """What is no object has no members, though it is false as nothing is."""
    schema = {"properties": {"id": {"type": "string"}, "o": STRINGS_BELOW | {"type": ["object", kinds]}}}
    item = {"id": "id", "o": WHOLE, "a": {"from": "o.a", "missing": "omit"}}
    deeper = {
        "properties": {
            "id": {"type": "string"},
            "o": {"type": "object", "properties": {"o": schema["properties"]["o"]}},
        }
    }

    assert agrees(queue_of(schema, item, {"id": "S"}), f'{{"id": "x", "o": {value}}}') is not False
    item["a"] = {"from": "o.o.a", "missing": "null"}
    assert agrees(queue_of(deeper, item, {"id": "S"}), f'{{"id": "x", "o": {{"o": {value}}}}}') is not False


@pytest.mark.parametrize("path", ["o.x.a", "o.x", "o.x.a.b"])
@pytest.mark.parametrize("missing", ["omit", "null"])
def test_a_map_and_a_member_in_it(queue_of: Compile, path: str, missing: str) -> None:
    """The map is one attribute, and a member of an object in it another one."""
    schema = {"properties": {"id": {"type": "string"}, "o": {"type": "object", "additionalProperties": STRINGS_BELOW}}}
    item = {"id": "id", "o": WHOLE, "a": {"from": path, "missing": missing}}

    assert agrees(queue_of(schema, item, {"id": "S"}), '{"id": "x", "o": {"x": {"a": "v"}}}') is not False


def test_elements_that_take_long_to_compare(queue_of: Compile) -> None:
    """They are bounded where `uniqueItems` compares them."""
    schema = {"properties": {"id": {"type": "string"}, "l": {"type": "array", "uniqueItems": True}}}
    queue = queue_of(schema, {"id": "id"}, {"id": "S"})

    assert fast_path(queue) is None
    numbers = ", ".join(str(10**38 + each) for each in range(100))
    planned = plan(queue, Record("m1", "", f'{{"id": "x", "l": [{numbers}]}}', SYSTEM))
    assert planned.outcome is not None
    assert planned.outcome.code == "RT806"


@pytest.mark.parametrize("nested", ["[" * 70 + "]" * 70, '{"a":' * 70 + "1" + "}" * 70])
def test_a_member_that_nests_and_is_given_again(queue_of: Compile, nested: str) -> None:
    """The later value counts, and the message is refused for the first one."""
    queue = queue_of({"properties": {"id": {"type": "string"}, "n": {"type": "number"}}}, {"id": "id"}, {"id": "S"})

    assert agrees(queue, f'{{"id": "x", "n": {nested}, "n": 1}}') is not False
    assert agrees(queue, '{"id": "x", "n": 1, "n": 2}') is True


FULL: dict[str, Any] = {
    "type": "object",
    "required": ["id", "kind", "at"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[a-z]+_[0-9]{3}$"},
        "kind": {"enum": ["play", "stop"]},
        "at": {"type": "integer", "minimum": 0},
        "rate": {"type": "number", "maximum": 4},
        "on": {"type": "boolean"},
        "place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ITEM = {name: name for name in ("id", "kind", "at")} | {
    "rate": {"from": "rate", "missing": "omit"},
    "on": {"from": "on", "missing": "null"},
    "city": {"from": "place.city", "missing": "omit"},
    "sent_at": {"meta": "sent_at"},
    "by": {"value": "é"},
}


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "a_001", "kind": "play", "at": 5, "rate": 1.50, "on": true, "place": {"city": "São"}}',
        '{"at":0,"kind":"stop","id":"a_001"}',
        '{"id": "a_001", "kind": "play", "at": 5, "at": 6, "rate": 4}',
        '{"id": "a_001", "kind": "play", "at": 9223372036854775807, "rate": -0.0}',
    ],
)
def test_it_takes_usual_messages(queue_of: Compile, body: str) -> None:
    """With and without what is optional, in any order of the properties."""
    assert agrees(queue_of(FULL, ITEM, {"id": "S"}), body)


def test_values_of_one_definition(queue_of: Compile) -> None:
    """As wholes, in lists, in maps, and in parts."""
    user = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "string"}, "b": {"type": "number", "minimum": 0}, "c": {"type": "number"}},
    }
    properties: dict[str, Any] = {name: {"$ref": "#/$defs/user"} for name in ("p", "q", "r")}
    pairs = {"type": "array", "items": {"type": ["array", "null"], "items": user | {"type": ["object", "null"]}}}
    properties |= {"pairs": pairs, "numbers": {"type": "array", "items": {"type": "number"}}}
    properties |= {"list": {"type": "array", "items": {"$ref": "#/$defs/user"}}, "id": {"type": "string"}}
    properties |= {"map": {"type": "object", "additionalProperties": {"$ref": "#/$defs/user"}}}
    item = {name: {"from": name, "missing": "omit"} for name in ("p", "q", "r.a", "list", "map", "p.b", "numbers")}
    queue = queue_of({"properties": properties, "$defs": {"user": user}}, {"id": "id"} | item, {"id": "S"})
    one = '{"b": 1.50, "a": "x"}'

    assert agrees(queue, f'{{"id": "x", "pairs": [[{one}, null], null, [], [{one}]], "numbers": [1, 1.50]}}')
    assert agrees(queue, '{"id": "x", "numbers": [1, "1"]}') is None
    assert agrees(queue, '{"id": "x", "pairs": [null, [null, {"a": "x", "b": "1"}]]}') is None
    assert agrees(queue, '{"id": "x", "list": [{"a": "x", "b": "1"}]}') is None
    assert agrees(
        queue, f'{{"id": "x", "p": {one}, "q": {one}, "r": {one}, "list": [{one}, {one}], "map": {{"é": {one}}}}}'
    )
    for wrong in ('"1"', "-1", "null", "true", "[]"):
        assert agrees(queue, f'{{"id": "x", "p": {{"a": "x", "b": {wrong}}}}}') is None
        assert agrees(queue, f'{{"id": "x", "p": {{"a": "x", "c": {wrong}}}}}') is (True if wrong == "-1" else None)


def test_lists_of_strings_and_of_objects(queue_of: Compile) -> None:
    """An item that is a list itself, or has one at some depth, also an empty one."""
    strings = {"type": "array", "items": {"type": "string"}}
    inner = {"type": "object", "properties": {"a": strings}}
    members = {"tags": strings, "inner": inner}
    more = {"type": "array", "items": {"type": "object", "properties": members}}
    lines = {"type": "array", "items": {"type": "object", "properties": {**members, "more": more}}}
    properties = {"id": {"type": "string"}, "tags": strings, "lines": lines}
    item = {"id": "id"} | {name: {"from": name, "missing": "omit"} for name in ("tags", "lines")}
    queue = queue_of({"properties": properties}, item, {"id": "S"})

    for tags in ("[]", '["x"]', '["x", "", "é<"]'):
        one = f'{{"tags": {tags}, "inner": {{"a": {tags}}}}}'
        assert agrees(queue, f'{{"id": "x", "tags": {tags}, "lines": [{one}, {{"more": [{one}, {one}]}}]}}')
    assert agrees(queue, '{"id": "x", "lines": []}')
    assert agrees(queue, '{"id": "x", "tags": [1]}') is None
    assert agrees(queue, '{"id": "x", "lines": [{"tags": ["x", null]}]}') is None


@pytest.mark.parametrize(("levels", "is_small"), [(4, True), (8, False)])
def test_definitions_that_multiply(queue_of: Compile, levels: int, is_small: bool) -> None:
    """Each has three properties of the next one: what checks a message would have thousands of lines."""
    definitions: dict[str, Any] = {f"d{levels}": {"type": "string", "pattern": "x"}}
    for level in range(levels):
        part = {"$ref": f"#/$defs/d{level + 1}"}
        definitions[f"d{level}"] = {"type": "object", "properties": {"a": part, "b": part, "c": part}}
    schema = {"properties": {"id": {"type": "string"}, "o": {"$ref": "#/$defs/d0"}}, "$defs": definitions}

    assert (fast_path(queue_of(schema, {"id": "id"}, {"id": "S"})) is not None) == is_small


def test_required_numbers_and_booleans(queue_of: Compile) -> None:
    """They need no look for a value that is absent."""
    schema = FULL | {"required": [*FULL["required"], "rate", "on"]}
    body = '{"id": "a_001", "kind": "play", "at": 5, "rate": 1.50, "on": false}'

    assert agrees(queue_of(schema, ITEM, {"id": "S"}), body)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "a_1"},
        {"id": "a_001\n"},
        {"kind": "pause"},
        {"kind": None},
        {"at": -1},
        {"at": 1.0},
        {"at": True},
        {"at": 2**63},
        {"rate": 5},
        {"rate": "1"},
        {"rate": None},
        {"rate": [1]},
        {"rate": True},
        {"place": {}},
        {"place": None},
        {"place": {"city": '"'}},
        {"place": {"city": "x" * MAX_ITEM_BYTES}},
    ],
)
def test_it_leaves_other_messages_to_the_general_way(queue_of: Compile, change: dict[str, Any]) -> None:
    """Invalid ones, which it tells apart from valid ones in no way."""
    body = json.dumps({"id": "a_001", "kind": "play", "at": 5} | change)

    assert agrees(queue_of(FULL, ITEM, {"id": "S"}), body) is None


@pytest.mark.parametrize(
    "members",
    [
        '"other": 1',
        '"f0": "a_001"',
        '"place": {"city": "x", "street": "y"}',
        '"place": {"street": {"city": 1}, "city": "x"}',
        f'"other": [{"9" * 17}, 1e-99999999999999999, null, {{"id": 5}}]',
        f'"other": {"[" * 63}{"]" * 63}',
    ],
)
def test_it_leaves_out_members_that_are_not_declared(queue_of: Compile, members: str) -> None:
    """The mapping cannot need them."""
    body = f'{{"id": "a_001", "kind": "play", "at": 5, {members}}}'

    assert agrees(queue_of(FULL, ITEM, {"id": "S"}), body)


@pytest.mark.parametrize(
    "value",
    [
        "9" * 18,
        "9" * 4301,
        "1e9999999999999999999",
        "[" * 64 + "]" * 64,
        "[" * 100_000,
        "01",
        "1.",
        "nul",
        '"\x07"',
        "[1 2]",
    ],
)
def test_it_looks_at_what_it_leaves_out(queue_of: Compile, value: str) -> None:
    """The general way refuses a number that it cannot hold, what nests too deep, and what is no JSON."""
    body = f'{{"id": "a_001", "kind": "play", "at": 5, "other": {value}}}'

    assert agrees(queue_of(FULL, ITEM, {"id": "S"}), body) is None


def test_a_batch_of_messages_with_other_members(queue_of: Compile) -> None:
    """What takes the first of them takes the next at once."""
    (route,) = (queue := queue_of(FULL, ITEM, {"id": "S"})).routes
    assert route.compile_typed is not None
    strict, lenient = route.compile_typed()
    assert not isinstance(strict, TypedSteps)
    tried: list[str] = []

    def refuse(*given: Any) -> Any:
        tried.append("strict")
        return strict(*given)

    queue = structs.replace(queue, routes=(structs.replace(route, compile_typed=lambda: (refuse, lenient)),))
    fast = fast_path(queue)
    assert fast is not None
    body = '{"id": "a_001", "kind": "play", "at": 5, "other": 1}'

    assert all(fast(Record("m1", "", body, SYSTEM)) for _ in range(10))
    assert tried == ["strict"]


@pytest.mark.parametrize(
    "body", ["[]", "{", "", "null", '{"id": "a_001", "kind": "play", "at": 05}', '{"id": "\ud83d"}']
)
def test_it_leaves_what_is_no_object(queue_of: Compile, body: str) -> None:
    """And what is no JSON."""
    assert agrees(queue_of(FULL, ITEM, {"id": "S"}), body) is None


DEEP = """\
import sys, threading
from pathlib import Path
from router.runtime.deliver.fast_paths import FastPaths
from router.runtime.engine.engine import plan
from router.model import Record
from router.runtime.program.load import load_program

queue = load_program(Path(sys.argv[1]), {}).engine.queues["q"]
fast = FastPaths().of(queue, int(sys.argv[2]))
assert fast

def run():
    body = '{"id": "x", "n": ' + "[" * int(sys.argv[3])
    print((fast(Record("m1", "", body)) or plan(queue, Record("m1", "", body))).outcome.reason)

threading.stack_size(256 * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("levels", [470, 100_000])
def test_nesting_on_a_small_stack(tmp_path: Path, levels: int) -> None:
    """A message that nests deeply does not end the process, in which threads may have little memory for their calls."""
    schema = {"properties": {"id": {"type": "string"}, "n": {"type": "number"}}}
    route = {"queue": "q", "table": "things", "item": {"id": "id"}, "schema": schema}
    config = {"version": 1, "queues": {"q": {}}, "tables": {"things": {"key": {"id": "S"}}}, "routes": {"r": route}}
    path = tmp_path / "routes.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")

    command = [sys.executable, "-c", DEEP, str(path), str(COMPILE_AFTER + 1), str(levels)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "nested deeper than 64, or brackets that do not close\n")


def test_routes_of_one_shape_share_their_code(queue_of: Compile) -> None:
    """Whatever bounds, lengths and patterns their schemas have: it is compiled once, and kept once."""
    codes = set()
    for number in range(3):
        id_, at = {"pattern": f"^[a-z]{{{number}}}$", "maxLength": number}, {"minimum": number, "maximum": 9 - number}
        properties = {"id": {"type": "string"} | id_, "at": {"type": "integer"} | at}
        (route,) = queue_of({"properties": properties}, {"id": "id", "at": "at"}, {"id": "S"}).routes
        assert route.compile_typed is not None
        typed, _ = route.compile_typed()
        assert isinstance(typed, FunctionType)
        codes.add(id(typed.__code__))

    assert len(codes) == 1


def test_it_is_not_tried_again_in_a_batch_of_other_messages(queue_of: Compile) -> None:
    """As where producers send members that the schema does not declare; the next batch tries again."""
    (route,) = (queue := queue_of(FULL, ITEM, {"id": "S"})).routes
    tried: list[str] = []

    def refuse(*given: Any) -> Any:
        tried.append(given[1])
        raise ValueError

    queue = structs.replace(queue, routes=(structs.replace(route, compile_typed=lambda: (refuse,)),))
    paths = FastPaths()
    for _ in range(2):
        fast = paths.of(queue, COMPILE_AFTER + 1)
        assert fast is not None
        assert [fast(Record("m1", "", "{}", SYSTEM)) for _ in range(10)] == [None] * 10

    assert len(tried) == 2 * TRIES


ODD = """
from router import hookimpl


class Odd(BaseException):
    pass


def odd(value):
    raise Odd


@hookimpl
def router_register_transforms(register):
    register("odd", odd)
"""


def test_a_transform_raises_what_is_no_exception(tmp_path: Path) -> None:
    """Its message alone is retried, as it is in the general way."""
    (tmp_path / "own.py").write_text(ODD, encoding="utf-8")
    item = {"id": "id", "by": {"meta": "message_id", "transform": "odd"}}
    route = {"queue": "q", "table": "things", "item": item, "schema": SIMPLE}
    tables = {"things": {"key": {"id": "S"}}}
    config = {"version": 1, "plugins": ["own.py"], "queues": {"q": {}}, "tables": tables, "routes": {"r": route}}
    path = tmp_path / "routes.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    queue = load_program(path, {}).engine.queues["q"]
    fast, record = fast_path(queue), Record("m1", "", '{"id": "x"}', SYSTEM)
    assert fast is not None

    assert fast(record) is None
    assert plan(queue, record).outcome == Outcome("retry", "RT813", "unexpected Odd", "r")


class Panic(BaseException):
    """As libraries in Rust raise it."""


@pytest.mark.parametrize("error", [Panic, RecursionError, KeyboardInterrupt])
def test_what_the_struct_raises(queue_of: Compile, error: type[BaseException]) -> None:
    """The general way decides about the message; only Ctrl-C ends the command."""

    def fail(*given: Any) -> Any:
        raise error

    queue = queue_of(FULL, ITEM, {"id": "S"})
    fast = fast_path(structs.replace(queue, routes=(structs.replace(queue.routes[0], compile_typed=lambda: (fail,)),)))
    assert fast is not None
    record = Record("m1", "", '{"id": "a_001", "kind": "play", "at": 5}', SYSTEM)

    if error is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            fast(record)
    else:
        assert fast(record) is None


SIMPLE = {"type": "object", "properties": {"id": {"type": "string"}}}


TEXT = {"type": "string"}


def doubling(levels: int) -> dict[str, Any]:
    """Return definitions of which each has the next one twice: a small schema with a million parts."""
    found: dict[str, Any] = {f"d{levels}": SIMPLE}
    for level in range(levels):
        found[f"d{level}"] = {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2}
    return found


DEFS = {
    "user": {"type": "object", "properties": {"a": TEXT}},
    "tree": {"properties": {"a": {"$ref": "#/$defs/tree"}}},
    "loop": {"$ref": "#/$defs/loop"},
}


@pytest.mark.parametrize(
    ("schema", "has_struct"),
    [
        (SIMPLE, True),
        (SIMPLE | {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "x", "$comment": "y"}, True),
        (SIMPLE | {"$id": "https://example.com/x", "x-note": 1}, True),
        (SIMPLE | {"additionalProperties": False}, True),
        (SIMPLE | {"additionalProperties": TEXT}, False),
        (SIMPLE | {"required": ["a"]}, False),
        (SIMPLE | {"minProperties": 1}, False),
        (SIMPLE | {"allOf": [{}]}, True),
        ({"$ref": "#/$defs/user", "$defs": DEFS}, True),
        ({"$ref": "#/$defs/tree", "$defs": DEFS}, True),
        ({"allOf": [{"$ref": "#/$defs/user"}, {"required": ["a"]}], "$defs": DEFS}, True),
        ({"$ref": "#/$defs/user", "$defs": {"user": {"$ref": "#/$defs/user"}}}, False),
        ({"$ref": "#/$defs/user/x", "$defs": {"user": []}}, False),
        ({"type": "array"}, False),
        ({"type": "object"}, False),
        (True, False),
        ({"properties": {"id": {"$ref": "#"}}}, False),
        ({"properties": {"id": {"$id": "x"}}}, False),
        ({"properties": {"id": {"$anchor": "x"}}}, False),
        ({"properties": {"id": {"$schema": "http://json-schema.org/draft-07/schema"}}}, False),
        ({"properties": {'"': TEXT}}, False),
        ({"properties": {f"p{number}": TEXT for number in range(MAX_FIELDS)}}, True),
        ({"properties": {f"p{number}": TEXT for number in range(MAX_FIELDS + 1)}}, False),
        ({"allOf": [{"$ref": "#/$defs/d0"}], "$defs": doubling(20)}, False),
    ],
)
def test_schemas_with_a_struct(schema: Any, has_struct: bool) -> None:
    """Those of objects with properties, which refer to nothing outside of them."""
    assert (typed_schema(schema) is not None) == has_struct


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        (TEXT, "string"),
        ({"type": "string", "format": "date", "pattern": "^x"}, "string"),
        ({"type": "string", "maxLength": 10**18}, "string"),
        ({"type": ["string", "null"]}, "null string"),
        ({"oneOf": [TEXT, {"type": "null"}]}, "null string"),
        ({"oneOf": [TEXT, {"type": ["string", "null"]}]}, ""),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, ""),
        ({"oneOf": [{"$ref": "#/$defs/user"}, {"type": "null"}]}, "null object"),
        ({"$ref": "#/$defs/tree"}, "object"),
        ({"$ref": "#/$defs/loop"}, ""),
        ({"allOf": [{"$ref": "#/$defs/user", "required": ["a"]}, {"type": "object", "required": ["a"]}]}, "object"),
        ({"allOf": [TEXT | {"minLength": 1, "maxLength": 5}, TEXT | {"minLength": 2, "maxLength": 3}]}, "string"),
        ({"const": "x"}, "string"),
        ({"const": 5}, "integer"),
        ({"const": 10**20}, ""),
        ({"enum": ["x", None, 5]}, "integer null string"),
        ({"enum": [True]}, "boolean"),
        ({"enum": [True, None]}, "boolean null"),
        ({"enum": [True, "x"]}, ""),
        ({"enum": [[]]}, ""),
        ({"enum": [f"v{number}" for number in range(MAX_CHOICES)]}, "string"),
        ({"enum": [f"v{number}" for number in range(MAX_CHOICES + 1)]}, ""),
        ({"enum": ["x"], "const": "x"}, ""),
        ({"type": "string", "enum": ["x"], "maxLength": 1}, ""),
        ({"allOf": [{"enum": ["x", "y"]}, {"enum": ["y", "z"]}, TEXT]}, "string"),
        ({"allOf": [{"enum": ["x"]}, {"enum": ["y"]}]}, ""),
        ({"allOf": [{"type": "string", "pattern": "x"}, {"type": "string", "pattern": "y"}]}, ""),
        ({"type": "number", "minimum": 0}, "number"),
        ({"type": ["integer", "number"]}, "number"),
        ({"type": "number", "minimum": 0.5}, ""),
        ({"type": "number", "minimum": 2**53 + 1}, ""),
        ({"type": "number", "exclusiveMinimum": 0}, ""),
        ({"type": ["number", "null"]}, ""),
        ({"type": "integer", "multipleOf": 2, "minimum": 2**53 + 1}, "integer"),
        ({"type": "array"}, "array"),
        ({"type": ["array", "null"], "items": TEXT, "minItems": 1}, "array null"),
        ({"type": "array", "items": False}, ""),
        ({"type": "array", "uniqueItems": True}, ""),
        ({"type": "array", "prefixItems": [TEXT]}, ""),
        ({"type": ["array", "string"], "format": "date"}, ""),
        ({"type": ["array", "object"]}, ""),
        ({"type": "object"}, "object"),
        ({"type": "object", "additionalProperties": TEXT}, "object"),
        ({"type": "object", "additionalProperties": False}, ""),
        ({"type": "object", "required": ["a"]}, ""),
        ({"allOf": [{"$ref": "#/$defs/user"}, {"properties": {"b": TEXT}, "additionalProperties": False}]}, "object"),
        (True, ""),
        ({}, ""),
        ({"minLength": 1}, ""),
        ({"not": TEXT}, ""),
    ],
)
def test_parts_of_a_schema_with_a_type(schema: Any, kinds: str) -> None:
    """The values of any other part are left to the validator."""
    typed = typed_schema({"properties": {"p": schema}, "$defs": DEFS})
    assert typed is not None
    (field,) = typed.root.fields

    assert field.value.kinds == {*kinds.split()}


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["[a-z]", "^[a-z]+[a-z]+$", "^([a-z]+)+$", "^\\w$", "^.$", "^[^a]$", "^a|b$", "^[0-9]{2}$"]),
    st.lists(st.text("ax09_-: AZé\u0663\x7f", max_size=6), max_size=6),
)
def test_patterns(queue_of: Compile, pattern: str, texts: list[str]) -> None:
    """They mean what they mean to the validator, which is asked."""
    queue = queue_of({"properties": {"id": TEXT, "p": TEXT | {"pattern": pattern}}}, {"id": "id"}, {"id": "S"})

    found = [agrees(queue, json.dumps({"id": "x", "p": text}, ensure_ascii=False)) for text in texts]

    assert False not in found


def test_texts_that_a_pattern_takes_long_for(queue_of: Compile) -> None:
    """Python would try the last classes at each place of a long text; the validator does not."""
    schema = {"properties": {"id": {"type": "string", "pattern": "^[a-z]+[a-z]{499}[0-9]$"}}}
    queue = queue_of(schema, {"id": {"value": "x"}}, {"id": "S"})

    assert agrees(queue, json.dumps({"id": "a" * 100_000 + "0"})) is True


def test_no_text_of_the_config_is_in_the_source(queue_of: Compile) -> None:
    """It would be code: names, choices, bounds and patterns are variables."""
    schema = {"properties": {"p": {"type": "string", "pattern": "^x-[0-9]$"}, "n": {"type": "number", "maximum": 4711}}}
    item = {"p'{1}": "p", 'n"': "n", "c": {"value": "x'y"}, "%s": {"meta": "message_id"}}
    queue = queue_of(schema, item, {"p'{1}": "S"})
    (route,) = queue.routes
    assert route.compile_typed is not None
    typed, _ = route.compile_typed()
    assert isinstance(typed, FunctionType)

    code = typed.__code__

    assert agrees(queue, '{"p": "x-1", "n": 4711}')
    assert all(isinstance(each, int) or each in (None, "", "[", "{", ()) for each in code.co_consts)
    assert all(name.isidentifier() for name in code.co_names)
