"""Shows what becomes of one message, for `router explain`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import UNSET, Struct, structs

from router.errors import refusing_file
from router.model import Record
from router.runtime.engine.writes import Write
from router.runtime.filesystem import read_regular
from router.runtime.printable import printable, printable_lines
from router.runtime.program.load import Program, load
from router.tools.cli.json_output import print_json
from router.tools.cli.options import is_json, write_text_file
from router.tools.dev.compare import to_json
from router.tools.dev.explain import (
    Explanation,
    explain,
    read_message,
    require_names,
    show_value,
)
from router.tools.dev.explain_page import as_page
from router.tools.dev.stored_effect import ItemChange, StoredEffect, show_stored
from router.tools.memory.decoding import decode_item

_LONG = 100
"""The most characters of an item that is shown on one line."""


class ExplainOptions(Struct, frozen=True):
    """The options of the command; `after` are the messages that are written before."""

    config: Path
    queue: str
    raw: bool
    route: str | None
    claims: bool
    full: bool
    as_json: bool
    page: Path | None
    after: tuple[str, ...]


def run_explain(message: bytes, options: ExplainOptions) -> bool:
    """Show what becomes of a message; return whether it would be rejected or retried."""
    queue, route = options.queue, options.route
    loaded = load(options.config, os.environ)
    program = loaded.require()
    require_names(program, queue, route)
    record = read_message(program, queue, message, options.raw)
    earlier = [_read_earlier(program, queue, given, options.raw) for given in options.after]
    explained = explain(loaded, program, queue, record, earlier)
    if options.page:
        write_text_file(options.page, as_page(explained, program.config, route))
    if options.as_json:
        print_json(_as_record(explained, route))
    elif not options.page:
        lines = _in_full if options.full else _in_brief
        click.echo("\n".join(lines(explained, route)))
    if options.claims and not options.as_json:
        routes = [each.route.name for each in program.engine.queues[queue].routes]
        _show_claims(options.config, routes, route)
    return not explained.is_acknowledged


def _read_earlier(program: Program, queue: str, given: str, raw: bool) -> tuple[str, Record]:
    """Return the queue and the record of a message: a file, or JSON; raises UsageError."""
    name, mark, rest = given.partition("=")
    if mark and name in program.engine.queues:
        queue, given = name, rest
    if is_json(given):
        given_bytes = given.encode(errors="surrogateescape")
        return queue, read_message(program, queue, given_bytes, raw)
    with refusing_file(f"read the message of --after '{given}'"):
        content = read_regular(Path(given))
    return queue, read_message(program, queue, content, raw)


def _show_claims(config: Path, names: list[str], route: str | None) -> None:
    """Print the ledger of the routes of a queue, or of one of them."""
    from router.tools.check.run import examine
    from router.tools.cli.check_report import show_claims

    entries = examine(config, os.environ).ledger.entries
    show_claims(
        [entry for entry in entries if entry.route in names and route in (None, entry.route)]
    )


def _as_record(explained: Explanation, only: str | None) -> dict[str, Any]:
    record = {
        "queue": explained.queue,
        "conditions": [
            msgspec.to_builtins(each) for each in explained.conditions if only in (None, each.route)
        ],
        "stages": [
            {
                "route": each.route,
                "stage": each.stage,
                "micros": round(each.micros, 1),
                "value": show_value(each),
            }
            for each in explained.stages
            if only in (None, each.route) or not each.route
        ],
        "outcome": msgspec.to_builtins(explained.outcome),
        "failed_at": explained.failed_at,
        "faults": [msgspec.to_builtins(each) for each in explained.faults],
        "traceback": explained.traceback,
        "requests": explained.requests,
    }
    if explained.indexes:
        shown = [each for each in explained.indexes if only in (None, each.route)]
        record["indexes"] = msgspec.to_builtins(shown)
    if explained.stored:
        record["earlier"] = [msgspec.to_builtins(each) for each in explained.stored.earlier]
        record["items"] = [_item(each) for each in explained.stored.of_route(only)]
    return record


def _item(changed: ItemChange) -> dict[str, Any]:
    return {**structs.asdict(changed), "changes": [*map(_known, changed.changes)]}


def _known(change: Struct) -> dict[str, Any]:
    fields = structs.asdict(change)
    return {name: value for name, value in fields.items() if value is not UNSET}


def _in_brief(explained: Explanation, only: str | None) -> Iterable[str]:
    yield from _outcome(explained)
    if explained.stages:
        yield from _routes(explained, only)
    for stage in explained.stages if explained.requests else ():
        write = stage.value
        if isinstance(write, Write) and only in (None, stage.route):
            route = click.style(f"route {stage.route}", bold=True)
            text = f"{write.mode.name} in table {write.table.name}, {write.size} bytes"
            yield f"{route}: {printable(text)}"
            item = decode_item(write.item)
            line = to_json(item)
            yield _indent(line if len(line) <= _LONG else to_json(item, indent=2))
    yield from _indexes(explained, only)
    if explained.stored:
        yield from _stored(explained.stored, only)
    if sys.stdout.isatty():
        yield click.style("--full shows each stage and the requests", dim=True)


def _in_full(explained: Explanation, only: str | None) -> Iterable[str]:
    for stage in explained.stages:
        if stage.stage != "when" and (only in (None, stage.route) or not stage.route):
            route = click.style(f"{stage.route}: " if stage.route else "", dim=True)
            name = click.style(stage.stage, bold=True)
            yield f"{route}{name}  {click.style(f'{stage.micros:.1f} µs', dim=True)}"
            yield _indent(to_json(show_value(stage), indent=2))
        if not stage.route:
            yield from _routes(explained, only)
    yield from _outcome(explained)
    writes = sum(stage.stage == "write" for stage in explained.stages)
    if len(explained.requests) < writes and not explained.failed_at:
        yield click.style("in one request", bold=True)
        yield from (_indent(to_json(request, indent=2)) for request in explained.requests)
    yield from _indexes(explained, only)
    if explained.stored:
        yield from _stored(explained.stored, only)


def _indexes(explained: Explanation, only: str | None) -> Iterable[str]:
    """Yield what becomes of the items in the indexes of their tables."""
    for each in explained.indexes:
        if only in (None, each.route):
            yield printable(f"  route {each.route}: {each.in_words}")


def _outcome(explained: Explanation) -> Iterable[str]:
    """Yield the outcome, and of a message that fails, where and why."""
    outcome = explained.outcome
    colour = "green" if explained.is_acknowledged else "red"
    yield click.style(f"outcome: {outcome.kind}", fg=colour, bold=True)
    details = [("code", outcome.code), ("reason", outcome.reason), ("route", outcome.route)]
    details += [("stage", explained.failed_at), ("at", outcome.pointer)]
    yield from (f"  {label}: {printable(text)}" for label, text in details if text)
    for fault in explained.faults:
        where = f"'{fault.keyword}' at {fault.at}, of {fault.pointer} in the message"
        yield printable(f"  {fault.schema}: {where}: {fault.sentence}")
    if explained.traceback:
        yield _indent(printable_lines(explained.traceback))


def _stored(stored: StoredEffect, only: str | None) -> Iterable[str]:
    """Yield the outcomes of the earlier messages, and each item before and after the message."""
    yield click.style("earlier messages", bold=True)
    for number, outcome in enumerate(stored.earlier, 1):
        why = f" ({outcome.code} {outcome.reason})" if outcome.code else ""
        yield printable(f"  {number}: {outcome.kind}{why}")
    for item in stored.of_route(only):
        title = f"item of table {item.table} {to_json(item.key)}, by {' and '.join(item.routes)}"
        yield click.style(printable(title), bold=True)
        yield f"  before  {show_stored(item.before)}"
        yield f"  after   {show_stored(item.after)}"
        width = max((len(each.attribute) for each in item.changes), default=0)
        for each in item.changes:
            values = f"{show_stored(each.before)} → {show_stored(each.after)}"
            yield f"  {printable(each.attribute):{width}}  {values}"
        if not item.changes:
            yield "  nothing changes"


def _routes(explained: Explanation, only: str | None) -> Iterable[str]:
    yield click.style("routes", bold=True)
    marks: dict[Any, str] = {
        True: click.style("yes", fg="green"),
        False: click.style("no ", fg="red"),
        None: click.style("-  ", dim=True),
    }
    for each in explained.conditions:
        if only not in (None, each.route):
            continue
        condition = f"when {each.when}" if each.when else "always"
        why = f" — {each.why}" if each.why else ""
        yield f"  {marks[each.result]}  {printable(f'{each.route}: {condition}{why}')}"


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
