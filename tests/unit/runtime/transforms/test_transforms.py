"""The built-in transforms."""

import base64
import doctest
import json
import sys
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.runtime.transforms import FUNCTIONS as T
from tests.support.engine import encode_item

TRANSFORMS = list(T.values())
NUMBERS = st.integers(-(10**40), 10**40) | st.decimals(allow_nan=False, allow_infinity=False)
MOST = 10**38 - 1
"""DynamoDB stores numbers of up to 38 digits."""
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.__name__)
def test_the_example_of_a_transform_is_true(transform: Any) -> None:
    """Each docstring has an example, and it gives what it says."""
    module = sys.modules[transform.__module__]
    runner = doctest.DocTestRunner()
    (found,) = doctest.DocTestFinder().find(transform, transform.__name__, globs={**vars(module), "Decimal": Decimal})
    assert runner.run(found) == (0, 1)


def test_each_is_named_as_its_function() -> None:
    """Each transform is found by its function's name."""
    assert list(T) == [transform.__name__ for transform in TRANSFORMS]


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("truncate", ("a", 0), ""),
        ("split", ("", ","), []),
        ("split", ("a,,", ","), ["a", "", ""]),
        ("base64_encode", (b"\xff",), "/w=="),
        ("sha256", (b"hello",), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        ("parse_json", ("[" * 64 + "1" + "]" * 64,), json.loads("[" * 64 + "1" + "]" * 64)),
        ("to_number", (" 7 ",), 7),
        ("to_number", (Decimal("1.5"),), Decimal("1.5")),
        ("to_number", ("-.5e1",), Decimal(-5)),
        ("to_number", ("5.",), Decimal(5)),
        ("to_text", ("a",), "a"),
        ("to_text", (b"\xc3\xa9",), "é"),
        ("to_text", (False,), "false"),
        ("to_text", (10**30,), "1" + "0" * 30),
        ("to_text", (Decimal("1.0"),), "1"),
        ("to_text", (Decimal("-12.50"),), "-12.5"),
        ("to_text", (Decimal("-0.00"),), "0"),
        ("to_text", (Decimal("1." + "0" * 4000),), "1"),
        ("to_bool", (0,), False),
        ("to_bool", (Decimal("1.0"),), True),
        ("to_bool", (True,), True),
        ("round", (7, 2), 7),
        ("round", (Decimal("2.5"), 0), 2),
        ("round", (Decimal("2.5"), 0, "half_up"), 3),
        ("round", (155, -1), 160),
        ("scale", (3, 2), 6),
        ("scale", (Decimal("1." + "1" * 50), 10), Decimal("11." + "1" * 49)),
        ("to_iso", (Decimal("1.2345"), "s"), "1970-01-01T00:00:01.234Z"),
        ("to_iso", (Decimal("-0.5"), "ms"), "1969-12-31T23:59:59.999Z"),
        ("to_iso", (253402300799999, "ms"), "9999-12-31T23:59:59.999Z"),
        ("to_epoch", ("1970-01-01T01:00:00.9+01:00",), 0),
        ("to_epoch", ("0001-01-01T00:00:00+23:59",), -62135683140),
        ("to_epoch", ("0000-02-29t12:00:00z",), -62162078400),
        ("to_epoch", ("1998-12-31T23:59:60.9Z",), 915148800),
        ("to_epoch_ns", ("1970-01-01T01:00:00.9+01:00",), 900_000_000),
        ("to_epoch_ns", ("1969-12-31T23:59:59.1234567899z",), -876_543_211),
        ("to_epoch_ns", ("0000-02-29T12:00:00Z",), -62162078400 * 10**9),
        ("to_epoch_ns", ("1998-12-31T23:59:60.9Z",), 915148800_900_000_000),
        ("to_epoch_ns", ("20260102T030405,5+0530",), 1767303245_500_000_000),
        ("join", ([True, 1, "a"], ""), "true1a"),
        ("join", ([Decimal("1.0"), Decimal("1e2")], ","), "1,100"),
        (
            "unique",
            ([1, True, Decimal("1.0"), {"a": [1]}, {"a": [Decimal(1)]}, None, None],),
            [1, True, {"a": [1]}, None],
        ),
        ("sort", ([Decimal("1.5"), 1],), [1, Decimal("1.5")]),
        ("sort", ([],), []),
        ("first", ([],), None),
        ("last", ([],), None),
        ("lookup", (1, {"1": "one"}), "one"),
        ("lookup", (Decimal("1.0"), {"1": "one"}), "one"),
        ("lookup", ("x", {}), None),
        ("lookup", ("x", {}, "other"), "other"),
        ("scale", (1999, Decimal("0.01")), Decimal("19.99")),
        ("url_decode", ("a+b%20c%2B%E4%BD%A0.txt",), "a b c+你.txt"),
        ("url_decode", ("",), ""),
        ("dynamodb_value", ({"S": ""},), ""),
        ("dynamodb_value", ({"N": "1E+2"},), Decimal(100)),
        ("dynamodb_value", ({"B": "AA=="},), b"\0"),
        ("dynamodb_value", ({"BOOL": False},), False),
        ("dynamodb_value", ({"NULL": True},), None),
        ("dynamodb_value", ({"M": {"S": {"L": [{"NULL": True}]}}},), {"S": [None]}),
        ("dynamodb_value", ({"NS": ["1", "1.0", "2"]},), {1, 2}),
        ("dynamodb_value", ({"BS": ["AA==", "AQ=="]},), {b"\0", b"\1"}),
        ("dynamodb_item", ({},), {}),
        ("dynamodb_item", ({"S": {"S": "x"}},), {"S": "x"}),
    ],
)
def test_results(name: str, arguments: tuple[Any, ...], result: Any) -> None:
    """What a transform gives, in value and type of list or text."""
    assert T[name](*arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("strip", (5,)),
        ("split", (None, ",")),
        ("parse_json", ("{",)),
        ("parse_json", ("[" * 65 + "]" * 65,)),
        ("parse_json", ('{"a":' * 65 + "1" + "}" * 65,)),
        ("parse_json", ("[" * 100_000,)),
        ("parse_json", ("1e99999999999999999999999",)),
        ("parse_json", ('"\ud800"',)),
        ("parse_json", (b"1",)),
        ("base64_encode", (5,)),
        ("base64_encode", ("\ud800",)),
        ("base64_decode", ("?",)),
        ("base64_decode", ("é",)),
        ("to_number", ("NaN",)),
        ("to_number", ("1_0",)),
        ("to_number", ("٣",)),
        ("to_number", ("1" * 5000,)),
        ("to_number", ("1e99999999999999999999999",)),
        ("to_number", (True,)),
        ("to_number", (1.5,)),
        ("to_number", (Decimal("NaN"),)),
        ("to_text", (None,)),
        ("to_text", (b"\xff",)),
        ("to_text", (Decimal("1e999999"),)),
        ("to_text", (10**5000,)),
        ("to_bool", ("maybe",)),
        ("to_bool", (2,)),
        ("round", ("1", 2)),
        ("round", (Decimal("1e999999"), 2)),
        ("scale", (Decimal("1e999999999999999999"), Decimal("1e10"))),
        ("scale", (Decimal("1e-999999999999999999"), Decimal("1e-999999999999999999"))),
        ("to_iso", ("1", "s")),
        ("to_iso", (10**20, "ms")),
        ("to_iso", (Decimal("1e999999999"), "s")),
        ("to_epoch", ("2026-01-02",)),
        ("to_epoch", ("soon",)),
        ("to_epoch", (5,)),
        ("to_epoch_ns", ("2026-01-02T03:04:05",)),
        ("to_epoch_ns", ("2026-01-02T03:04:05+01:00:00.5",)),
        ("to_epoch_ns", (5,)),
        ("join", ("ab", "")),
        ("join", ([None], "")),
        ("unique", ("a",)),
        ("sort", ([1, "a"],)),
        ("sort", ([True],)),
        ("sort", (["a", 1],)),
        ("first", ("a",)),
        ("lookup", ([], {})),
        ("url_decode", (5,)),
        ("url_decode", ("100%",)),
        ("url_decode", ("%zz",)),
        ("url_decode", ("%FF",)),
        ("dynamodb_value", ("x",)),
        ("dynamodb_value", ({},)),
        ("dynamodb_value", ({"S": "x", "N": "1"},)),
        ("dynamodb_value", ({"X": "x"},)),
        ("dynamodb_value", ({"S": 1},)),
        ("dynamodb_value", ({"N": 1},)),
        ("dynamodb_value", ({"N": "x"},)),
        ("dynamodb_value", ({"B": "?"},)),
        ("dynamodb_value", ({"BOOL": "true"},)),
        ("dynamodb_value", ({"NULL": False},)),
        ("dynamodb_value", ({"M": []},)),
        ("dynamodb_value", ({"L": {}},)),
        ("dynamodb_value", ({"SS": "x"},)),
        ("dynamodb_item", ([],)),
        ("dynamodb_item", ({"id": "x"},)),
    ],
)
def test_what_cannot_be_taken(name: str, arguments: tuple[Any, ...]) -> None:
    """A value that makes no sense raises ValueError or TypeError, and nothing else."""
    with pytest.raises((ValueError, TypeError)):
        T[name](*arguments)


