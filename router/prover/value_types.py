"""The types of values, as the keyword `type` names them."""

from collections.abc import Iterable
from typing import Any

from router.prover.predicates import Schema
from router.runtime.program.expressions import kind_of

ALL_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def types_in(given: str | Iterable[str]) -> set[str]:
    """Return the types that the keyword `type` allows. An integer is a number."""
    named = {given} if isinstance(given, str) else set(given)
    return named | {"integer"} if "number" in named else named


def common_types(schemas: Iterable[Schema]) -> set[str]:
    """Return the types that all schemas allow."""
    allowed = set(ALL_TYPES)
    for schema in schemas:
        if "type" in schema:
            allowed &= types_in(schema["type"])
    return allowed


def is_of_types(value: Any, types: set[str]) -> bool:
    """Whether a value has one of the types."""
    kind = kind_of(value)
    if kind in types:
        return True
    return kind == "number" and "integer" in types and value % 1 == 0
