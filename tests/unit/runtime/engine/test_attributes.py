"""Values as DynamoDB stores them: exact, measured, and bounded as DynamoDB bounds them."""

import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.codes import BAD_ITEM, BAD_KEY
from router.errors import Rejection
from router.runtime.engine.attributes import (
    MAX_ITEM_BYTES,
    MAX_NAME_BYTES,
    encode_item,
    encode_number,
    identify,
    memory_bytes,
)
from tests.support.memory import decode_item

TOO_PRECISE = "a number of more than 38 digits or out of range"
NO_NUMBER = "NaN and Infinity are no numbers"
DIGITS = "12345678901234567890123456789012345678"

DECIMALS = st.builds(
    lambda sign, digits, adjusted: Decimal((sign, tuple(map(int, digits)), adjusted - len(digits) + 1)),
    st.integers(0, 1),
    st.from_regex(r"[1-9][0-9]{0,37}", fullmatch=True),
    st.integers(-130, 125),
)
NUMBERS = st.integers(-(10**38) + 1, 10**38 - 1) | DECIMALS
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
SETS = (
    st.sets(TEXT, min_size=1, max_size=3)
    | st.sets(st.binary(max_size=3), min_size=1, max_size=3)
    | st.sets(NUMBERS, min_size=1, max_size=3)
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT | st.binary(max_size=5) | SETS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
ITEMS = st.dictionaries(TEXT.filter(bool), VALUES, max_size=5)


def rejection(call: Any, *arguments: Any) -> Any:
    """The code and reason that a call is refused with."""
    with pytest.raises(Rejection) as raised:
        call(*arguments)
    return raised.value.code, raised.value.reason


def typed(value: Any) -> Any:
    """The value with its kind, so that 1 and True differ, and 1 and 1.0 do not."""
    match value:
        case bool():
            return "BOOL", value
        case int() | Decimal():
            return "N", Decimal(value)
        case list():
            return "L", [typed(each) for each in value]
        case dict():
            return "M", {name: typed(each) for name, each in value.items()}
        case _:
            return type(value).__name__, value


def nested(depth: Any, of: Any = list) -> Any:
    """A list or map that is nested so deep."""
    value = of()
    for _ in range(depth - 1):
        value = [value] if of is list else {"a": value}
    return value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-7, "-7"),
        (10**38 - 1, "9" * 38),
        (10**38, "1" + "0" * 38),
        (10**125, "1" + "0" * 125),
        (2**53 + 1, "9007199254740993"),
        (-(2**53) - 1, "-9007199254740993"),
        (Decimal(DIGITS), DIGITS),
        (Decimal(f"0.{DIGITS}"), f"0.{DIGITS}"),
        (Decimal("1E-130"), f"0.{'0' * 129}1"),
        (Decimal("-1E-130"), f"-0.{'0' * 129}1"),
        (Decimal("9.99E125"), "999" + "0" * 123),
        (Decimal(f"9.{'9' * 37}E125"), "9" * 38 + "0" * 88),
        (Decimal("-0"), "0"),
        (Decimal("-0.00"), "0"),
        (Decimal("0E-500"), "0"),
        (Decimal("0E+500"), "0"),
        (Decimal("1.500"), "1.5"),
        (Decimal("100"), "100"),
        (Decimal("1E2"), "100"),
        (Decimal("1." + "0" * 60), "1"),
    ],
)
def test_numbers_that_dynamodb_holds_are_written_exactly(number: Any, text: Any) -> None:
    """Only significant digits count, and the text has neither exponent nor trailing zeros."""
    assert encode_number(number) == text


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (10**38 + 1, TOO_PRECISE),
        (int("1" * 39), TOO_PRECISE),
        (Decimal("1" * 39), TOO_PRECISE),
        (Decimal(f"1.{'0' * 37}1"), TOO_PRECISE),
        (Decimal("1E-131"), TOO_PRECISE),
        (Decimal("1E126"), TOO_PRECISE),
        (Decimal("-1E126"), TOO_PRECISE),
        (10**126, TOO_PRECISE),
        (Decimal("1E999999999999999999"), TOO_PRECISE),
        (Decimal("sNaN"), TOO_PRECISE),
        (Decimal("NaN"), NO_NUMBER),
        (Decimal("Infinity"), NO_NUMBER),
    ],
)
def test_numbers_that_dynamodb_would_round_are_refused(number: Any, reason: Any) -> None:
    """A number is stored exactly or not at all."""
    assert rejection(encode_number, number) == (BAD_ITEM, reason)


