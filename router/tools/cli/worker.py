"""`router worker`: route messages from queues to tables until it is stopped."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from router.tools.cli.completion import complete_queue
from router.tools.cli.options import Function, config_option


def _number(
    name: str, least: int, most: int, default: int, text: str
) -> Callable[[Function], Function]:
    type_ = click.IntRange(least, most)
    return click.option(f"--{name}", type=type_, default=default, show_default=True, help=text)


@click.command("worker")
@config_option
@click.option(
    "--queue",
    "queues",
    multiple=True,
    shell_complete=complete_queue,
    help="Read this queue only; may be repeated.  [default: all]",
)
@_number(
    "receivers",
    1,
    64,
    32,
    "Maximum number of concurrent receivers of a queue; they scale with its backlog.",
)
@_number("wait", 0, 20, 10, "Seconds that a receive waits for messages (long polling).")
@_number("grace", 3, 3600, 20, "Seconds to finish messages in progress after SIGTERM or SIGINT.")
@_number(
    "processes", 1, 64, 1, "Number of processes that share the work; one process uses one core."
)
@click.option(
    "--listen", metavar="HOST:PORT", default="", help="Serve /healthz, /readyz and /metrics there."
)
@click.option(
    "--bare-names",
    is_flag=True,
    hidden=True,
    help="Call queues and tables by name only, as the demo does.",
)
@click.option(
    "--end-with-input",
    "bound",
    is_flag=True,
    hidden=True,
    help="Stop at the end of standard input, as in the demo.",
)
@click.option("--control", type=int, hidden=True, help="The file descriptor to the parent process.")
@click.option(
    "--counters",
    type=int,
    hidden=True,
    help="The file descriptor of the metrics that the parent reads.",
)
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
    from router.runtime.deliver.telemetry import number_lines, set_up_logging
    from router.runtime.run.log_queue import LogQueue
    from router.runtime.run.supervisor import Supervisor
    from router.runtime.run.worker import WorkerOptions, WorkerService
    from router.tools.dev.guard import end_with_input

    log = LogQueue(sys.stderr.fileno() if sys.stderr else os.open(os.devnull, os.O_WRONLY))
    set_up_logging(log)
    # Writes the warnings of plugins and libraries whose loggers have no handler: they must not block either.
    logging.lastResort = log
    is_child = options["control"] is not None
    if bound and not is_child:
        end_with_input()
    if is_child:
        number_lines(number)
        options["listen"] = ""
    if processes > 1 and not is_child:
        # Each process runs the same command with options appended: of a repeated option, the last one counts.
        again = [sys.executable, *sys.orig_argv[1:]]
        code = Supervisor(again, processes, options["grace"], options["listen"], log).run()
    else:
        code = WorkerService(WorkerOptions(**options), os.environ, log).run()
    log.flush()
    # Not sys.exit: a hanging call in another thread must not keep the process alive.
    os._exit(code)
