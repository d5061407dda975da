"""Each reason for which a version of a route refuses messages that the other takes has its own message."""

from typing import Any

import pytest

from router.prover.schema_prover import SchemaProver
from router.tools.change.counterexamples import make_candidates, search
from router.tools.change.report import DiffReport
from router.tools.change.routes import RouteVersion, routes_of
from tests.unit.tools.change.conftest import Diff, Open, config_of

PROPERTIES: dict[str, Any] = {
    "id": {"type": "string", "minLength": 1, "maxLength": 40},
    "n": {"type": "integer"},
    "kind": {"enum": ["a", "b", "c"]},
    "code": {"type": "string", "pattern": "^[A-Z]+$"},
    "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    "old": {"type": "string"},
}
LINE: dict[str, Any] = {"type": "object", "properties": {"sku": {"type": "string"}}}


def schema(required: tuple[str, ...] = ("id",), line: Any = LINE, **properties: Any) -> dict[str, Any]:
    known = {name: value for name, value in {**PROPERTIES, **properties}.items() if value is not None}
    return {"type": "object", "properties": known, "required": list(required), "$defs": {"line": line}}


def reasons(report: DiffReport) -> dict[str, Any]:
    """The example of each reason why messages are no longer taken."""
    found = [each.change for each in report.findings if each.change.code.id == "RT901"]
    assert len({each.sentence for each in found}) == len(found)
    return {each.sentence.partition(": ")[2]: each.example for each in found}


ORDER = {"queue": "things", "table": "things", "item": {"id": "id"}}
TABLES = {"things": {"key": {"id": "S"}}, "keyed": {"key": {"n": "N"}}}
MINIMUM, MAXIMUM = "fails 'minimum' at /properties/n/minimum", "fails 'maxLength' at /properties/id/maxLength"


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ({"schema": schema(n={"type": "integer", "minimum": 0})}, {MINIMUM}),
        (
            {"schema": schema(("id", "n", "kind"))},
            {"fails 'required' at /required: 'n' is missing", "fails 'required' at /required: 'kind' is missing"},
        ),
        (
            {
                "schema": schema(
                    n={"type": "integer", "minimum": 0},
                    id={"type": "string", "minLength": 1, "maxLength": 38},
                    kind={"enum": ["a", "b", "d"]},
                    code={"type": "string", "pattern": "^[A-Z]{2}$"},
                    line={**LINE, "required": ["sku"]},
                )
            },
            {
                MINIMUM,
                MAXIMUM,
                "fails 'enum' at /properties/kind/enum",
                "fails 'pattern' at /properties/code/pattern",
                "fails 'required' at /$defs/line/required: 'sku' is missing",
            },
        ),
        (
            {"schema": {**schema(old=None, more={"type": "boolean"}), "additionalProperties": False}},
            {"fails 'additionalProperties' at /additionalProperties", "fails 'type' at /properties/more/type"},
        ),
        (
            {"schema": schema(n={"type": "integer", "minimum": 0}), "when": "kind == 'a'"},
            {"'when' does not hold", MINIMUM},
        ),
        (
            {"schema": schema(n={"type": "integer", "minimum": 0}), "table": "keyed", "item": {"n": "n", "id": "id"}},
            {MINIMUM, "table 'keyed': key attribute 'n' is missing"},
        ),
        (
            {
                "schema": schema(id={"type": "string", "minLength": 1, "maxLength": 38}),
                "item": {
                    "id": "id",
                    "n": {"from": "n", "missing": "error"},
                    "kind": {"from": "kind", "missing": "error"},
                    "at": {"from": "code", "type": "N"},
                },
            },
            {
                MAXIMUM,
                "attribute 'n' is missing",
                "attribute 'kind' is missing",
                "attribute 'at' is no number",
            },
        ),
    ],
)
def test_all_reasons_of_a_breaking_change(diff: Diff, new: dict[str, Any], found: set[str]) -> None:
    """Of the condition, the schema, and the mapping: a message is refused for that reason alone."""
    configs = [config_of({"main": {**ORDER, **each}}, tables=TABLES) for each in ({"schema": schema()}, new)]

    report = diff(*configs)

    assert set(reasons(report)) == found
    assert [each.verdict for each in report.routes] == ["breaking"]


