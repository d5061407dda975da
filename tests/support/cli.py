"""What tests of other rooms use of `router.cli`."""

from router.cli import deploy_run, stack_run
from router.cli.app import app
from router.cli.app import commands as cli_commands
from router.cli.options import write_file
from router.cli.template import command as template_command
from router.cli.worker import command as worker_command

__all__ = [
    "app",
    "cli_commands",
    "deploy_run",
    "stack_run",
    "template_command",
    "worker_command",
    "write_file",
]
