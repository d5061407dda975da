"""What tests of other rooms use of `router.tools.cli`."""

from router.tools.cli import code_pages, deploy_place, deploy_run, replay_run, stack_run, steps_before
from router.tools.cli.app import app
from router.tools.cli.app import commands as cli_commands
from router.tools.cli.diff_report import as_diff_record
from router.tools.cli.options import write_file
from router.tools.cli.template import command as template_command
from router.tools.cli.worker import command as worker_command

__all__ = [
    "app",
    "as_diff_record",
    "cli_commands",
    "code_pages",
    "deploy_place",
    "deploy_run",
    "replay_run",
    "stack_run",
    "steps_before",
    "template_command",
    "worker_command",
    "write_file",
]
