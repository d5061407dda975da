"""The JSON that commands print with `--json`."""

from typing import Any

import click

from router.tools.dev.compare import to_json


def print_json(value: Any) -> None:
    """Print a value to standard output as JSON that is safe for a terminal."""
    click.echo(to_json(value, indent=2))
