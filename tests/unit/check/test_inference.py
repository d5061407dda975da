"""What an expression gives, where its kind tells nothing."""

from typing import Any

from router.check.inference import Value, of_tree


def test_an_expression_that_tells_nothing() -> None:
    """Of an element of a list nothing is known: neither that it is there, nor its type."""
    tree: dict[str, Any] = {"type": "index_expression", "children": []}
    scope: Any = None
    assert of_tree(None, scope, tree) == Value()
