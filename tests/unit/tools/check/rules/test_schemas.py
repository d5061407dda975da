"""Examples and definitions of schemas."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

CODES = (
    "RT305",
    "RT310",
    "RT311",
    "RT313",
    "RT317",
    "RT615",
)


TEXT = {"type": "string", "minLength": 1, "maxLength": 9}
BASE = {"type": "object", "required": ["id"], "properties": {"id": TEXT}}
GOOD = {"id": "a"}
META = "https://json-schema.org/draft/2020-12/schema"
UNKNOWN = "has an unknown format"
UNUSED_B = "RT311 no reference leads to /definitions/b of schema 'schema.json'"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"examples": [GOOD]}, []),
        ({"examples": []}, []),
        ({"examples": [GOOD, {}]}, ["RT310 example 2 of schema 'schema.json' fails 'required' at the root"]),
        ({"properties": {"id": {"$ref": "part.json"}}, "examples": [GOOD]}, []),
        ({"properties": {"id": {**TEXT, "pattern": "\\p{L}"}}, "examples": [GOOD]}, []),
        ({"properties": {"id": TEXT, "n": {"multipleOf": 0.01}}, "examples": [{"id": "a", "n": 0.29}]}, []),
        ({"$defs": {"a": {}}}, ["RT311 no reference leads to /$defs/a of schema 'schema.json'"]),
        ({"definitions": {"a": {"$anchor": "a"}, "b": True}}, [UNUSED_B.replace("s/b", "s/a"), UNUSED_B]),
        ({"$ref": "#a", "definitions": {"a": {"$anchor": "a"}, "b": True}}, [UNUSED_B]),
        ({"$ref": "#/definitions/b", "definitions": {"b": True}}, []),
        ({"$ref": "#", "$dynamicRef": "#b", "definitions": {"b": {"$dynamicAnchor": "b"}}}, []),
        ({"definitions": {"b": {"items": {"$ref": "#/definitions/b"}}}}, [UNUSED_B]),
        ({"definitions": {"b": {"items": {"$ref": "#/definitions/b/$defs/c"}, "$defs": {"c": {}}}}}, [UNUSED_B]),
        ({"$id": "https://a.example/s", "$ref": "s#/definitions/b", "definitions": {"b": {}}}, []),
        (
            {"$ref": "c", "$id": "https://a.example/s", "$defs": {"b": {}, "c": {"$id": "c"}}},
            ["RT311 no reference leads to /$defs/b of schema 'schema.json'"],
        ),
        ({"$ref": "c", "$id": "https://a.example/s", "$defs": {"c": {"$id": "c", "$ref": "s#/$defs/b"}, "b": {}}}, []),
        ({"$id": "urn:example:s", "$ref": "#/$defs/b", "$defs": {"b": {}}}, []),
        ({"$defs": {"b": {"$dynamicAnchor": "T"}}}, []),
        ({"properties": {"id": TEXT, "s": {"$ref": META}}, "definitions": {"b": True}}, [UNUSED_B]),
        ({"properties": {"id": {"$ref": "part.json"}}, "definitions": {"b": {}}}, [UNUSED_B]),
        ({"$ref": "back.json", "definitions": {"b": {}}}, []),
        (
            {"properties": {"id": TEXT, "o": {"$defs": {"c": {}}}}},
            ["RT311 no reference leads to /properties/o/$defs/c of schema 'schema.json'"],
        ),
        ({"properties": {"id": TEXT, "n": {"type": "integer", "examples": [1]}}}, []),
        ({"properties": {"id": TEXT, "n": {"type": "integer", "examples": []}}}, []),
        (
            {"properties": {"id": TEXT, "n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"enum": [1], "examples": [1, 2]}}},
            ["RT314 example 2 at /$defs/n of schema 'schema.json' fails 'enum' at the root"],
        ),
        (
            {"properties": {"id": {"$ref": "part.json"}, "n": {"$ref": "examples.json"}}},
            ["RT314 example 1 at /properties/m of schema 'examples.json' fails 'type' at the root"],
        ),
        ({"properties": {"id": TEXT, "n": {"$id": "n", "items": {"$ref": "#/$defs/o"}, "$defs": {"o": {}}}}}, []),
        (
            {"properties": {"id": TEXT, "a % b": {"type": "string", "examples": [1]}}},
            ["RT314 example 1 at /properties/a % b of schema 'schema.json' fails 'type' at the root"],
        ),
        (
            {
                "$id": "https://a.example/s.json",
                "properties": {"id": TEXT, "n": {"$ref": "s.json#/$defs/n", "examples": ["a", 1]}},
                "$defs": {"n": {"$id": "n.json", "$ref": "s.json#/properties/id", "examples": ["a", ""]}},
            },
            [
                "RT314 example 2 at /properties/n of schema 'schema.json' fails 'type' at the root",
                "RT314 example 2 at /$defs/n of schema 'schema.json' fails 'minLength' at the root",
            ],
        ),
        ({"properties": {"id": TEXT, "n": {"type": "integer"}}, "examples": [{"id": "a", "n": 1.0}]}, []),
        ({"properties": {"id": TEXT, "n": {"uniqueItems": True}}, "examples": [{"id": "a", "n": [1.5, 1e300]}]}, []),
        ({"$defs": {"a/b": {"properties": {"c": {}}}}, "anyOf": [{"$ref": "#/$defs/a~1b/properties/c"}, {}]}, []),
    ],
)  # fmt: skip
def test_contents(find: Any, more: Any, found: list[str]) -> None:
    """Examples satisfy their schema, and definitions are referenced."""
    Path("part.json").write_text(json.dumps({**TEXT, "$defs": {"unused": {}}}), encoding="utf-8")
    Path("back.json").write_text('{"$ref": "schema.json#/definitions/b"}', encoding="utf-8")
    Path("examples.json").write_text('{"properties": {"m": {"type": "object", "examples": [1]}}}', encoding="utf-8")
    lines = [line.partition(";")[0] for line in find("when: a", json.dumps({**BASE, **more}))]

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_many_examples(find: Any) -> None:
    """The findings about one schema are bounded, and so is the memory: that of all errors was gigabytes."""
    wide = {f"name {number}": number for number in range(6000)}
    schema = {"propertyNames": {"maxLength": 1}, "examples": [wide] * 2 + [{"ab": 1}] * 30}

    lines = find("item: {id: {value: x}}", json.dumps(schema))

    at = "of schema 'schema.json' fails 'propertyNames' at the root; fix the example or the schema"
    assert lines == [f"RT310 example {number} {at}" for number in range(1, 21)]


@pytest.mark.timing
def test_many_definitions(find: Any) -> None:
    """Each is looked at once; a definition inside of one that is not referenced is not reported."""
    names = [f"d{number}" for number in range(4000)]
    unused: dict[str, Any] = {name: {"$defs": {"inner": {}}} for name in names}
    started = time.process_time()

    lines = find("item: {id: {value: x}}", json.dumps({"$defs": unused}))

    assert (len(lines), time.process_time() - started < 5) == (4000, True)


def test_a_chain_of_references(find_all: Any) -> None:
    """However long it is, it is followed."""
    chain = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(1500)}
    schema = {"properties": {"id": {"$ref": "#/$defs/d0"}}, "required": ["id"], "$defs": {**chain, "d1500": TEXT}}

    lines = find_all(
        "queues: {q: {dead_letter: dlq}}\ntables: {t: {name: table, key: {id: S}}}\nroutes:\n"
        "  r: {queue: q, table: t, schema: schema.json, item: {id: id}}\n",
        schema=json.dumps(schema),
    )

    assert lines == []


def test_true(find: Any) -> None:
    """A schema that is `true` has no contents."""
    assert find("item: {id: {value: x}}, schema: true") == []


def test_definitions_for_others(find_all: Any) -> None:
    """Definitions of a file that other schemas reference are not reported."""
    found = find_all(
        "queues: {q: {dead_letter: dlq}}\ntables: {t: {name: table, key: {id: S}}}\nroutes:\n"
        "  one: {queue: q, table: t, when: a, schema: one.json}\n"
        "  two: {queue: q, table: t, when: '!a', schema: two.json}\n",
        one=json.dumps({**BASE, "$defs": {"unused": {}}}),
        two='{"$ref": "one.json"}',
    )

    assert found == []


@pytest.mark.parametrize("schema", ["{type: string, enum: [1]}", "false"])
def test_no_message(find: Any, schema: str) -> None:
    """A schema that no message satisfies is the only finding."""
    assert find(f"item: {{id: a, b: {{from: c, type: M}}}}, schema: {schema}") == [
        "RT313 no message can satisfy the schema of route 'r'; look for parts of it that contradict each other"
    ]


@pytest.mark.parametrize(
    ("format_", "suggestion"), [("emial", "did you mean 'email'?"), ("zzz", ""), ("email", None), (1, None)]
)
def test_formats(find: Any, format_: Any, suggestion: str | None) -> None:
    """A format that no draft defines is reported with its place, and a similar one."""
    schema = {"$defs": {"format": {"enum": ["x"]}}, **BASE, "anyOf": [{"not": {"format": format_}}, True]}
    given = json.dumps(schema | {"$ref": "#/$defs/format"}) if format_ == 1 else json.dumps(schema)
    sentence = f"schema 'schema.json' {UNKNOWN} '{format_}' at /anyOf/0/not/format: nothing is checked"

    found = find("item: {id: id}", given)

    assert [line for line in found if line.startswith("RT305")] == (
        [] if suggestion is None else [f"RT305 {sentence}; {suggestion}"]
    )


def test_formats_of_equal_schemas(find_all: Any) -> None:
    """Of a file they are reported once, of inline schemas each."""
    Path("part.json").write_text('{"format": "no"}', encoding="utf-8")
    routes = [
        f"  r{index}: {{queue: q, table: t, schema: {schema}, item: {{id: {{meta: message_id}}}}}}\n"
        for index, schema in enumerate(("part.json", "{allOf: [{$ref: part.json}]}", "{format: no}", "{format: no}"))
    ]

    found = find_all(
        f"queues: {{q: {{dead_letter: d}}}}\ntables: {{t: {{key: {{id: S}}}}}}\nroutes:\n{''.join(routes)}"
    )

    assert [line.partition(" has ")[0] for line in found if line.startswith("RT305")] == [
        "RT305 schema 'part.json'",
        "RT305 the inline schema",
        "RT305 the inline schema",
    ]


def test_examples_without_time(find: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of examples that there is no time for."""
    monkeypatch.setattr("router.tools.check.rules.schemas._SHARE", 0.0)

    assert find("item: {id: id}", json.dumps({**BASE, "examples": [{}]})) == []


@pytest.mark.parametrize(
    ("given", "keyword"),
    [
        ({"requried": ["id"]}, "required"),
        ({"maxlength": 3}, "maxLength"),
        ({"tyep": "string"}, "type"),
        ({"enun": ["a"]}, "enum"),
        ({"aditionalProperties": False}, "additionalProperties"),
        ({"ref": "#/$defs/a"}, "$ref"),
        ({"x-formt": 1, "example": 1, "examples": [], "when": 1, "markdownDescription": "", "note": ""}, ""),
        ({"tpeys": "string", "epyt": "string"}, ""),
        ({"const": {"requried": 1}, "properties": {"requried": {"type": "string"}}}, ""),
    ],
)
def test_misspelt_keywords(find: Any, given: dict[str, Any], keyword: str) -> None:
    """What is like a keyword and stands where one would, is none."""
    schema = json.dumps({**BASE, "properties": {"id": {**TEXT, **given}}})

    found = find("item: {id: id}", schema)

    name = next(iter(given))
    expected = f"RT317 '{name}' at /properties/id of schema 'schema.json' is not a keyword; did you mean '{keyword}'?"
    assert [line for line in found if "RT317" in line] == ([expected] if keyword else [])
