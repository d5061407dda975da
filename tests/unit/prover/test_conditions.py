"""The predicate of each kind of condition."""

import pytest

from router.prover.conditions import ALWAYS, ANYTHING, Condition, condition_of
from router.prover.predicates import there

A = ("a",)
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("`true`", ALWAYS),
        ("`[]`", Condition({"not": {}}, True)),
        ("a == b", ANYTHING),
        ("sum(a) > `0`", ANYTHING),
        ("length(a.b[0]) > `0`", ANYTHING),
        ("[a] > `0`", ANYTHING),
        ("a > `true`", ANYTHING),
        ("type(a) > `1`", ANYTHING),
        ("!a.b", Condition({"not": {}}, True)),
        ("!(!a.b)", Condition({"not": {"not": {}}}, True)),
        ("to_string(a) > 'x'", ANYTHING),
        ("to_string(a) == `1`", ANYTHING),
        ("to_string(a) == 'null'", ANYTHING),
        ("to_string(a) == 'x'", Condition(there(A, {"enum": ["x"]}), True)),
        ("to_string(a) != 'x'", Condition({"not": there(A, {"enum": ["x"]})}, True)),
        ("to_string(a) == '1'", Condition(there(A, {"enum": ["1", 1]}), False)),
        ("to_string(a) != '1'", Condition({"not": there(A, {"enum": ["1"]})}, False)),
        ("starts_with(a, b)", ANYTHING),
        ("contains(a, `1`)", ANYTHING),
        ("contains(`true`, a)", ANYTHING),
        ("contains([b, 'x'], a)", ANYTHING),
        ("`3` > a", Condition(there(A, {"type": "number", "not": {"minimum": 3}}), True, True)),
        ("a >= `3`", Condition(there(A, {"type": "number", "minimum": 3}), True, True)),
        ("a <= `3`", Condition(there(A, {"type": "number", "maximum": 3}), True, True)),
        ("a > 'x'", Condition(there(A, TEXT), False, True)),
        ("!(a > 'x')", Condition({}, False, True)),
        (
            "!(a > `3`)",
            Condition(
                {"allOf": [{"not": there(A, {"type": "number", "not": {"maximum": 3}})}, {"not": there(A, TEXT)}]},
                True,
                True,
            ),
        ),
        ("length(a) < `0`", Condition(there(A, {"not": {}}), True, True)),
        ("!(length(a) > `1.5`)", Condition({}, False, True)),
        ("type(a) == 'null'", Condition({"not": there(A, {"not": {"enum": [None]}})}, True)),
        ("type(a) == 'x'", Condition({"not": {}}, True)),
        ("starts_with(a, 'a.b')", Condition(there(A, {**TEXT, "pattern": "^a\\.b"}), True, True)),
        ("!ends_with(a, '$')", Condition(there(A, {**TEXT, "not": {"pattern": "\\$$"}}), True, True)),
    ],
)  # fmt: skip
def test_conditions(text: str, condition: Condition) -> None:
    """It is exact or not, and partial if the condition raises an error on some messages."""
    assert condition_of(text) == condition
