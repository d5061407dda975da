"""Findings in the formats of `router check`: text, JSON, SARIF, and GitHub's workflow commands."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec
from msgspec import structs

from router.errors import ConfigError
from router.model import Code, Finding, JsonObject, Place
from router.runtime.config.secret_values import WRITTEN
from router.runtime.filesystem import read_regular
from router.runtime.printable import printable, printable_json
from router.tools.check.ledger import NO_LEDGER, Ledger, LedgerEntry
from router.tools.check.run import Ignored, finding_record
from router.tools.cli.masked_output import tell

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
_SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_COMMANDS = {
    "error": "error",
    "warning": "warning",
    "info": "notice",
}
_WIDTH = 110
"""The maximum number of characters of a source line, and of an example, that are shown."""
_EXAMPLES = 3


def as_text(
    findings: Sequence[Finding], ignored: Sequence[Ignored] = (), excerpts: bool = False
) -> str:
    """Return a line for each finding, `file:line:column: severity RTnnn sentence; suggestion`, coloured on a terminal.

    Ignored findings follow with the reason. With `excerpts`, each finding has its source line and a caret.
    """
    lines = [line for finding in findings for line in _entry(finding, excerpts)]
    reasons = [
        f"{printable(str(each.finding))} {click.style(printable(f'(ignored: {each.reason.strip()})'), dim=True)}"
        for each in ignored
    ]
    return "\n".join([*lines, *reasons])


def count_findings(
    findings: Sequence[Finding], ignored: Sequence[Ignored] = (), ledger: Ledger = NO_LEDGER
) -> str:
    """Return the number of findings of each severity, and of those ignored; a second line sums up the ledger.

    Then there are the first examples of messages that may be rejected, of which no finding tells.
    "No findings" is printed only if each claim of the ledger is proved, or has a finding.
    """
    counts = []
    for severity in _COLOURS:
        number = sum(finding.code.severity == severity for finding in findings)
        if number:
            counts.append(f"{number} {severity}{'s' if number > 1 else ''}")
    if ignored:
        counts.append(f"{len(ignored)} ignored")
    if not counts and not ledger.has_unreported:
        counts.append("no findings")
    return "\n".join(filter(None, [", ".join(counts), sum_up(ledger), *_examples(ledger)]))


def _examples(ledger: Ledger) -> Iterator[str]:
    shown = (entry for entry in ledger.entries if entry.example and entry.fails_strict)
    for entry in islice(shown, _EXAMPLES):
        what = f"the {entry.kind} of '{entry.subject}'" if entry.subject else f"its {entry.kind}"
        # Masked before it is cut, which could leave a part of a secret.
        message = printable(WRITTEN.mask(entry.example)[:_WIDTH])
        yield f"route '{printable(entry.route)}': {printable(what)} {entry.in_words}, as of {message}"


def sum_up(ledger: Ledger) -> str:
    """Return how many claims of a ledger have each verdict; "" if there are none."""
    if not ledger.entries:
        return ""
    verdicts = Counter(entry.verdict for entry in ledger.entries)
    counts = [f"proved {verdicts['proved']} of {len(ledger.entries)} claims"]
    if refuted := verdicts["refuted"]:
        accepted = sum(
            entry.verdict == "refuted" and bool(entry.ignored) for entry in ledger.entries
        )
        more = f" ({accepted} ignored)" if accepted else ""
        counts.append(f"{refuted} thing{'s' if refuted > 1 else ''} may go wrong{more}")
    if verdicts["not decided"]:
        undecided = ledger.undecided
        ignored = sum(not entry.open for entry in undecided)
        without = sum(not entry.has_schema and entry.open for entry in undecided)
        parts = [f"{ignored} ignored"] if ignored else []
        if without:
            parts.append(f"{without} without a schema")
        more = f" ({', '.join(parts)})" if parts else ""
        counts.append(f"{len(undecided)} not decided{more}")
    how = ": --unproved shows them" if ledger.has_unreported else ""
    return "; ".join(counts) + how


@contextmanager
def exit_on_findings(err: bool) -> Iterator[None]:
    """Print the findings of a ConfigError that is raised inside, and exit with code 1."""
    try:
        yield
    except ConfigError as error:
        show_findings(error.findings, err)
        tell(count_findings(error.findings))
        sys.exit(1)


def show_findings(findings: Sequence[Finding], err: bool) -> None:
    """Print findings to standard output or error, with excerpts on a terminal."""
    if findings:
        click.echo(
            as_text(findings, excerpts=(sys.stderr if err else sys.stdout).isatty()), err=err
        )


def _entry(finding: Finding, excerpt: bool) -> Iterator[str]:
    code = finding.code
    colour = _COLOURS[code.severity]
    place = click.style(printable(str(finding.place)), bold=True)
    kind = click.style(f"{code.severity} {printable(code.id)}", fg=colour)
    yield f"{place}: {kind} {printable(_message(finding))}"
    if excerpt:
        yield from _excerpt(finding.place, colour)


def _excerpt(place: Place, colour: str) -> Iterator[str]:
    """Yield the source line and a caret below the column; nothing if the place is a whole file."""
    from rich.cells import cell_len  # for start-up time

    lines = _lines(place.file)
    if not 0 < place.line <= len(lines):
        return
    line = lines[place.line - 1]
    column = place.column - 1
    start = max(0, column - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = "".join(map(_printable, line[start : start + _WIDTH]))
    before = cell_len(shown[: column - start])
    number = f"{place.line:>6} | "
    yield f"{click.style(number, dim=True)}{shown}"
    yield f"{' ' * (len(number) + before)}{click.style('^', fg=colour, bold=True)}"


@cache
def _lines(file: str) -> Sequence[str]:
    """Return the lines of a file as YAML counts them; none if the file cannot be read as text."""
    try:
        text = read_regular(file).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ()
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _printable(char: str) -> str:
    """Replace a character that would move the cursor or control the terminal."""
    if char == "\t":
        return " "
    return char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"


def as_json(
    findings: Sequence[Finding],
    ignored: Sequence[Ignored] = (),
    ledger: Ledger = NO_LEDGER,
    more: Mapping[str, Any] = {},
) -> str:
    """Return a JSON object of `findings`, `claims` and what more there is.

    Ignored findings follow the others, and have the reason as `ignored`.
    """
    listed = [finding_record(finding) for finding in findings]
    listed += [{**finding_record(each.finding), "ignored": each.reason} for each in ignored]
    return _format({"findings": listed, "claims": list(map(_claim, ledger.entries)), **more})


def _claim(entry: LedgerEntry) -> JsonObject:
    record = {
        name: getattr(entry, name) for name in ("route", "kind", "subject", "verdict", "reason")
    }
    more = {
        "codes": entry.codes,
        "to_decide": entry.to_decide,
        "assumes": entry.assumes,
        "example": entry.example,
        "ignored": entry.ignored,
    }
    return (
        record
        | structs.asdict(entry.place)
        | {name: value for name, value in more.items() if value}
    )


def as_github(findings: Sequence[Finding], ignored: Sequence[Ignored] = ()) -> str:
    """Return a workflow command for each finding; ignored ones are notices with the reason."""
    lines = [
        _github_command(_GITHUB_COMMANDS[finding.code.severity], finding, "")
        for finding in findings
    ]
    lines += [
        _github_command("notice", each.finding, f" (ignored: {each.reason})") for each in ignored
    ]
    return "\n".join(lines)


def _github_command(name: str, finding: Finding, suffix: str) -> str:
    place = finding.place
    properties = {"file": place.file}
    if place.line:
        properties |= {"line": str(place.line), "col": str(place.column)}
    properties["title"] = finding.code.id
    listed = ",".join(f"{key}={_escape(value, ':,')}" for key, value in properties.items())
    return f"::{name} {listed}::{_escape(_message(finding) + suffix)}"


def _escape(text: str, more: str = "") -> str:
    """Escape what ends a command or a property, as the runner reads it, and what a terminal would not show."""
    return "".join(
        f"%{ord(char):02X}" if char in f"%\r\n{more}" else printable(char) for char in text
    )


def as_sarif(
    findings: Sequence[Finding], ignored: Sequence[Ignored] = (), ledger: Ledger = NO_LEDGER
) -> str:
    """Return a SARIF 2.1.0 log with one run; ignored findings are results with a suppression.

    Claims that are not decided, or that only a message refutes, are results of the kinds `open`, which has no level,
    and `fail`.

    Format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
    """
    # Imported here for start-up time.
    from importlib.metadata import version

    # What a result has besides its finding.
    shown: list[tuple[Finding, JsonObject]] = [(finding, {}) for finding in findings]
    shown += [(each.finding, _suppressed(each.reason)) for each in ignored]
    for entry in ledger.unreported:
        kind = {} if entry.by_message else {"kind": "open", "level": "none"}
        shown.append((entry.finding, kind | _suppressed(entry.ignored)))
    codes = {finding.code.id: finding.code for finding, _ in shown}
    index = {id_: number for number, id_ in enumerate(codes)}
    results = [_result(finding, index) | more for finding, more in shown]
    driver = {
        "name": "router",
        "version": version("message-router"),
        "rules": list(map(_rule, codes.values())),
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return _format({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _suppressed(reason: str) -> JsonObject:
    return {"suppressions": [{"kind": "inSource", "justification": reason}]} if reason else {}


def _rule(code: Code) -> JsonObject:
    # Imported here for start-up time.
    from router.tools.cli.code_pages import page_of

    page = page_of(code)
    return {
        "id": code.id,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.why},
        "help": {"text": f"router check --explain {code.id}"},
        "defaultConfiguration": {"level": _SARIF_LEVELS[code.severity]},
        **({"helpUri": page} if page else {}),
    }


def _result(finding: Finding, index: Mapping[str, int]) -> JsonObject:
    file = Path(finding.place.file)
    location: JsonObject = {
        "artifactLocation": {"uri": file.as_uri() if file.is_absolute() else quote(file.as_posix())}
    }
    if finding.place.line:
        location["region"] = {"startLine": finding.place.line, "startColumn": finding.place.column}
    return {
        "ruleId": finding.code.id,
        "ruleIndex": index[finding.code.id],
        "level": _SARIF_LEVELS[finding.code.severity],
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": location}],
    }


def _message(finding: Finding) -> str:
    return "; ".join(filter(None, [finding.sentence, finding.suggestion]))


def _format(value: Any) -> str:
    return printable_json(msgspec.json.format(msgspec.json.encode(value)).decode())
