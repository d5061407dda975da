"""`router worker`: the long-running worker."""

import os
import sys
from typing import Any

import click

from router.cli.options import config_option
from router.errors import MissingExtra
from router.local.lifeline import end_with_input
from router.log import set_up_logging


@click.command("worker")
@config_option
@click.option("--queue", "queues", multiple=True, help="Read this queue only; may be repeated.  [default: all]")
@click.option(
    "--receivers", type=click.IntRange(1, 64), default=4, show_default=True, help="Concurrent receivers of each queue."
)
@click.option(
    "--wait", type=click.IntRange(0, 20), default=10, show_default=True, help="Seconds that an empty receive waits."
)
@click.option(
    "--grace",
    type=click.IntRange(3, 3600),
    default=20,
    show_default=True,
    help="Seconds to finish what has begun after SIGTERM or SIGINT.",
)
@click.option("--listen", metavar="HOST:PORT", default="", help="Serve /healthz, /readyz and /metrics there.")
@click.option("--bare-names", is_flag=True, hidden=True, help="Call queues and tables by name alone, as the demo does.")
@click.option("--end-with-input", "bound", is_flag=True, hidden=True, help="End with standard input, as the demo's.")
def command(bound: bool, **options: Any) -> None:
    """Route messages until SIGTERM or SIGINT, then finish what has begun.

    SIGHUP loads the config again; one with faults is refused, and the old one goes on. Credentials, region and
    endpoint are found as the AWS SDK finds them. Logs are lines of JSON on standard error.

    \b
    Examples:
      router worker
      router worker -c flows/routes.yaml --queue orders --receivers 8 --listen 127.0.0.1:9090
    """
    try:
        # The worker's libraries are optional: the other commands have no use for them.
        from router.worker.supervise import Worker, WorkerOptions
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        raise MissingExtra("the worker", "worker") from None
    set_up_logging()
    if bound:
        end_with_input()
    code = Worker(WorkerOptions(**options), os.environ).run()
    sys.stderr.flush()
    # Not sys.exit: a call that hangs in another thread must not keep the process.
    os._exit(code)
