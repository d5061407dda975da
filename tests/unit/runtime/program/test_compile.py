"""Expressions are JMESPath on exact numbers, compiled to plain callables."""

import contextlib
from decimal import Decimal
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import ExpressionError
from router.runtime.program.expressions import fields_read
from router.runtime.program.expressions.compile import (
    InvalidExpression,
    _interpreted,
    compile_condition,
    compile_expression,
    parse_expression,
)

NAMES = st.sampled_from(["a", "b", "c", "_d", "e5"])
NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3) | st.just("x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(".".join)


def exact(value: Any) -> Any:
    """The value with its types, so that 1, True and Decimal(1) differ."""
    return repr(value)


@settings(deadline=None)
@given(DOCUMENTS, PATHS, st.sampled_from(["{}", "@.{}", "{} == 'x'", "'x' == {}", "{} != 'x'", "@"]))
def test_direct_and_interpreted_agree(document: Any, path: Any, form: Any) -> None:
    """What is compiled to direct look-ups gives what the interpreter gives."""
    text = form.format(path)

    assert exact(compile_expression(text)(document)) == exact(_interpreted(parse_expression(text), text)(document))


@settings(deadline=None)
@given(st.text(alphabet="ab.[]{}()*?@&|!=<>'\"`\\ 0-1,:é", max_size=12))
def test_any_text_is_compiled_or_refused(text: Any) -> None:
    """No text raises anything but InvalidExpression."""
    for compile_ in (compile_expression, compile_condition):
        with contextlib.suppress(InvalidExpression):
            compile_(text)


NUMBERS_OF = {
    "price": Decimal("1.10"),
    "zero": Decimal(0),
    "one": Decimal("1.0"),
    "mixed": [3, Decimal("1.5"), Decimal("2.25")],
    "whole": [1, 2, 3],
    "none": [],
    "falses": [False, [False]],
    "lines": [{"n": 2, "p": Decimal("0.2")}, {"n": 1, "p": Decimal("0.1")}],
    "text": "x",
    "wide": [Decimal("1E+125"), Decimal("1E-130")],
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("price == `1.1`", True),
        ("price != `1.1`", False),
        ("`1.10`", Decimal("1.10")),
        ("`5`", 5),
        ("`[1.5, {\"a\": 2}]`", [Decimal("1.5"), {"a": 2}]),
        ("zero == `false`", False),
        ("one == `true`", False),
        ("one == `1`", True),
        ("`0` == `false`", False),
        ("`[0]` == `[false]`", False),
        ("`{\"a\": 1}` == `{\"a\": true}`", False),
        ("`{\"a\": 1}` == `{\"a\": 1.0}`", True),
        ("`{\"a\": 1}` == `{\"b\": 1}`", False),
        ("`[1]` == `[1, 2]`", False),
        ("contains(falses, `0`)", False),
        ("contains(falses, `[0]`)", False),
        ("contains(falses, `false`)", True),
        ("contains(mixed, `2.250`)", True),
        ("contains('abc', 'b')", True),
        ("!zero", False),
        ("zero || 'other'", Decimal(0)),
        ("sum(mixed)", Decimal("6.75")),
        ("sum(lines[*].p)", Decimal("0.3")),
        ("sum(whole)", 6),
        ("sum(none)", 0),
        ("sum(wide) > `1E+125`", True),
        ("avg(mixed)", Decimal("2.25")),
        ("avg(`[1, 0, 0]`)", Decimal("0." + "3" * 38)),
        ("avg(none)", None),
        ("max(mixed)", 3),
        ("min(mixed)", Decimal("1.5")),
        ("sort(mixed)", [Decimal("1.5"), Decimal("2.25"), 3]),
        ("sort_by(lines, &p)[0].n", 1),
        ("sort_by(none, &p)", []),
        ("max_by(lines, &p).n", 2),
        ("min_by(lines, &n).n", 1),
        ("abs(`-1.50`)", Decimal("1.50")),
        ("abs(`-1234567890123456789012345678901234567890.5`)", Decimal("1234567890123456789012345678901234567890.5")),
        ("abs(`-3`)", 3),
        ("ceil(`1.2`)", 2),
        ("ceil(`7`)", 7),
        ("floor(`-1.2`)", -2),
        ("floor(`1e3`)", 1000),
        ("floor(`7`)", 7),
        ("to_number('1.10')", Decimal("1.10")),
        ("to_number('5')", 5),
        ("to_number('-0')", 0),
        ("to_number('0e-999999')", 0),
        ("to_number('1e3')", Decimal("1E+3")),
        ("to_number(price)", Decimal("1.10")),
        ("to_number('nan')", None),
        ("to_number('inf')", None),
        ("to_number('1_0')", None),
        ("to_number(' 5')", None),
        ("to_number('05')", None),
        ("to_number('\u0665')", None),
        ("to_number(`true`)", None),
        ("to_number(lines)", None),
        ("to_string(lines[0])", '{"n":2,"p":0.2}'),
        ("to_string(price)", "1.1"),
        ("to_string(text)", "x"),
        ("to_string(`null`)", "null"),
        ("type(price)", "number"),
        ("type(text)", "string"),
        ("price > `1.09`", True),
        ("text > `true`", None),
        ("lines[?p > `0.1`].n", [2]),
        ("mixed[::2]", [3, Decimal("2.25")]),
        ("@.text", "x"),
        ("\"text\"", "x"),
        ("a.b.c.d", None),
        ("'it\\'s'", "it's"),
    ],
)  # fmt: skip
def test_exact(text: Any, value: Any) -> None:
    """Literals, comparisons and functions are exact, and keep the type of a number."""
    result = compile_expression(text)(NUMBERS_OF)

    assert exact(result) == exact(value)


