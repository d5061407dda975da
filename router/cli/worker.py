"""`router worker`: the long-running worker."""

import os
from pathlib import Path

import click

from router.cli.options import config_option
from router.compile.load import load_program
from router.local.bare_names import with_bare_names
from router.local.lifeline import end_with_input
from router.log import set_up_logging
from router.worker.supervise import WorkerOptions, run_worker


@click.command("worker")
@config_option
@click.option("--queue", "queues", multiple=True, help="Read this queue only; may be repeated.  [default: all]")
@click.option(
    "--receivers", type=click.IntRange(1, 64), default=4, show_default=True, help="Concurrent receivers of each queue."
)
@click.option(
    "--wait", type=click.IntRange(0, 20), default=10, show_default=True, help="Seconds that an empty receive waits."
)
@click.option("--bare-names", is_flag=True, hidden=True, help="Call queues and tables by name alone, as the demo does.")
@click.option("--end-with-input", "bound", is_flag=True, hidden=True, help="End with standard input, as the demo's.")
def command(config: Path, queues: tuple[str, ...], receivers: int, wait: int, bare_names: bool, bound: bool) -> None:
    """Route messages until SIGTERM or SIGINT, then finish what has begun.

    Credentials, region and endpoint are found as the AWS SDK finds them. Logs are lines of JSON on standard error.

    \b
    Examples:
      router worker
      router worker -c flows/routes.yaml --queue orders --receivers 8
    """
    set_up_logging()
    if bound:
        end_with_input()
    program = load_program(config, os.environ)
    run_worker(with_bare_names(program) if bare_names else program, WorkerOptions(queues, receivers, wait))
