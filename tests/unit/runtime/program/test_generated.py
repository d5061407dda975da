"""The generated function of a route has the results of the general way: writes, outcomes, reasons and places."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.errors import ConfigError
from router.model import Record, Table
from router.runtime.program.attribute import Getter
from router.runtime.program.generated import (
    COMPILE_AFTER,
    MAX_ATTRIBUTES,
    MAX_NAMES,
    MAX_SHARED,
    SourceShape,
    make_fast_path,
    shared_parts,
    source_lines,
)
from router.runtime.program.load import load_program
from tests.support.config import REDACT_KEY
from tests.support.engine import (
    MAX_DIGITS,
    MAX_ITEM_BYTES,
    MAX_NAME_BYTES,
    MAX_NESTING,
    CompiledQueue,
    WriteConfig,
    fast_plan,
    plan,
)
from tests.support.modes import MODES
from tests.support.planning import shown

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
    st.sampled_from(["a", "b", "c", "a.b", "c.b.n", "length(a)", "@", "[a, b]", "{x: a}", "to_string(@)"]),
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
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        ["", "x", "é", "drop", "key", "float", "y" * 513, "y" * 2049, "z" * 500_000, True, False, None, -0.5]
    ),
    st.sampled_from(['"', "\\", "\n", "\x7f", "\u2028", "%s{0}", "😀", "/"]),
    st.sampled_from([0, 7, -1, 10**38, -(10**38), 10**38 - 1, 1.10, 0.25, -0.0, 1e-7, 12345678901234567890.5, 1e126]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["b", "n", "", '"', "é"]), inner, max_size=2)
    ),
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
            "queues": {"q": {}} | more.pop("queues", {}),
            "tables": {"things": {"key": key, **more.pop("table", {})}},
            "routes": {"r": {"queue": "q", "table": "things", "item": item, "write": write, **more}},
        }
        path = Path(folder, "routes.yaml")
        path.write_text(json.dumps(config), encoding="utf-8")
        try:
            return load_program(path, {REDACT_KEY: "k" * 32}).engine.queues["q"]
        except ConfigError as error:
            # What a generated config may be: `null` with a path that cannot have it.
            assert {finding.code.id for finding in error.findings} <= {"RT203", "RT407", "RT428"}  # noqa: PT017
            return None

    return compile_queue


def planned_each_way(queue: CompiledQueue, body: str) -> list[tuple[Any, list[bytes], list[Any]]]:
    """Return outcome, requests and identities by the general way, the fast path of the route, and that of the queue.

    The last is empty for a message that it leaves to the others.
    """
    warm_up(queue)
    (route,) = queue.routes
    short = fast_plan(queue)
    assert short is not None
    general = structs.replace(queue, routes=(structs.replace(route, fast_path=None),))
    record = Record("m1", "", body, {"SentTimestamp": "1767323045678"})
    planned = [each for each in (plan(general, record), plan(queue, record), short(record)) if each is not None]
    assert all(each.record is record for each in planned)
    return [shown(each) for each in planned]


def warm_up(queue: CompiledQueue) -> None:
    """Count messages until the route has its fast path, if it can have one."""
    (route,) = queue.routes
    for _ in range(COMPILE_AFTER):
        if route.fast_path is not None:
            route.fast_path.count()


def body_of(data: Any, *, ascii_only: bool) -> str:
    """Return a message as producers write it: all but ASCII escaped, or nothing that needs no escape."""
    return json.dumps(data, ensure_ascii=ascii_only)


@settings(deadline=None, max_examples=400)
@given(st.lists(SOURCES, max_size=4), KEYS, MESSAGES, st.booleans())
@example(["a", {"from": "b", "missing": "error"}], {"id": "S"}, {"id": "x", "a": "z" * 500_000}, False)
@example(["@"], {"id": "S"}, {"id": "x", "b": [[]]}, False)
@example(["a"], {"id": "N"}, {"id": 10**38, "a": "x"}, False)
@example(["to_string(@)"], {"id": "S"}, {"id": "x"}, False)
@example(["a"], {"id": "S"}, {"id": "x", "a": "\u001f"}, True)
def test_each_way_has_one_result(queue_of: Compile, sources: list[Any], key: Any, data: Any, ascii_only: bool) -> None:
    """Over configs and messages: the same bytes, outcomes, reasons and places."""
    item = dict.fromkeys(key) | {name: name for name in key} | dict(zip(("p", "q", "r", "é"), sources, strict=False))
    queue = queue_of(item, key, {"mode": "put"})
    if queue is None or queue.routes[0].fast_path is None:
        return

    general, *others = planned_each_way(queue, body_of(data, ascii_only=ascii_only))

    assert others == [general] * len(others)


BODIES = {
    "the first attribute is left out": '{"id": "x", "b": 1}',
    "as deep as an item may be": '{"id": "x", "a": ' + "[" * MAX_NESTING + "]" * MAX_NESTING + "}",
    "deeper": '{"id": "x", "a": ' + "[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1) + "}",
    "maps that are deeper": '{"id": "x", "a": ' + '{"b":' * MAX_NESTING + "{}" + "}" * (MAX_NESTING + 1),
    "too deep to be decoded": '{"id": "x", "a": ' + "[" * 65 + "]" * 65 + "}",
    "maps too deep to be decoded": '{"id": "x", "a": ' + '{"b":' * 64 + "{}" + "}" * 65,
    "all digits": f'{{"id": "x", "a": [{"9" * MAX_DIGITS}, -{"9" * MAX_DIGITS}, 0.{"1" * MAX_DIGITS}]}}',
    "a digit more": f'{{"id": "x", "a": [{"9" * MAX_DIGITS}.5]}}',
    "zeros at the end": '{"id": "x", "a": [1.50, 100, 1e3, 1.0, 0.0, -0.0, 1E-7]}',
    "a quote as an escape": '{"id": "x", "a": "\\u0022"}',
    "a backslash as an escape": '{"id": "x", "a": "\\u005c", "b": {"\\u005C": 1}}',
    "a tab as an escape": '{"id": "x", "a": "\\u0009"}',
    "a line break": '{"id": "x", "a": "\\n"}',
    "an escaped backslash before a u": '{"id": "x", "a": "\\\\u00e9"}',
    "a letter as an escape": '{"id": "x", "a": "\\u00e9", "b": ["\\ud83d\\ude00"]}',
    "half a surrogate pair": '{"id": "x", "a": "\\ud83d"}',
    "a control character": '{"id": "x", "a": "\t"}',
    "a key of many bytes": f'{{"id": "{"é" * 1025}"}}',
    "a key that is longer than a look allows": f'{{"id": "{"x" * 2048}"}}',
    "a repeated name": '{"id": "x", "a": 1, "a": {"b": 2, "b": "c"}}',
    "no JSON": '{"id": ',
    "no object": "[1]",
    "an item as large as allowed, with more JSON": f'{{"id": "x", "a": [{"1," * 100_000}1]}}',
    "characters of four bytes": f'{{"id": "x", "a": "{"😀" * 110_000}"}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_each_way_has_one_result_at_the_bounds(queue_of: Compile, body: str) -> None:
    """Nesting, digits, escapes, lengths."""
    queue = queue_of({"a": {"from": "a", "missing": "omit"}, "b": "b", "id": "id"}, {"id": "S"}, {"mode": "put"})
    assert queue is not None

    general, *others = planned_each_way(queue, body)

    assert others == [general] * len(others)


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "x", "a": {"b": [1, 2.5, true, null, "é"]}}',
        '{"id": "x", "a": ["\\n"]}',
        f'{{"id": "x", "a": [{"[], " * MAX_NESTING * 2}[]]}}',
    ],
)
def test_the_short_form_makes_the_text(queue_of: Compile, body: str) -> None:
    """Of what the message has and of its metadata; other tests would pass, too, if it took the general way for each."""
    item = {"id": "id", "a": "a"} | {name: {"meta": name} for name in ("message_id", "queue", "sent_at")}
    queue = queue_of(item | {"by": {"meta": "attribute.by", "missing": "omit"}}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    general, *others = planned_each_way(queue, body)
    assert others == [general] * 2
    short = fast_plan(queue)
    assert short is not None

    planned = short(Record("m1", "", body, {"SentTimestamp": "1767323045678"}))

    assert planned is not None
    assert [(write.encoded, write.request is not None) for write in planned.writes] == [(None, True)]


@pytest.mark.parametrize("encoding", ["json", "base64"])
def test_a_list_is_written_from_the_text_of_its_message(queue_of: Compile, encoding: str) -> None:
    """A body in Base64 is not that text: whether it has escapes says nothing, and lists take the general way."""
    queue = queue_of({"id": "id", "a": "a"}, {"id": "S"}, {"mode": "put"}, queues={"q": {"encoding": encoding}})
    assert queue is not None
    text = '{"id": "x", "a": ["\\""]}'
    record = Record("m1", "", base64.b64encode(text.encode()).decode() if encoding == "base64" else text)
    for _ in range(COMPILE_AFTER):
        plan(queue, record)

    (write,) = plan(queue, record).writes

    assert (write.encoded is None, write.item["a"]) == (encoding == "json", {"L": [{"S": '"'}]})


KEYED = [
    ({"id": "S"}, {"id": "x" * 512}, True),
    ({"id": "S"}, {"id": "x" * 513}, False),
    ({"id": "N"}, {"id": 7}, True),
    ({"id": "S", "at": "S"}, {"id": "x", "at": "x" * 256}, True),
    ({"id": "S", "at": "S"}, {"id": "x", "at": "x" * 257}, False),
    ({"id": "S", "at": "N"}, {"id": "x", "at": -7}, True),
    ({"id": "S", "at": "N"}, {"id": "x", "at": 1.5}, False),
]


@pytest.mark.parametrize(("key", "data", "is_short"), KEYED)
def test_keys_of_the_short_form(queue_of: Compile, key: Any, data: Any, is_short: bool) -> None:
    """Whole numbers, and texts that are valid whatever bytes their characters have."""
    queue = queue_of({name: name for name in key}, key, {"mode": "put"})
    assert queue is not None
    general, *others = planned_each_way(queue, json.dumps(data))
    short = fast_plan(queue)
    assert short is not None

    planned = short(Record("m1", "", json.dumps(data), {"SentTimestamp": "1767323045678"}))

    assert others == [general] * len(others)
    assert planned is not None
    assert [write.encoded is None for write in planned.writes] == [is_short]


SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}, "a": {"type": "integer"}}, "required": ["id"]}


@pytest.mark.parametrize(
    ("body", "is_valid"),
    [('{"id": "x", "a": 1}', True), ('{"id": "x", "a": "1"}', False), ('{"a": 1}', False), ("[]", False)],
)
def test_each_way_validates(queue_of: Compile, body: str, is_valid: bool) -> None:
    """With the place of the failure. The fast path of a queue leaves an invalid message to the others."""
    queue = queue_of({"id": "id", "a": "a"}, {"id": "S"}, {"mode": "put"}, schema=SCHEMA)
    assert queue is not None

    general, *others = planned_each_way(queue, body)

    assert others == [general] * (2 if is_valid else 1)


@pytest.mark.parametrize(
    "more",
    [
        {"queues": {"q": {"atomic": True}}},
        {"queues": {"q": {"encoding": "base64"}}},
        {"queues": {"q": {"redact": ["a"]}}},
        {"when": "a == 'x'"},
    ],
)
def test_no_short_form_of_a_queue(queue_of: Compile, more: Any) -> None:
    """With a condition, an encoding, transactions or masks, each message is planned by itself."""
    queue = queue_of({"id": "id"}, {"id": "S"}, {"mode": "put"}, **more)
    assert queue is not None
    warm_up(queue)

    assert fast_plan(queue) is None


def test_no_short_form_of_two_routes(queue_of: Callable[..., CompiledQueue]) -> None:
    """Nor of none."""
    queue = queue_of({"id": "id"}, {"id": "S"}, {"mode": "put"})
    warm_up(queue)

    found = [fast_plan(structs.replace(queue, routes=queue.routes * count)) is not None for count in range(3)]

    assert found == [False, True, False]


def test_the_short_form_of_a_queue_comes_when_that_of_its_route_has(queue_of: Compile) -> None:
    """Until then, and for a message with attributes, a queue has none."""
    queue = queue_of({"id": "id"}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    before = fast_plan(queue)
    planned_each_way(queue, "{}")
    short = fast_plan(queue)
    assert short is not None

    left = short(Record("m1", "", '{"id": "x"}', {}, {"a": {"DataType": "String", "StringValue": "b"}}))

    assert (before, left) == (None, None)


@pytest.mark.parametrize("count", range(MAX_ITEM_BYTES - 8, MAX_ITEM_BYTES - 2))
@pytest.mark.parametrize("left_out", [False, True])
def test_the_size_is_exact(queue_of: Compile, count: int, left_out: bool) -> None:
    """At the limit, with and without an attribute that is left out, in a list and beside one."""
    queue = queue_of({"id": "id", "a": "a", "omitted": {"from": "b", "missing": "omit"}}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    data = {"id": "x", "a": ["z" * (count - 5)]} | ({} if left_out else {"b": 1})

    general, *others = planned_each_way(queue, body_of(data, ascii_only=False))

    assert others == [general] * len(others)


def test_the_general_way_comes_first(queue_of: Compile) -> None:
    """A start does without compiling."""
    queue = queue_of({"id": "id"}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    (route,) = queue.routes
    assert route.fast_path is not None

    compiled = []
    for number in range(COMPILE_AFTER + 1):
        plan(queue, Record(str(number), "", '{"id": "x"}'))
        compiled.append(route.fast_path.write is not None)

    assert compiled == [False] * (COMPILE_AFTER - 1) + [True, True]


@pytest.mark.parametrize(
    ("item", "write", "more"),
    [
        ({f"a{number}": f"a{number}" for number in range(MAX_ATTRIBUTES)} | {"id": "id"}, {"mode": "put"}, {}),
        ({"id": "id", "b": "b"}, {"mode": "insert"}, {}),
        ({"id": "id", "v": "v"}, {"mode": "newest", "version": "v"}, {}),
        ({"id": "id"}, {"mode": "update"}, {}),
        ({"id": "id"}, {"mode": "delete"}, {}),
        ({"id": "element.id"}, {"mode": "put"}, {"for_each": "lines"}),
        ({"id": "id"}, {"mode": "put"}, {"merge": "labels"}),
        ({"id": "id"}, {"mode": "put"}, {"queues": {"q": {"atomic": True}}}),
        ({f"a{number}": "a" for number in range(MAX_SHARED + 1)} | {"id": "id"}, {"mode": "put"}, {}),
        ({"id": "id", "a": ".".join(["a"] * MAX_NAMES)}, {"mode": "put"}, {}),
    ],
)
def test_no_short_form(queue_of: Compile, item: Any, write: Any, more: Any) -> None:
    """For many attributes, or many of one part of the message, long paths, other modes, several items, transactions."""
    queue = queue_of(item, {"id": "S"}, write, **more)

    assert queue is not None
    assert queue.routes[0].fast_path is None


@pytest.mark.parametrize(
    "item",
    [
        {f"a{number}": f"a{number}" for number in range(MAX_ATTRIBUTES - 1)} | {"id": "id"},
        {f"a{number}": "a" for number in range(MAX_SHARED)} | {"id": "id"},
        {"id": "id", "a": ".".join(["a"] * (MAX_NAMES - 1))},
    ],
)
def test_the_largest_fast_paths(queue_of: Compile, item: Any) -> None:
    """At each bound: attributes, those of one part of the message, names in paths."""
    queue = queue_of(item, {"id": "S"}, {"mode": "put"})

    assert queue is not None
    assert queue.routes[0].fast_path is not None


@pytest.mark.parametrize(
    ("name", "has_one"), [("x" * (MAX_NAME_BYTES // 4), True), ("x" * (MAX_NAME_BYTES // 4 + 1), False), ("", False)]
)
def test_long_names(name: str, has_one: bool) -> None:
    """Names of attributes are valid whatever bytes their characters have, and not empty."""
    config = WriteConfig("r", Table("things", (("id", "S"),)), MODES["put"])

    found = make_fast_path([getter_of("id", "id"), getter_of("a", name)], config, lambda at, error: error)

    assert (found is not None) == has_one


@pytest.mark.parametrize(
    ("paths", "shared"),
    [
        (["a", "a"], {0, 1}),
        (["a.b", "c", "a"], {0, 2}),
        (["a.b", "a.b.c", "a", "a"], {0, 1, 2, 3}),
        (["b.c", "b", "a.d", "c", "a"], {0, 1, 2, 4}),
        (["a", "aa", "b.a", "a a"], set()),
        (["a.b", "a.c", "", ""], set()),
    ],
)
def test_shared_parts(paths: list[str], shared: set[int]) -> None:
    """Attributes that read the same part of a message, or a part of another one's part; "" stands for other sources."""
    assert shared_parts([getter_of(path, "n") for path in paths]) == shared


