"""A schema in another draft of JSON Schema: whether its keywords say the same there."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from router.prover.predicates import Schema
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import DRAFTS, list_of, map_of, subschemas

_SINCE: Mapping[str, int] = {
    **dict.fromkeys(("const", "contains", "propertyNames", "$id"), 6),
    **dict.fromkeys(("if", "then", "else"), 7),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "minContains", "maxContains"), 2019),
    "unevaluatedProperties": 2019,
}
"""The first draft of keywords that say the same in all drafts from then on."""
_UNTIL: Mapping[str, int] = {"dependencies": 7, "additionalItems": 2019}
"""The last draft of keywords that say the same in all drafts until then."""
_IN_ONE_DRAFT = frozenset(
    (
        "prefixItems",
        "unevaluatedItems",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "$recursiveAnchor",
        "$recursiveRef",
        "$vocabulary",
        "id",
    )
)
_EXCLUSIVE = frozenset({"exclusiveMinimum", "exclusiveMaximum"})
_FIRST_REFERENCES = 2019
"""The first draft in which keywords beside `$ref` count."""
_LAST_LISTS = 2019
"""The last draft in which `items` can be a list."""
_NAMES = frozenset({"id", "$id"})
_URIS = {draft: uri for uri, draft in DRAFTS.items()}


def in_draft(schema: Validation, draft: int) -> Any:
    """Return the content of a schema in another draft, in which it takes the same messages, or more.

    None if a keyword may say something else there, or the schema has several documents.
    """
    content, own = schema.root.content, schema.root.draft
    if len(schema.documents) > 1:
        return None
    parts = dict(subschemas(content))
    are_same = all(_is_same(path, part, (own, draft)) for path, part in parts.items())
    if are_same and _has_same_integers(parts.values(), own, draft):
        return with_draft(content, draft)
    return None


def with_draft(content: Any, draft: int) -> Any:
    """Return the content of a schema that says that it is of a draft."""
    return {**content, "$schema": _URIS[draft]} if isinstance(content, dict) else content


def _is_same(path: tuple[Any, ...], part: Schema, drafts: tuple[int, int]) -> bool:
    """Whether the keywords of a subschema say the same in two drafts. What no draft defines says nothing."""
    least, greatest = min(drafts), max(drafts)
    # References here are within the document.
    keys = part.keys() if path else part.keys() - _NAMES
    if not keys.isdisjoint(_IN_ONE_DRAFT) or any(_SINCE.get(key, 0) > least for key in keys):
        return False
    if any(_UNTIL.get(key, greatest) < greatest for key in keys):
        return False
    if isinstance(part.get("items"), list) and greatest > _LAST_LISTS:
        return False
    if "$ref" in part and least < _FIRST_REFERENCES <= greatest:
        return not keys - {"$ref", "$schema", "definitions", "$defs"}
    return least > 4 or (keys.isdisjoint(_EXCLUSIVE) and True not in _flags(part))


def _flags(part: Schema) -> Iterator[bool]:
    """Yield for each value where a subschema is whether it is true or false, which draft 4 does not have there."""
    values: list[Any] = [part.get(key) for key in ("items", "not")]
    for key in ("properties", "patternProperties", "definitions"):
        values += map_of(part, key).values()
    for key in ("allOf", "anyOf", "oneOf"):
        values += list_of(part, key)
    yield from (isinstance(value, bool) for value in values)


def _names_integer(type_: Any) -> bool:
    return type_ == "integer" or (isinstance(type_, list) and "integer" in type_)


def _has_same_integers(parts: Collection[Schema], old: int, new: int) -> bool:
    """Whether integers are the same in two drafts, or more in the new one: in draft 4, 1.0 is none."""
    if (old == 4) == (new == 4):
        return True
    if not any(_names_integer(part.get("type")) for part in parts):
        return True
    # Where less is refused, more is taken, but for what is negated.
    return old == 4 and all(part.keys().isdisjoint({"not", "oneOf"}) for part in parts)
