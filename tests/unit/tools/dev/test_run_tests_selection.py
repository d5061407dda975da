"""Selection of tests by an expression."""

import pytest

from router.errors import UsageError
from router.tools.dev.selection import select_tests

NAMES = [("orders", "one line"), ("orders", "two lines"), ("users", "Line or not")]


@pytest.mark.parametrize(
    ("expression", "intended"),
    [
        ("", [0, 1, 2]),
        ("orders", [0, 1]),
        ("ORDERS and two", [1]),
        ("one or users", [0, 2]),
        ("not orders", [2]),
        ("not (one or two)", [2]),
        ("orders and not one or users", [1, 2]),
        ("'one line'", [0]),
        ('"or not"', [2]),
        ("'or'", [0, 1, 2]),
        ("'orders: two'", [1]),
        ("nothing", []),
    ],
)
def test_expressions(expression: str, intended: list[int]) -> None:
    """Words match parts of the route and name; and, or, not and parentheses combine them."""
    chosen = select_tests(expression)

    assert [index for index, name in enumerate(NAMES) if chosen(*name)] == intended


@pytest.mark.parametrize("expression", ["and", "a b", "(a", "a)", "not", "a or", "()", "'a"])
def test_what_is_none(expression: str) -> None:
    """The error quotes the expression."""
    with pytest.raises(UsageError, match="does not select tests"):
        select_tests(expression)
