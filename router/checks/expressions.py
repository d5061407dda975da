"""What can be read from a JMESPath expression without a message: its tree, and the paths that it looks up."""

from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from router.checks.claims import EACH, Steps
from router.compile.jmespath_exact import ExactFunctions
from router.compile.jmespath_syntax import SyntaxFault, parse
from router.compile.jmespath_tree import Tree

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
