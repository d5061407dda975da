"""Makes text safe for a terminal: messages, names and files must not move its cursor, hide text or forge lines.

Terminals obey control characters, also those of C1 (U+0080 to U+009F), and show text with bidirectional overrides in
another order than it has: https://www.unicode.org/reports/tr36/ and https://trojansource.codes/
"""

_SPACES = "\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}"


def printable(text: str) -> str:
    r"""Return text as one line in which a terminal shows each character; others are escaped, such as `\x1b`."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(char: str) -> str:
    return char if char.isprintable() or char in _SPACES else repr(char)[1:-1]


def printable_lines(text: str) -> str:
    """Return text as `printable` does, but with its line feeds."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    r"""Return the same JSON, indented or not, with escapes such as `\u009b` for what a terminal would not show."""
    return "\n".join(
        line if line.isprintable() else "".join(map(_escape_json, line))
        for line in text.split("\n")
    )


def _escape_json(char: str) -> str:
    if char.isprintable() or char in _SPACES:
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
