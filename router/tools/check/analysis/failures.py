"""Finds out why the evaluation of an expression, transform, conversion or `merge` is not proved to
succeed.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from router.prover.conditions import translate
from router.prover.expressions import OF_FIRST_CHILD, Scope, tree_of
from router.prover.inference import Value, of_path, of_tree
from router.prover.predicates import EACH, SOME_VALUE, TRUTHY, Schema, Steps, in_words, there
from router.prover.schema_prover import NO, YES, SchemaProver
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_DIGITS
from router.runtime.engine.convert import CONVERTERS
from router.runtime.program.expressions import Tree
from router.runtime.program.expressions.functions import FUNCTIONS, MAX_EXPONENT, Types
from router.runtime.program.mapping import reserved_names
from router.runtime.sources import Constant, ExpressionUse
from router.runtime.sources.ttl import MAX_EPOCH_SECONDS, epoch_seconds
from router.runtime.transforms.times import DATE_TIME
from router.runtime.transforms.transform import NumberResult
from router.tools.check.analysis.attributes import InferredAttribute, Step, infer
from router.tools.check.analysis.numbers import are_storable, digits_of, if_number
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.text_formats import TEXT_FORMATS, accepts_text, always_matches
from router.tools.check.analysis.transforms import accepts_each, arguments_of, kinds_taken
from router.tools.check.analysis.values import are_elements, holds, kinds_of, possible

TYPES_OF_ELEMENTS = {
    "SS": ("string", "number"),
    "NS": ("number", "string"),
    "BS": ("string", "binary"),
}
"""The types of the elements of lists that each type of set converts."""
_SECONDS: Schema = {
    "anyOf": [{"not": {"type": "number"}}, {"minimum": 0, "maximum": MAX_EPOCH_SECONDS}]
}
# Texts that are no number: others may be one.
_NO_NUMBER = "^$|[^-+.0-9eE]"
# A message of 1 MiB has at most half a million numbers.
_DIGITS_OF_A_COUNT = 6
OF_A_PLUGIN = "is a plugin's"
"""The end of a doubt that no schema decides."""
TOO_LONG = "may make a number of over 38 digits, or one that is out of range"


def of_expression(messages: SchemaProver | None, scope: Scope, text: str) -> Iterator[str]:
    """Yield why an expression is not proved to be free of errors."""
    tree = tree_of(text)
    yield from () if tree is None else _of_tree(messages, scope, tree)


def _of_tree(messages: SchemaProver | None, scope: Scope, tree: Tree) -> Iterator[str]:
    kind = tree["type"]
    children = tree["children"]
    if kind == "function_expression":
        yield from _of_call(messages, scope, tree)
    elif kind == "comparator" and tree["value"] not in ("eq", "ne"):
        left, right = (of_tree(messages, scope, child) for child in children)
        if any(
            one.may_be("string") and other.may_be("number")
            for one, other in ((left, right), (right, left))
        ):
            yield "a comparison may be of text with a number"
    # What follows `&` is evaluated on values of which nothing is known.
    inside = (None, Scope()) if kind == "expref" else (messages, scope)
    for index, child in enumerate(children):
        if isinstance(child, dict) and child["type"] != "literal":
            yield from _of_tree(*inside, child)
        if index == 0 and kind in ("and_expression", "or_expression"):
            inside = (_guarded(messages, scope, child, kind == "and_expression"), scope)
        if index == 0 and kind in OF_FIRST_CHILD:
            # The others are evaluated on values of which nothing is known.
            inside = (None, Scope())


def _guarded(
    messages: SchemaProver | None, scope: Scope, left: Tree, holds: bool
) -> SchemaProver | None:
    """Return the messages for which the right side of `a && b` or `a || b` is evaluated: `a` is
    true or false.
    """
    steps = scope.path(left)
    if steps is not None and EACH not in steps:
        predicate = there(steps, TRUTHY) if holds else {"not": there(steps, TRUTHY)}
    elif scope.each:
        return messages
    else:
        predicate = translate(left, holds).predicate
    # Only what is proved of the messages counts here, so that none need satisfy it.
    return None if messages is None else messages.narrow(predicate, holds=lambda message: True)


def _of_call(messages: SchemaProver | None, scope: Scope, tree: Tree) -> Iterator[str]:
    name = tree["value"]
    function = FUNCTIONS.get(name)
    for index, child in enumerate(tree["children"]):
        if child["type"] == "expref" and name == "map" and not any(_of_tree(None, Scope(), child)):
            continue
        if function is None or child["type"] == "expref":
            yield f"{name}() may fail on a value of the list"
            continue
        takes = function.takes[min(index, len(function.takes) - 1)]
        value = of_tree(messages, scope, child)
        if takes and not _accepts(messages, takes, value):
            yield f"{name}() may be given a value that it does not take"
    if name not in ("to_number", "sum"):
        return
    first = of_tree(messages, scope, tree["children"][0])
    if name == "sum":
        if not _is_short_sum(messages, first):
            yield f"sum() {TOO_LONG}"
    elif not _is_short_number(messages, first):
        yield "to_number() may be given a number that is too long or out of range"


def _is_short_sum(messages: SchemaProver | None, numbers: Value) -> bool:
    """Whether the sum of a list is proved to be a number that DynamoDB can store."""
    digits = digits_of(messages, of_path(messages, numbers.elements))
    if digits is None:
        return False
    return digits.whole + _DIGITS_OF_A_COUNT + digits.decimals <= MAX_DIGITS


def _is_short_number(messages: SchemaProver | None, value: Value) -> bool:
    """Whether a text that is a number is proved to be one that DynamoDB can store."""
    if not value.may_be("string"):
        return True
    short = value.longest is not None and value.longest <= MAX_EXPONENT
    if short and holds(messages, value, {"pattern": "^[^eE]*$"}):
        return True
    return always_matches(messages, value, _NO_NUMBER) is YES


def _accepts(messages: SchemaProver | None, takes: Types, value: Value) -> bool:
    """Whether an argument of a function is proved to have one of the types that it takes."""
    kinds, elements = kinds_of(takes)
    if value.missing is not NO or possible(value, kinds):
        return False
    if not elements or not value.may_be("array"):
        return True
    return any(are_elements(messages, value, (kind,)) for kind in elements)


def of_steps(route: AnalyzedRoute, inferred: InferredAttribute) -> Iterator[str]:
    """Yield why the transforms of an attribute are not proved to succeed."""
    for step in inferred.steps:
        transform = step.transform
        if transform is None:
            yield f"transform '{step.name}' {OF_A_PLUGIN}"
        elif unfit := possible(step.before, kinds_taken(transform)):
            yield f"transform '{step.name}' may be given {in_words(unfit)}"
        elif accepts_each(route, transform, step.before):
            continue
        elif step.form is not None:
            yield f"transform '{step.name}' may be given what is not {step.form.name}"
        else:
            yield f"transform '{step.name}' does not accept every value"


def of_number(route: AnalyzedRoute, inferred: InferredAttribute) -> Iterator[str]:
    """Yield why DynamoDB may not store the number that the transforms of an attribute make."""
    if not inferred.steps:
        return
    last = inferred.steps[-1]
    if not isinstance(last.result, NumberResult):
        return
    is_same = last.result.digits is None
    if are_storable(route.mapped, last.before if is_same else inferred.raw):
        return
    if not _stay_storable(route, inferred.steps):
        yield f"transform '{last.name}' {TOO_LONG}"


def _stay_storable(route: AnalyzedRoute, steps: Sequence[Step]) -> bool:
    """Whether it is proved that transforms make of each number of a message one that DynamoDB can store."""
    *others, last = steps
    if last.transform is None or not isinstance(last.result, NumberResult):
        return False
    arguments = arguments_of(last.transform, last.argument)
    keywords = None if arguments is None else last.result.stays_storable(arguments)
    before = last.before
    is_number = not before.may_be("string") and before.given
    if keywords is None or not (is_number or (others and _stay_storable(route, others))):
        return False
    return not keywords or holds(route.mapped, before, if_number(dict(keywords)))


def of_source(route: AnalyzedRoute, uses: Iterable[ExpressionUse]) -> Iterator[str]:
    """Yield why the source of an attribute, with its expressions, is not proved to have a value,
    or none, for each message.
    """
    for use in uses:
        value = route.value_of(use.text)
        yield from of_expression(route.mapped, route.scope, use.text)
        if use.takes is not None and (unfit := possible(value, use.takes)):
            yield f"'{use.text}' may be {in_words(unfit)}, which '{use.place[0]}' does not take"
        elif use.is_time:
            yield from _of_time(route, value, use.text)


def _of_time(route: AnalyzedRoute, value: Value, text: str) -> Iterator[str]:
    if not accepts_text(route, value, DATE_TIME, epoch_seconds):
        yield f"'{text}' may be text that is no time"
    elif value.may_be("number") and not holds(route.mapped, value, _SECONDS):
        yield f"'{text}' may be a number that is no time in seconds"


def of_conversion(
    route: AnalyzedRoute, attribute: spec.Attribute, inferred: InferredAttribute
) -> Iterator[str]:
    """Yield why the conversion of an attribute to its `type` is not proved to succeed."""
    value = inferred.raw
    kind = attribute.type
    messages = route.mapped
    if kind is None or isinstance(inferred.source, Constant):
        return
    form = TEXT_FORMATS.get(kind)
    if unfit := possible(value, inferred.accepts or ()):
        yield f"its value may be {in_words(unfit)}"
    elif (
        kind not in TYPES_OF_ELEMENTS
        and form
        and not accepts_text(route, value, form, CONVERTERS[kind])
    ):
        yield f"its value may be text that does not convert to {kind}"
    elif kind in TYPES_OF_ELEMENTS and value.may_be("array"):
        element = of_path(messages, value.elements)
        unfit = possible(element, TYPES_OF_ELEMENTS[kind])
        nulls = value.origin is not None and not holds(messages, element, SOME_VALUE)
        if unfit:
            yield f"elements of the list may be {in_words(unfit)}"
        elif nulls or (form and not accepts_text(route, element, form, CONVERTERS[kind[0]])):
            yield f"elements of the list may not convert to {kind}"


class MergedName(Struct, frozen=True):
    """An attribute that is the route's own, and the path of the map's entry that would be that
    attribute, too.

    Whether each message has a value at that path, or none, is proved.
    """

    attribute: str
    steps: Steps
    always: bool
    never: bool


def inferred_map(route: AnalyzedRoute, merge: spec.MergeSettings) -> InferredAttribute:
    """Return what `merge` of a route finds, through its transforms."""
    return infer(route, map_attribute(merge))


def map_attribute(merge: spec.MergeSettings) -> spec.Attribute:
    """Return an attribute that would have the map that `merge` finds."""
    return spec.Attribute(from_=merge.from_, transform=merge.transform)


def map_steps(inferred: InferredAttribute) -> Steps | None:
    """Return the path of the map whose names are those of the result; None if it is unknown."""
    if all(step.keeps_names for step in inferred.steps):
        return inferred.steps[0].before.origin if inferred.steps else inferred.raw.origin
    return None


def merged_names(
    route: AnalyzedRoute, merge: spec.MergeSettings, messages: SchemaProver, steps: Steps
) -> Iterator[MergedName]:
    """Yield the route's own attributes that a map at a path could bring."""
    ttl = "" if route.table is None else route.table.ttl
    for attribute in sorted(reserved_names(route.route, ttl)):
        if attribute.startswith(merge.prefix):
            at = (*steps, attribute.removeprefix(merge.prefix))
            always = messages.present(at) is YES
            yield MergedName(attribute, at, always, messages.absent(at) is YES)


def of_merge(route: AnalyzedRoute, merge: spec.MergeSettings) -> Iterator[str]:
    """Yield why `merge` is not proved to succeed."""
    inferred = inferred_map(route, merge)
    yield from of_source(route, route.uses(map_attribute(merge)))
    yield from of_steps(route, inferred)
    if unfit := possible(inferred.raw, ("object",)):
        yield f"it may find {in_words(unfit)}"
    steps = map_steps(inferred)
    if steps is None or route.mapped is None:
        yield "the names that it finds are not known"
        return
    few = {"anyOf": [{"not": {"type": "object"}}, {"maxProperties": merge.max}]}
    if route.mapped.holds_at(steps, few) is not YES:
        yield f"it may find more than {merge.max} entries"
    for each in merged_names(route, merge, route.mapped, steps):
        if not each.never:
            yield f"it may find the attribute '{each.attribute}', which is the route's own"
