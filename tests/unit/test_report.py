"""Findings as text and as JSON."""

import json

import click
import pytest

from router.model import Code, Finding, Place, Severity
from router.report import as_json, as_text, count_findings

ERROR = Finding(Code("RT101", "t", "w"), "unknown key", Place("routes.yaml", 5, 13), "remove it")
WARNING = Finding(Code("RT203", "t", "w", "warning"), "no dead-letter queue", Place("routes.yaml", 2, 1))
INFO = Finding(Code("ACME1", "t", "w", "info"), "at the: whole", Place("routes.yaml"))


def of(severity: Severity) -> Finding:
    return Finding(Code("RT101", "t", "w", severity), "x", Place("routes.yaml"))


def test_as_text() -> None:
    """A line each, which without its colours is the finding."""
    assert click.unstyle(as_text([ERROR, WARNING, INFO])) == (
        "routes.yaml:5:13: RT101 unknown key; remove it\n"
        "routes.yaml:2:1: RT203 no dead-letter queue\n"
        "routes.yaml: ACME1 at the: whole"
    )


@pytest.mark.parametrize(("finding", "colour"), [(ERROR, "red"), (WARNING, "yellow"), (INFO, "blue")])
def test_colours(finding: Finding, colour: str) -> None:
    """The place stands out, and the code has the colour of its severity."""
    place, code = str(finding.place), finding.code.id
    rest = str(finding).removeprefix(f"{place}: {code} ")

    assert as_text([finding]) == f"{click.style(place, bold=True)}: {click.style(code, fg=colour)} {rest}"


def test_no_findings_as_text() -> None:
    """Nothing."""
    assert as_text([]) == ""


def test_as_json() -> None:
    """All that a machine may want to know, line and column 0 for the whole file."""
    assert json.loads(as_json([ERROR, INFO])) == [
        {
            "code": "RT101",
            "severity": "error",
            "sentence": "unknown key",
            "suggestion": "remove it",
            "file": "routes.yaml",
            "line": 5,
            "column": 13,
        },
        {
            "code": "ACME1",
            "severity": "info",
            "sentence": "at the: whole",
            "suggestion": "",
            "file": "routes.yaml",
            "line": 0,
            "column": 0,
        },
    ]


@pytest.mark.parametrize(
    ("severities", "text"),
    [
        ([], "no findings"),
        (["error"], "1 error"),
        (["info", "error", "error", "warning"], "2 errors, 1 warning, 1 info"),
        (["warning", "warning"], "2 warnings"),
        (["info", "info"], "2 infos"),
    ],
)
def test_count_findings(severities: list[Severity], text: str) -> None:
    """The worst first."""
    assert count_findings([of(severity) for severity in severities]) == text