PLAIN = {
    "a": {"b": {"c": "deep"}, "l": [1, 2, 3], "n": None},
    "people": [{"name": "b", "age": 30, "tags": ["x"]}, {"name": "a", "age": 20}, {"name": "c", "age": 25}],
    "s": "text",
    "t": True,
    "i": 7,
    "neg": -3,
    "words": ["z", "y"],
    "nested": [[1, 2], [3], 4],
    "odd-name": 1,
}


@pytest.mark.parametrize(
    "text",
    [
        "a.b.c", "a.b", "a", "@", "s.x", "a.n.x", "a.l[0]", "a.l[-1]", "a.l[9]", "a.l[1:]", "people[*].name",
        "people[?age > `20`].name", "people[?name == 'a'] | [0].age", "people[].tags[]", "nested[]", "a.*", "*.b",
        "{x: s, y: i}", "[s, i]", "s == 'text'", "'text' != s", "s && i", "t || s", "!t", "!missing", "i >= `7`",
        "length(s)", "length(people)", "keys(a.b)", "values(a.b)", "sort(words)", "sort_by(people, &age)[*].name",
        "max_by(people, &age).name", "min(a.l)", "max(words)", "sum(a.l)", "abs(neg)", "join('-', words)", "reverse(s)",
        "reverse(words)", "merge(a.b, `{\"z\": 1}`)", "map(&age, people)", "not_null(missing, s)", "to_array(s)",
        "starts_with(s, 'te')", "ends_with(s, 'xt')", "contains(words, 'z')", "type(a)", "\"odd-name\"",
        "people[0:2].age",
        "`[]`", "`\"raw\"`", "(a).b", "a | b", "max(`[]`)", "people[?contains(tags || `[]`, 'x')].name",
    ],
)  # fmt: skip
def test_the_library_agrees(text: Any) -> None:
    """Where no fraction is involved, the library gives the same."""
    assert exact(compile_expression(text)(PLAIN)) == exact(jmespath.search(text, PLAIN))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("length(missing)", "length() cannot take null"),
        ("sum(lines)", "sum() cannot take object"),
        ("abs(blob)", "abs() cannot take such a value"),
        ("sort_by(lines, &missing)", "sort_by() cannot take null"),
        ("text > `3`", "values of different types are compared"),
        ("contains(text, `1`)", "values of different types are compared"),
        ("sum(far)", "a sum would have to be rounded"),
        ("ceil(far[0])", "ceil() is given a number outside DynamoDB's range"),
        ("to_number(long)", "to_number() is given a number of more than 512 characters"),
        ("to_number('1e999999999')", "to_number() is given a number outside DynamoDB's range"),
        ("to_number('1e-131')", "to_number() is given a number outside DynamoDB's range"),
        ("floor(infinite)", "a value does not fit"),
        ("avg(`[1e999999999999999999, 1e-999999999999999999]`)", "a sum would have to be rounded"),
    ],
)
def test_evaluation_fails(text: Any, reason: Any) -> None:
    """What cannot be evaluated raises ExpressionError, with the expression and no value of the message."""
    data = {
        "text": "secret",
        "lines": [{"a": 1}],
        "far": [Decimal("1E+999999999"), Decimal(1)],
        "long": "1" * 10_000,
        "infinite": float("inf"),
        "blob": b"secret",
    }

    with pytest.raises(ExpressionError) as raised:
        compile_expression(text)(data)

    assert str(raised.value) == f"'{text}' failed: {reason}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("user..id", "unexpected '.' at column 6"),
        ("user.", "it ends too early"),
        ("a b", "unexpected 'b' at column 3"),
        ("a = 'x'", "'=' is no operator (write '==') at column 3"),
        ("a == 'x", "the ' is never closed at column 6"),
        ('"a', 'the " is never closed at column 1'),
        ('"\\q"', "the name in double quotes is not a JSON string at column 1"),
        ("a[", "it ends too early"),
        ("a # b", "unexpected '#' at column 3"),
        ("a.`1`", "unexpected '`' at column 3"),
        ("`foo`", "the literal `foo` is not JSON (write text as 'foo' or `\"foo\"`) at column 1"),
        ("a == `NaN`", "the literal `NaN` is not JSON (write text as 'NaN' or `\"NaN\"`) at column 6"),
        ("lenght(a)", "there is no function 'lenght' (did you mean 'length'?) at column 1"),
        ("a || zzz(a)", "there is no function 'zzz' at column 6"),
        ("length()", "length() takes 1 argument and is given 0 at column 1"),
        ("join('-')", "join() takes 2 arguments and is given 1 at column 1"),
        ("not_null()", "not_null() takes at least 1 argument and is given 0 at column 1"),
        ('"length"(a)', "the name of a function is written without quotes at column 1"),
        ("@(a)", "unexpected '@' at column 1"),
        ("sort_by(a, b)", "argument 2 of sort_by() needs a '&' before it at column 1"),
        ("length(&a)", "argument 1 of length() cannot have a '&' before it at column 1"),
        ("&a", "'&' stands only before an argument of a function"),
        ("[&a]", "'&' stands only before an argument of a function"),
        ("a[::0]", "the step of a slice cannot be 0"),
    ],
)
def test_invalid(text: Any, reason: Any) -> None:
    """A fault in an expression is reported in words, with its column."""
    with pytest.raises(InvalidExpression) as raised:
        compile_expression(text)

    assert raised.value.sentence == f"'{text.strip()}' is not a JMESPath expression: {reason}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a" * 4097, "it is longer than 4096 characters"),
        ("(" * 4000, "it nests too deeply"),
        ("`" + "[" * 160 + "]" * 160 + "`", "it nests too deeply"),
        ("`" + "[" * 2000 + "]" * 2000 + "`", "it nests too deeply"),
        ("!" * 200 + "a", "it nests too deeply"),
    ],
)
def test_too_much(text: Any, reason: Any) -> None:
    """Huge and deep expressions are refused before they cost anything."""
    with pytest.raises(InvalidExpression) as raised:
        compile_expression(text)

    assert raised.value.sentence == f"'{text[:59]}…' is not a JMESPath expression: {reason}"


