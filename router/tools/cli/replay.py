"""`router replay`: fill tables from messages in files or S3, as the messages that they were."""

import sys
from pathlib import Path
from typing import Any

import click

from router.tools.cli.completion import complete_queue, complete_route
from router.tools.cli.dlq_options import stop_on_sigterm
from router.tools.cli.options import NEW_FILE, config_option, json_option, yes_option
from router.tools.replay.refusals import ALLOWED

_ALLOW_HELP = "; ".join(f"{name}: {what}" for name, what in ALLOWED.items())


@click.command("replay")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path())
@config_option
@click.option(
    "--queue",
    default="",
    help="The queue of messages that do not say it: its name in the config.",
    shell_complete=complete_queue,
)
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
    "--sent-at",
    metavar="JMESPATH",
    help="Finds the time of sending in a body: ISO 8601, or seconds or milliseconds since 1970.",
)
@click.option("--message-id", metavar="JMESPATH", help="Finds the message id in a body.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Messages a second at most."
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=click.Choice([*ALLOWED]),
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
@click.option("--again", is_flag=True, help="Begin anew, whatever an earlier run has done.")
@yes_option
@json_option
def command(sources: tuple[str, ...], config: Path, **options: Any) -> None:
    """Write the messages of sources to the tables of the config, in order, as the messages that they were.

    A SOURCE is a file, - for standard input, or a prefix in S3 (s3://BUCKET/PREFIX), with JSON lines, plain or gzip:
    an export of `router dlq`, a recording, or bodies as their queue has them. Of a body, the id is made of its file,
    line and text, and the time of sending is not known without --sent-at.

    What is done is in a journal. A run that was stopped, by whatever means, goes on with the same command. Rejected
    messages are written to a file that is a SOURCE again.

    Exit code 0: all messages are delivered; 1: some were rejected or could not be delivered, or you did not confirm;
    2: could not run, or a route is refused (see --allow).

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
