"""A message as lines, with the place of its failure."""

from typing import Any

import pytest

from router.tools.console.letters import lines_of
from tests.support.program import steps_of

MESSAGE = {"id": 1, "lines": [{"sku": "a"}, {}], "a/b": None, "": []}


@pytest.mark.parametrize(
    ("pointer", "marked"),
    [
        ("", []),
        ("/id", ['  "id": 1,']),
        ("/lines/0/sku", ['      "sku": "a"']),
        ("/lines/1", ["    {}"]),
        ("/lines/0/size", ["    {", '      "sku": "a"', "    },"]),
        ("/a~1b", ['  "a/b": null,']),
        ("/", ['  "": []']),
    ],
)
def test_the_place_is_marked(pointer: str, marked: list[str]) -> None:
    """That of the value, or of what should have it; no other line."""
    assert [text for text, is_marked in lines_of(MESSAGE, steps_of(pointer) or None) if is_marked] == marked


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (MESSAGE, ["{", '  "id": 1,', '  "lines": [', "    {", '      "sku": "a"', "    },", "    {}", "  ],"]),
        ("not JSON", ['"not JSON"']),
    ],
)
def test_lines(value: Any, lines: list[str]) -> None:
    """They are those of indented JSON."""
    assert [text for text, _ in lines_of(value, None)][: len(lines)] == lines
