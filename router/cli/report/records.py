"""Findings as JSON for machines."""

from collections.abc import Sequence
from typing import Any

import msgspec

from router.check.ignore import Ignored
from router.model import Finding


def as_json(findings: Sequence[Finding], ignored: Sequence[Ignored] = ()) -> str:
    """A JSON list: code, severity, sentence, suggestion, file, line, column of each finding.

    Those that are passed over follow, and have the reason too, as `ignored`.
    """
    listed = [_record(finding) for finding in findings]
    listed += [{**_record(each.finding), "ignored": each.reason} for each in ignored]
    return msgspec.json.format(msgspec.json.encode(listed)).decode()


def _record(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code.id,
        "severity": finding.code.severity,
        "sentence": finding.sentence,
        "suggestion": finding.suggestion,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
    }
