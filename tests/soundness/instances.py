"""Makes messages that satisfy a schema by construction, and variants of them that are near its edges."""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import unquote

from tests.soundness.patterns import Impossible, from_pattern

__all__ = ["ODD", "Impossible", "Maker", "Steps", "merged", "variant", "with_value", "without"]

Steps = tuple[str | None, ...]
"""A path into a message: names of properties, and None for each element of a list."""
MAX_NODES = 400
"""The most values of one message: a schema may describe an endless one."""
MAX_DEPTH = 12
TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")
_UNIONS = ("anyOf", "oneOf")
_TEXTS = ("a", "abc", "x-1", "42", "héé", "A", "2026-01-02T03:04:05Z", "", " ", "0", "true", "a b")
_FORMATS: dict[str, tuple[str, ...]] = {
    "date-time": (
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05+05:30",
        "2026-01-02t03:04:05z",
        "1998-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+14:00",
        "2026-01-02T03:04:05.123456789Z",
    ),
    "date": ("2026-01-02", "0000-01-01", "2024-02-29"),
    "time": ("03:04:05Z", "03:04:05.5+01:00", "23:59:60Z"),
    "email": ("a@b.co", "first.last@example.com"),
    "idn-email": ("ü@b.co",),
    "hostname": ("example.com", "a"),
    "idn-hostname": ("example.com", "bücher.example"),
    "ipv4": ("127.0.0.1", "8.8.8.8"),
    "ipv6": ("::1", "2001:db8::1"),
    "uri": ("https://example.com/a", "urn:x:y", "a:"),
    "uri-reference": ("", "/a", "#x", "https://example.com"),
    "iri": ("https://example.com/ü",),
    "iri-reference": ("", "/ü"),
    "uri-template": ("", "/a/{b}"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000",),
    "json-pointer": ("", "/a/b"),
    "relative-json-pointer": ("0", "1/a"),
    "duration": ("P1D", "PT0S", "P3Y6M4DT12H30M5S"),
    "regex": ("", "^a$"),
}
ODD: tuple[Any, ...] = (
    None, "", " ", "0", "-1.5e3", "1767323045", "abc", "A", "a-1", "true", "MA==", "2026-01-02", "2026-01-02T03:04:05Z",
    "2026-01-02t03:04:05z", "1998-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "1e999", "9" * 45, "x" * 2100, "é" * 1100,
    0, -1, 1, 1.5, 1767323045, 1767323045678, 10**13, True, False, [], {}, [None], [1], ["a"], ["", "a"], ["1", "2"],
    [1, "a"], [{}], [[1]], [True], {"a": 1}, {"id": ""},
)  # fmt: skip
"""Values that a value of a message is replaced by, where the schema allows it."""


class Maker:
    """Makes values of one schema. `wanted` are paths that a message should have."""

    def __init__(self, schema: Any, chance: Random, wanted: Sequence[Steps] = ()) -> None:
        self._root = schema
        self._chance = chance
        self._wanted = {path[:end] for path in wanted for end in range(1, len(path) + 1)}
        self._share = 0.5
        self._left = MAX_NODES
        self._named: dict[str, Any] | None = None

    def message(self) -> Any:
        """Return a message that probably satisfies the schema; raises Impossible."""
        self._share = self._chance.choice((0.0, 0.1, 0.5, 0.9))
        self._left = MAX_NODES
        return self._value(self._root, ())

    def _value(self, schema: Any, at: Steps) -> Any:
        self._left -= 1
        if schema is False or self._left < 0 or len(at) > MAX_DEPTH:
            raise Impossible
        flat = self.flatten(schema)
        if "const" in flat:
            return deepcopy(flat["const"])
        if flat.get("enum"):
            return deepcopy(self._chance.choice(flat["enum"]))
        kinds = flat.get("type") or self._implied(flat)
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        kind = self._chance.choice(kinds)
        if kind == "object":
            return self._object(flat, at)
        if kind == "array":
            return self._array(flat, at)
        return self._scalar(kind, flat)

    def _implied(self, flat: dict[str, Any]) -> Sequence[str]:
        if any(key in flat for key in ("properties", "required", "patternProperties", "additionalProperties")):
            return ("object",)
        if "items" in flat or "prefixItems" in flat:
            return ("array",)
        if "pattern" in flat or "format" in flat or "minLength" in flat:
            return ("string",)
        if "minimum" in flat or "maximum" in flat:
            return ("number",)
        return TYPES[:4]

    def _scalar(self, kind: str, flat: dict[str, Any]) -> Any:
        if kind == "string":
            return self._text(flat)
        if kind in ("integer", "number"):
            return self._number(flat, kind == "integer")
        return None if kind == "null" else self._chance.random() < 0.5

    def _object(self, flat: dict[str, Any], at: Steps) -> dict[str, Any]:
        properties, made = flat.get("properties", {}), {}
        required = [name for name in flat.get("required", ()) if isinstance(name, str)]
        names = [*dict.fromkeys(required), *(name for name in properties if name not in required)]
        # Optional parts end where a message is deep or large, so that a recursive schema has an end.
        share = self._share if len(at) < 6 and self._left > MAX_NODES // 2 else 0.0
        for name in names:
            inside = (*at, name)
            wanted = inside in self._wanted and self._chance.random() < 0.85
            if name in required or wanted or self._chance.random() < share:
                try:
                    made[name] = self._value(self._property(flat, name), inside)
                except Impossible:
                    if name in required:
                        raise
        while len(made) < flat.get("minProperties", 0) and flat.get("additionalProperties") is not False:
            made[f"more{len(made)}"] = self._value(flat.get("additionalProperties", True), (*at, "more"))
        if self._chance.random() < 0.1 and flat.get("additionalProperties", True) is True:
            made["extra"] = self._chance.choice((1, "x", None, {}))
        return made

    def _property(self, flat: dict[str, Any], name: str) -> Any:
        if name in flat.get("properties", {}):
            return flat["properties"][name]
        for pattern, schema in flat.get("patternProperties", {}).items():
            if _finds(pattern, name):
                return schema
        return flat.get("additionalProperties", True)

    def _array(self, flat: dict[str, Any], at: Steps) -> list[Any]:
        items, prefix = flat.get("items", True), flat.get("prefixItems", [])
        if isinstance(items, list):
            items, prefix = flat.get("additionalItems", True), items
        least, most = flat.get("minItems", 0), flat.get("maxItems", 10**6)
        if (*at, None) in self._wanted and self._chance.random() < 0.85:
            least = max(1, least)
        count = min(most, least + self._chance.choice((0, 0, 1, 2)))
        if count > 50:
            raise Impossible
        made = [self._value(schema, (*at, None)) for schema in prefix[:count]]
        if items is not False:
            if "contains" in flat and count:
                made.append(self._value(flat["contains"], (*at, None)))
            made += [self._value(items, (*at, None)) for _ in range(count - len(made))]
        return made

    def _text(self, flat: dict[str, Any]) -> str:
        if "pattern" in flat and self._chance.random() < 0.95:
            text = from_pattern(flat["pattern"], self._chance)
        elif flat.get("format") in _FORMATS:
            text = self._chance.choice(_FORMATS[flat["format"]])
        else:
            text = self._chance.choice(_TEXTS)
        least, most = flat.get("minLength", 0), flat.get("maxLength", 10**6)
        if len(text) < least <= 4000 and "format" not in flat:
            text += ("x" if "pattern" not in flat else text[-1:] or "0") * (int(least) - len(text))
        return text if "pattern" in flat else text[: int(most)]

    def _number(self, flat: dict[str, Any], whole: bool) -> Any:
        low = flat.get("minimum", flat.get("exclusiveMinimum"))
        high = flat.get("maximum", flat.get("exclusiveMaximum"))
        low = None if isinstance(low, bool) else low
        high = None if isinstance(high, bool) else high
        # Draft 4 has true for exclusiveMinimum: the validator decides about the bound itself.
        step = flat.get("multipleOf")
        if step:
            start = 0 if low is None else int(low / step)
            return step * (start + self._chance.choice((0, 1, 2)))
        choices: list[Any] = [0, 1, -1, 7, 1767323045, 1767323045678, 10**20, -(10**15)]
        if not whole:
            choices += [Decimal("0.1"), Decimal("-2.5"), Decimal("1e-7")]
        choices += [bound + more for bound in (low, high) if bound is not None for more in (0, 1, -1)]
        fit = [each for each in choices if (low is None or each >= low) and (high is None or each <= high)]
        if not fit:
            raise Impossible
        return self._chance.choice(fit)

    def flatten(self, schema: Any, depth: int = 0) -> dict[str, Any]:
        """Return one of the ways to satisfy a schema, without references and branches; raises Impossible."""
        if schema is False or depth > 40:
            raise Impossible
        if not isinstance(schema, dict):
            return {}
        flat = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "if", "then", "else")}
        parts = [*schema.get("allOf", ())]
        if isinstance(schema.get("$ref"), str):
            parts.append(self.resolve(schema["$ref"]))
        for union in _UNIONS:
            parts += [self._chance.choice(flat.pop(union))] if flat.get(union) else []
        if "if" in schema:
            case = self._chance.choice(("then", "else"))
            parts += [schema["if"], schema.get("then", True)] if case == "then" else [schema.get("else", True)]
        for part in parts:
            flat = merged(flat, self.flatten(part, depth + 1))
        return flat

    def resolve(self, reference: str) -> Any:
        """Return the subschema that a reference in the schema leads to; raises Impossible."""
        content: Any = self._root
        if reference.startswith("#/"):
            for part in unquote(reference[2:]).split("/"):
                name = part.replace("~1", "/").replace("~0", "~")
                try:
                    content = content[int(name)] if isinstance(content, list) else content[name]
                except (LookupError, TypeError, ValueError):
                    raise Impossible from None
            return content
        if reference == "#":
            return content
        if self._named is None:
            self._named = dict(_named(self._root))
        if reference not in self._named:
            raise Impossible
        return self._named[reference]


