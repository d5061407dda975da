"""What tests of other rooms use of `router.cli`."""

from router.cli.app import commands as cli_commands
from router.cli.worker import command

__all__ = [
    "cli_commands",
    "command",
]
