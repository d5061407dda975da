"""Which numbers may replace a number when it is anonymized."""

from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from router.tools.change.anonymous_numbers import Number, is_comparable, other_number, scale_of


def masks(number: Number, named: Iterable[Any] = (), factors: Iterable[Any] = (), longer: int = 0) -> list[Number]:
    """Replacements of a number; of so many, each that may be is one."""
    draw = Random(1).randrange
    scale = scale_of(named, factors)
    return [other_number(number, scale, draw, longer) for _ in range(1500)]


def steps(first: str, last: str, step: str, without: str = "") -> list[str]:
    """Texts of numbers at equal distances."""
    least, most, distance = map(Decimal, (first, last, step))
    count = int((most - least) / distance) + 1
    return [text for text in (str(least + index * distance) for index in range(count)) if text != without]


@pytest.mark.parametrize(
    ("number", "named", "factors", "expected"),
    [
        ("1", (), (), steps("2", "9", "1")),
        ("9", (), (), steps("1", "8", "1")),
        ("10", (), (), steps("11", "99", "1")),
        ("-5", (), (), steps("-9", "-1", "1", "-5")),
        ("-50", (), (), steps("-99", "-10", "1", "-50")),
        ("14", (), (7,), steps("21", "98", "7")),
        ("-14", (), (7,), steps("-98", "-21", "7")),
        ("0.5", (), (), steps("0.1", "0.9", "0.1", "0.5")),
        ("-0.05", (), (), steps("-0.99", "-0.01", "0.01", "-0.05")),
        ("1.50", (), (), steps("1.00", "9.90", "0.10", "1.50")),
        ("2.00", (), (), steps("1.00", "9.00", "1.00", "2.00")),
        ("10.0", (), (), steps("11.0", "99.0", "1.0")),
        ("1E+5", (), (), [f"{digit}E+5" for digit in range(2, 10)]),
        ("50", (40, 60), (), steps("41", "59", "1", "50")),
        ("50", (-60, 45, 55.5), (), steps("46", "55", "1", "50")),
        ("-50", (-60, -45, 50), (), steps("-59", "-46", "1", "-50")),
        ("-5", (-7,), (), steps("-6", "-1", "1", "-5")),
        ("50.5", (50, 52), (), steps("50.1", "51.9", "0.1", "50.5")),
        ("10", (), (5,), steps("15", "95", "5")),
        ("10", (), (3, 5, 0), steps("15", "95", "5")),
        ("30", (), (3, 5), steps("15", "90", "15", "30")),
        ("1.5", (), ("0.25",), steps("1.0", "9.5", "0.5", "1.5")),
        ("12", (), ("1.5",), steps("15", "99", "3")),
        ("5", (4, 6), (), ["5"]),
        ("9", (8,), (), steps("10", "99", "1")),
        ("2", (1, 4), (), ["2", "3"]),
        ("2", (0, 4), (), ["1", "2", "3"]),
        ("2", (0, 5), (), ["1", "3", "4"]),
        ("0", (), (), ["0"]),
        ("0.00", (), (), ["0.00"]),
    ],
)
def test_the_numbers_that_may_replace_one(number: str, named: Any, factors: Any, expected: list[str]) -> None:
    """All with as many digits, between the same numbers of the config, and multiples of the same ones.

    The notation stays; of fewer than four, the number is one of them.
    """
    given = int(number) if number.lstrip("-").isdigit() else Decimal(number)

    found = masks(given, map(Decimal, named), map(Decimal, factors))

    assert {type(each) for each in found} == {type(given)}
    assert sorted(map(str, {*found})) == sorted(expected)


@pytest.mark.parametrize(("longer", "greatest"), [(0, 9), (1, 99), (2, 999)])
def test_a_longer_number(longer: int, greatest: int) -> None:
    """Of up to so many more digits."""
    found = masks(5, longer=longer)

    assert (min(found), 5 in found, max(found) <= greatest, max(found) > greatest // 2) == (1, False, True, True)


def test_a_number_that_is_too_large_to_compare() -> None:
    """Its sign and exponent stay, and each digit is another one; the first is no zero."""
    found = [str(each) for each in masks(Decimal("-1.23E+999"))]

    assert {each.replace(".", "")[4:] for each in found} == {"E+999"}
    assert [{each.replace(".", "")[at] for each in found} for at in (1, 2, 3)] == [
        {*"23456789"},
        {*"013456789"},
        {*"012456789"},
    ]
    assert {each[0] for each in found} == {"-"}
    assert {str(each) for each in masks(Decimal("9E-999"))} == {f"{digit}E-999" for digit in range(1, 9)}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (2**330 - 1, True),
        (-(2**330), False),
        (Decimal("9.99E+60"), True),
        (Decimal("1E+61"), False),
        (Decimal("1E-60"), True),
        (Decimal("9E-61"), False),
        (Decimal("1." + "1" * 99), True),
        (Decimal("1." + "1" * 100), False),
    ],
)
def test_what_can_be_computed_with(number: Number, expected: bool) -> None:
    """Neither an exponent of millions nor thousands of digits."""
    assert is_comparable(number) is expected
