"""Schemas from samples: types, formats, values and bounds with their evidence, and nothing without evidence."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import validator_for

from router.tools.dev.new.inference import MANY, SOME, Keywords, infer_schema, kind_of
from router.tools.dev.new.placeholders import replace_values

TIME = "2026-01-02T03:04:05Z"
UUID = "123e4567-e89b-42d3-a456-426614174000"


def evidence(count: int) -> dict[str, str]:
    return {"$comment": f"{count} of {count}"}


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2], {"type": "integer"}),
        ([1, Decimal("1.5")], {"type": "number"}),
        ([True, None], {"type": ["boolean", "null"]}),
        ([None, None], {"$comment": "60 of 60; always null"}),
        (["a", 1], {"type": ["string", "integer"]}),
        ([TIME, TIME], {"type": "string", "format": "date-time"}),
        ([TIME, "2026-01-02T03:04:05.5+02:00"], {"type": "string", "format": "date-time"}),
        ([TIME, "soon"], {"type": "string"}),
        ([UUID, UUID.upper()], {"type": "string", "format": "uuid"}),
        (["a@example.com"] * 2, {"type": "string", "format": "email"}),
        (["https://example.com/a"] * 2, {"type": "string", "format": "uri"}),
        (["note:a"] * 2, {"type": "string"}),
        ([[], []], {"type": "array"}),
        ([["a 1"], ["b", None]], {"type": "array", "items": {"type": ["string", "null"], "$comment": "90 elements"}}),
        ([{"a": 1}, {}], {"type": "object", "properties": {"a": {"type": ["number", "null"], "$comment": "30 of 60"}}}),
        (
            [{"a": 1}] * 2,
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"} | evidence(60)}},
        ),
    ],
)
def test_many_values(values: list[Any], schema: dict[str, Any]) -> None:
    """The schema of a property is what all its values have in common."""
    found = infer_schema([{"p": value} for value in values * (MANY // 2)])

    assert (found["properties"]["p"], found["required"]) == (evidence(MANY) | schema, ["p"])


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2], {"type": ["number", "null"]}),
        ([True, False], {"type": ["boolean", "null"]}),
        ([None, None], {"$comment": "2 of 2; always null"}),
        ([TIME, TIME], {"type": ["string", "null"]}),
        ([TIME, None] * SOME, {"type": ["string", "null"], "format": "date-time"}),
        ([UUID] * SOME, {"type": ["string", "null"], "format": "uuid"}),
        (["a@example.com"] * SOME, {"type": ["string", "null"]}),
        (["https://example.com/a"] * SOME, {"type": ["string", "null"]}),
        (["open", "closed"] * SOME, {"type": ["string", "null"]}),
        (
            [{"a": 1}, {"a": 2}],
            {"type": ["object", "null"], "properties": {"a": {"type": ["number", "null"]} | evidence(2)}},
        ),
        (
            [[1, 2] * MANY],
            {"type": ["array", "null"], "items": {"type": ["number", "null"], "$comment": "120 elements"}},
        ),
    ],
)
def test_few_values(values: list[Any], schema: dict[str, Any]) -> None:
    """They show little of others: each may be missing or null, a number may have a fraction, text may be any."""
    found = infer_schema([{"p": value} for value in values])

    count = len(values)
    assert found == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"p": evidence(count) | schema},
        "$comment": f"inferred from {count} sample{'s' if count > 1 else ''}: fewer than 60 show little of others, "
        "so that much is optional or null",
    }


@pytest.mark.parametrize(
    ("name", "values", "enum"),
    [
        ("status", ["open", "closed"], ["closed", "open"]),
        ("status", ["open", None], None),
        ("status", ["open", "closed", "open", None], ["closed", "open", None]),
        ("status", ["in 2 days", "in 3 days"], None),
        ("status", ["open", "closed", 1], None),
        ("status", [f"is{letter}" for letter in "abcdefghijklm"], None),
        ("title", ["open", "closed"], None),
    ],
)
def test_enum(name: str, values: list[Any], enum: list[Any] | None) -> None:
    """Values are listed where there are few kinds, each occurs often, and the name is not that of free text."""
    found = infer_schema([{name: value} for value in values * MANY])["properties"][name]

    assert (found.get("enum"), "2 values in" in found["$comment"]) == (enum, enum is not None)


def test_no_enum_of_a_rare_value() -> None:
    """Others that did not occur at all are likely."""
    found = infer_schema([{"status": value} for value in [*["open"] * MANY, *["closed"] * 4]])

    assert "enum" not in found["properties"]["status"]


def test_a_map_by_data() -> None:
    """Names that are data are not properties."""
    found = infer_schema([{"by_user": {f"user-{number}": number}} for number in range(9)] * 7)

    assert found["properties"]["by_user"] == {
        "type": "object",
        "additionalProperties": {"type": "integer", "$comment": "9 names in 63 objects"},
        "$comment": "63 of 63",
    }


def test_more_keywords() -> None:
    """Keywords that a key, a version or a discriminator needs, with their reason."""
    more: Keywords = {
        ("id",): {"minLength": 1, "maxLength": 512, "$comment": "a key"},
        ("at",): {"format": "date-time"},
        ("type",): {"const": "a"},
        ("of", "number"): {},
        ("tag",): {"maxLength": 9},
    }

    found = infer_schema([{"id": UUID, "at": TIME, "type": "a", "of": {"number": 1}, "tag": "a", "note": "b"}], more)

    assert (found["required"], found["properties"]) == (
        ["id", "at", "type", "of"],
        {
            "id": {"type": "string", "minLength": 1, "maxLength": 512, "$comment": "1 of 1; a key"},
            "at": {"type": "string", "format": "date-time", "$comment": "1 of 1"},
            "type": {"const": "a", "$comment": "1 of 1"},
            "of": {
                "type": "object",
                "required": ["number"],
                "properties": {"number": {"type": "number", "$comment": "1 of 1"}},
                "$comment": "1 of 1",
            },
            "tag": {"type": ["string", "null"], "maxLength": 9, "$comment": "1 of 1"},
            "note": {"type": ["string", "null"], "$comment": "1 of 1"},
        },
    )


TEXTS = st.one_of(
    st.text("aé0-:@ .", max_size=5), st.sampled_from(["2026-01-02T03:04:05Z", UUID, "a@b.co", "open", "closed"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)),
    max_leaves=6,
)
MESSAGES = st.lists(st.dictionaries(st.sampled_from("abcdefghijkl"), VALUES, max_size=6), min_size=1, max_size=8)


@given(st.one_of(MESSAGES, MESSAGES.map(lambda messages: messages * MANY)))
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
        "at": "8A-25",
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
    more: Keywords = {("at",): {"pattern": "^[0-9]A-[0-9]{2}$"}, ("kind",): {"const": "person"}}
    schema = infer_schema([message] * MANY, more)
    schema["properties"]["by"] = {"type": "object", "additionalProperties": {"type": "string"}}

    assert replace_values(message, schema) == {
        "id": "xxx-00",
        "at": "0A-00",
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


@pytest.mark.parametrize("shown", ["cus_A1b", {"id": "cus_A1b", "object": "customer"}])
def test_few_ids_may_be_objects(shown: Any) -> None:
    """An id with its type, and the object with one, stand for each other, unless a route needs the text."""
    messages = [{"id": f"e{number}", "customer": shown} for number in range(3)]
    assert infer_schema(messages)["properties"]["customer"]["type"] == ["string", "object", "null"]
    many = infer_schema([{"customer": shown}] * MANY)["properties"]["customer"]["type"]
    assert many == kind_of(shown)


@pytest.mark.parametrize("shown", ["in_progress", "A-1", 1, {"id": 1}, {"id": "cus_1"}, {"object": "customer"}])
def test_few_other_values_have_one_type(shown: Any) -> None:
    """They are no ids with a type."""
    found = infer_schema([{"x": shown}] * 3)["properties"]["x"]["type"]
    assert found == [kind_of(shown).replace("integer", "number"), "null"]


def test_few_properties_of_several_types_are_no_map() -> None:
    """Each has a type of its own, and others any."""
    values = ("text", 1, True, ["list"])
    messages = [{"at": {f"name{number}{index}": value for index, value in enumerate(values)}} for number in range(3)]
    assert "additionalProperties" not in infer_schema(messages)["properties"]["at"]
    labels = [{"at": {f"name{number}{index}": "text" for index in range(4)}} for number in range(3)]
    assert infer_schema(labels)["properties"]["at"]["additionalProperties"]["type"] == ["string", "null"]
