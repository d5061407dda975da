"""Inputs that are made so that the value of an expression has a given part."""

from typing import Any

import pytest

from router.prover.expression_inputs import inputs_with, merged, parts_with
from router.prover.expressions import Scope, tree_of
from router.prover.predicates import EACH
from tests.support.program import compile_expression

PART = "the part"


def has(value: Any) -> bool:
    """Whether a value has the part in it."""
    match value:
        case dict():
            return any(map(has, value.values())) or PART in value
        case list():
            return any(map(has, value))
    return isinstance(value, str) and PART in (value, value[::-1])


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.b",
        "@",
        "a[0]",
        "a[-1].b",
        "a[0:2].b",
        "a | [0]",
        "a.b[0].c.d",
        "a.*.b",
        "a[*].[id, name][]",
        "{x: a, y: b}",
        "a || b",
        "a && b",
        "a[?x == 'y'] | [0]",
        "a[?x > `1`].name",
        "a[?x != `1`].name",
        "a[?x == `1` && y].name",
        "a[?x == `1` || y].name",
        "a[?x != 'y'].name",
        "a[?x == y].name",
        "max_by(a, &id).name",
        "sort_by(a, &id)",
        "join(',', map(&to_string(@), a))",
        "to_array(a)[-1]",
        "not_null(a, b)",
        "reverse(a)",
        "keys(a)",
        "sort(a)",
        "max(a)",
        "values(a)",
        "merge(a, @)",
    ],
)
def test_the_value_has_the_part(text: str) -> None:
    """Of one of the inputs at least."""
    tree = tree_of(text)
    assert tree

    assert any(has(compile_expression(text)(made)) for made in inputs_with(tree, PART))


@pytest.mark.parametrize("text", ["length(a)", "!a", "`1`", "a[?length(x) > `1`].b", "a[?x > 'y'].b"])
def test_no_input_is_known(text: str) -> None:
    """Where the value has no part of the input, or the form does not show one; it is no error."""
    tree = tree_of(text)
    assert tree

    assert not any(has(compile_expression(text)(made)) for made in inputs_with(tree, PART))


@pytest.mark.parametrize(
    ("text", "scope", "parts"),
    [
        ("a.b", Scope(), [(("a", "b"), {"a": {"b": PART}}), (("a", "b"), {"a": {"b": {"added": PART}}})]),
        ("keys(a)", Scope(), [((), {"a": {PART: 1}})]),
        ("merge(a, b)", Scope(), [(("a",), {"a": {"added": PART}}), (("b",), {"b": {"added": PART}})] * 2),
        ("element.b || message.c", Scope(True, ("a", EACH)), [
            (("a", EACH, "b"), {"a": [{"b": PART}]}),
            (("c",), {"c": PART}),
            (("a", EACH, "b"), {"a": [{"b": {"added": PART}}]}),
            (("c",), {"c": {"added": PART}}),
        ]),
        ("element.b", Scope(True), [((), {}), ((), {})]),
        ("@", Scope(True), [((), PART), ((), {})]),
    ],
)  # fmt: skip
def test_parts_of_messages(text: str, scope: Scope, parts: list[Any]) -> None:
    """With the path of the text in each; with `for_each`, in the element or in the message."""
    tree = tree_of(text)
    assert tree

    assert [*parts_with(tree, scope, PART)] == parts


def test_a_part_in_a_message() -> None:
    """It is in the first element of a list."""
    whole = merged({"a": [{"c": 1}, {"d": 2}], "e": 3}, {"a": [{"b": PART}]})

    assert whole == {"a": [{"c": 1, "b": PART}, {"d": 2}], "e": 3}
