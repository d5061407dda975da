"""Masked values keep their shape and what equals what; the real ones are gone."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.change.masking import Kept, RecordingMasker

KEY = b"k" * 32
NAMES = ("id", "mail", "lines", "sku")


def masker(**kept: Any) -> RecordingMasker:
    return RecordingMasker(KEY, Kept(**{"names": NAMES, **kept}))


def shape(text: str) -> str:
    """The kind of each character, and its size."""
    kinds = ((r"[a-z]", "a"), (r"[A-Z]", "A"), (r"[0-9]", "0"))
    for pattern, kind in kinds:
        text = re.sub(pattern, kind, text)
    return text


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=40))
def test_a_text_keeps_its_shape(text: str) -> None:
    """Its length, and the kind of each letter and digit; anything else stays."""
    masked = masker().masked(text)

    assert shape(masked) == shape(text)


@given(st.text(max_size=20))
def test_a_text_keeps_its_length(text: str) -> None:
    """In characters."""
    assert len(masker().masked(text)) == len(text)


@given(st.lists(st.text(alphabet="abcXYZ019@.", min_size=4, max_size=9), unique=True, max_size=30))
def test_equal_values_are_masked_alike_and_others_not(texts: list[str]) -> None:
    """Wherever they are in the messages of a recording."""
    one = masker()

    first, second = ([one.masked({"id": text, "lines": [text]}) for text in texts] for _ in range(2))

    assert first == second
    assert all(message["id"] == message["lines"][0] for message in first)
    assert (len({message["id"] for message in first}), one.collisions) == (len(texts), 0)


@given(st.integers(-(10**30), 10**30) | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999))
@example(Decimal("-0.187"))
def test_a_number_keeps_sign_and_digits(number: Any) -> None:
    """And its type; zero stays zero."""
    masked = masker().masked(number)

    assert type(masked) is type(number)
    assert shape(str(masked)) == shape(str(number))
    assert (masked > 0, masked < 0) == (number > 0, number < 0)


@pytest.mark.parametrize(
    "text", ["2026-01-02", "2026-02-28T23:59:59.123Z", "2024-02-29 00:00:00", "order 2026-12-31 paid"]
)
def test_a_date_stays_a_date(text: str) -> None:
    """Moved by some days, the same for all dates of a recording, so that they keep their order."""
    masked = masker().masked(text)

    found = re.search(r"\d{4}-(\d{2})-(\d{2})", masked)
    assert found is not None
    assert (1 <= int(found[1]) <= 12, 1 <= int(found[2]) <= 31) == (True, True)
    assert masked != text


def test_a_uuid_stays_one() -> None:
    """Hexadecimal digits are masked by others."""
    masked = masker().masked("7d444840-9dc0-11d1-b245-5ffdce74fad2")

    assert re.fullmatch(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", masked)
    assert masked != "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def test_what_is_kept() -> None:
    """Constants of the config, paths that the user names, booleans, null, and declared names."""
    message = {"id": "device", "mail": "ann@example.com", "lines": [{"sku": "shirt"}, True, None], "Ann": 1}

    masked = masker(constants={"device"}, paths={("lines", None, "sku")}).masked(message)

    assert (masked["id"], masked["lines"]) == ("device", [{"sku": "shirt"}, True, None])
    assert shape(masked["mail"]) == "aaa@aaaaaaa.aaa"
    assert "ann" not in str(masked).lower()
    assert list(map(shape, masked)) == ["aa", "aaaa", "aaaaa", "Aaa"]


def test_names_without_a_schema_are_kept_if_they_look_like_names() -> None:
    """Other keys of an object may be values, such as e-mail addresses."""
    masked = masker(names=None).masked({"user_id": "a", "ann@example.com": "b"})

    assert [name for name in masked if name == "user_id" or "ann" in name] == ["user_id"]


def test_a_mask_is_no_constant_of_the_config() -> None:
    """Else a condition could hold that did not."""
    constants = {f"{char}" for char in "abcdefghijklmnopqrstuvwxy"}

    assert masker(constants=constants).masked("z") == "z"


def test_too_many_short_values_collide() -> None:
    """There are ten digits only: what is not told apart is counted."""
    one = masker()

    masked = {one.masked(str(number)) for number in range(10)} | {one.masked("x")}

    assert len(masked) + one.collisions >= 11


@pytest.mark.parametrize("number", [Decimal("1.50"), Decimal("0.05"), Decimal("1E+5"), 0, Decimal("0.00"), -7])
def test_a_number_in_another_notation(number: Any) -> None:
    """Its exponent stays."""
    assert shape(str(masker().masked(number))) == shape(str(number))


def test_no_mask_is_the_value_itself() -> None:
    """Where there are others: of 6,760 masks of this text, one is the text."""
    masks = [RecordingMasker(key.to_bytes(32, "big"), Kept(names=NAMES)).masked("id-0") for key in range(20_000)]

    assert "id-0" not in masks
    assert RecordingMasker(KEY, Kept(names=NAMES)).masked("--") == "--"
