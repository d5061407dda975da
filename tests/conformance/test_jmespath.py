"""Direct look-ups say what the library says, for every expression that takes the short way."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import jmespath
from hypothesis import given, settings
from hypothesis import strategies as st

from router.compile.expressions import compile_condition, compile_expression

NAMES = ["a", "b", "foo", "type", "Söl", "with space", "1x", ""]
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
            data = leaf
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
