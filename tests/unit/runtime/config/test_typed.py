"""Which texts of a config stand for numbers, or for true or false, and which texts it takes."""

from typing import Any

import pytest

from router.runtime.config import spec
from router.runtime.config.environment import (
    Constraint,
    EnvironmentFault,
    TypedText,
    convert_texts,
    find_references,
    meets,
)
from router.runtime.config.schema import find_typed
from router.runtime.config.source import parse_text
from tests.support.ops import find_constraints


@pytest.mark.parametrize(
    ("config", "typed"),
    [
        ("function: {memory: '${A}', timeout: '${A}', environment: {B: '${A}'}}", ("function", "memory", "integer")),
        ("worker: {cpu: '${A}', architecture: '${A}'}", ("worker", "cpu", "integer")),
        (
            "queues: {q: {atomic: '${A}', envelope: ['${A}'], s3_pointer: {buckets: ['${A}']}}}",
            ("queues", "q", "atomic", "boolean"),
        ),
        ("routes: {r: {schema: '${A}', item: {a: {from: b, default: '${A}'}}, tests: [{message: '${A}'}]}}", None),
        ("queues: {q: {lambda: {batch_sze: '${A}'}}}\nincluded: '${A}'\ninclude: ['${A}']", None),
    ],
)
def test_kinds(config: str, typed: Any) -> None:
    """By the specification; a place that takes text, any value, or that does not exist, has none."""
    data = parse_text(config).data

    found = list(find_typed(spec.Config, data, find_references(data)))

    assert found == ([TypedText(typed[:-1], typed[-1])] if typed else [])


def test_conversion() -> None:
    """A text becomes its value; one that is none is removed with a fault, or without if its variable is not set."""
    data: dict[str, Any] = {"a": "+5", "b": "TRUE", "c": "false", "d": "5 ", "e": "unset_E", "f": "5"}
    texts = [TypedText((name,), "boolean" if name in "bcf" else "integer") for name in data]

    faults = list(convert_texts(data, texts))

    assert (data, faults) == (
        {"a": 5, "b": True, "c": False},
        [
            EnvironmentFault(
                ("d",), "the variables in 'd' do not make a whole number", "set them so that it is a whole number"
            ),
            EnvironmentFault(
                ("f",), "the variables in 'f' do not make true or false", "set them so that it is true or false"
            ),
        ],
    )


@pytest.mark.parametrize(
    ("config", "choices"),
    [
        ("include: '${A}'", None),
        ("included: '${A}'", None),
        ("queues: {q: {name: '${A}', atomic: '${A}'}}", None),
        ("routes: {r: {schema: '${A}', options: {o: '${A}'}, item: {a: {value: '${A}'}}}}", None),
        ("routes: {r: {queue: '${A}'}}", [{"minLength": 1}]),
        ("routes: {r: {description: '${A}'}}", [{"maxLength": 500}]),
        ("queues: {q: {match: '${A}'}}", [{"enum": ["all", "first"]}]),
        ("queues: {q: {redact: ['${A}']}}", [{"minLength": 1, "maxLength": 200}]),
        ("queues: {q: {redact: [{meta: '${A}'}]}}", [{"pattern": r"^attribute\..+$"}]),
        ("routes: {r: {item: {a: {ttl: '${A}'}}}}", [{"pattern": "^[0-9]{1,9}[smhdw]$"}]),
        ("worker: {cpu: '${A}'}", [{"enum": [256, 512, 1024, 2048, 4096, 8192, 16384]}]),
        ("queues: {q: {max_receive_count: '${A}'}}", [{"minimum": 5, "maximum": 1000}]),
    ],
)
def test_constraints(config: str, choices: Any) -> None:
    """By the specification; a place that takes any text or value, true and false, or that does not exist, has none."""
    data = parse_text(config).data
    paths = find_references(data)

    found = list(find_constraints(spec.Config, data, paths))

    assert found == ([Constraint(paths[0], tuple(choices))] if choices else [])


@pytest.mark.parametrize(
    ("keywords", "accepted", "refused"),
    [
        ({"enum": ["a", "b"]}, ["a", "b"], ["", "c", "a\n"]),
        ({"enum": [256, 512]}, [256, 512], [0, 257]),
        ({"minimum": 2, "maximum": 3}, [2, 3], [1, 4]),
        ({"minimum": 2}, [2, 10**9], [1]),
        ({"minLength": 1}, ["a", "\n", "é"], [""]),
        ({"minLength": 1, "maxLength": 2}, ["a", "ab"], ["", "abc"]),
        ({"maxLength": 1}, ["", "é"], ["ab"]),
        ({"pattern": "^a.$"}, ["ab"], ["", "a", "bab", "abc", "ab\n", "a\n", "aé"]),
        ({"pattern": "^\\d$"}, ["1"], ["\u0661", "a"]),
    ],
)
def test_values(keywords: dict[str, Any], accepted: list[Any], refused: list[Any]) -> None:
    """Are accepted if the keywords do, and pattern only plain text: the schema decides about the rest."""
    values = {str(at): value for at, value in enumerate([*accepted, *refused])}
    data = {"values": values}

    met = [meets(data, Constraint(("values", name), ({"enum": ["none"]}, keywords))) for name in values]

    assert met == [True] * len(accepted) + [False] * len(refused)
