"""Direct look-ups say what the library says, for every expression that takes the short way."""

import json
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import jmespath
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import ExpressionError
from tests.support.program import InvalidExpression, compile_condition, compile_expression

NAMES = ["a", "b", "foo", "type", "Söl", "with space", "1x", ""]
EXACT = msgspec.json.Decoder(float_hook=Decimal)
NUMBERS = msgspec.json.Encoder(decimal_format="number", order="sorted")
LEAVES = [None, True, False, 0, 1, -7, "", "a", "x", [], ["a"], {}, {"a": "x"}]


def is_direct(text: str) -> bool:
    """Whether an expression takes the short way, past the library's interpreter."""
    return "_interpreted" not in compile_expression(text).__qualname__


@cache
def published() -> list[str]:
    """The JMESPath expressions in botocore's descriptions of services: where pages go on, what waiters look at."""
    folder = Path(botocore.__file__).parent / "data"
    found: set[str] = set()
    keys = {"input_token", "output_token", "result_key", "more_results", "limit_key", "argument", "non_aggregate_keys"}
    for name in ("paginators-1.json", "waiters-2.json"):
        for file in folder.glob(f"*/*/{name}"):
            stack = [json.loads(file.read_text(encoding="utf-8"))]
            while stack:
                node = stack.pop()
                if isinstance(node, dict):
                    for key, value in node.items():
                        texts = value if isinstance(value, list) else [value]
                        found.update(text for text in texts if key in keys and isinstance(text, str))
                stack += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return sorted(found)


def documents(text: str) -> list[Any]:
    """Data that has what a path asks for, and data that lacks a part of it or has something else there."""
    names = re.findall(r"\w+", text)
    made: list[Any] = list(LEAVES)
    for depth in range(1, len(names) + 1):
        for leaf in LEAVES:
            data: Any = leaf
            for name in reversed(names[:depth]):
                data = {name: data, "other": 1}
            made.append(data)
    return made


def test_published_expressions() -> None:
    """Every direct look-up among botocore's expressions gives what the library gives."""
    direct = [text for text in published() if is_direct(text)]

    differing = [
        (text, data)
        for text in direct
        for data in documents(text)
        if not alike(compile_expression(text)(data), jmespath.search(text, data))
    ]

    assert (differing, len(direct) > 500) == ([], True)


def alike(one: Any, other: Any) -> bool:
    """Whether values are the same, true and 1 apart."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


class Case(msgspec.Struct, frozen=True):
    """A case of the compliance suite: the value that an expression has for some data, or the error that it is."""

    file: str
    expression: str
    given: str
    result: str | None


def cases(suite: Path) -> list[Case]:
    """All cases of the compliance suite that say what comes out."""
    return [
        Case(file.name, case["expression"], json.dumps(group["given"]), shown(case["result"]) if found else None)
        for file in sorted(suite.glob("*.json"))
        for group in json.loads(file.read_bytes())
        for case in group["cases"]
        if (found := "result" in case) or "error" in case
    ]


def shown(value: Any) -> str:
    """A value as text: true and 1 apart, and numbers by their value."""
    return NUMBERS.encode(msgspec.json.decode(NUMBERS.encode(value))).decode()


def routed(case: Case) -> str | None:
    """What the router makes of a case, with the exact numbers that it has; None for an error."""
    try:
        return shown(compile_expression(case.expression)(EXACT.decode(case.given)))
    except (InvalidExpression, ExpressionError):
        return None


def test_the_short_way_in_the_compliance_suite(jmespath_suite: Path) -> None:
    """Of each case that takes it, the library says what the direct look-up says."""
    direct = [case for case in cases(jmespath_suite) if routed(case) is not None and is_direct(case.expression)]

    differing = [
        case for case in direct if shown(jmespath.search(case.expression, json.loads(case.given))) != routed(case)
    ]

    assert (differing, len(direct) > 150) == ([], True)


def test_the_whole_compliance_suite(jmespath_suite: Path) -> None:
    """With its exact numbers, the router says what the suite says, and refuses what it refuses."""
    every = cases(jmespath_suite)

    assert ([case for case in every if routed(case) != case.result], len(every) > 800) == ([], True)


def quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else json.dumps(name)


PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5).map(lambda names: ".".join(map(quoted, names)))
ROOTED = PATHS | PATHS.map("@.{}".format) | st.just("@")
TEXTS = st.sampled_from(["'x'", "'a'", "''", '`"x"`', '`"ö"`'])
EXPRESSIONS = ROOTED | st.builds(
    lambda path, sign, text, turned: f"{text} {sign} {path}" if turned else f"{path} {sign} {text}",
    ROOTED,
    st.sampled_from(["==", "!="]),
    TEXTS,
    st.booleans(),
)
DATA = st.recursive(
    st.sampled_from(LEAVES),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inside, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(text=EXPRESSIONS, data=DATA)
def test_generated_expressions(text: str, data: Any) -> None:
    """Paths and comparisons with text are direct, and give what the library gives, as values and as conditions."""
    expected = jmespath.search(text, data)

    truth = not (expected in ("", [], {}, None) or expected is False)
    assert (is_direct(text), alike(compile_expression(text)(data), expected), compile_condition(text)(data)) == (
        True,
        True,
        truth,
    )
