"""Variables of the environment in a config."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.runtime.config.environment import EnvironmentFault, find_references, replace_references
from router.runtime.config.secret_values import SecretValues


def substitute(data: Any, env: dict[str, str]) -> tuple[Any, list[EnvironmentFault]]:
    """Return a copy of data with its references replaced, and the faults."""
    copied = deepcopy(data)
    return copied, replace_references(copied, find_references(copied), env, SecretValues())


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
    """As in a shell, a default is used for a variable that is not set or empty."""
    assert substitute([text], {"STAGE": "test", "EMPTY": ""}) == ([value], [])


def test_only_text_values_are_replaced() -> None:
    """Keys and other values do not change, and replaced values are text."""
    data = {"${A}": ["${A}", 1, None, True, {"b": "${A}"}]}

    assert substitute(data, {"A": "5"}) == ({"${A}": ["5", 1, None, True, {"b": "5"}]}, [])


def test_a_variable_that_is_not_set_is_a_fault() -> None:
    """The fault names the variable and what to do; a placeholder replaces the reference."""
    sentence, advice = "environment variable 'X' is not set", "set it, or give it a default: ${X:-…}"
    fault = EnvironmentFault(("a", 1), sentence, advice, "X")

    assert substitute({"a": ["", "b-${X}"]}, {}) == ({"a": ["", "b-unset_X"]}, [fault])


@pytest.mark.parametrize("text", ["${X", "${}", "${1}", "${X:y}", "${X Y}", "${A:-${B", "${" + "x-" * 40 + "}"])
def test_malformed_references_are_faults(text: Any) -> None:
    """Each fault quotes the reference, shortened if it is long."""
    shown = text if len(text) <= 40 else text[:39] + "…"

    assert substitute([text], {}) == (["unset"], [EnvironmentFault((0,), f"malformed reference {shown!r}", HOW)])


@settings(deadline=None)
@given(st.text(alphabet="${}:-aA1 \n"))
def test_any_text_is_replaced_or_has_faults(text: Any) -> None:
    """No text raises, and text without a reference does not change."""
    (value,), faults = substitute([text], {"a": "x", "A": ""})

    assert isinstance(value, str)
    assert "${" in text or (value == text and not faults)


def test_a_variable_of_other_bytes_is_a_fault() -> None:
    """Python represents bytes that are not UTF-8 as lone surrogates, which cannot be encoded."""
    fault = EnvironmentFault(("a",), "environment variable 'X' is not UTF-8 text", "set it to text")

    assert substitute({"a": "b-${X}"}, {"X": "\udcff"}) == ({"a": "b-unset_X"}, [fault])