def _named(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, prefix in (("$id", ""), ("id", ""), ("$anchor", "#"), ("$dynamicAnchor", "#")):
            if isinstance(content.get(key), str):
                yield prefix + content[key], content
        content = list(content.values())
    for part in content if isinstance(content, list) else ():
        yield from _named(part)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return what satisfies two schemas without branches, as far as that is simple; the validator decides."""
    result = {**one, **{key: value for key, value in other.items() if key not in one}}
    for key in one.keys() & other.keys():
        left, right = one[key], other[key]
        if left == right:
            continue
        if key in ("properties", "patternProperties"):
            both = {name: {"allOf": [left[name], right[name]]} for name in left.keys() & right.keys()}
            result[key] = {**right, **left, **both}
        elif key == "required" and isinstance(left, list) and isinstance(right, list):
            result[key] = [*left, *right]
        elif key in ("type", "enum"):
            result[key] = _common(left, right, key)
        elif key in ("minimum", "minLength", "minItems", "minProperties"):
            result[key] = max(left, right)
        elif key in ("maximum", "maxLength", "maxItems", "maxProperties"):
            result[key] = min(left, right)
        elif key == "items" and isinstance(left, dict) and isinstance(right, dict):
            result[key] = {"allOf": [left, right]}
    return result


def _common(left: Any, right: Any, key: str) -> list[Any]:
    left, right = ([each] if isinstance(each, str) else each for each in (left, right))
    found = [each for each in left if each in right or (key == "type" and each == "integer" and "number" in right)]
    found += ["integer"] if key == "type" and "integer" in right and "number" in left else []
    if not found:
        raise Impossible
    return found


def without(message: Any, path: Steps, chance: Random) -> Any:
    """Return a message without the value at a path; raises Impossible."""
    return _changed(message, path, _REMOVED, chance)


def with_value(message: Any, path: Steps, value: Any) -> Any:
    """Return a message with a value at a path of names."""
    if not path:
        return value
    inside = message if isinstance(message, dict) else {}
    return {**inside, path[0]: with_value(inside.get(path[0]), path[1:], value)}


def variant(message: Any, path: Steps, chance: Random) -> Any:
    """Return a message whose value at a path, or above it, is missing or another one; raises Impossible."""
    end = len(path) if chance.random() < 0.8 else chance.randint(1, len(path))
    value = _REMOVED if chance.random() < 0.2 else deepcopy(chance.choice(ODD))
    return _changed(message, path[:end], value, chance)


_REMOVED = object()


def _changed(content: Any, path: Steps, value: Any, chance: Random) -> Any:
    """Return a copy with the value at a path replaced, added or removed."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    copy: Any
    if step is None and isinstance(content, list):
        copy, index = [*content], chance.randrange(len(content) + 1)
        inner = _changed(content[index] if index < len(content) else {}, rest, value, chance)
        copy[index : index + 1] = [] if inner is _REMOVED else [inner]
        return copy
    if step is None or not isinstance(content, dict) or (rest and step not in content):
        raise Impossible
    copy = {**content}
    inner = _changed(content.get(step), rest, value, chance)
    if inner is _REMOVED:
        copy.pop(step, None)
    else:
        copy[step] = inner
    return copy


def _finds(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False
