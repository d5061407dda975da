"""Makes inputs of an expression whose value has a given part, as far as its form shows them."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import chain, islice, product
from typing import Any

from router.prover.expressions import BY_KEY, Scope
from router.prover.predicates import EACH, Steps
from router.prover.value_generation import MISSING
from router.runtime.program.expressions import Tree, path_of

# That of a property whose name does not matter.
_NAME = "added"
_TRUE = "x"
# The most inputs that are made of a part of an expression: their number would multiply.
_WAYS = 6
# What is added to a number so that a comparison with it is true.
_BEYOND = {"gt": 1, "gte": 0, "lt": -1, "lte": 0, "ne": 1}
# Functions whose value is that of their first argument, or has it in it.
_OF_FIRST = ("to_string", "reverse", "not_null", "to_array")
_OF_ELEMENTS = ("sort", "max", "min", "reverse")


def inputs_with(tree: Tree, part: Any) -> Iterator[Any]:
    """Yield inputs of an expression whose value is a part, or probably has it somewhere in it."""
    names = () if tree["type"] == "identity" else path_of(tree)
    if names is not None:
        yield _nested(names, part)
        return
    make = _NODES.get(tree["type"])
    if make is not None:
        yield from make(tree, part)


def parts_with(tree: Tree, scope: Scope, text: str) -> Iterator[tuple[Steps, Any]]:
    """Yield parts of messages of which an expression makes a value that has a text in it.

    Each is with the path of the text, or of what has it as a property with a name of its own.
    """
    inputs = (islice(inputs_with(tree, each), _WAYS) for each in (text, {_NAME: text}))
    for made in chain.from_iterable(inputs):
        part = _in_message(scope, made)
        steps = _place_of(text, part) or ()
        yield steps[:-1] if steps[-1:] == (_NAME,) else steps, part


def _in_message(scope: Scope, made: Any) -> Any:
    """Return what a message has, of what the input of a mapping has."""
    if not scope.each or not isinstance(made, dict):
        return made
    whole = made.get("message", {})
    if "element" not in made or scope.element is None:
        return whole
    return merged(_nested(scope.element, made["element"]), whole)


def _nested(steps: Steps, value: Any) -> Any:
    """Return what has a value at a path, and nothing else."""
    for step in reversed(steps):
        value = [value] if step is EACH else {step: value}
    return value


def merged(one: Any, other: Any) -> Any:
    """Return a value with the parts of both; those of the other where both have one.

    The other's only element of a list is a part of the first.
    """
    match one, other:
        case {}, {}:
            return {**one, **{name: merged(one.get(name), each) for name, each in other.items()}}
        case [first, *rest], [element]:
            return [merged(first, element), *rest]
    return other


def _place_of(part: Any, within: Any) -> Steps | None:
    """Return the path of a part of a value that `inputs_with` made; None if it has none."""
    if within is part:
        return ()
    inside: Mapping[str | None, Any] = {}
    if isinstance(within, dict):
        inside = within
    elif isinstance(within, list):
        inside = {EACH: within[0]} if within else {}
    for step, each in inside.items():
        below = _place_of(part, each)
        if below is not None:
            return (step, *below)
    return None


def _element(part: Any) -> Any:
    """Return the element of a list of one, or the part itself."""
    return part[0] if isinstance(part, list) and part else part


def _as_object(part: Any) -> Any:
    return part if isinstance(part, dict) else {_NAME: part}


def _both(left: Iterator[Any], right: Iterator[Any]) -> Iterator[Any]:
    """Yield inputs that are those of two expressions."""
    for one, other in product([*islice(left, _WAYS)], [*islice(right, _WAYS)]):
        if one is MISSING or other is MISSING:
            yield other if one is MISSING else one
        else:
            yield merged(one, other)


def _of_first_child(tree: Tree, part: Any) -> Iterator[Any]:
    return inputs_with(tree["children"][0], part)


def _of_children(tree: Tree, part: Any) -> Iterator[Any]:
    for child in tree["children"]:
        yield from inputs_with(child, part)


def _of_chain(tree: Tree, part: Any) -> Iterator[Any]:
    """Yield those of `a | b` and `a.b`: the value of each is the input of the next."""
    found = [part]
    for child in reversed(tree["children"]):
        made = (inner for each in found for inner in inputs_with(child, each))
        found = [*islice(made, _WAYS)]
    return iter(found)


def _of_index(tree: Tree, part: Any) -> Iterator[Any]:
    listed, index = tree["children"]
    found = [part] if index["type"] == "index" else [_element(part)]
    return inputs_with(listed, found)


def _of_projection(tree: Tree, part: Any) -> Iterator[Any]:
    listed, each = tree["children"]
    for element in inputs_with(each, _element(part)):
        yield from inputs_with(listed, [element])


def _of_values(tree: Tree, part: Any) -> Iterator[Any]:
    mapped, each = tree["children"]
    for value in inputs_with(each, _element(part)):
        yield from inputs_with(mapped, {_NAME: value})


def _of_filter(tree: Tree, part: Any) -> Iterator[Any]:
    listed, each, condition = tree["children"]
    element = _element(part)
    for inner in (element, _as_object(element)):
        for found in _both(_true(condition), inputs_with(each, inner)):
            yield from inputs_with(listed, [found])


def _of_and(tree: Tree, part: Any) -> Iterator[Any]:
    left, right = tree["children"]
    return _both(_true(left), inputs_with(right, part))


def _of_call(tree: Tree, part: Any) -> Iterator[Any]:
    name = tree["value"]
    first = tree["children"][0]
    last = tree["children"][-1]
    if name in _OF_FIRST:
        yield from inputs_with(first, part)
    if name in _OF_ELEMENTS:
        yield from inputs_with(first, [_element(part)])
    elif name in BY_KEY:
        for key in inputs_with(last["children"][0], 1):
            yield from inputs_with(first, [merged(key, _as_object(_element(part)))])
    elif name == "join":
        yield from inputs_with(last, [part])
    elif name == "map":
        for element in inputs_with(first["children"][0], _element(part)):
            yield from inputs_with(last, [element])
    elif name == "values":
        yield from inputs_with(first, {_NAME: _element(part)})
    elif name == "keys" and isinstance(_element(part), str):
        yield from inputs_with(first, {_element(part): 1})
    elif name == "merge":
        for child in tree["children"]:
            yield from inputs_with(child, _as_object(part))


def _true(tree: Tree) -> Iterator[Any]:
    """Yield inputs of which a condition is true; MISSING if any may be one."""
    kind = tree["type"]
    if path_of(tree):
        yield from inputs_with(tree, _TRUE)
        yield from inputs_with(tree, [_TRUE])
    elif kind == "and_expression":
        left, right = tree["children"]
        yield from _both(_true(left), _true(right))
    elif kind == "or_expression":
        for child in tree["children"]:
            yield from _true(child)
    elif kind == "comparator":
        yield from _compared(tree)
    else:
        yield MISSING


def _compared(tree: Tree) -> Iterator[Any]:
    left, right = tree["children"]
    value = right["value"] if right["type"] == "literal" else None
    if isinstance(value, int | Decimal) and tree["value"] in _BEYOND:
        yield from inputs_with(left, value + _BEYOND[tree["value"]])
    elif value is not None and tree["value"] == "eq":
        yield from inputs_with(left, value)
    else:
        yield MISSING


_NODES: Mapping[str, Callable[[Tree, Any], Iterator[Any]]] = {
    "function_expression": _of_call,
    "pipe": _of_chain,
    "subexpression": _of_chain,
    "index_expression": _of_index,
    "projection": _of_projection,
    "value_projection": _of_values,
    "filter_projection": _of_filter,
    "flatten": _of_first_child,
    "key_val_pair": _of_first_child,
    "or_expression": _of_children,
    "multi_select_list": _of_children,
    "multi_select_dict": _of_children,
    "and_expression": _of_and,
}
