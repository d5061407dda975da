"""Bounds the size of the items of a route."""

from collections.abc import Iterator, Mapping
from math import inf, prod

from msgspec import UNSET, UnsetType

from router.check.analysis.attributes import InferredAttribute, infer
from router.check.analysis.expressions import tree_of
from router.check.analysis.extents import BYTES_OF_A_CHARACTER, LIST_BYTES, NUMBER_BYTES, constant_bytes
from router.check.analysis.failures import TYPES_OF_ELEMENTS, holds, possible
from router.check.analysis.inference import ALL_TYPES, NO, YES, Value, of_path, of_tree, text_length
from router.check.analysis.predicates import Schema
from router.check.analysis.routes import AnalyzedRoute, is_set
from router.config import spec
from router.engine.attributes import MAX_ITEM_BYTES, MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES, text_bytes
from router.program.expressions import Tree
from router.program.expressions.functions import FUNCTIONS
from router.sources import Constant, Joined, expressions_of

_GROWTH_AS_TEXT = 9
"""The most bytes of JSON, or of a number as text, for each byte of the value in an item: a number has 20, or 170."""
_GROWTH: Mapping[str, int] = {
    **dict.fromkeys(("sort", "unique", "first", "last", "base64_decode", "strip", "truncate"), 1),
    "parse_json": _GROWTH_AS_TEXT,
}
"""The most bytes of the result of transforms for each byte of the value that they are given."""
_OF_SCALARS = ("join", "sort")
"""The transforms of lists that take scalars only."""
_SCALARS = ("string", "number", "boolean")
_TIMES = ("string", "number")
_NO_NUMBER: Schema = {"anyOf": [{"not": {"type": ["string", "number"]}}, {"type": "string", "pattern": "^[^-+.0-9]"}]}
"""Values that are no number, and no text that converts to one."""


def of_size(route: AnalyzedRoute) -> Iterator[str]:
    """Yield why the items of a route are not proved to be small enough for DynamoDB."""
    total: float = 0
    if not is_set(route.route.item):
        steps = route.scope.steps(("element",)) if route.scope.each else ()
        fixed = len(route.scope.element or ())
        total = inf if route.mapped is None or steps is None else route.mapped.most_bytes(steps, fixed)
        if total == inf:
            yield f"the {'element' if route.scope.each else 'message'} is not bounded"
            return
    if is_set(route.route.merge):
        yield "the size of what 'merge' finds is not bounded"
    for name, attribute in route.attributes.items():
        size = most_bytes(route, name, attribute)
        if size == inf:
            yield f"'{name}' is not bounded"
        else:
            total += text_bytes(name) + size
    if total > MAX_ITEM_BYTES:
        yield f"it may have {total:.0f} bytes, over the limit of {MAX_ITEM_BYTES}"


def most_bytes(route: AnalyzedRoute, name: str, attribute: spec.Attribute) -> float:
    """Return the most bytes of an attribute in an item; infinity if there is no bound.

    A key that is too long has a finding of its own.
    """
    if name not in route.sizes:
        keys = () if route.table is None else route.table.key
        limit = dict(zip(keys, (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES), strict=False)).get(name, inf)
        route.sizes[name] = min(limit, _most_bytes(route, name, attribute))
    return route.sizes[name]


def _most_bytes(route: AnalyzedRoute, name: str, attribute: spec.Attribute) -> float:
    inferred = infer(route, attribute)
    default = 0 if isinstance(attribute.default, UnsetType) else constant_bytes(attribute.default)
    steps = [step.name for step in inferred.steps]
    match inferred.source:
        case Constant(value) if not steps:
            return max(default, constant_bytes(value))
    size = _scalar_bytes(inferred.value)
    if size < inf:
        return max(default, size)
    match inferred.source:
        case Joined(literals, texts) if not steps and attribute.type in (UNSET, "S"):
            parts = [of_tree(route.mapped, route.scope, tree_of(text)) for text in texts]
            size = sum(map(text_bytes, literals)) + sum(_text_bytes(route, part) for part in parts)
    if size == inf and steps and _GROWTH.keys() >= {*steps}:
        size = prod(_GROWTH[name] for name in steps) * _bytes_of(route, inferred.steps[0].before)
    if size == inf:
        # Base64 is longer than what it encodes, and text not, if it was text.
        factor = _GROWTH_AS_TEXT if attribute.type in ("json", "S", "SS") else 1
        size = factor * _bytes_of(route, inferred.raw)
    return default if size > MAX_ITEM_BYTES and _is_refused(route, name, attribute, inferred) else max(default, size)


