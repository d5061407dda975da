"""Expressions about whose value nothing is inferred."""

from typing import Any

from router.prover.inference import Value, of_tree


def test_an_element_of_a_list() -> None:
    """Neither its presence nor its type is known."""
    tree: dict[str, Any] = {"type": "index_expression", "children": []}
    scope: Any = None
    assert of_tree(None, scope, tree) == Value()
