"""Infers the results of the built-in transforms."""

import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import structs

from router.model import TextFormat, Transform
from router.prover.inference import (
    NO,
    UNKNOWN,
    YES,
    Value,
    any_of,
    of_constant,
    of_joined,
    of_list_end,
    of_type,
    text_length,
)
from router.prover.patterns import escaped
from router.prover.predicates import NO_TEXT, Schema
from router.prover.schema_prover import Answer
from router.prover.text_patterns import NO_MATCH
from router.runtime.transforms import TRANSFORMS
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.text_formats import refusal_of

Arguments = Mapping[str, Any]
_TYPE_NAMES: Mapping[Any, str] = {
    str: "string",
    bytes: "binary",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    list: "array",
    dict: "object",
}
_CASE_GROWTH = 3
"""The most characters that one becomes in another case: `ΐ` is three in upper case."""
_SPACE = "[\\s\x1c\x1d\x1e\x1f\x85]"
"""A character that Python's `str.strip` removes; texts without another are empty after it."""


def types_taken(transform: Transform) -> tuple[str, ...] | None:
    """Return the types that a built-in transform takes; None if it takes any, or is a plugin's."""
    hints = hints_of(transform)
    return None if hints is None else _types(next(hint for name, hint in hints.items() if name != "return"))


def hints_of(transform: Transform) -> Mapping[str, Any] | None:
    """Return the annotations of a built-in transform; None for another."""
    name = getattr(transform, "__name__", "")
    return _hints_of(name) if TRANSFORMS.get(name) is transform else None


def of_transform(route: AnalyzedRoute, transform: Transform, before: Value, argument: Any) -> Value:
    """Infer the result of a transform, if it does not fail."""
    hints = hints_of(transform)
    if hints is None:
        return Value()
    arguments = arguments_of(transform, argument)
    refine = _REFINED.get(transform.__name__)
    types = _types(hints["return"])
    if refine is not None and arguments is not None:
        after = refine(route, before, arguments)
    elif types is None:  # anything, or nothing
        return Value()
    else:
        after = of_type(*types, empty=UNKNOWN)
    cause = after if after.missing is YES and before.missing is not YES else before
    missing = any_of([before.missing, after.missing])
    return structs.replace(after, missing=missing, lacking=cause.lacking, gap=cause.gap)


@lru_cache
def _hints_of(name: str) -> Mapping[str, Any]:
    return get_type_hints(TRANSFORMS[name])


@lru_cache
def _types(hint: Any) -> tuple[str, ...] | None:
    if hint is Any:
        return None
    options = [hint] if get_origin(hint) in (list, dict) or not get_args(hint) else get_args(hint)
    return tuple(dict.fromkeys(_TYPE_NAMES[get_origin(option) or option] for option in options))


def arguments_of(transform: Transform, argument: Any) -> Arguments | None:
    """Return the arguments of a transform by name; None if it does not take them, which loading reports."""
    named = argument if isinstance(argument, dict) else {}
    given = argument if isinstance(argument, list) else [] if argument is None or named else [argument]
    try:
        bound = inspect.signature(transform).bind(None, *given, **named)
    except TypeError:
        return None
    return bound.arguments


def _text(empty: Any, longest: int | None = None) -> Value:
    return Value(NO, {"string": YES}, empty, longest)


