"""Reports items, and numbers in them, that can exceed what DynamoDB stores."""

import re
from collections.abc import Iterator
from functools import partial
from math import inf

from msgspec import Struct, structs

from router.codes import declare
from router.prover.budget import BudgetSpent
from router.prover.expressions import elements_of, tree_of
from router.prover.inference import Value, of_path
from router.prover.predicates import EACH, TRUTHY, Schema, Steps, all_of, text_of, there
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import NO, YES, SchemaProver
from router.prover.size_bounds import BYTES_OF_A_CHARACTER, LIST_BYTES, NUMBER_BYTES
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_DIGITS, MAX_ITEM_BYTES, text_bytes
from router.runtime.engine.engine import MAX_ELEMENTS
from router.runtime.program.expressions import Tree, path_of
from router.runtime.program.schemas.documents import SchemaDocument
from router.runtime.sources import Evaluated, Joined
from router.tools.check.analysis.attributes import infer, infer_from
from router.tools.check.analysis.claims import mapping_doubts
from router.tools.check.analysis.failures import TOO_LONG
from router.tools.check.analysis.numbers import digits_of
from router.tools.check.analysis.proof_cache import AttributeFacts
from router.tools.check.analysis.routes import AnalyzedRoute, at_most
from router.tools.check.analysis.verdicts import Undecided
from router.tools.check.rule import Found, RuleResult, Subject, place_claim, rule

ITEM_TOO_LARGE = declare(
    "RT615",
    "an item that can be larger than 400 KB",
    "DynamoDB accepts no larger item. A message may have 1 MiB, so that one can satisfy its schema and be rejected.",
    "warning",
)

# Keywords that may exclude text of the maximum length, or of characters of four bytes.
_LIMITING = ("pattern", "format", "const", "enum", "contentEncoding", "contentMediaType")
# Keywords by which a value has many parts of one subschema, or one subschema is about many paths.
_REPEATING = (b'"maxItems"', b'"patternProperties"', b'"additionalProperties":{')
# Of a number with more digits, the first ones are already too large.
_MAX_LENGTH = re.compile(rb'"maxLength":([0-9]{1,18})')
_MAX_DEPTH = 12
_MAX_CHOICES = 4
# The most parts of an item that are considered, the largest first.
_MAX_PARTS = 24
_LONG_NUMBER = 10**MAX_DIGITS - 1


class Size(Struct, frozen=True):
    """A number of bytes, and the predicate that a message has at least as many at some place.

    `shape` is the predicate for the shortest text and lists there: the library can construct these,
    but of long ones it can only prove that there are none.
    """

    bytes: int
    predicate: Schema
    shape: Schema

    def below(self, name: str) -> "Size":
        """Return the size of the value of a property."""
        return Size(self.bytes, there((name,), self.predicate), there((name,), self.shape))

    def as_element(self) -> "Size":
        """Return the size of one element of a list."""
        return Size(self.bytes, _list_of(self.predicate, 1), _list_of(self.shape, 1))

    def listed(self, count: int) -> "Size":
        """Return the size of a list of so many."""
        total = LIST_BYTES + count * (self.bytes + 1)
        return Size(total, _list_of(self.predicate, count), _list_of(self.shape, 1))


Choices = list[Size]
"""The possible sizes of one part, the largest first: a branch of a schema may be impossible."""


@rule(ITEM_TOO_LARGE)
def check_sizes(subject: Subject) -> Iterator[RuleResult]:
    """Report routes whose items can exceed the limit, if a message exists that shows it."""
    for route in subject.routes:
        if route.mapped is None or route.index is None or route.deletes:
            continue
        if _is_surely_small(route, route.index.document):
            continue
        try:
            parts = _parts(route, route.index)
        except BudgetSpent:
            yield Undecided(route.claim("size"), "the schema has too many paths to measure")
            continue
        size = _possible(route.mapped, parts)
        if size > MAX_ITEM_BYTES:
            yield Found(
                ITEM_TOO_LARGE,
                f"the schema allows an item of {size} bytes, over the limit of {MAX_ITEM_BYTES}",
                (*route.path, "schema" if route.is_whole else "item"),
                "lower 'maxLength' or 'maxItems', or map less",
                key=True,
                refutes=route.claim("size"),
            )


