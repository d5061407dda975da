"""Whether all texts of some patterns match another, decided by their automata."""

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.prover.patterns import UndecidedPattern, escaped, find_outside

NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
NOT_EMPTY = r"[\s\S]"


@pytest.mark.parametrize(
    ("patterns", "accepted", "outside"),
    [
        (["^[0-9]+$"], NUMBER, None),
        (["^ORD-[0-9]+$"], NUMBER, "ORD-0"),
        (["^[0-9]*$"], NUMBER, ""),
        (["^[0-9]*$", NOT_EMPTY], NUMBER, None),
        ([r"^-?\d{1,10}(?:\.\d{2})?$"], NUMBER, None),
        (["^1$|^2$"], NUMBER, None),
        (["^1|2$"], NUMBER, "A2"),
        (["[0-9]"], NUMBER, "0-"),
        ([r"^\D$"], r"^\S$", " "),
        ([r"^\w$"], r"^[A-Za-z0-9_]$", None),
        ([r"^[^\d\-a-]$"], "^[^0-9a]$", None),
        ([r"^\t\r\n\f\v$"], r"^\s{5}$", None),
        (["^a{2}$"], "^aa$", None),
        (["^a{2,}?$"], "^aa+$", None),
        (["^a{0}b$"], "^b$", None),
        (["^a{1,3}$"], "^a?a?a$", None),
        (["^a?$"], "^a*$", None),
        (["^.$"], "^[^a]$", "a"),
        (["^(a|b)$", "^[b-d]$"], "^b$", None),
        ([r"^[\u0000]$".replace(r"\u0000", "\x00")], "^a$", "\x00"),
        (["^[^\x00-\U0010ffff]$"], "^a$", None),
    ],
)
def test_a_text_outside(patterns: list[str], accepted: str, outside: str | None) -> None:
    """The shortest one, or none."""
    assert find_outside(patterns, accepted) == outside


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(?=a)",
            "(?<n>a)",
            "a++",
            "a{2}{3}",
            "*a",
            "a{",
            "(a",
            "a)",
            "[a",
            "[]a]",
            "[[a]]",
            "[a&&b]",
            "[a-\\d]",
            "[a-\\w]",
        ),
        *("[\\d-a]", "\\b", "\\p{Lu}", "\\", "[a\\q]", "a{0,4000}", "[ab]*a[ab]{14}$"),
    ],
)
def test_what_is_not_decided(pattern: str) -> None:
    """A construct that has another meaning elsewhere, or too many states."""
    with pytest.raises(UndecidedPattern):
        find_outside([pattern], "^x$" if "14" not in pattern else "[ab]*b[ab]{14}$")


def test_a_literal_text() -> None:
    """Its pattern matches it alone."""
    text = "a.b*c\\d[e]$"

    assert (find_outside([f"^{escaped(text)}$"], "^$"), re.fullmatch(escaped(text), text) is not None) == (text, True)


PARTS = st.recursive(
    st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "^", "$", ""]),
    lambda parts: st.one_of(
        st.tuples(parts, parts).map("".join),
        st.tuples(parts, parts).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(parts, st.sampled_from(["?", "*", "+", "{2}", "{0,2}", "{1,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)
TEXTS = ["".join(chars) for length in range(5) for chars in itertools.product("abc", repeat=length)]


@settings(max_examples=200, deadline=None)
@example("$", "$^")  # the states of the empty text are those of any other
@given(PARTS, PARTS)
def test_as_python_matches(pattern: str, accepted: str) -> None:
    """No text is outside where none is found, and what is found is."""
    one, other = (re.compile(each.replace("$", r"\Z"), re.DOTALL) for each in (pattern, accepted))
    found = find_outside([pattern], accepted)
    outside = {text for text in TEXTS if one.search(text) and not other.search(text)}

    if found is None:
        assert outside == set()
    else:
        shortest = len(found) <= min(map(len, outside), default=99)
        assert (one.search(found) is not None, other.search(found), shortest) == (True, None, True)


def test_characters_in_the_same_classes_are_one_step() -> None:
    r"""Those of `[\s\S]` are all in one class: there are four others, not the 34 that its parts tell apart."""
    assert find_outside(["^[0-9]{1,9}$", NOT_EMPTY], NUMBER, most_steps=4000) is None
