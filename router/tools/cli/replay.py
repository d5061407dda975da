"""`router replay`: fill tables from messages in files or S3, as the messages that they were."""

import sys
from pathlib import Path
from typing import Any

import click

from router.tools.cli.completion import complete_route
from router.tools.cli.dlq_options import stop_on_sigterm
from router.tools.cli.options import NEW_FILE, Repeated, json_option, yes_option
from router.tools.cli.source_options import source_options

_ALLOWED = {
    "delete": "write to a table from which messages delete",
    "keys": "write to an empty table whose idempotency keys are still there",
    "overwrite": "replace stored items that may be newer, as no version says which is",
    "repeat": "add and append what may be added already, as no idempotency key says so",
}
_ALLOW_HELP = "; ".join(f"{name}: {what}" for name, what in _ALLOWED.items())


@click.command("replay")
@source_options
@click.option(
    "--route",
    "routes",
    multiple=True,
    help="Make the writes of this route only; may be repeated.",
    shell_complete=complete_route,
)
@click.option("--since", metavar="TIME", help="Sent since then: 2h, 3d, or an ISO 8601 time.")
@click.option("--until", metavar="TIME", help="Sent before then.")
@click.option("--where", metavar="JMESPATH", help="The expression is true for the decoded message.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Messages a second at most."
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=click.Choice([*_ALLOWED]),
    help=f"Do what is refused otherwise; may be repeated. {_ALLOW_HELP}.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would become of the messages.")
@click.option(
    "--journal",
    type=NEW_FILE,
    help="The file of what is done.  [default: router-replay-NAME.journal]",
)
@click.option(
    "--rejected",
    type=NEW_FILE,
    help="The file of rejected messages.  [default: router-replay-NAME.rejected.jsonl]",
)
@click.option(
    "--leave-out",
    "left_out",
    multiple=True,
    metavar="ID",
    help="Reject the message with this id if a plugin fails on it, so that others need not wait; may be repeated.",
)
@click.option("--again", is_flag=True, help="Begin anew, whatever an earlier run has done.")
@yes_option
@json_option
def command(sources: Repeated, config: Path, **options: Any) -> None:
    """Write the messages of sources to the tables of the config, in order, as the messages that they were.

    A SOURCE is a file, - for standard input, or a prefix in S3 (s3://BUCKET/PREFIX), with JSON lines, plain or gzip:
    an export of `router dlq`, a recording, or bodies as their queue has them. Of a body, the id is made of its file,
    line and text, and the time of sending is not known without --sent-at.

    A message on which a plugin fails is not written, and neither is what may follow it on one of its items; others are.
    Correct the plugin, and run the same command again, or leave the message out with --leave-out.

    What is done is in a journal. A run that was stopped, by whatever means, goes on with the same command. Rejected
    messages are written to a file that is a SOURCE again.

    Exit code 0: all messages are delivered; 1: some were rejected or could not be delivered, or you did not confirm;
    2: could not run, or a route is refused (see --allow). It is the same of --dry-run, for what would be.

    \b
    Examples:
      router replay orders.jsonl.gz --queue orders --sent-at created_at --dry-run
      router replay s3://archive/orders/2026-11/ --queue orders --sent-at created_at --rate 500
      router replay dropped.jsonl --since 2026-11-01T00:00:00Z --route orders --yes
      zcat *.gz | router replay - --queue orders --allow overwrite --yes
    """
    from router.tools.cli.replay_run import ReplayOptions, run_replay

    stop_on_sigterm()
    sys.exit(run_replay(ReplayOptions(config, sources, **options)))
