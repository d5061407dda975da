"""Reports arguments of transforms whose types differ from the annotations of the transform."""

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from router.check.analysis.attributes import transforms_of
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.model import Transform

ARGUMENT_TYPE = declare(
    "RT426",
    "an argument of a transform that has the wrong type",
    "The annotations of the transform declare the types of its arguments; with another type it would fail on every "
    "message, or return a wrong value.",
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
"""The classes of YAML values that an annotation accepts; others accept any value."""


@rule(ARGUMENT_TYPE)
def check_arguments(subject: Subject) -> Iterator[Found]:
    """Report arguments that do not match the annotation of their parameter."""
    for route in subject.routes:
        for name, attribute in route.attributes.items():
            for transform, part, argument in transforms_of(attribute.transform):
                function = route.transforms.get(transform)
                if function is None or argument is None:
                    continue
                for parameter, value, hint in _bound(function, argument):
                    if not _fits(value, hint):
                        sentence = (
                            f"'{parameter}' of transform '{transform}' takes {_in_words(hint)}, not {_kind(value)}"
                        )
                        yield Found(ARGUMENT_TYPE, sentence, route.place(name, *part))


def _bound(function: Transform, argument: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the annotated parameters with their arguments and annotations; nothing if they cannot be bound."""
    arguments = argument if isinstance(argument, list) else [] if isinstance(argument, dict) else [argument]
    keywords = argument if isinstance(argument, dict) else {}
    signature, hints = _annotations(function)
    try:
        bound = signature.bind(None, *arguments, **keywords).arguments if signature else {}
    except TypeError:  # loading reports it
        return
    for name, value in list(bound.items())[1:]:
        kind = signature.parameters[name].kind if signature else None
        values = value if kind is inspect.Parameter.VAR_POSITIONAL else [value]
        values = value.values() if kind is inspect.Parameter.VAR_KEYWORD else values
        if name in hints:
            yield from ((name, each, hints[name]) for each in values)


@cache
def _annotations(function: Transform) -> tuple[inspect.Signature | None, Mapping[str, Any]]:
    try:
        return inspect.signature(function), get_type_hints(function)
    except Exception:  # annotations that cannot be resolved, or a function of a C extension
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


def _in_words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return (
        str(hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else hint)
        .replace("decimal.", "")
        .replace("collections.abc.", "")
    )


def _kind(value: Any) -> str:
    """Return the value, if it is short, else its type."""
    text = repr(value) if not isinstance(value, Decimal) else str(value)
    return text if isinstance(value, str | int | Decimal) and len(text) < 30 else f"a {type(value).__name__}"
