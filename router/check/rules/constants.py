"""Reports constants of the config that a transform does not take as an argument, or DynamoDB cannot store."""

import inspect
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET

from router.check.analysis.attributes import transforms_of
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.engine.attributes import encode_item
from router.errors import Rejection
from router.model import Transform
from router.sources import Constant, source_of, values_of

ARGUMENT_TYPE = declare(
    "RT426",
    "an argument of a transform that has the wrong type",
    "The annotations of the transform declare the types of its arguments; with another type it would fail on every "
    "message, or return a wrong value.",
)
UNSTORABLE_CONSTANT = declare(
    "RT427",
    "a constant that DynamoDB cannot store",
    "DynamoDB accepts numbers of at most 38 digits up to 9.99…E+125, items of at most 400 KB, and nesting of at most "
    "32 levels. Each message that gets the constant would be rejected.",
)


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


@rule(UNSTORABLE_CONSTANT)
def check_constants(subject: Subject) -> Iterator[Found]:
    """Report `value` and `default` of attributes that cannot be encoded."""
    for route in subject.routes:
        for name, attribute in route.attributes.items():
            kind, _ = source_of(attribute)
            values = values_of(attribute)
            value = values.value if isinstance(values, Constant) and not attribute.transform else UNSET
            constants = {kind.key: value, "default": attribute.default}
            for key, constant in constants.items():
                # The type is converted to at load, and `json` makes text of any value.
                if constant is UNSET or constant is None or attribute.type not in (UNSET, "N", "M", "L"):
                    continue
                try:
                    encode_item({"constant": constant})
                except Rejection as rejection:
                    reason = rejection.reason.removeprefix("attribute '*': ")
                    sentence = f"'{key}' of attribute '{name}' has {reason}"
                    yield Found(UNSTORABLE_CONSTANT, sentence, route.place(name, key))


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
    """Return whether a value of the config has the annotated type; true for types that the config does not have."""
    try:
        msgspec.convert(value, hint, builtin_types=(Decimal,), dec_hook=_is_unknown)
    except msgspec.ValidationError:
        return False
    except (NotImplementedError, TypeError):
        return True
    return True


def _is_unknown(type_: type, value: Any) -> NoReturn:
    raise NotImplementedError  # how a hook tells msgspec that it does not know a type


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
