"""Reports transforms, types, templates and `merge` that cannot convert values that the schema allows."""

from collections.abc import Iterator, Sequence
from functools import partial

from router.codes import declare
from router.model import Path
from router.prover.expressions import tree_of
from router.prover.inference import NO, YES, Value, of_path, of_tree
from router.prover.predicates import EACH, SOME_VALUE, TYPES, in_words, text_of
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import Answer, SchemaProver
from router.runtime.config import spec
from router.runtime.engine.convert import CONVERTERS, TEXT_FORMATS
from router.runtime.sources import SCALARS, Constant
from router.tools.check.analysis.attributes import InferredAttribute, infer
from router.tools.check.analysis.failures import inferred_map, map_steps, merged_names
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.text_formats import refusal_of, refuses_number
from router.tools.check.rule import Found, Subject, rule

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


@rule(NEVER_TRANSFORMED, NOT_ALWAYS_TRANSFORMED, NEVER_OF_TYPE, NOT_ALWAYS_OF_TYPE)
def check_types(subject: Subject) -> Iterator[Found]:
    """Report attributes whose transforms or type do not accept what the schema allows."""
    for route in subject.routes:
        keys = () if route.table is None else route.table.key
        for name, attribute, facts in route.with_facts:
            if not attribute.transform and attribute.type is None:
                continue
            of_type = attribute.type is not None and name not in keys
            find = partial(_check_conversions, route, name, attribute, of_type)
            yield from facts.unless_nothing(("types", of_type), find)


@rule(NEVER_A_TEMPLATE, NOT_ALWAYS_A_TEMPLATE)
def check_templates(subject: Subject) -> Iterator[Found]:
    """Report templates with values that cannot be converted to text."""
    for route in subject.routes:
        for name, attribute, facts in route.with_facts:
            yield from facts.unless_nothing(
                "templates", partial(_check_texts, route, name, attribute)
            )


def _check_texts(route: AnalyzedRoute, name: str, attribute: spec.Attribute) -> Iterator[Found]:
    for use in route.uses(attribute):
        if use.takes != SCALARS:
            continue
        text, key = use.text, use.place[0]
        value = of_tree(route.mapped, route.scope, tree_of(text))
        unfit = value.other_than(SCALARS)
        where, claim = route.place(name, *use.place), route.claim("mapping", name)
        if value.can_be(SCALARS) is NO and unfit:
            sentence = (
                f"'{text}' in the {key} of '{name}' is {in_words(unfit)}, which has no form as text"
            )
            yield Found(
                NEVER_A_TEMPLATE, sentence, where, "use a part of it, or 'hash'", refutes=claim
            )
        elif unfit and not value.untyped:
            sentence = f"'{text}' in the {key} of '{name}' may be {in_words(unfit)}"
            advice = route.constrain(value, "type: string")
            yield Found(NOT_ALWAYS_A_TEMPLATE, sentence, where, advice, refutes=claim)


def _check_conversions(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, of_type: bool
) -> Iterator[Found]:
    """Report the first fault of an attribute's transforms or, if `of_type`, of its type."""
    inferred = infer(route, attribute)
    found = next(_check_steps(route, name, inferred), None)
    if found is None and of_type:
        found = next(_check_type(route, name, attribute, inferred), None)
    if found is not None:
        yield found


def _check_steps(route: AnalyzedRoute, name: str, inferred: InferredAttribute) -> Iterator[Found]:
    for step in inferred.steps:
        if step.transform is None or step.takes is None:
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
        elif step.form is not None and not step.before.untyped:
            refusal = refusal_of(route, step.before, step.form, step.transform.apply)
            if refuses_number(route, step.before, step.form) is YES:
                sentence = f"transform '{step.name}' accepts {step.form.name}, and the value may be another number"
                advice = route.constrain(step.before, f"enum: {[*(step.form.numbers or ())]}")
                yield Found(NOT_ALWAYS_TRANSFORMED, sentence, where, advice, refutes=claim)
            elif refusal.possible is YES:
                sentence = f"transform '{step.name}' accepts {step.form.name}, and the value may be other text"
                advice = route.constrain(step.before, step.form.keyword)
                yield Found(
                    NOT_ALWAYS_TRANSFORMED,
                    f"{sentence}{refusal.shown}",
                    where,
                    advice,
                    refutes=claim,
                )


def _check_type(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, inferred: InferredAttribute
) -> Iterator[Found]:
    kind, value, where = attribute.type, inferred.raw, route.place(name, "type")
    if inferred.accepts is None or isinstance(
        inferred.source, Constant
    ):  # constants are converted at load
        return
    unfit, claim = value.other_than(inferred.accepts), route.claim("type", name)
    if value.can_be(inferred.accepts) is NO and unfit:
        sentence = (
            f"attribute '{name}' never converts to type {kind}: its value is {in_words(unfit)}"
        )
        advice = "choose another type, or transform the value first"
        yield Found(NEVER_OF_TYPE, sentence, where, advice, refutes=claim)
    elif unfit and not value.untyped:
        sentence = f"attribute '{name}' may fail to convert to type {kind}: its value may be {in_words(unfit)}"
        advice = route.constrain(value, _one_of(inferred.accepts))
        yield Found(NOT_ALWAYS_OF_TYPE, sentence, where, advice, refutes=claim)
    elif not value.untyped:
        yield from _check_content(route, name, str(kind), value, where)


