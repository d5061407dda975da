"""How long a text can be that matches a pattern."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.prover.text_patterns import example_of, longest_match, shortest_match

BOUNDED = [
    ("^$", 0),
    ("^abc$", 3),
    ("^[A-Z]{2}-[0-9]{1,6}$", 9),
    ("^[^\\]x-]?$", 1),
    ("^(?:ab|c{4})?\\.[a-z]{3}$", 8),
    ("^(?P<y>\\d{4})-(?<m>\\d\\d)$", 7),
    ("^.{0,3}?$", 3),
    ("^((a|bb){2}|c)$", 4),
    ("^\\p{L}\\PN{2}$", 3),
]


@pytest.mark.parametrize(("pattern", "length"), BOUNDED)
def test_bounded(pattern: str, length: int) -> None:
    """The most that each part can have, together."""
    assert longest_match(pattern) == length


@pytest.mark.parametrize(
    "pattern",
    [
        *("abc", "^abc", "abc$", "^a*$", "^a+$", "^a{2,}$", "^a|b$", "^a|b{3}$", "^(a$", "^a)$", "^(?i)a$", "^(?=a)b$"),
        *("^[a-z&&[b]]$", "^\\bab$", "^\\x41$", "^a^b$", "^a{x}$", "^(a*)$", "^\\$"),
    ],
)  # fmt: skip
def test_unknown(pattern: str) -> None:
    """Without a bound, or in a way that is not read."""
    assert longest_match(pattern) is None


PARTS = st.recursive(
    st.sampled_from(["a", "\\d", "[ab]", ".", "\\.", "[^x]"]),
    lambda parts: st.one_of(
        st.tuples(parts, parts).map("".join),
        parts.map("({})".format),
        st.tuples(parts, parts).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(parts, st.sampled_from(["?", "{2}", "{1,3}", "{0,2}?"])).map(lambda two: f"(?:{two[0]}){two[1]}"),
    ),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(PARTS, st.data())
def test_no_match_is_longer(part: str, data: st.DataObject) -> None:
    """Whatever matches has no more characters."""
    text = data.draw(st.from_regex(re.compile(f"^{part}\\Z")))

    length = longest_match(f"^{part}$")

    assert length is not None
    assert len(text) <= length


@pytest.mark.parametrize(
    ("pattern", "extra", "example"),
    [
        ("^[A-Z]{2}-[0-9]{1,6}$", 2, "AA-000"),
        ("^(a+|b)*$", 0, ""),
        ("^(ab|c){2}$", 2, "cc"),
        ("^\\p{L}é$", 0, "aé"),
        ("^(a{1000}){1000}$", 0, None),
        ("a", 0, "a"),
    ],
)
def test_example(pattern: str, extra: int, example: str | None) -> None:
    """A text that the pattern matches, unless it is too long."""
    assert example_of(pattern, extra) == example


@settings(max_examples=100, deadline=None)
@given(PARTS, st.integers(0, 3))
def test_examples_match(part: str, extra: int) -> None:
    """An example matches, and its length is within the bounds."""
    pattern = f"^{part}$"

    text = example_of(pattern, extra)

    assert text is not None
    assert (re.fullmatch(part, text, re.ASCII) is not None, shortest_match(pattern) <= len(text)) == (True, True)


def test_nothing_is_repeated() -> None:
    """So that a match has no character."""
    assert longest_match("^a{0}$") == 0
