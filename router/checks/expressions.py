"""What can be read from a JMESPath expression without a message: its paths, and what it claims as a condition."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from router.checks.claims import EACH, NOTHING, SOME_VALUE, TRUTHY, Schema, Steps, all_of, any_of, there
from router.compile.jmespath_exact import ExactFunctions
from router.compile.jmespath_syntax import SyntaxFault, Tree, parse

_ENCODER = msgspec.json.Encoder(decimal_format="number")
Names = tuple[str, ...]
_FIRST_ONLY = ("subexpression", "index_expression", "projection", "filter_projection", "value_projection", "flatten")
"""Nodes whose first child looks at what the expression is given, and whose others look at what comes of that."""


class Scope(Struct, frozen=True):
    """What the expressions of a route's `item` are given: the message, or with `for_each` element and message.

    `element` is the path to the elements; None if there is none, or it is not known.
    """

    each: bool = False
    element: Steps | None = None

    def steps(self, names: Names) -> Steps | None:
        """The path in the message of what an expression names; None if it is not known."""
        if not self.each:
            return names
        if names[:1] == ("message",):
            return names[1:]
        return (*self.element, *names[1:]) if names[:1] == ("element",) and self.element is not None else None


class Condition(Struct, frozen=True):
    """What a condition claims of the messages that fulfil it; unless `exact`, it may be that and more.

    A `frail` one fails on a message that is null, and with it whatever it is a part of.
    """

    claim: Schema
    exact: bool
    frail: bool = False


ANYTHING = Condition({}, False)
"""A condition of which nothing is known."""
ALWAYS = Condition({}, True)


@lru_cache(maxsize=8192)
def tree_of(text: str) -> Tree | None:
    """The tree of an expression; None if it is none, which is found elsewhere."""
    try:
        return parse(text, ExactFunctions.FUNCTION_TABLE)
    except SyntaxFault:
        return None


def path_of(tree: Tree) -> Names | None:
    """The names of a plain path, `@` being the empty one; None for any other expression."""
    steps = tree["children"] if tree["type"] == "subexpression" else [tree]
    if steps[0]["type"] == "current":
        steps = steps[1:]
    return tuple(step["value"] for step in steps) if all(step["type"] == "field" for step in steps) else None


def list_of(text: str) -> Steps | None:
    """The path to the elements of the list that an expression names; None for any but a plain path."""
    tree = tree_of(text)
    names = None if tree is None else path_of(tree)
    return None if names is None else (*names, EACH)


def paths(tree: Tree) -> Iterator[Names]:
    """The paths that an expression looks up in what it is given."""
    kind, children = tree["type"], tree["children"]
    if kind == "field":
        yield (tree["value"],)
    elif kind == "subexpression" and children[0]["type"] in ("field", "current"):
        names: list[str] = []
        for step in children:
            if step["type"] == "field":
                names.append(step["value"])
            elif step["type"] != "current":
                break
        if names:
            yield tuple(names)
    elif kind in _FIRST_ONLY or kind == "pipe":
        yield from paths(children[0])
    elif kind != "expref":
        for child in children:
            yield from paths(child)


def condition_of(text: str) -> Condition:
    """What an expression claims as a `when`."""
    tree = tree_of(text)
    return ANYTHING if tree is None else _holds(tree, True)


def opposite_of(text: str) -> Condition:
    """What is claimed of messages that do not fulfil an expression, be it that it fails on them."""
    condition = condition_of(text)
    return Condition({"not": condition.claim}, True) if condition.exact else ANYTHING


def _holds(tree: Tree, wanted: bool) -> Condition:
    """What is claimed by a tree being true, or false; by neither if it fails."""
    kind, children = tree["type"], tree["children"]
    names = path_of(tree)
    if names is not None:
        return _claim(there(names, TRUTHY), wanted)
    if kind == "not_expression":
        return _holds(children[0], not wanted)
    if kind in ("and_expression", "or_expression"):
        parts = [_holds(child, wanted) for child in children]
        claims = [part.claim for part in parts]
        exact, frail = all(part.exact for part in parts), any(part.frail for part in parts)
        if (kind == "and_expression") == wanted:
            return Condition(all_of(claims), exact, frail)
        return Condition(any_of(claims), exact and not frail, frail)
    if kind == "comparator" and tree["value"] in ("eq", "ne"):
        return _equality(children, wanted == (tree["value"] == "eq"))
    if kind == "function_expression" and tree["value"] == "contains":
        return _membership(children, wanted)
    return ANYTHING


def _equality(sides: list[Tree], wanted: bool) -> Condition:
    left, right = sides if sides[1]["type"] == "literal" else reversed(sides)
    names = path_of(left)
    if right["type"] != "literal" or names is None:
        return ANYTHING
    if right["value"] is None:
        return _claim(there(names, SOME_VALUE), not wanted)
    return _claim(there(names, {"enum": [right["value"]]}), wanted)


def _membership(arguments: list[Tree], wanted: bool) -> Condition:
    """`contains(LIST, path)` with a list of constants."""
    values = _constants(arguments[0])
    names = path_of(arguments[1])
    if values is None or names is None or None in values:
        return ANYTHING
    condition = _claim(there(names, {"enum": values}) if values else NOTHING, wanted)
    if arguments[0]["type"] == "literal":
        return condition
    # In brackets, constants are looked up in the message like anything else, and null has nothing.
    return Condition(all_of([condition.claim, SOME_VALUE]), True, frail=True)


def _constants(tree: Tree) -> list[Any] | None:
    if tree["type"] == "literal" and isinstance(tree["value"], list):
        values = tree["value"]
    elif tree["type"] == "multi_select_list" and all(child["type"] == "literal" for child in tree["children"]):
        values = [child["value"] for child in tree["children"]]
    else:
        return None
    return list({_ENCODER.encode(value): value for value in values}.values())


def _claim(claim: Schema, wanted: bool) -> Condition:
    return Condition(claim if wanted else {"not": claim}, True)
