"""The options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from router.errors import UsageError

DEFAULT_CONFIG = Path("routes.yaml")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)

config_option: Callable[[Any], Any] = click.option(
    "-c", "--config", type=FILE, default=DEFAULT_CONFIG, show_default=True, help="The config."
)
"""`-c FILE`."""


allow_file_option: Callable[[Any], Any] = click.option(
    "--allow-file",
    "allowed",
    multiple=True,
    metavar="PATH",
    help="Pack this file of the config's folder though it seems to hold a secret; may be repeated.",
)
"""`--allow-file PATH`, of the commands that build a package."""
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option: Callable[[Any], Any] = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def output_option(**settings: Any) -> Callable[[Any], Any]:
    """Return the option `-o FILE`; `settings` are those of click."""
    return click.option("-o", "--output", type=NEW_FILE, **settings)


def config_argument(function: Any) -> Any:
    """Add `[FILE]` and `-c FILE`; the function passes both to `choose_config`."""
    option = click.option("-c", "--config", type=FILE, help="The config.  [default: routes.yaml]")
    return click.argument("file", type=FILE, required=False)(option(function))


def choose_config(file: Path | None, config: Path | None) -> Path:
    """Return the config given as FILE or --config; raises click.UsageError for both, or if it does not exist."""
    if file and config:
        raise click.UsageError("give the config once: as FILE, or with --config")
    chosen = file or config or DEFAULT_CONFIG
    if not chosen.exists():
        raise click.UsageError(f"there is no {chosen} here; give the config as FILE or with --config")
    return chosen


def write_file(path: Path, content: bytes) -> None:
    """Write the file of `--output` or `--junit`; raises UsageError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {(error.strerror or type(error).__name__).lower()}") from None
