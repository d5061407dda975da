"""`router dlq`: list, show, rehearse, redrive, export and drop the messages on dead-letter queues."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.tools.cli.dlq_options import selection_options, stop_on_sigterm
from router.tools.cli.options import FILE, NEW_FILE, json_option, yes_option

if TYPE_CHECKING:
    from router.tools.dlq.messages import Property

_PROPERTIES: tuple["Property", ...] = ("sender", "route", "code", "config")
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
    type=click.Choice(_PROPERTIES),
    help="Count by the sender, the route, the code, or the config that rejected them, by its hash.",
)
@json_option
def list_(property_: "Property | None", as_json: bool, **options: Any) -> None:
    """Count the messages by code, route, place and reason, each with the oldest, the newest and an example.

    Exit code 0: there are no messages; 1: there are some, also if another consumer has them; 2: could not run.

    \b
    Examples:
      router dlq list
      router dlq list --by sender
      router dlq list --queue orders --since 2h --json
    """
    from router.tools.cli.dlq_run import run_list
    from router.tools.cli.dlq_session import DlqOptions

    sys.exit(run_list(DlqOptions(**options), property_, as_json=as_json))


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
    from router.tools.cli.dlq_run import run_show
    from router.tools.cli.dlq_session import DlqOptions

    selected = DlqOptions(**{**options, "ids": (message_id,), "limit": 1})
    run_show(selected, message_id, values=values, as_json=as_json)


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
    from router.tools.cli.dlq_session import DlqOptions

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
    from router.tools.cli.dlq_session import DlqOptions

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
    from router.tools.cli.dlq_run import run_export
    from router.tools.cli.dlq_session import DlqOptions

    sys.exit(run_export(DlqOptions(**options), path, as_json=as_json))


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
    from router.tools.cli.dlq_run import run_drop
    from router.tools.cli.dlq_session import DlqOptions

    sys.exit(run_drop(DlqOptions(**options), path, yes=yes, as_json=as_json))