@settings(deadline=None)
@given(NUMBERS)
def test_numbers_survive_text(number: Any) -> None:
    """A number as text and back is the same number."""
    assert T["to_number"](T["to_text"](number)) == number


@settings(deadline=None)
@given(st.binary())
def test_binary_survives_base64(value: bytes) -> None:
    """Base64 and back is the same binary."""
    assert T["base64_decode"](T["base64_encode"](value)) == value


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_survives_url_encoding(value: str) -> None:
    """Text that is URL-encoded as a form is, and back is the same text."""
    assert T["url_decode"](quote_plus(value)) == value


ITEMS = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-MOST, MOST)
        | st.text(max_size=3)
        | st.binary(max_size=3)
        | st.sets(st.text(max_size=3), min_size=1)
        | st.sets(st.integers(-MOST, MOST), min_size=1, max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@settings(deadline=None)
@given(ITEMS)
@example({"a": MOST, "b": {-MOST, MOST}})
def test_items_survive_the_json_of_dynamodb(item: dict[str, Any]) -> None:
    """An item as DynamoDB stores it, as JSON, and back is the same item."""
    encoded, _ = encode_item(item)

    as_json = json.loads(json.dumps(encoded, default=lambda binary: base64.b64encode(binary).decode()))

    assert T["dynamodb_item"](as_json) == item


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_scale_is_exact(number: Any, factor: Any) -> None:
    """The product is that of fractions, whatever the digits."""
    assert Fraction(T["scale"](number, factor)) == Fraction(number) * Fraction(factor)


@settings(deadline=None)
@given(st.lists(JSON, max_size=6))
def test_unique_keeps_one_of_each(values: list[Any]) -> None:
    """Nothing is left twice, nothing is lost, and once is enough."""
    once = T["unique"](values)
    assert (T["unique"](once), T["unique"](values + values)) == (once, once)


@settings(deadline=None)
@given(JSON, st.sampled_from([t for t in TRANSFORMS if t.__name__ not in ("replace", "round", "scale")]))
def test_any_value_is_transformed_or_refused(value: Any, transform: Any) -> None:
    """No value of a message makes a transform raise anything but ValueError and TypeError."""
    arguments: dict[str, list[Any]] = {"truncate": [3], "to_iso": ["s"], "lookup": [{}]}
    given_ = arguments.get(
        transform.__name__, [","] if transform.__name__ in ("split", "join", "prefix", "suffix") else []
    )
    with suppress(ValueError, TypeError):
        transform(value, *given_)


def test_unique_is_quick_where_hashes_collide() -> None:
    """Numbers that Python's hash does not tell apart are reported apart by their text."""
    numbers = [number * (2**61 - 1) for number in range(1, 43_000)]

    assert T["unique"]([*numbers, *map(Decimal, numbers)]) == numbers


@given(
    st.integers()
    | st.builds(
        lambda digits, exponent: Decimal(f"{digits}e{exponent}"), st.integers(-(10**38), 10**38), st.integers(-300, 300)
    )
)
@settings(deadline=None)
def test_numbers_as_text(number: Any) -> None:
    """The text is exact and plain, and equal numbers have one text, however they are spelled."""
    text = T["to_text"](number)

    spelled = Decimal(f"{number}.000") if isinstance(number, int) else number * Decimal("1.000")
    assert (Decimal(text), "E" in text) == (number, False)
    assert spelled != number or T["to_text"](spelled) == text
