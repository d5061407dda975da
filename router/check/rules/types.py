"""Reports transforms, types and templates that cannot convert values that the schema allows."""

from collections.abc import Iterator, Sequence

from msgspec import UnsetType

from router.check.analysis.attributes import InferredAttribute, infer
from router.check.analysis.entailment import Entailment
from router.check.analysis.expressions import tree_of
from router.check.analysis.inference import NO, NOT_NUMERIC, YES, Value, in_words, of_path, of_tree
from router.check.analysis.predicates import EACH, SOME_VALUE, TYPES, Steps
from router.check.analysis.routes import AnalyzedRoute
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.model import Path
from router.sources import Constant, expressions_of

NEVER_TRANSFORMED = declare(
    "RT413",
    "a transform that never accepts its input",
    "By the schema the value always has a type that the transform does not accept, so that every message is rejected.",
)
NOT_ALWAYS_TRANSFORMED = declare(
    "RT414",
    "a transform that does not accept every value that the schema allows",
    "A message that satisfies its schema can be rejected nevertheless.",
    "warning",
)
NEVER_OF_TYPE = declare(
    "RT415",
    "a value that can never be converted to the attribute's type",
    "By the schema the value always has another type, so that every message is rejected.",
)
NOT_ALWAYS_OF_TYPE = declare(
    "RT416",
    "a value that cannot always be converted to the attribute's type",
    "A message that satisfies its schema can be rejected nevertheless.",
    "warning",
)

NEVER_A_TEMPLATE = declare(
    "RT424",
    "a template with a value that is never a text, a number, true or false",
    "A template accepts no other values, so that every message is rejected.",
)
NOT_ALWAYS_A_TEMPLATE = declare(
    "RT425",
    "a template with a value that may be a list or an object",
    "A message that satisfies its schema can be rejected nevertheless.",
    "warning",
)

_SETS = {"SS": ("string", "number"), "NS": ("number", "string"), "BS": ("string",)}
"""The types of elements that each type of set accepts."""
_SCALARS = ("string", "number", "boolean")


@rule(NEVER_TRANSFORMED, NOT_ALWAYS_TRANSFORMED, NEVER_OF_TYPE, NOT_ALWAYS_OF_TYPE)
def check_types(subject: Subject) -> Iterator[Found]:
    """Report attributes whose transforms or type do not accept what the schema allows."""
    for route in subject.routes:
        keys = () if route.table is None else route.table.key
        for name, attribute in route.attributes.items():
            if not attribute.transform and isinstance(attribute.type, UnsetType):
                continue
            inferred = infer(route, attribute)
            found = next(_check_steps(route, name, inferred), None)
            if found is None and not isinstance(attribute.type, UnsetType) and name not in keys:
                found = next(_check_type(route, name, attribute, inferred), None)
            if found is not None:
                yield found


@rule(NEVER_A_TEMPLATE, NOT_ALWAYS_A_TEMPLATE)
def check_templates(subject: Subject) -> Iterator[Found]:
    """Report templates with values that cannot be converted to text."""
    for route in subject.routes:
        for name, attribute in route.attributes.items():
            for use in expressions_of(attribute):
                if use.takes != "scalar":
                    continue
                text, key = use.text, use.place[0]
                value = of_tree(route.mapped, route.scope, tree_of(text))
                unfit = value.other_than(_SCALARS)
                where, claim = route.place(name, *use.place), route.claim("mapping", name)
                if value.can_be(_SCALARS) is NO and unfit:
                    sentence = f"'{text}' in the {key} of '{name}' is {in_words(unfit)}, which has no form as text"
                    yield Found(NEVER_A_TEMPLATE, sentence, where, "use a part of it, or 'hash'", refutes=claim)
                elif unfit and not value.untyped:
                    sentence = f"'{text}' in the {key} of '{name}' may be {in_words(unfit)}"
                    advice = route.constrain(value, "type: string")
                    yield Found(NOT_ALWAYS_A_TEMPLATE, sentence, where, advice, refutes=claim)


