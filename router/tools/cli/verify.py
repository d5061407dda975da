"""`router verify`: say what became of each message of a source, by what the tables hold."""

import sys
from pathlib import Path
from typing import Any

import click

from router.tools.cli.options import Repeated, json_option
from router.tools.cli.source_options import source_options

_RATE = 1000.0
_EXAMPLES = 5


@click.command("verify")
@source_options
@click.option(
    "--complete",
    is_flag=True,
    help="The source has all messages that the tables were ever written by; sums are compared, too.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=_RATE,
    show_default=True,
    help="Read units a second at most.",
)
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=_EXAMPLES,
    show_default=True,
    help="The most messages that are shown of each route, fate and reason.",
)
@click.option(
    "--show-values",
    is_flag=True,
    help="Show the keys of items and, of those that are lost, what is stored and what should be.",
)
@json_option
def command(sources: Repeated, config: Path, **options: Any) -> None:
    """Say what became of each message of sources: whether the tables hold what it writes by the config.

    A SOURCE is a file, - for standard input, or a prefix in S3 (s3://BUCKET/PREFIX), with JSON lines, plain or gzip,
    as for router replay. The messages are run in order on tables in memory, and compared with the items of the tables,
    which are read consistently; nothing is changed. Let the queues run empty first.

    A message is stored, superseded by a newer one, a duplicate, dropped, rejected, deleted by a later one, or expired;
    different or missing, if nothing explains what is stored; or not decidable, with the reason.

    Exit code 0: no message is missing or different; 1: some are, or the config rejects all; 2: could not run.

    \b
    Examples:
      router verify orders.jsonl.gz --queue orders --sent-at created_at
      router verify s3://archive/orders/2026-11/ --queue orders --rate 200
      router verify all.jsonl --complete --examples 100 --show-values
      router verify dropped.jsonl --json | jq .findings
    """
    from router.tools.cli.verify_run import VerifyOptions, run_verify

    sys.exit(run_verify(VerifyOptions(config, sources, **options)))
