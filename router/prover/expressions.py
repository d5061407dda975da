"""Static analysis of JMESPath expressions: their trees, and the paths that they look up."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from router.prover.predicates import EACH, Steps
from router.runtime.program.expressions import Names, Tree, path_of
from router.runtime.program.expressions.syntax import SyntaxFault, parse

_PROJECTIONS = ("projection", "filter_projection", "value_projection")
"""Nodes whose first child is evaluated on the input, and the others on each element of its value."""

_OF_CHILDREN = frozenset(
    (
        *("field", "literal", "flatten", "comparator", "not_expression", "or_expression", "and_expression"),
        *("function_expression", "multi_select_list", "multi_select_dict", "key_val_pair"),
    )
)
"""Nodes whose value depends on nothing but those of their children, and a field."""


class Scope(Struct, frozen=True):
    """The input of the expressions of a route's `item`: the message, or with `for_each` its element and the message.

    `element` is the path to the elements; None without `for_each`, or if it is unknown.
    """

    each: bool = False
    element: Steps | None = None

    def steps(self, names: Steps) -> Steps | None:
        """Return the path in the message of a path in the input; None if it is unknown."""
        if not self.each:
            return names
        if names[:1] == ("message",):
            return names[1:]
        return (*self.element, *names[1:]) if names[:1] == ("element",) and self.element is not None else None

    def path(self, tree: Tree | None) -> Steps | None:
        """Return the path in the message of an expression; None if it is none, or unknown."""
        names = None if tree is None else path_of(tree)
        return None if names is None else self.steps(names)


@lru_cache(maxsize=8192)
def tree_of(text: str) -> Tree | None:
    """Return the tree of an expression; None for a syntax error, which loading reports."""
    try:
        return parse(text)
    except SyntaxFault:
        return None


def list_of(text: str) -> Steps | None:
    """Return the path to the elements of the list at a plain path; None for any other expression."""
    tree = tree_of(text)
    names = None if tree is None else path_of(tree)
    return None if names is None else (*names, EACH)


def paths(tree: Tree) -> Iterator[Steps]:
    """Yield the paths that an expression looks up in its input, without their prefixes."""
    found: dict[Steps, None] = {}
    _walk(tree, (), found)
    for steps in found:
        if steps and not any(len(other) > len(steps) and other[: len(steps)] == steps for other in found):
            yield steps


@lru_cache(maxsize=8192)
def paths_in(text: str, *, flat: bool = False) -> tuple[Steps, ...]:
    """Return the paths that an expression, as text, looks up; none for a syntax error, which loading reports.

    If `flat`, with those that it looks up if no list is in a list.
    """
    if flat and "[]" not in text:
        return paths_in(text)
    tree = tree_of(text)
    if tree is None:
        return ()
    return tuple(dict.fromkeys((*paths(tree), *paths(without_flatten(tree))))) if flat else tuple(paths(tree))


def properties_in(texts: Iterable[str]) -> frozenset[str] | None:
    """Return the properties of its input that expressions read; None if the value may depend on others."""
    trees, found = [tree_of(text) for text in texts], set[str]()
    return frozenset(found) if all(tree is not None and _reads(tree, found) for tree in trees) else None


def _reads(tree: Tree, found: set[str]) -> bool:
    """Add the properties of its input that an expression reads; return whether it depends on nothing else."""
    kind, children = tree["type"], tree["children"]
    if kind == "field":
        found.add(tree["value"])
    if kind in ("subexpression", "pipe", "index_expression", *_PROJECTIONS):
        return _reads(children[0], found)  # the others are evaluated on its value
    return kind in _OF_CHILDREN and all(_reads(child, found) for child in children)


def elements_of(tree: Tree) -> Steps | None:
    """Return the path to the elements, except null, of the list that a projection returns; None for others."""
    if tree["type"] not in ("projection", "filter_projection") or tree["children"][0]["type"] == "flatten":
        return None
    listed, each = tree["children"][:2]
    place = _walk(listed, (), {})
    return None if place is None or each["type"] == "projection" else _walk(each, (*place, EACH), {})


def indexed(tree: Tree) -> tuple[Names, int, Names] | None:
    """Return the path, index and further path of `a.lines[0].sku` and `lines | [0]`; None for other expressions."""
    first, *rest = tree["children"] or [tree]
    if tree["type"] == "pipe" and len(rest) == 1 and rest[0]["type"] == "index_expression":
        tree = {**rest[0], "children": [first, *rest[0]["children"][1:]]}
    parts = tree["children"] if tree["type"] == "subexpression" else [tree]
    at = next((number for number, part in enumerate(parts) if part["type"] == "index_expression"), None)
    if at is None or len(parts[at]["children"]) != 2:
        return None
    base, index = parts[at]["children"]
    names, before, after = path_of(base), parts[:at], parts[at + 1 :]
    if names is None or index["type"] != "index" or any(step["type"] != "field" for step in (*before, *after)):
        return None
    return (*(step["value"] for step in before), *names), index["value"], tuple(step["value"] for step in after)


def without_flatten(tree: Tree) -> Tree:
    """Return an expression that looks up the same paths if no list is in a list: `a[*].b` for `a[].b`."""
    # The children of a slice are numbers.
    children = [without_flatten(child) if isinstance(child, dict) else child for child in tree["children"]]
    return children[0] if tree["type"] == "flatten" else {**tree, "children": children}


def _walk(tree: Tree, base: Steps | None, found: dict[Steps, None]) -> Steps | None:
    """Return the path of the value of an expression on the input at `base`; None if it is unknown, or a new value.

    Adds the paths that are looked up to `found`.
    """
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
