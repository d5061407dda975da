"""Makes schemas that cost much to reason about: self-similar, exponential when references are followed, and wide."""

from collections.abc import Callable, Mapping
from typing import Any

Schema = dict[str, Any]
_NAMES = tuple(f"p{number}" for number in range(400))


def hostile_schemas() -> Mapping[str, Schema]:
    """Return the schemas, each of at most 256 KiB, by name."""
    return {name: {"type": "object", **make()} for name, make in _MADE.items()}


def _chain(link: Callable[[Schema, Schema], Schema], count: int = 40) -> Schema:
    """Return definitions of which each refers to the next one twice."""
    parts: Schema = {f"d{count}": {"type": "string"}}
    for number in range(count):
        following = {"$ref": f"#/$defs/d{number + 1}"}
        parts[f"d{number}"] = link(following, following)
    return {"properties": {"id": {"type": "string"}, "root": {"$ref": "#/$defs/d0"}}, "$defs": parts}


def _recursive(names: int) -> Schema:
    node = {"type": "object", "properties": {name: {"$ref": "#/$defs/node"} for name in _NAMES[:names]}}
    return {"properties": {"id": {"type": "string"}, "root": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}}


def _branches(keyword: str, count: int, width: int) -> Schema:
    """Return several choices that all apply: their product is what a message can be."""

    def choice(name: str) -> Schema:
        return {"required": [name], "properties": {name: {"type": "string"}}}

    choices = [{keyword: [choice(f"a{row}_{column}") for column in range(width)]} for row in range(count)]
    return {"properties": {"id": {"type": "string"}}, "allOf": choices}


def _patterns(count: int) -> Schema:
    texts = [{"pattern": f"^(.*{chr(97 + number)}){{3}}.*$"} for number in range(count)]
    return {"properties": {"id": {"type": "string", "allOf": texts}}}


_MADE: Mapping[str, Callable[[], Schema]] = {
    "one recursive property": lambda: _recursive(1),
    "three recursive properties": lambda: _recursive(3),
    "forty recursive properties": lambda: _recursive(40),
    "mutually recursive properties": lambda: {
        "properties": {"id": {"type": "string"}, **{name: {"$ref": f"#/$defs/{name}"} for name in _NAMES[:20]}},
        "$defs": {
            name: {"type": "object", "properties": {other: {"$ref": f"#/$defs/{other}"} for other in _NAMES[:20]}}
            for name in _NAMES[:20]
        },
    },
    "recursive lists": lambda: {
        "properties": {"id": {"type": "string"}, "rows": {"$ref": "#/$defs/rows"}},
        "$defs": {
            "rows": {"type": "array", "maxItems": 9, "items": {"anyOf": [{"$ref": "#/$defs/rows"}, {"maxLength": 9}]}}
        },
    },
    "objects of objects, doubling": lambda: _chain(
        lambda one, two: {"type": "object", "properties": {"a": one, "b": two}}
    ),
    "allOf of allOf, doubling": lambda: _chain(lambda one, two: {"allOf": [one, two]}),
    "anyOf of anyOf, doubling": lambda: _chain(lambda one, two: {"anyOf": [one, {"type": "array", "items": two}]}),
    "oneOf of oneOf, doubling": lambda: _chain(lambda one, two: {"oneOf": [one, {"type": "array", "items": two}]}),
    "not of not, doubling": lambda: _chain(lambda one, two: {"not": {"allOf": [one, {"not": two}]}}),
    "a product of anyOf": lambda: _branches("anyOf", 12, 6),
    "a product of oneOf": lambda: _branches("oneOf", 8, 6),
    "a long oneOf": lambda: _branches("oneOf", 1, 400),
    "many patterns at once": lambda: _patterns(12),
    "a long pattern": lambda: {"properties": {"id": {"type": "string", "pattern": "^(a{1,100}b?){1,100}$"}}},
    "long repeats": lambda: {"properties": {"id": {"type": "string", "pattern": "^(?:[a-z0-9]{0,900}-?){0,9}$"}}},
    "large lengths": lambda: {"properties": {"id": {"type": "string", "minLength": 10**6, "pattern": "^[a-z]+$"}}},
    "large counts": lambda: {
        "properties": {
            "id": {"type": "array", "minItems": 10**6, "uniqueItems": True, "items": {"enum": list(range(2000))}}
        }
    },
    "a long enum": lambda: {"properties": {"id": {"enum": [f"word {number}" for number in range(12_000)]}}},
    "two long enums": lambda: {
        "properties": {"id": {"allOf": [{"enum": list(range(9000))}, {"enum": list(range(4500, 13_500))}]}}
    },
    "many properties": lambda: {
        "properties": {f"{name}{number}": {"type": "string", "maxLength": 99} for name in _NAMES for number in range(8)}
    },
    "many required properties": lambda: {
        "properties": {name: {"type": ["string", "null"], "minLength": 1} for name in _NAMES},
        "required": [*_NAMES],
        "minProperties": 390,
    },
    "many conditions": lambda: {
        "allOf": [
            {"if": {"properties": {name: {"const": 1}}, "required": [name]}, "then": {"required": [f"{name}x"]}}
            for name in _NAMES[:200]
        ]
    },
    "many dependencies": lambda: {"dependentRequired": {name: [f"{name}x"] for name in _NAMES}},
    "many pattern properties": lambda: {"patternProperties": {f"^{name}": {"maxLength": 9} for name in _NAMES}},
    "unevaluated properties": lambda: {**_branches("anyOf", 10, 5), "unevaluatedProperties": False},
    "many definitions in a chain": lambda: {
        "properties": {"id": {"$ref": "#/$defs/d0"}},
        "$defs": {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(1500)}
        | {"d1500": {"type": "string"}},
    },
    "many definitions": lambda: {
        "properties": {f"p{number}": {"$ref": f"#/$defs/d{number}"} for number in range(3000)},
        "$defs": {f"d{number}": {"type": "string"} for number in range(3000)},
    },
    "definitions that nothing refers to": lambda: {
        "$defs": {f"d{number}": {"type": "string"} for number in range(5000)}
    },
    "an example with many names": lambda: {
        "propertyNames": {"maxLength": 1},
        "examples": [{f"name {number}": number for number in range(6000)}],
    },
    "many examples": lambda: {
        "properties": {name: {"type": "string", "examples": ["x", 1, "y"]} for name in _NAMES},
    },
    "a long list of examples": lambda: {
        "properties": {"id": {"anyOf": [{"const": number} for number in range(2000)]}},
        "examples": [{"id": f"x{number}"} for number in range(4000)],
    },
    "multiples": lambda: {
        "properties": {"id": {"allOf": [{"multipleOf": number} for number in (9973, 9967, 9949, 9941, 9931, 9929)]}}
    },
}
