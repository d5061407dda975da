"""Which tests are meant by an expression over names: `orders and not (empty or late)`."""

import re
from collections.abc import Callable

from router.errors import UsageError

Holds = Callable[[str], bool]
_TOKEN = re.compile(r"\s*(?:(\(|\))|'([^']*)'|\"([^\"]*)\"|([^\s()'\"]+))")
_WORDS = ("and", "or", "not")


def compile_names(expression: str) -> Callable[[str, str], bool]:
    """Whether a test, by its route and name, is meant; raises UsageError.

    A word holds if it is part of `route: name`, in upper or lower case; words are joined by `and`, `or`, `not` and
    parentheses, and one with spaces in it stands in quotes. An empty expression means all.
    """
    if not expression.strip():
        return lambda route, name: True
    reader = _Reader(expression)
    holds = reader.either()
    if reader.tokens:
        raise reader.fault()
    return lambda route, name: holds(f"{route}: {name}".lower())


class _Reader:
    """Reads an expression from its first token to its last."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self.tokens: list[tuple[str, bool]] = []
        position = 0
        while expression[position:].strip():
            match = _TOKEN.match(expression, position)
            if match is None:
                raise self.fault()
            mark, single, double, word = match.groups()
            quoted = single if single is not None else double
            self.tokens.append((quoted, True) if quoted is not None else (mark or word, False))
            position = match.end()

    def fault(self) -> UsageError:
        """What is said of an expression that cannot be read."""
        return UsageError(f"'{self._expression}' is no choice of tests: words joined by and, or, not and parentheses")

    def either(self) -> Holds:
        """What `or` joins."""
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return lambda name: any(part(name) for part in parts)

    def _both(self) -> Holds:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return lambda name: all(part(name) for part in parts)

    def _one(self) -> Holds:
        if self._take("not"):
            inside = self._one()
            return lambda name: not inside(name)
        if self._take("("):
            within = self.either()
            if not self._take(")"):
                raise self.fault()
            return within
        if not self.tokens or (self.tokens[0][0] in (*_WORDS, ")") and not self.tokens[0][1]):
            raise self.fault()
        word = self.tokens.pop(0)[0].lower()
        return lambda name: word in name

    def _take(self, token: str) -> bool:
        if self.tokens[:1] != [(token, False)]:
            return False
        self.tokens.pop(0)
        return True
