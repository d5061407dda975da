"""The options that the commands on messages of files and S3 share."""

import click

from router.tools.cli.completion import complete_queue
from router.tools.cli.options import Function, config_option

_SOURCE_OPTIONS = (
    click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path()),
    config_option,
    click.option(
        "--queue",
        default="",
        help="The queue of messages that do not say it: its name in the config.",
        shell_complete=complete_queue,
    ),
    click.option(
        "--sent-at",
        metavar="JMESPATH",
        help="Finds the time of sending in a body: ISO 8601, or seconds or milliseconds since 1970.",
    ),
    click.option("--message-id", metavar="JMESPATH", help="Finds the message id in a body."),
)


def source_options(function: Function) -> Function:
    """Add `SOURCE...`, `-c`, `--env-file`, and the options that say what the messages of sources do not."""
    for option in reversed(_SOURCE_OPTIONS):
        function = option(function)
    return function
