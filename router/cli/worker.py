"""`router worker`: route messages from queues to tables until it is stopped."""

import os
import sys
from typing import Any

import click

from router.cli.options import config_option
from router.deliver.telemetry import number_lines, set_up_logging
from router.dev.guard import end_with_input


@click.command("worker")
@config_option
@click.option("--queue", "queues", multiple=True, help="Read this queue only; may be repeated.  [default: all]")
@click.option(
    "--receivers",
    type=click.IntRange(1, 64),
    default=32,
    show_default=True,
    help="Maximum number of concurrent receivers of a queue; they scale with its backlog.",
)
@click.option(
    "--wait",
    type=click.IntRange(0, 20),
    default=10,
    show_default=True,
    help="Seconds that a receive waits for messages (long polling).",
)
@click.option(
    "--grace",
    type=click.IntRange(3, 3600),
    default=20,
    show_default=True,
    help="Seconds to finish messages in progress after SIGTERM or SIGINT.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of processes that share the work; one process uses one core.",
)
@click.option("--listen", metavar="HOST:PORT", default="", help="Serve /healthz, /readyz and /metrics there.")
@click.option("--bare-names", is_flag=True, hidden=True, help="Call queues and tables by name only, as the demo does.")
@click.option(
    "--end-with-input", "bound", is_flag=True, hidden=True, help="Stop at the end of standard input, as in the demo."
)
@click.option("--control", type=int, hidden=True, help="The file descriptor to the parent process.")
@click.option("--number", type=int, default=0, hidden=True, help="The number of this process.")
def command(bound: bool, processes: int, number: int, **options: Any) -> None:
    """Route messages until SIGTERM or SIGINT, then finish those in progress.

    SIGHUP reloads the config; if the new one has errors, the worker keeps the old one. Credentials, region and endpoint
    are found as the AWS SDK finds them. Logs are lines of JSON on standard error.

    \b
    Examples:
      router worker
      router worker -c flows/routes.yaml --queue orders --processes 4 --listen 127.0.0.1:9090
    """
    # The worker's libraries are optional.
    from router.run.supervisor import Supervisor
    from router.run.worker import WorkerOptions, WorkerService

    set_up_logging()
    is_child = options["control"] is not None
    if bound and not is_child:
        end_with_input()
    if is_child:
        number_lines(number)
        options["listen"] = ""
    if processes > 1 and not is_child:
        # Each process runs the same command with options appended: of a repeated option, the last one counts.
        again = [sys.executable, *sys.orig_argv[1:]]
        code = Supervisor(again, processes, options["grace"], options["listen"]).run()
    else:
        code = WorkerService(WorkerOptions(**options), os.environ).run()
    sys.stderr.flush()
    # Not sys.exit: a hanging call in another thread must not keep the process alive.
    os._exit(code)