NAMED: dict[str, Any] = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "minLength": 1}}}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({}, {"propertyNames": {"maxLength": 10}}, {"fails 'propertyNames' at /propertyNames/maxLength"}),
        ({}, {"propertyNames": {"pattern": "^[a-z]+$"}}, {"fails 'propertyNames' at /propertyNames/pattern"}),
        ({}, {"propertyNames": {"pattern": r"^\S{1,12}$"}}, {"fails 'propertyNames' at /propertyNames/pattern"}),
        (
            {"propertyNames": {"pattern": "^[a-z]+$"}},
            {"propertyNames": {"pattern": "^[a-z]{1,20}$"}},
            {"fails 'propertyNames' at /propertyNames/pattern"},
        ),
        (
            {},
            {"required": ["id", "n"], "propertyNames": {"maxLength": 10}},
            {"fails 'required' at /required: 'n' is missing", "fails 'propertyNames' at /propertyNames/maxLength"},
        ),
        ({}, {"patternProperties": {"^x-": {"type": "string"}}}, {"fails 'type' at /patternProperties/^x-/type"}),
    ],
)
def test_names_that_a_schema_no_longer_takes(
    diff: Diff, old: dict[str, Any], new: dict[str, Any], found: set[str]
) -> None:
    """A property is added whose name is refused, or whose name matches a pattern and whose value is refused."""
    before, after = (config_of({"main": {"schema": {**NAMED, **each}}}) for each in (old, new))

    report = diff(before, after)

    assert ([each.verdict for each in report.routes], set(reasons(report))) == (["breaking"], found)


FOUND = "it may find text, a number, true or false or a list"


def test_what_is_not_known_beside_a_reason(diff: Diff) -> None:
    """A stage without a proof and without an example is reported, too."""
    old = {**ORDER, "schema": schema()}
    new = {**ORDER, "schema": schema(n={"type": "integer", "minimum": 0}), "merge": {"from": "more", "prefix": "m_"}}

    report = diff(*(config_of({"main": each}, tables=TABLES) for each in (old, new)))

    (undecided,) = (each.change.sentence for each in report.findings if each.change.code.id == "RT902")
    assert set(reasons(report)) == {MINIMUM}
    assert (report.routes[0].verdict, report.routes[0].unproved) == (
        "breaking",
        tuple(f"'merge': {doubt}" for doubt in (FOUND, "it may find more than 100 entries")),
    )
    assert undecided == (
        f"it is not known whether it takes all messages that it took: 'merge': {FOUND}; 'merge': it may find more than "
        "100 entries"
    )


