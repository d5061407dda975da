"""What patterns and formats say of the texts of a schema."""

from typing import Any

import pytest

from router.prover.text_patterns import has_no_text, one_of, patterns_in


@pytest.mark.parametrize(
    ("schema", "patterns"),
    [
        ({"type": "string"}, []),
        ({"pattern": "^a", "format": "date"}, ["^a", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"]),
        ({"pattern": {}, "format": "regex"}, []),
        ({"enum": ["a.b", 1, "c"]}, [r"(^a\.b$)|(^c$)"]),
        ({"enum": [1]}, [r"[^\s\S]"]),
        ({"enum": [f"{number}" for number in range(21)]}, []),
        ({"minLength": 2}, [r"^[\s\S]{2}"]),
        ({"minLength": 5000}, [r"^[\s\S]{40}"]),
    ],
)
def test_patterns_of_a_schema(schema: dict[str, Any], patterns: list[str]) -> None:
    """Each of its texts matches them."""
    assert patterns_in(schema) == patterns


def test_one_of_patterns() -> None:
    """A text that matches one of them matches it, and no other."""
    assert one_of(["^a$", "b"]) == "(^a$)|(b)"


@pytest.mark.parametrize(
    ("schemas", "none"),
    [
        ([{"pattern": "^ORD-[0-9]+$", "format": "json-pointer"}], True),
        ([{"format": "email"}, {"format": "ipv4"}], True),
        ([{"pattern": "^a"}, {"pattern": "b$"}], False),
        ([{"pattern": "^a"}, {"pattern": "(?=b)"}], False),
        ([{"pattern": "^a"}, {"minLength": 5}], False),
    ],
)
def test_schemas_without_a_text(schemas: list[dict[str, Any]], none: bool) -> None:
    """Only what is proved counts."""
    assert has_no_text(schemas) == none
