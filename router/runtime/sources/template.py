"""The source `template`: text with JMESPath expressions in braces."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta

from router.codes import declare
from router.model import Message
from router.runtime.engine.convert import scalar_text
from router.runtime.sources import (
    SCALARS,
    AttributeCompiler,
    AttributeSource,
    Computed,
    ExpressionUse,
    Joined,
    Lookup,
)

NO_TEMPLATE = declare(
    "RT405",
    "not a template",
    "Each `{` of a template opens an expression and needs its `}`; a brace itself is written `{{` or `}}`.",
)

_MARKS = r"""(['"`])(?:\\.|(?!\1)[^\\])*(?:\1|\\?\Z)|[{}]"""
"""A brace, or a text in quotes, whose braces do not count; a quote that is not closed extends to the end."""
Part = str | Callable[[Any], Any]


def _compile(text: str, compiler: AttributeCompiler) -> Lookup | None:
    try:
        pieces = split_template(text)
    except ValueError as error:
        advice = "a brace itself is written '{{' or '}}'"
        compiler.reject(NO_TEMPLATE, f"'{text}' is not a template: {error}", ("template",), advice)
        return None
    parts: list[Part] = []
    for is_expression, piece in pieces:
        if not is_expression:
            parts.append(piece)
        elif (compiled := compiler.expression(piece, ("template",))) is not None:
            parts.append(compiled.evaluate)
    return Lookup(_fill(parts)) if len(parts) == len(pieces) else None


def _fill(parts: list[Part]) -> Callable[[Any, Message], str | None]:
    def fill(data: Any, message: Message) -> str | None:
        texts = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            value = part(data)
            if value is None:
                return None
            texts.append(scalar_text(value))
        return "".join(texts)

    return fill


@lru_cache(maxsize=4096)
def split_template(text: str) -> tuple[tuple[bool, str], ...]:
    """Split a template into pieces, each with whether it is an expression; raises ValueError for unmatched braces."""
    pieces: list[tuple[bool, str]] = []
    literal = ""
    at = 0
    while at < len(text):
        if text.startswith(("{{", "}}"), at):
            literal += text[at]
            at += 2
        elif text[at] == "{":
            end = _closing_brace(text, at + 1)
            if literal:
                pieces.append((False, literal))
            literal = ""
            pieces.append((True, text[at + 1 : end].strip()))
            at = end + 1
        elif text[at] == "}":
            raise ValueError(f"the closing brace at character {at + 1} has no opening brace")
        else:
            literal += text[at]
            at += 1
    return (*pieces, (False, literal)) if literal else tuple(pieces)


def _closing_brace(text: str, at: int) -> int:
    """Return the index of the brace that closes the expression at `at`, past nested and quoted ones."""
    depth = 0
    for mark in re.compile(_MARKS, re.DOTALL).finditer(text, at):
        if mark[0] == "}" and not depth:
            return mark.start()
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
    raise ValueError(f"the brace at character {at} is not closed")


def _values(text: str, fifo: bool, type_: str) -> Joined | Computed:
    pieces = _pieces(text)
    if not pieces and text:
        return Computed("", missing=None)
    literals = tuple(piece for is_expression, piece in pieces if not is_expression)
    expressions = tuple(piece for is_expression, piece in pieces if is_expression)
    return Joined(literals, expressions)


def _pieces(text: str) -> tuple[tuple[bool, str], ...]:
    """The pieces of a template, none if it is malformed."""
    try:
        return split_template(text)
    except ValueError:
        return ()


SOURCE = AttributeSource(
    key="template",
    spec=Annotated[
        str,
        Meta(
            description="Text with expressions in braces; `{{` and `}}` are braces. A missing part makes the attribute "
            "missing.",
            examples=["USER#{user_id}#{device.model}"],
        ),
    ],
    compile=_compile,
    expressions=lambda text: [
        ExpressionUse(("template",), piece, SCALARS) for is_, piece in _pieces(text) if is_
    ],
    meta=lambda text: (),
    values=_values,
)
