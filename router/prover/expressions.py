"""Static analysis of JMESPath expressions: their trees, and the paths they look up."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from router.prover.predicates import EACH, Steps
from router.runtime.program.expressions import Names, Tree, path_of
from router.runtime.program.expressions.compile import is_plain_path
from router.runtime.program.expressions.syntax import SyntaxFault, parse

# Nodes whose first child is evaluated on the input, the others on each element of its value.
_PROJECTIONS = ("projection", "filter_projection", "value_projection")
CHAINS = ("subexpression", "pipe", "index_expression")
"""Nodes whose first child is evaluated on the input, each other one on the value before it."""
BY_KEY = ("sort_by", "max_by", "min_by")
"""Functions that compare elements of a list by what an expression finds in each."""
OF_FIRST_CHILD = frozenset((*CHAINS, *_PROJECTIONS))
"""Nodes of which only the first child is evaluated on the input."""
# Nodes whose value depends on nothing but those of their children, and a field.
_OF_CHILDREN = frozenset(
    (
        "field",
        "literal",
        "flatten",
        "comparator",
        "not_expression",
        "or_expression",
        "and_expression",
        "function_expression",
        "multi_select_list",
        "multi_select_dict",
        "key_val_pair",
    )
)


class Scope(Struct, frozen=True):
    """The input of the expressions of a route's `item`.

    That is the message, or with `for_each` its element and the message. `element` is
    the path to the elements; None without `for_each`, or if it is unknown.
    """

    each: bool = False
    element: Steps | None = None

    def steps(self, names: Steps) -> Steps | None:
        """Return the path in the message of a path in the input; None if unknown."""
        if not self.each:
            return names
        if names[:1] == ("message",):
            return names[1:]
        if names[:1] == ("element",) and self.element is not None:
            return (*self.element, *names[1:])
        return None

    def path(self, tree: Tree | None) -> Steps | None:
        """Return the path in the message of an expression.

        None if the expression is no path, or if it is unknown.
        """
        names = None if tree is None else path_of(tree)
        return None if names is None else self.steps(names)


@lru_cache(maxsize=8192)
def tree_of(text: str) -> Tree | None:
    """Return the tree of an expression; None for a syntax error.

    Loading a config reports these.
    """
    if is_plain_path(text):  # as most are: it needs no parser
        fields: list[Tree] = [
            {"type": "field", "children": [], "value": name} for name in text.split(".")
        ]
        return fields[0] if len(fields) == 1 else {"type": "subexpression", "children": fields}
    try:
        return parse(text)
    except SyntaxFault:
        return None


def valid_tree_of(text: str) -> Tree:
    """Return the tree of an expression of a config without errors."""
    tree = tree_of(text)
    assert tree is not None
    return tree


def list_of(text: str) -> Steps | None:
    """Return the path to the elements of the list at a plain path.

    None for any other expression.
    """
    names = Scope().path(tree_of(text))
    return None if names is None else (*names, EACH)


def paths(tree: Tree) -> Iterator[Steps]:
    """Yield the paths that an expression looks up in its input.

    No path is yielded that another one begins with.
    """
    found: dict[Steps, None] = {}
    _walk(tree, (), found)
    prefixes = {steps[:end] for steps in found for end in range(len(steps))}
    for steps in found:
        if steps and steps not in prefixes:
            yield steps


@lru_cache(maxsize=8192)
def paths_in(text: str, *, flat: bool = False) -> tuple[Steps, ...]:
    """Return the paths that an expression, as text, looks up.

    There are none for a syntax error. If `flat`, those are among them that it looks up
    if no list is in a list.
    """
    if flat and "[]" not in text:
        return paths_in(text)
    if is_plain_path(text):
        return (tuple(text.split(".")),)
    tree = tree_of(text)
    if tree is None:
        return ()
    found = dict.fromkeys(paths(tree))
    if flat:
        found |= dict.fromkeys(paths(without_flatten(tree)))
    return tuple(found)


def properties_in(texts: Iterable[str]) -> frozenset[str] | None:
    """Return the properties of its input that expressions read.

    None if a value may depend on others.
    """
    found: set[str] = set()
    for text in texts:
        tree = tree_of(text)
        if tree is None or not _reads(tree, found):
            return None
    return frozenset(found)


def _reads(tree: Tree, found: set[str]) -> bool:
    """Add the properties of its input that an expression reads.

    Return whether it depends on nothing else.
    """
    kind = tree["type"]
    children = tree["children"]
    if kind == "field":
        found.add(tree["value"])
    if kind in OF_FIRST_CHILD:
        return _reads(children[0], found)
    return kind in _OF_CHILDREN and all(_reads(child, found) for child in children)


def elements_of(tree: Tree) -> Steps | None:
    """Return the path to the elements of the list that a projection returns.

    Elements that are null are not in that list. None for other expressions.
    """
    if tree["type"] not in ("projection", "filter_projection"):
        return None
    listed, each = tree["children"][:2]
    if listed["type"] == "flatten":
        return None
    place = _walk(listed, (), {})
    if place is None or each["type"] == "projection":
        return None
    return _walk(each, (*place, EACH), {})


def indexed(tree: Tree) -> tuple[Names, int, Names] | None:
    """Return the path, index and further path of `a.lines[0].sku` and `lines | [0]`.

    None for other expressions.
    """
    first, *rest = tree["children"] or [tree]
    kind = tree["type"]
    if kind == "pipe" and len(rest) == 1 and rest[0]["type"] == "index_expression":
        # `lines | [0]` is read as `lines[0]`.
        steps = [{**rest[0], "children": [first, *rest[0]["children"][1:]]}]
    else:
        steps = tree["children"] if kind == "subexpression" else [tree]
    before: list[str] = []
    for number, step in enumerate(steps):
        if step["type"] == "index_expression" and len(step["children"]) == 2:
            base, index = step["children"]
            names = path_of(base)
            after = _fields(steps[number + 1 :])
            if names is None or after is None or index["type"] != "index":
                return None
            return (*before, *names), index["value"], after
        if step["type"] != "field":
            return None
        before.append(step["value"])
    return None


def _fields(steps: list[Tree]) -> Names | None:
    """Return the names of fields; None if one of the steps is none."""
    if any(step["type"] != "field" for step in steps):
        return None
    return tuple(step["value"] for step in steps)


def without_flatten(tree: Tree) -> Tree:
    """Return an expression that looks up the same paths if no list is in a list.

    It is `a[*].b` for `a[].b`.
    """
    # The children of a slice are numbers.
    children = [
        without_flatten(child) if isinstance(child, dict) else child for child in tree["children"]
    ]
    return children[0] if tree["type"] == "flatten" else {**tree, "children": children}


def _walk(tree: Tree, base: Steps | None, found: dict[Steps, None]) -> Steps | None:
    """Return the path of the value of an expression on the input at `base`.

    None if it is unknown, or a new value. Adds the paths that are looked up to `found`.
    """
    kind = tree["type"]
    children = tree["children"]
    if kind in ("current", "identity", "slice"):
        return base
    if kind == "field":
        place = None if base is None else (*base, tree["value"])
        if place is not None:
            found[place] = None
        return place
    if kind in CHAINS:
        for child in children:
            base = _walk(child, base, found)
        return base
    if kind == "index":
        return None if base is None else (*base, EACH)
    if kind in _PROJECTIONS:
        listed, *others = children
        place = _walk(listed, base, found)
        # The values of an object have names that are not known.
        is_known = place is not None and kind != "value_projection"
        element = (*place, EACH) if place is not None and is_known else None
        for child in others:
            _walk(child, element, found)
    elif kind != "expref":
        for child in children:
            _walk(child, base, found)
    return None
