"""Infers a JSON Schema from sample messages; each keyword has its evidence as `$comment`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct

from router.runtime.program import expressions
from router.runtime.program.schemas.documents import DEFAULT_DRAFT

Schema = dict[str, Any]
Steps = tuple[str | None, ...]
"""A path in a message: names of objects, and None for each element of a list."""
Keywords = Mapping[Steps, Mapping[str, Any]]
"""More keywords of the schema at a path, such as the bounds of a key; none for a number that a route
needs.
"""

NewKeywords = dict[Steps, Mapping[str, Any]]
"""Keywords to which more are added."""
TIME = "date-time"
FORMATS = (TIME, "uuid", "email", "uri")
_CERTAIN_FORMATS = (TIME, "uuid")
"""Those that text has seldom by chance."""
_URI_WITH_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""Nearly any text with a colon is a URI: only those with an authority are recognised."""
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_ID_OF_OBJECT = re.compile(r"[a-z]+_(?=[A-Za-z]*\d)[A-Za-z0-9]+", re.ASCII)
"""An id with its type, as Stripe's, where an expanded object may stand in other messages."""
_TOKEN = re.compile(r"[A-Za-z]+([_.:/-][A-Za-z]+)*")
_MAX_TOKEN = 40
_FREE_NAME = re.compile(r"(?i)(id|key|slug|login|name|title|text|body|url|path|ref|code)$")
"""The ends of names whose values are not a fixed set, however few the samples have."""
MANY = 60
"""So many samples show what others are like: what none of them is, less than one in twenty of the
others is, with a probability of 95 % (the rule of three).
"""
SOME = 10
"""So many texts show whether others have a certain format."""
MAX_ENUM = 12
MIN_OF_EACH = 5
"""If a value occurs less often, others that did not occur at all are likely (Good-Turing estimate).
"""
_MIN_NAMES_OF_MAP = 8


def infer_schema(messages: Sequence[Mapping[str, Any]], keywords: Keywords | None = None) -> Schema:
    """Return the schema of messages; it accepts each of them, unless `keywords` say otherwise.

    With few messages it is wide: only what has keywords is required, and anything else may be null.
    """
    keywords = keywords or {}
    evidence = f"inferred from {_count(messages, 'sample')}"
    if len(messages) < MANY:
        evidence += f": fewer than {MANY} show little of others, so that much is optional or null"
    inference = _Inference(keywords, _needed(keywords), len(messages))
    return {"$schema": DEFAULT_DRAFT, **inference.infer(messages, evidence, ())}


def _needed(keywords: Keywords) -> frozenset[Steps]:
    """Return the paths without which a route has no item, and those that lead to them."""
    found: set[Steps] = {()}
    for path, more in keywords.items():
        # A bound alone is for what may be missing.
        if more.keys() != {"maxLength"}:
            found.update(path[:end] for end in range(1, len(path) + 1))
    return frozenset(found)


def _count(things: Sequence[Any], noun: str) -> str:
    return f"1 {noun}" if len(things) == 1 else f"{len(things)} {noun}s"


def kind_of(value: Any) -> str:
    """Return the type of a value in JSON Schema; a number with a fraction or exponent is `number`."""
    kind = str(expressions.kind_of(value))
    return "integer" if kind == "number" and isinstance(value, int) else kind


