"""Reports constants of the config that a transform does not take as an argument, or DynamoDB cannot store."""

import inspect
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from router.codes import declare
from router.errors import Rejection
from router.model import Transform
from router.prover.expressions import tree_of
from router.runtime.config import spec
from router.runtime.engine.attributes import encode_item
from router.runtime.engine.convert import CONVERTERS
from router.runtime.program.expressions import Tree
from router.runtime.sources import Constant, Evaluated, source_of
from router.tools.check.analysis.attributes import infer, transforms_of
from router.tools.check.analysis.routes import AnalyzedRoute, is_set
from router.tools.check.rule import Found, Subject, rule

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
        for name, attribute, facts in route.with_facts:
            if attribute.transform:
                find = partial(_check_arguments, route, name, attribute)
                yield from facts.unless_nothing("arguments", find, alone=True)


def _check_arguments(route: AnalyzedRoute, name: str, attribute: spec.Attribute) -> Iterator[Found]:
    for transform, part, argument in transforms_of(attribute.transform):
        function = route.transforms.get(transform)
        if function is None or argument is None:
            continue
        for parameter, value, hint in _bound(function, argument):
            if not _fits(value, hint):
                sentence = f"'{parameter}' of transform '{transform}' takes {_in_words(hint)}, not {_kind(value)}"
                yield Found(ARGUMENT_TYPE, sentence, route.place(name, *part))


@rule(UNSTORABLE_CONSTANT)
def check_constants(subject: Subject) -> Iterator[Found]:
    """Report constants of attributes that cannot be encoded: `value`, `default`, and literals of expressions."""
    for route in subject.routes:
        for name, attribute, facts in route.with_facts:
            find = partial(_check_constants, route, name, attribute)
            yield from facts.unless_nothing(("constants", route.fifo), find, alone=True)


def _check_constants(route: AnalyzedRoute, name: str, attribute: spec.Attribute) -> Iterator[Found]:
    values = infer(route, attribute).source
    constants = {"default": attribute.default}
    if isinstance(values, Constant) and not attribute.transform:
        constants[source_of(attribute)[0].key] = values.value
    claim = route.claim("mapping", name)
    for key, constant in constants.items():
        if reason := _unstorable(constant, attribute.type):
            sentence = f"'{key}' of attribute '{name}' has {reason}"
            yield Found(UNSTORABLE_CONSTANT, sentence, route.place(name, key), refutes=claim)
    if isinstance(values, Evaluated) and not attribute.transform and not is_set(attribute.type):
        for constant in _results(tree_of(values.text)):
            if reason := _unstorable(constant, UNSET):
                sentence = f"'{values.text}' of attribute '{name}' has {reason}"
                where = route.place(name, source_of(attribute)[0].key)
                yield Found(UNSTORABLE_CONSTANT, sentence, where, refutes=claim)


def _unstorable(constant: Any, type_: str | UnsetType) -> str:
    """Return why a constant cannot be stored, once it is converted to the type of its attribute; "" if it can be."""
    try:
        value = constant if constant is UNSET or isinstance(type_, UnsetType) else CONVERTERS[type_](constant)
    except ValueError:  # loading reports it
        return ""
    if value is UNSET or value is None:
        return ""
    try:
        encode_item({"constant": value})
    except Rejection as rejection:
        return rejection.reason.removeprefix("attribute '*': ")
    return ""


def _results(tree: Tree | None) -> Iterator[Any]:
    """Yield the literals that an expression can result in."""
    if tree is not None and tree["type"] == "literal":
        yield tree["value"]
    elif tree is not None and tree["type"] in ("or_expression", "and_expression"):
        for child in tree["children"]:
            yield from _results(child)


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
