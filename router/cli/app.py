"""The `router` command: a group whose commands are imported when they are called."""

import importlib
import os
from typing import Any

import click

from router.errors import ConfigError, MissingExtra, RouterError

COMMANDS = {
    "check": "Prove a config: every fault at once, each with its place.",
    "test": "Run the tests of the routes, offline.",
    "explain": "Show one message, stage by stage.",
    "demo": "Show the whole path on an embedded AWS.",
    "worker": "Route messages, from real queues to real tables.",
    "template": "Print the CloudFormation template of a config.",
    "compile": "Write a config as one file, from which the router starts faster.",
    "build": "Pack the Lambda function, for its platform.",
    "deploy": "Show what would change in AWS, and change it.",
    "undeploy": "Delete a deployment, but for its tables.",
    "schema": "Print the JSON Schema of the config, for editors.",
}
"""Each command and what it does; its module in this package has its name."""


class Commands(click.Group):
    """A group that imports a command when it is called: `--help` and completion stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in COMMANDS:
            return None
        try:
            command = importlib.import_module(f"router.cli.{cmd_name}").command
        except ModuleNotFoundError as error:
            if error.name not in ("rich", "packaging"):
                raise
            raise MissingExtra(f"router {cmd_name}", "cli") from None
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands for `--help`, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what is a person's mistake ends with its sentence and exit code 2, not with a traceback."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for finding in error.findings:
                click.echo(str(finding), err=True)
            ctx.exit(2)
        except RouterError as error:
            click.echo(f"router: {error}", err=True)
            ctx.exit(2)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_ROUTER_COMPLETE=bash_source router)" (or zsh_source, fish_source).',
)
@click.version_option(package_name="message-router", prog_name="router")  # looked up where it is asked for
@click.pass_context
def app(ctx: click.Context) -> None:
    """Route messages from Amazon SQS queues into DynamoDB tables, as a YAML file says.

    \b
    Examples:
      router check routes.yaml
      router test
      router explain --queue user-metadata message.json
      router demo
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False
