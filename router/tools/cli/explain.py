"""`router explain`: show what becomes of one message, stage by stage."""

import sys
from io import BytesIO
from typing import Any, BinaryIO

import click

from router.tools.cli.completion import complete_queue, complete_route
from router.tools.cli.options import NEW_FILE, config_option, is_json, json_option


class _Message(click.File):
    """A file, - for standard input, or JSON."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Open the file; JSON is its own content."""
        if isinstance(value, str) and is_json(value):
            return BytesIO(value.encode(errors="surrogateescape"))
        return super().convert(value, param, ctx)


@click.command("explain")
@config_option
@click.option(
    "--queue",
    required=True,
    help="The queue of the message: its name in the config.",
    shell_complete=complete_queue,
)
@click.option(
    "--raw",
    is_flag=True,
    help="MESSAGE is a body as SQS has it, a record, or an event; else it is wrapped in the queue's envelopes.",
)
@click.option("--route", help="Show only this route.", shell_complete=complete_route)
@click.option(
    "--claims", is_flag=True, help="Also show what `router check` proves of these routes."
)
@click.option(
    "--full", is_flag=True, help="Show each stage with its value and time, and the requests."
)
@json_option
@click.option(
    "--html",
    "page",
    type=NEW_FILE,
    help="Write it as a page to a file, with the values of the message.",
)
@click.option(
    "--after",
    multiple=True,
    metavar="MESSAGE",
    help="A message that is written before, to tables in memory: a file, or JSON; QUEUE=MESSAGE for another queue. "
    "Several are written in their order.",
)
@click.argument("message", type=_Message("rb"))
def command(message: BinaryIO, **options: Any) -> None:
    """Show what becomes of one MESSAGE (a file, - for standard input, or JSON), without AWS.

    The output has the outcome, whether each route takes the message, and the items. With --full, it has the value and
    time (µs) of each stage and the requests to DynamoDB. With --after, it also has the stored item before and after the
    message.
    Exit code 0: the message would be written or dropped; 1: it would be rejected or retried; 2: could not run.

    \b
    Examples:
      router explain --queue user-metadata message.json
      router explain --queue user-metadata '{"user_id": "user_1"}'
      router explain --queue user-metadata message.json --full
      router explain --queue user-metadata message.json --html page.html
      router explain --queue user-metadata --claims message.json
      router explain --queue orders --after placed.json --after payments=paid.json shipped.json
      echo '{"user_id": "user_1", "device": "iPhoneX"}' | router explain --queue user-metadata -
    """
    from router.tools.cli.explain_run import ExplainOptions, run_explain

    sys.exit(run_explain(message.read(), ExplainOptions(**options)))
