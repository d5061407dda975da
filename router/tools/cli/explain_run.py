"""Shows what becomes of one message, for `router explain`."""

import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click
from msgspec import UNSET, Struct, structs

from router.errors import refusing_file
from router.model import JsonObject, Record
from router.runtime.engine.writes import Write
from router.runtime.filesystem import read_regular
from router.runtime.printable import printable, printable_lines
from router.runtime.program.load import Program, load
from router.tools.cli.json_output import print_json
from router.tools.cli.options import Repeated, is_json, write_text_file
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
    after: Repeated


def run_explain(message: bytes, options: ExplainOptions) -> bool:
    """Show what becomes of a message; return whether it would be rejected or retried."""
    queue = options.queue
    route = options.route
    loaded = load(options.config, os.environ)
    program = loaded.require()
    require_names(program, queue, route)
    record = read_message(program, queue, message, options.raw)
    earlier = [_read_earlier(program, queue, given, options.raw) for given in options.after]
    explained = explain(loaded, program, queue, record, earlier)
    if options.page:
        write_text_file(options.page, as_page(explained, program.config, route))
    shown = _of_route(explained, route)
    if options.as_json:
        print_json(_as_record(shown))
    elif not options.page:
        lines = _in_full(explained, shown) if options.full else _in_brief(shown)
        click.echo("\n".join(lines))
    if options.claims and not options.as_json:
        routes = [each.route.name for each in program.engine.queues[queue].routes]
        _show_claims(options.config, [route] if route else routes)
    return not explained.is_acknowledged


def _read_earlier(program: Program, queue: str, given: str, raw: bool) -> tuple[str, Record]:
    """Return the queue and the record of a message: a file, or JSON; raises UsageError."""
    name, mark, rest = given.partition("=")
    if mark and name in program.engine.queues:
        queue = name
        given = rest
    if is_json(given):
        content = given.encode(errors="surrogateescape")
    else:
        with refusing_file(f"read the message of --after '{given}'"):
            content = read_regular(Path(given))
    return queue, read_message(program, queue, content, raw)


def _show_claims(config: Path, routes: list[str]) -> None:
    """Print the ledger of routes."""
    from router.tools.check.run import examine
    from router.tools.cli.check_report import show_claims

    entries = examine(config, os.environ).ledger.entries
    show_claims([entry for entry in entries if entry.route in routes])


def _of_route(explained: Explanation, route: str | None) -> Explanation:
    """Return what is about one route, or about all of them; for None everything."""
    if route is None:
        return explained
    stored = explained.stored
    return structs.replace(
        explained,
        stages=tuple(each for each in explained.stages if each.route in ("", route)),
        conditions=tuple(each for each in explained.conditions if each.route == route),
        indexes=tuple(each for each in explained.indexes if each.route == route),
        stored=stored and structs.replace(stored, items=tuple(stored.of_route(route))),
    )


def _as_record(explained: Explanation) -> JsonObject:
    record = {
        "queue": explained.queue,
        "conditions": explained.conditions,
        "stages": [
            {
                "route": each.route,
                "stage": each.stage,
                "micros": round(each.micros, 1),
                "value": show_value(each),
            }
            for each in explained.stages
        ],
        "outcome": explained.outcome,
        "failed_at": explained.failed_at,
        "faults": explained.faults,
        "traceback": explained.traceback,
        "requests": explained.requests,
    }
    if explained.undecoded:
        record["undecoded"] = explained.undecoded
    if explained.indexes:
        record["indexes"] = explained.indexes
    if explained.stored:
        record["earlier"] = explained.stored.earlier
        record["items"] = [*map(_item, explained.stored.items)]
    return record


def _item(changed: ItemChange) -> JsonObject:
    return {**structs.asdict(changed), "changes": [*map(_known, changed.changes)]}


def _known(change: Struct) -> JsonObject:
    return {name: value for name, value in structs.asdict(change).items() if value is not UNSET}


