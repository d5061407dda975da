"""`router worker`: the long-running worker."""

import os
import sys
from typing import Any

import click

from router.cli.options import config_option
from router.deliver.telemetry import number_lines, set_up_logging
from router.dev.guard import end_with_input
from router.errors import MissingExtra


@click.command("worker")
@config_option
@click.option("--queue", "queues", multiple=True, help="Read this queue only; may be repeated.  [default: all]")
@click.option(
    "--receivers",
    type=click.IntRange(1, 64),
    default=32,
    show_default=True,
    help="Concurrent receivers of each queue at most; as many run as there is work for.",
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
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that share the work: one has the work of one core.",
)
@click.option("--listen", metavar="HOST:PORT", default="", help="Serve /healthz, /readyz and /metrics there.")
@click.option("--bare-names", is_flag=True, hidden=True, help="Call queues and tables by name alone, as the demo does.")
@click.option("--end-with-input", "bound", is_flag=True, hidden=True, help="End with standard input, as the demo's.")
@click.option("--control", type=int, hidden=True, help="The line to the process that started this one.")
@click.option("--number", type=int, default=0, hidden=True, help="Which of several processes this is.")
def command(bound: bool, processes: int, number: int, **options: Any) -> None:
    """Route messages until SIGTERM or SIGINT, then finish what has begun.

    SIGHUP loads the config again; one with faults is refused, and the old one goes on. Credentials, region and
    endpoint are found as the AWS SDK finds them. Logs are lines of JSON on standard error.

    \b
    Examples:
      router worker
      router worker -c flows/routes.yaml --queue orders --processes 4 --listen 127.0.0.1:9090
    """
    try:
        # The worker's libraries are optional: the other commands have no use for them.
        from router.run.supervisor import Supervisor
        from router.run.worker import Worker, WorkerOptions
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        raise MissingExtra("the worker", "worker") from None
    set_up_logging()
    is_child = options["control"] is not None
    if bound and not is_child:
        end_with_input()
    if is_child:
        number_lines(number)
        options["listen"] = ""
    if processes > 1 and not is_child:
        # The same command once more: of an option that is given twice, the last counts.
        again = [sys.executable, *sys.orig_argv[1:]]
        code = Supervisor(again, processes, options["grace"], options["listen"]).run()
    else:
        code = Worker(WorkerOptions(**options), os.environ).run()
    sys.stderr.flush()
    # Not sys.exit: a call that hangs in another thread must not keep the process.
    os._exit(code)
