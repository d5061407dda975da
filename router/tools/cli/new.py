"""`router new`: make a route, its table, schema and tests from sample messages."""

import sys
from typing import Any

import click

from router.tools.cli.completion import complete_queue, complete_table
from router.tools.cli.options import (
    DEFAULT_CONFIG,
    NEW_FILE,
    Repeated,
    env_file_option,
    json_option,
    yes_option,
)

_MODES = ("put", "insert", "newest", "update")


@click.command("new")
@click.argument("samples", metavar="SAMPLE...", nargs=-1)
@click.option(
    "-c", "--config", type=NEW_FILE, default=DEFAULT_CONFIG, show_default=True,
    help="The config: a route is added to it, or with none a project is made.",
)  # fmt: skip
@env_file_option
@click.option(
    "--queue",
    default="",
    help="The queue.  [default: the name of the first file, or the queue itself]",
    shell_complete=complete_queue,
)
@click.option(
    "--table",
    default="",
    help="The table, an existing one or a new one.  [default: as the queue]",
    shell_complete=complete_table,
)
@click.option(
    "--name", default="", help="The name of the route, and of its files.  [default: as the queue]"
)
@click.option(
    "--key",
    default="",
    metavar="PATH",
    help="The field that is the key; 'PATH,PATH' with a sort key.",
)
@click.option(
    "--mode",
    type=click.Choice(_MODES),
    help="How items are written.  [default: what keeps each message's data]",
)
@click.option(
    "--version",
    default="",
    metavar="PATH",
    help="The field that orders messages of one key; 'PATH,PATH' if types have different ones.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Samples of a queue at most.",
)
@click.option(
    "--values",
    is_flag=True,
    help="Put a message of a queue into the tests as it is, with its values.",
)
@click.option(
    "--plugin",
    metavar="NAME",
    help="Make a plugin instead, with a test, and add it to the config; without SAMPLE.",
)
@yes_option
@json_option
def command(samples: Repeated, plugin: str | None, **options: Any) -> None:
    """Make a route, its table, schema and tests from SAMPLE messages.

    A SAMPLE is a file of JSON or JSON lines, - for standard input, or a queue: sqs:NAME, its ARN or its URL. Messages
    of a queue are received, and visible again at the end. Envelopes, such as SNS's and EventBridge's, are recognised.
    In an empty folder a project is made; an existing config keeps its comments. The result passes `router check
    --strict` and `router test`. Exit code 0: written; 1: you did not confirm; 2: could not run.

    \b
    Examples:
      router new samples.jsonl --queue orders
      router new samples.jsonl --queue orders --table orders --key order_id --yes
      router new sqs:prod-orders --count 200
      cat message.json | router new - --queue orders --yes
      router new --plugin labels
    """
    if bool(samples) == bool(plugin):
        raise click.UsageError("give a SAMPLE, or --plugin NAME")
    if plugin:
        from router.tools.cli.new_plugin import make_plugin

        sys.exit(
            make_plugin(plugin, options["config"], yes=options["yes"], as_json=options["as_json"])
        )
    from router.tools.cli.new_run import NewOptions, run_new

    sys.exit(run_new(samples, NewOptions(**options)))
