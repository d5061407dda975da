"""Texts and numbers that satisfy several schemas."""

from typing import Any

import pytest

from router.check.analysis.scalars import make_number


@pytest.mark.parametrize(
    ("schemas", "numbers"),
    [
        ([{}], [0, 1]),
        ([{"minimum": 3}, {"minimum": 5}], [5, 6]),
        ([{"maximum": 5}, {"maximum": 7}], [5, 4]),
        ([{"minimum": 1, "maximum": 1}], [1, 1]),
        ([{"maximum": 7, "multipleOf": 5}], [5, 0]),
        ([{"minimum": 7, "multipleOf": 5}], [10, 15]),
        ([{"exclusiveMinimum": 3}], [4, 5]),
        ([{"exclusiveMaximum": 3}], [2, 1]),
        ([{"minimum": 3, "exclusiveMinimum": True}], [3, 4]),
    ],
)
def test_numbers(schemas: list[dict[str, Any]], numbers: list[int]) -> None:
    """Two variants, within the bounds where there are two."""
    assert [make_number(schemas, variant, whole=True) for variant in range(2)] == numbers
