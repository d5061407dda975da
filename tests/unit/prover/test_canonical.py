"""Canonical schemas, which are kept within bounds of their number and size."""

import json

import pytest

from router.prover.budget import BudgetSpent
from router.prover.canonical import canonical_of, parsed


def text(size: int, number: int = 0) -> tuple[tuple[str, bytes], ...]:
    content = json.dumps({"maxLength": number, "description": ""})
    return (("", content.replace('""', f'"{"x" * (size - len(content))}"').encode()),)


@pytest.mark.parametrize(("size", "others", "kept"), [(8_000, 100, True), (200_000, 20, True), (200_000, 100, False)])
def test_few_large_ones_are_kept(size: int, others: int, kept: bool) -> None:
    """Each takes nine times its size in memory: of a schema that is edited for long, not each state can be kept."""
    first = canonical_of("", text(size))
    for number in range(1, others + 1):
        canonical_of("", text(size, number))

    assert (first is not None, canonical_of("", text(size)) is first) == (True, kept)


def test_none_over_the_limit_of_proofs_is_kept() -> None:
    """A part of a schema that `router diff` compares can be larger."""
    size = 300_000

    assert canonical_of("", text(size)) is not canonical_of("", text(size))


@pytest.mark.parametrize(("number", "made"), [("1e999", True), ("1E-1000", False), ("-1.5e+999999", False)])
def test_none_of_a_number_with_a_large_exponent(number: str, made: bool) -> None:
    """The library writes its digits out: of 1e999999, for two seconds."""
    content = f'{{"exclusiveMinimum": {number}}}'.encode()
    try:
        part: object = parsed(20, content)
    except BudgetSpent:
        part = None

    assert (canonical_of("", (("", content),)) is not None, part is not None) == (made, made)
