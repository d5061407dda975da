"""Makes messages that differ from a message in one place: what a schema takes and another may not."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from random import Random
from typing import Any

from msgspec import UNSET

from router.prover.text_patterns import matching_text, texts_outside
from router.prover.value_generation import replaced
from router.runtime.config.environment import parts
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import list_of, map_of, subschemas

Steps = tuple[str | int, ...]
_MOST_VALUES = 60
"""How many values of schemas are tried in each place."""
_MOST_PLACES = 80
_MOST_NAMES = 24
"""How many names that schemas do not declare are tried."""
_LONG = 8
_OTHERS: tuple[Any, ...] = (
    "",
    "x",
    "x" * 300,
    0,
    -1,
    1,
    Decimal("1.5"),
    10**12,
    True,
    None,
    [],
    {},
    ["x"],
    {"x": 1},
)
"""Values of each type, at its bounds."""
_UNUSUAL_NAMES = ("", "x" * 300, "A-1 _", "a", "\u00e9")


def edits(message: Any, values: Iterable[Any], names: Iterable[str]) -> Iterator[Any]:
    """Yield the message with one value replaced, one property or element removed, or one of the names added."""
    tried = [*_OTHERS, *values][: _MOST_VALUES + len(_OTHERS)]
    added = list(names)
    for steps, value in list(_walk(message, ()))[:_MOST_PLACES]:
        if steps:
            yield replaced(message, steps, UNSET)
        for other in (*_neighbours(value), *tried):
            yield replaced(message, steps, other)
        if isinstance(value, dict):
            for name in added:
                if name not in value:
                    yield from (replaced(message, (*steps, name), other) for other in _OTHERS)


def values_of(
    schemas: Iterable[Validation | None], first: Iterable[dict[str, Any]] = ()
) -> list[Any]:
    """Return the values that schemas name: constants, and numbers and texts at their bounds.

    Those of the subschemas `first` come first.
    """
    found: list[Any] = []
    for content in (*first, *_subschemas(schemas)):
        found += list_of(content, "enum")
        if "const" in content:
            found.append(content["const"])
        for key, bound in content.items():
            if isinstance(bound, bool) or not isinstance(bound, int | Decimal):
                continue
            if key in ("minLength", "maxLength") and 0 <= bound < 10_000:
                length = int(bound)
                found += ["a" * length, "a" * (length + 1), "a" * (length - 1)]
            elif key.endswith(("inimum", "aximum", "multipleOf")):
                found += [bound, bound + 1, bound - 1, bound + Decimal("0.5")]
    return _distinct(found)


def names_of(schemas: Iterable[Validation | None]) -> list[str]:
    """Return the names of properties that schemas declare, match or refuse, and one that none does."""
    contents = list(_subschemas(schemas))
    declared = [name for content in contents for name in map_of(content, "properties")]
    names = [
        *dict.fromkeys(declared),
        *islice(dict.fromkeys(_other_names(contents)), _MOST_NAMES),
        "undeclared",
    ]
    return names[-_MOST_VALUES:]


def _other_names(contents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield names that `patternProperties` match, then names that `propertyNames` may refuse."""
    random = Random(0)  # noqa: S311 — no secrets
    patterns = [pattern for each in contents for pattern in map_of(each, "patternProperties")]
    for pattern in dict.fromkeys(patterns):
        name = matching_text(pattern, random)
        if name is not None:
            yield name
    named = [each for each in contents if "propertyNames" in each]
    limits = _distinct([map_of(each, "propertyNames") for each in named])
    if limits:
        yield from _UNUSUAL_NAMES
        yield from (value for value in values_of((), limits) if isinstance(value, str))
        yield from texts_outside([{}, *limits], limits)


def _subschemas(schemas: Iterable[Validation | None]) -> Iterator[dict[str, Any]]:
    for schema in schemas:
        for document in schema.documents.values() if schema else ():
            yield from (content for _, content in subschemas(document.content))


def _distinct(values: list[Any]) -> list[Any]:
    return list({repr(value): value for value in values}.values())


def _walk(value: Any, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    yield steps, value
    for step, child in parts(value):
        yield from _walk(child, (*steps, step))


def _neighbours(value: Any) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case int() | Decimal():
            yield from (value + 1, value - 1, value + Decimal("0.5"), -value, str(value))
            if isinstance(value, int):
                yield Decimal(f"{value}.0")  # which is no integer in draft 4
        case str():
            yield from (value + "x", value[:-1], value.upper(), value.lower())
        case list():
            yield from ([*value, *value[:1]], value[:1], value * 40)


def shorter(message: Any) -> Iterator[Any]:
    """Yield the message without one property or element, and with one text shortened."""
    for steps, value in list(_walk(message, ()))[:_MOST_PLACES]:
        if steps:
            yield replaced(message, steps, UNSET)
        longest = _LONG if isinstance(value, str) else 2
        if isinstance(value, str | list) and len(value) > longest:
            yield replaced(message, steps, value[: len(value) // 2])
