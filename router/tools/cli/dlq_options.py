"""The options that the commands of `router dlq` share."""

import signal

import click
from click.shell_completion import CompletionItem

from router.codes import declared
from router.tools.cli.completion import (
    complete_dead_letter,
    complete_queue,
    complete_route,
)
from router.tools.cli.options import Function, config_option


def _complete_code(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the code of an outcome, each with its title."""
    from router.tools.dlq.messages import MOVED_BY_SQS

    codes = {code: each.title for code, each in declared().items()} | {MOVED_BY_SQS: "moved by SQS"}
    return [
        CompletionItem(code, help=title)
        for code, title in codes.items()
        if code.startswith(incomplete)
    ]


_OPTIONS = (
    click.option(
        "--queue",
        "queues",
        multiple=True,
        help="Only messages that failed on this queue: its name in the config.",
        shell_complete=complete_queue,
    ),
    click.option(
        "--route",
        "routes",
        multiple=True,
        help="Only messages that failed in this route.",
        shell_complete=complete_route,
    ),
    click.option(
        "--code",
        "codes",
        multiple=True,
        help="Only messages that failed with this code; '-' selects those that SQS moved.",
        shell_complete=_complete_code,
    ),
    click.option(
        "--pointer",
        "pointers",
        multiple=True,
        help="Only messages that failed at this place: a JSON Pointer.",
    ),
    click.option(
        "--since",
        metavar="TIME",
        help="Only messages that failed since then: 2h, 3d, or an ISO 8601 time.",
    ),
    click.option(
        "--where",
        metavar="JMESPATH",
        help="Only messages for which the expression is true, once they are decoded.",
    ),
    click.option(
        "--id",
        "ids",
        multiple=True,
        help="Only the message with this id: the original one or the current one.",
    ),
    click.option("--limit", type=click.IntRange(1), help="At most so many messages of each queue."),
    click.option(
        "--dead-letter",
        metavar="QUEUE",
        help="Read this dead-letter queue instead of those in the config.",
        shell_complete=complete_dead_letter,
    ),
)


def selection_options(function: Function) -> Function:
    """Add `-c` and the options that select messages."""
    for option in reversed((config_option, *_OPTIONS)):
        function = option(function)
    return function


def stop_on_sigterm() -> None:
    """End at SIGTERM as at Ctrl-C: leased messages are released."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
