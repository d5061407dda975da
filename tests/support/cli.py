"""What tests of other rooms use of `router.cli`."""

from router.cli.app import COMMANDS
from router.cli.worker import command

__all__ = [
    "COMMANDS",
    "command",
]
