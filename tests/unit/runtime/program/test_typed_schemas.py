"""The fast path has the result of the general way, over schemas of all kinds and over messages in all spellings."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from msgspec import structs

from router.model import Record
from router.runtime.program.load import load_program
from tests.support.deliver import COMPILE_AFTER, FastPaths
from tests.support.engine import CompiledQueue, plan
from tests.support.planning import meaning

NAMES = ["a", "b", "é", "o", "x-y"]
TEXTS = ["", "x", "play", "é", "07", "😀", "https://a.example/b", "2026-01-02T03:04:05Z", "2026-01-02", "a b", "x" * 40]
SPELLINGS = [
    "0",
    "-0",
    "1",
    "1.0",
    "1.50",
    "1e0",
    "1E2",
    "10e-1",
    "-1",
    "5",
    "4.000000000000001",
    "0.1",
    "-0.0",
    "1e-7",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "100000000000000000000000000000000000000",
    "1e125",
    "1e126",
    "1e300",
    "1e400",
    "1e-400",
    "1e99999999999999999",
    "1e999999999999999999",
    "1e9999999999999999999",
    "-1e-9999999999999999999",
    "123456789012345678901234567890",
    "0.1234567890123456789012345678901234567890",
    "1e1000000000000000000000",
    "0e0",
    "01",
    "1.",
    ".5",
    "+1",
    "NaN",
    "0x1",
]
SPELLINGS += [
    "1" * 4301,
    "[" * 70 + "]" * 70,
    '{"a":' * 70 + "1" + "}" * 70,
    '"\ud800"',
    '"\\ud800"',
    '"\\u0041"',
    '"\\n"',
]
_T = TypeVar("_T")
CHOICES: list[Any] = ["x", "play", "é", 0, 1, 5, -1, None, True, False, 1.5, 10**20, [], {"a": 1}]
DEFINITIONS: dict[str, Any] = {
    "text": {"type": "string", "minLength": 1},
    "user": {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}, "o": {"type": "boolean"}},
        "additionalProperties": False,
    },
    "open": {"type": "object", "properties": {"a": {"$ref": "#/definitions/text"}, "b": {"type": "number"}}},
    "tree": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"$ref": "#/definitions/tree"}}},
    "a/b%c": {"enum": ["x", None, 5, True]},
}
DRAFTS = ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]


class Schemas:
    """Makes schemas, and messages that are valid, or nearly."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def one_of(self, values: list[_T]) -> _T:
        """Return one of some values."""
        return self.random.choice(values)

    def some(self, keywords: dict[str, Any], share: float = 0.3) -> dict[str, Any]:
        """Return some of the keywords."""
        return {key: value for key, value in keywords.items() if self.random.random() < share}

    def names(self) -> list[str]:
        """Return some names."""
        return self.random.sample(NAMES, self.random.randint(1, 4))

    def text(self) -> dict[str, Any]:
        """Return a schema of texts."""
        limits = {"minLength": self.one_of([0, 1, 3]), "maxLength": self.one_of([1, 4, 30])}
        patterns = ["^[a-z]+$", "x", "^\\w*$", "^[0-9]{2}$", "\\d$"]
        formats = ["uri", "date-time", "date", "email", "unknown"]
        more = {"pattern": self.one_of(patterns), "format": self.one_of(formats), "title": "t"}
        return {"type": "string"} | self.some(limits | more)

    def number(self) -> dict[str, Any]:
        """Return a schema of numbers."""
        bounds = {"minimum": self.one_of([0, -5, 0.5, 1, -(2**60)]), "maximum": self.one_of([4, 5, 2**53, 4.5, 1e300])}
        others = {"multipleOf": self.one_of([1, 2, 0.5]), "exclusiveMinimum": 0, "exclusiveMaximum": 5}
        return {"type": self.one_of(["integer", "number"])} | self.some(bounds) | self.some(others, 0.1)

    def choices(self) -> dict[str, Any]:
        """Return a schema of some values."""
        found = self.random.sample(CHOICES, self.random.randint(1, 4))
        types = {
            "type": self.one_of(["string", "integer", "number", "boolean", ["string", "null"], ["boolean", "null"]])
        }
        return self.one_of([{"enum": found}, {"const": found[0]}, {"enum": found} | types, {"enum": ["x", "play"]}])

    def object(self, depth: int) -> dict[str, Any]:
        """Return a schema of objects."""
        names = self.names()
        more: dict[str, Any] = {"required": self.random.sample(names, self.random.randint(0, len(names)))}
        more |= self.some({"additionalProperties": self.one_of([True, False, False, {"type": "string"}])}, 0.5)
        more |= self.some({"minProperties": 1, "x-note": 1, "description": "d"}, 0.1)
        kind = {} if self.random.random() < 0.1 else {"type": self.one_of(["object", "object", ["object", "null"]])}
        return kind | {"properties": {name: self.schema(depth - 1) for name in names}} | more

    def map(self, depth: int) -> dict[str, Any]:
        """Return a schema of objects with any names."""
        return {"type": self.one_of(["object", ["null", "object"]])} | self.some(
            {"additionalProperties": self.one_of([True, False, self.schema(depth - 1)]), "required": ["a"]}
        )

    def array(self, depth: int) -> dict[str, Any]:
        """Return a schema of lists."""
        keywords = {"items": self.schema(depth - 1), "minItems": 1, "maxItems": 2}
        return {"type": self.one_of(["array", "array", ["array", "null"]])} | self.some(keywords, 0.6)

    def combined(self, depth: int) -> dict[str, Any]:
        """Return a schema of several parts."""
        parts = [self.schema(depth - 1) for _ in range(self.random.randint(1, 3))]
        nullable = [{"type": "null"}, self.schema(depth - 1)]
        kinds: list[Callable[[], Any]] = [self.text, self.number, self.choices, lambda: self.object(depth - 1)]
        make = self.one_of(kinds)
        both = [make(), make()]
        keyword = self.one_of(["allOf", "anyOf", "oneOf"])
        beside = self.some({"type": self.one_of(["object", "string", ["object", "null"]])}, 0.2)
        return self.one_of([{keyword: parts}, {"oneOf": nullable}, {"allOf": both}, {keyword: parts} | beside])

    def schema(self, depth: int) -> Any:
        """Return a schema."""
        kinds: list[Callable[[], Any]] = [
            self.text,
            self.number,
            self.choices,
            lambda: {"type": self.random.sample(["string", "integer", "number", "boolean", "null", "array"], 2)},
            lambda: {"type": self.one_of(["boolean", "null", ["string", "null"], ["integer", "null"]])},
            lambda: self.one_of([True, {}, {"type": "object"}, {"minLength": 2}, {"not": {"type": "null"}}]),
            lambda: (
                {"$ref": f"#/definitions/{self.one_of(['text', 'user', 'open', 'tree', 'a~1b%25c'])}"}
                | self.some({"minLength": 3, "description": "d"}, 0.2)
            ),
        ]
        if depth > 0:
            kinds += 2 * [
                lambda: self.object(depth),
                lambda: self.map(depth),
                lambda: self.array(depth),
                lambda: self.combined(depth),
            ]
        return self.one_of(kinds)()

    def spelled(self, schema: Any, depth: int = 0) -> str:
        """Return the JSON of a value that a schema may allow, in any spelling."""
        if self.random.random() < 0.01 or depth > 6 or not isinstance(schema, dict):
            return self.one_of([*SPELLINGS, '"x"', "null", "true", "[]", "{}", '{"a":1}', '["x"]'])
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/definitions/").replace("~1", "/").replace("%25", "%")
            return self.spelled(DEFINITIONS[name], depth + 1)
        if "enum" in schema or "const" in schema:
            near = [*schema.get("enum", [schema.get("const")]), *CHOICES]
            return json.dumps(self.one_of(near[: self.one_of([1, 4, len(near)])]), ensure_ascii=False)
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                return self.spelled(self.one_of(schema[keyword]), depth + 1)
        if "allOf" in schema:
            # Objects of several parts have the properties of all of them.
            properties = [part.get("properties", {}) for part in schema["allOf"] if isinstance(part, dict)]
            merged = {name: each for part in properties for name, each in part.items()}
            return self.members(merged, [], depth) if merged else self.spelled(self.one_of(schema["allOf"]), depth + 1)
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        kind = kinds if isinstance(kinds, str) else self.one_of(kinds)
        if kind == "object":
            more = schema.get("additionalProperties", True)
            others = {
                name: more for name in NAMES if name not in schema.get("properties", {}) and self.random.random() < 0.1
            }
            return self.members(schema.get("properties", {}) | others, schema.get("required", []), depth)
        if kind == "array":
            each = [
                self.spelled(schema.get("items", {"type": "string"}), depth + 1)
                for _ in range(self.random.randint(0, 3))
            ]
            return f"[{self.one_of([',', ', '])}".rstrip(", ") + ",".join(each) + "]"
        if kind == "string":
            return json.dumps(self.one_of(TEXTS), ensure_ascii=False)
        if kind == "integer":
            return self.one_of(["0", "1", "2", "5", "-1", "4", "1.0", "1e0", '"1"', "true"])
        numbers = [*SPELLINGS[:12], "-9", '"1"', "true"]
        return {"null": "null", "boolean": self.one_of(["true", "false"])}.get(kind) or self.one_of(numbers)

    def members(self, properties: dict[str, Any], required: list[str], depth: int) -> str:
        """Return the JSON of an object; one in some has a name twice."""
        names = [name for name in properties if name in required or self.random.random() < 0.6]
        self.random.shuffle(names)
        names += [name for name in names if self.random.random() < 0.03]
        space = self.one_of(["", " ", "\n  "])
        found = [f'"{name}":{space}{self.spelled(properties[name], depth + 1)}' for name in names]
        return f"{{{space}{f',{space}'.join(found)}{space}}}"

    def item(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return an item that maps some of the message."""
        paths = [*schema["properties"], "a", "o", "o.a", "a.b", "b.a", "o.b.a", "undeclared"]
        item: dict[str, Any] = {"by": {"meta": "message_id"}}
        for name in ("p", "q", "r")[: self.random.randint(0, 3)]:
            path = self.one_of(paths[:-1] if self.random.random() < 0.97 else paths)
            policy = self.some({"missing": self.one_of(["omit", "null", "error"])})
            if path.isascii() and "-" not in path:
                item[name] = {"from": path} | policy | self.some({"null": self.one_of(["omit", "null"])})
            else:
                item[name] = {"from": f'"{path}"'} | policy
        return item


def queue_of(folder: Path, schema: Any, item: dict[str, Any]) -> CompiledQueue:
    """Compile a queue with one route."""
    route = {"queue": "q", "table": "things", "item": item, "schema": schema}
    tables = {"things": {"key": {"id": "S"}}}
    config = {"version": 1, "queues": {"q": {}}, "tables": tables, "routes": {"r": route}}
    path = folder / "routes.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return load_program(path, {}).engine.queues["q"]


def compare(queue: CompiledQueue, body: str) -> bool | None:
    """Return whether the fast path has the result of the general way; None if it leaves the message to it."""
    record = Record("m1", "", body, {"SentTimestamp": "1767323045678"})
    fast = FastPaths().of(queue, COMPILE_AFTER + 1)
    planned = fast and fast(record)
    return None if planned is None else meaning(planned) == meaning(plan(queue, record))


def compiled_once(queue: CompiledQueue) -> CompiledQueue:
    """Return a queue that compiles its fast path once, as for all its batches."""
    (route,) = queue.routes
    assert route.compile_typed is not None
    made = route.compile_typed()
    return structs.replace(queue, routes=(structs.replace(route, compile_typed=lambda: made),))


def differences(folder: Path, seed: int, messages: int) -> tuple[list[tuple[Any, str]], int]:
    """Return what has another result, of the messages of one schema, and how many the fast path takes."""
    make = Schemas(Random(seed))
    schema = make.object(3) | {"type": "object", "$schema": make.one_of(DRAFTS), "definitions": DEFINITIONS}
    schema["properties"] = {"id": {"type": "string"}} | schema["properties"]
    queue = compiled_once(queue_of(folder, schema, {"id": "id"} | make.item(schema)))
    bodies = [make.members(schema["properties"], [*schema["required"], "id"], 0) for _ in range(messages)]
    return differing(queue, schema, bodies)


def differences_of_values(folder: Path, seed: int) -> tuple[list[tuple[Any, str]], int]:
    """The same of one property, whatever value it has: nothing else makes a message invalid."""
    make = Schemas(Random(seed))
    each = make.schema(make.random.randint(0, 3))
    properties = {"id": {"type": "string"}, "p": each}
    schema = {"$schema": make.one_of(DRAFTS), "definitions": DEFINITIONS, "properties": properties}
    item = make.one_of([{}, {"p": {"from": "p", "missing": "omit"}}, {"q": {"from": "p.a", "missing": "null"}}])
    queue = compiled_once(queue_of(folder, schema, {"id": "id"} | item))
    values = [json.dumps(value, ensure_ascii=False) for value in [*CHOICES, *TEXTS]] + SPELLINGS
    values += [make.spelled(each) for _ in range(20)]
    return differing(queue, schema, [f'{{"id": "x", "p": {value}}}' for value in values])


def differing(queue: CompiledQueue, schema: Any, bodies: list[str]) -> tuple[list[tuple[Any, str]], int]:
    """Return the messages that have another result, and how many the fast path takes."""
    found = [(body, compare(queue, body)) for body in bodies]
    taken = [body for body, same in found if same is not None]
    return [(schema, body) for body, same in found if same is False], len(taken)


@pytest.mark.parametrize("part", range(4))
def test_it_has_the_result_of_the_general_way(tmp_path: Path, part: int) -> None:
    """Over schemas and messages; a part of the messages is taken."""
    found = [differences(tmp_path, 1000 * part + seed, 12) for seed in range(60)]

    assert [each for different, _ in found for each in different] == []
    assert sum(taken for _, taken in found) > 50


@pytest.mark.parametrize("part", range(4))
def test_it_has_the_result_of_the_general_way_for_each_value(tmp_path: Path, part: int) -> None:
    """Over schemas of a property, and values of all kinds in all spellings."""
    found = [differences_of_values(tmp_path, 1000 * part + seed) for seed in range(30)]

    assert [each for different, _ in found for each in different] == []
    assert sum(taken for _, taken in found) > 200


Wrap = Callable[[Any], Any]


def within(wrap: Wrap, levels: int, inner: Any) -> Any:
    """Return the schema of so many levels around another one."""
    for _ in range(levels):
        inner = wrap(inner)
    return inner


def chained(wrap: Wrap, count: int, levels: int, **more: Any) -> dict[str, Any]:
    """Return a schema with definitions that each end in the one before, the first one first in the properties."""
    definitions = {"d0": within(wrap, levels, {"type": "string", "pattern": "^[a-z]+$"})}
    for number in range(1, count):
        before = {"$ref": f"#/$defs/d{number - 1}", **more}
        definitions[f"d{number}"] = within(wrap, levels, before)
    properties = {f"p{number}": {"$ref": f"#/$defs/d{number}", **more} for number in range(count)}
    return {"properties": {"id": {"type": "string"}, **properties}, "$defs": definitions}


WRAPS: dict[str, tuple[Wrap, str, str]] = {
    "objects": (lambda inner: {"type": "object", "properties": {"a": inner}}, '{"a":', "}"),
    "nullable objects": (lambda inner: {"type": ["object", "null"], "properties": {"a": inner}}, '{"a":', "}"),
    "maps": (lambda inner: {"type": "object", "additionalProperties": inner}, '{"a":', "}"),
    "lists": (lambda inner: {"type": "array", "items": inner}, "[", "]"),
}
DEPTHS = (1, 17, 23, 24, 25, 31, 32, 33, 63, 64, 65, 69)


@pytest.mark.parametrize("more", [{}, {"description": "d"}], ids=["", "described"])
@pytest.mark.parametrize(
    ("what", "count", "levels"),
    [
        *((what, *size) for what in ("objects", "nullable objects") for size in ((4, 17), (3, 18), (9, 20))),
        *((what, *size) for what in ("maps", "lists") for size in ((2, 32), (8, 60), (40, 20))),
    ],
)
def test_deep_values(tmp_path: Path, what: str, count: int, levels: int, more: dict[str, str]) -> None:
    """Definitions share their types, which have no more levels than an item may have, wherever they are."""
    wrap, begin, end = WRAPS[what]
    schema = {"$schema": DRAFTS[1], **chained(wrap, count, levels, **more)}
    last = f"p{count - 1}"
    for item in ({"id": "id"}, {"id": "id", "q": last}, {"id": "id", "p": "p0", "q": last}):
        queue = compiled_once(queue_of(tmp_path, schema, item))
        values = [f'{begin * depth}"x"{end * depth}' for depth in DEPTHS]

        different, _ = differing(queue, schema, [f'{{"id": "1", "{last}": {value}}}' for value in values])

        assert different == []


def test_definitions_that_multiply(tmp_path: Path) -> None:
    """What a path of references leads to is compiled so often at most that it takes no long time."""
    definitions: dict[str, Any] = {"d8": {"type": "string", "pattern": "^[a-z]+$"}}
    for number in range(8):
        parts = {f"p{part}": {"$ref": f"#/$defs/d{number + 1}"} for part in range(4)}
        definitions[f"d{number}"] = {"type": "object", "properties": parts}
    properties = {"id": {"type": "string"}, "x": {"$ref": "#/$defs/d0"}}
    schema = {"$schema": DRAFTS[1], "properties": properties, "$defs": definitions}
    queue = queue_of(tmp_path, schema, {"id": "id"})

    assert FastPaths().of(queue, COMPILE_AFTER + 1) is None
