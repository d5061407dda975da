"""`router schema`: the JSON Schema of the config."""

import click
import msgspec

from router.config.editor import config_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of routes.yaml, with which editors complete and check while you type.

    \b
    Examples:
      router schema > routes.schema.json
      # then, as the first line of routes.yaml:
      # yaml-language-server: $schema=routes.schema.json
    """
    click.echo(msgspec.json.format(msgspec.json.encode(config_schema())).decode())
