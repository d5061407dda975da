"""Schemas from samples: types, formats, values and bounds with their evidence, and nothing without evidence."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import validator_for

from router.tools.dev.new.inference import Keywords, infer_schema
from router.tools.dev.new.placeholders import replace_values

UUID = "123e4567-e89b-42d3-a456-426614174000"


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2], {"type": "integer", "$comment": "2 of 2"}),
        ([1, Decimal("1.5")], {"type": "number", "$comment": "2 of 2"}),
        ([True, None], {"type": ["boolean", "null"], "$comment": "2 of 2"}),
        ([None, None], {"$comment": "2 of 2; always null"}),
        (["a", 1], {"type": ["string", "integer"], "$comment": "2 of 2"}),
        (["2026-01-02T03:04:05Z"] * 2, {"type": "string", "format": "date-time", "$comment": "2 of 2"}),
        (["2026-01-02T03:04:05Z", "soon"], {"type": "string", "$comment": "2 of 2"}),
        ([UUID, UUID.upper()], {"type": "string", "format": "uuid", "$comment": "2 of 2"}),
        (["a@example.com"], {"type": "string", "format": "email", "$comment": "1 of 1"}),
        (["https://example.com/a"], {"type": "string", "format": "uri", "$comment": "1 of 1"}),
        (["note:a"], {"type": "string", "$comment": "1 of 1"}),
        ([[], []], {"type": "array", "$comment": "2 of 2"}),
        (
            [["a"], ["b", None]],
            {
                "type": "array",
                "items": {"type": ["string", "null"], "$comment": "3 elements"},
                "$comment": "2 of 2",
            },
        ),
        (
            [{"a": 1}, {}],
            {
                "type": "object",
                "properties": {"a": {"type": "integer", "$comment": "1 of 2"}},
                "$comment": "2 of 2",
            },
        ),
    ],
)
def test_value(values: list[Any], schema: dict[str, Any]) -> None:
    """The schema of a property is what all its values have in common."""
    found = infer_schema([{"p": value} for value in values])

    assert found["properties"]["p"] == schema


@pytest.mark.parametrize(
    ("name", "values", "enum"),
    [
        ("status", ["open", "closed"] * 10, ["closed", "open"]),
        ("status", ["open", None] * 20, None),
        ("status", [*["open", "closed"] * 10, None], ["closed", "open", None]),
        ("status", ["open", "closed"] * 9, None),
        ("status", [*["open"] * 16, *["closed"] * 4], None),
        ("status", ["in 2 days", "in 3 days"] * 10, None),
        ("status", [*["open", "closed"] * 10, 1], None),
        ("title", ["open", "closed"] * 10, None),
    ],
)
def test_enum(name: str, values: list[Any], enum: list[Any] | None) -> None:
    """Values are listed where there are few kinds, each occurs often, and the name is not that of free text."""
    found = infer_schema([{name: value} for value in values])["properties"][name]

    assert (found.get("enum"), "2 values in 20" in found["$comment"]) == (enum, enum is not None)


def test_a_map_by_data() -> None:
    """Names that are data are not properties."""
    found = infer_schema([{"by_user": {f"user-{number}": number}} for number in range(9)])

    assert found["properties"]["by_user"] == {
        "type": "object",
        "additionalProperties": {"type": "integer", "$comment": "9 names in 9 objects"},
        "$comment": "9 of 9",
    }


def test_more_keywords() -> None:
    """Keywords that a key, a version or a discriminator needs, with their reason."""
    more: Keywords = {
        ("id",): {"minLength": 1, "maxLength": 512, "$comment": "a key"},
        ("at",): {"pattern": "Z$"},
        ("type",): {"const": "a"},
    }

    found = infer_schema([{"id": UUID, "at": "2026-01-02T03:04:05Z", "type": "a"}], more)

    assert found["properties"] == {
        "id": {"type": "string", "minLength": 1, "maxLength": 512, "$comment": "1 of 1; a key"},
        "at": {"type": "string", "format": "date-time", "pattern": "Z$", "$comment": "1 of 1"},
        "type": {"const": "a", "$comment": "1 of 1"},
    }


TEXTS = st.one_of(
    st.text("aé0-:@ .", max_size=5), st.sampled_from(["2026-01-02T03:04:05Z", UUID, "a@b.co", "open", "closed"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)),
    max_leaves=6,
)
MESSAGES = st.lists(st.dictionaries(st.sampled_from("abcdefghijkl"), VALUES, max_size=6), min_size=1, max_size=8)


@given(st.one_of(MESSAGES, MESSAGES.map(lambda messages: messages * 6)))
def test_each_sample_is_accepted(messages: list[dict[str, Any]]) -> None:
    """The schema accepts the samples, and each with its values replaced."""
    schema = infer_schema(messages)
    validator = validator_for(schema, validate_formats=True)

    others = [replace_values(message, schema) for message in messages]

    assert [each for each in [*messages, *others] if not validator.is_valid(each)] == []


def test_replaced_values() -> None:
    """Nothing of the text and the numbers of a message is left; what the schema lists stays."""
    message = {
        "id": "Ann-17",
        "at": "2025-07-08T09:10:11.123Z",
        "mail": "ann@example.org",
        "site": "https://ann.example.org/",
        "when": "2025-07-08T09:10:11Z",
        "key": UUID.replace("1", "9"),
        "kind": "person",
        "age": 42,
        "height": Decimal("1.84"),
        "tags": ["née Ω"],
        "alive": True,
        "by": {f"u-{number}": "Bob" for number in range(3)},
    }
    more: Keywords = {("at",): {"pattern": "^[0-9-]{10}T[0-9:]{8}[.][0-9]{3}Z$"}, ("kind",): {"const": "person"}}
    schema = infer_schema([message], more)
    schema["properties"]["by"] = {"type": "object", "additionalProperties": {"type": "string"}}

    assert replace_values(message, schema) == {
        "id": "xxx-00",
        "at": "2026-01-02T03:04:05.000Z",
        "mail": "user@example.com",
        "site": "https://example.com/",
        "when": "2026-01-02T03:04:05Z",
        "key": "00000000-0000-4000-8000-000000000000",
        "kind": "person",
        "age": 1,
        "height": 1,
        "tags": ["xxx x"],
        "alive": True,
        "by": {"name1": "xxx", "name2": "xxx", "name3": "xxx"},
    }
