"""The tree of a JMESPath expression, and the trees that are known before anything is parsed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Tree = dict[str, Any]
"""A node as jmespath.py has it: type, children and perhaps value; `start` and `quoted` are ours."""
MAX_LENGTH = 4096
"""Characters of an expression: far more than a person writes, and less than Python's limit on digits of an int."""

_KNOWN: ContextVar[Mapping[str, Tree]] = ContextVar("known trees")


@contextmanager
def known_trees(trees: Mapping[str, Tree]) -> Iterator[None]:
    """Inside, these expressions by their text need no parser: a precompiled config brings their trees along."""
    token = _KNOWN.set(trees)
    try:
        yield
    finally:
        _KNOWN.reset(token)


def known_tree(text: str) -> Tree | None:
    """The tree of an expression, if it is known."""
    return _KNOWN.get({}).get(text)


def nodes(tree: Tree) -> Iterator[tuple[Tree, int]]:
    """Every node of a tree with its depth, from the left."""
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack += [(child, depth + 1) for child in reversed(node["children"]) if isinstance(child, dict)]
