"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DEFAULT_CONFIG = Path("routes.yaml")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

config_option: Callable[[Any], Any] = click.option(
    "-c", "--config", type=_FILE, default=DEFAULT_CONFIG, show_default=True, help="The config."
)
"""`-c FILE`."""


def config_argument(function: Any) -> Any:
    """`[FILE]`, or `-c FILE`; the function gets `file` and `config`, to be put into `choose_config`."""
    option = click.option("-c", "--config", type=_FILE, help="The config.  [default: routes.yaml]")
    return click.argument("file", type=_FILE, required=False)(option(function))


def choose_config(file: Path | None, config: Path | None) -> Path:
    """The config that was named, in either way; raises click.UsageError for both, or where there is none."""
    if file and config:
        raise click.UsageError("name the config once: as FILE, or with --config")
    chosen = file or config or DEFAULT_CONFIG
    if not chosen.exists():
        raise click.UsageError(f"there is no {chosen} here; name the config, as FILE or with --config")
    return chosen
