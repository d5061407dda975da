"""Makes a route from samples, for `router new`, and verifies it."""

import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from router.errors import ConfigError, UsageError, refusing_file
from router.model import JsonObject
from router.runtime.aws.references import table_fault
from router.runtime.printable import printable
from router.runtime.program.load import load
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.terminal import confirm, literal, print_line, print_table, progress_bar
from router.tools.dev.new.existing import edit_of_whole_items
from router.tools.dev.new.files import (
    WORKFLOW,
    Examined,
    NewFile,
    examine_config,
    make_files,
    undo,
    write_files,
)
from router.tools.dev.new.plan import Plan, plan_routes
from router.tools.dev.new.rejections import rejections
from router.tools.dev.new.samples import SampleSet, open_samples, read_bodies
from router.tools.dev.new.tables import NewTable, Wanted
from router.tools.dev.new.trial import losses_of

if TYPE_CHECKING:
    from router.tools.dev.new.fields import KeyCandidate

_QUEUE = re.compile(r"sqs:(?P<name>.+)|(?P<arn>arn:[\w-]+:sqs:.+)|(?P<url>https?://.+)")
_SHOWN = 5
"""The number of candidates for a key that are shown."""


class NewOptions(Struct, frozen=True):
    """The options of the command."""

    config: Path
    name: str
    queue: str
    table: str
    key: str
    mode: str | None
    version: str
    count: int
    values: bool
    yes: bool
    as_json: bool


def run_new(names: Sequence[str], options: NewOptions) -> int:
    """Make the route of samples; return whether that was not confirmed."""
    live = [match for match in map(_QUEUE.fullmatch, names) if match]
    if live and len(names) > 1:
        raise UsageError("give files, or one queue")
    if live:
        from router.tools.cli.new_queue import sample_queue

        received = sample_queue(live[0]["name"] or names[0], options.count)
        wanted = _wanted(options, received.name, received.settings)
        return _make(received.samples, wanted, options, masked=not options.values)
    bodies = [
        body
        for name in names
        for body in read_bodies(_read(name), "standard input" if name == "-" else name)
    ]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(names[0]).stem).strip("-_")
    return _make(open_samples(bodies), _wanted(options, stem), options, masked=False)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    with refusing_file(f"read {name}"):
        return Path(name).read_bytes()


def _wanted(options: NewOptions, default: str, settings: Mapping[str, Any] = {}) -> Wanted:
    queue = options.queue or default
    if not queue:
        raise UsageError("give the name of the queue with --queue")
    stem = queue.removesuffix(".fifo")
    return Wanted(
        options.name or stem,
        queue,
        options.table or stem,
        options.key,
        options.mode or "",
        options.version,
        settings,
    )


def _make(samples: SampleSet, wanted: Wanted, options: NewOptions, masked: bool) -> int:
    config = load(options.config, os.environ).require().config if options.config.exists() else None
    before = examine_config(options.config, os.environ)
    asks = sys.stdin.isatty() and not options.yes and not options.as_json

    def choose(candidates: Sequence["KeyCandidate"], table: str) -> "KeyCandidate":
        if not options.as_json:
            _show_candidates(candidates, table)
        if not asks or len(candidates) == 1:
            return candidates[0]
        most = min(len(candidates), _SHOWN)
        number: int = click.prompt("The key", type=click.IntRange(1, most), default=1, err=True)
        return candidates[number - 1]

    plan = plan_routes(samples, wanted, config, choose)
    files = make_files(plan, options.config, masked)
    if not options.as_json:
        _show_plan(plan)
    # Of files that nobody is asked about, only what was written is said.
    if not options.yes:
        if not options.as_json:
            _show_files(files)
        if not confirm("Write these files?"):
            tell("nothing was written")
            return 1
    undecided = _write_verified(plan, files, options, before)
    if options.yes and not options.as_json:
        _show_files(files)
    _report(plan, files, options, undecided)
    return 0


