"""Claims about a message, as JSON Schemas that mean the same in every draft: what proofs ask for."""

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]
EACH = None
"""The step of a path to each element of a list."""
Steps = tuple[str | None, ...]
"""A path into a message: names of properties, and EACH."""
TYPES = ("string", "number", "boolean", "array", "object")
"""The types of JSON values; null counts as missing."""
NOTHING: Schema = {"not": {}}
NO_VALUE: Schema = {"enum": [None]}
SOME_VALUE: Schema = {"not": NO_VALUE}
TRUTHY: Schema = {"not": {"enum": [None, False, "", [], {}]}}
"""What JMESPath holds for true."""


def wherever(steps: Steps, leaf: Schema) -> Schema:
    """What is at the path, if there is anything, is as `leaf` says."""
    for step in reversed(steps):
        leaf = {"items": leaf} if step is EACH else {"properties": {step: leaf}}
    return leaf


def in_element(steps: Steps) -> int:
    """How many steps of a path lead to the elements of the last list in it; 0 if it leads through none."""
    return len(steps) - steps[::-1].index(EACH) if EACH in steps else 0


def there(names: Sequence[str | None], leaf: Schema) -> Schema:
    """Something is where the names lead, and is as `leaf` says."""
    for name in reversed(names):
        leaf = {"type": "object", "required": [name], "properties": {name: leaf}}
    return leaf


def somewhere(steps: Steps, leaf: Schema) -> Schema:
    """Something is at the path, lists on the way have elements, and it is all as `leaf` says."""
    for step in reversed(steps):
        if step is EACH:
            leaf = {"type": "array", "minItems": 1, "items": leaf}
        else:
            leaf = {"type": "object", "required": [step], "properties": {step: leaf}}
    return leaf


def all_of(claims: list[Schema]) -> Schema:
    """All the claims hold."""
    return {"allOf": claims} if claims else {}


def any_of(claims: list[Schema]) -> Schema:
    """One of the claims holds."""
    return {"anyOf": claims} if claims else NOTHING
