"""Reads the keywords of subschemas for those that make values of them."""

import re
from typing import Any

from router.program.expressions import equal, kind_of
from router.program.schemas.documents import map_of
from router.program.schemas.references import Location

_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def property_places(part: Location, name: str) -> list[Location]:
    """Return the subschemas of one schema that describe a property."""
    schema = part.content
    found = [part.below(("properties", name))] if name in map_of(schema, "properties") else []
    for pattern in map_of(schema, "patternProperties"):
        try:
            matches = re.search(pattern, name)
        except re.error:
            matches = None
        if matches:
            found.append(part.below(("patternProperties", pattern)))
    if not found and "additionalProperties" in schema:
        found.append(part.below(("additionalProperties",)))
    return found


def element_places(part: Location, index: int) -> list[Location]:
    """Return the subschemas of one schema that describe an element of a list."""
    schema = part.content
    key = "prefixItems" if "prefixItems" in schema else "items"
    if index < len(prefix_of(schema)):
        return [part.below((key, index))]
    rest = "additionalItems" if isinstance(schema.get("items"), list) else "items"
    return [part.below((rest,))] if rest in schema else []


def prefix_of(schema: dict[str, Any]) -> list[Any]:
    """Return the subschemas of the first elements of a list."""
    given = schema.get("prefixItems", schema.get("items"))
    return given if isinstance(given, list) else []


def is_among(value: Any, values: list[Any]) -> bool:
    """Return whether a value is one of some, of the same type."""
    return any(equal(value, other) for other in values)


def named_types(schema: dict[str, Any]) -> set[str]:
    """Return the types that a schema names; all if it names none."""
    given = schema.get("type", _TYPES)
    return {given} if isinstance(given, str) else set(given)


def common_types(schemas: list[dict[str, Any]]) -> set[str]:
    """Return the types that all schemas allow."""
    allowed = set(_TYPES)
    for schema in schemas:
        named = named_types(schema)
        allowed &= named | ({"integer"} if "number" in named else set())
    return allowed


def is_of_types(value: Any, types: set[str]) -> bool:
    """Return whether a value has one of the types."""
    kind = kind_of(value)
    return kind in types or (kind == "number" and "integer" in types and value % 1 == 0)
