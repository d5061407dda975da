"""Hashes that never change, and times to live."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.runtime.sources.hash import canonical_json, hash_values
from router.runtime.sources.ttl import epoch_seconds
from tests.support.config_types import parse_duration


@pytest.mark.parametrize(
    ("values", "digest"),
    [
        ([], "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"),
        ([None], "1d8fc6ceb1f94c6326d6d5483d258fcb2e179e9869325b245d105c2219bf69fd"),
        ([True], "1c28f2eb0958c3d15db1f0f0e7f2b8998ca2b8f67ab426a1fbb3d561fe76fad9"),
        ([1], "080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22"),
        ([Decimal("1.0")], "080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22"),
        ([2**53 + 1], "ee825a6b803b8c559f4ee311b23736dbc4b315351ce4b34ff75df0228b589b44"),
        ([Decimal("1.10"), 10**20, -5], "b07862a5956c6a862ccd9650dd0fba891800868fb91f0e386ab923f4b440e2b4"),
        (["user_1", "iPhoneX"], "8fe9dd2585ab0371f14e24c5d4a0fa8bdd5596e4e843bf89562b383900809640"),
        (["a", "b"], "0473ef2dc0d324ab659d3580c1134e9d812035905c4781fdd6d529b0c6860e13"),
        (["ab"], "f9ca6d378adafba7c7de88d13d0e9126503bb6d438f4ae7d8197edbc6e6ef300"),
        (['é😀\n"\\/\u2028'], "88059d08073079e54ac7af31a3e2deb0f2b0bc9a750f465f5f38e10dbc12ddf4"),
        ([{"b": [1, {}], "a": "x", "é": None}], "b31c704de4a48702dbd29b5c214ca58ff7fe77d956a98aff3965092a5a41ba74"),
    ],
)
def test_hashes_never_change(values: Any, digest: Any) -> None:
    """Each of these is stored in tables as a key: no release may give another."""
    assert hash_values(values) == digest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ('é"\n\u2028\u007f', '"é\\"\\n\u2028\u007f"'),
        (2**53 + 1, "9007199254740993"),
        (Decimal("9007199254740993.0"), "9007199254740993"),
        (Decimal("1.10"), "1.1"),
        (Decimal("-0"), "0"),
        (Decimal("1e3"), "1000"),
        ([1, [], {}], "[1,[],{}]"),
        ({"b": 1, "a": {"é": None, "Z": "x"}}, '{"a":{"Z":"x","é":null},"b":1}'),
    ],
)
def test_canonical_json_has_one_way_to_write_a_value(value: Any, text: Any) -> None:
    """Keys sorted, no spaces, characters as they are, numbers in plain notation."""
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [b"x", {1}, (), 1.5, Decimal("NaN"), Decimal("1E151")])
def test_what_is_no_json_has_no_canonical_text(value: Any) -> None:
    """It is refused, not written in some way."""
    with pytest.raises(ValueError, match=r"^is (no text, number or boolean|a number out of range)$"):
        canonical_json([value])


NUMBERS = st.sampled_from(
    [0, 1, 10, 2**53, 2**53 + 1, *map(Decimal, ("1.0", "1e1", "0.0", "-0", "0.1", "1e-1", "1.1"))]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "1", "null", "a,b", '"', "é", "😀", "\uffff"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "😀", "\uffff"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def typed(value: Any) -> Any:
    """The value with true and false apart from 1 and 0."""
    if isinstance(value, list):
        return [typed(each) for each in value]
    if isinstance(value, dict):
        return {name: typed(each) for name, each in value.items()}
    return type(value) is bool, value


@given(VALUES, VALUES)
@settings(deadline=None, max_examples=200)
def test_canonical_texts_are_equal_exactly_when_values_are(one: Any, other: Any) -> None:
    """Numbers by value, objects whatever the order of their members."""
    assert (canonical_json(one) == canonical_json(other)) == (typed(one) == typed(other))


@given(st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4))
@settings(deadline=None, max_examples=50)
def test_the_order_of_members_does_not_matter(value: Any) -> None:
    """A JSON object has none."""
    assert hash_values([dict(reversed(value.items()))]) == hash_values([value])


@given(st.integers())
@settings(deadline=None)
def test_neighbouring_integers_have_different_hashes(number: Any) -> None:
    """Of any size."""
    assert hash_values([number]) != hash_values([number + 1])


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("5m", 300), ("2h", 7200), ("90d", 7_776_000), ("2w", 1_209_600)]
)
def test_durations_are_seconds(text: Any, seconds: Any) -> None:
    """Each unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-01-02T03:04:05Z", 1_767_323_045),
        ("2026-01-02T03:04:05.999Z", 1_767_323_045),
        ("2026-01-02T04:04:05+01:00", 1_767_323_045),
        ("20260102T030405Z", 1_767_323_045),
        ("1970-01-01T00:00:00+00:00", 0),
        ("2026-01-02t03:04:05z", 1_767_323_045),
        ("2016-12-31T23:59:60Z", 1_483_228_800),
        ("2016-12-31T22:59:60.5-01:00", 1_483_228_800),
        ("0000-01-01T00:00:00Z", -62_167_219_200),
        ("0000-12-31T23:59:59.9+00:00", -62_135_596_801),
        (1_767_323_045, 1_767_323_045),
        (Decimal("1767323045.9"), 1_767_323_045),
        (0, 0),
        (99_999_999_999, 99_999_999_999),
    ],
)
def test_times_are_whole_seconds_since_1970(value: Any, seconds: Any) -> None:
    """ISO 8601 text with an offset, or a number of seconds."""
    assert epoch_seconds(value) == seconds


MILLISECONDS = "is no time in seconds since 1970; milliseconds are not taken"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("2026-01-02T03:04:05", "is a time without offset; add Z or +00:00"),
        ("2026-01-02", "is a time without offset; add Z or +00:00"),
        ("yesterday", "is no ISO 8601 time"),
        ("1767323045", "is no ISO 8601 time"),
        ("", "is no ISO 8601 time"),
        ("2026-01-02T23:58:60Z", "has a leap second that is not at midnight in UTC"),
        ("2026-01-02T23:59:61Z", "is no ISO 8601 time"),
        ("0000-02-30T00:00:00Z", "is no ISO 8601 time"),
        (1_767_323_045_678, MILLISECONDS),
        (Decimal("99999999999.5"), MILLISECONDS),
        (-1, MILLISECONDS),
        (True, "is no time"),
        ([], "is no time"),
        (None, "is no time"),
    ],
)
def test_what_is_no_time_is_refused(value: Any, why: Any) -> None:
    """Milliseconds would be a time to live in the far future, a naive time one of some zone."""
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        epoch_seconds(value)
