"""The tree of a JMESPath expression."""

from collections.abc import Iterator
from typing import Any

Tree = dict[str, Any]
"""A node as jmespath.py has it: type, children and perhaps value; `start` and `quoted` are ours."""
MAX_LENGTH = 4096
"""Characters of an expression: far more than a person writes, and less than Python's limit on digits of an int."""


def nodes(tree: Tree) -> Iterator[tuple[Tree, int]]:
    """Every node of a tree with its depth, from the left."""
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack += [(child, depth + 1) for child in reversed(node["children"]) if isinstance(child, dict)]
