"""What the built-in transforms take and give, by their annotations."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import structs

from router.check.inference import NO, UNKNOWN, YES, Value, any_of, of_type, text_length
from router.model import Transform
from router.transforms import TRANSFORMS

_KINDS: Mapping[Any, str] = {
    str: "string",
    bytes: "binary",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    list: "array",
}
_GROWTH = 3
"""How many characters one becomes, at most, in another case: `ΐ` is three in capitals."""


def taken(transform: Transform) -> tuple[str, ...] | None:
    """The types that a built-in transform takes; None if it takes any, or is a plugin's."""
    hints = _hints(transform)
    return None if hints is None else _kinds(next(hint for name, hint in hints.items() if name != "return"))


def given(transform: Transform, before: Value, argument: Any) -> Value:
    """What comes of a value in a transform, if it does not fail."""
    hints = _hints(transform)
    refine = None if hints is None else _REFINED.get(transform.__name__)
    if refine is not None:
        return structs.replace(refine(before, argument), missing=before.missing, lacking=before.lacking)
    kinds = None if hints is None else _kinds(hints["return"])
    if kinds is None:  # anything, or nothing
        return Value()
    value = of_type(*kinds, missing=before.missing, empty=UNKNOWN)
    return structs.replace(value, lacking=before.lacking)


def _hints(transform: Transform) -> Mapping[str, Any] | None:
    """The annotations of a built-in transform."""
    name = getattr(transform, "__name__", "")
    return _hints_of(name) if TRANSFORMS.get(name) is transform else None


@lru_cache
def _hints_of(name: str) -> Mapping[str, Any]:
    return get_type_hints(TRANSFORMS[name])


def _kinds(hint: Any) -> tuple[str, ...] | None:
    if hint is Any:
        return None
    options = [hint] if get_origin(hint) is list or not get_args(hint) else get_args(hint)
    return tuple(dict.fromkeys(_KINDS[get_origin(option) or option] for option in options))


def _same_list(before: Value, argument: Any) -> Value:
    """A list of the same elements."""
    return structs.replace(before, types={"array": YES})


def _trimmed(before: Value, argument: Any) -> Value:
    return Value(types={"string": YES}, empty=UNKNOWN if before.empty is NO else before.empty, longest=before.longest)


def _in_other_case(before: Value, argument: Any) -> Value:
    longest = None if before.longest is None else before.longest * _GROWTH
    return Value(types={"string": YES}, empty=before.empty, longest=longest)


def _truncated(before: Value, argument: Any) -> Value:
    if isinstance(argument, bool) or not isinstance(argument, int):
        return _trimmed(before, argument)
    longest = argument if before.longest is None else min(before.longest, argument)
    empty = before.empty if argument > 0 else YES
    return Value(types={"string": YES}, empty=empty, longest=longest)


def _written(before: Value, argument: Any) -> Value:
    binary = before.can_be(["binary"])
    empty = any_of([before.empty, NO if binary is NO else UNKNOWN])
    return Value(types={"string": YES}, empty=empty, longest=text_length(before))


_REFINED: Mapping[str, Callable[[Value, Any], Value]] = {
    "strip": _trimmed,
    "lower": _in_other_case,
    "upper": _in_other_case,
    "truncate": _truncated,
    "to_text": _written,
    "sha256": lambda before, argument: of_type("string", longest=64),
    "to_iso": lambda before, argument: of_type("string", longest=24),
    "unique": _same_list,
    "sort": _same_list,
}
"""Transforms of whose result more is known than its type."""
