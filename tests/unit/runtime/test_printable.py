"""Text that is safe for a terminal."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.runtime.printable import printable, printable_json, printable_lines

HOSTILE = {
    "escape": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "title of the window": ("\x1b]0;pwned\x07", r"\x1b]0;pwned\x07"),
    "C1": ("\x9b2J", r"\x9b2J"),
    "delete": ("a\x7f", r"a\x7f"),
    "bidi override": ("user\u202eresu", r"user\u202eresu"),
    "bidi isolate": ("\u2066x\u2069", r"\u2066x\u2069"),
    "lines": ("a\nb\rc\u2028d", r"a\nb\rc\u2028d"),
    "tab": ("a\tb", r"a\tb"),
    "zero width": ("a\u200bb", r"a\u200bb"),
    "a tag": ("\U000e0041", r"\U000e0041"),
    "a surrogate": ("\ud800", r"\ud800"),
    "plain text": ("Köln 日本\u3000\xa0 \\ 🙂", "Köln 日本\u3000\xa0 \\ 🙂"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_printable(text: str, shown: str) -> None:
    """Each character that a terminal would obey or hide is escaped as in Python."""
    assert printable(text) == shown


def test_lines() -> None:
    """Sentences of more than one line keep their line feeds, and nothing else."""
    assert printable_lines("a\x1b\n  b\r\n") == "a\\x1b\n  b\\r\n"


@given(st.text())
def test_json(text: str) -> None:
    """The escaped text is the same JSON, indented or not, and a terminal shows each of its characters."""
    compact = msgspec.json.encode({text: [text]})
    for form in (compact, msgspec.json.format(compact)):
        shown = printable_json(form.decode())
        assert json.loads(shown) == {text: [text]}
        assert all(char.isprintable() or char in "\n\xa0\u3000" for char in shown)