@given(NUMBERS)
@settings(deadline=None)
def test_a_number_is_read_back_as_it_was(number: Any) -> None:
    """No digit is lost on the way."""
    assert Decimal(encode_number(number)) == number


@pytest.mark.parametrize(
    ("value", "encoded", "size"),
    [
        ("", {"S": ""}, 0),
        ("abc", {"S": "abc"}, 3),
        ("é€😀", {"S": "é€😀"}, 9),
        (0, {"N": "0"}, 1),
        (1, {"N": "1"}, 2),
        (100, {"N": "100"}, 2),
        (-123, {"N": "-123"}, 3),
        (Decimal("0.0012"), {"N": "0.0012"}, 2),
        (Decimal("12.345"), {"N": "12.345"}, 4),
        (10**38 - 1, {"N": "9" * 38}, 20),
        (True, {"BOOL": True}, 1),
        (None, {"NULL": True}, 1),
        (b"\x00\xff", {"B": b"\x00\xff"}, 2),
        (b"", {"B": b""}, 0),
        ([], {"L": []}, 3),
        (("a", True), {"L": [{"S": "a"}, {"BOOL": True}]}, 3 + 2 + 1 + 1),
        ({}, {"M": {}}, 3),
        ({"é": "x", "": None}, {"M": {"é": {"S": "x"}, "": {"NULL": True}}}, 3 + 2 + 2 + 1 + 1),
        ({"a": [{}]}, {"M": {"a": {"L": [{"M": {}}]}}}, 3 + 1 + 1 + 3 + 1 + 3),
        ({"b", "é", ""}, {"SS": ["", "b", "é"]}, 3),
        ({10, Decimal("9.5"), 2}, {"NS": ["2", "9.5", "10"]}, 6),
        (frozenset({b"b", b"ab"}), {"BS": [b"ab", b"b"]}, 3),
        (Decimal("-1.5"), {"N": "-1.5"}, 2),
        ({Decimal("-1.5"), -21}, {"NS": ["-21", "-1.5"]}, 4),
        ({1, Decimal("1.0"), Decimal("1e0")}, {"NS": ["1"]}, 2),
    ],
)
def test_values_are_encoded_and_measured(value: Any, encoded: Any, size: Any) -> None:
    """Sizes are those of DynamoDB: two digits are a byte, maps and lists have 3 bytes and one per element."""
    assert encode_item({"näme": value}) == ({"näme": encoded}, 5 + size)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"a": 1.5}, "attribute 'a': DynamoDB has no type for a Python float; floats are not exact, use Decimal"),
        ({"a": object()}, "attribute 'a': DynamoDB has no type for a Python object"),
        ({"a": [1.5]}, "attribute 'a': DynamoDB has no type for a Python float; floats are not exact, use Decimal"),
        ({"a": {"b": bytearray()}}, "attribute 'a': DynamoDB has no type for a Python bytearray"),
        ({"a": {1: 2}}, "attribute 'a': a map has a name that is no text"),
        ({1: 2}, "an attribute has a name that is empty or no text"),
        ({"": 2}, "an attribute has a name that is empty or no text"),
        ({"é" * 32768: ""}, "an attribute has a name of more than 65535 bytes"),
        ({"a": set()}, "attribute 'a': an empty set"),
        ({"a": {"x", 1}}, "attribute 'a': a set of other things than all texts, all numbers or all binaries"),
        ({"a": {True}}, "attribute 'a': a set of other things than all texts, all numbers or all binaries"),
        ({"a": {None}}, "attribute 'a': a set of other things than all texts, all numbers or all binaries"),
        ({"a": {1.5}}, "attribute 'a': a set of other things than all texts, all numbers or all binaries"),
        ({"a": {Decimal("NaN"), Decimal(1)}}, f"attribute 'a': {NO_NUMBER}"),
        ({"a": {Decimal("1E126")}}, f"attribute 'a': {TOO_PRECISE}"),
        ({"a": "\ud800"}, "attribute 'a': a text with half a surrogate pair"),
        ({"a": {"\ud800"}}, "attribute 'a': a text with half a surrogate pair"),
        ({"a": {"\ud800": 1}}, "attribute 'a': a text with half a surrogate pair"),
        ({"\ud800": 1}, "a text with half a surrogate pair"),
    ],
)
def test_an_item_that_dynamodb_cannot_store_is_refused(item: Any, reason: Any) -> None:
    """The reason names the attribute and the fault, never the value."""
    assert rejection(encode_item, item, {"a"}) == (BAD_ITEM, reason)


