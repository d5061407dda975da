"""Findings as JSON and as workflow commands."""

import json

import pytest

from router.model import Code, Finding, Place, Severity
from router.tools.cli.report import as_github, as_json
from tests.support.check import Ignored

ERROR = Finding(Code("RT101", "t", "w"), "unknown key", Place("routes.yaml", 5, 13), "remove it")
INFO = Finding(Code("ACME1", "t", "w", "info"), "at the: whole", Place("routes.yaml"))


def test_as_json() -> None:
    """All that a machine may want to know, line and column 0 for the whole file."""
    findings = [
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
            "ignored": "known",
        },
    ]

    shown = as_json([ERROR], [Ignored(INFO, "known")])

    assert json.loads(shown) == {"findings": findings, "claims": []}


@pytest.mark.parametrize(("severity", "command"), [("error", "error"), ("warning", "warning"), ("info", "notice")])
def test_as_github(severity: Severity, command: str) -> None:
    """A command each, which is shown at its line."""
    finding = Finding(Code("RT101", "t", "w", severity), "unknown key", Place("a/routes.yaml", 5, 13), "remove it")

    assert as_github([finding]) == f"::{command} file=a/routes.yaml,line=5,col=13,title=RT101::unknown key; remove it"


def test_as_github_with_odd_characters() -> None:
    """What would end a command or a property is escaped, in each by its own rules."""
    finding = Finding(Code("A:1", "t", "w"), "100%\r\n::error::x, y", Place("a,b:c%.yaml"))

    assert as_github([finding]) == "::error file=a%2Cb%3Ac%25.yaml,title=A%3A1::100%25%0D%0A::error::x, y"


def test_as_github_ignored() -> None:
    """What is passed over is a notice, with the reason."""
    assert as_github([], [Ignored(ERROR, "known")]) == (
        "::notice file=routes.yaml,line=5,col=13,title=RT101::unknown key; remove it (ignored: known)"
    )
