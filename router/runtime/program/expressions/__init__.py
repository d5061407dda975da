"""JMESPath on exact numbers: the tree of an expression, and the types, equality and
truth of values.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

Tree = dict[str, Any]
"""A node as jmespath.py has it: type, children and perhaps value.

`start` and `quoted` are ours.
"""
Names = tuple[str, ...]
"""The names of a dotted path."""
MAX_LENGTH = 4096
"""Maximum characters of an expression; below Python's limit on the digits of an int."""
_KINDS: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    Decimal: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


_ON_RESULT = frozenset(
    (
        "filter_projection",
        "index_expression",
        "pipe",
        "projection",
        "subexpression",
        "value_projection",
    )
)
"""Nodes whose first child is evaluated on the data, and the others on what that gave.
"""

_ON_DATA = frozenset(
    (
        "and_expression",
        "comparator",
        "function_expression",
        "not_expression",
        "or_expression",
    )
)
"""Nodes whose children are all evaluated on the data."""


def fields_read(tree: Tree) -> frozenset[str] | None:
    """The top-level fields of the data that an expression reads.

    None if it may read all of them.
    """
    kind = tree["type"]
    if kind == "field":
        return frozenset((tree["value"],))
    if kind in ("current", "identity", "index", "slice"):
        return None
    if kind in ("literal", "expref"):
        return frozenset()
    read: set[str] = set()
    children = tree["children"]
    for child in children[:1] if kind in _ON_RESULT else children:
        fields = fields_read(child)
        if fields is None:
            return None
        read |= fields
    return frozenset(read)


def paths_read(tree: Tree) -> list[Names]:
    """The paths whose values an expression reads, with all that is in them.

    `()` is the whole of the data.
    """
    plain = path_of(tree)
    if plain is not None:
        return [plain]
    children = tree["children"]
    # An expression that is passed to a function is evaluated on something else.
    if tree["type"] in _ON_DATA and all(child["type"] != "expref" for child in children):
        return [names for child in children for names in paths_read(child)]
    read = fields_read(tree)
    return [()] if read is None else [(name,) for name in read]


def path_of(tree: Tree) -> Names | None:
    """Return the names of a dotted path, of which `@` has none.

    None for any other expression.
    """
    kind = tree["type"]
    # Most expressions are a field.
    if kind == "field":
        return (tree["value"],)
    if kind == "current":
        return ()
    if kind != "subexpression":
        return None
    steps = tree["children"]
    if steps[0]["type"] == "current":
        steps = steps[1:]
    if any(step["type"] != "field" for step in steps):
        return None
    return tuple(step["value"] for step in steps)


def nodes(tree: Tree) -> Iterator[tuple[Tree, int]]:
    """Yield every node of a tree with its depth, from the left."""
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        children = [child for child in node["children"] if isinstance(child, dict)]
        stack += [(child, depth + 1) for child in reversed(children)]


def kind_of(value: Any) -> str | None:
    """Return the JMESPath type of a value.

    None for a value that JSON does not have, which a plugin may create.
    """
    return _KINDS.get(type(value))


def equal(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal: numbers by value.

    True and false are no numbers, at any depth.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal(value, right[key]) for key, value in left.items()
        )
    return bool(left == right)


def is_true(value: Any) -> bool:
    """Return JMESPath's truth of a value: false for null, false, and empty text, lists
    and objects; 0 is true.
    """
    return value is not False and (bool(value) or isinstance(value, int | float | Decimal))
