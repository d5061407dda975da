"""`router dlq`: list, show, rehearse, redrive, export and drop the messages on dead-letter queues."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import click
from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.faults import DENIED
from router.tools.cli.dlq_options import (
    DlqOptions,
    DlqSession,
    open_session,
    selection_options,
    stop_on_sigterm,
)
from router.tools.cli.dlq_report import (
    causes_as_json,
    count,
    counts_as_json,
    message_as_json,
    none_selected,
    print_causes,
    print_counts,
    print_message,
)
from router.tools.cli.options import FILE, NEW_FILE, json_option, yes_option
from router.tools.cli.terminal import confirm_by_typing
from router.tools.dev.compare import to_json
from router.tools.dlq.messages import DlqMessage, Property, count_by, count_causes
from router.tools.dlq.queues import OpenQueue
from router.tools.dlq.spool import write_messages

_values_option = click.option(
    "--values", is_flag=True, help="Show values; they are hidden otherwise."
)


@click.group("dlq")
def command() -> None:
    """Work on the messages of dead-letter queues: those that the router put there, and those that SQS moved.

    SQS has no way to look at a message without receiving it: a command makes the messages invisible while it works, and
    visible again when it ends. Each command takes the same options to select messages.

    \b
    Examples:
      router dlq list
      router dlq show 0f2c1b9e-5f0e-4f1c-9a55-7a3a3d6f8a11
      router dlq rehearse --code RT806 --diff
      router dlq redrive --code RT806 --since 2h
    """
    stop_on_sigterm()


@command.command("list", short_help="Count the messages by cause.")
@selection_options
@click.option(
    "--by",
    "property_",
    type=click.Choice(get_args(Property)),
    help="Count by the sender, the route, the code, or the config that rejected them, by its hash.",
)
@json_option
def list_(property_: Property | None, as_json: bool, **options: Any) -> None:
    """Count the messages by code, route, place and reason, each with the oldest, the newest and an example.

    Exit code 0: there are no messages; 1: there are some, also if another consumer has them; 2: could not run.

    \b
    Examples:
      router dlq list
      router dlq list --by sender
      router dlq list --queue orders --since 2h --json
    """
    session = open_session(DlqOptions(**options))
    counted = session.map_opened(lambda opened: _count(session, opened, property_))
    if as_json:
        click.echo(to_json([each.report for each in counted], indent=2))
    else:
        for each in counted:
            each.show()
    sys.exit(any(each.report["messages"] or each.elsewhere for each in counted))


class _Counted(Struct, frozen=True):
    """The messages of a dead-letter queue by cause or property, as JSON and in print."""

    report: dict[str, Any]
    elsewhere: int
    show: Callable[[], None]


def _count(session: DlqSession, opened: OpenQueue, property_: Property | None) -> _Counted:
    queue, elsewhere = opened.queue, opened.elsewhere
    if property_:
        redacted = (session.redacted(queue, message) for message in opened.spool.selected())
        counts = count_by(property_, redacted)
        report = counts_as_json(queue.name, property_, counts, opened.unseen)
        return _Counted(
            report, elsewhere, lambda: print_counts(queue.name, property_, counts, elsewhere)
        )
    causes = count_causes(
        (session.redacted(queue, message), session.queue_name(queue, message))
        for message in opened.spool.selected()
    )
    report = causes_as_json(queue.name, causes, opened.unseen)
    return _Counted(report, elsewhere, lambda: print_causes(queue.name, causes, elsewhere))


@command.command("show", short_help="Show one message, and why it failed.")
@click.argument("message_id", metavar="ID")
@selection_options
@_values_option
@json_option
def show(message_id: str, values: bool, as_json: bool, **options: Any) -> None:
    """Show one message by its original or its current ID: why it failed, and the place in it.

    \b
    Examples:
      router dlq show 0f2c1b9e-5f0e-4f1c-9a55-7a3a3d6f8a11
      router dlq show 0f2c1b9e-5f0e-4f1c-9a55-7a3a3d6f8a11 --values
    """
    session = open_session(DlqOptions(**{**options, "ids": (message_id,), "limit": 1}))
    elsewhere = 0
    with session.each_opened() as each_opened:
        for opened in each_opened:
            elsewhere += opened.elsewhere
            for message in opened.spool.selected():
                queue = message.find_queue(session.program, opened.queue.reference)
                shown = session.redacted(opened.queue, message)
                known = None if values else session.names([queue] if queue else [])
                if as_json:
                    click.echo(to_json(message_as_json(shown, queue, known), indent=2))
                else:
                    print_message(shown, queue, known)
                return
    names = ", ".join(queue.name for queue in session.queues)
    more = f"; about {count(elsewhere)} could not be looked at" if elsewhere else ""
    raise UsageError(f"there is no visible message with the id '{message_id}' on {names}{more}")


@command.command("rehearse", short_help="Run the messages with nothing sent.")
@selection_options
@click.option(
    "--diff", is_flag=True, help="Show each message, with its items beside the stored ones."
)
@_values_option
@json_option
def rehearse(diff: bool, values: bool, as_json: bool, **options: Any) -> None:
    """Run the messages through the config, and send nothing: show what would become of each now.

    Stored items are read with consistent reads. Exit code 0: all messages pass; 1: some do not, or another consumer has
    some; 2: could not run.

    \b
    Examples:
      router dlq rehearse
      router dlq rehearse --code RT806 --limit 20 --diff --values
    """
    from router.tools.cli.dlq_rehearse import run_rehearse

    sys.exit(run_rehearse(DlqOptions(**options), diff=diff, values=values, as_json=as_json))


@command.command("redrive", short_help="Deliver the messages that pass now.")
@selection_options
@click.option(
    "--to-queue",
    is_flag=True,
    help="Send the messages to the queue they failed on, instead of writing their items.",
)
@click.option(
    "--keep-newer",
    is_flag=True,
    help="Leave messages that would replace an item that may be newer.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Messages a second at most."
)
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--from", "file", type=FILE, help="Redrive the messages of an export.")
@click.option(
    "--again", is_flag=True, help="Also redrive what an earlier run with --from FILE has redriven."
)
@click.option("--journal", type=NEW_FILE, help="The file that lists the confirmed messages.")
@yes_option
@json_option
def redrive(**options: Any) -> None:
    """Rehearse the messages, show the plan, ask, and deliver those that pass, as the messages that they were.

    A message is deleted from the dead-letter queue after its outcome is confirmed. A run that was stopped goes on with
    the same command: confirmed messages are in a journal, by default router-dlq-QUEUE.journal, or FILE.journal.

    Exit code 0: all selected messages are delivered; 1: some are not, another consumer has some, or you did not
    confirm; 2: could not run.

    \b
    Examples:
      router dlq redrive --code RT806
      router dlq redrive --queue orders --to-queue --rate 50 --yes
      router dlq redrive --from dropped.jsonl
    """
    from router.tools.cli.dlq_redrive import RedriveOptions, run_redrive

    own = {name: options.pop(name) for name in RedriveOptions.__struct_fields__}
    sys.exit(run_redrive(DlqOptions(**options), RedriveOptions(**own)))


@command.command("export", short_help="Write the messages to a file.")
@selection_options
@click.option(
    "-o", "--output", "path", required=True, type=click.Path(path_type=Path), help="The new file."
)
@json_option
def export(path: Path, as_json: bool, **options: Any) -> None:
    """Write the messages to a file of JSON lines, with their values; they stay on the dead-letter queue.

    Exit code 0: all selected messages are in the file; 1: another consumer has some; 2: could not run.

    \b
    Examples:
      router dlq export -o dead.jsonl --queue orders
    """
    session = open_session(DlqOptions(**options))
    elsewhere = 0

    def exported(each_opened: Iterator[OpenQueue]) -> Iterator[DlqMessage]:
        nonlocal elsewhere
        for opened in each_opened:
            elsewhere += opened.elsewhere
            yield from _exported(session, opened)

    with session.each_opened() as each_opened:
        number = write_messages(path, exported(each_opened))
    click.echo(f"exported {count(number)} to {path}", err=True)
    if as_json:
        click.echo(to_json({"file": str(path), "messages": number}, indent=2))
    sys.exit(elsewhere > 0)


@command.command("drop", short_help="Export the messages, and delete them.")
@selection_options
@click.option(
    "-o",
    "--export",
    "path",
    type=click.Path(path_type=Path),
    help="The export.  [default: dropped-TIME.jsonl]",
)
@yes_option
@json_option
def drop(path: Path | None, yes: bool, as_json: bool, **options: Any) -> None:
    """Export the messages to a file, ask, and delete them.

    Exit code 0: all selected messages are deleted; 1: some are not, another consumer has some, or you did not
    confirm; 2: could not run.

    \b
    Examples:
      router dlq drop --code RT801 --since 1d
      router dlq drop --id 0f2c1b9e-5f0e-4f1c-9a55-7a3a3d6f8a11 --yes
    """
    session = open_session(DlqOptions(**options))
    path = path or Path(f"dropped-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
    left = 0
    dropped = []
    with session.each_opened() as each_opened:
        for position, opened in enumerate(each_opened):
            file = path if position == 0 else path.with_stem(f"{path.stem}-{position + 1}")
            number = write_messages(file, _exported(session, opened))
            left += opened.elsewhere
            if not number:
                file.unlink()
                click.echo(none_selected(opened.queue.name, opened.elsewhere), err=True)
                continue
            what = f"{count(number)} of {opened.queue.name}"
            click.echo(f"exported {what} to {file}", err=True)
            if not yes and not confirm_by_typing(str(number), f"This deletes {what}."):
                click.echo("nothing was deleted", err=True)
                sys.exit(1)
            undeleted = _delete(opened)
            click.echo(f"deleted {count(number - undeleted)} of {opened.queue.name}", err=True)
            left += undeleted
            dropped.append(
                {"dead_letter": opened.queue.name, "file": str(file), "dropped": number - undeleted}
            )
    if as_json:
        click.echo(to_json(dropped, indent=2))
    sys.exit(left > 0)


def _exported(session: DlqSession, opened: OpenQueue) -> Iterator[DlqMessage]:
    return (session.redacted(opened.queue, message) for message in opened.spool.selected())


def _delete(opened: OpenQueue) -> int:
    """Delete the selected messages; return how many could not be deleted."""
    failed: Counter[str] = Counter()
    ids = (message.id for message in opened.spool.selected())
    while batch := list(islice(ids, 100)):
        failed.update(fault.code for fault in opened.lease.delete(batch).values())
    for code, number in failed.items():
        needs = "; the command needs sqs:DeleteMessage" if code in DENIED else ""
        click.echo(f"{count(number)} could not be deleted: {code}{needs}", err=True)
    return failed.total()
