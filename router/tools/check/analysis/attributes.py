"""Infers the values of mapped attributes: of their sources, through transforms, type and default.

Also how many different ones there are, where a schema or constants limit them, and whether a number
that a time to live reads counts seconds, or milliseconds.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from math import prod
from typing import Any

from msgspec import UNSET, Struct, structs

from router.model import Path, TextFormat
from router.prover import predicates
from router.prover.expressions import Scope, tree_of
from router.prover.inference import (
    Value,
    any_of,
    longest_of,
    of_constant,
    of_path,
    of_type,
    text_length,
    weak,
)
from router.prover.predicates import NO_VALUE, Schema, Steps
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import NO, UNKNOWN, YES, Answer, SchemaProver
from router.runtime.config import spec
from router.runtime.sources import Computed, Constant, Evaluated, Joined, Values, source_of
from router.runtime.transforms.transform import (
    Accepts,
    EpochSeconds,
    Result,
    SameNames,
    TextResult,
    Transform,
)
from router.tools.check.analysis.proof_cache import AttributeFacts
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.text_formats import always_matches
from router.tools.check.analysis.transforms import built_in, is_plugins, of_transform
from router.tools.check.analysis.values import answer, possible

# The types of values that each `type` converts, and the type that it converts them to.
_CONVERSIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "S": (("string", "number"), "string"),
    "N": (("number", "string"), "number"),
    "B": (("binary", "string"), "binary"),
    "BOOL": (("boolean",), "boolean"),
    "SS": (("array", "set"), "set"),
    "NS": (("array", "set"), "set"),
    "BS": (("array", "set"), "set"),
    "M": (("object",), "object"),
    "L": (("array",), "array"),
    "json": (("string", "number", "boolean", "array", "object", "binary", "set"), "string"),
}
_ANSWERS = {True: YES, False: NO, None: UNKNOWN}
MAX_VALUES = 100
"""More values are not counted."""
FIRST_MILLISECONDS = 100_000_000_000
"""Greater numbers of seconds are after the year 5138: they are milliseconds."""
MILLISECONDS: Schema = {"type": "number", "minimum": FIRST_MILLISECONDS}
_SECONDS: Schema = {"anyOf": [{"not": {"type": "number"}}, {"maximum": FIRST_MILLISECONDS - 1}]}
_WORD = re.compile(r"\w+")
_MILLISECONDS_AS_TEXT = "1767323045678"
_SECONDS_AS_TEXT = r"^[+-]?[0-9]{1,11}(\.[0-9]*)?$"


class Step(Struct, frozen=True):
    """A transform of an attribute: its path in the attribute, what it is (None: a plugin's), its
    argument, and its input.
    """

    name: str
    part: Path
    transform: Transform | None
    argument: Any
    before: Value

    @property
    def result(self) -> Result | None:
        """What is known of its result; None if nothing is."""
        return None if self.transform is None else self.transform.result

    @property
    def takes(self) -> tuple[str, ...] | None:
        """The types that it takes; None if it may take any."""
        return None if self.transform is None else self.transform.takes

    @property
    def accepts(self) -> Accepts | None:
        """Which values it accepts; None if nothing is known of that."""
        return None if self.transform is None else self.transform.accepts

    @property
    def form(self) -> TextFormat | None:
        """The format of the texts that it accepts; None if it has none."""
        return self.accepts if isinstance(self.accepts, TextFormat) else None

    @property
    def can_keep_length(self) -> bool:
        """Whether its result is text that can have the length of its input."""
        return isinstance(self.result, TextResult) and self.result.can_keep_length

    @property
    def keeps_names(self) -> bool:
        """Whether its result is a map with the same names."""
        return isinstance(self.result, SameNames)


class InferredAttribute(Struct, frozen=True):
    """The stages of an attribute: its transforms, their result (`raw`), and the value that is
    stored.

    `accepts` are the types that `type` converts, None without a `type`. `source` is what its source
    is known to return, None for an attribute that is not mapped.
    """

    steps: tuple[Step, ...]
    raw: Value
    accepts: tuple[str, ...] | None
    value: Value
    source: Values | None = None


def infer(route: AnalyzedRoute, attribute: spec.Attribute) -> InferredAttribute:
    """Infer an attribute of a route, once for all rules."""
    return infer_from(route, route.facts(attribute))


def infer_from(route: AnalyzedRoute, facts: AttributeFacts) -> InferredAttribute:
    """Infer an attribute of a route, of which the facts are at hand."""
    if facts.inferred is None:
        facts.inferred = facts.once("inferred", lambda: _infer(route, facts.attribute))
    found: InferredAttribute = facts.inferred
    return found


def _infer(route: AnalyzedRoute, attribute: spec.Attribute) -> InferredAttribute:
    values = values_of(attribute, route.fifo)
    raw = _source(route, values)
    steps = []
    for name, part, argument in transforms_of(attribute.transform):
        transform = built_in(route, name)
        steps.append(Step(name, part, transform, argument, raw))
        raw = Value() if transform is None else of_transform(route, transform, raw, argument)
    stored = raw if attribute.type is None else _converted(raw, attribute.type)
    if attribute.default is not UNSET and not (isinstance(values, Computed) and values.required):
        stored = _with_default(stored, attribute.default)
        if attribute.type is not None:
            stored = structs.replace(
                _converted(stored, attribute.type), missing=stored.missing, lacking=None
            )
    accepts = None if attribute.type is None else _CONVERSIONS[attribute.type][0]
    return InferredAttribute(tuple(steps), raw, accepts, stored, values)


def values_of(attribute: Any, fifo: bool = False) -> Values:
    """What can be inferred of the values of an attribute's source."""
    source, given = source_of(attribute)
    return source.values(given, fifo, attribute.type or "")


def stored(route: AnalyzedRoute, name: str) -> InferredAttribute:
    """Infer what is stored under a name; without `item` it is a property of the message, or of the
    element.
    """
    attribute = route.attributes.get(name)
    if attribute is not None:
        return infer(route, attribute)
    value = of_path(
        route.mapped, route.scope.steps(("element", name) if route.scope.each else (name,))
    )
    return InferredAttribute((), value, None, value)


def _source(route: AnalyzedRoute, values: Values) -> Value:
    match values:
        case Evaluated(text):
            return route.value_of(text)
        case Constant(value):
            return of_constant(value)
        case Joined(literals, expressions):
            return _of_template(literals, [route.value_of(text) for text in expressions])
        case _:
            return _computed(route, values)


def _computed(route: AnalyzedRoute, values: Computed) -> Value:
    parts = [route.value_of(text) for text in values.expressions]
    own = Value(missing=_ANSWERS[values.missing])
    value = of_type(values.type, longest=values.longest) if values.type else Value()
    lacking = _first_lacking(parts)
    return structs.replace(
        value, missing=_any_missing([own, *parts]), lacking=lacking, gap=values.gap
    )


def transforms_of(entries: Sequence[spec.Transforms]) -> list[tuple[str, Path, Any]]:
    """Return the transforms of an attribute: the name, path in the attribute and argument of each."""
    return [
        (name, ("transform", index), argument)
        for index, entry in enumerate(entries)
        for name, argument in entry.items()
    ]


def _converted(raw: Value, kind: str) -> Value:
    """Infer the result of `type`, if the conversion does not fail."""
    types = {_CONVERSIONS[kind][1]: YES}
    if "set" in types or kind == "json":
        missing = raw.missing
        # An empty set counts as missing.
        if missing is NO and kind != "json":
            missing = UNKNOWN
        return Value(missing, types, NO, lacking=raw.lacking)
    longest = text_length(raw) if kind == "S" else None
    empty = raw.empty if kind in ("S", "B") else NO
    return structs.replace(raw, types=types, empty=empty, longest=longest)


def _with_default(value: Value, default: Any) -> Value:
    """Infer a value with a default for when it is missing."""
    other = of_constant(default)
    if other.missing is YES or value.missing is NO:
        return value
    types = dict(value.types)
    for kind in other.types:
        if types.get(kind) is not YES:
            types[kind] = value.missing
    longest = other.longest
    if value.may_be("string"):
        longest = longest_of((value.longest, other.longest))
    empty = any_of(
        [value.empty, YES if other.empty is YES and value.missing is YES else weak(other.empty)]
    )
    return structs.replace(value, missing=NO, types=types, empty=empty, longest=longest)


def _of_template(literals: Sequence[str], parts: Sequence[Value]) -> Value:
    """Infer the text of a template from its literal texts and the values of its expressions."""
    lengths = [*map(len, literals), *map(text_length, parts)]
    longest = None if None in lengths else sum(length for length in lengths if length is not None)
    empties = [part.empty for part in parts]
    empty = UNKNOWN
    if any(literals) or NO in empties:
        empty = NO
    elif len(parts) == 1:
        empty = empties[0]
    return Value(
        _any_missing(parts), {"string": YES}, empty, longest, lacking=_first_lacking(parts)
    )


def _any_missing(parts: Iterable[Value]) -> Answer:
    return any_of(part.missing for part in parts)


def _first_lacking(parts: Iterable[Value]) -> Steps | None:
    """Return the path at which the first part that may be missing is."""
    return next((part.lacking for part in parts if part.missing is YES), None)


def count_of_attribute(route: AnalyzedRoute, attribute: spec.Attribute) -> int | None:
    """Return the most different values of an attribute, besides a default.

    None if they are not limited.
    """
    inferred = infer(route, attribute)
    if any(is_plugins(route, step.name) for step in inferred.steps):
        return None  # it may return anything
    return _count(route, inferred)


def _count(route: AnalyzedRoute, inferred: InferredAttribute) -> int | None:
    match inferred.source:
        case Constant() | Computed(fixed=True):
            return 1
        case Evaluated(text):
            return count_of_expression(route, route.scope, text)
        case Joined(_, texts):
            counts = [count_of_expression(route, route.scope, text) for text in texts]
            total = prod(count for count in counts if count is not None)
            return None if None in counts or total > MAX_VALUES else total
    return None


def count_of_expression(route: AnalyzedRoute, scope: Scope, text: str) -> int | None:
    """Return the most different values of a path or constant.

    None if they are not limited, or for others.
    """
    tree = tree_of(text)
    if tree is None:
        return None
    if tree["type"] == "literal":
        return 1
    steps = scope.path(tree)
    if route.mapped is None or route.index is None or not steps:
        return None
    return _count_at(route.mapped, route.index, steps)


def _count_at(messages: SchemaProver, index: SchemaIndex, steps: Steps) -> int | None:
    if possible(of_path(messages, steps)) == ["boolean"]:
        return 2
    lists = list(lists_at(index, steps))
    both = [*chain.from_iterable(lists)]
    for values in sorted([*lists, both], key=len):
        leaf = predicates.any_of([{"enum": values}, NO_VALUE])
        if 0 < len(values) <= MAX_VALUES and messages.holds_at(steps, leaf) is YES:
            return len({repr(value) for value in values})
    return None


def lists_at(index: SchemaIndex, steps: Steps) -> Iterator[list[Any]]:
    """Yield the values of each `enum` and `const` for a path."""
    for place in index.at(steps):
        if isinstance(place.content.get("enum"), list):
            yield place.content["enum"]
        if "const" in place.content:
            yield [place.content["const"]]


def counts_seconds(route: AnalyzedRoute, inferred: InferredAttribute, default: Any) -> Answer:
    """Return whether an attribute that is a number counts seconds: NO if it does not in some
    message.
    """
    other = [_counted_in(route, inferred).opposite()]
    if isinstance(default, int | Decimal):
        other.append(_counted_by(default).opposite())
    return any_of(other).opposite()


def counts_milliseconds(route: AnalyzedRoute, inferred: InferredAttribute) -> bool:
    """Whether it is proved that an attribute counts milliseconds in each message that has it, and
    that some may.
    """
    source = inferred.source
    if inferred.steps:
        return False
    if isinstance(source, Constant):
        return _counted_by(source.value) is NO
    if isinstance(source, Computed):
        return source.milliseconds
    if not inferred.raw.may_be("number"):
        return False
    return answer(route.mapped, inferred.value, MILLISECONDS) is YES


def _counted_in(route: AnalyzedRoute, inferred: InferredAttribute) -> Answer:
    source = inferred.source
    raw = inferred.raw
    messages = route.mapped
    if inferred.steps:
        return YES if isinstance(inferred.steps[-1].result, EpochSeconds) else UNKNOWN
    if isinstance(source, Constant):
        return _counted_by(source.value)
    if isinstance(source, Computed):
        return NO if source.milliseconds else YES
    number = answer(messages, raw, _SECONDS)
    is_text = raw.may_be("string")
    if number is not YES or not is_text or route.index is None:
        return number
    # With `type: N` it may be text.
    if messages and raw.origin and messages.can_be(raw.origin, [_MILLISECONDS_AS_TEXT]) is YES:
        return NO
    return always_matches(messages, raw, _SECONDS_AS_TEXT)


def _counted_by(value: Any) -> Answer:
    if isinstance(value, int | Decimal) and value >= FIRST_MILLISECONDS:
        return NO
    return YES


def with_braces(route: AnalyzedRoute, attribute: spec.Attribute) -> str:
    """Return a template with the braces that it seems to lack; "" if it has an expression, or names no property."""
    values = infer(route, attribute).source
    if not isinstance(values, Joined) or values.expressions or route.index is None:
        return ""
    text = "".join(values.literals)
    names = route.index.names(route.scope.element or ())
    prefix = "element." if route.scope.each else ""

    def in_braces(word: re.Match[str]) -> str:
        return f"{{{prefix}{word[0]}}}" if word[0] in names else word[0]

    braced = _WORD.sub(in_braces, text)
    return "" if braced == text else braced
