"""The `router` command: a group that discovers its commands and imports each when it is called.

A command is a module of this package, NAME.py without an underscore, with a click command named `command` and a
docstring that begins with "`router NAME`: HELP": the help is read from there without importing the module.
"""

import gc
import importlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from router.errors import ConfigError, MissingExtra, RouterError
from router.runtime.printable import printable, printable_lines
from router.tools.cli.masked_output import OutputError, end_without_output, masking, tell

_FIRST_LINE = re.compile(r'"""`router (\w+)`: (.+?)(?:""")?$')
_EXTRAS = {
    "rich": "cli",
    "packaging": "cli",
    "boto3": "worker",
    "botocore": "worker",
    "prometheus_client": "worker",
    "anyio": "console",
    "starlette": "console",
    "uvicorn": "console",
}
"""The optional modules that commands import, each with the extra that installs it."""
SHORT = frozenset(
    ("check", "compile", "diff", "explain", "graph", "list", "new", "schema", "template", "test")
)
"""The commands that read files, print and end: collecting reference cycles would be a fifth of the work of `check`."""

GROUPS = {
    "Start": ("demo", "new"),
    "Write and test routes": ("check", "test", "explain", "list", "graph", "console", "schema"),
    "Run": ("local", "send", "worker"),
    "Change what runs": (
        "diff", "record", "deploy", "rollback", "undeploy", "build", "compile", "template",
    ),
    "Operate": ("status", "dlq", "replay", "verify"),
}  # fmt: skip
"""The commands by what one does, in the order in which one comes to it; `--help` shows them so."""


@cache
def commands() -> Mapping[str, str]:
    """Return the name and the help of each command in alphabetical order, without importing any."""
    found = {}
    folder = Path(__file__).parent
    # By names: to make and sort paths would take more than to read the files.
    for file in sorted(os.listdir(folder)):  # noqa: PTH208
        name, _, ending = file.partition(".")
        if ending != "py" or "_" in name:
            # Of the others, each is what a command does, or what commands share.
            continue
        with (folder / file).open(encoding="utf-8") as source:
            match = _FIRST_LINE.match(source.readline().rstrip())
        if match and match[1] == name:
            found[name] = match[2][0].upper() + match[2][1:]
    return found


@contextmanager
def _naming_extras(command: str | click.Context) -> Iterator[None]:
    """Raise MissingExtra if an optional module is missing that a command imports inside."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        name = command if isinstance(command, str) else command.invoked_subcommand
        raise MissingExtra(f"router {name}", _EXTRAS[error.name]) from None


class Commands(click.Group):
    """A group that imports a command only when it is called, so that `--help` and completion stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; return None if there is no such command."""
        if cmd_name not in commands():
            return None
        if cmd_name not in SHORT:
            gc.enable()
        with _naming_extras(cmd_name):
            command: click.Command = importlib.import_module(f"router.tools.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands for `--help`, by what one does."""
        width = max(map(len, commands()))
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", commands()[name]) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of arguments; an unknown one ends with the one that is like it."""
        name = args[0]
        if name not in commands() and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches  # which the right names do without

            near = get_close_matches(name, commands())
            did_you_mean = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{name}'.{did_you_mean}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands and the options of `router`."""
        found = [
            CompletionItem(name, help=text)
            for name, text in commands().items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run `router` with arguments; if its output cannot be written, it ends with exit code 2.

        What it prints has no value of a variable that holds a secret.
        """
        with masking():
            try:
                return super().main(*args, **extra)
            except OutputError as error:
                end_without_output(error)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of the user ends with a sentence and exit code 2, not with a traceback."""
        try:
            with _naming_extras(ctx):
                return super().invoke(ctx)
        except ConfigError as error:
            for finding in error.findings:
                tell(printable(str(finding)))
            ctx.exit(2)
        except RouterError as error:
            tell(f"router: {printable_lines(str(error))}")
            ctx.exit(2)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_ROUTER_COMPLETE=bash_source router)" (or zsh_source, fish_source).',
)
# The version is read from the metadata only when needed.
@click.version_option(package_name="message-router", prog_name="router")
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
