"""Reports constants of the config that a transform does not take as an argument, or DynamoDB cannot
store.
"""

import inspect
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET

from router.codes import declare
from router.errors import Rejection
from router.model import Path, TransformFunction
from router.prover.expressions import tree_of
from router.runtime.config import spec
from router.runtime.engine.attributes import encode_item
from router.runtime.engine.convert import CONVERTERS
from router.runtime.program.expressions import Tree
from router.runtime.sources import Constant, Evaluated, source_of
from router.runtime.transforms.transform import MapEntry, Transform
from router.tools.check.analysis.attributes import Step, infer_from, transforms_of
from router.tools.check.analysis.proof_cache import AttributeFacts
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.transforms import arguments_of, bind, built_in
from router.tools.check.rule import Found, Subject, place_claim, rule

ARGUMENT_TYPE = declare(
    "RT426",
    "an argument of a transform that has the wrong type, or is out of its range",
    "The built-in transforms declare what their arguments can be, the transforms of plugins by their annotations. With "
    "another argument a transform would fail on every message, or return a wrong value.",
)
UNSTORABLE_CONSTANT = declare(
    "RT427",
    "a constant that DynamoDB cannot store",
    "DynamoDB accepts numbers of at most 38 digits up to 9.99…E+125, items of at most 400 KB, and nesting of at most "
    "32 levels. Each message that gets the constant would be rejected.",
)


@rule(ARGUMENT_TYPE)
def check_arguments(subject: Subject) -> Iterator[Found]:
    """Report arguments that a built-in transform never takes, or that do not match a plugin's
    annotation.
    """
    for route in subject.routes:
        for name, attribute, facts in route.with_facts:
            if attribute.transform:
                yield from facts.unless_nothing(
                    "arguments", partial(_check_arguments, route, name, attribute), alone=True
                )


def _check_arguments(route: AnalyzedRoute, name: str, attribute: spec.Attribute) -> Iterator[Found]:
    for transform, part, argument in transforms_of(attribute.transform):
        function = route.transforms.get(transform)
        if function is None:
            continue
        known = built_in(route, transform)
        unfit = _unfit_by_hints(function, argument) if known is None else _unfit(known, argument)
        for parameter, value, takes in unfit:
            # What a plugin does with another type than it declares is not known.
            claim = None if known is None else route.claim("mapping", name)
            yield Found(
                ARGUMENT_TYPE,
                f"'{parameter}' of transform '{transform}' takes {takes}, not {_kind(value)}",
                route.place(name, *part),
                refutes=claim,
            )


@rule(UNSTORABLE_CONSTANT)
def check_constants(subject: Subject) -> Iterator[Found]:
    """Report constants of attributes that cannot be encoded: `value`, `default`, and literals of
    expressions.
    """
    for route in subject.routes:
        for name, _, facts in route.with_facts:
            yield from facts.unless_nothing(
                ("constants", route.fifo),
                partial(_check_constants, route, name, facts),
                alone=True,
            )


def _check_constants(route: AnalyzedRoute, name: str, facts: AttributeFacts) -> Iterator[Found]:
    for label, part, constant in _constants(route, facts):
        reason = _unstorable(constant, facts.attribute.type)
        if reason:
            yield place_claim(route, "mapping", name, *part).refuted(
                UNSTORABLE_CONSTANT, f"'{label}' of attribute '{name}' has {reason}"
            )


def _constants(route: AnalyzedRoute, facts: AttributeFacts) -> Iterator[tuple[str, Path, Any]]:
    """Yield constants that may be stored, each with what it is of, and the part of the attribute."""
    attribute = facts.attribute
    inferred = infer_from(route, facts)
    # What the last transform looks up is stored.
    for step in inferred.steps[-1:]:
        for constant in _looked_up(step):
            yield step.name, step.part, constant
    yield "default", ("default",), attribute.default
    if attribute.transform:
        return
    match inferred.source:
        case Constant(value):
            key = source_of(attribute)[0].key
            yield key, (key,), value
        case Evaluated(text) if attribute.type is None:
            for constant in _results(tree_of(text)):
                yield text, (source_of(attribute)[0].key,), constant


def _looked_up(step: Step) -> Iterator[Any]:
    """Yield the constants that a transform looks up."""
    if step.transform is not None and isinstance(step.result, MapEntry):
        arguments = arguments_of(step.transform, step.argument) or {}
        yield from arguments.get(step.result.entries, {}).values()
        yield arguments.get(step.result.default)


def _unstorable(constant: Any, type_: str | None) -> str:
    """Return why a constant cannot be stored, once it is converted to the type of its attribute.

    "" if it can be.
    """
    try:
        value = constant
        if constant is not UNSET and type_ is not None:
            value = CONVERTERS[type_](constant)
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


def _unfit(transform: Transform, argument: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield the arguments of a built-in transform that are out of their range, by name, and what it
    takes instead.
    """
    bound = bind(transform.apply, argument)
    given = {} if bound is None else bound.arguments
    for name, takes in transform.arguments.items():
        if name in given and not takes.takes(given[name]):
            yield name, given[name], takes.words


def _unfit_by_hints(function: TransformFunction, argument: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield the arguments of a plugin's transform that do not have the annotated type, and that
    type.
    """
    for name, value, hint in _bound(function, argument):
        if not _fits(value, hint):
            yield name, value, _in_words(hint)


def _bound(function: TransformFunction, argument: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the annotated parameters with their arguments and annotations.

    Nothing if they cannot be bound.
    """
    hints = _annotations(function)
    bound = bind(function, argument)
    if bound is None:
        return
    for name, value in list(bound.arguments.items())[1:]:
        kind = bound.signature.parameters[name].kind
        values = value if kind is inspect.Parameter.VAR_POSITIONAL else [value]
        values = value.values() if kind is inspect.Parameter.VAR_KEYWORD else values
        if name in hints:
            yield from ((name, each, hints[name]) for each in values)


@cache
def _annotations(function: TransformFunction) -> Mapping[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # annotations that cannot be resolved, or a function of a C extension
        return {}


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value of the config has the annotated type; true for types that the config
    does not have.
    """
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
    if value is None:
        return "null"
    text = repr(value) if not isinstance(value, Decimal) else str(value)
    if isinstance(value, str | int | Decimal) and len(text) < 30:
        return text
    return f"a {type(value).__name__}"
