"""Expressions about whose value nothing is inferred."""

from typing import Any

from router.prover.expressions import Scope, indexed, tree_of
from router.prover.inference import Value, of_tree


def test_an_element_of_a_list() -> None:
    """Neither its presence nor its type is known."""
    tree: dict[str, Any] = {"type": "index_expression", "children": []}
    scope: Any = None
    assert of_tree(None, scope, tree) == Value()


def test_elements_of_what_is_no_path() -> None:
    """Where they come from is not known, also of a list that is flattened."""
    tree = tree_of("keys(@)[].x")
    assert tree

    assert of_tree(None, Scope(), tree).elements is None


def test_an_index_after_what_is_no_field() -> None:
    """The path to the list is not known."""
    tree = tree_of("a.[b].c")
    assert tree

    assert indexed(tree) is None


def test_a_path_without_an_index() -> None:
    """It leads to no element."""
    tree = tree_of("a.b")
    assert tree

    assert indexed(tree) is None
