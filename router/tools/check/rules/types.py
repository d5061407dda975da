"""Reports transforms, types, templates and `merge` that cannot convert values that the schema
allows.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from router.codes import declare
from router.model import TextFormat
from router.prover.inference import Value, of_path
from router.prover.predicates import TYPES, in_words, text_of
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import NO, YES, SchemaProver
from router.runtime.config import spec
from router.runtime.engine.convert import CONVERTERS
from router.runtime.sources import SCALARS, Constant, ExpressionUse, Joined
from router.runtime.transforms.transform import Transform
from router.tools.check.analysis.attributes import (
    InferredAttribute,
    Step,
    infer,
    infer_from,
    with_braces,
)
from router.tools.check.analysis.failures import inferred_map, map_steps, merged_names
from router.tools.check.analysis.routes import AnalyzedRoute, why_absent
from router.tools.check.analysis.text_formats import TEXT_FORMATS, refusal_of, refuses_number
from router.tools.check.analysis.values import has_nulls, misfit_of
from router.tools.check.rule import Found, PlacedClaim, Subject, place_claim, rule

NEVER_TRANSFORMED = declare(
    "RT413",
    "a transform that never accepts its input",
    "By the schema the value always has a type that the transform does not accept, so that every message with it is "
    "rejected.",
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
    "By the schema the value always has another type, so that every message with it is rejected.",
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
    "A template accepts no other values, so that every message with it is rejected.",
)
NOT_ALWAYS_A_TEMPLATE = declare(
    "RT425",
    "a template with a value that may be a list or an object",
    "A message that satisfies its schema can be rejected nevertheless.",
    "warning",
)

NO_EXPRESSION = declare(
    "RT438",
    "a template without an expression that names a property",
    "Without braces the name itself is the value, the same for every message. A constant is written with `value`.",
    "warning",
)

# The types of elements that each type of set accepts.
_SETS = {"SS": ("string", "number"), "NS": ("number", "string"), "BS": ("string",)}


@rule(NEVER_TRANSFORMED, NOT_ALWAYS_TRANSFORMED, NEVER_OF_TYPE, NOT_ALWAYS_OF_TYPE)
def check_types(subject: Subject) -> Iterator[Found]:
    """Report attributes whose transforms or type do not accept what the schema allows."""
    for route in subject.routes:
        keys = () if route.table is None else route.table.key
        for name, attribute, facts in route.with_facts:
            if not attribute.transform and attribute.type is None:
                continue
            of_type = attribute.type is not None and name not in keys
            yield from facts.unless_nothing(
                ("types", of_type), partial(_check_conversions, route, name, attribute, of_type)
            )


@rule(NO_EXPRESSION)
def check_braces(subject: Subject) -> Iterator[Found]:
    """Report templates whose braces seem to be forgotten."""
    for route in subject.routes:
        for name, attribute, facts in route.with_facts:
            if not isinstance(infer_from(route, facts).source, Joined):  # as of most
                continue
            braced = with_braces(route, attribute)
            if braced:
                yield Found(
                    NO_EXPRESSION,
                    f"the template of '{name}' names a property of the message, but has no expression",
                    route.path_of(route.claim("mapping", name)),
                    f"did you mean '{braced}'?",
                )


@rule(NEVER_A_TEMPLATE, NOT_ALWAYS_A_TEMPLATE)
def check_templates(subject: Subject) -> Iterator[Found]:
    """Report templates with values that cannot be converted to text."""
    for route in subject.routes:
        for name, _, facts in route.with_facts:
            yield from facts.unless_nothing(
                "templates", partial(_check_texts, route, name, facts.uses)
            )


def _check_texts(route: AnalyzedRoute, name: str, uses: Iterable[ExpressionUse]) -> Iterator[Found]:
    for use in uses:
        if use.takes != SCALARS:
            continue
        text = use.text
        key = use.place[0]
        value = route.value_of(text)
        misfit = misfit_of(value, SCALARS)
        if misfit is None:
            continue
        placed = place_claim(route, "mapping", name, *use.place)
        sentence = f"'{text}' in the {key} of '{name}' {misfit.words}"
        if misfit.always:
            sentence += ", which has no form as text"
            yield placed.refuted(NEVER_A_TEMPLATE, sentence, "use a part of it, or 'hash'")
        else:
            yield placed.refuted(
                NOT_ALWAYS_A_TEMPLATE, sentence, route.constrain(value, "type: string")
            )


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
        placed = place_claim(route, "mapping", name, *step.part)
        if step.transform is not None and step.takes is not None:
            yield from _check_step(placed, step, step.transform, step.takes)


def _check_step(
    placed: PlacedClaim, step: Step, transform: Transform, takes: tuple[str, ...]
) -> Iterator[Found]:
    route = placed.route
    value = step.before
    misfit = misfit_of(value, takes)
    if misfit is not None:
        sentence = (
            f"transform '{step.name}' accepts {in_words(takes)}, and the value {misfit.words}"
        )
        if misfit.always:
            yield placed.refuted(
                NEVER_TRANSFORMED, sentence, "remove it, or transform the value first"
            )
        else:
            yield placed.refuted(
                NOT_ALWAYS_TRANSFORMED, sentence, route.constrain(value, _one_of(takes))
            )
    elif step.form is not None and not value.untyped:
        yield from _check_format(placed, step.name, step.form, value, transform)


def _check_format(
    placed: PlacedClaim, name: str, form: TextFormat, value: Value, transform: Transform
) -> Iterator[Found]:
    """Report numbers and texts that are not of the format that a transform accepts."""
    route = placed.route
    accepts = f"transform '{name}' accepts {form.name}, and the value may be"
    refusal = refusal_of(route, value, form, transform.apply)
    if refuses_number(route, value, form) is YES:
        yield placed.refuted(
            NOT_ALWAYS_TRANSFORMED,
            f"{accepts} another number",
            route.constrain(value, f"enum: {[*(form.numbers or ())]}"),
        )
    elif refusal.possible is YES:
        yield placed.refuted(
            NOT_ALWAYS_TRANSFORMED,
            f"{accepts} other text{refusal.shown}",
            route.constrain(value, form.keyword),
        )


def _check_type(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, inferred: InferredAttribute
) -> Iterator[Found]:
    kind = attribute.type
    value = inferred.raw
    # Constants are converted at load.
    if inferred.accepts is None or isinstance(inferred.source, Constant):
        return
    placed = place_claim(route, "type", name)
    misfit = misfit_of(value, inferred.accepts)
    if misfit is None:
        if not value.untyped:
            yield from _check_content(placed, str(kind), value)
    elif misfit.always:
        yield placed.refuted(
            NEVER_OF_TYPE,
            f"attribute '{name}' never converts to type {kind}: its value {misfit.words}",
            "choose another type, or transform the value first",
        )
    else:
        yield placed.refuted(
            NOT_ALWAYS_OF_TYPE,
            f"attribute '{name}' may fail to convert to type {kind}: its value {misfit.words}",
            route.constrain(value, _one_of(inferred.accepts)),
        )


def _check_content(placed: PlacedClaim, kind: str, value: Value) -> Iterator[Found]:
    """Report text that the type may not accept, and elements of lists that a set does not accept."""
    route = placed.route
    name = placed.claim.subject
    fails = f"attribute '{name}' may fail to convert to type {kind}:"
    form = TEXT_FORMATS.get(kind)
    if kind not in _SETS:
        refusal = refusal_of(route, value, form, CONVERTERS[kind]) if form else None
        if form and refusal and refusal.possible is YES:
            yield placed.refuted(
                NOT_ALWAYS_OF_TYPE,
                f"{fails} its value may be text that is not {form.name}{refusal.shown}",
                route.constrain(value, form.keyword),
            )
        return
    element = of_path(route.mapped, value.elements)
    unfit = element.other_than(_SETS[kind])
    if value.elements is None or element.untyped:
        return
    if unfit and element.can_be(_SETS[kind]) is NO:
        yield placed.refuted(
            NEVER_OF_TYPE,
            f"attribute '{name}' never converts to type {kind}: the elements of the list are {in_words(unfit)}",
            "choose another type, or select texts or numbers",
        )
    elif unfit or has_nulls(route.mapped, value):
        yield placed.refuted(
            NOT_ALWAYS_OF_TYPE,
            f"{fails} elements of the list may be {in_words(unfit) if unfit else 'null'}",
            route.constrain(element, _one_of(_SETS[kind])),
        )
    elif (
        form and (refusal := refusal_of(route, element, form, CONVERTERS[kind[0]])).possible is YES
    ):
        yield placed.refuted(
            NOT_ALWAYS_OF_TYPE,
            f"{fails} elements of the list may be text that is not {form.name}{refusal.shown}",
            route.constrain(element, form.keyword),
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
    inferred = inferred_map(route, merge)
    placed = place_claim(route, "merge")
    value = inferred.raw
    misfit = misfit_of(value, _MAP)
    if misfit is not None and misfit.always:
        yield placed.refuted(NEVER_MERGED, f"'merge' never finds a map: its value {misfit.words}")
        return
    if misfit is not None:
        yield placed.refuted(
            NOT_ALWAYS_MERGED,
            f"'merge' may find {in_words(value.other_than(_MAP))}",
            route.constrain(value, "type: object"),
        )
    steps = map_steps(inferred)
    if steps is None:
        return
    if messages.absent(steps) is YES:
        sentence, _ = why_absent(route, steps)
        yield Found(NEVER_MERGED, sentence, placed.path, "remove it")
        return
    advice = "write a 'prefix' for its names, or map fewer attributes"
    for each in merged_names(route, merge, messages, steps):
        what = f"'{text_of(each.steps)}', but the attribute '{each.attribute}' is the route's own"
        if each.always:
            yield placed.refuted(NEVER_MERGED, f"each message has {what}", advice)
        elif not each.never and each.steps[-1] in index.names(steps):
            yield placed.refuted(NOT_ALWAYS_MERGED, f"a message may have {what}", advice)
