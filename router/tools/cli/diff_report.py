"""The formats of `router diff`."""

import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import click
from msgspec import UnsetType, structs

from router.model import Finding, JsonObject
from router.runtime.printable import printable
from router.tools.change.report import ChangeFinding, DiffReport, RouteReport, grouped, summary
from router.tools.check.run import Ignored
from router.tools.cli.report import as_github, as_sarif
from router.tools.dev.compare import to_json

COLOURS = {
    "breaking": "red", "risky": "yellow", "info": "blue", "compatible": "green", "unknown": "yellow",
}  # fmt: skip
_NARROW = 80
_WIDE = 110
_INDENT = " " * 9
_MOST_LINES = 40
"""Lines of a message that the text shows."""
_LONGEST = 2000
"""Characters of a message that one line shows."""


def render(report: DiffReport, form: str, show_ignored: bool) -> str:
    """Return a report in one of the formats."""
    match form:
        case "json":
            return to_json(as_diff_record(report, show_ignored), indent=2)
        case "markdown":
            return "\n".join(_markdown(report, show_ignored))
        case "github" | "sarif":
            findings = [_finding(each) for each in report.findings]
            shown = report.ignored if show_ignored else ()
            ignored = [Ignored(_finding(each), each.ignored) for each in shown]
            return as_github(findings, ignored) if form == "github" else as_sarif(findings, ignored)
        case _:
            return "\n".join(_text(report, show_ignored))


def _finding(found: ChangeFinding) -> Finding:
    """Return a finding for a report that has one place for each; the old place is in the suggestion."""
    change = found.change
    parts = [change.suggestion] if change.suggestion else []
    if change.has_example:
        parts.append(
            f"for example {_short(change.example)} (before: {change.before}; after: {change.after})"
        )
    parts.append(f"was at {found.old_place}")
    return Finding(change.code, change.with_route, found.place, "; ".join(parts))


def _text(report: DiffReport, show_ignored: bool) -> Iterator[str]:
    width = _NARROW
    if sys.stdout.isatty():
        width = min(max(shutil.get_terminal_size().columns, _NARROW), _WIDE)
    yield f"{printable(report.old)} → {printable(report.new)}"
    for route, findings in grouped(report, show_ignored):
        yield ""
        if route is None:
            yield click.style("other changes", bold=True)
        else:
            verdict = click.style(route.verdict, fg=COLOURS[route.verdict], bold=True)
            was = f" (was {route.was})" if route.was else ""
            yield f"{verdict}  {printable(route.route)}{was}"
            for why in route.unproved:
                yield from _wrapped(f"not known: {why}", width, "  ", "  ")
        for found in findings:
            yield from _entry(found, width)
    if report.routes or report.findings:
        yield ""
    yield summary(report)


def _entry(found: ChangeFinding, width: int) -> Iterator[str]:
    change = found.change
    colour = COLOURS[found.risk]
    kind = f"{found.risk} {change.code.id}"
    first, *rest = _wrapped(_advised(found), width, f"  {kind}  ", _INDENT)
    yield first.replace(kind, click.style(kind, fg=colour), 1)
    yield from rest
    places = str(found.place)
    if found.place != found.old_place:
        places += f", was at {found.old_place}"
    for line in _wrapped(places, width, _INDENT, _INDENT):
        yield click.style(line, dim=True)
    if found.ignored:
        yield from _wrapped(f"(ignored: {found.ignored.strip()})", width, _INDENT, _INDENT)
    if change.has_example:
        yield from _message(change.example, width)
        for label, text in (("before", change.before), ("after", change.after)):
            yield from _wrapped(text, width, f"{_INDENT}{label:8} ", " " * (len(_INDENT) + 9))


def _advised(found: ChangeFinding) -> str:
    """Return the sentence of a finding, and what to do, if that is known."""
    return "; ".join(filter(None, (found.change.sentence, found.change.suggestion)))


def _message(message: Any, width: int) -> Iterator[str]:
    """Yield a message as JSON that can be copied: on one line, or indented."""
    text = to_json(message)
    if len(text) <= width - len(_INDENT) - 9:
        yield f"{_INDENT}{'message':8} {text}"
        return
    yield f"{_INDENT}message"
    lines = to_json(message, indent=2).splitlines()
    yield from (f"{_INDENT}  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"{_INDENT}  … {len(lines) - _MOST_LINES} more lines; --format json has all"


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
        break_long_words=False,  # such as ARNs, which are copied
    ) or [first]


def _short(message: Any) -> str:
    text = to_json(message)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _markdown(report: DiffReport, show_ignored: bool) -> Iterator[str]:
    yield f"### Changes of the routes: {_code(report.old)} → {_code(report.new)}"
    yield f"\n{_escaped(summary(report))}"
    for route, findings in grouped(report, show_ignored):
        if route is None:
            yield "\n#### Other changes"
        else:
            yield f"\n#### {_code(route.route)}: {route.verdict}"
            if route.was:
                yield f"\nIt was named {_code(route.was)}."
            for why in route.unproved:
                yield f"\nNot known: {_escaped(why)}."
        yield ""
        for found in findings:
            yield from _item(found)


def _item(found: ChangeFinding) -> Iterator[str]:
    change = found.change
    ignored = f" (ignored: {_escaped(found.ignored.strip())})" if found.ignored else ""
    yield f"- **{found.risk}** {change.code.id} {_escaped(_advised(found))} ({_code(str(found.place))}){ignored}"
    if change.has_example:
        yield f"  - message: {_code(_short(change.example))}"
        yield f"  - before: {_code(change.before)}"
        yield f"  - after: {_code(change.after)}"


def _code(text: str) -> str:
    """Return text as code in Markdown, fenced by more backquotes than it has."""
    shown = printable(text)
    fence = "`" * (shown.count("`") + 1)
    space = " " if "`" in shown else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#@" else char for char in printable(text))


def as_diff_record(report: DiffReport, show_ignored: bool = False) -> JsonObject:
    """Return a report for JSON."""
    shown = [*report.findings, *(report.ignored if show_ignored else ())]
    return {
        "old": report.old,
        "new": report.new,
        "breaks": report.breaks,
        "routes": [_route_record(each) for each in report.routes],
        "same_routes": report.same,
        "side_by_side": {"safe": not report.conflicts, "reasons": report.conflicts},
        "findings": [*map(_finding_record, shown)],
    }


def _route_record(route: RouteReport) -> JsonObject:
    found = None if isinstance(route.counterexample, UnsetType) else route.counterexample
    return {
        "route": route.route,
        "was": route.was or route.route,
        "verdict": route.verdict,
        "unknown": route.unproved,
        "counterexample": found,
        "findings": [_finding_record(each) for each in route.findings if not each.ignored],
    }


def _finding_record(found: ChangeFinding) -> JsonObject:
    change = found.change
    record = {
        "code": change.code.id,
        "severity": found.risk,
        "sentence": change.sentence,
        "suggestion": change.suggestion,
        "route": change.route,
        "path": change.path,
        **structs.asdict(found.place),
        "old": structs.asdict(found.old_place),
    }
    if change.has_example:
        record |= {"example": change.example, "before": change.before, "after": change.after}
    return record | ({"ignored": found.ignored} if found.ignored else {})
