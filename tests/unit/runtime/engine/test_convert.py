"""Values become what `type:` asks for, or the reason why not."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.runtime.engine.convert import CONVERTERS, scalar_text

BIG = 12345678901234567891


@pytest.mark.parametrize(
    ("kind", "value", "converted"),
    [
        ("S", "x", "x"),
        ("S", BIG, "12345678901234567891"),
        ("S", -BIG, "-12345678901234567891"),
        ("S", Decimal("1.50"), "1.5"),
        ("S", Decimal("1E3"), "1000"),
        ("S", Decimal("-0.0"), "0"),
        ("S", Decimal("0E-999999999"), "0"),
        ("S", 10**150, "1" + "0" * 150),
        ("N", 5, 5),
        ("N", Decimal("1.5"), Decimal("1.5")),
        ("N", "12345678901234567891.5", Decimal("12345678901234567891.5")),
        ("N", "-.5e-3", Decimal("-0.0005")),
        ("N", "+1.E2", Decimal(100)),
        ("B", b"x", b"x"),
        ("B", "AP8=", b"\x00\xff"),
        ("B", "", b""),
        ("BOOL", False, False),
        ("L", [1, None], [1, None]),
        ("M", {"a": 1}, {"a": 1}),
        ("SS", ["b", "a", "b", 1], {"a", "b", "1"}),
        ("SS", frozenset({"a"}), {"a"}),
        ("SS", [], None),
        ("SS", set(), None),
        ("NS", [1, "1.0", Decimal("1e0"), 2], {1, 2}),
        ("BS", ["AA==", b"\x00"], {b"\x00"}),
        ("json", {"a": [1, Decimal("1.10"), None]}, '{"a":[1,1.10,null]}'),
        ("json", 2**70, "1180591620717411303424"),
        ("json", Decimal("1E+5"), "1E+5"),
        ("json", "é", '"é"'),
    ],
)
def test_values_are_converted_to_a_type(kind: Any, value: Any, converted: Any) -> None:
    """Exactly, whatever the size of a number."""
    assert repr(CONVERTERS[kind](value)) == repr(converted) or CONVERTERS[kind](value) == converted


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("S", True, "is no text"),
        ("S", [], "is no text"),
        ("S", b"x", "is no text"),
        ("S", Decimal("1E151"), "is a number out of range"),
        ("S", Decimal("1E-151"), "is a number out of range"),
        ("S", 10**151, "is a number out of range"),
        ("S", Decimal("NaN"), "is a number out of range"),
        ("N", "", "is no number"),
        ("N", "1 ", "is no number"),
        ("N", "NaN", "is no number"),
        ("N", "0x10", "is no number"),
        ("N", "1_000", "is no number"),
        ("N", "1e1000", "is no number"),
        ("N", "\u0661", "is no number"),
        ("N", True, "is no number"),
        ("N", 1.5, "is no number"),
        ("B", "?", "is no base64 text"),
        ("B", "AP8", "is no base64 text"),
        ("B", "é", "is no base64 text"),
        ("B", 1, "is no base64 text"),
        ("BOOL", 1, "is neither true nor false"),
        ("BOOL", "true", "is neither true nor false"),
        ("L", "abc", "is no list"),
        ("M", [], "is no object"),
        ("SS", "abc", "is no list"),
        ("SS", ["a", True], "has an element that is no text"),
        ("SS", ["a", None], "has an element that is no text"),
        ("NS", [1, "x"], "has an element that is no number"),
        ("BS", ["AA==", "?"], "has an element that is no base64 text"),
        ("json", object(), "cannot be written as JSON"),
        ("json", "\ud800", "cannot be written as JSON"),
    ],
)
def test_other_values_are_refused_without_showing_them(kind: Any, value: Any, why: Any) -> None:
    """The reason tells what the value is not."""
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        CONVERTERS[kind](value)


@pytest.mark.parametrize(
    ("value", "text"), [("x", "x"), (True, "true"), (False, "false"), (BIG, str(BIG)), (Decimal("2.50"), "2.5")]
)
def test_scalars_have_one_text(value: Any, text: Any) -> None:
    """Templates and hashes use it."""
    assert scalar_text(value) == text


@pytest.mark.parametrize("value", [None, [], {}, b"", 1.5])
def test_other_values_have_no_text(value: Any) -> None:
    """Neither lists and maps, nor values that JSON does not have."""
    with pytest.raises(ValueError, match=r"^is no text, number or boolean$"):
        scalar_text(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
@settings(deadline=None)
def test_json_text_has_the_value(value: Any) -> None:
    """Numbers are exact in the text, too."""
    assert json.loads(CONVERTERS["json"](value), parse_float=Decimal) == value


@pytest.mark.parametrize("write", [int, str, Decimal])
def test_numbers_with_equal_hashes(write: Any) -> None:
    """A set of thousands of numbers whose hashes collide is refused at once: to build it would take seconds."""
    numbers = [write(number * (2**61 - 1)) for number in range(1, 43_000)]

    with pytest.raises(ValueError, match="has an element that is one of too many numbers with the same hash"):
        CONVERTERS["NS"](numbers)


def test_a_large_set() -> None:
    """A set of thousands of other numbers, each of them several times, is converted."""
    numbers = [*range(5_000), *map(str, range(5_000)), *[7] * 5_000]

    assert CONVERTERS["NS"](numbers) == set(range(5_000))
