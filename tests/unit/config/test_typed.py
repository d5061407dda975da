"""Which texts of a config stand for numbers, or for true or false."""

from typing import Any

import pytest

from router.config import spec
from router.config.environment import EnvironmentFault, TypedText, convert_texts, find_references
from router.config.schema import find_typed
from router.config.source import parse_text


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

    faults = convert_texts(data, texts)

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