def _is_surely_small(route: AnalyzedRoute, document: SchemaDocument) -> bool:
    """Whether all sizes that a schema says surely have no more bytes than an item may have.

    In such a schema, each subschema is about one path, so that a value has no more texts and
    numbers than it has subschemas, and all these together no more characters than the sum of each
    `maxLength`. Their names are in the schema.
    """
    text = document.text
    if not document.stands_alone or any(keyword in text for keyword in _REPEATING):
        return False
    # A comma is between two paths of an expression.
    paths = sum(1 + use.text.count(",") for _, _, facts in route.with_facts for use in facts.uses)
    parts = len(text) // len('"":{},') + 1
    name = BYTES_OF_A_CHARACTER * max(map(len, route.attributes), default=0)
    around = NUMBER_BYTES + (LIST_BYTES + 1) * (_MAX_DEPTH + 1) + len(text) + name
    texts = BYTES_OF_A_CHARACTER * sum(map(int, _MAX_LENGTH.findall(text)))
    return max(1, paths) * (texts + parts * around) <= MAX_ITEM_BYTES


def _possible(messages: SchemaProver, parts: list[Choices]) -> int:
    """Return the bytes that the parts of one message can have together.

    0 if they cannot exceed the limit.
    """
    parts = sorted(filter(None, parts), key=lambda choices: -choices[0].bytes)[:_MAX_PARTS]
    if sum(choices[0].bytes for choices in parts) <= MAX_ITEM_BYTES:
        return 0
    taken: list[Size] = []
    for choices in parts:
        for choice in choices[:_MAX_CHOICES]:
            both = [*taken, choice]
            shapes = [each.shape for each in both]
            predicates = [each.predicate for each in both]
            if (
                messages.allows(all_of(shapes)) is YES
                and messages.allows(all_of(predicates)) is not NO
            ):
                taken = both
                break
    return sum(each.bytes for each in taken)


def _parts(route: AnalyzedRoute, index: SchemaIndex) -> list[Choices]:
    if route.is_whole:
        return [] if route.input is None else list(_below(index, route.input, route.fixed))
    found = []
    for name, _, facts in route.with_facts:
        sizes = facts.once("sizes", partial(_of_attribute, route, index, facts))
        found += [_larger(choices, text_bytes(name)) for choices in sizes]
    return found


def _of_attribute(route: AnalyzedRoute, index: SchemaIndex, facts: AttributeFacts) -> list[Choices]:
    """Return the sizes of the parts of an attribute's value."""
    inferred = infer_from(route, facts)
    values = inferred.source
    texts = values.expressions if isinstance(values, Joined) else ()
    if isinstance(values, Evaluated):
        texts = (values.text,)
    if facts.attribute.type in ("B", "BS") or not all(
        step.can_keep_length for step in inferred.steps
    ):
        return []
    trees = filter(None, map(tree_of, texts))
    return [choices for tree in trees for choices in _of_tree(route, index, tree)]


def _of_tree(route: AnalyzedRoute, index: SchemaIndex, tree: Tree) -> Iterator[Choices]:
    """Yield the sizes of the parts of the value of an expression."""
    kind = tree["type"]
    names = path_of(tree)
    place = elements_of(tree) if names is None else names
    steps = None if place is None else route.scope.steps(place)
    if steps is not None:
        yield from _below(index, steps, route.fixed)
    elif kind in ("multi_select_dict", "multi_select_list", "key_val_pair"):
        for child in tree["children"]:
            yield from _of_tree(route, index, child)
    elif kind == "or_expression":
        yield _of_either(route, index, *tree["children"])


