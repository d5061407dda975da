"""From a template, text with expressions in braces, to the callable that fills it."""

from collections.abc import Callable
from typing import Any

from router.config.findings import Findings
from router.engine.convert import scalar_text
from router.model import Code, Message, Path
from router.program.expressions.compile import INVALID_EXPRESSION, InvalidExpression, compile_expression

NO_TEMPLATE = Code(
    "RT405",
    "not a template",
    "Each `{` of a template opens an expression and needs its `}`; a brace itself is written `{{` or `}}`.",
)

_QUOTES = "'\"`"
Part = str | Callable[[Any], Any]


def compile_template(text: str, findings: Findings, path: Path) -> Callable[[Any, Message], str | None] | None:
    """What fills the template: None for a missing part, ValueError for one that is no scalar. None if it is faulty."""
    try:
        pieces = split_template(text)
    except ValueError as error:
        findings.add(
            NO_TEMPLATE,
            f"'{text}' is not a template: {error}",
            path,
            suggestion="a brace itself is written '{{' or '}}'",
        )
        return None
    parts: list[Part] = []
    for is_expression, piece in pieces:
        if not is_expression:
            parts.append(piece)
            continue
        try:
            parts.append(compile_expression(piece))
        except InvalidExpression as error:
            findings.add(INVALID_EXPRESSION, error.sentence, path)
    return _fill(parts) if len(parts) == len(pieces) else None


def split_template(text: str) -> list[tuple[bool, str]]:
    """The pieces of a template, each with whether it is an expression; raises ValueError for unmatched braces."""
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
            raise ValueError(f"the brace at character {at + 1} opens nowhere")
        else:
            literal += text[at]
            at += 1
    return [*pieces, (False, literal)] if literal else pieces


def _closing_brace(text: str, at: int) -> int:
    """The index of the brace that closes the expression at `at`, past nested and quoted ones."""
    depth = 0
    quote = ""
    escaped = False
    for index in range(at, len(text)):
        character = text[index]
        if escaped:
            escaped = False
        elif quote:
            escaped = character == "\\"
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == "}":
            return index
    raise ValueError(f"the brace at character {at} is not closed")


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
