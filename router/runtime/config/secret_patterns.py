"""Patterns of the values of secrets, in whatever notation a text has them: quoted,
escaped, or in lines.

JSON in JSON, a report in HTML and an error in a log escape a value several times: a
pattern takes each sign of a value with several backslashes, and each notation of a
character. Repetitions are bounded, or give nothing back, so that a search takes no
longer than the text is.
"""

import re
from collections.abc import Iterator

LONG = 6
"""Characters from which a value is masked anywhere; a shorter one only as a word of its
own.
"""
SHORT = 3
"""Characters of the shortest word that is masked. A shorter value, which anybody can
guess, is masked in quotes only: a secret `a` would mask each article of a sentence.
"""
_PIECE = r"(?s:[A-Za-z0-9]+|\\+|\s+|.)"
"""What a value is taken apart into; it is compiled when it is needed: a cold start
without secrets needs none.
"""
_ESCAPE = r"(?:\\|%(?:25){0,3}5C)"
_ESCAPES = f"{_ESCAPE}{{0,16}}+"
"""Of a sign that is a text in JSON, in JSON and so on; a backslash may be in an URL."""
_ESCAPED = f"{_ESCAPE}{{1,16}}+"
_SPACE = rf"(?:\s|{_ESCAPED}[nrtfv]|%(?:20|09|0A|0D)|\+)+"
_NAMES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
"""The names of characters in HTML."""
_QUOTED = rf"'\"'\"'|{_ESCAPES}'{{1,2}}"
"""An apostrophe in a shell's text, and in YAML's, which has it twice."""
_BEFORE = "(?:(?<=['\"])|(?<=&quot;)|(?<=&#x27;))"
_AFTER = r"(?=\\*['\"]|&quot;|&#x27;)"


def pattern_of(value: str) -> str:
    """Return the pattern of a value; it has no group with a number, and is to be used
    without regard to case.
    """
    text = value.strip() or value
    pattern = "".join(_pieces(text))
    if len(text) >= LONG:
        return pattern
    if len(text) >= SHORT:
        return rf"(?<![^\W_]){pattern}(?![^\W_])"
    return f"{_BEFORE}{pattern}{_AFTER}"


def seed_of(value: str) -> str:
    """Return the longest part of a value that each text with the value has, in some
    letter case; "" for signs.
    """
    return max(re.findall("[A-Za-z0-9]+", value), key=len, default="").casefold()


def _pieces(text: str) -> Iterator[str]:
    for found in re.finditer(_PIECE, text):
        piece = found[0]
        if piece.isascii() and piece.isalnum():
            yield piece
        elif piece[0] == "\\":
            yield _backslashes(len(piece), is_last=found.end() == len(text))
        elif piece.isspace():
            yield _SPACE
        else:
            # Whoever changes the case of a text does so before it is escaped.
            cases = dict.fromkeys((piece, *piece.lower(), *piece.upper()))
            notations = [each for case in cases for each in _notations(case)]
            yield f"(?:{'|'.join(notations)})"


def _backslashes(number: int, *, is_last: bool) -> str:
    """Return the pattern of a number of backslashes.

    In the middle of a value, more backslashes may escape the next character.
    """
    if is_last:
        return rf"(?:(?:\\\\){{1,{8 * number}}}+|\\|(?:%(?:25){{0,3}}5C){{1,{8 * number}}}+)"
    return f"{_ESCAPE}{{1,{16 * number}}}+"


def _notations(char: str) -> Iterator[str]:
    """Yield the notations of a sign, or of a character that is not ASCII."""
    code = ord(char)
    data = char.encode(errors="surrogateescape")
    if char == "'":
        yield _QUOTED
    else:
        escapes = _ESCAPES if char.isascii() else ""
        yield f"{escapes}{re.escape(char)}"
    # In URLs, also those in others; and in texts of bytes.
    yield _ESCAPES + "".join(f"%(?:25){{0,3}}{byte:02X}" for byte in data)
    yield "".join(rf"{_ESCAPED}x{byte:02x}" for byte in data)
    units = char.encode("utf-16-be", "surrogatepass")
    yield "".join(rf"{_ESCAPED}u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    yield rf"{_ESCAPED}U{code:08x}"
    if code < 256 and not char.isascii():
        yield rf"{_ESCAPED}x{code:02x}"
    yield f"{_ESCAPES}&#(?:0*{code}|x0*{code:x});"
    if char in _NAMES:
        yield f"{_ESCAPES}&{_NAMES[char]};"
