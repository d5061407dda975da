"""Schemas compared keyword by keyword: what is proved, and what must not be."""

from pathlib import Path
from typing import Any

import pytest

from router.prover.containment import Containment
from tests.support.program import Location, Locations, SchemaDocument

STRING = {"type": "string"}
REF = {"$ref": "#/$defs/x"}
NULL = {"type": "null"}
ONE_OF = {"oneOf": [REF, NULL], "$defs": {"x": STRING}}
CLOSED = {"additionalProperties": False}


def proved(old: Any, new: Any) -> bool:
    """Whether it is proved without the library that `new` takes all that `old` takes."""
    documents = [
        SchemaDocument("schema", f"https://config.invalid/{name}", Path(), content, 2020)
        for name, content in (("old", old), ("new", new))
    ]
    one, two = (Locations([document]) for document in documents)
    places = [Location(document, (), document.content) for document in documents]
    return Containment(one, two, lambda before, after: False).implies(*places)


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
        ({}, {"format": "date"}),
        ({}, {"pattern": "a"}),
        ({"unevaluatedProperties": False}, {"unevaluatedProperties": False, "properties": {"a": True}}),
    ],
)  # fmt: skip
def test_no_proof(old: Any, new: Any) -> None:
    """The new schema is narrower, or what decides is not known."""
    assert not proved(old, new)
