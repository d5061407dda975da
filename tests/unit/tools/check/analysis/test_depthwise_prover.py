"""Parts of a schema that the library cannot decide about do not void the proofs about the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.tools.check.run import examine

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_6 = "http://json-schema.org/draft-06/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
TREE = {"node": {"type": "object", "properties": {"next": {"$ref": "#/definitions/node"}}}}
CONFIG = """\
version: 1
tables: {things: {key: {id: S}}}
queues: {q: {dead_letter: dlq}}
routes:
  r: {queue: q, table: things, schema: SCHEMA, ROUTE}
"""
ID = "item: {id: id}"
TEXT = {"type": "string", "minLength": 1, "maxLength": 9}


@pytest.fixture
def verdict(tmp_path: Path) -> Any:
    """Returns a function from a schema and a route to the verdict on the key, with the codes or the reason."""

    def run(schema: Any, route: str = ID, claim: str = "key") -> str:
        text = CONFIG.replace("SCHEMA", json.dumps(schema)).replace("ROUTE", route)
        (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
        entries = examine(tmp_path / "routes.yaml", {}).ledger.entries
        found = next(entry for entry in entries if entry.kind == claim)
        return " ".join([found.verdict, *found.codes, found.reason]).rstrip()

    return run


PRODUCT = [{"anyOf": [{"required": [f"a{part}"]}, {"minProperties": part}, {"maxLength": part}]} for part in range(12)]
UNRELATED = [
    pytest.param({"description": "a large schema" * 20_000}, None, id="a large schema"),
    pytest.param({"allOf": PRODUCT}, None, id="a product of choices"),
    pytest.param({"$ref": "#/definitions/node"}, None, id="a recursive $ref"),
    pytest.param({"$ref": "#/definitions/node"}, DRAFT_7, id="a recursive $ref of draft 7"),
    pytest.param({"type": "integer"}, DRAFT_4, id="an integer of draft 4"),
    pytest.param({"type": "string", "format": "uuid"}, DRAFT_4, id="uuid in draft 4"),
    pytest.param({"type": "string", "format": "uuid"}, DRAFT_6, id="uuid in draft 6"),
    pytest.param({"type": "string", "format": "uri-reference"}, DRAFT_4, id="uri-reference in draft 4"),
    pytest.param({"type": "string", "format": "iri"}, DRAFT_6, id="iri in draft 6"),
    pytest.param({"type": "string", "format": "date", "pattern": "^2"}, None, id="format with pattern"),
    pytest.param({"type": "string", "pattern": "^[0-9]*$", "minLength": 1}, None, id="pattern with minLength"),
    pytest.param({"type": "string", "minLength": 100_000}, None, id="a large minLength"),
    pytest.param({"type": "array", "uniqueItems": True, "minItems": 2}, None, id="uniqueItems with minItems"),
]


@pytest.mark.parametrize(("other", "draft"), UNRELATED)
@pytest.mark.parametrize(
    ("schema", "required", "expected"),
    [
        (TEXT, ["id", "other"], "proved"),
        (TEXT, ["other"], "refuted RT610"),
        ({"type": "string", "maxLength": 9}, ["id", "other"], "refuted RT612"),
        ({"type": ["string", "number"], "minLength": 1}, ["id", "other"], "refuted RT611"),
    ],
)
def test_an_unrelated_property(
    verdict: Any, other: Any, draft: str | None, schema: Any, required: list[str], expected: str
) -> None:
    """It changes no verdict on the key."""
    given = {"type": "object", "required": required, "properties": {"id": schema, "other": other}, "definitions": TREE}
    if draft:
        given["$schema"] = draft

    assert verdict(given) == expected


def both(*parts: Any, **beside: Any) -> dict[str, Any]:
    return {"allOf": [*parts], **beside}


def has(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties}


@pytest.fixture
def impossible(tmp_path: Path) -> Any:
    """Returns a function from the schema of a required property to whether no message satisfies it, by `check`.

    Beside it is what the library does not decide.
    """

    def run(schema: Any) -> bool:
        text = CONFIG.replace("SCHEMA", json.dumps(both(*PRODUCT, schema))).replace("ROUTE", "item: {id: {value: k}}")
        (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
        return "RT313" in {found.code.id for found in examine(tmp_path / "routes.yaml", {}).findings}

    return run


@pytest.mark.parametrize(
    "value",
    [
        both({"minimum": 5}, {"maximum": 3}, type="number"),
        both({"const": 1}, {"type": "string"}),
        both({"enum": ["a", "b"]}, {"enum": ["c"]}),
        both({"required": ["a"]}, {"properties": {"a": False}}, type="object"),
        both({"required": ["a"]}, {"additionalProperties": False}, type="object"),
        both({"pattern": "^a"}, {"pattern": "^b"}, type="string"),
        both({"minItems": 1}, {"items": False}, type="array"),
        both(has(a=has(b=has(c={"minimum": 5}))), has(a=has(b=has(c={"type": "number", "maximum": 3})))),
    ],
)
def test_parts_that_contradict_each_other(impossible: Any, value: Any) -> None:
    """Each part has values, and a value that must be there has none; in an optional property that is no fault."""
    given = [
        has(a=value),
        {"type": "object", "properties": {"a": value}},
        {"required": ["a"], "properties": {"a": value}},
    ]

    assert [impossible(schema) for schema in given] == [True, False, False]


@pytest.mark.parametrize(("others", "expected"), [(["a", "b"], True), (["b"], False)])
def test_what_each_branch_requires(impossible: Any, others: list[str], expected: bool) -> None:
    """A property that each branch of a choice requires must be there."""
    nothing = both({"minimum": 5}, {"maximum": 3}, type="number")
    schema = {
        "type": "object",
        "properties": {"a": has(c=nothing)},
        "anyOf": [{"required": ["a"]}, {"required": others}],
    }

    assert impossible(schema) is expected


SHORT_OR_REFERENCE = {"$ref": "#/definitions/long", "maxLength": 1}
LONG = {"long": {"type": "string", "minLength": 3}}


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        pytest.param("http://json-schema.org/draft-07/schema#", False, id="another draft"),
        pytest.param("https://json-schema.org/draft/2020-12/schema", True, id="the same draft"),
    ],
)
def test_an_embedded_schema_of_another_draft(impossible: Any, draft: str, expected: bool) -> None:
    """Draft 7 ignores what stands beside a reference, in a schema of draft 2020-12, too."""
    embedded = {"$schema": draft, "$id": "https://a.example/e", "allOf": [SHORT_OR_REFERENCE], "definitions": LONG}

    assert impossible(has(a=embedded)) is expected


def test_the_last_of_values(verdict: Any) -> None:
    """An expression with `||` is not missing, if its last value is not."""
    node = {"type": "object", "required": ["k"], "properties": {"k": TEXT, "next": {"$ref": "#/definitions/node"}}}
    given = {"required": ["n"], "properties": {"n": {"$ref": "#/definitions/node"}}, "definitions": {"node": node}}

    assert verdict({"type": "object", **given}, "item: {id: n.k || n.k}") == "proved"
    assert verdict({"type": "object", **given}, "item: {id: n.k || n}") == "proved"


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ([{"required": ["a"]}, {"required": ["b"]}], "proved"),
        ([{"required": ["a"]}, {"$ref": "#/definitions/b"}], "proved"),
        ([{"required": ["a"]}, {"$ref": "#/definitions/c"}], "not decided 'n.id' may be missing"),
        ([{"required": ["a"]}, {"required": ["b"], "type": "object"}], "refuted RT610"),
        ([{"required": ["a"]}, False], "refuted RT610"),
        ([{"required": ["a"]}, {"$ref": "#/definitions/any"}], "not decided 'n.id' may be missing"),
    ],
)
def test_branches_about_objects(verdict: Any, branches: Any, expected: str) -> None:
    """With `oneOf`, two branches that say nothing of other values exclude those."""
    part = {"oneOf": branches, "required": ["id"], "properties": {"id": TEXT, "next": {"$ref": "#/definitions/part"}}}
    definitions = {"part": part, "b": {"required": ["b"]}, "c": {"$ref": "#/definitions/b"}, "any": True}
    given = {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/definitions/part"}}}

    assert verdict({**given, "definitions": definitions}, "item: {id: n.id}") == expected


def nested(depth: int, leaf: Any) -> tuple[str, Any]:
    """A path of so many names, and a schema in which each is required."""
    names = [f"n{index}" for index in range(depth)]
    for name in reversed(names):
        leaf = {"type": "object", "required": [name], "properties": {name: leaf}}
    return ".".join(names), leaf


def test_objects_that_may_be_null(verdict: Any) -> None:
    """The values in an object are those of the same branch: GitHub's webhooks have many such objects."""
    key = {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}}
    choice = {"oneOf": [key, {"type": "null"}]}
    properties = {"license": choice, "owner": choice, "node": {"$ref": "#/definitions/node"}}
    schema = {"type": "object", "required": ["license", "owner"], "properties": properties, "definitions": TREE}

    assert verdict(schema, "item: {id: {from: license.key, default: none}}") == "refuted RT612"


