"""Infers a JSON Schema from sample messages; each keyword has its evidence as `$comment`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from router.runtime.program import expressions
from router.runtime.program.schemas.documents import DEFAULT_DRAFT

Schema = dict[str, Any]
Steps = tuple[str | None, ...]
"""A path in a message: names of objects, and None for each element of a list."""
Keywords = Mapping[Steps, Mapping[str, Any]]
"""More keywords of the schema at a path, such as the bounds of a key."""

FORMATS = ("date-time", "uuid", "email", "uri")
_URI_WITH_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""Nearly any text with a colon is a URI: only those with an authority are recognised."""
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_TOKEN = re.compile(r"[A-Za-z]+([_.:/-][A-Za-z]+)*")
_MAX_TOKEN = 40
_FREE_NAME = re.compile(r"(?i)(id|key|slug|login|name|title|text|body|url|path|ref|code)$")
"""The ends of names whose values are not a fixed set, however few the samples have."""
MIN_FOR_ENUM = 20
"""Fewer samples are no evidence that other values do not occur."""
MAX_ENUM = 12
MIN_OF_EACH = 5
"""If a value occurs less often, others that did not occur at all are likely (Good-Turing estimate).
"""
_MIN_NAMES_OF_MAP = 8


def infer_schema(messages: Sequence[Mapping[str, Any]], keywords: Keywords | None = None) -> Schema:
    """Return the schema of messages; it accepts each of them, unless `keywords` say otherwise."""
    evidence = f"inferred from {_count(messages, 'sample')}"
    return {"$schema": DEFAULT_DRAFT, **_infer(messages, evidence, keywords or {}, ())}


def _count(things: Sequence[Any], noun: str) -> str:
    return f"1 {noun}" if len(things) == 1 else f"{len(things)} {noun}s"


def kind_of(value: Any) -> str:
    """Return the type of a value in JSON Schema; a number with a fraction or exponent is `number`."""
    kind = str(expressions.kind_of(value))
    return "integer" if kind == "number" and isinstance(value, int) else kind


def _infer(
    values: Sequence[Any],
    evidence: str,
    keywords: Keywords,
    steps: Steps,
) -> Schema:
    comments = [evidence]
    kinds = {kind_of(value) for value in values}
    if "number" in kinds:
        # A whole number is a number, too.
        kinds.discard("integer")
    types = [name for name in _TYPES if name in kinds]
    schema: Schema = {"type": types[0] if len(types) == 1 else types}
    if types == ["null"]:
        # What it is when it is not null is unknown.
        schema = {}
        comments.append("always null")
    if "string" in kinds:
        free = bool(steps) and _FREE_NAME.search(steps[-1] or "") is not None
        schema |= _of_texts(values, comments, may_enumerate=not free)
    if "object" in kinds:
        objects = [value for value in values if isinstance(value, dict)]
        schema |= _of_objects(objects, keywords, steps)
    if "array" in kinds:
        lists = [value for value in values if isinstance(value, list)]
        elements = [element for each in lists for element in each]
        if elements:
            count = _count(elements, "element")
            schema["items"] = _infer(elements, count, keywords, (*steps, None))
    return _add_keywords(schema, keywords.get(steps, {}), comments)


def _add_keywords(schema: Schema, more: Mapping[str, Any], comments: list[str]) -> Schema:
    """Return a schema with further keywords and its comments."""
    if "const" in more:
        replaced = {"format", "enum", "type"}
    elif "minLength" in more:
        # The bounds of a key: other ids need not have the format of these.
        replaced = {"format", "enum"}
    else:
        replaced = set()
    if "$comment" in more:
        comments.append(more["$comment"])
    kept = {name: value for name, value in schema.items() if name not in replaced}
    return {**kept, **more, "$comment": "; ".join(comments)}


def _of_texts(values: Sequence[Any], comments: list[str], *, may_enumerate: bool) -> Schema:
    """Return the format or the values of texts; adds the evidence to the comments."""
    texts = [value for value in values if isinstance(value, str)]
    format_ = common_format(texts)
    if format_:
        return {"format": format_}
    others = [value for value in values if not isinstance(value, str)]
    counts = Counter(texts)
    if not may_enumerate or any(value is not None for value in others) or not _is_fixed_set(counts):
        return {}
    comments.append(f"{len(counts)} values in {len(texts)}")
    return {"enum": [*sorted(counts), *others[:1]]}


def _is_fixed_set(counts: Counter[str]) -> bool:
    """Return whether texts are names of a few kinds, each of which occurs often."""
    if counts.total() < MIN_FOR_ENUM or not 1 < len(counts) <= MAX_ENUM:
        return False
    return min(counts.values()) >= MIN_OF_EACH and all(map(_is_token, counts))


def _is_token(text: str) -> bool:
    return len(text) <= _MAX_TOKEN and _TOKEN.fullmatch(text) is not None


def common_format(texts: Iterable[str]) -> str | None:
    """Return the format that all texts have, as the router validates it, or None."""
    distinct = set(texts)
    for name in FORMATS:
        if distinct and all(_has_format(name, text) for text in distinct):
            return name
    return None


def _has_format(name: str, text: str) -> bool:
    if name == "uri" and not _URI_WITH_AUTHORITY.match(text):
        return False
    return bool(_validator(name).is_valid(text))


@cache
def _validator(name: str) -> Any:
    from jsonschema_rs import Draft202012Validator  # takes up to 50 ms

    return Draft202012Validator({"format": name}, validate_formats=True, offline=True)


def _of_objects(objects: Sequence[Mapping[str, Any]], keywords: Keywords, steps: Steps) -> Schema:
    """Return the properties of objects, and which of them all objects have."""
    values: dict[str, list[Any]] = {}
    for each in objects:
        for name, value in each.items():
            values.setdefault(name, []).append(value)
    if _is_map(values, len(objects)):
        everything = [value for each in objects for value in each.values()]
        evidence = f"{len(values)} names in {len(objects)} objects"
        return {"additionalProperties": _infer(everything, evidence, keywords, (*steps, "*"))}
    required = []
    properties = {}
    for name, found in values.items():
        evidence = f"{len(found)} of {len(objects)}"
        properties[name] = _infer(found, evidence, keywords, (*steps, name))
        if len(found) == len(objects):
            required.append(name)
    schema: Schema = {}
    if required:
        schema["required"] = required
    if properties:
        schema["properties"] = properties
    return schema


def _is_map(values: Mapping[str, Sequence[Any]], objects: int) -> bool:
    """Return whether names are data: there are many, and none is in half of the objects."""
    if len(values) < _MIN_NAMES_OF_MAP or objects == 1:
        return False
    return max(map(len, values.values())) * 2 < objects