def _same_list(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    """Infer a list of the same elements."""
    return structs.replace(before, missing=NO, types={"array": YES})


def _stripped(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    empty = before.empty
    if empty is not YES:
        empty = _can_match(route, before, f"^{_SPACE}*$", [" "])
    return _text(empty, before.longest)


def _replaced(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    old, new = arguments["old"], arguments["new"]
    if not isinstance(old, str) or not isinstance(new, str):
        return _text(UNKNOWN)
    if new or not old or before.empty is YES:
        return _text(NO if new and not old else before.empty)
    return _text(_can_match(route, before, f"^({escaped(old)})*$", [old]), before.longest)


def _can_match(route: AnalyzedRoute, before: Value, pattern: str, samples: list[str]) -> Answer:
    """Whether a text can match a pattern, of which some samples are given."""
    messages, steps = route.mapped, before.origin
    if messages is None or steps is None:
        return UNKNOWN
    if messages.can_be(steps, samples) is YES:
        return YES
    no_match: Schema = {"anyOf": [NO_TEXT, {"not": {"pattern": pattern}}]}
    matches = messages.holds_at(steps, no_match).opposite()
    if matches is UNKNOWN:
        matches, text = messages.find_text(steps, [pattern], NO_MATCH)
        return YES if text and messages.can_be(steps, [text]) is YES else matches
    return matches


def _in_other_case(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    return _text(before.empty, None if before.longest is None else before.longest * _CASE_GROWTH)


def _truncated(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    length = arguments["length"]
    if isinstance(length, bool) or not isinstance(length, int):
        return _text(UNKNOWN)
    longest = length if before.longest is None else min(before.longest, length)
    return _text(before.empty if length > 0 else YES, longest)


def _extended(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    text = str(arguments["text"])
    return _text(NO if text else before.empty, None if before.longest is None else before.longest + len(text))


def _as_text(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    binary = before.can_be(["binary"])
    return _text(any_of([before.empty, NO if binary is NO else UNKNOWN]), text_length(before))


def _split(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    """Infer the parts of a text; of an empty text there are none, and the first is empty if a separator is."""
    separator = arguments["separator"]
    if not isinstance(separator, str) or not separator:
        return of_type("array")
    part = Value(before.empty, {"string": YES}, longest=before.longest, gap="of an empty text 'split' makes no parts")
    form = escaped(separator)
    first, last = (
        structs.replace(part, empty=_can_match(route, before, pattern, samples))
        for pattern, samples in (
            (f"^{form}", [separator, f"{separator}x"]),
            (f"{form}$", [separator, f"x{separator}", f"https://example.com/a{separator}"]),
        )
    )
    return structs.replace(of_type("array"), ends=(first, last), no_elements=before.empty)


def _joined(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    return of_joined(route.mapped, before)


def _end(number: int) -> Callable[[AnalyzedRoute, Value, Arguments], Value]:
    def refine(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
        if before.ends is not None:
            return before.ends[number]
        return of_list_end(route.mapped, before, number)

    return refine


def _looked_up(route: AnalyzedRoute, before: Value, arguments: Arguments) -> Value:
    """Infer an entry of a map; without a default, the value is missing for a text that the map does not have."""
    entries, default = arguments["map"], arguments.get("default")
    if not isinstance(entries, dict):
        return Value()
    found = [of_constant(each) for each in (*entries.values(), *([] if default is None else [default]))]
    types = {kind: UNKNOWN for value in found for kind in value.types}
    lengths = [value.longest for value in found if "string" in value.types]
    longest = None if None in lengths else max((length for length in lengths if length is not None), default=0)
    after = Value(
        missing=NO if default is not None and None not in entries.values() else UNKNOWN,
        types=dict.fromkeys(types, YES) if len(types) == 1 else types,
        empty=UNKNOWN if any(value.empty is not NO for value in found) else NO,
        longest=longest,
    )
    if default is not None:
        return after
    known = "|".join(escaped(key) for key in entries)
    refusal = refusal_of(
        route, before, TextFormat("an entry", "enum", f"^({known})$"), lambda text: _entry(entries, text)
    )
    if refusal.possible is YES:
        gap = f"'lookup' has no 'default' for a value that its map does not have{refusal.shown}"
        return structs.replace(after, missing=YES, gap=gap)
    possible = {kind for kind, answer in before.types.items() if answer is not NO}
    every = possible == {"string"} and refusal.possible is NO
    every |= possible == {"boolean"} and {"true", "false"} <= set(entries)
    return structs.replace(after, missing=NO if every and None not in entries.values() else UNKNOWN)


def _entry(entries: Mapping[str, Any], text: str) -> None:
    if text not in entries:
        raise ValueError


_REFINED: Mapping[str, Callable[[AnalyzedRoute, Value, Arguments], Value]] = {
    "strip": _stripped,
    "replace": _replaced,
    "lower": _in_other_case,
    "upper": _in_other_case,
    "truncate": _truncated,
    "prefix": _extended,
    "suffix": _extended,
    "split": _split,
    "join": _joined,
    "first": _end(0),
    "last": _end(-1),
    "lookup": _looked_up,
    "url_decode": lambda route, before, arguments: _text(before.empty, before.longest),
    "to_text": _as_text,
    "sha256": lambda route, before, arguments: _text(NO, 64),
    "to_iso": lambda route, before, arguments: _text(NO, 24),
    "base64_encode": lambda route, before, arguments: _text(before.empty),
    "unique": _same_list,
    "sort": _same_list,
}
"""Transforms of which more can be inferred than the type of the result."""