NEEDS_N = {"n": {"from": "n", "missing": "error"}}
NEEDS_NUMBER = {"at": {"from": "code", "type": "N"}}
KIND = "fails 'enum' at /properties/kind/enum"
NO_NUMBER = "attribute 'at' is no number"
LONG = {"type": "string", "minLength": 1, "maxLength": 3000}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        # Only one of the two has a schema.
        ({}, {"schema": schema(), "when": "kind == 'a'"}, {"'when' does not hold"}),
        (
            {"schema": schema()},
            {"when": "kind == 'a'", "item": {"id": "id", **NEEDS_NUMBER}},
            {"'when' does not hold", NO_NUMBER},
        ),
        # No message that is made at random has what the old version alone requires.
        (
            {"schema": schema(), "when": "old == 'this one'"},
            {"schema": schema(n={"type": "integer", "minimum": 0}, kind={"enum": ["a", "b"]})},
            {MINIMUM, KIND},
        ),
        (
            {"schema": schema(("id", "code"), code={"type": "string", "pattern": "^[A-Z]{9}x$"})},
            {
                "schema": schema(
                    ("id", "code"),
                    code={"type": "string"},
                    n={"type": "integer", "minimum": 0},
                    kind={"enum": ["a", "b"]},
                )
            },
            {MINIMUM, KIND},
        ),
        # Bounds of numbers and of texts differ.
        (
            {"schema": schema(n={"type": "integer", "minimum": 0})},
            {
                "schema": schema(
                    n={"type": "integer", "minimum": 1}, id={"type": "string", "minLength": 1, "maxLength": 38}
                )
            },
            {MINIMUM, MAXIMUM},
        ),
        # One reason of the mapping, and two.
        (
            {"schema": schema()},
            {"schema": schema(n={"type": "integer", "minimum": 0}), "item": {"id": "id", **NEEDS_NUMBER}},
            {MINIMUM, NO_NUMBER},
        ),
        (
            {"schema": schema()},
            {"schema": schema(n={"type": "integer", "minimum": 0}), "item": {"id": "id", **NEEDS_NUMBER, **NEEDS_N}},
            {MINIMUM, NO_NUMBER, "attribute 'n' is missing"},
        ),
        # A condition, after a reason of the schema or of the mapping.
        (
            {"schema": schema()},
            {"schema": schema(n={"type": "integer", "minimum": 0}), "when": "kind != 'b'"},
            {MINIMUM, "'when' does not hold"},
        ),
        (
            {"schema": schema()},
            {"schema": schema(), "when": "kind != 'b'", "item": {"id": "id", **NEEDS_N}},
            {"attribute 'n' is missing", "'when' does not hold"},
        ),
        # No message that is made at random has what the new version alone requires.
        (
            {"schema": schema(("id", "code"), code={"type": "string"})},
            {
                "schema": schema(("id", "code"), code={"type": "string", "pattern": "^[A-Z]{9}x$"}),
                "item": {"id": "id", **NEEDS_NUMBER},
            },
            {"fails 'pattern' at /properties/code/pattern", NO_NUMBER},
        ),
        (
            {"schema": {**schema(), "allOf": [{}, {}]}},
            {
                "schema": {
                    **schema(),
                    "allOf": [
                        {"required": ["code"], "properties": {"code": {"const": "QZ"}}},
                        {"properties": {"kind": {"enum": ["a", "b"]}}},
                    ],
                }
            },
            {
                "fails 'required' at /allOf/0/required: 'code' is missing",
                "fails 'const' at /allOf/0/properties/code/const",
                "fails 'enum' at /allOf/1/properties/kind/enum",
            },
        ),
        # A text that only the old pattern matches is long.
        (
            {"schema": schema()},
            {
                "schema": schema(
                    n={"type": "integer", "minimum": 0}, code={"type": "string", "pattern": "^[A-Z]{1,30}$"}
                )
            },
            {MINIMUM, "fails 'pattern' at /properties/code/pattern"},
        ),
        # Of the messages of a schema only an edited one is refused by the mapping.
        (
            {"schema": schema(id=LONG), "item": {"id": {"value": "same"}}},
            {"schema": schema(id=LONG, n={"type": "integer", "minimum": 0})},
            {MINIMUM, "table 'things': key attribute 'id' has more than 2048 bytes"},
        ),
        (
            {"schema": schema(id=LONG), "item": {"id": {"template": "a{n}"}}},
            {"schema": schema(id=LONG, n={"type": "integer", "minimum": 0})},
            {MINIMUM, "table 'things': key attribute 'id' has more than 2048 bytes"},
        ),
    ],
)
def test_reasons_beside_each_other(diff: Diff, old: dict[str, Any], new: dict[str, Any], found: set[str]) -> None:
    """Whatever else the two versions have, and have not."""
    report = diff(*(config_of({"main": {**ORDER, **each}}, tables=TABLES) for each in (old, new)))

    assert set(reasons(report)) == found


def test_an_earlier_route_beside_another_reason(diff: Diff) -> None:
    """What it takes hides neither what the schema refuses, nor what is not known of the mapping."""
    queues = {"things": {"match": "first", "dead_letter": "dead"}}
    narrower = schema(n={"type": "integer", "minimum": 0})
    old = config_of({"main": {**ORDER, "schema": schema()}}, queues=queues)
    main = {**ORDER, "schema": narrower, "merge": "more"}
    new = config_of({"first": {**ORDER, "when": "kind == 'b'"}, "main": main}, queues=queues)

    report = diff(old, new)

    (undecided,) = (each.change.sentence for each in report.findings if each.change.code.id == "RT902")
    assert set(reasons(report)) == {"an earlier route takes it", MINIMUM}
    assert undecided.endswith("'merge': it may find the attribute 'id', which is the route's own")


def test_what_is_not_known_of_a_mapping_with_an_example(diff: Diff) -> None:
    """It is not reported: the mapping does not take all messages, as the example shows."""
    old, new = {**ORDER, "schema": schema()}, {**ORDER, "schema": schema(), "merge": "more"}

    report = diff(*(config_of({"main": each}) for each in (old, {**new, "item": {"id": "id", **NEEDS_N}})))

    assert set(reasons(report)) == {"attribute 'n' is missing"}
    assert [each.change.code.id for each in report.findings if each.change.code.id == "RT902"] == []