def _scalar_bytes(value: Value) -> float:
    """Return the most bytes of a value that is a text, number or boolean; infinity for others."""
    length = text_length(value)
    if possible(value, ("string", "number", "boolean")):
        return inf
    if value.can_be(["string"]) is NO:
        return NUMBER_BYTES
    return inf if length is None else max(length * BYTES_OF_A_CHARACTER, NUMBER_BYTES)


def _text_bytes(route: AnalyzedRoute, value: Value) -> float:
    """Return the most bytes of a value as text; infinity if there is no bound."""
    length = text_length(value)
    return _GROWTH_AS_TEXT * _bytes_of(route, value) if length is None else length * BYTES_OF_A_CHARACTER


def _bytes_of(route: AnalyzedRoute, value: Value) -> float:
    """Return the most bytes of a value that is taken from the message, or of a list of its values."""
    messages, steps = route.mapped, value.origin or value.elements
    if messages is not None and value.one_of is not None:
        return messages.most_bytes(value.one_of, len(value.one_of))
    if messages is None or steps is None:
        return inf
    if value.origin is None and messages.absent(steps) is YES:
        return LIST_BYTES  # a projection leaves out what is null
    return messages.most_bytes(steps, len(route.scope.element or ()))


def _is_refused(route: AnalyzedRoute, name: str, attribute: spec.Attribute, inferred: InferredAttribute) -> bool:
    """Whether it is proved that no value of a message is stored: each is missing, or a part of the mapping refuses it.

    A set of no elements counts as missing.
    """
    for use in expressions_of(attribute):
        tree = tree_of(use.text)
        value = of_tree(route.mapped, route.scope, tree)
        taken = {"scalar": _SCALARS, "time": _TIMES}.get(use.takes, ALL_TYPES)
        if (tree is not None and _fails(route, tree)) or not set(taken).intersection(possible(value)):
            return True
    if name in route.route.write.add and not {"number", "set"}.intersection(possible(inferred.value)):
        return True
    stages = [(step.before, step.takes) for step in inferred.steps] + [(inferred.raw, inferred.accepts)]
    if any(takes is not None and not set(takes).intersection(possible(value)) for value, takes in stages):
        return True
    sets = [kinds for kind, kinds in TYPES_OF_ELEMENTS.items() if kind == attribute.type]
    lists: list[tuple[Value, tuple[str, ...]]] = [(inferred.raw, kinds) for kinds in sets]
    lists += [(step.before, _SCALARS) for step in inferred.steps if step.name in _OF_SCALARS]
    for listed, kinds in lists:
        element = of_path(route.mapped, listed.elements)
        if "set" not in possible(listed) and not set(kinds).intersection(possible(element)):
            return True
    return attribute.type == "NS" and holds(route.mapped, of_path(route.mapped, inferred.raw.elements), _NO_NUMBER)


def _fails(route: AnalyzedRoute, tree: Tree) -> bool:
    """Whether an expression is a call of a function that takes no value that its argument can be."""
    function = FUNCTIONS.get(tree["value"]) if tree["type"] == "function_expression" else None
    if function is None or not function.takes[0] or tree["children"][0]["type"] == "expref":
        return False
    taken = {each.partition("-")[0] for each in function.takes[0]}
    value = of_tree(route.mapped, route.scope, tree["children"][0])
    return "null" not in taken and not taken.intersection(possible(value))
