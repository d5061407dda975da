"""`router schema`: print the JSON Schema of the config, for editors."""

import os
from pathlib import Path

import click
import msgspec

from router.tools.cli.options import choose_config, config_argument


@click.command("schema")
@config_argument
@click.option("--included", is_flag=True, help="The schema of files that `include` names.")
def command(file: Path | None, config: Path | None, included: bool) -> None:
    """Print the JSON Schema of routes.yaml, with which editors complete and check while you type.

    With a config, the schema also has the names of its tables.

    \b
    Examples:
      router schema > routes.schema.json
      router schema routes.yaml > routes.schema.json
      router schema routes.yaml --included > included.schema.json
      # then, as the first line of routes.yaml:
      # yaml-language-server: $schema=routes.schema.json
    """
    from router.runtime.program.load import load
    from router.tools.check.config_schema import config_schema

    named = file or config
    known = load(choose_config(file, config), os.environ).config if named else None
    click.echo(msgspec.json.format(msgspec.json.encode(config_schema(known, included))).decode())
