"""Compiles the tree of a JMESPath expression to a callable that evaluates it on exact
numbers.

https://jmespath.org/specification.html; the trees are those of jmespath.py's parser.
Each kind of node is compiled once into a callable of its own, so that a message is not
walked through by names.

Why not the library's: docs/decisions/2026-11-25-jmespath-exact.md
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from router.runtime.program.expressions import Tree, equal, is_true
from router.runtime.program.expressions.functions import (
    FUNCTIONS,
    check_argument,
)

Look = Callable[[Any], Any]
"""Takes data and returns the value of an expression.

Raises various exceptions for values of unsuitable types.
"""
_ORDERINGS: Mapping[str, Callable[..., bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def compile_tree(tree: Tree) -> Look:
    """Return the callable of a tree, whose function calls must be checked already."""
    return _COMPILERS[tree["type"]](tree)


def _parts(tree: Tree) -> list[Look]:
    return [compile_tree(child) for child in tree["children"]]


def _field(tree: Tree) -> Look:
    name = tree["value"]
    return lambda data: data.get(name) if isinstance(data, dict) else None


def _same(tree: Tree) -> Look:
    return lambda data: data


def _literal(tree: Tree) -> Look:
    literal = tree["value"]
    if isinstance(literal, list | dict):
        # A copy, because a later step may change it.
        return lambda data: deepcopy(literal)
    return lambda data: literal


def _sequence(tree: Tree) -> Look:
    """Apply each part to the value of the previous one."""
    first, *others = _parts(tree)
    if len(others) == 1:
        second = others[0]
        return lambda data: second(first(data))

    def look(data: Any) -> Any:
        data = first(data)
        for part in others:
            data = part(data)
        return data

    return look


def _index(tree: Tree) -> Look:
    index = tree["value"]

    def look(data: Any) -> Any:
        if not isinstance(data, list):
            return None
        is_inside = -len(data) <= index < len(data)
        return data[index] if is_inside else None

    return look


def _slice(tree: Tree) -> Look:
    chosen = slice(*tree["children"])
    return lambda data: data[chosen] if isinstance(data, list) else None


def _flatten(tree: Tree) -> Look:
    base = _parts(tree)[0]

    def look(data: Any) -> Any:
        lists = base(data)
        if not isinstance(lists, list):
            return None
        found: list[Any] = []
        for each in lists:
            if isinstance(each, list):
                found += each
            else:
                found.append(each)
        return found

    return look


def _projection(tree: Tree) -> Look:
    """Apply the second part to the elements of the first, a list.

    If there is a third part, it must be true for an element.
    """
    base, right, *conditions = _parts(tree)
    condition = conditions[0] if conditions else None

    def look(data: Any) -> Any:
        chosen = base(data)
        if not isinstance(chosen, list):
            return None
        if condition is not None:
            chosen = (each for each in chosen if is_true(condition(each)))
        return _project(right, chosen)

    return look


def _value_projection(tree: Tree) -> Look:
    base, right = _parts(tree)

    def look(data: Any) -> Any:
        holder = base(data)
        if not isinstance(holder, dict):
            return None
        return _project(right, holder.values())

    return look


def _project(look: Look, elements: Iterable[Any]) -> list[Any]:
    """Return what is found in each element, without what is not there."""
    return [found for found in map(look, elements) if found is not None]


def _multi_select_list(tree: Tree) -> Look:
    parts = _parts(tree)
    return lambda data: None if data is None else [part(data) for part in parts]


def _multi_select_dict(tree: Tree) -> Look:
    parts = [(each["value"], compile_tree(each["children"][0])) for each in tree["children"]]

    def look(data: Any) -> Any:
        if data is None:
            return None
        return {name: part(data) for name, part in parts}

    return look


def _or(tree: Tree) -> Look:
    left, right = _parts(tree)

    def look(data: Any) -> Any:
        value = left(data)
        return value if is_true(value) else right(data)

    return look


def _and(tree: Tree) -> Look:
    left, right = _parts(tree)

    def look(data: Any) -> Any:
        value = left(data)
        return right(data) if is_true(value) else value

    return look


def _not(tree: Tree) -> Look:
    inner = _parts(tree)[0]
    return lambda data: not is_true(inner(data))


def _comparator(tree: Tree) -> Look:
    left, right = _parts(tree)
    sign = tree["value"]
    if sign == "eq":
        return lambda data: equal(left(data), right(data))
    if sign == "ne":
        return lambda data: not equal(left(data), right(data))
    compare = _ORDERINGS[sign]

    def look(data: Any) -> Any:
        one = left(data)
        other = right(data)
        return compare(one, other) if _has_order(one) and _has_order(other) else None

    return look


def _has_order(value: Any) -> bool:
    """Whether a value is ordered, as numbers and text are.

    The library orders text, though the specification does not.
    """
    if isinstance(value, bool):
        return False
    return isinstance(value, int | Decimal | str | float)


def _call(tree: Tree) -> Look:
    name = tree["value"]
    function = FUNCTIONS[name]
    arguments = [_argument(child) for child in tree["children"]]
    checks = [
        (index, types)
        for index, types in enumerate(function.takes)
        if types and types != ("expref",)
    ]

    def look(data: Any) -> Any:
        values = [argument(data) for argument in arguments]
        for index, allowed in checks:
            check_argument(name, allowed, values[index])
        return function.call(*values)

    return look


def _argument(tree: Tree) -> Look:
    if tree["type"] != "expref":
        return compile_tree(tree)
    expression = compile_tree(tree["children"][0])
    return lambda data: expression


_COMPILERS: Mapping[str, Callable[[Tree], Look]] = {
    "and_expression": _and,
    "comparator": _comparator,
    "current": _same,
    "field": _field,
    "filter_projection": _projection,
    "flatten": _flatten,
    "function_expression": _call,
    "identity": _same,
    "index": _index,
    "index_expression": _sequence,
    "literal": _literal,
    "multi_select_dict": _multi_select_dict,
    "multi_select_list": _multi_select_list,
    "not_expression": _not,
    "or_expression": _or,
    "pipe": _sequence,
    "projection": _projection,
    "slice": _slice,
    "subexpression": _sequence,
    "value_projection": _value_projection,
}
