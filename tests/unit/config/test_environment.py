"""Variables of the environment in a config."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.config.environment import (
    EnvironmentFault,
    find_references,
    replace_references,
    substitute,
    variables_in,
)

HOW = "write ${NAME} or ${NAME:-default}, and $${ for a literal ${"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${STAGE}-a", "test-a"),
        ("${STAGE:-dev}", "test"),
        ("${NONE:-dev}", "dev"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-dev}", "dev"),
        ("${NONE:-a b:-c}", "a b:-c"),
        ("$${STAGE} $STAGE {STAGE}", "${STAGE} $STAGE {STAGE}"),
        ("${STAGE}${STAGE}", "testtest"),
    ],
)
def test_references_are_replaced(text: Any, value: Any) -> None:
    """As a shell does it: a default is for a variable that is not set or empty."""
    assert substitute(text, {"STAGE": "test", "EMPTY": ""}) == (value, [])


def test_only_text_values_are_replaced() -> None:
    """Keys stay, other values stay, and what is put in stays text."""
    data = {"${A}": ["${A}", 1, None, True, {"b": "${A}"}]}

    assert substitute(data, {"A": "5"}) == ({"${A}": ["5", 1, None, True, {"b": "5"}]}, [])


def test_a_variable_that_is_not_set_is_a_fault() -> None:
    """The fault names it and says what to do; the text goes on with a placeholder."""
    sentence, advice = "environment variable 'X' is not set", "set it, or give it a default: ${X:-…}"
    fault = EnvironmentFault(("a", 1), sentence, advice, "X")

    assert substitute({"a": ["", "b-${X}"]}, {}) == ({"a": ["", "b-unset_X"]}, [fault])


@pytest.mark.parametrize("text", ["${X", "${}", "${1}", "${X:y}", "${X Y}", "${A:-${B", "${" + "x-" * 40 + "}"])
def test_malformed_references_are_faults(text: Any) -> None:
    """Each shows the reference as it is written, shortened if it is long."""
    shown = text if len(text) <= 40 else text[:39] + "…"

    assert substitute(text, {}) == ("unset", [EnvironmentFault((), f"malformed reference {shown!r}", HOW)])


@settings(deadline=None)
@given(st.text(alphabet="${}:-aA1 \n"))
def test_any_text_is_replaced_or_has_faults(text: Any) -> None:
    """Nothing raises, and what has no reference stays as it is."""
    value, faults = substitute(text, {"a": "x", "A": ""})

    assert isinstance(value, str)
    assert "${" in text or (value == text and not faults)


def test_a_variable_of_other_bytes_is_a_fault() -> None:
    """Python has a lone surrogate for each byte of a variable that is no UTF-8, which nothing can encode."""
    fault = EnvironmentFault(("a",), "environment variable 'X' is not UTF-8 text", "set it to text")

    assert substitute({"a": "b-${X}"}, {"X": "\udcff"}) == ({"a": "b-unset_X"}, [fault])


def test_replacing_in_place() -> None:
    """Gives the data and the faults that a copy has."""
    data = {"a": ["x", "${A}", {"b": "${B:-b}${C}"}], "c": "$${", "d": 1, "${A}": "${ A"}
    copied, faults = substitute(data, {"A": "1"})

    found = replace_references(data, find_references(data), {"A": "1"})

    assert (data, found) == (copied, faults)


def test_variables() -> None:
    """Those of the texts, each once; what is no reference has none."""
    data = {"a": ["${A}", "${B:-b} ${A:-}"], "c": "$${C}"}

    assert variables_in(data, find_references(data)) == {"A", "B"}
