"""Texts and numbers that satisfy several schemas."""

from typing import Any

import pytest

from router.check.analysis.scalars import make_number


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
        ([{"minimum": 3, "exclusiveMinimum": True}], [3, 4, 10**7 + 3]),
    ],
)
def test_numbers(schemas: list[dict[str, Any]], numbers: list[int]) -> None:
    """Variants, within the bounds where there are two: two are near the bound, and one is far away."""
    assert [make_number(schemas, variant, whole=True) for variant in range(3)] == numbers
