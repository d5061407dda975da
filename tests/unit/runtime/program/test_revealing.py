"""What counts as a text that reveals a value."""

import pytest

from router.runtime.program.revealing import readings_of, reveals

LONE = "\ud83d" * 4
"""Halves of pairs of surrogates, as JSON can have them."""


@pytest.mark.parametrize("text", [f"no {LONE}", f"no {'eda0bd' * 4}", "no 7aC97aC97aC97aC9"])
def test_a_value_that_has_no_utf_8(text: str) -> None:
    """Its bytes are those of each half."""
    assert reveals(text, LONE)


@pytest.mark.parametrize("escape", [r"\N{no such character}", r"\UFFFFFFFF", r"\U00110000"])
def test_an_escape_of_no_character(escape: str) -> None:
    """It is read as it is."""
    assert set(readings_of(escape)) == {escape}
