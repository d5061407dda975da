"""The page `docs/cli.md`: the help of each command, as the program prints it, without the options of many commands."""

import copy
from collections import Counter
from collections.abc import Iterator, Set

import click

from router.tools.cli.app import app

WIDTH = 100
"""Columns of a line of the help."""
MANY = 6
"""An option that so many commands have, with the same words, is described once."""
_INTRODUCTION = """\
# Commands

<!-- Made by `make format` from the help of the commands: edit `router/tools/cli/` instead of this page. -->

`router --help` lists the commands, `router NAME --help` prints all about one. The extra `console` has what all of them
need; [What to install](README.md#what-to-install) says which each needs.

## Options of many commands

Each command has `--help`. Below the help of a command is which of these it has.
"""

Row = tuple[str, str]
"""An option as it is written, and its help."""


def commands_page() -> str:
    """Return the page, in Markdown."""
    found = list(_contexts(app, "router", None))
    counted = Counter(_row(option, context) for context in found for option in context.command.params)
    of_many = {row for row, count in counted.items() if row and count >= MANY}
    rows = [f"| `{option}` | {text} |" for option, text in sorted(of_many)]
    sections = [_section(context, of_many) for context in found]
    return "\n".join([_INTRODUCTION, "| option | what it says |", "|---|---|", *rows, "", *sections])


def _contexts(command: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
    """Yield the context of each command below one, in alphabetical order."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    if parent is not None:
        yield context
    if isinstance(command, click.Group):
        for each in sorted(command.list_commands(context)):
            below = command.get_command(context, each)
            assert below is not None
            yield from _contexts(below, each, context)


def _row(option: click.Parameter, context: click.Context) -> Row | None:
    return option.get_help_record(context) if isinstance(option, click.Option) else None


def _section(context: click.Context, of_many: Set[Row]) -> str:
    """Return the help of a command without the options of many commands, which are only named."""
    shown = copy.copy(context.command)
    shown.add_help_option = False
    shown.params = [option for option in shown.params if _row(option, context) not in of_many]
    named = [f"`{option.opts[-1]}`" for option in context.command.params if option not in shown.params]
    also = f"\nAlso: {', '.join(named)}.\n" if named else ""
    level = "#" * (context.command_path.count(" ") + 1)
    return f"{level} {context.command_path}\n\n```text\n{shown.get_help(context)}\n```\n{also}"
