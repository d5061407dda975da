"""Bounds the size of the items of a route."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial, reduce
from itertools import chain
from math import inf
from typing import Any

from msgspec import UNSET, structs

from router.prover.conditions import translate
from router.prover.expressions import BY_KEY, OF_FIRST_CHILD, Scope, valid_tree_of
from router.prover.inference import ALL_TYPES, MOST_DIGITS, Value, of_path, of_tree, text_length
from router.prover.predicates import EACH, TRUTHY, Schema
from router.prover.schema_prover import NO, YES
from router.prover.size_bounds import BYTES_OF_A_CHARACTER, LIST_BYTES, NUMBER_BYTES, constant_bytes
from router.runtime.config import spec
from router.runtime.engine.attributes import (
    MAX_ITEM_BYTES,
    text_bytes,
)
from router.runtime.program.expressions import Tree, path_of
from router.runtime.program.expressions.functions import FUNCTIONS, Types
from router.runtime.sources import SCALARS, Constant, Evaluated, Joined
from router.runtime.transforms.transform import (
    GROWTH_AS_TEXT,
    ListsOf,
    MapEntry,
    Transform,
    bytes_as_text,
)
from router.tools.check.analysis.attributes import InferredAttribute, infer
from router.tools.check.analysis.failures import TYPES_OF_ELEMENTS, map_attribute
from router.tools.check.analysis.proof_cache import AttributeFacts
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.text_formats import TEXT_FORMATS, is_never_accepted
from router.tools.check.analysis.transforms import arguments_of
from router.tools.check.analysis.values import holds, key_limits, kinds_of, possible

# The most bytes of the result of functions of JMESPath, of those of their arguments.
_GROWTH_OF_CALLS: Mapping[str, Callable[..., float]] = {
    "to_string": bytes_as_text,
    **dict.fromkeys(
        ("keys", "values", "reverse", "sort", "sort_by", "max", "min", "max_by", "min_by"),
        lambda value: value,
    ),
    "to_array": lambda value: LIST_BYTES + 1 + value,
    "not_null": lambda *values: max(values),
    "join": lambda separator, value: (GROWTH_AS_TEXT + separator) * value,
}
# Expressions whose value is a part of their input.
_PARTS = ("current", "field", "identity", "index", "slice")
# Expressions whose value has parts of that of the first expression in them.
_OF_PARTS = OF_FIRST_CHILD | {"flatten"}
# How many of the expressions in one are always evaluated with its input; None for all.
_ALWAYS: Mapping[str, int | None] = {
    **dict.fromkeys(_OF_PARTS, 1),
    **dict.fromkeys(("and_expression", "or_expression", "not_expression"), 1),
    **dict.fromkeys(("function_expression", "multi_select_list", "multi_select_dict"), None),
    **dict.fromkeys(("key_val_pair", "comparator"), None),
}
# The work doubles with each expression in another one that is evaluated for each element.
_MOST_NESTED = 5
_NOT_TRUE: Schema = {"not": TRUTHY}
# Values that are no number, and no text that converts to one.
_NO_NUMBER: Schema = {
    "anyOf": [{"not": {"type": ["string", "number"]}}, {"type": "string", "pattern": "^[^-+.0-9]"}]
}


def of_size(route: AnalyzedRoute) -> Iterator[str]:
    """Yield why the items of a route are not proved to be small enough for DynamoDB."""
    total: float = 0
    if route.is_whole:
        total = inf
        if route.mapped is not None and route.input is not None:
            total = route.mapped.most_bytes(route.input, route.fixed)
        if total == inf:
            yield f"the {'element' if route.scope.each else 'message'} is not bounded"
            return
    merge = route.route.merge
    if merge is not None:
        found = map_attribute(merge)
        is_object = infer(route, found).value.may_be("object")
        size = _most_bytes(route, "", found) if is_object else 0
        if size == inf:
            yield "the size of what 'merge' finds is not bounded"
        else:
            total += size + text_bytes(merge.prefix) * merge.max
    for name, _, facts in route.with_facts:
        size = most_bytes(route, name, facts)
        if size == inf:
            yield f"'{name}' is not bounded"
        else:
            total += text_bytes(name) + size
    if total > MAX_ITEM_BYTES:
        yield f"it may have {total:.0f} bytes, over the limit of {MAX_ITEM_BYTES}"


def most_bytes(route: AnalyzedRoute, name: str, facts: AttributeFacts) -> float:
    """Return the most bytes of an attribute in an item; infinity if there is no bound.

    A key that is too long has a finding of its own.
    """
    added = name in route.route.write.add
    size = facts.once(("bytes", added), lambda: _most_bytes(route, name, facts.attribute))
    if route.table is None or name not in route.table.key:
        return size
    return min(key_limits(route.table.key)[name], size)


def _most_bytes(route: AnalyzedRoute, name: str, attribute: spec.Attribute) -> float:
    inferred = infer(route, attribute)
    default = 0 if attribute.default is UNSET else constant_bytes(attribute.default)
    size = _scalar_bytes(inferred.value)
    if size == inf:
        size = _source_bytes(route, inferred)
        for step in inferred.steps:
            size = min(size, _value_bytes(route, step.before, step.takes))
            size = _grown(step.transform, size, step.argument)
        size = _converted(
            route,
            inferred,
            attribute.type,
            min(size, _value_bytes(route, inferred.raw, inferred.accepts)),
        )
    if size > MAX_ITEM_BYTES and _is_refused(route, name, attribute, inferred):
        return default
    return max(default, size)


def _source_bytes(route: AnalyzedRoute, inferred: InferredAttribute) -> float:
    """Return the most bytes of what the source of an attribute returns."""
    match inferred.source:
        case Constant(value):
            return constant_bytes(value)
        case Joined(literals, texts):
            parts = [_text_bytes(route, text) for text in texts]
            return sum(map(text_bytes, literals)) + sum(parts)
        case Evaluated(text):
            return _tree_bytes(route, valid_tree_of(text))
    return inf


def _grown(transform: Transform | None, size: float, argument: Any) -> float:
    """Return the most bytes of the result of a transform.

    Infinity if there is no bound, or it is a plugin's.
    """
    if transform is None:
        return inf
    arguments = arguments_of(transform, argument)
    if arguments is None:
        return 0  # it refuses every value
    if isinstance(transform.result, MapEntry):
        entries = arguments[transform.result.entries].values()
        return max(map(constant_bytes, (*entries, arguments.get(transform.result.default))))
    return inf if transform.most_bytes is None else transform.most_bytes(size, arguments)


def _converted(
    route: AnalyzedRoute, inferred: InferredAttribute, kind: str | None, size: float
) -> float:
    """Return the most bytes of a value, which has at most `size`, converted to a `type`."""
    if kind == "NS" and inferred.raw.origin is not None and route.few is not None:
        size = min(
            size, LIST_BYTES + (NUMBER_BYTES + 1) * route.few.most_items(inferred.raw.origin)
        )
    if kind in ("json", "SS"):
        return bytes_as_text(size)
    # Other texts are of numbers, or become no longer: Base64 is longer than what it encodes.
    return max(size, MOST_DIGITS) if kind == "S" else size


def _tree_bytes(route: AnalyzedRoute, tree: Tree) -> float:
    """Return the most bytes of the value of an expression.

    Infinity if there is no bound, or none is known.
    """
    size = _value_bytes(route, route.value_of_tree(tree))
    if size < inf:
        return size
    if _finds_none(route, tree) or _has_no_keys(route, tree):
        return LIST_BYTES
    return _node_bytes(tree, partial(_tree_bytes, route))


def _node_bytes(tree: Tree, bytes_of: Callable[[Tree], float], depth: int = 0) -> float:
    """Return the most bytes of the value of an expression, of those of its parts.

    `depth` is how many expressions are around it that are evaluated for each element of a list.
    """
    children = tree["children"]
    size = inf
    match tree["type"]:
        case "function_expression" if tree["value"] in _GROWTH_OF_CALLS:
            given = [bytes_of(child) for child in children if child["type"] != "expref"]
            size = inf if inf in given else _GROWTH_OF_CALLS[tree["value"]](*given)
        case "function_expression" if tree["value"] == "map":
            listed = bytes_of(children[1])
            # For an element without a value the list has null, which takes a byte.
            size = listed + _bytes_of_each(children[0]["children"][0], listed, depth)
        case "literal":
            size = constant_bytes(tree["value"])
        case "or_expression":
            size = max(map(bytes_of, children))
        case "and_expression":
            # The left one is the value where it is not true, and then it is small.
            size = max(LIST_BYTES, bytes_of(children[1]))
        case "multi_select_list" | "multi_select_dict":
            size = LIST_BYTES + sum(1 + bytes_of(child) for child in children)
        case "key_val_pair":
            size = text_bytes(tree["value"]) + bytes_of(children[0])
        case "flatten" | "index_expression":
            size = bytes_of(children[0])
        case "pipe" | "subexpression":
            of_input = partial(_bytes_of_input, depth=depth)
            size = reduce(of_input, children[1:], bytes_of(children[0]))
        case "projection" | "filter_projection" | "value_projection":
            size = _bytes_of_each(children[1], bytes_of(children[0]), depth)
    return size


def _bytes_of_input(size: float, tree: Tree, depth: int) -> float:
    """Return the most bytes of the value of an expression whose input has at most `size`."""
    if _is_part(tree):
        return size
    scalar = _scalar_bytes(of_tree(None, Scope(), tree))
    of_child = partial(_bytes_of_input, size, depth=depth)
    return scalar if scalar < inf else _node_bytes(tree, of_child, depth)


def _bytes_of_each(tree: Tree, size: float, depth: int) -> float:
    """Return the most bytes of a list of the values of an expression, of the elements of a list that
    has at most `size`.

    What an expression makes grows at least as fast as its input, but for what it has of no input:
    the elements together have no more than the list, and it has no more elements than bytes.
    """
    if size == inf or _is_part(tree):
        return size
    of_none = inf if depth == _MOST_NESTED else _bytes_of_input(0, tree, depth + 1)
    if of_none == inf:
        return inf
    return LIST_BYTES + _bytes_of_input(size, tree, depth + 1) + size * (1 + of_none)


def _is_part(tree: Tree) -> bool:
    """Whether the value of an expression is a part of its input, or a list of several."""
    kind = tree["type"]
    children = tree["children"][:2] if kind == "filter_projection" else tree["children"]
    return kind in _PARTS or (kind in _OF_PARTS and all(map(_is_part, children)))


def _finds_none(route: AnalyzedRoute, tree: Tree) -> bool:
    """Whether an expression is a filter that is proved to find no element of a list."""
    if tree["type"] != "filter_projection":
        return False
    listed, _, condition = tree["children"]
    steps = route.scope.path(listed)
    if route.mapped is None or steps is None:
        return False
    true = translate(condition, wanted=True).predicate
    return route.mapped.proves_at((*steps, EACH), {"not": true})


def _has_no_keys(route: AnalyzedRoute, tree: Tree) -> bool:
    """Whether an expression is a call of a function that compares elements by a key that none has: it
    takes only lists that are empty.
    """
    if tree["type"] != "function_expression" or tree["value"] not in BY_KEY:
        return False
    listed, key = tree["children"]
    steps = route.scope.path(listed)
    names = path_of(key["children"][0]) if key["type"] == "expref" else None
    if route.mapped is None or steps is None or names is None:
        return False
    return route.mapped.absent((*steps, EACH, *names)) is YES


def _scalar_bytes(value: Value) -> float:
    """Return the most bytes of a value that is a text, number or boolean; infinity for others."""
    length = text_length(value)
    if possible(value, ("string", "number", "boolean")):
        return inf
    if not value.may_be("string"):
        return NUMBER_BYTES
    return inf if length is None else max(length * BYTES_OF_A_CHARACTER, NUMBER_BYTES)


def _value_bytes(route: AnalyzedRoute, value: Value, takes: Collection[str] | None = None) -> float:
    """Return the most bytes of a value of one of the types that what it is given to takes.

    Infinity if unknown.
    """
    if takes is not None:
        value = structs.replace(
            value, types={kind: can for kind, can in value.types.items() if kind in takes}
        )
    size = _scalar_bytes(value)
    return _bytes_of(route, value) if size == inf else size


def _text_bytes(route: AnalyzedRoute, text: str) -> float:
    """Return the most bytes of the value of an expression as text.

    Infinity if there is no bound.
    """
    tree = valid_tree_of(text)
    value = route.value_of_tree(tree)
    size = min(_value_bytes(route, value, SCALARS), _tree_bytes(route, tree))
    # Text stays as it is.
    if value.given or not value.may_be("number"):
        return max(size, MOST_DIGITS)
    return bytes_as_text(size)


def _bytes_of(route: AnalyzedRoute, value: Value) -> float:
    """Return the most bytes of a value that is taken from the message, or of a list of its values."""
    messages = route.mapped
    steps = value.elements if value.origin is None else value.origin
    if messages is not None and value.one_of is not None:
        return messages.most_bytes(value.one_of, len(value.one_of))
    if messages is None or steps is None:
        return inf
    if value.origin is None and messages.absent(steps) is YES:
        return LIST_BYTES  # a projection leaves out what is null
    kinds = ALL_TYPES if value.origin is None else possible(value)
    size = messages.most_bytes(steps, route.fixed, kinds)
    if size > MAX_ITEM_BYTES and route.few is not None and route.few is not messages:
        size = route.few.most_bytes(steps, route.fixed, kinds)
    if size == inf and route.route.when is not None and holds(messages, value, _NOT_TRUE):
        return LIST_BYTES
    return size


def _is_refused(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, inferred: InferredAttribute
) -> bool:
    """Whether it is proved that no value of a message is stored: each is missing, or a part of the
    mapping refuses it.

    A set of no elements counts as missing.
    """
    # Of an empty list the result is small, where nothing is made of it.
    is_whole = isinstance(inferred.source, Evaluated) and not inferred.steps
    trees = (valid_tree_of(use.text) for use in route.uses(attribute))
    if any(_fails(route, tree, or_empty=is_whole) for tree in trees):
        return True
    for value, takes in _values_taken(route, name, attribute, inferred):
        if takes is not None and not set(takes).intersection(possible(value)):
            return True
    forms = [(step.before, step.form) for step in inferred.steps]
    forms.append((inferred.raw, TEXT_FORMATS.get(str(attribute.type))))
    if any(form is not None and is_never_accepted(route, value, form) for value, form in forms):
        return True
    lists: list[tuple[Value, tuple[str, ...]]] = []
    if attribute.type in TYPES_OF_ELEMENTS:
        lists.append((inferred.raw, TYPES_OF_ELEMENTS[attribute.type]))
    for step in inferred.steps:
        accepts = step.accepts
        if isinstance(accepts, ListsOf):
            lists.append((step.before, tuple(chain.from_iterable(accepts.groups))))
    for listed, kinds in lists:
        element = of_path(route.mapped, listed.elements)
        if "set" not in possible(listed) and not set(kinds).intersection(possible(element)):
            return True
    element = of_path(route.mapped, inferred.raw.elements)
    return attribute.type == "NS" and holds(route.mapped, element, _NO_NUMBER)


def _values_taken(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, inferred: InferredAttribute
) -> Iterator[tuple[Value, Collection[str] | None]]:
    """Yield the values of each part of a mapping, with the types that it takes.

    None if it may take any.
    """
    for use in route.uses(attribute):
        yield route.value_of(use.text), use.takes or ALL_TYPES
    for step in inferred.steps:
        yield step.before, step.takes
    yield inferred.raw, inferred.accepts
    if name in route.route.write.add:
        yield inferred.value, ("number", "set")


def _fails(route: AnalyzedRoute, tree: Tree, *, or_empty: bool) -> bool:
    """Whether the evaluation of an expression always calls a function that takes no value that its
    argument can be. If `or_empty`, it may take an empty list, of which the result is small.
    """
    always = tree["children"][: _ALWAYS.get(tree["type"], 0)]
    if any(child["type"] != "expref" and _fails(route, child, or_empty=False) for child in always):
        return True
    if tree["type"] != "function_expression":
        return False
    arguments = zip(FUNCTIONS[tree["value"]].takes, tree["children"], strict=False)
    return any(
        _is_never_taken(route, types, each, or_empty=or_empty) for types, each in arguments if types
    )


def _is_never_taken(route: AnalyzedRoute, types: Types, argument: Tree, *, or_empty: bool) -> bool:
    """Whether an argument of a function is of none of the types that it takes, or an empty list."""
    if argument["type"] == "expref":
        return False
    kinds, elements = kinds_of(types)
    taken = set(kinds)
    value = route.value_of_tree(argument)
    may_be_empty = not or_empty and value.no_elements is not NO
    element = of_path(route.mapped, value.elements)
    if elements and not may_be_empty and not set(elements).intersection(possible(element)):
        taken.remove("array")
    return "null" not in taken and not taken.intersection(possible(value))
