"""Finds arguments of transforms that are of another type than the transform's annotations say."""

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from router.check.attributes import transforms_of
from router.check.rule import Found, Subject
from router.model import Code, Transform

ARGUMENT_TYPE = Code(
    "RT426",
    "an argument of a transform of another type than it takes",
    "The transform says in its annotations what it takes; with anything else it would fail on each message, or do "
    "something that was not meant.",
)

_NUMBER = (int, float, Decimal)
_CLASSES: Mapping[Any, Any] = {
    str: str,
    int: int,
    float: _NUMBER,
    Decimal: _NUMBER,
    list: list,
    dict: dict,
    tuple: list,
    Sequence: (list, str),
    Mapping: dict,
}
"""What of YAML is a value of a class; what is not here takes anything."""


def check_arguments(subject: Subject) -> Iterator[Found]:
    """Find arguments that do not fit the annotation of what they are given to."""
    for flow in subject.flows:
        for name, attribute in flow.attributes.items():
            for transform, part, argument in transforms_of(attribute.transform):
                function = flow.transforms.get(transform)
                if function is None or argument is None:
                    continue
                for parameter, value, hint in _given(function, argument):
                    if not _fits(value, hint):
                        sentence = f"'{parameter}' of transform '{transform}' takes {_shown(hint)}, not {_kind(value)}"
                        yield Found(ARGUMENT_TYPE, sentence, flow.place(name, *part))


def _given(function: Transform, argument: Any) -> Iterator[tuple[str, Any, Any]]:
    """The annotated parameters that get an argument, with it; none where that cannot be told."""
    arguments = argument if isinstance(argument, list) else [] if isinstance(argument, dict) else [argument]
    keywords = argument if isinstance(argument, dict) else {}
    signature, hints = _declared(function)
    try:
        bound = signature.bind(None, *arguments, **keywords).arguments if signature else {}
    except TypeError:  # found elsewhere
        return
    for name, value in list(bound.items())[1:]:
        kind = signature.parameters[name].kind if signature else None
        values = value if kind is inspect.Parameter.VAR_POSITIONAL else [value]
        values = value.values() if kind is inspect.Parameter.VAR_KEYWORD else values
        if name in hints:
            yield from ((name, each, hints[name]) for each in values)


@cache
def _declared(function: Transform) -> tuple[inspect.Signature | None, Mapping[str, Any]]:
    try:
        return inspect.signature(function), get_type_hints(function)
    except Exception:  # annotations that name what is not there; a function of C
        return None, {}


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if origin is Literal:
        return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in get_args(hint))
    if hint is bool or isinstance(value, bool):
        return isinstance(value, bool) and hint not in _CLASSES
    if hint in (None, types.NoneType):
        return value is None
    known = _CLASSES.get(origin or hint)
    return known is None or isinstance(value, known)


def _shown(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return (
        str(hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else hint)
        .replace("decimal.", "")
        .replace("collections.abc.", "")
    )


def _kind(value: Any) -> str:
    """The value as the config has it, if it is short, else what it is."""
    text = repr(value) if not isinstance(value, Decimal) else str(value)
    return text if isinstance(value, str | int | Decimal) and len(text) < 30 else f"a {type(value).__name__}"