def test_literals_are_not_shared() -> None:
    """What is done to the value of one message cannot be seen in that of the next."""
    evaluate = compile_expression("`[1]`")

    evaluate({}).append(2)

    assert evaluate({}) == [1]


@pytest.mark.parametrize(
    ("text", "data", "holds"),
    [
        ("type == 'device'", {"type": "device"}, True),
        ("type == 'device'", {}, False),
        ("type != 'device'", [], True),
        ("a", {"a": 0}, True),
        ("a", {"a": Decimal(0)}, True),
        ("a", {"a": False}, False),
        ("a", {"a": ""}, False),
        ("a", {"a": []}, False),
        ("a", {"a": {}}, False),
        ("a", {}, False),
        ("a.b", {"a": {"b": "x"}}, True),
        ("a[?b]", {"a": [{"b": 1}]}, True),
        ("a > `1`", {"a": 2}, True),
        ("a > `1`", {"a": "2"}, False),
        ("length(a) > `1`", {}, False),
    ],
)
def test_conditions(text: Any, data: Any, holds: Any) -> None:
    """A condition is JMESPath's truth, and one that fails is false."""
    assert compile_condition(text)(data) is holds


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a", {"a"}),
        ("a.b[0].c", {"a"}),
        ("a[?b > `1`].c | d", {"a"}),
        ("a.*.b", {"a"}),
        ("sum(a[].n)", {"a"}),
        ("sort_by(a, &b)", {"a"}),
        ("[a, b.c] || {x: d}", {"a", "b", "d"}),
        ("!a && b != 'c'", {"a", "b"}),
        ("`[1]`", set()),
        ("@", None),
        ("[0]", None),
        ("contains(@, a)", None),
        ("[a, @]", None),
        ("*.a", None),
    ],
)
def test_the_fields_that_an_expression_reads(text: str, fields: set[str] | None) -> None:
    """Top-level fields of the data, or None for all of them."""
    read = fields_read(parse_expression(text))

    assert (None if read is None else set(read)) == fields
