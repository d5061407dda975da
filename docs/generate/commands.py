"""The page `docs/cli.md`: the help of each command, as the program prints it."""

from collections.abc import Iterator

import click

from router.tools.cli.app import app, commands

WIDTH = 100
"""Columns of a line of the help."""
_INTRODUCTION = """\
# Commands

<!-- Made by `make format` from the help of the commands: edit `router/tools/cli/` instead of this page. -->

`router --help` lists the commands, `router NAME --help` prints one. The extra `console` has what
all of them need; [What to install](README.md#what-to-install) says which each needs.
"""


def commands_page() -> str:
    """Return the page, in Markdown."""
    settings = {**app.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(app, info_name="router", **settings)
    sections = [_INTRODUCTION]
    for name in commands():
        command = app.get_command(context, name)
        assert command is not None
        sections += _sections(command, name, context)
    return "\n".join(sections)


def _sections(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    level = "##" if parent.parent is None else "###"
    yield f"{level} {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from _sections(below, each, context)
