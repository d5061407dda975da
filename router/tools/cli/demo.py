"""`router demo`: show the whole path on an embedded AWS."""

import sys
from pathlib import Path
from typing import TextIO

import click

from router.tools.cli.completion import complete_queue
from router.tools.cli.options import config_option


@click.command("demo")
@config_option
@click.option(
    "--messages",
    type=click.File(encoding="utf-8"),
    help="Send these JSON lines instead, in the envelopes of the queue (- for standard input).",
)
@click.option(
    "--queue",
    help="The queue of --messages: its name in the config.",
    shell_complete=complete_queue,
)
@click.option(
    "--lambda",
    "as_lambda",
    is_flag=True,
    help="Route through the deployed function instead of the worker.",
)
def command(config: Path, messages: TextIO | None, queue: str | None, as_lambda: bool) -> None:
    """Show the whole path: queues and tables of the config on an embedded AWS, its test messages, the real worker.

    With --lambda, the package is built, the template is deployed, and the function routes the messages with the
    permissions of its own role only. The embedded AWS listens on the loopback address and ends with the command; no
    other AWS is called. A message that a test does not expect to be rejected or retried should be neither, and may be a
    duplicate or stale only if another one wrote its item. Exit code 0: each message ended as it should; 1: one did not;
    2: could not run.

    \b
    Examples:
      router demo
      router demo --lambda
      router demo --queue user-metadata --messages messages.jsonl
    """
    # The embedded AWS and what shows tables take 0.2 s to import.
    from router.tools.cli.demo_run import run_demo

    sys.exit(run_demo(config, messages, queue, as_lambda=as_lambda))
