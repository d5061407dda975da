"""Reads what built-in transforms say about themselves.

It infers their results, and proves that they accept values.
"""

import inspect
from collections.abc import Mapping
from functools import lru_cache
from math import inf
from typing import Any

from msgspec import structs

from router.model import TextFormat, TransformFunction
from router.prover.inference import (
    ALL_TYPES,
    Value,
    any_of,
    longest_of,
    of_constant,
    of_joined,
    of_list_end,
    of_type,
    text_length,
)
from router.prover.patterns import escaped
from router.prover.predicates import NO_TEXT
from router.prover.schema_prover import NO, UNKNOWN, YES, Answer
from router.prover.text_patterns import NO_MATCH
from router.runtime.transforms import TRANSFORMS, is_built_in
from router.runtime.transforms.transform import (
    TEXT,
    Arguments,
    Digits,
    Emptiness,
    EmptyIfMatches,
    EmptyIfRepeats,
    EpochSeconds,
    JoinedText,
    ListEnd,
    ListsOf,
    MapEntry,
    NumberResult,
    NumbersBetween,
    OnlyKinds,
    Result,
    SameList,
    SplitText,
    TextResult,
    TextsMatching,
    Transform,
)
from router.tools.check.analysis.numbers import digits_of
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.text_formats import (
    accepts_text,
    always_matches,
    refusal_of,
    refuses_number,
)
from router.tools.check.analysis.values import are_elements, holds, possible

_NEVER_EMPTY = ("number", "boolean")
# Those of the years 1 to 9999, and nanoseconds.
_SECONDS = Digits(12, 9)


def built_in(route: AnalyzedRoute, name: str) -> Transform | None:
    """Return the built-in transform of a name; None if it is a plugin's, or unknown."""
    return TRANSFORMS[name] if is_built_in(name, route.transforms.get(name)) else None


def is_plugins(route: AnalyzedRoute, name: str) -> bool:
    """Whether a plugin has registered the transform, or may have if it is not loaded."""
    return built_in(route, name) is None


def bind(function: TransformFunction, argument: Any) -> inspect.BoundArguments | None:
    """Return the parameters of a transform with their arguments, the value's first.

    None if the transform does not take them, which loading reports.
    """
    given = [argument]
    named = {}
    if isinstance(argument, dict):
        given = []
        named = argument
    elif isinstance(argument, list):
        given = argument
    try:
        return _signature(function).bind(None, *given, **named)
    except (TypeError, ValueError):  # other arguments, or a function without a signature
        return None


@lru_cache(maxsize=256)
def _signature(function: TransformFunction) -> inspect.Signature:
    """Return the signature of a function; many attributes have the same transforms."""
    return inspect.signature(function)


def arguments_of(transform: Transform, argument: Any) -> Arguments | None:
    """Return the arguments of a transform by name.

    None if one is missing, unknown or out of its range.
    """
    bound = bind(transform.apply, argument)
    if bound is None:
        return None
    arguments = {
        name: bound.arguments[name] for name in transform.arguments if name in bound.arguments
    }
    return arguments if transform.takes_arguments((), arguments) else None


# Which values are accepted.


def kinds_taken(transform: Transform) -> tuple[str, ...]:
    """Return the kinds of values that a transform takes.

    Of a transform that may take any, those that it surely accepts.
    """
    if transform.takes is not None:
        return transform.takes
    return transform.accepts.kinds if isinstance(transform.accepts, OnlyKinds) else ALL_TYPES


def accepts_each(route: AnalyzedRoute, transform: Transform, value: Value) -> bool:
    """Whether it is proved that a transform accepts each value of the kinds that it takes."""
    messages = route.mapped
    match transform.accepts:
        case "every value":
            return True
        case TextFormat() as form:
            numbers = refuses_number(route, value, form)
            return numbers is NO and accepts_text(route, value, form, transform.apply)
        case OnlyKinds(kinds):
            return not possible(value, kinds)
        case NumbersBetween(minimum, maximum):
            bounds = {"minimum": minimum, "maximum": maximum}
            return holds(messages, value, {"anyOf": [{"not": {"type": "number"}}, bounds]})
        case TextsMatching(pattern):
            return always_matches(messages, value, pattern) is YES
        case ListsOf(groups):
            return any(are_elements(messages, value, kinds) for kinds in groups)
        case _:
            return False


# What the results are.


def of_transform(route: AnalyzedRoute, transform: Transform, before: Value, argument: Any) -> Value:
    """Infer the result of a built-in transform, if it does not fail."""
    arguments = arguments_of(transform, argument)
    if arguments is not None and transform.gives == "number":
        digits = _digits_of(route, transform.result, before, arguments)
        after: Value | None = Value(NO, {"number": YES}, NO, digits=digits)
    else:
        after = _result_of(route, transform, before, arguments)
    if after is None:
        return Value()
    cause = after if after.missing is YES and before.missing is not YES else before
    missing = any_of([before.missing, after.missing])
    return structs.replace(after, missing=missing, lacking=cause.lacking, gap=cause.gap)


def _result_of(
    route: AnalyzedRoute, transform: Transform, before: Value, arguments: Arguments | None
) -> Value | None:
    """Infer the result of a transform for values that are not missing.

    None if it may be anything, or nothing.
    """
    empty = NO if transform.gives in _NEVER_EMPTY else UNKNOWN
    of_kind = None if transform.gives is None else of_type(transform.gives, empty=empty)
    if arguments is None:
        return of_kind
    match transform.result:
        case TextResult() as result:
            return _text_of(route, transform, result, before, arguments)
        case SameList():
            return _same_list_as(before)
        case ListEnd(index):
            return of_list_end(route.mapped, before, index)
        case JoinedText():
            return of_joined(route.mapped, before)
        case SplitText(separator):
            return _parts_of(route, transform, before, arguments[separator])
        case MapEntry(entries, default):
            return _entry_of(route, transform, before, arguments[entries], arguments.get(default))
    return of_kind


