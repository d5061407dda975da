"""What conversions and transforms say of the texts that they accept is true."""

import re
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router.model import TextFormat
from tests.support.engine import CONVERTERS, encode_item
from tests.support.engine import TEXT_FORMATS as OF_TYPES
from tests.support.transforms import TRANSFORMS, seconds_of

FORMS = [(CONVERTERS[kind], form) for kind, form in OF_TYPES.items() if kind in ("N", "B")]
FORMS += [(each.apply, each.accepts) for each in TRANSFORMS.values() if isinstance(each.accepts, TextFormat)]
PATTERNS = [each for each in FORMS if each[1].pattern]
IS_TIME = jsonschema_rs.validator_for({"format": "date-time"}, validate_formats=True).is_valid
DATE_TIMES = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.sampled_from([0, 1, 1970, 2024, 9999]) | st.integers(0, 9999),
    st.integers(1, 12),
    st.integers(1, 31),
    st.sampled_from("Tt"),
    st.integers(0, 24),
    st.sampled_from([0, 59]) | st.integers(0, 59),
    st.sampled_from([0, 59, 60]),
    st.sampled_from(["", ".5", ".123456789"]),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+23:59", "-01:30", "+00:59"]),
)


@pytest.mark.parametrize(("convert", "form"), PATTERNS, ids=lambda each: getattr(each, "name", ""))
@given(st.data())
def test_what_matches_is_accepted(convert: Any, form: TextFormat, data: st.DataObject) -> None:
    """No text that matches the pattern raises an error."""
    text = data.draw(st.from_regex(re.compile(form.pattern.replace("$", r"\Z"), re.ASCII)))

    convert(text)


@given(st.from_regex(re.compile(OF_TYPES["N"].stored.replace("$", r"\Z"), re.ASCII)))
def test_what_can_be_stored(text: str) -> None:
    """Numbers of the narrower pattern are in DynamoDB's range."""
    assert Decimal(encode_item({"n": CONVERTERS["N"](text)})[0]["n"]["N"]) == Decimal(text)


@given(st.text("0123456789+-.eE x", max_size=8))
def test_an_exact_pattern(text: str) -> None:
    """No other text is accepted."""
    matches = re.fullmatch(OF_TYPES["N"].pattern[1:-1], text) is not None
    try:
        CONVERTERS["N"](text)
    except ValueError:
        assert not matches
    else:
        assert matches


@given(DATE_TIMES)
def test_date_times(text: str) -> None:
    """Each that the format of JSON Schema lets through is a time."""
    assume(IS_TIME(text))

    seconds_of(text)
