"""Logical ids."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.tools.deploy.template.expressions import logical_id, variable_id

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True),
    st.lists(st.sampled_from(["a", "b", "ab", "fifo", "1", "-", "--", ".", "_", "A", "${VariableStage}"])).map("".join),
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders", "QueueOrders"),
        ("user-metadata", "QueueUserMetadata"),
        ("orders.fifo", "QueueOrdersFifo"),
        ("orders-fifo", "QueueOrdersFifoF0708FB8"),
        ("Orders", "QueueOrdersB7E8ACDD"),
        ("${VariableStage}-orders", "QueueOrdersF7D6A76D"),
        ("${VariableName}", "QueueVariableNameF19037AA"),
        ("a" * 200, f"Queue{'A' + 'a' * 159}C2A908D9"),
    ],
)
def test_ids(name: str, expected: str) -> None:
    """Plain names can be read in their ids; others have a hash, which stays as it is."""
    assert logical_id("Queue", name) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMES, unique=True, max_size=12))
def test_ids_are_distinct(names: list[str]) -> None:
    """Two names never make one id, nor does a name make what CloudFormation refuses."""
    ids = [logical_id("Queue", name) for name in names]

    assert (len(set(ids)), [each for each in ids if not re.fullmatch(r"[A-Za-z0-9]{1,255}", each)]) == (len(names), [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("STAGE", "VariableStage"), ("KEY_ID", "VariableKeyId"), ("stage", "VariableStage4F549C44")],
)
def test_variables(name: str, expected: str) -> None:
    """The usual names are easy to tell; case counts."""
    assert variable_id(name) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), unique=True, max_size=12))
def test_parameters_are_distinct(names: list[str]) -> None:
    """Two variables never are one parameter."""
    assert len({variable_id(name) for name in names}) == len(names)
