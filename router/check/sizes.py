"""Finds items that can be larger than DynamoDB takes, where the schema bounds what they are made of."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, structs

from router.check.entailment import Answer, Facts
from router.check.expressions import elements_of, path_of, tree_of
from router.check.flows import Flow, is_set
from router.check.predicates import EACH, TRUTHY, Schema, Steps, all_of, there
from router.check.rule import Found, Subject
from router.check.schema_index import Declared
from router.config import spec
from router.engine.attributes import MAX_DIGITS, MAX_ITEM_BYTES, text_bytes
from router.model import Code, Path
from router.modes import MODES
from router.program.expressions.tree import Tree
from router.sources import Evaluated, Joined, values_of

ITEM_TOO_LARGE = Code(
    "RT615",
    "an item that can be larger than 400 KB",
    "DynamoDB takes no larger item. A message may have 1 MiB, so that one can pass its schema and still be rejected.",
    "warning",
)

_LIMITING = ("pattern", "format", "const", "enum", "contentEncoding", "contentMediaType")
"""What can keep a text from being as long as it may be, or of characters of four bytes."""
_KEPT = ("lower", "upper", "strip")
"""Transforms that leave a text as long as it is, or can."""
_DEEPEST = 12
_MOST_CHOICES = 4
_MOST_PARTS = 24
"""Parts of an item that are reasoned with, the largest first."""
_BYTES_OF_A_CHARACTER = 4
_LONG_NUMBER = 10**MAX_DIGITS - 1
_NUMBER = (MAX_DIGITS + 1) // 2 + 1
_OVERHEAD = 3


class Size(Struct, frozen=True):
    """A number of bytes, and what a message claims that has at least as many at some place.

    `shape` claims the same of the least that there can be: the library finds short texts and lists, and tells of long
    ones only that there are none.
    """

    bytes: int
    claim: Schema
    shape: Schema


Choices = list[Size]
"""How large one thing can be, the largest first: of several branches of a schema not each may be possible."""


def check_sizes(subject: Subject) -> Iterator[Found]:
    """Find routes whose items can pass the limit: there is a message that shows it."""
    for flow in subject.flows:
        if flow.mapped is None or flow.declared is None or MODES[flow.route.write.mode].stores == "nothing":
            continue
        size = _possible(flow.mapped, _parts(flow, flow.declared))
        if size > MAX_ITEM_BYTES:
            path: Path = (*flow.path, "item") if is_set(flow.route.item) else (*flow.path, "schema")
            sentence = f"an item can have {size} bytes by the schema, and DynamoDB takes {MAX_ITEM_BYTES}"
            yield Found(ITEM_TOO_LARGE, sentence, path, "lower 'maxLength' or 'maxItems', or map less", key=True)


def _possible(facts: Facts, parts: list[Choices]) -> int:
    """The bytes of parts that one message can have all together; 0 if they are under the limit in any case."""
    parts = sorted(filter(None, parts), key=lambda choices: -choices[0].bytes)[:_MOST_PARTS]
    if sum(choices[0].bytes for choices in parts) <= MAX_ITEM_BYTES:
        return 0
    total = 0
    taken: list[Size] = []
    for choices in parts:
        for choice in choices[:_MOST_CHOICES]:
            both = [*taken, choice]
            shapes, claims = [each.shape for each in both], [each.claim for each in both]
            if facts.allow(all_of(shapes)) is Answer.YES and facts.allow(all_of(claims)) is not Answer.NO:
                total, taken = total + choice.bytes, both
                break
    return total


def _parts(flow: Flow, declared: Declared) -> list[Choices]:
    if not is_set(flow.route.item):
        whole = flow.scope.steps(("element",) if flow.scope.each else ())
        return [] if whole is None else list(_below(declared, whole, _fixed(flow)))
    return [
        part for name, attribute in flow.attributes.items() for part in _of_attribute(flow, declared, name, attribute)
    ]


def _of_attribute(flow: Flow, declared: Declared, name: str, attribute: spec.Attribute) -> Iterator[Choices]:
    transforms = [attribute.transform] if isinstance(attribute.transform, str) else attribute.transform
    values = values_of(attribute)
    texts = (
        (values.text,) if isinstance(values, Evaluated) else values.expressions if isinstance(values, Joined) else ()
    )
    if attribute.type in ("B", "BS") or any(each not in _KEPT for each in transforms):
        return
    for text in texts:
        tree = tree_of(text)
        for choices in () if tree is None else _of_tree(flow, declared, tree):
            yield [structs.replace(choice, bytes=choice.bytes + text_bytes(name)) for choice in choices]


def _of_tree(flow: Flow, declared: Declared, tree: Tree) -> Iterator[Choices]:
    """What an expression gives, in parts."""
    kind = tree["type"]
    names = path_of(tree)
    place = elements_of(tree) if names is None else names
    steps = None if place is None else flow.scope.steps(place)
    if steps is not None:
        yield from _below(declared, steps, _fixed(flow))
    elif kind in ("multi_select_dict", "multi_select_list", "key_val_pair"):
        for child in tree["children"]:
            yield from _of_tree(flow, declared, child)
    elif kind == "or_expression":
        yield _of_either(flow, declared, *tree["children"])


def _of_either(flow: Flow, declared: Declared, left: Tree, right: Tree) -> Choices:
    """Of `left || right`, where the left is a path, the larger one; the right only counts without the left."""
    one = next(_of_tree(flow, declared, left), [])
    names = path_of(left)
    steps = None if names is None else flow.scope.steps(names)
    other = [] if steps is None else next(_of_tree(flow, declared, right), [])
    no_left = {"not": there(steps or (), TRUTHY)}
    without = [Size(each.bytes, all_of([each.claim, no_left]), all_of([each.shape, no_left])) for each in other]
    return _sorted([*one, *without])


def _fixed(flow: Flow) -> int:
    """How many steps lead to what is one thing for an item: the message, or with `for_each` an element."""
    return len(flow.scope.element or ())


def _below(declared: Declared, steps: Steps, fixed: int) -> Iterator[Choices]:
    """How large what is at a path can be: of an object each property by itself, as they may exclude each other."""
    names = [] if len(steps) > _DEEPEST or EACH in steps[fixed:] else declared.names(steps)
    for name in names:
        for choices in _below(declared, (*steps, name), fixed):
            yield [structs.replace(choice, bytes=choice.bytes + text_bytes(name)) for choice in choices]
    if not names:
        yield _sorted([_placed(declared, steps, fixed, size) for size in _sizes(declared, steps)])


def _placed(declared: Declared, steps: Steps, fixed: int, size: Size) -> Size:
    """The size of all there is at a path, in as many elements of lists as there may be."""
    bytes_, claim, shape = size.bytes, size.claim, size.shape
    for end in range(len(steps), 0, -1):
        step = steps[end - 1]
        if step is None:
            count = 1 if end <= fixed else max(_said(declared, steps[: end - 1], "maxItems"), default=1)
            bytes_ = bytes_ if end <= fixed else _OVERHEAD + count * (bytes_ + 1)
            claim, shape = _list_of(claim, count), _list_of(shape, 1)
        else:
            claim, shape = there((step,), claim), there((step,), shape)
    return Size(bytes_, claim, shape)


def _sizes(declared: Declared, steps: Steps) -> Choices:
    """The sizes of what is at a path, by itself."""
    if len(steps) > _DEEPEST:
        return []
    schemas = [place.schema for place in declared.places(steps)]
    found = []
    if not any(word in schema for schema in schemas for word in _LIMITING):
        found = [_text(most) for most in _said(declared, steps, "maxLength")]
    counts = _said(declared, steps, "maxItems")
    for element in _sizes(declared, (*steps, EACH))[:1] if counts else []:
        found += [
            Size(_OVERHEAD + most * (element.bytes + 1), _list_of(element.claim, most), _list_of(element.shape, 1))
            for most in counts
        ]
    inside = {name: sizes[0] for name in declared.names(steps) if (sizes := _sizes(declared, (*steps, name)))}
    if inside:
        total = sum(text_bytes(name) + 1 + size.bytes for name, size in inside.items())
        claims, shapes = ([there((name,), part(size)) for name, size in inside.items()] for part in (_claim, _shape))
        found.append(Size(_OVERHEAD + total, all_of(claims), all_of(shapes)))
    if any(schema.get("type") in ("number", "integer") for schema in schemas):
        found.append(Size(_NUMBER, {"enum": [_LONG_NUMBER]}, {"type": "number"}))
    return _sorted(found)


def _text(most: int) -> Size:
    shape = {"type": "string", "minLength": 1}
    return Size(most * _BYTES_OF_A_CHARACTER, {"type": "string", "minLength": most}, shape)


def _claim(size: Size) -> Schema:
    return size.claim


def _shape(size: Size) -> Schema:
    return size.shape


def _said(declared: Declared, steps: Steps, keyword: str) -> list[int]:
    """The bounds that schemas of a path have."""
    values: list[Any] = [place.schema.get(keyword) for place in declared.places(steps)]
    return [value for value in values if type(value) is int]


def _list_of(claim: Schema, count: int) -> Schema:
    return {"type": "array", "minItems": count, "items": claim}


def _sorted(choices: Choices) -> Choices:
    return sorted(choices, key=lambda size: -size.bytes)
