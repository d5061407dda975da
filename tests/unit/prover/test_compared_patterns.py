"""Comparing patterns: what is proved holds for the validator, and texts that are found are outside for it."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, RegexOptions

from router.prover.text_patterns import pattern_follows, texts_outside

TEXTS = ["".join(chars) for size in range(5) for chars in product("aB1-.\n", repeat=size)]
PATTERNS = (
    "",
    ".",
    "^.$",
    "^.*$",
    "a",
    "^a",
    "a$",
    "^[a-z]+$",
    "^[a-zB]*$",
    "[.]",
    r"\.",
    "^(a|B.)+$",
    "^[^a]{2,3}$",
    r"\d",
)
OLD: tuple[Mapping[str, Any], ...] = (
    {},
    {"minLength": 1},
    {"minLength": 2, "maxLength": 3},
    {"maxLength": 0},
    *({"pattern": pattern} for pattern in PATTERNS),
    *({"pattern": pattern, "minLength": 1, "maxLength": 2} for pattern in PATTERNS),
)


def allowed(schema: Mapping[str, Any], text: str) -> bool:
    """Whether the validator takes a text."""
    return Draft202012Validator(dict(schema), pattern_options=RegexOptions()).is_valid(text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_agrees_with_the_validator(pattern: str) -> None:
    """No text contradicts a proof, and each text that is found does what it is found for."""
    new = {"pattern": pattern}
    wrong = []
    for old in OLD:
        follows, found = pattern_follows(old, pattern), list(texts_outside([old], [new]))
        taken = [text for text in TEXTS if allowed(old, text)]
        refused = [text for text in taken if not allowed(new, text)]
        if (follows and refused) or follows != (not found) or any(allowed(new, text) for text in found):
            wrong.append((old, follows, refused[:1], found))

    assert wrong == []


@pytest.mark.parametrize(
    ("old", "pattern", "found"),
    [
        ({"minLength": 1, "maxLength": 256}, ".", ["\n"]),
        ({"minLength": 3}, ".", ["\n\n\n"]),
        ({"pattern": "^[_A-Za-z][_0-9A-Za-z]*$"}, ".", []),
        ({"pattern": r"^[\\a-z]*$", "minLength": 1}, ".", []),
        ({"pattern": "^[a-z.]{2,}$"}, "^[a-z]+$", [".."]),
        ({"minLength": 100}, "^.{0,63}$", ["a" * 64]),
        ({"pattern": r"\s"}, "a", []),
        ({}, r"\S", []),
        ({"minLength": Ellipsis}, "a", [""]),
        ({"pattern": "(?=a)"}, "a", []),
    ],
)
def test_texts(old: Mapping[str, Any], pattern: str, found: list[str]) -> None:
    """A shortest one; none where dialects differ, or a pattern cannot be read."""
    texts = list(texts_outside([old], [{"type": "string"}, {"pattern": pattern}]))

    assert [sorted(text) for text in texts] == [sorted(text) for text in found]


def test_nothing_is_proved_of_a_pattern_that_is_not_read() -> None:
    """Not even that it follows from itself."""
    pattern = "^(?=a)"

    assert not pattern_follows({"pattern": pattern}, pattern)


def test_as_many_as_are_searched() -> None:
    """Schemas with many patterns that changed take no minutes."""
    texts = list(texts_outside([{}] * 100, [{"pattern": "a"}]))

    assert texts == [""] * 16