def _check_steps(route: AnalyzedRoute, name: str, inferred: InferredAttribute) -> Iterator[Found]:
    for step in inferred.steps:
        if step.takes is None:
            continue
        where, claim = route.place(name, *step.part), route.claim("mapping", name)
        unfit = step.before.other_than(step.takes)
        takes = f"transform '{step.name}' accepts {in_words(step.takes)}"
        if step.before.can_be(step.takes) is NO and unfit:
            sentence = f"{takes}, and the value is {in_words(unfit)}"
            advice = "remove it, or transform the value first"
            yield Found(NEVER_TRANSFORMED, sentence, where, advice, refutes=claim)
        elif unfit and not step.before.untyped:
            sentence = f"{takes}, and the value may be {in_words(unfit)}"
            advice = route.constrain(step.before, _one_of(step.takes))
            yield Found(NOT_ALWAYS_TRANSFORMED, sentence, where, advice, refutes=claim)


def _check_type(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, inferred: InferredAttribute
) -> Iterator[Found]:
    kind, value, where = attribute.type, inferred.raw, route.place(name, "type")
    if inferred.accepts is None or isinstance(inferred.source, Constant):  # constants are converted at load
        return
    unfit, claim = value.other_than(inferred.accepts), route.claim("type", name)
    if value.can_be(inferred.accepts) is NO and unfit:
        sentence = f"attribute '{name}' never converts to type {kind}: its value is {in_words(unfit)}"
        advice = "choose another type, or transform the value first"
        yield Found(NEVER_OF_TYPE, sentence, where, advice, refutes=claim)
    elif unfit and not value.untyped:
        sentence = f"attribute '{name}' may fail to convert to type {kind}: its value may be {in_words(unfit)}"
        advice = route.constrain(value, _one_of(inferred.accepts))
        yield Found(NOT_ALWAYS_OF_TYPE, sentence, where, advice, refutes=claim)
    elif route.mapped is not None and not value.untyped:
        yield from _check_content(route, route.mapped, name, str(kind), value, where)


def _check_content(
    route: AnalyzedRoute, messages: Entailment, name: str, kind: str, value: Value, where: Path
) -> Iterator[Found]:
    """Report text that may not be a number, and elements of lists that a set does not accept."""
    claim = route.claim("type", name)
    if kind == "N" and value.can_be(["string"]) is YES and _may_be_no_number(messages, value.origin):
        sentence = f"attribute '{name}' may fail to convert to type N: its value may be text that is not a number"
        advice = route.constrain(value, "pattern: ^[0-9]+$")
        yield Found(NOT_ALWAYS_OF_TYPE, sentence, where, advice, refutes=claim)
    if kind not in _SETS or value.elements is None:
        return
    element = of_path(messages, value.elements)
    unfit = element.other_than(_SETS[kind])
    if element.untyped:
        return
    if unfit and element.can_be(_SETS[kind]) is NO:
        sentence = f"attribute '{name}' never converts to type {kind}: the elements of the list are {in_words(unfit)}"
        advice = "choose another type, or select texts or numbers"
        yield Found(NEVER_OF_TYPE, sentence, where, advice, refutes=claim)
    elif others := in_words(unfit) if unfit else _unfit_elements(messages, kind, value, element):
        sentence = f"attribute '{name}' may fail to convert to type {kind}: elements of the list may be {others}"
        advice = route.constrain(element, _one_of(_SETS[kind]))
        yield Found(NOT_ALWAYS_OF_TYPE, sentence, where, advice, refutes=claim)


def _unfit_elements(messages: Entailment, kind: str, value: Value, element: Value) -> str:
    """Return what elements of the right types can be besides, in words; "" if nothing."""
    # A projection omits null.
    if value.origin is not None and messages.holds_at((*value.origin, EACH), SOME_VALUE) is NO:
        return "null"
    if kind == "NS" and element.can_be(["string"]) is YES and _may_be_no_number(messages, element.origin):
        return "text that is not a number"
    return ""


def _may_be_no_number(messages: Entailment, steps: Steps | None) -> bool:
    return steps is not None and messages.can_be(steps, NOT_NUMERIC) is YES


def _one_of(kinds: Sequence[str]) -> str:
    """Return the keyword for the first of the types that JSON has."""
    return f"type: {next(kind for kind in kinds if kind in TYPES)}"
