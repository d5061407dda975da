"""Selects tests by an expression, as `pytest -k` does: words joined by `and`, `or`, `not` and
parentheses.
"""

import ast
import re
from collections.abc import Callable, Mapping

from router.errors import UsageError

_NOT_WORDS = ("and", "or", "not", "(", ")", "'", '"')
"""Operators, and quotes that are not closed."""
_TOKEN = re.compile(r"""[()]|'[^']*'|"[^"]*"|[^\s()'"]+|['"]""")


def select_tests(expression: str) -> Callable[[str, str], bool]:
    """Return a function that selects tests by route and name; raises UsageError.

    A word matches if it is part of `route: name`, in upper or lower case. `and`, `or`, `not` and
    parentheses combine words; a word with spaces is quoted. An empty expression selects all tests.
    """
    if not expression.strip():
        return lambda route, name: True
    # The operators are those of Python, whose parser reads the expression with a name for each word.
    tokens = []
    words: dict[str, str] = {}
    for token in _TOKEN.findall(expression):
        if token in _NOT_WORDS:
            tokens.append(token)
            continue
        name = f"word{len(words)}"
        tokens.append(name)
        quoted = token[0] in "'\""
        words[name] = (token[1:-1] if quoted else token).lower()
    try:
        matches = _compile(ast.parse(" ".join(tokens), mode="eval").body, words)
    except SyntaxError:
        raise UsageError(
            f"'{expression}' does not select tests: it must be words joined by and, or, not and parentheses"
        ) from None
    return lambda route, name: matches(f"{route}: {name}".lower())


def _compile(node: ast.expr, words: Mapping[str, str]) -> Callable[[str], bool]:
    match node:
        case ast.Name(id=name):
            word = words[name]
            return lambda text: word in text
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inside = _compile(operand, words)
            return lambda text: not inside(text)
        case ast.BoolOp(op=operator, values=values):
            parts = [_compile(value, words) for value in values]
            join = all if isinstance(operator, ast.And) else any
            return lambda text: join(part(text) for part in parts)
        case _:
            raise SyntaxError
