"""The course of `router new --plugin`: show the files, ask, write them, and say what to do next."""

import os
from pathlib import Path

import click

from router.errors import UsageError
from router.runtime.printable import printable
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.terminal import confirm
from router.tools.dev.new_plugin import plan_plugin, write_plugin


def make_plugin(name: str, config: Path, *, yes: bool, as_json: bool) -> int:
    """Make a plugin and return the exit code; raises UsageError."""
    files = plan_plugin(name, config)
    if not as_json:
        for file in files:
            kind = "new " if file.before is None else "edit"
            click.echo(printable(f"{kind}  {file.path}"))
    if as_json and not yes:
        raise UsageError("--json does not ask: give --yes, too")
    if not yes and not confirm("Write these files?"):
        tell("nothing was written")
        return 1
    write_plugin(files, config, os.environ)
    if as_json:
        listed = [{"path": str(each.path), "new": each.before is None} for each in files]
        print_json({"plugin": name, "files": listed})
        return 0
    click.echo(
        f"a route uses it with 'options: {{{name}: {{label: new}}}}'; test it: pytest tests/test_{name}.py"
    )
    return 0
