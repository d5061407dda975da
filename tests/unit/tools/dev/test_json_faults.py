"""Where a text is not JSON, and why."""

import pytest

from router.tools.dev.json_faults import document_fault, json_fault


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": "NaN",\n "b": NaN}', "line 2, column 7: NaN and Infinity are not JSON"),
        ('{"a":-Infinity}', "line 1, column 6: NaN and Infinity are not JSON"),
        ('{"a":"\\x"}', "line 1, column 7: invalid \\escape"),
        (r'{"é":"\\ud800 \ud83d\ude00 \n \ud800"}', "line 1, column 31: half of a surrogate pair"),
        ('{"a":"secret', "line 1, column 6: unterminated string starting"),
        ('{"a":"\n"}', "line 1, column 7: invalid control character"),
        ('{"a":tru}', "line 1, column 6: expecting value"),
        ('{"a":1} z', "line 1, column 9: extra data"),
        (" \n", "line 1, column 1: it is empty"),
        ("[" * 100_000, "line 1, column 1: it is nested too deep"),
        ('{"a":1e9999999999999999999}', "line 1, column 1: a number or a character is beyond what can be held"),
    ],
)
def test_places(text: str, sentence: str) -> None:
    """The place and the reason are named, and no value is."""
    found = json_fault(text)

    assert found
    assert found.sentence == sentence


def test_json() -> None:
    """JSON has no fault."""
    assert json_fault('{"a": [1, 2.50, "NaN"]}') is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n  "a": 1,\n  "b": oops\n}\n', 3),
        ('[\n  {"a": 1},\n  {"a": NaN}\n]', 3),
        ('{"a": 1,\n "b": "x"', 2),
        ('{"a": 1}\n{"a": }', None),
        ('{"a": \n{"a": 1}', None),
        ("no\n{", None),
        ("{", None),
    ],
)
def test_documents(text: str, line: int | None) -> None:
    """One value of several lines is told from JSON lines."""
    found = document_fault(text)

    assert (found and found.line) == line