def _digits_of(
    route: AnalyzedRoute, result: Result | None, before: Value, arguments: Arguments
) -> Digits | None:
    if isinstance(result, EpochSeconds):
        return _SECONDS
    assert isinstance(result, NumberResult), (
        "a transform that gives numbers says how many digits they have"
    )
    if isinstance(result.digits, Digits):
        return result.digits
    digits = digits_of(route.mapped, before)
    if digits is None or result.digits is None:
        return digits
    return result.digits(digits, arguments)


def _same_list_as(before: Value) -> Value:
    """Infer a list of the same elements, of which others may be the first and the last."""
    ends = before.ends
    if ends is not None:
        first, last = (structs.replace(end, empty=UNKNOWN) for end in ends)
        ends = first, last
    return structs.replace(before, missing=NO, types={"array": YES}, ends=ends)


def _text_of(
    route: AnalyzedRoute,
    transform: Transform,
    result: TextResult,
    before: Value,
    arguments: Arguments,
) -> Value:
    known = before.longest if transform.takes == TEXT else text_length(before)
    longest = result.longest(inf if known is None else known, arguments)
    empty = _can_be_empty(route, before, result.empty(arguments))
    kind = transform.gives or "string"
    return Value(NO, {kind: YES}, empty, None if longest == inf else int(longest))


def _can_be_empty(route: AnalyzedRoute, before: Value, emptiness: Emptiness) -> Answer:
    match emptiness:
        case "as before":
            return before.empty
        case "never":
            return NO
        case "always":
            return YES
        case EmptyIfMatches(pattern, samples):
            return YES if before.empty is YES else _can_match(route, before, pattern, [*samples])
        case EmptyIfRepeats(part):
            if before.empty is YES:
                return YES
            return _can_match(route, before, f"^({escaped(part)})*$", [part])
        case _:
            return UNKNOWN


def _can_match(route: AnalyzedRoute, before: Value, pattern: str, samples: list[str]) -> Answer:
    """Whether a text can match a pattern, of which some samples are given."""
    messages = route.mapped
    steps = before.origin
    if messages is None or steps is None:
        return UNKNOWN
    if messages.can_be(steps, samples) is YES:
        return YES
    no_match = {"anyOf": [NO_TEXT, {"not": {"pattern": pattern}}]}
    matches = messages.holds_at(steps, no_match).opposite()
    if matches is UNKNOWN:
        matches, text = messages.find_text(steps, [pattern], NO_MATCH)
        return YES if text and messages.can_be(steps, [text]) is YES else matches
    return matches


# Beside a separator, for texts of some length at least.
_WORDS = ["x", "x" * 16, "x" * 64]


def _parts_of(route: AnalyzedRoute, transform: Transform, before: Value, separator: str) -> Value:
    """Infer the parts of a text, of which an empty text has none.

    The first or last part is empty if the text begins or ends with a separator.
    """
    gap = f"of an empty text '{transform.name}' makes no parts"
    part = Value(before.empty, {"string": YES}, longest=before.longest, gap=gap)
    form = escaped(separator)
    heads = [separator, *(f"{separator}{word}" for word in _WORDS)]
    tails = [separator, *(f"{word}{separator}" for word in _WORDS)]
    first, last = (
        structs.replace(part, empty=_can_match(route, before, pattern, samples))
        for pattern, samples in (
            (f"^{form}", heads),
            (f"{form}$", [*tails, f"https://example.com/a{separator}"]),
        )
    )
    return structs.replace(of_type("array"), ends=(first, last), no_elements=before.empty)


def _entry_of(
    route: AnalyzedRoute,
    transform: Transform,
    before: Value,
    entries: Mapping[str, Any],
    default: Any,
) -> Value:
    """Infer an entry of a map; without a default it is missing for a text that the map does not
    have.
    """
    constants = [*entries.values()]
    if default is not None:
        constants.append(default)
    found = [of_constant(constant) for constant in constants]
    types = {kind: UNKNOWN for value in found for kind in value.types}
    longest = longest_of(value.longest for value in found if "string" in value.types)
    after = Value(
        missing=NO if default is not None and None not in entries.values() else UNKNOWN,
        types=dict.fromkeys(types, YES) if len(types) == 1 else types,
        empty=UNKNOWN if any(value.empty is not NO for value in found) else NO,
        longest=longest,
    )
    if default is not None:
        return after
    known = "|".join(escaped(key) for key in entries)
    form = TextFormat("an entry", "enum", f"^({known})$")
    refusal = refusal_of(route, before, form, lambda text: _find_entry(entries, text))
    if refusal.possible is YES:
        gap = f"'{transform.name}' has no 'default' for a value that its map does not have{refusal.shown}"
        return structs.replace(after, missing=YES, gap=gap)
    kinds = set(possible(before))
    every = kinds == {"string"} and refusal.possible is NO
    every |= kinds == {"boolean"} and {"true", "false"} <= set(entries)
    return structs.replace(after, missing=NO if every and None not in entries.values() else UNKNOWN)


def _find_entry(entries: Mapping[str, Any], text: str) -> None:
    if text not in entries:
        raise ValueError
