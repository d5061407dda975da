"""Templates that are constants, though they name a property of the message."""

import re

from router.runtime.config import spec
from router.runtime.sources import Joined, values_of
from router.tools.check.analysis.routes import AnalyzedRoute

_WORD = re.compile(r"\w+")


def with_braces(route: AnalyzedRoute, attribute: spec.Attribute) -> str:
    """Return a template with the braces that it seems to lack; "" if it has an expression, or names no property."""
    values = values_of(attribute, route.fifo)
    if not isinstance(values, Joined) or values.expressions or route.index is None:
        return ""
    text = "".join(values.literals)
    names = route.index.names(route.scope.element or ())
    prefix = "element." if route.scope.each else ""

    def in_braces(word: re.Match[str]) -> str:
        return f"{{{prefix}{word[0]}}}" if word[0] in names else word[0]

    braced = _WORD.sub(in_braces, text)
    return "" if braced == text else braced
