"""Anonymizes numbers by others with the same sign, as many digits and the same place among those of the config."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, gcd, lcm

from msgspec import Struct

from router.tools.change.anonymous_texts import Draw, other_index

Number = int | Decimal
_LARGEST = 60
"""The greatest exponent of a number that is compared with those of the config; one beyond keeps its exponent."""


_MOST_DIGITS = 100
_MOST_BITS = 330
"""As many as a whole number of so many digits has."""


class NumberScale(Struct, frozen=True):
    """The numbers that schemas and expressions name, in their order, and the numbers of `multipleOf`."""

    named: tuple[Fraction, ...]
    factors: tuple[Fraction, ...] = ()


def scale_of(named: Iterable[Number], factors: Iterable[Number] = ()) -> NumberScale:
    """Return a scale. Zero is always on it: whether a number is one decides about much."""
    numbers = sorted({Fraction(0), *map(Fraction, named)})
    return NumberScale(tuple(numbers), tuple(map(Fraction, factors)))


def is_comparable(number: Number) -> bool:
    """Return whether a number has so few digits and zeros that it can be computed with."""
    if isinstance(number, int):
        return number.bit_length() <= _MOST_BITS
    return abs(number.adjusted()) <= _LARGEST and len(number.as_tuple().digits) <= _MOST_DIGITS


def other_number(number: Number, scale: NumberScale, draw: Draw, longer: int) -> Number:
    """Return another number, of up to `longer` more digits; the number itself if there is no other.

    It is between the same numbers of the scale, a multiple of the same factors, and a whole number if the number is.
    """
    if not number:
        return number
    if not is_comparable(number):
        return _with_exponent(Decimal(number), draw)
    value = Fraction(number)
    step = _step(number, value, scale)
    digits = len(str(abs(floor(abs(value))))) if abs(value) >= 1 else 0
    for more in (longer, longer + 1):
        least, most = _span(value, step, scale, digits, more)
        if most > least:
            index = other_index(int(value / step) - least, most - least + 1, draw)
            return render((least + index) * step, number)
    return number


def _step(number: Number, value: Fraction, scale: NumberScale) -> Fraction:
    """Return the distance of the numbers that may replace a number."""
    exponent = 0 if isinstance(number, int) else int(number.as_tuple().exponent)
    step = Fraction(10) ** exponent
    while step < 1 and (value / (step * 10)).denominator == 1:
        step *= 10  # 1.50 is equal to 1.5, and 2.00 to 2
    for factor in scale.factors:
        if factor > 0 and (value / factor).denominator == 1:
            numerator = lcm(step.numerator, factor.numerator)
            step = Fraction(numerator, gcd(step.denominator, factor.denominator))
    return step


def _span(
    value: Fraction, step: Fraction, scale: NumberScale, digits: int, longer: int
) -> tuple[int, int]:
    """Return the least and the greatest multiple of the step that may replace a value."""
    size = Fraction(10) ** (digits - 1) if digits else Fraction(0)
    beyond = Fraction(10) ** (digits + longer)
    # The bound that has one digit more is not taken.
    if value > 0:
        least, most = ceil(size / step), ceil(beyond / step) - 1
    else:
        least, most = floor(-beyond / step) + 1, floor(-size / step)
    before = bisect_left(scale.named, value)
    after = bisect_right(scale.named, value)
    if before:
        least = max(least, floor(scale.named[before - 1] / step) + 1)
    if after < len(scale.named):
        most = min(most, ceil(scale.named[after] / step) - 1)
    return least, most


def _with_exponent(number: Decimal, draw: Draw) -> Decimal:
    """Return a number with other digits and the same exponent."""
    sign, digits, exponent = number.as_tuple()
    changed = [(digit + 1 + draw(9)) % 10 for digit in digits]
    changed[0] = 1 + (digits[0] + draw(8)) % 9
    return Decimal((sign, tuple(changed), int(exponent)))


def render(value: Fraction, like: Number) -> Number:
    """Return a number in the notation of another one: as int, or with as many digits after the point."""
    if isinstance(like, int):
        return int(value)  # a whole number, as each that replaces one
    exponent = int(like.as_tuple().exponent)
    while (value / Fraction(10) ** exponent).denominator != 1:
        exponent -= 1
    scaled = int(value / Fraction(10) ** exponent)
    return Decimal((int(scaled < 0), tuple(map(int, str(abs(scaled)))), exponent))