@pytest.mark.parametrize("value", [1.5, "\ud800"])
def test_an_undeclared_name_is_not_shown(value: Any) -> None:
    """It may come from the sender, and be as private as a value."""
    code, reason = rejection(encode_item, {"secret": value}, {"a"})

    assert (code, reason.split(": ")[0]) == (BAD_ITEM, "attribute '*'")


@pytest.mark.parametrize("of", [list, dict])
def test_nesting_of_32_is_stored_and_33_refused(of: Any) -> None:
    """A list or map of the item itself is the first level."""
    encode_item({"a": nested(32, of)})

    assert rejection(encode_item, {"a": nested(33, of)}) == (BAD_ITEM, "attribute '*': nested deeper than 32")


def test_an_item_of_400_kb_is_stored() -> None:
    """Names count too: the boundary itself is allowed."""
    _, size = encode_item({"ab": "x" * (MAX_ITEM_BYTES - 2)})

    assert size == 409_600


def test_an_item_of_400_kb_of_names_is_stored() -> None:
    """Names may be all that an item has."""
    names = [letter * (MAX_ITEM_BYTES // 8) for letter in "abcdefgh"]

    assert encode_item(dict.fromkeys(names, "")) == ({name: {"S": ""} for name in names}, MAX_ITEM_BYTES)


@pytest.mark.parametrize(
    "value", [[""] * (MAX_ITEM_BYTES - 8), dict.fromkeys(map("{:07}".format, range(MAX_ITEM_BYTES // 8 - 1)), "")]
)
def test_an_item_of_400_kb_in_one_value_is_stored(value: Any) -> None:
    """An element takes a byte even if it is empty, and a member of a map the bytes of its name too."""
    encoded, size = encode_item({"value": value})

    assert (decode_item(encoded), size) == ({"value": value}, MAX_ITEM_BYTES)


def test_a_set_takes_the_last_byte_of_an_item() -> None:
    """One of its elements may be empty."""
    item = {"a": "x" * (MAX_ITEM_BYTES - 3), "b": {"", "x"}}
    encoded, size = encode_item(item)

    assert (decode_item(encoded), size) == (item, MAX_ITEM_BYTES)


def test_an_item_of_one_byte_more_is_refused() -> None:
    """One byte over 400 KB."""
    assert rejection(encode_item, {"ab": "x" * (MAX_ITEM_BYTES - 1)}) == (
        BAD_ITEM,
        "the item has more than 409600 bytes",
    )


def test_a_long_name_is_stored_below_64_kb() -> None:
    """The greatest name, in an item of more than its size."""
    _, size = encode_item({"n" * MAX_NAME_BYTES: "x"})

    assert size == 65_536


@pytest.mark.parametrize("inner", [[0] * MAX_ITEM_BYTES, {str(number): 0 for number in range(MAX_ITEM_BYTES // 5)}])
def test_the_deepest_value_may_be_too_large(inner: Any) -> None:
    """Then that is the reason, not its depth."""
    for _ in range(31):
        inner = [inner]

    assert rejection(encode_item, {"a": inner}) == (BAD_ITEM, "attribute '*': the item has more than 409600 bytes")


@given(ITEMS)
@settings(deadline=None)
def test_an_item_is_read_back_as_it_was(item: Any) -> None:
    """Decoding is the inverse of encoding."""
    encoded, _ = encode_item(item)

    assert typed(decode_item(encoded)) == typed(item)


def test_whole_numbers_are_read_as_integers() -> None:
    """In sets too; only numbers with a fraction are Decimals."""
    item = decode_item({"a": {"N": "-10"}, "b": {"N": "1.5"}, "c": {"NS": ["2", "2.5"]}})

    kinds = {type(each) for each in item["c"]}
    assert [type(item["a"]), type(item["b"]), kinds] == [int, Decimal, {int, Decimal}]


@given(ITEMS)
@settings(deadline=None, max_examples=50)
def test_equal_items_make_equal_requests(item: Any) -> None:
    """A message always results in the same request, sets included."""
    again, _ = encode_item(decode_item(encode_item(item)[0]))

    assert again == encode_item(item)[0]


PAIR = (("a", "S"), ("b", "N"))


@pytest.mark.parametrize(
    ("key", "item", "reason"),
    [
        (PAIR, {"b": 1}, "key attribute 'a' is missing"),
        (PAIR, {"a": "x"}, "key attribute 'b' is missing"),
        (PAIR, {"a": "", "b": 1}, "key attribute 'a' is empty"),
        (PAIR, {"a": 1, "b": 1}, "key attribute 'a' is of type N, the table's key is S"),
        (PAIR, {"a": "x", "b": "1"}, "key attribute 'b' is of type S, the table's key is N"),
        (PAIR, {"a": None, "b": 1}, "key attribute 'a' is of type NULL, the table's key is S"),
        ((("a", "B"),), {"a": b""}, "key attribute 'a' is empty"),
        ((("a", "S"),), {"a": "x" * 2049}, "key attribute 'a' has more than 2048 bytes"),
        ((("a", "S"),), {"a": "é" * 1024 + "x"}, "key attribute 'a' has more than 2048 bytes"),
        ((("a", "S"),), {"a": "😀" * 512 + "x"}, "key attribute 'a' has more than 2048 bytes"),
        ((("a", "B"),), {"a": b"x" * 2049}, "key attribute 'a' has more than 2048 bytes"),
        ((("a", "N"), ("b", "S")), {"a": 1, "b": "x" * 1025}, "key attribute 'b' has more than 1024 bytes"),
        ((("a", "N"), ("b", "S")), {"a": 1, "b": "é" * 513}, "key attribute 'b' has more than 1024 bytes"),
        ((("a", "N"), ("b", "B")), {"a": 1, "b": b"x" * 1025}, "key attribute 'b' has more than 1024 bytes"),
    ],
)
def test_invalid_keys_are_refused(key: Any, item: Any, reason: Any) -> None:
    """Missing, empty, of another type, or too long in bytes."""
    assert rejection(identify, "t", key, encode_item(item)[0]) == (BAD_KEY, reason)


@pytest.mark.parametrize(
    ("key", "item", "identity"),
    [
        ((("a", "S"),), {"a": "x" * 2048}, ("t", "x" * 2048)),
        ((("a", "S"),), {"a": "é" * 1024}, ("t", "é" * 1024)),
        ((("a", "B"),), {"a": b"\xff" * 2048}, ("t", "ff" * 2048)),
        ((("a", "N"), ("b", "S")), {"a": 1, "b": "é" * 512}, ("t", "1", "é" * 512)),
        ((("a", "N"), ("b", "B")), {"a": Decimal("1.0"), "b": b"x" * 1024}, ("t", "1", "78" * 1024)),
        ((("a", "N"),), {"a": Decimal("1E-130")}, ("t", f"0.{'0' * 129}1")),
        ((("a", "N"),), {"a": -(10**125)}, ("t", "-1" + "0" * 125)),
    ],
)
def test_keys_of_the_greatest_length_are_valid(key: Any, item: Any, identity: Any) -> None:
    """2048 bytes of a partition key and 1024 of a sort key; a number is never too long."""
    assert identify("t", key, encode_item(item)[0]) == identity


@pytest.mark.parametrize("text", ["1", "1.0", "1e0", "10E-1", "+1", "1.000"])
def test_a_number_in_a_key_is_identified_in_any_form(text: Any) -> None:
    """A server may return it in another form than it was sent in."""
    assert identify("t", (("a", "N"),), {"a": {"N": text}}) == ("t", "1")


KEYS = {
    "S": st.sampled_from(["a", "b", "ab", "1", "1.0", "61"]),
    "N": st.sampled_from([1, -1, 10, 0, *map(Decimal, ("1.0", "1E0", "1E1", "10", "-0", "0.0", "1.1", "-1.0"))]),
    "B": st.sampled_from([b"a", b"b", b"ab", b"1", b"61"]),
}


@st.composite
def key_pairs(draw: Any) -> Any:
    """The key of a table, and two items for it."""
    kinds = draw(st.lists(st.sampled_from("SNB"), min_size=1, max_size=2))
    key = tuple(zip("ab", kinds, strict=False))
    return key, *({name: draw(KEYS[kind]) for name, kind in key} for _ in range(2))


@given(key_pairs(), st.sampled_from(["t", "u"]))
@settings(deadline=None, max_examples=200)
def test_identities_are_equal_exactly_when_keys_are(pair: Any, other_table: Any) -> None:
    """Values compare whole and typed, numbers by value; order and table matter."""
    key, one, other = pair

    same = identify("t", key, encode_item(one)[0]) == identify(other_table, key, encode_item(other)[0])

    assert same == (one == other and other_table == "t")


DEEP: Any = []
for _ in range(30):
    DEEP = [*[0] * 60_000, DEEP]


@pytest.mark.parametrize(
    "value",
    [
        [1] * MAX_ITEM_BYTES,
        [[1] * 1_000] * 1_000,
        [{"a": [None] * 1_000}] * 1_000,
        {"a": {str(number): [0] * 1_000 for number in range(1_000)}},
        {str(number): "" for number in range(1_000_000)},
        DEEP,
        set(range(500_000)),
    ],
)
def test_encoding_stops_at_the_limit(value: Any) -> None:
    """An item that is far too large is not encoded to the end."""
    tracemalloc.start()
    try:
        assert rejection(encode_item, {"v": value})[1] == "attribute '*': the item has more than 409600 bytes"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * 1024 * 1024


def test_many_names_are_too_large() -> None:
    """The names alone can be more than an item holds."""
    item = {str(number): 1 for number in range(100_000)}

    assert rejection(encode_item, item) == (BAD_ITEM, "the item has more than 409600 bytes")


def test_attributes_are_too_large_together() -> None:
    """Each of them would fit alone."""
    item = {"a": [0] * 110_000, "b": [0] * 110_000, "c": 1}

    assert rejection(encode_item, item) == (BAD_ITEM, "the item has more than 409600 bytes")


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("abc", 1),
        ([1, True, None, [b"xy"]], 6),
        ({"a": {"b": {}}}, 3),
        ({"a", "b", "c"}, 4),
        ({1, 2}, 3),
    ],
)
def test_the_memory_of_an_item_grows_with_its_values(value: Any, values: int) -> None:
    """Each value counts, nested ones too, and texts and binaries by their length."""
    encoded, _ = encode_item({"v": value})

    assert memory_bytes(encoded) == values * 300 + {"abc": 3}.get(str(value), 2 if values == 6 else 0)