def getter_of(path: str, name: str) -> Getter:
    """Return an attribute that reads a part of a message, or nothing of it."""
    return Getter(name, lambda data, message: None, lambda data: None, "", tuple(path.split(".") if path else ()))


@pytest.mark.parametrize(("key", "table"), [({"id": "B"}, {}), ({"id": "S"}, {"write_units": 10})])
def test_no_short_form_for_a_table(queue_of: Compile, key: Any, table: Any) -> None:
    """A binary key is compared by its bytes, and a budget of write units counts the bytes of each item."""
    item = {"id": {"from": "id", "type": "B"}} if key["id"] == "B" else {"id": "id"}
    queue = queue_of(item, key, {"mode": "put"}, table=table)

    assert queue is not None
    assert queue.routes[0].fast_path is None


def test_no_text_of_the_config_is_in_the_source() -> None:
    """The source is that of a shape: numbers only."""
    lines = source_lines(SourceShape((2, 0), ((0, False),)))

    assert {line.strip() for line in lines if "1" in line and "def " not in line and "return" not in line} == {
        "v0 = v0.get(field_0_1) if isinstance(v0, dict) else None",
        "at = name_1",
        "v1 = get_1(data, message)",
        "if v1 is None:",
        "v1 = absent_1(data)",
        "if v1 is UNSET:",
        "h1 = t1 = e1 = ''",
        "h1, t1, e1 = head_1, SCALARS[v1.__class__](v1, 1), ''",
        "h0, t0, e0 = head_0, texts[v0.__class__](v0, 1), ''",
        "text = ''.join((h0, t0, e0, h1, t1, e1, '}}}'))",
        "if size > 102400 and len(text.encode()) > 409600:",
        "if not (v0.__class__ is str and 0 < len(v0) <= 512):",
    }


