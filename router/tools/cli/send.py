"""`router send`: send messages of a file to a queue, in the queue's envelopes."""

import sys
from pathlib import Path
from typing import Any, TextIO

import click

from router.tools.cli.completion import complete_queue
from router.tools.cli.options import config_option, json_option


@click.command("send")
@config_option
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=TEXT",
    help="A message attribute of each message.",
)
@click.option("--group", default="", help="The message group of each message.")
@click.option(
    "--group-from", metavar="JMESPATH", help="The message group: an expression over each message."
)
@click.option(
    "--detailed",
    is_flag=True,
    help="Each line is a map of message (or body), attributes and group.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Each line is a body as SQS has it, and is not wrapped in envelopes.",
)
@click.option(
    "--endpoint-url",
    "endpoint",
    metavar="URL",
    help="The endpoint of SQS, such as that of `router local`.",
)
@json_option
@click.argument("queue", shell_complete=complete_queue)
@click.argument("file", type=click.File(encoding="utf-8-sig"))
def command(config: Path, queue: str, file: TextIO, **options: Any) -> None:
    """Send the messages of FILE (- for standard input) to QUEUE, a name in the config.

    FILE is one JSON value, or JSON lines: a message each. They are sent in the encoding and envelopes of the queue, ten
    at a time, once all lines are read. Credentials, region and endpoint are found as the AWS SDK finds them; an
    --endpoint-url on this machine needs none. Exit code 0: all were sent; 1: some were not, or that is not known; 2:
    none, as the file or the queue cannot be used.

    \b
    Examples:
      router send orders order.json
      router send orders orders.jsonl --endpoint-url http://127.0.0.1:4566
      jq -c '.[]' users.json | router send users - --group-from user_id --attribute tenant=acme
      echo '{"message": {"id": 1}, "attributes": {"trace": "x"}, "group": "g"}' | router send users - --detailed
    """
    from router.tools.cli.send_run import SendOptions, run_send

    sys.exit(run_send(queue, file, SendOptions(config=config, **options)))
