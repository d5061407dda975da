"""The plugin for pytest that runs the `tests:` of a `routes.yaml`.

Every pytest run imports it where the router is installed. It is no part of the package `router`, and imports that only
if a config is given: a project may have a module `router` of its own, and its tests import that.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from router.pytest_plugin import ConfigFile

OPTION = "router_config"
_SUFFIXES = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--router-config FILE` and the ini option of that name."""
    group = parser.getgroup("router", "message router")
    help_ = "a config of the message router whose tests are run (may be repeated)"
    group.addoption(
        "--router-config", action="append", dest=OPTION, metavar="FILE", default=[], help=help_
    )
    parser.addini(
        OPTION, "configs of the message router whose tests are run", type="paths", default=[]
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the configs that the option or the ini file names to the arguments, so that they are collected."""
    for path in _named(config):
        if not path.is_file():
            raise pytest.UsageError(f"router_config: there is no file {path}")
        if str(path) not in config.args:
            config.args.append(str(path))


def _named(config: pytest.Config) -> list[Path]:
    named = [Path(name).absolute() for name in config.getoption(OPTION)]
    # Tests that are named as arguments replace the configs of the ini file.
    return (
        named
        if config.args_source is pytest.Config.ArgsSource.ARGS
        else named + config.getini(OPTION)
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ConfigFile | None":
    """Collect a config that is named by the option, the ini file or an argument, and no other file."""
    if file_path.suffix not in _SUFFIXES:
        return None
    arguments = [Path(argument.partition("::")[0]).absolute() for argument in parent.config.args]
    if file_path not in arguments:
        return None
    try:
        from router.pytest_plugin import ConfigFile
    except ModuleNotFoundError as error:
        if error.name != "router.pytest_plugin":
            raise
        import router

        own = f"{file_path.name} needs the message router, and 'router' is {router.__file__}"
        raise parent.CollectError(f"{own}: rename that module, or run 'router test'") from None
    config: ConfigFile = ConfigFile.from_parent(parent, path=file_path)
    return config
