"""Findings as text for people and as JSON for machines."""

from collections.abc import Mapping, Sequence

import click
import msgspec

from router.model import Finding, Severity

_COLOURS: Mapping[Severity, str] = {"error": "red", "warning": "yellow", "info": "blue"}


def as_text(findings: Sequence[Finding]) -> str:
    """A line a finding: `file:line:column: RTnnn sentence; suggestion`, in colour where the terminal has it."""
    return "\n".join(map(_line, findings))


def as_json(findings: Sequence[Finding]) -> str:
    """A JSON list: code, severity, sentence, suggestion, file, line, column of each finding."""
    listed = [
        {
            "code": finding.code.id,
            "severity": finding.code.severity,
            "sentence": finding.sentence,
            "suggestion": finding.suggestion,
            "file": finding.place.file,
            "line": finding.place.line,
            "column": finding.place.column,
        }
        for finding in findings
    ]
    return msgspec.json.format(msgspec.json.encode(listed)).decode()


def count_findings(findings: Sequence[Finding]) -> str:
    """How many there are of each severity, in words."""
    counts = []
    for severity in _COLOURS:
        number = sum(finding.code.severity == severity for finding in findings)
        if number:
            counts.append(f"{number} {severity}{'s' if number > 1 else ''}")
    return ", ".join(counts) or "no findings"


def _line(finding: Finding) -> str:
    text = str(finding)
    place, code = str(finding.place), finding.code.id
    rest = text[len(place) + len(code) + 3 :]
    return f"{click.style(place, bold=True)}: {click.style(code, fg=_COLOURS[finding.code.severity])} {rest}"
