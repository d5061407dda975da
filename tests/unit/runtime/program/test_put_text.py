"""A put or delete that is planned as text has the results of the write mode: writes, outcomes, reasons and places."""

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
from router.runtime.program.load import load_program
from router.runtime.program.put_text import MAX_ATTRIBUTES, MAX_SHARED, can_be_text, shared_parts
from tests.support.config import REDACT_KEY
from tests.support.engine import (
    MAX_DIGITS,
    MAX_ITEM_BYTES,
    MAX_NAME_BYTES,
    MAX_NESTING,
    CompiledQueue,
    WriteConfig,
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
TEXT_MODES = ("put", "delete")


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


def planned_both_ways(queue: CompiledQueue, body: str) -> list[tuple[Any, list[bytes], list[Any]]]:
    """Return outcome, requests and identities by the write mode, and as text."""
    record = Record("m1", "", body, {"SentTimestamp": "1767323045678"})
    planned = [plan(without_text(queue), record), plan(queue, record)]
    assert all(each.record is record for each in planned)
    return [shown(each) for each in planned]


def without_text(queue: CompiledQueue) -> CompiledQueue:
    """Return a queue of one route whose writes are planned by the mode."""
    (route,) = queue.routes
    return structs.replace(queue, routes=(structs.replace(route, plan_put=None, plan_item=None),))


def body_of(data: Any, *, ascii_only: bool) -> str:
    """Return a message as producers write it: all but ASCII escaped, or nothing that needs no escape."""
    return json.dumps(data, ensure_ascii=ascii_only)


@settings(deadline=None, max_examples=400)
@given(st.lists(SOURCES, max_size=4), KEYS, MESSAGES, st.booleans(), st.sampled_from(TEXT_MODES))
@example(["a", {"from": "b", "missing": "error"}], {"id": "S"}, {"id": "x", "a": "z" * 500_000}, False, "put")
@example(["a", {"from": "b", "missing": "error"}], {"id": "S"}, {"id": "x", "a": "z" * 500_000}, False, "delete")
@example(["@"], {"id": "S"}, {"id": "x", "b": [[]]}, False, "put")
@example(["a"], {"id": "N"}, {"id": 10**38, "a": "x"}, False, "put")
@example(["a"], {"id": "N"}, {"id": 10**38, "a": "x"}, False, "delete")
@example(["to_string(@)"], {"id": "S"}, {"id": "x"}, False, "put")
@example(["a"], {"id": "S"}, {"id": "x", "a": "\u001f"}, True, "put")
@example(["a"], {"id": "S"}, {"id": "\u001f", "a": "x"}, True, "delete")
def test_both_ways_have_one_result(
    queue_of: Compile, sources: list[Any], key: Any, data: Any, ascii_only: bool, mode: str
) -> None:
    """Over configs and messages: the same bytes, outcomes, reasons and places."""
    item = dict.fromkeys(key) | {name: name for name in key} | dict(zip(("p", "q", "r", "é"), sources, strict=False))
    queue = queue_of(item, key, {"mode": mode})
    if queue is None or queue.routes[0].plan_put is None:
        return

    general, text = planned_both_ways(queue, body_of(data, ascii_only=ascii_only))

    assert text == general


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


@pytest.mark.parametrize("mode", TEXT_MODES)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_both_ways_have_one_result_at_the_bounds(queue_of: Compile, body: str, mode: str) -> None:
    """Nesting, digits, escapes, lengths."""
    queue = queue_of({"a": {"from": "a", "missing": "omit"}, "b": "b", "id": "id"}, {"id": "S"}, {"mode": mode})
    assert queue is not None

    general, text = planned_both_ways(queue, body)

    assert text == general


HOOK = """
from decimal import Decimal
from router import Drop, Reject, hookimpl

class Name(str):
    pass

VALUES = {
    "text": "é\\n", "quote": '"', "backslash": "\\\\", "space": "\\u2028", "plain": "é 😀",
    "subclass": Name("a"), "half": "\\ud83d", "none": None, "number": 1, "decimal": Decimal("1.50"),
    "nan": Decimal("NaN"), "float": 1.5, "set": {"a"}, "bytes": b"a", "list": [1], "tuple": (1,), "object": object(),
}

@hookimpl
def router_transform_message(message, route):
    what = message.data["a"]
    if what == "drop":
        raise Drop("no")
    if what == "reject":
        raise Reject("no")
    if what == "key":
        return message.with_data({"id": 1.5})
    if what == "no object":
        return message.with_data([])
    return message.with_data({**message.data, "a": VALUES[what]}) if what in VALUES else None
"""
HOOKED = [
    "text", "quote", "backslash", "space", "plain", "subclass", "half", "none", "number", "decimal", "nan",
    "float", "set", "bytes", "list", "tuple", "object",
    "drop", "reject", "key", "no object", "unchanged",
]  # fmt: skip


@pytest.mark.parametrize("mode", TEXT_MODES)
@pytest.mark.parametrize("what", HOOKED)
def test_both_ways_after_a_hook(tmp_path: Path, what: str, mode: str) -> None:
    """Whatever a plugin makes of a message; what it changes has no text of its own."""
    (tmp_path / "own.py").write_text(HOOK, encoding="utf-8")
    # The changed value is put, or it is the key that is deleted.
    key = "id" if mode == "put" else "a"
    route = {
        "queue": "q",
        "table": "things",
        "item": {"id": "id", "a": "a"},
        "schema": {"type": "object"},
        "write": {"mode": mode},
    }
    config = {"version": 1, "plugins": ["own.py"], "tables": {"things": {"key": {key: "S"}}}, "routes": {"r": route}}
    (tmp_path / "routes.yaml").write_text(json.dumps(config), encoding="utf-8")
    queue = load_program(tmp_path / "routes.yaml", {}).engine.queues["q"]

    general, text = planned_both_ways(queue, json.dumps({"id": "x", "a": what}))

    assert text == general
    assert queue.routes[0].plan_put is not None
    # The schema has no properties.
    compile_typed = queue.routes[0].compile_typed
    assert (compile_typed and compile_typed()) == (() if mode == "put" else None)


ITEM_HOOK = """

@hookimpl
def router_transform_item(item, message, route):
    what = message.data["a"]
    if what in ("drop", "reject"):
        raise {"drop": Drop, "reject": Reject}[what]("no")
    if what in NAMES:
        return {**item, NAMES[what]: "x"}
    return {**item, "a": VALUES[what]} if what in VALUES else SIZES.get(what)

NAMES = {"name": "é\\"", "no name": "", "number as name": 7, "long name": "n" * 16_384, "odd name": Name("a")}
SIZES = {
    "no key": {"a": "x"}, "empty key": {"id": ""}, "number as key": {"id": 7},
    "many": {"id": "x"} | {f"a{number}": number for number in range(80)},
    "most": {"id": "x"} | {f"a{number}": number for number in range(79)},
    "large": {"id": "x", "a": "y" * 500_000},
    "shared": {"id": "x"} | {f"a{number}": "y" * 9000 for number in range(60)},
}
"""
ITEMS = [*HOOKED, "name", "no name", "number as name", "long name", "odd name", "no key", "empty key"]
ITEMS += ["number as key", "many", "most", "large", "shared"]


@pytest.mark.parametrize("what", ITEMS)
def test_both_ways_after_a_hook_of_items(tmp_path: Path, what: str) -> None:
    """Whatever a plugin makes of an item, of a message or of each element."""
    (tmp_path / "own.py").write_text(f"{HOOK.partition('@hookimpl')[0]}{ITEM_HOOK}", encoding="utf-8")
    route = {"queue": "q", "table": "things", "item": {"id": "id", "a": "a"}}
    config = {"version": 1, "plugins": ["own.py"], "tables": {"things": {"key": {"id": "S"}}}, "routes": {"r": route}}
    (tmp_path / "routes.yaml").write_text(json.dumps(config), encoding="utf-8")
    queue = load_program(tmp_path / "routes.yaml", {}).engine.queues["q"]

    general, text = planned_both_ways(queue, json.dumps({"id": "x", "a": what}))

    assert text == general
    assert queue.routes[0].plan_item is not None


@settings(deadline=None, max_examples=200)
@given(st.lists(MESSAGES, max_size=3), KEYS)
def test_both_ways_for_each_element(queue_of: Compile, lines: list[Any], key: Any) -> None:
    """The elements of a list, whatever is in them."""
    item = {name: f"element.{name}" for name in (*key, "a", "b", "c")}
    queue = queue_of(item, key, {"mode": "put"}, for_each="lines")
    assert queue is not None
    assert queue.routes[0].plan_item is not None

    general, text = planned_both_ways(queue, json.dumps({"lines": lines}))

    assert text == general


@pytest.mark.parametrize(
    ("write", "table"),
    [({"mode": "insert"}, {}), ({"mode": "delete"}, {}), ({"mode": "put"}, {"write_units": 5})],
    ids=["a condition", "a key", "counted bytes"],
)
def test_items_that_are_no_plain_puts(queue_of: Compile, write: Any, table: Any) -> None:
    """They are left to the mode, as is a binary key."""
    queue = queue_of({"id": "element.id"}, {"id": "S"}, write, for_each="lines", table=table)
    binary = queue_of({"id": "element.id"}, {"id": "B"}, {"mode": "put"}, for_each="lines")

    assert queue is not None
    assert binary is not None
    assert (queue.routes[0].plan_item, binary.routes[0].plan_item) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "x", "a": {"b": [1, 2.5, true, null, "é"]}}',
        '{"id": "x", "a": ["\\n"]}',
        f'{{"id": "x", "a": [{"[], " * MAX_NESTING * 2}[]]}}',
    ],
)
def test_the_text_is_made(queue_of: Compile, body: str) -> None:
    """Of what the message has and of its metadata; other tests would pass, too, if the mode planned each message."""
    item = {"id": "id", "a": "a"} | {name: {"meta": name} for name in ("message_id", "queue", "sent_at")}
    queue = queue_of(item | {"by": {"meta": "attribute.by", "missing": "omit"}}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    general, text = planned_both_ways(queue, body)

    planned = plan(queue, Record("m1", "", body, {"SentTimestamp": "1767323045678"}))

    assert text == general
    assert [(write.encoded, write.request is not None) for write in planned.writes] == [(None, True)]


@pytest.mark.parametrize("encoding", ["json", "base64"])
def test_a_list_is_written_from_the_text_of_its_message(queue_of: Compile, encoding: str) -> None:
    """A body in Base64 is not that text: whether it has escapes says nothing, and lists take the general way."""
    queue = queue_of({"id": "id", "a": "a"}, {"id": "S"}, {"mode": "put"}, queues={"q": {"encoding": encoding}})
    assert queue is not None
    text = '{"id": "x", "a": ["\\""]}'
    record = Record("m1", "", base64.b64encode(text.encode()).decode() if encoding == "base64" else text)

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


@pytest.mark.parametrize("mode", TEXT_MODES)
@pytest.mark.parametrize(("key", "data", "is_text"), KEYED)
def test_keys_of_a_text(queue_of: Compile, key: Any, data: Any, is_text: bool, mode: str) -> None:
    """Whole numbers, and texts that are valid whatever bytes their characters have."""
    queue = queue_of({name: name for name in key}, key, {"mode": mode})
    assert queue is not None
    general, text = planned_both_ways(queue, json.dumps(data))

    planned = plan(queue, Record("m1", "", json.dumps(data)))

    assert text == general
    assert [write.encoded is None for write in planned.writes] == [is_text]


SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}, "a": {"type": "integer"}}, "required": ["id"]}


