"""Finds transforms and `type:` that cannot take what the schema lets through."""

from collections.abc import Iterator, Sequence

from msgspec import UnsetType

from router.check.advice import constrain
from router.check.attributes import Made, made
from router.check.entailment import Facts
from router.check.expressions import tree_of
from router.check.flows import Flow
from router.check.inference import NO, NOT_NUMERIC, YES, Value, of_path, of_tree
from router.check.predicates import EACH, SOME_VALUE, TYPES, Steps
from router.check.rule import Found, Subject
from router.config import spec
from router.model import Code, Path
from router.sources import Constant, expressions_of

NEVER_TRANSFORMED = Code(
    "RT413",
    "a transform that can never take the value",
    "By the schema the value is always of a type that the transform does not take, so that each message is rejected.",
)
NOT_ALWAYS_TRANSFORMED = Code(
    "RT414",
    "a transform that cannot take each value that the schema allows",
    "A message that passes its schema is rejected nevertheless.",
    "warning",
)
NEVER_OF_TYPE = Code(
    "RT415",
    "a value that can never be of the attribute's type",
    "By the schema the value is always something else, so that each message is rejected.",
)
NOT_ALWAYS_OF_TYPE = Code(
    "RT416",
    "a value that need not be of the attribute's type",
    "A message that passes its schema is rejected nevertheless.",
    "warning",
)

NEVER_A_TEMPLATE = Code(
    "RT424",
    "a template of what is never a text, a number, true or false",
    "A template takes nothing else, so that each message is rejected.",
)
NOT_ALWAYS_A_TEMPLATE = Code(
    "RT425",
    "a template of what may be a list or an object",
    "A message that passes its schema is rejected nevertheless.",
    "warning",
)

_SETS = {"SS": ("string", "number"), "NS": ("number", "string"), "BS": ("string",)}
"""What the elements of a set can be made of."""
_SCALARS = ("string", "number", "boolean")
_WORDS = {
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "set": "a set",
}


def check_types(subject: Subject) -> Iterator[Found]:
    """Find attributes whose transforms or type do not take what the schema allows."""
    for flow in subject.flows:
        keys = () if flow.table is None else flow.table.key
        for name, attribute in flow.attributes.items():
            if not attribute.transform and isinstance(attribute.type, UnsetType):
                continue
            how = made(flow, attribute)
            found = next(_check_steps(flow, name, how), None)
            if found is None and not isinstance(attribute.type, UnsetType) and name not in keys:
                found = next(_check_type(flow, name, attribute, how), None)
            if found is not None:
                yield found


def check_templates(subject: Subject) -> Iterator[Found]:
    """Find templates with parts that cannot be written as text."""
    for flow in subject.flows:
        for name, attribute in flow.attributes.items():
            for use in expressions_of(attribute):
                if use.takes != "scalar":
                    continue
                text, key = use.text, use.place[0]
                value = of_tree(flow.mapped, flow.scope, tree_of(text))
                unfit = value.other_than(_SCALARS)
                where = flow.place(name, *use.place)
                if value.can_be(_SCALARS) is NO and unfit:
                    sentence = f"'{text}' in the {key} of '{name}' is {kinds_of(unfit)}, and never a scalar"
                    yield Found(NEVER_A_TEMPLATE, sentence, where, "take a part of it, or 'hash' it")
                elif unfit and not value.untyped:
                    sentence = f"'{text}' in the {key} of '{name}' may be {kinds_of(unfit)}"
                    yield Found(NOT_ALWAYS_A_TEMPLATE, sentence, where, constrain(flow, value, "type: string"))