@pytest.mark.parametrize("depth", [5, 6, 7, 12, 25])
@pytest.mark.parametrize(("leaf", "expected"), [(TEXT, "proved"), ({"type": "string"}, "refuted RT612")])
def test_deep_paths(verdict: Any, depth: int, leaf: Any, expected: str) -> None:
    """No path is too deep."""
    path, schema = nested(depth, leaf)

    assert verdict(schema, f"item: {{id: {path}}}") == expected


@pytest.mark.parametrize(("leaf", "expected"), [(TEXT, "proved"), ({"type": "string"}, "refuted RT612")])
def test_elements_of_a_deep_list(verdict: Any, leaf: Any, expected: str) -> None:
    """The invoices of a payment provider have their lines there."""
    line = {"type": "object", "required": ["id"], "properties": {"id": leaf}}
    _, schema = nested(4, {"type": "array", "items": line})

    assert verdict(schema, "for_each: n0.n1.n2.n3, item: {id: element.id}") == expected


def test_the_advice_about_versions(verdict: Any) -> None:
    """A pattern beside a format, as RT418 suggests, hides no other finding."""
    stamp = {"type": "string", "format": "date-time", "pattern": "^[0-9-]{10}T[0-9:]{8}Z$"}
    schema = {"type": "object", "required": ["v"], "properties": {"id": TEXT, "v": stamp}}

    found = [
        verdict(schema, "item: {id: id, v: v}, write: {mode: newest, version: v}", claim)
        for claim in ("key", "version")
    ]

    assert found == ["refuted RT610", "proved"]