@pytest.mark.parametrize("body", ['{"id": "x", "a": 1}', '{"id": "x", "a": "1"}', '{"a": 1}', "[]"])
def test_both_ways_validate(queue_of: Compile, body: str) -> None:
    """With the place of the failure."""
    queue = queue_of({"id": "id", "a": "a"}, {"id": "S"}, {"mode": "put"}, schema=SCHEMA)
    assert queue is not None

    general, text = planned_both_ways(queue, body)

    assert text == general


@pytest.mark.parametrize("count", range(MAX_ITEM_BYTES - 8, MAX_ITEM_BYTES - 2))
@pytest.mark.parametrize("left_out", [False, True])
def test_the_size_is_exact(queue_of: Compile, count: int, left_out: bool) -> None:
    """At the limit, with and without an attribute that is left out, in a list and beside one."""
    queue = queue_of({"id": "id", "a": "a", "omitted": {"from": "b", "missing": "omit"}}, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    data = {"id": "x", "a": ["z" * (count - 5)]} | ({} if left_out else {"b": 1})

    general, text = planned_both_ways(queue, body_of(data, ascii_only=False))

    assert text == general


@pytest.mark.parametrize(
    ("item", "write", "more"),
    [
        ({f"a{number}": f"a{number}" for number in range(MAX_ATTRIBUTES)} | {"id": "id"}, {"mode": "put"}, {}),
        ({"id": "id", "b": "b"}, {"mode": "insert"}, {}),
        ({"id": "id", "v": "v"}, {"mode": "newest", "version": "v"}, {}),
        ({"id": "id"}, {"mode": "update"}, {}),
        ({"id": "id", "v": "v"}, {"mode": "delete", "version": "v"}, {}),
        ({"id": "element.id"}, {"mode": "put"}, {"for_each": "lines"}),
        ({"id": "id"}, {"mode": "put"}, {"merge": "labels"}),
        ({"id": "id"}, {"mode": "put"}, {"queues": {"q": {"atomic": True}}}),
        ({f"a{number}": "a" for number in range(MAX_SHARED + 1)} | {"id": "id"}, {"mode": "put"}, {}),
    ],
)
def test_no_text(queue_of: Compile, item: Any, write: Any, more: Any) -> None:
    """For many attributes, or many of one part of the message, other modes, several items, transactions."""
    queue = queue_of(item, {"id": "S"}, write, **more)

    assert queue is not None
    assert queue.routes[0].plan_put is None


@pytest.mark.parametrize(
    "item",
    [
        {f"a{number}": f"a{number}" for number in range(MAX_ATTRIBUTES - 1)} | {"id": "id"},
        {f"a{number}": "a" for number in range(MAX_SHARED)} | {"id": "id"},
        {"id": "id", "a": ".".join(["a"] * 400)},
    ],
)
def test_the_largest_texts(queue_of: Compile, item: Any) -> None:
    """At each bound: attributes, and those of one part of the message. Paths may be long."""
    queue = queue_of(item, {"id": "S"}, {"mode": "put"})

    assert queue is not None
    assert queue.routes[0].plan_put is not None


@pytest.mark.parametrize(
    ("name", "has_one"), [("x" * (MAX_NAME_BYTES // 4), True), ("x" * (MAX_NAME_BYTES // 4 + 1), False), ("", False)]
)
def test_long_names(name: str, has_one: bool) -> None:
    """Names of attributes are valid whatever bytes their characters have, and not empty."""
    config = WriteConfig("r", Table("things", (("id", "S"),)), MODES["put"])

    assert can_be_text([getter_of("id", "id"), getter_of("a", name)], config) == has_one


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
    getters = [getter_of(path, f"n{number}") for number, path in enumerate(paths)]

    assert shared_parts(getters) == {f"n{number}" for number in shared}


def getter_of(path: str, name: str) -> Getter:
    """Return an attribute that reads a part of a message, or nothing of it."""
    return Getter(name, lambda data, message: None, lambda data: None, "", tuple(path.split(".") if path else ()))


@pytest.mark.parametrize(("key", "table"), [({"id": "B"}, {}), ({"id": "S"}, {"write_units": 10})])
def test_no_text_for_a_table(queue_of: Compile, key: Any, table: Any) -> None:
    """A binary key is compared by its bytes, and a budget of write units counts the bytes of each item."""
    item = {"id": {"from": "id", "type": "B"}} if key["id"] == "B" else {"id": "id"}
    queue = queue_of(item, key, {"mode": "put"}, table=table)

    assert queue is not None
    assert queue.routes[0].plan_put is None


@pytest.mark.parametrize("encoding", ["json", "base64"])
def test_a_long_list_is_refused_before_it_is_written(queue_of: Compile, encoding: str) -> None:
    """As soon as in the general way, which counts its bytes: each value would take a hundred times of them."""
    queue = queue_of({"id": "id", "a": "a"}, {"id": "S"}, {"mode": "put"}, queues={"q": {"encoding": encoding}})
    assert queue is not None
    text = '{"id": "x", "a": [' + "[]," * 300_000 + "[]]}"
    record = Record("m1", "", base64.b64encode(text.encode()).decode() if encoding == "base64" else text)
    general = without_text(queue)

    assert calls_of(lambda: plan(queue, record)) - calls_of(lambda: plan(general, record)) < 100


@pytest.mark.parametrize("other", ["a.b", "a"])
def test_a_list_that_attributes_share_is_written_once(queue_of: Compile, other: str) -> None:
    """The general way stops where the item is too large: after the first of them."""
    item = {"id": "id", "whole": "a"} | {f"again{number}": other for number in range(5)}
    queue = queue_of(item, {"id": "S"}, {"mode": "put"})
    assert queue is not None
    record = Record("m2", "", '{"id": "x", "a": {"b": [' + "[]," * 130_000 + "[]]}}")
    general = without_text(queue)

    assert calls_of(lambda: plan(queue, record)) - calls_of(lambda: plan(general, record)) < 100


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
