"""Schemas compared keyword by keyword: what is proved, and what must not be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from router.prover.containment import Containment
from tests.support.program import Location, Locations, SchemaDocument

STRING = {"type": "string"}
REF = {"$ref": "#/$defs/x"}
NULL = {"type": "null"}
ONE_OF = {"oneOf": [REF, NULL], "$defs": {"x": STRING}}
CLOSED = {"additionalProperties": False}
NAMES = {"patternProperties": {"^a": STRING}, "additionalProperties": NULL}


def covers_nothing(before: Any, after: Any) -> bool:
    """A library that proves nothing."""
    return False


def proved(old: Any, new: Any, covers: Callable[[Any, Any], bool] = covers_nothing) -> bool:
    """Whether it is proved that `new` takes all that `old` takes, by default without the library."""
    documents = [
        SchemaDocument("schema", f"https://config.invalid/{name}", Path(), content, 2020)
        for name, content in (("old", old), ("new", new))
    ]
    one, two = (Locations([document]) for document in documents)
    places = [Location(document, (), document.content) for document in documents]
    return Containment(one, two, covers).implies(*places)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (STRING, True),
        (False, STRING),
        (STRING, {"title": "a text", **STRING}),
        ({"type": "integer"}, {"type": ["number", "null"]}),
        ({"enum": ["a"]}, {"enum": ["b", "a"]}),
        ({"const": "a"}, {"enum": ["b", "a"]}),
        ({"required": ["a", "b"]}, {"required": ["b"]}),
        ({"minLength": 3, "maxLength": 4}, {"minLength": 2, "maxLength": 5}),
        ({"exclusiveMinimum": 3}, {"minimum": 3}),
        ({"maximum": 3}, {"exclusiveMaximum": 4}),
        ({"properties": {"a": STRING, "b": STRING}}, {"properties": {"a": STRING}}),
        ({"properties": {"a": STRING}, **CLOSED}, {"properties": {"a": STRING, "b": STRING}, **CLOSED}),
        ({"items": STRING}, {"items": True}),
        ({"items": {"minLength": 3}}, {"items": {"minLength": 2}}),
        ({"allOf": [STRING, {"minLength": 3}]}, STRING),
        ({**STRING, "minLength": 2}, {"allOf": [STRING, {"minLength": 1}]}),
        ({"anyOf": [STRING]}, {"anyOf": [{"type": "null"}, STRING]}),
        (STRING, {"anyOf": [{"type": "null"}, STRING]}),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, {"enum": ["a", "b"]}),
        ({"not": STRING}, {"not": {**STRING, "minLength": 1}}),
        ({**REF, "$defs": {"x": STRING}}, STRING),
        (STRING, {**REF, "$defs": {"x": STRING}}),
        (ONE_OF, {**ONE_OF, "title": "x"}),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, {"properties": {"a": {"$ref": "#"}}}),
        ({"if": STRING, "then": {"minLength": 2}}, {"if": STRING, "then": {"minLength": 2}, "description": "x"}),
        ({"propertyNames": {"maxLength": 3}}, {"propertyNames": {"maxLength": 4}}),
        ({}, {"uniqueItems": False, "minItems": 0, "format": "unheard-of"}),
        ({"unevaluatedProperties": False}, {"unevaluatedProperties": False}),
        ({"type": ["string", "null"]}, {"type": ["null", "string"]}),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
        ({"minimum": 5}, {"minimum": 3}),
        ({**REF, "minLength": 0, "$defs": {"x": STRING}}, STRING),
        (STRING, {**REF, "minLength": 0, "$defs": {"x": STRING}}),
        ({"anyOf": [STRING, NULL], "minProperties": 3}, {"anyOf": [NULL, STRING], "minProperties": 2}),
        ({"not": REF, "$defs": {"x": STRING}}, {"not": REF, "$defs": {"x": {**STRING, "minLength": 1}}}),
    ],
)  # fmt: skip
def test_a_wider_schema(old: Any, new: Any) -> None:
    """Each value of the old one is one of the new one."""
    assert proved(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (True, STRING),
        (STRING, False),
        ({}, {"type": "string"}),
        ({"type": "number"}, {"type": "integer"}),
        ({}, {"const": None}),
        ({"enum": ["a", "b"]}, {"const": "a"}),
        ({"required": ["b"]}, {"required": ["a", "b"]}),
        ({"minLength": 2}, {"minLength": 3}),
        ({"minimum": 3}, {"exclusiveMinimum": 3}),
        ({"maximum": 3}, {"maximum": 2, "exclusiveMaximum": 10}),
        ({"properties": {"a": STRING}}, {"properties": {"a": STRING, "b": STRING}}),
        ({"properties": {"a": STRING}}, {"properties": {"a": STRING}, "additionalProperties": False}),
        ({"properties": {"a": STRING}, "additionalProperties": False}, {"additionalProperties": False}),
        ({"patternProperties": {"^a": STRING}}, {"patternProperties": {"^a": STRING}, "properties": {"b": STRING}}),
        ({"patternProperties": {"^a": STRING}}, {"patternProperties": {"^a": {"const": "x"}}}),
        ({"items": {"minLength": 2}}, {"items": {"minLength": 3}}),
        ({"prefixItems": [STRING], "items": STRING}, {"items": STRING}),
        (STRING, {"allOf": [STRING, {"minLength": 1}]}),
        ({"anyOf": [STRING, {"type": "null"}]}, {"anyOf": [STRING]}),
        ({"not": {**STRING, "minLength": 1}}, {"not": STRING}),
        ({**REF, "$defs": {"x": STRING}}, {**REF, "$defs": {"x": {"type": "null"}}}),
        ({**REF, "required": ["a"], "$defs": {"x": {}}}, {**REF, "$defs": {"x": {"required": ["b"]}}}),
        (ONE_OF, {**ONE_OF, "$defs": {"x": NULL}}),
        ({"oneOf": [STRING]}, {"oneOf": [STRING, {"minLength": 1}]}),
        ({"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
        ({"if": STRING, "then": {"minLength": 2}}, {"if": STRING, "then": {"minLength": 3}}),
        ({"$dynamicRef": "#x"}, {"$dynamicRef": "#x"}),
        ({"$ref": "#/none"}, {}),
        ({"$ref": "#"}, STRING),
        ({}, {"format": "date"}),
        ({}, {"pattern": "a"}),
        ({"unevaluatedProperties": False}, {"unevaluatedProperties": False, "properties": {"a": True}}),
        ({"minimum": 3}, {"minimum": 5}),
        ({"minimum": 3}, {"minimum": 3, "exclusiveMinimum": True}),
        ({}, {"maxLength": 4}),
        ({"maxLength": 5}, {"maxLength": 4}),
        (STRING, {**REF, "minLength": 5, "$defs": {"x": STRING}}),
        (NULL, {**REF, "minLength": 0, "$defs": {"x": STRING}}),
        ({"not": REF, "$defs": {"x": {**STRING, "minLength": 1}}}, {"not": REF, "$defs": {"x": STRING}}),
        ({"if": REF, "then": NULL}, {"if": REF, "then": NULL, "$defs": {"x": STRING}}),
        (NAMES, {**NAMES, "properties": {"ab": NULL}}),
        (
            {"properties": {"a": {"additionalProperties": STRING}, "b": {"additionalProperties": NULL}}},
            {"properties": {"a": REF, "b": REF}, "$defs": {"x": {"additionalProperties": STRING}}},
        ),
    ],
)  # fmt: skip
def test_no_proof(old: Any, new: Any) -> None:
    """The new schema is narrower, or what decides is not known."""
    assert not proved(old, new)


def test_the_same_keyword_of_another_draft() -> None:
    """It may mean something else: drafts before 2019 know no `minContains`."""
    schema = {"contains": STRING, "minContains": 2}
    documents = [
        SchemaDocument("schema", f"https://config.invalid/{draft}", Path(), schema, draft) for draft in (7, 2020)
    ]
    one, two = (Locations([document]) for document in documents)
    places = [Location(document, (), schema) for document in documents]

    assert not Containment(one, two, covers_nothing).implies(*places)
    assert proved(schema, schema)


def through(name: str) -> dict[str, Any]:
    """A reference with a keyword beside it, so that its place is compared, and then what it leads to."""
    return {"$ref": f"#/$defs/{name}", "minProperties": 0}


@pytest.mark.parametrize(("length", "holds"), [(0, True), (5, False)])
def test_a_failed_pair_takes_back_what_was_assumed(length: int, holds: bool) -> None:
    """`every` holds only if `strict` does, which is open when it is compared, and fails afterwards."""
    old = {"properties": {"next": {"$ref": "#"}, "text": STRING}}
    new = {
        "anyOf": [through("strict"), through("every")],
        "$defs": {
            "strict": {"allOf": [through("every"), {"properties": {"text": {"minLength": length}}}]},
            "every": {"properties": {"next": through("strict")}},
        },
    }
    short = {"next": {"text": "x"}, "text": "x"}

    assert proved(old, new) is holds
    assert Draft202012Validator(old).is_valid(short)
    assert Draft202012Validator(new).is_valid(short) is holds


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"multipleOf": 4, **REF, "$defs": {"x": True}}, {"multipleOf": 2}),
        ({"multipleOf": 4}, {"multipleOf": 2, "items": REF, "$defs": {"x": STRING}}),
        ({"multipleOf": 4, "items": {"$dynamicRef": "#x"}}, {"multipleOf": 2}),
    ],
)
def test_the_library_gets_no_references(old: Any, new: Any) -> None:
    """A part of a schema is not the document that its references lead through: they would lead elsewhere."""
    given: list[tuple[Any, Any]] = []

    def covers(before: Any, after: Any) -> bool:
        given.append((before, after))
        return False

    assert not proved(old, new, covers)
    assert not [each for each in given if "$ref" in str(each) or "$dynamicRef" in str(each)]


def test_the_library_gets_the_parts_that_are_not_proved() -> None:
    """Its answer counts where there are no references."""
    given: list[tuple[Any, Any]] = []

    def covers(before: Any, after: Any) -> bool:
        given.append((before, after))
        return True

    old, new = ({"properties": {"n": {"multipleOf": number}, "m": REF}, "$defs": {"x": STRING}} for number in (4, 2))

    assert proved(old, new, covers)
    assert given == [({"multipleOf": 4}, {"multipleOf": 2})]
