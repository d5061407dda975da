"""Findings as workflow commands, which GitHub Actions shows at the lines of a pull request."""

from collections.abc import Mapping, Sequence

from router.check.ignore import Ignored
from router.model import Finding, Severity

_COMMANDS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def as_github(findings: Sequence[Finding], ignored: Sequence[Ignored] = ()) -> str:
    """A command a finding; those that are passed over are notices, with the reason."""
    lines = [_command(_COMMANDS[finding.code.severity], finding, "") for finding in findings]
    lines += [_command("notice", each.finding, f" (ignored: {each.reason})") for each in ignored]
    return "\n".join(lines)


def _command(name: str, finding: Finding, tail: str) -> str:
    place = finding.place
    properties = {"file": place.file}
    if place.line:
        properties |= {"line": str(place.line), "col": str(place.column)}
    properties["title"] = finding.code.id
    shown = ",".join(f"{key}={_escape(value, _PROPERTY)}" for key, value in properties.items())
    text = "; ".join(filter(None, [finding.sentence, finding.suggestion])) + tail
    return f"::{name} {shown}::{_escape(text, _DATA)}"


def _escape(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(char, char) for char in text)
