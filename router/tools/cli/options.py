"""The options that several commands share."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from router.errors import UsageError, refusing_file
from router.runtime.config.secret_values import WRITTEN

DEFAULT_CONFIG = Path("routes.yaml")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
Repeated = tuple[str, ...]
"""The values of an option or an argument that may be repeated."""
Function = TypeVar("Function", bound=Callable[..., Any])
"""What becomes a command."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCALAR = re.compile(
    r'"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null', re.ASCII
)
"""JSON that is neither an object nor a list."""
_FROM_FILES = "router.tools.cli.variables"
"""The key of the variables of `--env-file` in the context of a command."""


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file with a line `NAME=VALUE` for each; raises UsageError.

    As for `docker run --env-file`: empty lines and those that begin with `#` are skipped, a value is taken as it is
    written, without quotes or references.
    """
    found = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"cannot read {path} as UTF-8 text") from None
    for number, line in enumerate(lines, 1):
        name, equals, value = line.strip().partition("=")
        if name.startswith("#") or not (name or equals):
            continue
        if not equals or not _VARIABLE.fullmatch(name) or "\0" in value:
            raise UsageError(
                f"{path}:{number}: this is not NAME=VALUE, with letters, digits and '_' in the name"
            )
        found[name] = value
    return found


def variables_of_files() -> Mapping[str, str]:
    """Return the variables that `--env-file` gives to the command that runs."""
    found: Mapping[str, str] = click.get_current_context().meta.get(_FROM_FILES, {})
    return found


def _set_variables(context: click.Context, _: click.Parameter, paths: tuple[Path, ...]) -> None:
    """Put the variables of files into the environment, which child processes inherit, until the command ends."""
    given = {name: value for path in paths for name, value in read_env_file(path).items()}
    context.meta[_FROM_FILES] = given
    added = {name: value for name, value in given.items() if name not in os.environ}
    os.environ.update(added)

    def remove() -> None:
        for name in added:
            os.environ.pop(name, None)

    context.call_on_close(remove)


env_file_option = click.option(
    "--env-file",
    type=FILE,
    multiple=True,
    expose_value=False,
    is_eager=True,
    callback=_set_variables,
    help="A file of environment variables, NAME=VALUE in each line; those of the environment have precedence.",
)
"""`--env-file FILE`, of all commands that read a config."""


class _ConfigFile(click.Path):
    """The file of a config, which by default is that of the folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; raises click.UsageError if it does not exist."""
        if value == DEFAULT_CONFIG:
            require_config(DEFAULT_CONFIG, "with --config")
        return super().convert(value, param, ctx)


def require_config(path: Path, how: str) -> None:
    """Raise click.UsageError if there is no config; `how` says how to give another one."""
    if not path.exists():
        raise click.UsageError(f"there is no {path} here; give the config {how}")


def config_option(function: Function) -> Function:
    """Add `-c FILE` and `--env-file FILE`."""
    file = _ConfigFile(exists=True, dir_okay=False, path_type=Path)
    option = click.option(
        "-c", "--config", type=file, default=DEFAULT_CONFIG, show_default=True, help="The config."
    )
    return option(env_file_option(function))


allow_file_option = click.option(
    "--allow-file",
    "allowed",
    multiple=True,
    metavar="PATH",
    help="Pack this file of the config's folder though it seems to hold a secret; may be repeated.",
)
"""`--allow-file PATH`, of the commands that build a package."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
allow_destructive_option = click.option(
    "--allow-destructive",
    is_flag=True,
    help="Delete or replace queues and tables, if the change does.",
)
confirm_option = click.option(
    "--confirm",
    "confirmed",
    multiple=True,
    metavar="NAME",
    help="A queue or table that may lose what it stores, instead of typing its name; queue:NAME or table:NAME if both "
    "have that name and lose something; ACCOUNT/REGION of a stack that was deployed elsewhere. May be repeated.",
)
_tag_option = click.option(
    "--tag",
    multiple=True,
    metavar="NAME=VALUE",
    help="A tag of all resources that can have tags; may be repeated. Those of the config stay.",
)
_boundary_option = click.option(
    "--permissions-boundary",
    "boundary",
    default="",
    metavar="ARN",
    help="The policy that is the permissions boundary of all roles.",
)
_patch_option = click.option(
    "--patch",
    type=FILE,
    multiple=True,
    help="A YAML file that is merged into the template; may be repeated.",
)


def template_options(function: Function) -> Function:
    """Add `--tag`, `--permissions-boundary` and `--patch`, of the commands that make a template."""
    return _tag_option(_boundary_option(_patch_option(function)))


yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def output_option(**settings: Any) -> Callable[[Function], Function]:
    """Return the option `-o FILE`; `settings` are those of click."""
    return click.option("-o", "--output", type=NEW_FILE, **settings)


def config_argument(function: Function) -> Function:
    """Add `[FILE]`, `-c FILE` and `--env-file FILE`; the function passes the first two to `choose_config`."""
    option = click.option("-c", "--config", type=FILE, help="The config.  [default: routes.yaml]")
    return click.argument("file", type=FILE, required=False)(option(env_file_option(function)))


def choose_config(file: Path | None, config: Path | None, *, may_be_missing: bool = False) -> Path:
    """Return the config given as FILE or --config; raises click.UsageError for both, or if it does not exist."""
    if file and config:
        raise click.UsageError("give the config once: as FILE, or with --config")
    chosen = file or config or DEFAULT_CONFIG
    if not may_be_missing:
        require_config(chosen, "as FILE or with --config")
    return chosen


def parse_expression(text: str | None, option: str) -> Callable[[Any], Any] | None:
    """Return the expression of an option, if it is given; raises UsageError for one that is not valid."""
    # Most commands take no expression.
    from router.runtime.program.expressions.compile import InvalidExpression, compile_expression

    try:
        return compile_expression(text) if text else None
    except InvalidExpression as error:
        raise UsageError(f"{option}: {error}") from None


def is_json(text: str) -> bool:
    """Whether a message on the command line is JSON, and not the name of a file.

    A number, text or a word of JSON is the name of a file if there is one of this name.
    """
    if text.lstrip().startswith(("{", "[")):
        return True
    return _SCALAR.fullmatch(text.strip()) is not None and not Path(text).exists()


def require_writable(path: Path) -> None:
    """Raise UsageError if the file of `--output` cannot be written, before what cannot be repeated; nothing is left."""
    with refusing_file(f"write {path}"):
        try:
            path.open("xb").close()
        except FileExistsError:
            path.open("ab").close()
        else:
            path.unlink()


def write_text_file(path: Path, text: str) -> None:
    """Write a file for people, without secrets; raises UsageError."""
    write_file(path, WRITTEN.mask(text).encode())


def write_file(path: Path, content: bytes) -> None:
    """Write the whole file that programs read, or leave it as it is; raises UsageError."""
    # Most runs write no file, and start without the module.
    from router.tools.deploy.file_writing import replace_file

    with refusing_file(f"write {path}"):
        replace_file(path, content)
