"""The evaluator says what the library's interpreter says, and every function is the specification's."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from router.errors import ExpressionError
from router.runtime.program.expressions.evaluate import compile_tree
from router.runtime.program.expressions.functions import FUNCTIONS
from router.runtime.program.expressions.syntax import parse

FAILURES = (JMESPathError, ExpressionError, ValueError, TypeError, AttributeError, ArithmeticError)
NAMES = st.sampled_from(["a", "b", "c"])
# No 0, 1 or fractions: there the library is not exact, or takes true for 1.
LEAVES = NAMES | st.sampled_from(["@", "`2`", "`-3`", "'x'", "''", "`[2, 5]`", '`["x"]`', "`true`", "`null`", "`[]`"])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(2, 4) | st.sampled_from(["", "x", "xy"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=3),
    max_leaves=12,
)
INEXACT = {"avg", "length", "sum", "to_number", "to_string", "type"}
"""Functions that are our own, or that make numbers which the data does not have, as 0 and 1."""


def call(name: str, arguments: list[str]) -> str:
    """A call with as many of the arguments as the function takes."""
    takes = FUNCTIONS[name].takes
    given = [f"&{each}" if types == ("expref",) else each for types, each in zip(takes, arguments, strict=False)]
    return f"{name}({', '.join(given)})"


def longer(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions with others in them, of every kind."""
    forms = ["({}).a", "({})[0]", "({})[-1]", "({})[1:]", "({})[::-1]", "({})[]", "({})[*]", "({})[*].b", "({}).*"]
    pairs = ["({0}) | {1}", "({0})[?{1}]", "[{0}, {1}]", "{{x: {0}, y: {1}}}", "a || ({0})[?{1}].a", "!({0}) && {1}"]
    signs = [f"({{0}}) {sign} ({{1}})" for sign in ("==", "!=", "<", "<=", ">", ">=", "&&", "||")]
    names = sorted(FUNCTIONS.keys() - INEXACT)
    return (
        st.builds(str.format, st.sampled_from(forms), inside)
        | st.builds(str.format, st.sampled_from(pairs + signs), inside, inside)
        | st.builds(call, st.sampled_from(names), st.lists(inside, min_size=2, max_size=2))
    )


def outcome(evaluate: Any, *arguments: Any) -> str:
    """The value, with its types; or that there is none."""
    try:
        return repr(evaluate(*arguments))
    except FAILURES:
        return "fails"


@settings(max_examples=400, deadline=None)
@given(text=st.recursive(LEAVES, longer, max_leaves=5), data=DATA)
def test_the_library_agrees(text: str, data: Any) -> None:
    """On data without fractions the value is that of the library's interpreter, or both fail."""
    tree = parse(text)

    assert outcome(compile_tree(tree), data) == outcome(TreeInterpreter().visit, tree, data)


def test_all_functions() -> None:
    """Those of the library are here, with as many arguments."""
    library = {name: len(each["signature"]) for name, each in Functions.FUNCTION_TABLE.items()}

    assert {name: len(each.takes) for name, each in FUNCTIONS.items()} == library


@pytest.mark.parametrize(
    ("given_", "text"),
    [(7, "7"), (Decimal("1.0"), "1"), (Decimal("-1.50e3"), "-1500"), (Decimal("1e-9"), "0.000000001"), ("a", "a")],
)
def test_the_text_of_a_number(given_: Any, text: str) -> None:
    """Equal numbers have one text, however they are spelled; one with an absurd exponent keeps it."""
    to_string = compile_tree(parse("to_string(@)"))

    assert (to_string(given_), to_string(Decimal("1e999999"))) == (text, "1E+999999")