def _check_steps(flow: Flow, name: str, how: Made) -> Iterator[Found]:
    for step in how.steps:
        if step.takes is None:
            continue
        where = flow.place(name, *step.part)
        unfit = step.before.other_than(step.takes)
        if step.before.can_be(step.takes) is NO and unfit:
            sentence = f"transform '{step.name}' takes {kinds_of(step.takes)}, and the value is {kinds_of(unfit)}"
            yield Found(NEVER_TRANSFORMED, sentence, where, "remove it, or transform the value before")
        elif unfit and not step.before.untyped:
            sentence = f"transform '{step.name}' takes {kinds_of(step.takes)}, and the value may be {kinds_of(unfit)}"
            advice = constrain(flow, step.before, _one_of(step.takes))
            yield Found(NOT_ALWAYS_TRANSFORMED, sentence, where, advice)


def _check_type(flow: Flow, name: str, attribute: spec.Attribute, how: Made) -> Iterator[Found]:
    kind, value, where = attribute.type, how.raw, flow.place(name, "type")
    if how.accepts is None or isinstance(how.origin, Constant):  # constants are converted at load
        return
    unfit = value.other_than(how.accepts)
    if value.can_be(how.accepts) is NO and unfit:
        sentence = f"attribute '{name}' can never be of type {kind}: its value is {kinds_of(unfit)}"
        yield Found(NEVER_OF_TYPE, sentence, where, "choose another type, or transform the value before")
    elif unfit and not value.untyped:
        sentence = f"attribute '{name}' need not be of type {kind}: its value may be {kinds_of(unfit)}"
        yield Found(NOT_ALWAYS_OF_TYPE, sentence, where, constrain(flow, value, _one_of(how.accepts)))
    elif flow.mapped is not None and not value.untyped:
        yield from _check_content(flow, flow.mapped, name, str(kind), value, where)


def _check_content(flow: Flow, facts: Facts, name: str, kind: str, value: Value, where: Path) -> Iterator[Found]:
    """Texts that are to be numbers, and elements of lists that are to be sets."""
    if kind == "N" and value.can_be(["string"]) is YES and _may_be_no_number(facts, value.origin):
        sentence = f"attribute '{name}' need not be of type N: its value may be text that is no number"
        yield Found(NOT_ALWAYS_OF_TYPE, sentence, where, constrain(flow, value, "pattern: ^[0-9]+$"))
    if kind not in _SETS or value.elements is None:
        return
    element = of_path(facts, value.elements)
    unfit = element.other_than(_SETS[kind])
    if element.untyped:
        return
    if unfit and element.can_be(_SETS[kind]) is NO:
        sentence = f"attribute '{name}' can never be of type {kind}: the list has elements that are {kinds_of(unfit)}"
        yield Found(NEVER_OF_TYPE, sentence, where, "choose another type, or select texts or numbers")
    elif others := kinds_of(unfit) if unfit else _unfit_elements(facts, kind, value, element):
        sentence = f"attribute '{name}' need not be of type {kind}: the list may have elements that are {others}"
        yield Found(NOT_ALWAYS_OF_TYPE, sentence, where, constrain(flow, element, _one_of(_SETS[kind])))


def _unfit_elements(facts: Facts, kind: str, value: Value, element: Value) -> str:
    """What elements of the right types may be nevertheless, in words; "" if nothing."""
    # A projection leaves null out.
    if value.origin is not None and facts.holds_at((*value.origin, EACH), SOME_VALUE) is NO:
        return "null"
    if kind == "NS" and element.can_be(["string"]) is YES and _may_be_no_number(facts, element.origin):
        return "text that is no number"
    return ""


def _may_be_no_number(facts: Facts, steps: Steps | None) -> bool:
    return steps is not None and facts.can_be(steps, NOT_NUMERIC) is YES


def kinds_of(types: Sequence[str]) -> str:
    """Types as a person calls them, for a sentence."""
    *most, last = [_WORDS.get(kind, kind) for kind in types]
    return f"{', '.join(most)} or {last}" if most else last


def _one_of(kinds: Sequence[str]) -> str:
    """What a schema says for the first of the types that JSON has."""
    return f"type: {next(kind for kind in kinds if kind in TYPES)}"
