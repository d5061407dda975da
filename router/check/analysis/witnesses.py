"""Finds messages that a schema accepts: a message that refutes a claim is a proof, however it was found.

Each is made from the schema, changed at one path, and validated as the router does.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from router.check.analysis.levels import Every, Level, Levels, Own, Some
from router.check.analysis.pattern_lengths import example_of
from router.check.analysis.predicates import EACH, Schema, Steps
from router.program.schemas.documents import MAX_DEPTH

MAX_VALUES = 1000
"""The most values of which a message is made."""
_OPTIONAL_DEPTH = 2
_OPTIONAL = 12
"""Deeper and more parts are not made unless they must be there."""
_VARIANTS = 6
_LONGEST = 4096
MOST_BYTES = 1024 * 1024
"""The longest message of SQS."""
_OF_TEXT = ("pattern", "format", "minLength", "maxLength", "not", "const")
MISSING: Any = msgspec.UNSET
"""In place of a value: the path is not there."""
_PROBES: Sequence[Any] = (
    *(MISSING, None, "", "x", "9", "10", "a-1", "1.5", "2026-01-02", "2026-01-02T03:04:05Z", "x" * _LONGEST),
    *("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+05:30", 0, 1, -1, Decimal("1.5"), 10**12, True, False),
    *([], ["x"], [1], {}, {"x": 1}),
)
"""Values that are tried at each path."""
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
FORMATS = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "duration": "P1D",
    "email": "a@example.com",
    "hostname": "example.com",
    "idn-email": "a@example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "iri": "https://example.com/a",
    "iri-reference": "/a",
    "json-pointer": "/a",
    "regex": "a",
    "relative-json-pointer": "1/a",
    "time": "03:04:05Z",
    "uri": "https://example.com/a",
    "uri-reference": "/a",
    "uri-template": "/{a}",
    "uuid": "6f2c1d7e-1b3a-4c5d-8e9f-0a1b2c3d4e5f",
}
"""A text of each format that is asserted."""
_TYPES = ("object", "string", "integer", "array", "boolean", "number", "null")


class _Stuck(Exception):
    """No value can be made."""


class Witnesses:
    """Messages that `accepts` is true of, made from the level of a schema's root."""

    def __init__(self, levels: Levels, root: Level, accepts: Callable[[Any], bool]) -> None:
        self._levels = levels
        self._root = root
        self._accepts = accepts
        self._left = MAX_VALUES
        self._tried: dict[Steps, list[Any]] = {}
        self._found: dict[tuple[Steps, str], Any] = {}
        self._bases: dict[Steps, list[Any]] = {}

    def example(self, steps: Steps, wanted: Callable[[Any], bool]) -> Any:
        """Return a message whose value at a path is a wanted one; MISSING if none is found."""
        value = next((value for value in self._values(steps) if wanted(value) and self.accepts(steps, value)), MISSING)
        return self.message_with(steps, value) if wanted(value) else MISSING

    def any_at(self, steps: Steps, wanted: Callable[[Any], bool]) -> bool:
        """Whether a message is found whose value at a path, which may be MISSING, is a wanted one."""
        return any(wanted(value) and self.accepts(steps, value) for value in self._values(steps))

    def accepts(self, steps: Steps, value: Any) -> bool:
        """Whether a message is found that has a value at a path."""
        return self.message_with(steps, value) is not MISSING

    def message_with(self, steps: Steps, value: Any) -> Any:
        """Return a message with a value at a path; MISSING if none is found."""
        key = steps, repr(value)
        if key not in self._found:
            placed = (_placed(base, steps, value) for base in self._parents(steps))
            self._found[key] = next(filter(self._is_message, placed), MISSING)
        return self._found[key]

    def _is_message(self, message: Any) -> bool:
        return message is not MISSING and self._accepts(message)

    def _values(self, steps: Steps) -> Iterator[Any]:
        """Yield values to try at a path: usual ones, and those that the schema suggests."""
        yield from _PROBES
        if steps not in self._tried:
            level = self._levels.below_all(self._root, steps)
            constants = [value for schema in _subschemas(self._levels.parts(level)) for value in _constants(schema)]
            self._tried[steps] = [*constants, *self._made(level, ())]
        yield from self._tried[steps]

    def _made(self, level: Level, toward: Steps) -> Iterator[Any]:
        for variant in range(_VARIANTS):
            self._left = MAX_VALUES
            try:
                yield self._make(level, toward, variant, 0)
            except _Stuck:
                continue

    def _parents(self, steps: Steps) -> Iterator[Any]:
        """Yield messages that have a parent of the path, made as they are needed."""
        made = self._bases.setdefault(steps if steps[-1:] == (EACH,) else steps[:-1], [])
        for index in range(_VARIANTS):
            if index == len(made):
                made.append(self._variant(steps, index))
            yield made[index]

    def _variant(self, steps: Steps, variant: int) -> Any:
        try:
            # An element of a list is put in the place of one.
            toward = steps if steps and steps[-1] is EACH else steps[:-1]
            self._left = MAX_VALUES
            return self._make(self._root, toward, variant, 0)
        except _Stuck:
            return MISSING

    def _make(self, level: Level, toward: Steps, variant: int, depth: int) -> Any:
        """Return a value of a level, with something at the path `toward`; another for each variant."""
        chosen = tuple(_chosen(self._levels.parts(level), variant))
        schemas = [part.place.content for part in chosen]
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise _Stuck
        constants = [value for schema in schemas for value in _constants(schema)]
        if constants:
            return constants[variant % len(constants)]
        kinds = [kind for kind in _TYPES if all(_allows(schema, kind) for schema in schemas)]
        if toward:
            kinds = [kind for kind in kinds if kind == ("array" if toward[0] is EACH else "object")]
        if not kinds:
            raise _Stuck
        # Without a type, an object is the most likely value.
        typed = any("type" in schema for schema in schemas)
        kind = kinds[variant % len(kinds)] if typed else kinds[0]
        match kind:
            case "object":
                return self._make_object(Every(chosen), schemas, toward, variant, depth)
            case "array":
                return self._make_list(Every(chosen), schemas, toward, variant, depth)
            case "string":
                return _make_text(schemas, variant)
            case "integer" | "number":
                return _make_number(schemas, variant, whole=kind == "integer")
        return True if kind == "boolean" else None

    def _make_object(self, level: Level, schemas: list[Any], toward: Steps, variant: int, depth: int) -> Any:
        required = [name for schema in schemas for name in schema.get("required", ())]
        made = {}
        for name in dict.fromkeys([*(str(step) for step in toward[:1]), *required]):
            inner = toward[1:] if toward[:1] == (name,) else ()
            made[name] = self._make(self._levels.below(level, name), inner, variant, depth + 1)
        least = max((schema.get("minProperties", 0) for schema in schemas), default=0)
        optional = [name for schema in schemas for name in schema.get("properties", ())]
        rich = _OPTIONAL if variant % 2 and depth < _OPTIONAL_DEPTH else 0
        wanted = optional[: max(rich, least - len(made))]
        for name in wanted:
            if name not in made:
                try:
                    made[name] = self._make(self._levels.below(level, name), (), variant, depth + 1)
                except _Stuck:
                    continue
        for number in range(least - len(made)):
            made[f"x{number}"] = self._make(self._levels.below(level, f"x{number}"), (), variant, depth + 1)
        return made

    def _make_list(self, level: Level, schemas: list[Any], toward: Steps, variant: int, depth: int) -> Any:
        least = max((schema.get("minItems", 0) for schema in schemas), default=0)
        count = max(least, 1 if toward or (variant % 2 and depth < _OPTIONAL_DEPTH) else 0)
        if count > _LONGEST:
            raise _Stuck
        element = self._levels.below(level, EACH)
        made = [self._make(element, toward[1:], variant, depth + 1) for _ in range(count)]
        if any(schema.get("uniqueItems") for schema in schemas):
            made = [_varied(value, index) if index else value for index, value in enumerate(made)]
        return made