class _Inference(Struct, frozen=True):
    """What the schemas of all values of some messages have in common."""

    keywords: Keywords
    needed: frozenset[Steps]
    messages: int

    def infer(self, values: Sequence[Any], evidence: str, steps: Steps) -> Schema:
        """Return the schema of the values at a path."""
        comments = [evidence]
        types = self._types(values, steps)
        schema: Schema = {"type": types[0] if len(types) == 1 else types}
        if types == ["null"]:
            # What it is when it is not null is unknown.
            schema = {}
            comments.append("always null")
        if "string" in types:
            schema |= self._of_texts(values, comments, steps)
        if "object" in types:
            schema |= self._of_objects(values, steps)
        if "array" in types:
            lists = [value for value in values if isinstance(value, list)]
            elements = [element for each in lists for element in each]
            if elements:
                count = _count(elements, "element")
                schema["items"] = self.infer(elements, count, (*steps, None))
        return _add_keywords(schema, self.keywords.get(steps, {}), comments)

    def _evidence(self, values: Sequence[Any]) -> int:
        """Return how many values show what others are like: many of one message are like it."""
        return min(len(values), self.messages)

    def _is_few(self, values: Sequence[Any]) -> bool:
        return self._evidence(values) < MANY

    def _types(self, values: Sequence[Any], steps: Steps) -> list[str]:
        kinds = {kind_of(value) for value in values}
        if "integer" in kinds and ("number" in kinds or self._is_few(values)):
            # A whole number is a number, too.
            kinds = kinds - {"integer"} | {"number"}
        if self._is_few(values) and steps not in self.needed:
            kinds.add("null")
            if any(map(_may_be_expanded, values)):
                kinds |= {"string", "object"}
        return [name for name in _TYPES if name in kinds]

    def _of_texts(self, values: Sequence[Any], comments: list[str], steps: Steps) -> Schema:
        """Return the format or the values of texts; adds the evidence to the comments."""
        texts = [value for value in values if isinstance(value, str)]
        is_few = self._is_few(texts)
        format_ = common_format(texts)
        is_certain = format_ in _CERTAIN_FORMATS and self._evidence(texts) >= SOME
        if format_ and (is_certain or not is_few):
            return {"format": format_}
        if is_few or _FREE_NAME.search(steps[-1] or ""):
            return {}
        others = [value for value in values if not isinstance(value, str)]
        counts = Counter(texts)
        if any(value is not None for value in others) or not _is_fixed_set(counts):
            return {}
        comments.append(f"{len(counts)} values in {len(texts)}")
        return {"enum": [*sorted(counts), *others[:1]]}

    def _of_objects(self, found: Sequence[Any], steps: Steps) -> Schema:
        """Return the properties of objects, and which of them all objects have."""
        objects = [value for value in found if isinstance(value, dict)]
        values: dict[str, list[Any]] = {}
        for each in objects:
            for name, value in each.items():
                values.setdefault(name, []).append(value)
        if _is_map(values, len(objects)):
            everything = [value for each in objects for value in each.values()]
            evidence = f"{len(values)} names in {len(objects)} objects"
            return {"additionalProperties": self.infer(everything, evidence, (*steps, "*"))}
        required = []
        properties = {}
        is_few = self._is_few(objects)
        for name, members in values.items():
            path = (*steps, name)
            evidence = f"{len(members)} of {len(objects)}"
            properties[name] = self.infer(members, evidence, path)
            if len(members) == len(objects) and (not is_few or path in self.needed):
                required.append(name)
        schema: Schema = {}
        if required:
            schema["required"] = required
        if properties:
            schema["properties"] = properties
        return schema


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


def _is_fixed_set(counts: Counter[str]) -> bool:
    """Return whether texts are names of a few kinds, each of which occurs often."""
    if not 1 < len(counts) <= MAX_ENUM:
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


def _may_be_expanded(value: Any) -> bool:
    """Return whether a value is an id such as `cus_1`, or the object with one: either may stand for it."""
    if isinstance(value, dict):
        return isinstance(value.get("id"), str) and isinstance(value.get("object"), str)
    return isinstance(value, str) and _ID_OF_OBJECT.fullmatch(value) is not None


def _is_map(values: Mapping[str, Sequence[Any]], objects: int) -> bool:
    """Return whether names are data: there are many of values of one type, and none is in half of the
    objects.
    """
    if len(values) < _MIN_NAMES_OF_MAP or objects == 1:
        return False
    kinds = {expressions.kind_of(each) for found in values.values() for each in found}
    if objects < MANY and len(kinds - {None}) > 1:
        return False
    return max(map(len, values.values())) * 2 < objects
