"""Arguments of transforms, beside the annotations of what they are given to."""

from typing import Any

import pytest

CODES = ("RT426", "RT427")
PLUGIN = """
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

def take(value, text: str, count: int = 0, share: float | None = None, *, strict: bool = False,
         way: Literal["a", 1] = 1, names: Sequence[str] = (), table: Mapping[str, int] = {},
         other: Any = None, plain=None, own: complex = 0): ...
def each(value, *texts: str, **numbers: Decimal): ...
def lost(value, what: "Nowhere"): ...

@hookimpl
def router_register_transforms(register):
    for function in (take, each, lost):
        register(function.__name__, function)
    register("plus", max)
"""


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("take: x", []),
        ("take: 1", ["'text' of transform 'take' takes str, not 1"]),
        ("take: [x, 2]", []),
        ("take: [x, '2']", ["'count' of transform 'take' takes int, not '2'"]),
        ("take: [x, true]", ["'count' of transform 'take' takes int, not True"]),
        ("take: [x, 2.5]", ["'count' of transform 'take' takes int, not 2.5"]),
        ("take: [x, 2, 2.5]", []),
        ("take: [x, 2, null]", []),
        ("take: null", ["'text' of transform 'take' takes str, not null"]),
        ("join: null", ["'separator' of transform 'join' takes text, not null"]),
        ("take: [x, 2, [1]]", ["'share' of transform 'take' takes float | None, not a list"]),
        ("take: {text: x, strict: true, way: a, names: [a], table: {a: 1}, other: 1, plain: 1, own: 1}", []),
        ("take: {text: x, names: [a, 1]}", ["'names' of transform 'take' takes Sequence[str], not a list"]),
        ("take: {text: x, way: 1}", []),
        ("take: {text: x, way: true}", ["'way' of transform 'take' takes 'a' or 1, not True"]),
        ("take: {text: x, strict: 1}", ["'strict' of transform 'take' takes bool, not 1"]),
        ("take: {text: x, table: [1]}", ["'table' of transform 'take' takes Mapping[str, int], not a list"]),
        ("each: [a, 1]", ["'texts' of transform 'each' takes str, not 1"]),
        ("each: {a: 1.5, b: x}", ["'numbers' of transform 'each' takes Decimal, not 'x'"]),
        ("lost: 1", []),
        ("plus: 1", []),
        ("unknown: 1", ["unknown transform 'unknown'"]),
        ("take: {texd: x}", ["transform 'take': "]),
    ],
)  # fmt: skip
def test_arguments(find: Any, call: str, found: list[str]) -> None:
    """What an annotation does not take is an error; without one, anything is taken."""
    lines = find(f"item: {{id: {{from: id, transform: [strip, {{{call}}}]}}}}", plugin=PLUGIN)

    assert [line[6 : 6 + len(start)] for line, start in zip(lines, found, strict=True)] == found


OUT = "a number of more than 38 digits or out of range; "
LONG = "123456789012345678901234567890123456789012345"


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ("{value: 1e125}", []),
        ("{value: 1e999}", [f"RT427 'value' of attribute 'a' has {OUT}"]),
        (f"{{value: '{LONG}', type: N}}", [f"RT427 'value' of attribute 'a' has {OUT}"]),
        ("{value: '1e999', type: S}", []),
        ("{value: x, type: N}", ["RT406 'value' is no number, as 'type: N' asks; "]),
        ("{from: a, default: ['1', '1e999'], type: NS}", [f"RT427 'default' of attribute 'a' has {OUT}"]),
        ("{from: a, default: null}", []),
        ("'`1e999`'", [f"RT427 '`1e999`' of attribute 'a' has {OUT}"]),
        (f"'a || `{LONG}`'", [f"RT427 'a || `{LONG}`' of attribute 'a' has {OUT}"]),
        ("'a || `1`'", []),
        ("{from: '`1e999`', type: S}", []),
        ("{from: '`1e999`', transform: lower}", []),
        ("'['", ["RT401 "]),
    ],
)  # fmt: skip
def test_constants(find: Any, attribute: str, found: list[str]) -> None:
    """Numbers that DynamoDB cannot hold, also as text of type N, and in expressions."""
    lines = find(f"item: {{id: id, a: {attribute}}}")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found