def _check_content(
    route: AnalyzedRoute, name: str, kind: str, value: Value, where: Path
) -> Iterator[Found]:
    """Report text that the type may not accept, and elements of lists that a set does not accept."""
    fails, claim = (
        f"attribute '{name}' may fail to convert to type {kind}:",
        route.claim("type", name),
    )
    form = TEXT_FORMATS.get(kind)
    if kind not in _SETS:
        refusal = refusal_of(route, value, form, CONVERTERS[kind]) if form else None
        if form and refusal and refusal.possible is YES:
            sentence = f"{fails} its value may be text that is not {form.name}{refusal.shown}"
            yield Found(
                NOT_ALWAYS_OF_TYPE,
                sentence,
                where,
                route.constrain(value, form.keyword),
                refutes=claim,
            )
        return
    element = of_path(route.mapped, value.elements)
    unfit = element.other_than(_SETS[kind])
    if value.elements is None or element.untyped:
        return
    if unfit and element.can_be(_SETS[kind]) is NO:
        sentence = f"attribute '{name}' never converts to type {kind}: the elements of the list are {in_words(unfit)}"
        advice = "choose another type, or select texts or numbers"
        yield Found(NEVER_OF_TYPE, sentence, where, advice, refutes=claim)
    elif unfit or _has_nulls(route, value):
        sentence = f"{fails} elements of the list may be {in_words(unfit) if unfit else 'null'}"
        yield Found(
            NOT_ALWAYS_OF_TYPE,
            sentence,
            where,
            route.constrain(element, _one_of(_SETS[kind])),
            refutes=claim,
        )
    elif (
        form and (refusal := refusal_of(route, element, form, CONVERTERS[kind[0]])).possible is YES
    ):
        sentence = (
            f"{fails} elements of the list may be text that is not {form.name}{refusal.shown}"
        )
        yield Found(
            NOT_ALWAYS_OF_TYPE,
            sentence,
            where,
            route.constrain(element, form.keyword),
            refutes=claim,
        )


def _has_nulls(route: AnalyzedRoute, value: Value) -> bool:
    """Whether elements may be null; a projection omits them."""
    messages, steps = route.mapped, value.origin
    return (
        messages is not None
        and steps is not None
        and messages.holds_at((*steps, EACH), SOME_VALUE) is NO
    )


def _one_of(kinds: Sequence[str]) -> str:
    """Return the keyword for the first of the types that JSON has."""
    return f"type: {next(kind for kind in kinds if kind in TYPES)}"


NEVER_MERGED = declare(
    "RT436",
    "a `merge` that no message can have",
    "By the schema the value is never a map, or it always has the name of an attribute that `item` maps or that is the "
    "time to live, so that every message with it is rejected.",
)
NOT_ALWAYS_MERGED = declare(
    "RT437",
    "a `merge` that some messages cannot have",
    "A message that satisfies its schema can be rejected nevertheless: an entry of the map never replaces an attribute "
    "that `item` maps, and never sets the time to live.",
    "warning",
)
_MAP = ("object",)


@rule(NEVER_MERGED, NOT_ALWAYS_MERGED)
def check_merges(subject: Subject) -> Iterator[Found]:
    """Report maps that are none, or that bring attributes of their own name."""
    for route in subject.routes:
        merge = route.route.merge
        if merge is not None and route.mapped is not None and route.index is not None:
            yield from _check_merge(route, merge, route.mapped, route.index)


def _check_merge(
    route: AnalyzedRoute, merge: spec.MergeSettings, messages: SchemaProver, index: SchemaIndex
) -> Iterator[Found]:
    inferred, claim, path = inferred_map(route, merge), route.claim("merge"), (*route.path, "merge")
    value = inferred.raw
    unfit = value.other_than(_MAP)
    if value.can_be(_MAP) is NO and unfit:
        yield Found(
            NEVER_MERGED,
            f"'merge' never finds a map: its value is {in_words(unfit)}",
            path,
            refutes=claim,
        )
        return
    if unfit and not value.untyped:
        advice = route.constrain(value, "type: object")
        yield Found(
            NOT_ALWAYS_MERGED, f"'merge' may find {in_words(unfit)}", path, advice, refutes=claim
        )
    steps = map_steps(inferred)
    if steps is None:
        return
    if messages.absent(steps) is Answer.YES:
        sentence = f"no message that satisfies the schema has '{text_of(steps)}'"
        yield Found(NEVER_MERGED, sentence, path, "remove it")
        return
    advice = "write a 'prefix' for its names, or map fewer attributes"
    for each in merged_names(route, merge, messages, steps):
        what = f"'{text_of(each.steps)}', but the attribute '{each.attribute}' is the route's own"
        if each.always:
            yield Found(NEVER_MERGED, f"each message has {what}", path, advice, refutes=claim)
        elif not each.never and each.steps[-1] in index.names(steps):
            yield Found(
                NOT_ALWAYS_MERGED, f"a message may have {what}", path, advice, refutes=claim
            )
