"""Texts and numbers that satisfy several schemas."""

from decimal import Decimal
from typing import Any

import pytest

from router.prover.scalars import Stuck, generate_number, generate_text


@pytest.mark.parametrize(
    ("schemas", "numbers"),
    [
        ([{}], [0, 1, 10**7]),
        ([{"minimum": 3}, {"minimum": 5}], [5, 6, 10**7 + 5]),
        ([{"maximum": 5}, {"maximum": 7}], [5, 4, 5 - 10**7]),
        ([{"minimum": 1, "maximum": 1}], [1, 1, 1]),
        ([{"maximum": 7, "multipleOf": 5}], [5, 0, 5 - 10**7]),
        ([{"minimum": 7, "multipleOf": 3}], [9, 12, 10**7 + 8]),
        ([{"exclusiveMinimum": 3}], [4, 5, 10**7 + 4]),
        ([{"exclusiveMaximum": 3}], [2, 1, 2 - 10**7]),
        ([{"minimum": 3, "exclusiveMinimum": True}], [4, 5, 10**7 + 4]),
        ([{"minimum": Decimal("-1.79e308"), "maximum": Decimal("1.79e308")}], [0, 1, 10**7]),
        ([{"exclusiveMinimum": Decimal("1e30")}], [10**30 + 1, 10**30 + 2, 10**30 + 10**7 + 1]),
        ([{"minimum": 5, "multipleOf": Decimal("1e-40")}], [5, 5, 10**7 + 5]),
    ],
)
def test_numbers(schemas: list[dict[str, Any]], numbers: list[int]) -> None:
    """Variants, within the bounds where there are two: two are near the bound, and one is far away."""
    assert [generate_number(schemas, variant, whole=True) for variant in range(3)] == numbers


@pytest.mark.parametrize("schema", [{"minimum": Decimal("1e400")}, {"multipleOf": Decimal("1e999999")}])
def test_numbers_that_no_message_needs(schema: dict[str, Any]) -> None:
    """DynamoDB stores none that is so great, and Python takes minutes for one of a million digits."""
    with pytest.raises(Stuck):
        generate_number([schema], 1, whole=False)


def test_a_long_text_is_not_searched() -> None:
    """The automaton has a state for each character: what was tried first is returned, though it does not match."""
    assert generate_text([{"pattern": "^a{2}$", "minLength": 300}], 0) == "a" * 300


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$", "2026-01-02T03:04:05.000Z"),
        (r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+]02:00$", "2026-01-02T03:04:05+02:00"),
        (r"^[0-9-]{10}T[0-9:]{8}\.[0-9]{6}[-]0[0-9]:00$", "2026-01-02T03:04:05.000000-00:00"),
        ("Z$", "2026-01-02T03:04:05Z"),
    ],
)
def test_a_time_in_one_notation(pattern: str, text: str) -> None:
    """A pattern can narrow the format of a time to a fraction of some digits, or an offset."""
    assert generate_text([{"format": "date-time", "pattern": pattern}], 0) == text
