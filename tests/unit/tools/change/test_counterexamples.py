"""Each reason for which a version of a route refuses messages that the other takes has its own message."""

from typing import Any

import pytest

from router.tools.change.report import DiffReport
from tests.unit.tools.change.conftest import Diff, config_of

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
