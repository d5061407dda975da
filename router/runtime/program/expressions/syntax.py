"""Parses JMESPath: the library's parser with exact literals, and faults in plain words."""

import json
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

from jmespath import exceptions, lexer, parser

from router.runtime.config.findings import closest
from router.runtime.conversions import nests_deeper
from router.runtime.program.expressions import MAX_LENGTH, Tree, nodes
from router.runtime.program.expressions.functions import FUNCTIONS, Function

MAX_DEPTH = 150
"""Maximum levels of a tree: evaluation needs up to five frames for two of them, and
Python has a thousand.
"""
_SHOWN = 20


class SyntaxFault(Exception):
    """Raised for a malformed expression; `reason` includes the column, if there is one."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason if position is None else f"{reason} at column {position + 1}"


class ExactLexer(lexer.Lexer):
    """The library's lexer.

    Fractions in literals are Decimals, and literals that are no JSON are faults.
    """

    def _consume_until(self, delimiter: str) -> str:
        try:
            return str(super()._consume_until(delimiter))
        except exceptions.LexerError as error:
            raise SyntaxFault(f"the {delimiter} is never closed", error.lexer_position) from None

    def _consume_literal(self) -> dict[str, Any]:
        start = self._position
        lexeme = self._consume_until("`").replace("\\`", "`")
        try:
            value = json.loads(lexeme, parse_float=Decimal, parse_constant=_refuse_constant)
        except ValueError:
            word = _cut(lexeme.strip())
            raise SyntaxFault(
                f"the literal `{word}` is not JSON (write text as '{word}' or `\"{word}\"`)",
                start,
            ) from None
        # Not every Python's JSON reader refuses it.
        if nests_deeper(value, MAX_DEPTH - 1):
            raise SyntaxFault("it nests too deeply")
        return {
            "type": "literal",
            "value": value,
            "start": start,
            "end": self._position,
        }

    def _consume_quoted_identifier(self) -> dict[str, Any]:
        try:
            token: dict[str, Any] = super()._consume_quoted_identifier()
        except exceptions.LexerError as error:
            raise SyntaxFault(
                "the name in double quotes is not a JSON string",
                error.lexer_position,
            ) from None
        return token


class ExactParser(parser.Parser):
    """The library's parser with `ExactLexer`.

    It has no cache: all parsers of the library share theirs.
    """

    def tree(self, text: str) -> Tree:
        """Parse `text`; raises the library's ParseError, or SyntaxFault."""
        self._tokens = list(ExactLexer().tokenize(text))
        self._index = 0
        tree: Tree = self._expression()
        if self._current_token() != "eof":
            self._raise_parse_error_for_token(self._lookahead_token(0), "")
        return tree

    def _token_nud_quoted_identifier(self, token: dict[str, Any]) -> Tree:
        if self._current_token() == "lparen":
            raise SyntaxFault(
                "the name of a function is written without quotes",
                token["start"],
            )
        return {
            "type": "field",
            "children": [],
            "value": token["value"],
            "quoted": True,
        }

    def _token_led_lparen(self, left: Tree) -> Tree:
        start = self._lookahead_token(-2)["start"]
        return {**super()._token_led_lparen(left), "start": start}


@lru_cache(maxsize=2048)
def parse(text: str) -> Tree:
    """Return the tree of an expression with valid function calls, which nobody changes.

    Raises SyntaxFault.
    """
    if len(text) > MAX_LENGTH:
        raise SyntaxFault(f"it is longer than {MAX_LENGTH} characters")
    try:
        tree = ExactParser().tree(text)
    except exceptions.JMESPathError as error:
        raise _in_words(error, text) from None
    except RecursionError:
        raise SyntaxFault("it nests too deeply") from None
    _check(tree)
    return tree


def _in_words(error: exceptions.JMESPathError, text: str) -> SyntaxFault:
    """Return the fault of an error of the library, by its position."""
    position = getattr(error, "lex_position", 0)
    if not text.strip():
        return SyntaxFault("it is empty")
    if position >= len(text.rstrip()):
        return SyntaxFault("it ends too early")
    if isinstance(error, exceptions.LexerError) and error.lexer_value == "=":
        return SyntaxFault("'=' is no operator (write '==')", position)
    value = getattr(error, "token_value", "")
    shown = text[position]
    # The value of a token in quotes, or of a number, is not what stands in the text.
    if isinstance(value, str) and value and text.startswith(value, position):
        shown = value
    return SyntaxFault(f"unexpected {_cut(shown)!r}", position)


def _check(tree: Tree) -> None:
    """Check what the library checks only at evaluation; raises SyntaxFault."""
    if tree["type"] == "expref":
        raise SyntaxFault("'&' stands only before an argument of a function")
    for node, depth in nodes(tree):
        if depth > MAX_DEPTH:
            raise SyntaxFault("it nests too deeply")
        if node["type"] == "function_expression":
            _check_call(node)
        elif any(isinstance(each, dict) and each["type"] == "expref" for each in node["children"]):
            raise SyntaxFault("'&' stands only before an argument of a function")
        elif node["type"] == "slice" and node["children"][2] == 0:
            raise SyntaxFault("the step of a slice cannot be 0")


def _check_call(node: Tree) -> None:
    name = node["value"]
    start = node["start"]
    if name not in FUNCTIONS:
        near = closest(name, FUNCTIONS)
        hint = f" (did you mean '{near}'?)" if near else ""
        raise SyntaxFault(f"there is no function '{_cut(name)}'{hint}", start)
    _check_count(node, FUNCTIONS[name])
    expected = FUNCTIONS[name].takes
    for index, child in enumerate(node["children"]):
        # The last types are also those of all that follow in a variadic function.
        is_wanted = "expref" in expected[min(index, len(expected) - 1)]
        if is_wanted != (child["type"] == "expref"):
            verb = "needs" if is_wanted else "cannot have"
            raise SyntaxFault(
                f"argument {index + 1} of {name}() {verb} a '&' before it",
                start,
            )


def _check_count(node: Tree, function: Function) -> None:
    given = len(node["children"])
    expected = len(function.takes)
    is_more = given > expected and function.variadic
    if given == expected or is_more:
        return
    least = "at least " if function.variadic else ""
    plural = "" if expected == 1 else "s"
    takes = f"{node['value']}() takes {least}{expected} argument{plural}"
    raise SyntaxFault(f"{takes} and is given {given}", node["start"])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
