"""Findings in SARIF 2.1.0, which code hosts and editors read: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from router.check.ignore import Ignored
from router.model import Code, Finding, Place, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}


def as_sarif(findings: Sequence[Finding], ignored: Sequence[Ignored] = ()) -> str:
    """A log with one run; those that are passed over are results with a suppression."""
    everything = [*findings, *(each.finding for each in ignored)]
    codes = {finding.code.id: finding.code for finding in everything}
    index = {id_: number for number, id_ in enumerate(codes)}
    results = [_result(finding, index) for finding in findings]
    for each in ignored:
        suppression = {"kind": "inSource", "justification": each.reason}
        results.append({**_result(each.finding, index), "suppressions": [suppression]})
    driver = {"name": "router", "version": version("message-router"), "rules": list(map(_rule, codes.values()))}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log)).decode()


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.id,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.why},
        "help": {"text": f"router check --explain {code.id}"},
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
    }


def _result(finding: Finding, index: Mapping[str, int]) -> dict[str, Any]:
    text = "; ".join(filter(None, [finding.sentence, finding.suggestion]))
    return {
        "ruleId": finding.code.id,
        "ruleIndex": index[finding.code.id],
        "level": _LEVELS[finding.code.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _location(finding.place)}],
    }


def _location(place: Place) -> dict[str, Any]:
    file = Path(place.file)
    location: dict[str, Any] = {
        "artifactLocation": {"uri": file.as_uri() if file.is_absolute() else quote(file.as_posix())}
    }
    if place.line:
        location["region"] = {"startLine": place.line, "startColumn": place.column}
    return location