def test_a_choice_that_a_condition_makes(verdict: Any) -> None:
    """Only the branch that `when` leaves counts."""
    one = {"type": "object", "required": ["kind", "id"], "properties": {"kind": {"const": "a"}, "id": TEXT}}
    other = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "b"}}}
    tree = {"$ref": "#/definitions/node"}
    schema = {"oneOf": [one, other], "properties": {"x": tree}, "definitions": TREE}

    found = [verdict(schema, f"{ID}, when: \"kind == '{kind}'\"") for kind in "ab"]

    assert found == ["proved", "refuted RT610"]


ANY_LIST = {"type": "array", "minItems": 2, "maxItems": 2, "uniqueItems": True}


@pytest.mark.parametrize(
    "other",
    [
        *({**ANY_LIST, "items": {"type": kind}} for kind in ("string", "integer", "boolean", "array", "object")),
        {**ANY_LIST, "prefixItems": [{"type": "null"}, {"type": "integer"}], "items": False},
        {"type": "string", "minLength": 2_000_000},
        {"type": "array", "minItems": 5000, "uniqueItems": True},
        {"type": "array", "minItems": 1500, "uniqueItems": True, "items": {"type": "string"}},
        {"type": "object", "minProperties": 2, "properties": {"a": False, "b": {"const": 1}}},
        {"type": "number", "exclusiveMinimum": 3, "exclusiveMaximum": 9, "multipleOf": 0.5},
        {"type": "number", "maximum": 2, "minimum": 1.5},
        {"anyOf": [False, {"type": "boolean"}]},
        {"properties": {"a": {"not": True}, "b": {"not": {"format": "date"}}}},
        {"anyOf": [{"type": "string", "allOf": [{"type": "number"}]}, {"type": "boolean"}]},
        {"if": {"type": "string"}, "then": {"pattern": "^a{2}$"}, "else": {"type": "null"}},
        {"not": {"type": "object", "required": ["a"]}, "type": "object"},
        {"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": {"$ref": "#/definitions/node"}},
        {"$ref": "#/definitions/node", "$comment": "2020-12 reads the keywords beside it", "minProperties": 1},
    ],
)
@pytest.mark.parametrize(
    ("schema", "required", "expected", "unknown"),
    [
        (TEXT, ["id"], "proved", "proved"),
        (TEXT, [], "refuted RT610", "not decided 'id' may be missing"),
        ({"type": "string", "maxLength": 9}, ["id"], "refuted RT612", "not decided it may be empty"),
    ],
)
def test_messages_of_all_kinds_of_schemas(
    verdict: Any, other: Any, schema: Any, required: list[str], expected: str, unknown: str
) -> None:
    """A message refutes the claim, or none is found and it is not decided; a proof does not need one."""
    given = {
        "type": "object",
        "required": [*required, "other", "tree"],
        "properties": {"id": schema, "other": other, "tree": {"$ref": "#/definitions/node"}},
        "definitions": TREE,
    }

    assert verdict(given, "item: {id: id, x: {from: other, type: S}}") in (expected, unknown)


