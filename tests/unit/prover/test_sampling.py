"""Values that are made of schemas, and the keywords in which two schemas differ."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from router.prover.changed_keywords import changed_keywords
from router.prover.sampling import Sampler
from tests.support.program import Location, Locations, SchemaDocument, Validation

NAMED = {"properties": {"a": True}, "additionalProperties": False}


def document(content: Any) -> SchemaDocument:
    return SchemaDocument("schema", "https://config.invalid/schema", Path(), content, 2020)


def validation(content: Any) -> Validation:
    root = document(content)
    return Validation(Draft202012Validator(content), {root.uri: root})


def test_elements_of_a_set_that_has_too_few_values() -> None:
    """A list that cannot have different elements has equal ones, which a validator refuses."""
    schema = {"type": "array", "uniqueItems": True, "minItems": 2, "items": {"const": 1}}
    root = document(schema)

    assert list(Sampler(Locations([root])).values(Location(root, (), schema), 1)) == [[1, 1]]


@pytest.mark.parametrize(
    ("was", "becomes", "undone"),
    [
        ({"minLength": 1}, {"minLength": 2, "title": "x"}, [{"minLength": 1, "title": "x"}]),
        ({}, {"minLength": 2}, [{}]),
        ({"required": ["a"]}, {"required": ["a", "b"]}, [{"required": ["a"]}]),
        (NAMED, NAMED, []),
        (NAMED, {**NAMED, "properties": {"b": True}}, [{"properties": {"b": True}}]),
        ({**NAMED, "additionalProperties": True}, {"additionalProperties": True}, []),
    ],
)
def test_keywords_that_differ(was: Any, becomes: Any, undone: list[Any]) -> None:
    """Each is undone by itself; a map that is closed in both refuses other names if other names are declared."""
    found = [content for _, content in changed_keywords(validation(was), validation(becomes))]

    assert found == undone