def _write_verified(
    plan: Plan, files: Sequence[NewFile], options: NewOptions, before: Examined
) -> list[str]:
    """Write the files, and return the claims that are not decided of a config with new routes.

    Raises UsageError if it has new faults, or if the routes lose what a sample has; then nothing is
    changed.
    """
    made = write_files(files)
    try:
        after = examine_config(options.config, os.environ)
        faults = [text for fault, text in after.faults.items() if fault not in before.faults]
        faults += _losses(plan, options)
    except BaseException:  # Ctrl-C leaves no files that are not verified
        undo(files, made)
        raise
    if faults:
        undo(files, made)
        faults += _ways_out(plan, options)
        raise UsageError(
            "nothing was written, since the result would not pass:\n" + "\n".join(faults)
        )
    return [text for claim, text in after.undecided.items() if claim not in before.undecided]


def _losses(plan: Plan, options: NewOptions) -> list[str]:
    """Return what the config with new routes loses of their samples, with a progress bar."""
    try:
        program = load(options.config, os.environ).require()
    except ConfigError:
        # Its errors are among the faults.
        return []
    count = sum(len(route.shape.messages) for route in plan.routes if route.one_of is None)
    with progress_bar("trying the samples", count) as progress:
        return losses_of(program, plan.routes, progress)


def _ways_out(plan: Plan, options: NewOptions) -> Iterator[str]:
    """Yield what helps if the result would not pass."""
    new_tables = {table.name for table in plan.tables}
    for name in sorted(new_tables):
        if table_fault(name):
            yield f"give another name than '{name}' with --table"
    shared = {route.settings["table"] for route in plan.routes} - new_tables
    if shared:
        yield from _ways_to_share(shared, options)


def _ways_to_share(shared: Collection[str], options: NewOptions) -> Iterator[str]:
    """Yield what keeps what other routes store in tables that exist."""
    with suppress(ConfigError):
        edit = edit_of_whole_items(load(options.config, os.environ), shared)
        if edit:
            yield f"whole items erase what other routes store; edit {options.config}, and run this again:"
            yield edit
    yield "another --table keeps apart what other routes of this one store"


def _show_candidates(candidates: Sequence["KeyCandidate"], table: str) -> None:
    rows = [
        [str(index), literal(each.name), each.type, literal("; ".join(each.reasons))]
        for index, each in enumerate(candidates[:_SHOWN], 1)
    ]
    print_table(["", "field", "type", "why"], rows, literal(f"keys for table {table}"))


def _show_plan(plan: Plan) -> None:
    for note in plan.notes:
        print_line(note)
    for table in plan.tables:
        for note in table.notes:
            print_line(f"table {table.name}: {note}")
    for route in plan.routes:
        count = len(route.shape.messages)
        what = "1 sample" if count == 1 else f"{count} samples"
        print_line(f"route {route.name}: {route.settings.get('when', 'all messages')} ({what})")
        for sentence in rejections(route.schema):
            print_line(f"  rejects a message in which {sentence}")


def _show_files(files: Sequence[NewFile]) -> None:
    for file in files:
        print_line(f"{'new ' if file.before is None else 'edit'}  {file.path}")


def _table_as_json(table: NewTable) -> JsonObject:
    candidates = [
        {"path": each.name, "type": each.type, "why": each.reasons} for each in table.candidates
    ]
    return {
        "name": table.name,
        "key": dict(table.key),
        "candidates": candidates,
        "notes": table.notes,
    }


def _report(
    plan: Plan, files: Sequence[NewFile], options: NewOptions, undecided: Sequence[str]
) -> None:
    if options.as_json:
        print_json(
            {
                "files": [{"path": str(each.path), "new": each.before is None} for each in files],
                "routes": [
                    {
                        "name": each.name,
                        **each.settings,
                        "samples": len(each.shape.messages),
                        "rejects": rejections(each.schema),
                    }
                    for each in plan.routes
                ],
                "tables": [_table_as_json(table) for table in plan.tables],
                "notes": plan.notes,
                "undecided": undecided,
            }
        )
        return
    names = ", ".join(route.name for route in plan.routes)
    if any(WORKFLOW in each.path.parts for each in files):
        click.echo(f"fill in OWNER and COMMIT in .github/workflows/{WORKFLOW}")
    for text in undecided:
        click.echo(printable(text))
    strict = "" if undecided else " --strict"
    click.echo(printable(f"passed router check{strict} and router test: {names}"))
    if undecided:
        click.echo(
            "router check --strict fails on what is not decided: narrow the schema there, or accept it "
            "with 'ignore' in the config"
        )