def test_a_value_that_has_no_end(verdict: Any) -> None:
    """No message has it; that is not decided, and the others are."""
    loop = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {key: {"$ref": "#/definitions/loop"} for key in "ab"},
    }
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": TEXT, "loop": {"$ref": "#/definitions/loop"}},
        "definitions": {"loop": loop},
    }

    assert verdict(schema, "item: {id: id, x: loop.a.b}") == "proved"


def test_no_message_can_be_made(verdict: Any) -> None:
    """What only a message could show is not decided."""
    tree = {"$ref": "#/definitions/node"}
    schema = {
        "type": "object",
        "required": ["id", "many"],
        "properties": {"id": {"type": "string"}, "many": {"type": "array", "minItems": 5000, "items": tree}},
        "definitions": TREE,
    }

    found = verdict(schema, "item: {id: id, x: {from: id, type: N}}", "type")

    assert found == "not decided its value may be text that does not convert to N"


def test_routes_that_share_a_schema(tmp_path: Path) -> None:
    """What is proved for one route holds for the next: each has the claims that it has alone."""
    (tmp_path / "one.json").write_text(json.dumps({"type": "object", "required": ["id"], "properties": {"id": TEXT}}))
    route = "{queue: q, table: things, schema: one.json, item: {id: id, n: {from: n, type: N}}}"
    text = CONFIG.partition("  r:")[0] + "".join(f"  {name}: {route}\n" for name in "abc")
    (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")

    entries = examine(tmp_path / "routes.yaml", {}).ledger.entries

    found = [[(each.kind, each.verdict, each.example) for each in entries if each.route == name] for name in "abc"]
    refuted = ("type", "refuted", '{"id":"a","n":""}')
    assert (
        found
        == [
            [
                ("mapping", "proved", ""),
                ("mapping", "proved", ""),
                refuted,
                ("key", "proved", ""),
                ("size", "proved", ""),
            ]
        ]
        * 3
    )


def test_a_message_that_fails_a_choice(verdict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors have those of all branches: of large choices they are not looked at, and few values are kept."""
    monkeypatch.setattr("router.prover.depthwise_prover._MOST_EXPLAINED", 1)
    monkeypatch.setattr("router.prover.value_generation._MOST_KEPT", 0)
    choice = [{"required": ["a"], "maxProperties": 1}, {"required": ["b"], "not": {"required": ["id"]}}]
    schema = {"$schema": DRAFT_7, "properties": {"id": TEXT}, "anyOf": choice, "uniqueItems": True, "minItems": 2}

    assert not verdict(
        {**schema, "properties": {"id": TEXT, "n": {"$ref": "#/definitions/node"}}, "definitions": TREE}
    ).startswith("proved")
