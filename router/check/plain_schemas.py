"""Tells parts of schemas that are so plain that no two validators can disagree about them."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from router.program.schemas.documents import LISTED_PARTS, ONE_PART

_DISPUTABLE = frozenset(
    [
        *("additionalItems", "contains", "contentSchema", "items", "pattern", "prefixItems", "propertyNames"),
        *("unevaluatedItems", "unevaluatedProperties", "uniqueItems"),
    ]
)
"""Keywords whose dialects differ, or whose meaning has changed from draft to draft."""
_TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))


def is_plain(part: Mapping[str, Any], draft: int) -> bool:
    """Whether a schema, without the schemas in it, has nothing but keywords with the values that all drafts give them.

    `draft` is 6, 7, 2019 or 2020; of draft 4, which has other rules, nothing counts as plain.
    """
    return draft != 4 and all(keyword in _PLAIN and _PLAIN[keyword](value) for keyword, value in part.items())


def is_undisputed(part: Mapping[str, Any], draft: int) -> bool:
    """Whether no two validators can disagree about what such a schema takes; formats aside."""
    return is_plain(part, draft) and _DISPUTABLE.isdisjoint(part)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, Decimal)


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return _are_names(value) and bool(value) and _TYPES.issuperset(value)
    return isinstance(value, str) and value in _TYPES


def _are_names(value: Any) -> bool:
    """A list of texts, each different."""
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


def _are_choices(value: Any) -> bool:
    return _are_names(value) and bool(value)


def _is_part(value: Any) -> bool:
    """What stands for a schema that was taken out, or true or false."""
    return isinstance(value, bool) or value == {}


def _are_parts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_part, value))


def _is_map_of_parts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_part, value.values()))


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_anything(value: Any) -> bool:
    return True


_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(ONE_PART - LISTED_PARTS, _is_part),
    **dict.fromkeys(LISTED_PARTS - ONE_PART, _are_parts),
    **dict.fromkeys(("$defs", "definitions", "properties"), _is_map_of_parts),
    **dict.fromkeys(("title", "description", "$comment", "format"), _is_text),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("const", "default"), _is_anything),
    "examples": _is_list,
    "$schema": _is_text,
    "$ref": _is_text,
    "items": _is_part,
    "pattern": _is_text,
    "uniqueItems": _is_flag,
    "required": _are_names,
    "enum": _are_choices,
    "type": _is_type,
}
"""Keywords, and whether a value is one that each draft from 6 on allows."""