def _of_either(route: AnalyzedRoute, index: SchemaIndex, left: Tree, right: Tree) -> Choices:
    """Return the sizes of `left || right`, where the left is a path; the right counts only without
    the left.
    """
    one = next(_of_tree(route, index, left), [])
    steps = route.scope.path(left)
    other = [] if steps is None else next(_of_tree(route, index, right), [])
    no_left = {"not": there(steps or (), TRUTHY)}
    without = [
        Size(each.bytes, all_of([each.predicate, no_left]), all_of([each.shape, no_left]))
        for each in other
    ]
    return _sorted([*one, *without])


def _below(index: SchemaIndex, steps: Steps, fixed: int) -> Iterator[Choices]:
    """Yield the sizes of the value at a path; of an object those of each property, as they may
    exclude each other.

    Raises BudgetSpent.
    """
    waiting = [(steps, 0)]
    while waiting:
        place, outside = waiting.pop()
        # The cost of a step grows with the subschemas around it.
        index.budget.spend(1 + len(index.at(place[:-1])) // 100)
        names = () if len(place) > _MAX_DEPTH or EACH in place[fixed:] else index.names(place)
        waiting += [((*place, name), outside + text_bytes(name)) for name in reversed(names)]
        if not names:
            sizes = [_placed(index, place, fixed, size) for size in _sizes(index, place)]
            yield _sorted(_larger(sizes, outside))


def _placed(index: SchemaIndex, steps: Steps, fixed: int, size: Size) -> Size:
    """Return the size of all values at a path, with as many elements of lists as are allowed."""
    for end in range(len(steps), 0, -1):
        step = steps[end - 1]
        if step is not None:
            size = size.below(step)
        elif end <= fixed:
            size = size.as_element()
        else:
            size = size.listed(max(_bounds(index, steps[: end - 1], "maxItems"), default=1))
    return size


def _sizes(index: SchemaIndex, steps: Steps) -> Choices:
    """Return the sizes of the value at a path."""
    if len(steps) > _MAX_DEPTH:
        return []
    schemas = [each.content for each in index.at(steps)]
    index.budget.spend(len(schemas))
    found = []
    if not any(word in schema for schema in schemas for word in _LIMITING):
        found = [_text(most) for most in _bounds(index, steps, "maxLength")]
    counts = _bounds(index, steps, "maxItems")
    for element in _sizes(index, (*steps, EACH))[:1] if counts else []:
        found += [element.listed(most) for most in counts]
    inside: list[Size] = []
    for name in index.names(steps):
        largest = _larger(_sizes(index, (*steps, name))[:1], text_bytes(name) + 1)
        inside += [each.below(name) for each in largest]
    if inside:
        total = LIST_BYTES + sum(each.bytes for each in inside)
        predicate = all_of([each.predicate for each in inside])
        found.append(Size(total, predicate, all_of([each.shape for each in inside])))
    if any(schema.get("type") in ("number", "integer") for schema in schemas):
        found.append(Size(NUMBER_BYTES, {"enum": [_LONG_NUMBER]}, {"type": "number"}))
    return _sorted(found)


def _larger(choices: Choices, more: int) -> Choices:
    """Return sizes with more bytes beside each."""
    return [structs.replace(size, bytes=size.bytes + more) for size in choices]


def _text(most: int) -> Size:
    shape = {"type": "string", "minLength": 1}
    return Size(most * BYTES_OF_A_CHARACTER, {"type": "string", "minLength": most}, shape)


def _bounds(index: SchemaIndex, steps: Steps, keyword: str) -> list[int]:
    """Return the values of a keyword in the subschemas of a path."""
    values = [each.content.get(keyword) for each in index.at(steps)]
    return [value for value in values if type(value) is int]


def _list_of(element: Schema, count: int) -> Schema:
    return {"type": "array", "minItems": count, "items": element}


def _sorted(choices: Choices) -> Choices:
    return sorted(choices, key=lambda size: -size.bytes)


TOO_MANY_ELEMENTS = declare(
    "RT633",
    "a list of `for_each` that may have more than 10,000 elements",
    "A message with a longer list is rejected, although it satisfies the schema, so that its sender cannot know why.",
    "warning",
)
UNBOUNDED_LIST = declare(
    "RT634",
    "a list of `for_each` whose length the schema does not bound",
    "A message with more than 10,000 elements is rejected. Few schemas bound each list: `--strict` does not fail.",
    "info",
)
_NO_BOUND = 10**9


@rule(TOO_MANY_ELEMENTS, UNBOUNDED_LIST)
def check_lengths(subject: Subject) -> Iterator[Found]:
    """Report lists of `for_each` that may have more elements than one message can have."""
    for route in subject.routes:
        messages = route.messages.taken
        steps = route.scope.element and route.scope.element[:-1]
        if messages is None or not steps or EACH in steps or route.finds_few:
            continue
        placed = place_claim(route, "for_each")
        text = route.route.for_each
        advice = route.constrain(of_path(messages, steps), f"maxItems: {MAX_ELEMENTS}")
        if messages.holds_at(steps, at_most(_NO_BOUND)) is YES:
            yield placed.refuted(
                TOO_MANY_ELEMENTS,
                f"the list '{text}' may have more than {MAX_ELEMENTS} elements",
                advice,
            )
        else:
            yield placed.refuted(
                UNBOUNDED_LIST, f"the schema does not bound the length of the list '{text}'", advice
            )


UNBOUNDED_NUMBER = declare(
    "RT440",
    "a number that may become too long, because the schema does not bound it",
    "DynamoDB stores numbers of at most 38 digits, from 1E-130 to 9.99…E+125. A message is rejected of which `scale`, "
    "`round` or `sum()` makes another. Few schemas bound each number: `--strict` does not fail.",
    "info",
)


@rule(UNBOUNDED_NUMBER)
def check_numbers(subject: Subject) -> Iterator[Found]:
    """Report them where nothing else is in doubt, which this finding would hide."""
    for route in subject.routes:
        for name, attribute, facts in route.with_facts:
            doubts = mapping_doubts(route, name, attribute, facts)
            if doubts and all(doubt.endswith(TOO_LONG) for doubt in doubts):
                values = [*_numbers(route, attribute)]
                if all(_is_unbounded(route, value) for value in values):
                    yield _found(route, name, values[0])


def _found(route: AnalyzedRoute, name: str, value: Value) -> Found:
    what = f"'{text_of(value.origin)}'" if value.origin else "it"
    return place_claim(route, "mapping", name).refuted(
        UNBOUNDED_NUMBER,
        f"attribute '{name}' may be a number of over 38 digits, or out of range: "
        f"the schema does not bound {what}",
        route.constrain(value, "minimum, maximum and multipleOf"),
    )


def _is_unbounded(route: AnalyzedRoute, value: Value) -> bool:
    """Whether a value is a number of the message of which no most digits are proved."""
    if value.may_be("string") or not value.given:
        return False
    digits = digits_of(route.mapped, value)
    return digits is None or digits.decimals == inf


def _numbers(route: AnalyzedRoute, attribute: spec.Attribute) -> Iterator[Value]:
    """Yield the values of which the transforms of an attribute, or `sum()`, make numbers."""
    if attribute.transform:
        yield infer(route, attribute).steps[0].before
    for tree in filter(None, (tree_of(use.text) for use in route.uses(attribute))):
        for call in _calls(tree):
            numbers = route.value_of_tree(call["children"][0])
            yield of_path(route.mapped, numbers.elements)


def _calls(tree: Tree) -> Iterator[Tree]:
    """Yield the calls of `sum()` in an expression."""
    if tree["type"] == "function_expression" and tree["value"] == "sum":
        yield tree
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from _calls(child)
