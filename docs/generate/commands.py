"""The page `docs/cli.md`: the help of each command, as the program prints it, without the options of many commands."""

import copy
from collections import Counter
from collections.abc import Iterator

import click

from router.tools.cli.app import app

WIDTH = 100
"""Columns of a line of the help."""
MANY = 6
"""An option that so many commands have, with the same words, is described once."""
_INTRODUCTION = """\
# Commands

<!-- Made by `make format` from the help of the commands: edit `router/tools/cli/` instead of this page. -->

`router --help` lists the commands, `router NAME --help` prints all about one.
[What to install](README.md#what-to-install) says which extra each needs.
"""
_OF_MANY = """\
## Options of many commands

Each command has `--help`. Below the help of a command is which of these it has.
"""

Row = tuple[str, str]
"""An option as it is written, and its help."""


def commands_page() -> str:
    """Return the page, in Markdown."""
    found = list(_contexts(app, "router", None))
    counted = Counter(row for context in found for row in _rows(context).values())
    of_many = {row for row, count in counted.items() if count >= MANY}
    rows = "".join(f"| `{option}` | {text} |\n" for option, text in sorted(of_many))
    table = f"{_OF_MANY}\n| option | what it says |\n|---|---|\n{rows}"
    return "\n".join([_INTRODUCTION, table, *(_section(context, of_many) for context in found)])


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


def _rows(context: click.Context) -> dict[str, Row]:
    """Return the options of a command as its help shows them, by their names."""
    options = [each for each in context.command.params if isinstance(each, click.Option)]
    records = {option.opts[-1]: option.get_help_record(context) for option in options}
    return {name: record for name, record in records.items() if record}


def _section(context: click.Context, of_many: set[Row]) -> str:
    """Return the help of a command without the options of many commands, which are only named."""
    rows = _rows(context)
    shown = copy.copy(context.command)
    shown.add_help_option = False
    shown.params = [option for option in shown.params if rows.get(option.opts[-1]) not in of_many]
    is_below_another = context.command_path.count(" ") > 1
    level = "###" if is_below_another else "##"
    named = ", ".join(f"`{name}`" for name, row in rows.items() if row in of_many)
    also = f"\nAlso: {named}.\n" if named else ""
    return f"{level} {context.command_path}\n\n```text\n{shown.get_help(context)}\n```\n{also}"
