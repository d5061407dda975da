"""Schemas with too many ways to satisfy them are not made canonical."""

from typing import Any

import pytest

from router.prover.canonical import MAX_BRANCHES, is_affordable

CHOICES: dict[str, Any] = {"anyOf": [{"required": [name]} for name in "abcdefghijkl"]}
"""Twelve ways: three of them together are more than the maximum."""


def object_of(name: str, schema: Any) -> dict[str, Any]:
    return {"properties": {name: schema}}


@pytest.mark.parametrize(
    ("content", "affordable"),
    [
        (True, True),
        ({"allOf": [CHOICES, CHOICES]}, True),
        ({"allOf": [CHOICES, CHOICES, CHOICES]}, False),
        ({"allOf": [{"oneOf": CHOICES["anyOf"]}, CHOICES], **CHOICES}, False),
        ({"anyOf": [CHOICES, CHOICES, CHOICES]}, True),
        ({"anyOf": [{"type": "string"}] * MAX_BRANCHES}, True),
        ({"anyOf": [{"type": "string"}] * (MAX_BRANCHES + 1)}, False),
        # The same level in parts that all apply, and different levels.
        ({"allOf": [object_of("x", CHOICES), object_of("x", CHOICES), object_of("x", CHOICES)]}, False),
        ({"allOf": [object_of("x", CHOICES), object_of("y", CHOICES), object_of("z", CHOICES)]}, True),
        ({"anyOf": [object_of("x", CHOICES), object_of("x", CHOICES), object_of("x", CHOICES)]}, True),
        ({"allOf": [{"items": CHOICES}, {"contains": CHOICES}, {"prefixItems": [CHOICES]}]}, False),
        ({"allOf": [{"items": [CHOICES]}, {"additionalItems": CHOICES}]}, True),
        ({"allOf": [{"patternProperties": {"a": CHOICES, "b": CHOICES}}, {"additionalProperties": CHOICES}]}, False),
        ({"allOf": [{"if": {"required": ["a"]}, "then": {"required": ["b"]}}] * 6}, True),
        ({"allOf": [{"if": {"required": ["a"]}, "then": {"required": ["b"]}}] * 7}, False),
        ({"if": {"required": ["a"]}, "allOf": [CHOICES, CHOICES]}, True),
        ({"dependentRequired": {name: ["x"] for name in "abcdef"}}, True),
        ({"dependentRequired": {name: ["x"] for name in "abcdefg"}}, False),
        ({"dependentSchemas": {"a": CHOICES, "b": CHOICES, "c": CHOICES}}, False),
        ({"allOf": [{"not": {"required": [*"abcdefghijkl"]}}] * 3}, False),
        ({"allOf": [{"not": {"const": 1}}] * 30}, True),
        # References, of which some lead nowhere.
        ({"allOf": [{"$ref": "#/$defs/a"}] * 3, "$defs": {"a": CHOICES}}, False),
        ({"allOf": [{"$ref": "#/$defs/a/anyOf/0"}] * 3, "$defs": {"a": CHOICES}}, True),
        ({"allOf": [{"$ref": "#/$defs/a/anyOf/99"}, {"$ref": "#/no/no"}, {"$ref": "other.json"}]}, True),
        ({"$id": "https://a.example/s", "allOf": [{"$ref": "s#/$defs/a~1b"}] * 3, "$defs": {"a/b": CHOICES}}, False),
        ({"allOf": [{"$ref": "part.json"}] * 3}, False),
        ({"anyOf": [{"$ref": "#"}, {"items": {"$ref": "#"}}]}, True),
        ({"allOf": 1, "anyOf": {}, "properties": [], "not": True}, True),
    ],
)  # fmt: skip
def test_schemas(content: Any, affordable: bool) -> None:
    """Alternatives add up, and what applies to one value besides multiplies."""
    uri = "https://config.invalid/schema.json"
    documents = {uri: content, "https://config.invalid/part.json": CHOICES}

    assert is_affordable(content, uri, documents) is affordable


def test_many_levels() -> None:
    """The number of levels that are counted is bounded."""
    wide = {"properties": {f"p{number}": CHOICES for number in range(1000)}}

    assert is_affordable({"allOf": [wide, wide]}) is True


@pytest.mark.parametrize(("depth", "affordable"), [(140, True), (160, False)])
def test_deep_schemas(depth: int, affordable: bool) -> None:
    """A schema is not followed without end."""
    deep: Any = {}
    for _ in range(depth):
        deep = {"properties": {"a": deep}}

    assert is_affordable(deep) is affordable