Pair = tuple[RouteVersion, RouteVersion]


@pytest.fixture
def narrowed(open_config: Open) -> Pair:
    """Two versions of a route: the second has a bound in its schema, and an attribute that must be a number."""
    schemas = (schema(), schema(n={"type": "integer", "minimum": 0}))
    items: Any = ({"id": "id"}, {"id": "id", **NEEDS_NUMBER})
    configs = [config_of({"main": {"schema": one, "item": item}}) for one, item in zip(schemas, items, strict=True)]
    first, second = (
        routes_of(open_config(each, folder))["main"] for each, folder in zip(configs, ("old", "new"), strict=True)
    )
    return first, second


def test_an_example_of_a_mapping_is_short(narrowed: Pair) -> None:
    """It has no more than the refusal needs."""
    lines = [{"sku": "s"}] * 5

    found = search(*narrowed, [{"id": "i", "n": 3}, {"id": "x" * 40, "code": "AB", "kind": "a", "lines": lines}])

    assert found is not None
    assert (found.message, found.second.refusal) == ({"id": "xxxxx", "code": "AB"}, NO_NUMBER)


def test_a_search_among_many_messages(narrowed: Pair) -> None:
    """After hundreds that both take, it runs only those that a condition or schema refuses."""
    taken = [{"id": "i", "n": number} for number in range(1000)]

    assert search(*narrowed, [*taken, {"id": "i", "code": "A"}]) is None
    found = search(*narrowed, [*taken, {"id": "i", "n": -1}])
    assert found is not None
    assert found.second.refusal == MINIMUM


NAMES = [f"name-{number}" for number in range(2000)]
"""So many that the library does not subtract a schema with them."""


def of_one_name(changed: dict[str, Any]) -> dict[str, Any]:
    """A schema in which one of many names tells that `text` is as `changed`."""
    names = NAMES[:200]
    texts = [changed if name == "name-37" else {"type": "string"} for name in names]
    of_names = [
        {"required": ["name"], "properties": {"name": {"const": name}, "text": text}}
        for name, text in zip(names, texts, strict=True)
    ]
    return {**NAMED, "anyOf": of_names}


def after_many(changed: dict[str, Any]) -> dict[str, Any]:
    """A schema of messages in which `text`, which is as `changed`, comes after many values."""
    lines = {"type": "array", "minItems": 90, "items": {"type": "integer"}}
    properties = {**NAMED["properties"], "name": {"enum": NAMES}, "lines": lines, "text": changed}
    return {**NAMED, "required": [*properties], "properties": properties}


@pytest.mark.parametrize("schema_with", [of_one_name, after_many])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "maxLength": 40}, {"type": "string", "maxLength": 39}),
        ({"type": "string", "pattern": "^[A-Z]+$"}, {"type": "string", "pattern": "^[A-Z]{1,30}$"}),
    ],
)
def test_a_change_in_a_rare_place(diff: Diff, schema_with: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Messages are made that have a value there, and it is one that the new schema may refuse."""
    report = diff(*(config_of({"main": {"schema": schema_with(each)}}) for each in (old, new)))

    assert [each.verdict for each in report.routes] == ["breaking"]


@pytest.mark.parametrize(("count", "calls"), [(10, 1), (2000, 0)])
def test_large_schemas_are_not_subtracted(
    open_config: Open, monkeypatch: pytest.MonkeyPatch, count: int, calls: int
) -> None:
    """The library takes minutes for a few of them."""
    called = []
    without = SchemaProver.without

    def record(*arguments: Any) -> Any:
        called.append(arguments)
        return without(*arguments)

    names = NAMES[:count]
    first, second = (
        routes_of(open_config(config_of({"main": {"schema": schema(kind={"enum": each})}}), folder))["main"]
        for each, folder in ((names, "old"), (names[1:], "new"))
    )
    monkeypatch.setattr(SchemaProver, "without", record if calls else pytest.fail)

    assert "name-0" in [each.get("kind") for each in make_candidates(first, second, []) if isinstance(each, dict)]
    assert len(called) == calls
