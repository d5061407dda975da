"""Findings as text for people: a line each, on a terminal with the place in the source."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import click

from router.check.ignore import Ignored
from router.model import Finding, Place, Severity

_COLOURS: Mapping[Severity, str] = {"error": "red", "warning": "yellow", "info": "blue"}
_WIDTH = 110
"""Characters of a source line that are shown, around the place."""


def as_text(findings: Sequence[Finding], ignored: Sequence[Ignored] = (), excerpts: bool = False) -> str:
    """A line a finding: `file:line:column: RTnnn sentence; suggestion`, in colour where the terminal has it.

    Those that are passed over follow, with the reason. With `excerpts`, each has the line of the source and a caret.
    """
    lines = [line for finding in findings for line in _entry(finding, excerpts)]
    passed_over = [f"{each.finding} {click.style(f'(ignored: {each.reason.strip()})', dim=True)}" for each in ignored]
    return "\n".join([*lines, *passed_over])


def count_findings(findings: Sequence[Finding], ignored: Sequence[Ignored] = ()) -> str:
    """How many there are of each severity, in words, and how many more are passed over."""
    counts = []
    for severity in _COLOURS:
        number = sum(finding.code.severity == severity for finding in findings)
        if number:
            counts.append(f"{number} {severity}{'s' if number > 1 else ''}")
    if ignored:
        counts.append(f"{len(ignored)} ignored")
    return ", ".join(counts) or "no findings"


def _entry(finding: Finding, excerpt: bool) -> Iterator[str]:
    text = str(finding)
    place, code = str(finding.place), finding.code.id
    rest = text[len(place) + len(code) + 3 :]
    colour = _COLOURS[finding.code.severity]
    yield f"{click.style(place, bold=True)}: {click.style(code, fg=colour)} {rest}"
    if excerpt:
        yield from _excerpt(finding.place, colour)


def _excerpt(place: Place, colour: str) -> Iterator[str]:
    """The line of the source, and a caret under the place; nothing if the place is a file as a whole."""
    lines = _lines(place.file)
    if not 0 < place.line <= len(lines):
        return
    line, column = lines[place.line - 1], place.column - 1
    start = max(0, column - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = "".join(map(_visible, line[start : start + _WIDTH]))
    before = sum(map(_columns, shown[: column - start]))
    number = f"{place.line:>6} | "
    yield f"{click.style(number, dim=True)}{shown}"
    yield f"{' ' * (len(number) + before)}{click.style('^', fg=colour, bold=True)}"


@cache
def _lines(file: str) -> Sequence[str]:
    """The lines of a file as YAML counts them; none if it cannot be shown."""
    try:
        text = Path(file).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ()
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _visible(char: str) -> str:
    """A character as one that moves no cursor and switches no terminal."""
    if char == "\t":
        return " "
    return char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _columns(char: str) -> int:
    """The columns that a terminal gives to a character."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
