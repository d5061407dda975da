"""Attribute values as text, against their structures."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from router.errors import Rejection
from router.model import Table
from router.runtime.engine.attributes import MAX_DIGITS, MAX_NESTING, encode_attribute
from router.runtime.engine.decode import decode_json
from router.runtime.engine.item_text import ESCAPED, SCALARS, UNESCAPED, ValueTexts, is_unescaped, texts_for
from router.runtime.engine.writes import Write
from tests.support.modes import MODES

# More digits are left to structures: see `test_bounds`.
INTEGERS = st.integers(1 - 10**MAX_DIGITS, 10**MAX_DIGITS - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.booleans())
@example('"', True)
@example("\\", False)
@example(["\x7f\u2028/<&"], False)
def test_texts_are_those_of_structures(value: Any, ascii_only: bool) -> None:
    """Of each value of JSON: verbatim where the text of a message allows it, and with escapes."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    data = decode_json(text)
    try:
        expected = msgspec.json.encode(encode_attribute("a", data, 0, shown=True)[0]).decode()
    except Rejection:
        return

    texts = [ESCAPED[data.__class__](data, 1)] + [UNESCAPED[data.__class__](data, 1)] * is_unescaped(text)

    assert texts == [expected] * len(texts)


def nested(depth: int, *, maps: bool) -> Any:
    """A list or map that contains one, and so on."""
    value: Any = {} if maps else []
    for _ in range(depth - 1):
        value = {"a": value} if maps else [value]
    return value


@pytest.mark.parametrize("way", [ESCAPED, UNESCAPED])
@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (nested(MAX_NESTING, maps=False), nested(MAX_NESTING + 1, maps=False)),
        (nested(MAX_NESTING, maps=True), nested(MAX_NESTING + 1, maps=True)),
        (10**MAX_DIGITS - 1, 10**MAX_DIGITS),
        (1 - 10**MAX_DIGITS, -(10**MAX_DIGITS)),
    ],
)
def test_bounds(way: ValueTexts, within: Any, beyond: Any) -> None:
    """Nesting and digits: what is beyond them is left to structures."""
    expected = msgspec.json.encode(encode_attribute("a", within, 0, shown=True)[0]).decode()

    with pytest.raises(Rejection):
        way[beyond.__class__](beyond, 1)
    assert way[within.__class__](within, 1) == expected


@pytest.mark.parametrize(
    ("text", "verbatim"),
    [
        ('"é/%s"', True),
        (r'"\u00e9 \ud83d\ude00"', True),
        (r'"\n"', False),
        (r'"\""', False),
        (r'"\\u00e9"', False),
        (r'"\u0022"', False),
        (r'"\u005C"', False),
        (r'"\u0000"', False),
        (r'"\u001f"', False),
        (r'"\u00e9\t"', False),
    ],
)
def test_what_needs_no_escapes(text: str, verbatim: bool) -> None:
    """Texts without escapes, or only those of characters that JSON writes as they are."""
    assert is_unescaped(text) is verbatim


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ('"x"', UNESCAPED),
        (r'"\n"', ESCAPED),
        (None, SCALARS),
        ("[" + "1," * 204_799 + "]", UNESCAPED),
        ("[" + "1," * 204_799 + "1]", SCALARS),
    ],
)
def test_lists_of_a_longer_text_are_not_written(text: str | None, texts: ValueTexts) -> None:
    """Nor those of one that is not known, such as one in an envelope."""
    assert texts_for(text) is texts


def test_names_are_texts() -> None:
    """Only a plugin can make a map with others."""
    with pytest.raises(TypeError):
        ESCAPED[dict]({1: "x"}, 1)


@pytest.mark.parametrize("value", [1.5, b"x", {"x"}, {"a": Decimal("NaN")}, [Decimal("1e126")], 10**38])
def test_what_it_leaves_to_structures(value: Any) -> None:
    """Values that JSON does not have, and numbers that DynamoDB does not hold."""
    with pytest.raises((KeyError, Rejection)):
        ESCAPED[value.__class__](value, 1)


def test_the_item_of_a_write_is_read_from_its_text() -> None:
    """For the explanation of a message, and for clients that take no text."""
    item = {"id": {"S": "é"}, "m": {"M": {"n": {"L": [{"N": "1.5"}, {"NULL": True}, {"BOOL": False}]}}}}
    text = msgspec.json.encode({"PutRequest": {"Item": item}})

    write = Write("r", Table("t", (("id", "S"),)), MODES["put"], ("t", "é"), None, len(text), request=Raw(text))

    assert (write.item, write.batch_request()) == (item, {"PutRequest": {"Item": item}})