@pytest.mark.parametrize("encoding", ["json", "base64"])
def test_a_long_list_is_refused_before_it_is_written(queue_of: Compile, encoding: str) -> None:
    """As soon as in the general way, which counts its bytes: each value would take a hundred times of them."""
    queue = queue_of({"id": "id", "a": "a"}, {"id": "S"}, {"mode": "put"}, queues={"q": {"encoding": encoding}})
    assert queue is not None
    for _ in range(COMPILE_AFTER):
        plan(queue, Record("m1", "", base64.b64encode(b"{}").decode() if encoding == "base64" else "{}"))
    text = '{"id": "x", "a": [' + "[]," * 300_000 + "[]]}"
    record = Record("m1", "", base64.b64encode(text.encode()).decode() if encoding == "base64" else text)
    (route,) = queue.routes
    general = structs.replace(queue, routes=(structs.replace(route, fast_path=None),))
    planning = fast_plan(queue) or (lambda record: plan(queue, record))

    assert calls_of(lambda: planning(record)) - calls_of(lambda: plan(general, record)) < 100


@pytest.mark.parametrize("other", ["a.b", "a"])
def test_a_list_that_attributes_share_is_written_once(queue_of: Compile, other: str) -> None:
    """The general way stops where the item is too large: after the first of them."""
    item = {"id": "id", "whole": "a"} | {f"again{number}": other for number in range(5)}
    queue = queue_of(item, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    for _ in range(COMPILE_AFTER):
        plan(queue, Record("m1", "", '{"id": "x", "a": {"b": []}}'))
    record = Record("m2", "", '{"id": "x", "a": {"b": [' + "[]," * 130_000 + "[]]}}")
    (route,) = queue.routes
    general = structs.replace(queue, routes=(structs.replace(route, fast_path=None),))
    planning = fast_plan(queue)
    assert planning is not None

    assert calls_of(lambda: planning(record)) - calls_of(lambda: plan(general, record)) < 100


def calls_of(act: Callable[[], object]) -> int:
    """Return how many functions are called, which is the same on every machine."""
    calls = 0

    def count(frame: Any, what: str, argument: Any) -> None:
        nonlocal calls
        calls += what == "call"

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls
