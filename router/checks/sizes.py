"""Finds items that can be larger than DynamoDB takes, where the schema bounds what they are made of."""

from collections.abc import Iterator
from typing import Any

from msgspec import UnsetType

from router.checks.claims import EACH, Steps
from router.checks.declared import Declared
from router.checks.expressions import path_of, tree_of
from router.checks.flows import Flow, is_set
from router.checks.rule import Found, Subject
from router.engine.attributes import MAX_DIGITS, MAX_ITEM_BYTES, text_bytes
from router.model import Code, Path

ITEM_TOO_LARGE = Code(
    "RT615",
    "an item that can be larger than 400 KB",
    "DynamoDB takes no larger item. A message may have 1 MiB, so that one can pass its schema and still be rejected.",
    "warning",
)

_COMBINING = (
    *("allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "dependencies", "$dynamicRef", "$recursiveRef"),
    *("contains", "maxProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems", "prefixItems"),
)
"""What can make less of a message possible than its parts say one by one."""
_NARROWING = ("pattern", "format", "const", "enum", "contentEncoding", "contentMediaType")
_DEEPEST = 12
_BYTES_OF_A_CHARACTER = 4
_NUMBER = (MAX_DIGITS + 1) // 2 + 1
_OVERHEAD = 3


def check_sizes(subject: Subject) -> Iterator[Found]:
    """Find routes whose items can pass the limit."""
    for flow in subject.flows:
        if flow.mapped is None or flow.declared is None or flow.route.write.mode == "delete":
            continue
        size = _item_size(flow, flow.declared)
        if size > MAX_ITEM_BYTES:
            path: Path = (*flow.path, "item") if is_set(flow.route.item) else (*flow.path, "schema")
            sentence = f"an item can have {size} bytes by the schema, and DynamoDB takes {MAX_ITEM_BYTES}"
            yield Found(ITEM_TOO_LARGE, sentence, path, "lower 'maxLength' or 'maxItems', or map less", key=True)


def _item_size(flow: Flow, declared: Declared) -> int:
    """The bytes that an item can have, of what has a bound; 0 if nothing has."""
    if not is_set(flow.route.item):
        whole = flow.scope.steps(("element",) if flow.scope.each else ())
        return 0 if whole is None else _size(declared, whole) or 0
    total = 0
    for name, attribute in flow.attributes.items():
        if isinstance(attribute.from_, UnsetType) or attribute.transform or attribute.type in ("json", "B", "BS"):
            continue
        tree = tree_of(attribute.from_)
        names = None if tree is None else path_of(tree)
        steps = None if names is None else flow.scope.steps(names)
        size = None if steps is None else _size(declared, steps)
        total += 0 if size is None else size + text_bytes(name)
    return total


def _size(declared: Declared, steps: Steps) -> int | None:
    """The bytes that what is at a path can have, and does not exceed; None if that is not known."""
    if len(steps) > _DEEPEST:
        return None
    schemas = [place.schema for end in range(len(steps) + 1) for place in declared.places(steps[:end])]
    here = [place.schema for place in declared.places(steps)]
    if not here or any(word in schema for schema in schemas for word in _COMBINING):
        return None
    said: dict[str, Any] = {}
    for schema in here:
        if any(word in schema for word in _NARROWING):
            return None
        said = {**schema, **said}
    kinds = said.get("type")
    sizes = [_size_of(str(kind), said, declared, steps) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    return None if None in sizes else max(size for size in sizes if size is not None)


def _size_of(kind: str, said: dict[str, Any], declared: Declared, steps: Steps) -> int | None:
    if kind == "string" and isinstance(said.get("maxLength"), int):
        return int(said["maxLength"]) * _BYTES_OF_A_CHARACTER
    if kind == "array" and isinstance(said.get("maxItems"), int) and isinstance(said.get("items"), dict):
        element = _size(declared, (*steps, EACH))
        return None if element is None else _OVERHEAD + int(said["maxItems"]) * (element + 1)
    if kind == "object" and said.get("additionalProperties") is False and "patternProperties" not in said:
        names = declared.names(steps)
        sizes = [_size(declared, (*steps, name)) for name in names]
        total = sum(text_bytes(name) + 1 + (size or 0) for name, size in zip(names, sizes, strict=True))
        return None if None in sizes else _OVERHEAD + total
    return {"number": _NUMBER, "integer": _NUMBER, "boolean": 1, "null": 1}.get(kind)
