"""What can be read from a JMESPath expression without a message: its tree, and the paths that it looks up."""

from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from router.check.predicates import EACH, Steps
from router.program.expressions.syntax import SyntaxFault, parse
from router.program.expressions.tree import Tree

Names = tuple[str, ...]
_PROJECTIONS = ("projection", "filter_projection", "value_projection")
"""Nodes whose first child looks at what the expression is given, and whose others look at each element of that."""


class Scope(Struct, frozen=True):
    """What the expressions of a route's `item` are given: the message, or with `for_each` element and message.

    `element` is the path to the elements; None if there is none, or it is not known.
    """

    each: bool = False
    element: Steps | None = None

    def steps(self, names: Steps) -> Steps | None:
        """The path in the message of what an expression names; None if it is not known."""
        if not self.each:
            return names
        if names[:1] == ("message",):
            return names[1:]
        return (*self.element, *names[1:]) if names[:1] == ("element",) and self.element is not None else None


@lru_cache(maxsize=8192)
def tree_of(text: str) -> Tree | None:
    """The tree of an expression; None if it is none, which is found elsewhere."""
    try:
        return parse(text)
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


def paths(tree: Tree) -> Iterator[Steps]:
    """The paths that an expression looks up in what it is given, each as far as it leads."""
    found: dict[Steps, None] = {}
    _walk(tree, (), found)
    for steps in found:
        if steps and not any(len(other) > len(steps) and other[: len(steps)] == steps for other in found):
            yield steps


def elements_of(tree: Tree) -> Steps | None:
    """The path to the elements of the list that an expression gives, null left out; None if it is no projection."""
    if tree["type"] not in ("projection", "filter_projection") or tree["children"][0]["type"] == "flatten":
        return None
    listed, each = tree["children"][:2]
    place = _walk(listed, (), {})
    return None if place is None or each["type"] == "projection" else _walk(each, (*place, EACH), {})


def _walk(tree: Tree, base: Steps | None, found: dict[Steps, None]) -> Steps | None:
    """Where the value of an expression is, given where what it is given is; None if that is not known, or nowhere."""
    kind, children = tree["type"], tree["children"]
    if kind in ("current", "identity"):
        return base
    if kind == "field":
        place = None if base is None else (*base, tree["value"])
        if place is not None:
            found[place] = None
        return place
    if kind in ("subexpression", "pipe", "index_expression"):
        for child in children:
            base = _walk(child, base, found)
        return base
    if kind == "index":
        return None if base is None else (*base, EACH)
    if kind == "slice":
        return base
    if kind in _PROJECTIONS:
        listed = _walk(children[0], base, found)
        element = None if listed is None or kind == "value_projection" else (*listed, EACH)
        for child in children[1:]:
            _walk(child, element, found)
    elif kind != "expref":
        for child in children:
            _walk(child, base, found)
    return None
