"""`router status`: show what runs: queues, dead letters, what is paused, and which config runs where."""

import sys
import time
from pathlib import Path

import click

from router.tools.cli.options import FILE, Repeated, env_file_option, json_option


@click.command("status")
@click.option("-c", "--config", type=FILE, help="The config.  [default: routes.yaml]")
@env_file_option
@click.option("--stack", metavar="NAME", help="The config that the function of this stack runs.")
@click.option(
    "--healthz",
    "pages",
    metavar="URL",
    multiple=True,
    help="The page of a worker; may be repeated.",
)
@click.option(
    "--letters",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Look at so many dead letters of each queue, for their codes; 0: at none.",
)
@click.option(
    "--probe",
    is_flag=True,
    help="Invoke each function once without records, to see whether it starts.",
)
@click.option(
    "--watch",
    "seconds",
    metavar="SECONDS",
    type=click.IntRange(1),
    help="Redraw it every so many seconds, until Ctrl-C.",
)
@json_option
def command(
    config: Path | None,
    stack: str | None,
    pages: Repeated,
    letters: int,
    probe: bool,
    seconds: int | None,
    as_json: bool,
) -> None:
    """Show for each queue what waits, how old it is, its dead letters by code, and whether it is paused and why.

    Then which config runs where, by its hash, the tables whose writes are throttled, and since when and why messages
    are retried. What cannot be read is
    reported as unknown, with the reason. To know the codes of dead letters they are received, and made visible again.
    A function may not start if all its invocations of the last 15 minutes failed; --probe finds out whether it does
    (RT794), which calls router_start of its plugins.

    Exit code 0: all is well; 1: a queue is paused, has retries, dead letters, old messages or many in flight, or cannot
    be read, a table is throttled, a function cannot start, or another config runs than this one; 2: could not run.

    \b
    Examples:
      router status
      router status --stack flows-prod
      router status --stack flows-prod --probe
      router status --stack flows-prod --letters 0 --watch 30
      router status -c routes.yaml --healthz http://127.0.0.1:9090/healthz
      router status --stack flows-prod --letters 0 --json
    """
    if stack and config:
        raise click.UsageError(
            "give --stack or --config, not both: the stack says which config it runs"
        )
    if seconds and as_json:
        raise click.UsageError("give --watch or --json, not both")
    # boto3 is optional and takes 0.2 s to import.
    from router.tools.cli.json_output import print_json
    from router.tools.cli.status_report import read_status, show_status

    while True:
        status = read_status(config, stack, pages, letters, probed=probe)
        if not seconds:
            break
        click.clear()
        show_status(status)
        time.sleep(seconds)
    if as_json:
        print_json(status.record())
    else:
        show_status(status)
    sys.exit(bool(status.attention))