def _in_brief(explained: Explanation) -> Iterable[str]:
    yield from _outcome(explained)
    if explained.stages:
        yield from _routes(explained)
    for stage in explained.stages if explained.requests else ():
        write = stage.value
        if isinstance(write, Write):
            route = click.style(f"route {stage.route}", bold=True)
            text = f"{write.mode.name} in table {write.table.name}, {write.size} bytes"
            yield f"{route}: {printable(text)}"
            item = decode_item(write.item)
            line = to_json(item)
            yield _indent(line if len(line) <= _LONG else to_json(item, indent=2))
    yield from _indexes_and_stored(explained)
    if sys.stdout.isatty():
        yield click.style("--full shows each stage and the requests", dim=True)


def _in_full(explained: Explanation, shown: Explanation) -> Iterable[str]:
    for stage in shown.stages:
        if stage.stage != "when":
            route = click.style(f"{stage.route}: " if stage.route else "", dim=True)
            name = click.style(stage.stage, bold=True)
            yield f"{route}{name}  {click.style(f'{stage.micros:.1f} µs', dim=True)}"
            yield _indent(to_json(show_value(stage), indent=2))
        if not stage.route:
            yield from _routes(shown)
    yield from _outcome(explained)
    # The requests are those of all routes.
    writes = sum(stage.stage == "write" for stage in explained.stages)
    if len(explained.requests) < writes and not explained.failed_at:
        yield click.style("in one request", bold=True)
        yield from (_indent(to_json(request, indent=2)) for request in explained.requests)
    yield from _indexes_and_stored(shown)


def _indexes_and_stored(explained: Explanation) -> Iterable[str]:
    """Yield what becomes of the items together, in the indexes of their tables, and after earlier messages."""
    writes = [stage.value for stage in explained.stages if isinstance(stage.value, Write)]
    whole = Counter([write.identity for write in writes if write.mode.stores == "item"])
    for (table, *_), count in whole.items():
        if count > 1:
            sentence = f"{count} of these items have one key: table {table} keeps one of them"
            yield click.style(f"  {printable(sentence)}", fg="yellow")
    for each in explained.indexes:
        yield printable(f"  route {each.route}: {each.in_words}")
    if explained.stored:
        yield from _stored(explained.stored)


def _outcome(explained: Explanation) -> Iterable[str]:
    """Yield the outcome, and of a message that fails, where and why."""
    outcome = explained.outcome
    colour = "green" if explained.is_acknowledged else "red"
    yield click.style(f"outcome: {outcome.kind}", fg=colour, bold=True)
    details = [("code", outcome.code), ("reason", outcome.reason), ("route", outcome.route)]
    details += [("stage", explained.failed_at), ("at", outcome.pointer or explained.undecoded)]
    yield from (f"  {label}: {printable(text)}" for label, text in details if text)
    for fault in explained.faults:
        where = f"'{fault.keyword}' at {fault.at}, of {fault.pointer} in the message"
        yield printable(f"  {fault.schema}: {where}: {fault.sentence}")
    if explained.traceback:
        yield _indent(printable_lines(explained.traceback))


def _stored(stored: StoredEffect) -> Iterable[str]:
    """Yield the outcomes of the earlier messages, and each item before and after the message."""
    yield click.style("earlier messages", bold=True)
    for number, outcome in enumerate(stored.earlier, 1):
        why = f" ({outcome.code} {outcome.reason})" if outcome.code else ""
        yield printable(f"  {number}: {outcome.kind}{why}")
    for item in stored.items:
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


def _routes(explained: Explanation) -> Iterable[str]:
    yield click.style("routes", bold=True)
    marks = {
        True: click.style("yes", fg="green"),
        False: click.style("no ", fg="red"),
        None: click.style("-  ", dim=True),
    }
    for each in explained.conditions:
        condition = f"when {each.when}" if each.when else "always"
        why = f" — {each.why}" if each.why else ""
        yield f"  {marks[each.result]}  {printable(f'{each.route}: {condition}{why}')}"


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
