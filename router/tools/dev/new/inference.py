"""Infers a JSON Schema from sample messages; each keyword has its evidence as `$comment`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from router.runtime.program import expressions
from router.runtime.program.schemas.documents import DEFAULT_DRAFT

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
"""If a value occurs less often, others that did not occur at all are likely (Good-Turing estimate)."""
_MIN_NAMES_OF_MAP = 8


def infer_schema(
    messages: Sequence[Mapping[str, Any]], keywords: Keywords | None = None
) -> dict[str, Any]:
    """Return the schema of messages; it accepts each of them, unless `keywords` say otherwise."""
    count = f"{len(messages)} samples" if len(messages) > 1 else "1 sample"
    schema = _infer(messages, f"inferred from {count}", keywords or {}, ())
    return {"$schema": DEFAULT_DRAFT, **schema}


def kind_of(value: Any) -> str:
    """Return the type of a value in JSON Schema; a number with a fraction or exponent is `number`."""
    kind = str(expressions.kind_of(value))
    return "integer" if kind == "number" and isinstance(value, int) else kind


def _infer(
    values: Sequence[Any], evidence: str, keywords: Keywords, steps: Steps
) -> dict[str, Any]:
    comments = [evidence]
    kinds = {kind_of(value) for value in values}
    types = [
        name for name in _TYPES if name in kinds and not (name == "integer" and "number" in kinds)
    ]
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    if types == ["null"]:
        # What it is when it is not null is unknown.
        schema = {}
        comments.append("always null")
    if "string" in kinds:
        free = bool(steps) and _FREE_NAME.search(steps[-1] or "") is not None
        schema |= _of_texts(values, comments, may_enumerate=not free)
    if "object" in kinds:
        schema |= _of_objects(
            [value for value in values if isinstance(value, dict)], keywords, steps
        )
    if "array" in kinds:
        elements = [element for value in values if isinstance(value, list) for element in value]
        if elements:
            count = f"{len(elements)} elements" if len(elements) > 1 else "1 element"
            schema["items"] = _infer(elements, count, keywords, (*steps, None))
    more = dict(keywords.get(steps, {}))
    reason = more.pop("$comment", None)
    if more.keys() & {"const", "minLength"}:
        schema = {name: value for name, value in schema.items() if name not in ("format", "enum")}
    if "const" in more:
        schema.pop("type", None)
    return {**schema, **more, "$comment": "; ".join([*comments, *([reason] if reason else [])])}


def _of_texts(values: Sequence[Any], comments: list[str], *, may_enumerate: bool) -> dict[str, Any]:
    """Return the format or the values of texts; adds the evidence to the comments."""
    texts = [value for value in values if isinstance(value, str)]
    found = common_format(texts)
    if found:
        return {"format": found}
    counts = Counter(texts)
    only_texts = all(value is None or isinstance(value, str) for value in values)
    if may_enumerate and only_texts and _is_fixed_set(counts):
        comments.append(f"{len(counts)} values in {len(texts)}")
        return {"enum": [*sorted(counts), *([None] if len(texts) < len(values) else [])]}
    return {}


def _is_fixed_set(counts: Counter[str]) -> bool:
    """Return whether texts are names of a few kinds, each of which occurs often."""
    return (
        counts.total() >= MIN_FOR_ENUM
        and 1 < len(counts) <= MAX_ENUM
        and min(counts.values()) >= MIN_OF_EACH
        and all(len(text) <= _MAX_TOKEN and _TOKEN.fullmatch(text) for text in counts)
    )


def common_format(texts: Iterable[str]) -> str | None:
    """Return the format that all texts have, as the router validates it, or None."""
    distinct = set(texts)
    return next(
        (
            name
            for name in FORMATS
            if distinct and all(_has_format(name, text) for text in distinct)
        ),
        None,
    )


def _has_format(name: str, text: str) -> bool:
    return (name != "uri" or bool(_URI_WITH_AUTHORITY.match(text))) and bool(
        _validator(name).is_valid(text)
    )


@cache
def _validator(name: str) -> Any:
    from jsonschema_rs import Draft202012Validator  # takes up to 50 ms

    return Draft202012Validator({"format": name}, validate_formats=True, offline=True)


def _of_objects(
    objects: Sequence[Mapping[str, Any]], keywords: Keywords, steps: Steps
) -> dict[str, Any]:
    """Return the properties of objects, and which of them all objects have."""
    counts = Counter(name for each in objects for name in each)
    if _is_map(counts, len(objects)):
        values = [value for each in objects for value in each.values()]
        evidence = f"{len(counts)} names in {len(objects)} objects"
        return {"additionalProperties": _infer(values, evidence, keywords, (*steps, "*"))}
    properties = {}
    for name, count in counts.items():
        values = [each[name] for each in objects if name in each]
        properties[name] = _infer(values, f"{count} of {len(objects)}", keywords, (*steps, name))
    required = [name for name, count in counts.items() if count == len(objects)]
    return {
        **({"required": required} if required else {}),
        **({"properties": properties} if properties else {}),
    }


def _is_map(counts: Mapping[str, int], objects: int) -> bool:
    """Return whether names are data: there are many, and none is in half of the objects."""
    return len(counts) >= _MIN_NAMES_OF_MAP and objects > 1 and max(counts.values()) * 2 < objects
