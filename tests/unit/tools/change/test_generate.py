"""Messages made from a schema, texts made from a pattern, and edits of a message."""

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from router.prover.changed_keywords import changed_places, leading_to
from router.prover.sampling import Sampler
from router.tools.change.edits import edits, names_of, shorter, values_of
from tests.support.check import FORMATS, matching_text
from tests.support.program import ASSERTED_SINCE, Location, Locations, SchemaDocument, Validation

NODE: dict[str, Any] = {
    "type": "object",
    "properties": {"nodes": {"type": "array", "items": {"$ref": "#"}, "minItems": 1}},
}


def document(content: Any) -> SchemaDocument:
    return SchemaDocument("schema", "https://config.invalid/schema", Path(), content, 2020)


def sampled(schema: Any, count: int = 12) -> list[Any]:
    root = document(schema)
    return list(Sampler(Locations([root])).values(Location(root, (), schema), count))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}},
        {"type": "object", "minProperties": 3, "properties": {"a": {"const": 1}}},
        {"type": "object", "patternProperties": {"^x": {"type": "integer"}}, "required": ["x1"]},
        {"required": ["a"], "additionalProperties": {"type": "boolean"}, "type": "object"},
        {"type": "object", "required": ["a"], "dependentRequired": {"a": ["b"]}},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 2, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2},
        {"type": "array", "contains": {"const": 7}},
        {"type": "string", "minLength": 3, "maxLength": 3},
        {"type": "string", "minLength": 4, "pattern": "^[a-z]+$"},
        {"type": "integer", "minimum": 5, "exclusiveMaximum": 7},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
        {"type": "integer", "multipleOf": 7, "minimum": 8},
        {"allOf": [{"type": "integer"}, {"minimum": 3}], "maximum": 3},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"enum": [1, "a", None], "type": ["string", "null"]},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}, "type": "object"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "required": ["id"]}}},
        NODE,
        True,
    ],
)
def test_some_samples_satisfy_their_schema(schema: Any) -> None:
    """And no sample needs a message without end."""
    validator = Draft202012Validator(schema)

    valid = [validator.is_valid(value) for value in sampled(schema)]

    assert any(valid)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "enum": [1]},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"$ref": "#/$defs/none"},
        {"required": ["a"], "type": "object", "properties": {"a": False}},
        {"type": "object", "required": ["again"], "properties": {"again": {"$ref": "#"}}},
        {"type": "string", "pattern": "(?=a)"},
    ],
)
def test_no_sample_is_found(schema: Any) -> None:
    """Of a schema without values, and of one whose values are not followed."""
    assert sampled(schema) == []


@pytest.mark.parametrize("name", FORMATS)
def test_samples_of_a_format(name: str) -> None:
    """Each has the format."""
    validator = Draft202012Validator({"format": name}, validate_formats=True)

    assert [*map(validator.is_valid, sampled({"type": "string", "format": name}, 2))] == [True, True]


def test_each_format_that_is_asserted_has_a_text() -> None:
    """And the text has that format."""
    valid = {
        name: Draft202012Validator({"format": name}, validate_formats=True).is_valid(text)
        for name, texts in FORMATS.items()
        for text in texts
    }

    assert valid == dict.fromkeys(ASSERTED_SINCE, True)


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{2}[0-9]+$",
        "^(a|bc)*$",
        r"^\d{4}-\d{2}$",
        "^x?y{2,}z$",
        r"^[^a-z]+\.$",
        "^(?:foo|bar)-[a-f0-9]{4}$",
        "a b",
        "^[\u00e9\u00df]{2}$",
        r"\bfoo\b",
    ],
)
def test_texts_match_their_pattern(pattern: str) -> None:
    """Each of them, whatever the dice say."""
    texts = {matching_text(pattern, Random(seed)) for seed in range(20)}

    assert all(text is not None and re.search(pattern, text) for text in texts)


@pytest.mark.parametrize("pattern", ["(?=a)a", "[", "a)", "(a"])
def test_a_pattern_of_unknown_syntax_has_no_text(pattern: str) -> None:
    """Rather than a wrong one."""
    assert matching_text(pattern, Random(0)) is None


def test_a_letter_of_any_language_is_one_of_a_to_z() -> None:
    r"""`\p{L}` is no syntax of Python."""
    text = matching_text(r"^\p{L}$", Random(0))

    assert text is not None
    assert text.isalpha()


def test_edits_change_one_place() -> None:
    """The message itself stays as it is."""
    message = {"a": [1, "x"], "b": {"c": True}}

    made = list(edits(message, ["y"], ["d"]))

    assert message == {"a": [1, "x"], "b": {"c": True}}
    for expected in ({"b": {"c": True}}, {"a": [1, "y"], "b": {"c": True}}, {"a": ["x"], "b": {"c": True}}):
        assert expected in made
    assert {"a": [1, "x"], "b": {"c": True, "d": None}} in made
    assert {"a": [1, "x"], "b": {"c": False}} in made


def test_values_and_names_of_schemas() -> None:
    """Constants and bounds, and each property, with a name that none declares."""
    content = {"properties": {"a": {"enum": ["x"]}, "b": {"const": 1}, "c": {"maximum": 5}, "d": {"maxLength": 2}}}
    schema = Validation(Draft202012Validator(content), {"": document(content)})

    assert [each for each in values_of([schema, None]) if not str(each).endswith(".5")] == [
        "x",
        1,
        5,
        6,
        4,
        "aa",
        "aaa",
        "a",
    ]
    assert names_of([schema, None]) == ["a", "b", "c", "d", "undeclared"]


def test_shorter_messages() -> None:
    """Without a property, with half of a list, and with half of a text."""
    made = list(shorter({"a": [1, 2, 3, 4], "b": "x" * 10}))

    for expected in ({"b": "x" * 10}, {"a": [1, 2], "b": "x" * 10}, {"a": [1, 2, 3, 4], "b": "xxxxx"}):
        assert expected in made


def test_samples_lead_to_what_differs() -> None:
    """Through optional properties, alternatives, patterns and references."""
    leaf = {"type": "object", "properties": {"deep": {"type": "integer"}}}
    inner = {"type": "object", "patternProperties": {"^x": {"$ref": "#/$defs/leaf"}}}
    content = {
        "type": "object",
        "properties": {"a": {"oneOf": [{"type": "null"}, {"type": "array", "items": inner}]}},
        "$defs": {"leaf": leaf},
    }
    other = {**content, "$defs": {"leaf": {**leaf, "properties": {"deep": {"type": "string"}}}}}
    one, two = (
        Validation(Draft202012Validator(each), {document(each).uri: document(each)}) for each in (content, other)
    )

    changed = changed_places(one, two)
    sampler = Sampler(one.locations, leading=leading_to(one, changed), changed=changed)
    samples = list(sampler.values(Location(one.root, (), content), 4))

    assert list(changed) == [("https://config.invalid/schema", ("$defs", "leaf", "properties", "deep"))]
    assert all("deep" in next(iter(sample["a"][0].values())) for sample in samples)
