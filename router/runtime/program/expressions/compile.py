"""Compiles JMESPath to plain callables: direct lookups for paths, an exact evaluator
for other expressions.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Inexact
from types import MappingProxyType
from typing import Any

from router.codes import declare
from router.errors import ExpressionError
from router.runtime.program.expressions import (
    MAX_LENGTH,
    Tree,
    is_true,
    path_of,
)

INVALID_EXPRESSION = declare(
    "RT401",
    "invalid JMESPath expression",
    "An expression that cannot be read, or that calls a function which does not exist, "
    "fails for every message.",
)

Look = Callable[[Any], Any]
Trees = Mapping[str, Tree]
"""Trees of expressions by their text, which are not parsed again."""
NO_TREES: Trees = MappingProxyType({})

_FAILURES = (
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""Exceptions of an evaluation on values of unsuitable types."""
_SHOWN = 60


class InvalidExpression(ValueError):
    """Raised for text that is no JMESPath expression.

    `sentence` is the reason, for a finding.
    """

    def __init__(self, text: str, reason: str) -> None:
        self.sentence = f"{_quote(text)} is not a JMESPath expression: {reason}"
        super().__init__(self.sentence)


def compile_expression(text: str, trees: Trees = NO_TREES) -> Look:
    """Return a callable from message data to the value of the expression, or None where
    there is none.

    Numbers are int and Decimal and stay exact; only avg() rounds, to 38 digits. The
    callable raises ExpressionError; this raises InvalidExpression.
    """
    if is_plain_path(text):
        return look_up(text.split("."))
    tree = parse_expression(text, trees)
    return _path(tree) or _comparison(tree) or _interpreted(tree, text)


def is_plain_path(text: str) -> bool:
    """Return whether an expression is names separated by dots, which need no parser."""
    if len(text) > MAX_LENGTH or not text.isascii():
        return False
    # Most are one name.
    return text.isidentifier() or all(map(str.isidentifier, text.split(".")))


def compile_condition(text: str, trees: Trees = NO_TREES) -> Callable[[Any], bool]:
    """Return a callable from message data to JMESPath's truth of the expression.

    A failed expression is False.
    """
    tree = parse_expression(text, trees)
    comparison = _comparison(tree)
    if comparison is not None:
        return comparison
    evaluate = _path(tree) or _interpreted(tree, text)

    def holds(data: Any) -> bool:
        try:
            return is_true(evaluate(data))
        except ExpressionError:
            return False

    return holds


def parse_expression(text: str, trees: Trees = NO_TREES) -> Tree:
    """Return the tree of an expression, parsing one that is not among `trees`.

    Raises InvalidExpression.
    """
    if text in trees:
        return trees[text]
    # A compiled config holds its trees, so that a start does not import the parser.
    from router.runtime.program.expressions.syntax import SyntaxFault, parse

    try:
        return parse(text)
    except SyntaxFault as fault:
        raise InvalidExpression(text, fault.reason) from None


def _path(tree: Tree) -> Look | None:
    """Return a direct lookup if the tree is a dotted path.

    A field of a value that is no object is None.
    """
    names = path_of(tree)
    return None if names is None else look_up(names)


def look_up(names: Sequence[str]) -> Look:
    """Return the lookup of a dotted path; a field of a value that is no object is None."""
    match names:
        case []:
            return lambda data: data
        case [name]:
            return lambda data: data.get(name) if isinstance(data, dict) else None
        case [first, second]:
            return _look_up_two(first, second)

    def follow(data: Any) -> Any:
        for name in names:
            if not isinstance(data, dict):
                return None
            data = data.get(name)
        return data

    return follow


def _look_up_two(first: str, second: str) -> Look:
    def look(data: Any) -> Any:
        if not isinstance(data, dict):
            return None
        inner = data.get(first)
        return inner.get(second) if isinstance(inner, dict) else None

    return look


def _comparison(tree: Tree) -> Callable[[Any], bool] | None:
    """Return a direct comparison if the tree compares a path with text by `==` or `!=`."""
    look = None
    match tree:
        case {
            "type": "comparator",
            "value": "eq" | "ne" as sign,
            "children": [{"type": "literal", "value": str(text)}, other]
            | [other, {"type": "literal", "value": str(text)}],
        }:
            look = _path(other)
    if look is None:
        return None
    if sign == "ne":
        return lambda data: look(data) != text
    return lambda data: look(data) == text


def _interpreted(tree: Tree, text: str) -> Look:
    # Imported here, because plain paths and comparisons do not need it.
    from router.runtime.program.expressions.evaluate import compile_tree

    look = compile_tree(tree)
    quoted = _quote(text)

    def evaluate(data: Any) -> Any:
        try:
            return look(data)
        except (*_FAILURES, ExpressionError) as error:
            # Raised without a cause, because the text of an exception may hold values
            # of the message.
            raise ExpressionError(f"{quoted} failed: {_reason(error)}") from None

    return evaluate


def _reason(error: Exception) -> str:
    """Return why an evaluation failed, without any value."""
    if isinstance(error, ExpressionError):
        return str(error)
    if isinstance(error, TypeError):
        return "values of different types are compared"
    if isinstance(error, Inexact):
        return "a sum would have to be rounded"
    return "a value does not fit"


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= _SHOWN else f"'{line[: _SHOWN - 1]}…'"