def _varied(value: Any, number: int) -> Any:
    """Return a value that differs from a value by a number."""
    match value:
        case bool():
            return value is (number % 2 == 0)
        case int() | Decimal():
            return value + number
        case str():
            return f"{value}{number}"
        case list():
            return [*value, number]
        case dict():
            return {**value, "x": number}
    return value


def _chosen(level: Level, variant: int) -> Iterator[Own]:
    """Yield the subschemas of a level, with one branch of each choice."""
    match level:
        case Every(parts):
            for part in parts:
                yield from _chosen(part, variant)
        case Some(parts):
            if not parts:
                raise _Stuck
            yield from _chosen(parts[variant % len(parts)], variant // len(parts) + variant)
        case _:
            assert isinstance(level, Own)
            yield level


def _subschemas(level: Level) -> Iterator[Schema]:
    match level:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _subschemas(part)
        case _:
            assert isinstance(level, Own)
            yield level.place.content


def _constants(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _allows(schema: Schema, kind: str) -> bool:
    given = schema.get("type", kind)
    types = (given,) if isinstance(given, str) else given
    return kind in types or (kind == "integer" and "number" in types)


def _make_text(schemas: list[Any], variant: int) -> str:
    """Return a text that satisfies all schemas, if there is one among some usual ones."""
    least = max((schema.get("minLength", 0) for schema in schemas), default=0)
    most = min((schema.get("maxLength", MOST_BYTES) for schema in schemas), default=MOST_BYTES)
    if least > MOST_BYTES:
        raise _Stuck
    patterns = [schema["pattern"] for schema in schemas if "pattern" in schema]
    formats = [FORMATS[schema["format"]] for schema in schemas if schema.get("format") in FORMATS]
    found = [
        text for extra in (variant, 1, 0, 8) for pattern in patterns for text in [example_of(pattern, extra)] if text
    ]
    tried = [*formats, *found, *(pattern.strip("^$") for pattern in patterns), "a" if variant < 2 else "Ab1" * variant]
    padded: list[str] = [text.ljust(least, text[-1:] or "a")[:most] for text in tried]
    satisfying = validator_of(
        {"allOf": [{key: schema[key] for key in _OF_TEXT if key in schema} for schema in schemas]}
    )
    return next(filter(satisfying, padded), padded[0])


def validator_of(schema: Schema) -> Callable[[Any], bool]:
    """Return a callable that tells whether a value satisfies a schema of draft 2020-12."""
    return _validator(_ENCODER.encode(schema))


@lru_cache(maxsize=1024)
def _validator(text: bytes) -> Callable[[Any], bool]:
    from jsonschema_rs import Draft202012Validator, RegexOptions

    schema = _DECODER.decode(text)
    return Draft202012Validator(schema, validate_formats=True, pattern_options=RegexOptions()).is_valid


def _make_number(schemas: list[Any], variant: int, *, whole: bool) -> Any:
    low = max((schema["minimum"] for schema in schemas if "minimum" in schema), default=None)
    high = min((schema["maximum"] for schema in schemas if "maximum" in schema), default=None)
    above = [schema["exclusiveMinimum"] + 1 for schema in schemas if _is_number(schema.get("exclusiveMinimum"))]
    below = [schema["exclusiveMaximum"] - 1 for schema in schemas if _is_number(schema.get("exclusiveMaximum"))]
    step = next((schema["multipleOf"] for schema in schemas if "multipleOf" in schema), 1)
    start = next((bound for bound in (*above, low, *below, high) if bound is not None), 0)
    number = -(-start // step) * step + (variant % 2) * step
    return int(number) if whole or number == int(number) else number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _placed(message: Any, steps: Steps, value: Any) -> Any:
    """Return a copy of a message with a value at a path, or without it; MISSING if its parent is not there."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    key: Any = 0 if step is EACH else step
    if not isinstance(message, list if step is EACH else dict) or (
        step is EACH and (not message or (value is MISSING and not rest))
    ):
        return MISSING
    changed: Any = copy(message)
    if not rest and value is MISSING:
        changed.pop(key, None)
        return changed
    inner = changed[key] if step is EACH else changed.get(step)
    changed[key] = _placed(inner, rest, value) if rest else value
    return MISSING if changed[key] is MISSING else changed
