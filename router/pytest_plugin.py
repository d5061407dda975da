"""A plugin for pytest that runs the `tests:` of a `routes.yaml`.

Every pytest run imports it where the router is installed, so it imports the router only if a config is given.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from router.tools.dev.run_tests import Suite, Verdict

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
    config: ConfigFile = ConfigFile.from_parent(parent, path=file_path)
    return config


class ConfigFile(pytest.File):
    """A config, whose tests are items."""

    def collect(self) -> "Iterator[RouteTest]":
        """Yield the tests in the order of the file, without secrets in their names.

        Raises CollectError with the findings if the config has errors.
        """
        from router.errors import ConfigError
        from router.runtime.config.secret_values import WRITTEN
        from router.tools.dev.run_tests import Suite

        try:
            suite = Suite(self.path, os.environ)
        except ConfigError as error:
            raise self.CollectError(str(error)) from None
        for route, name, index in suite.names():
            made: RouteTest = RouteTest.from_parent(
                self, name=WRITTEN.mask(f"{route}: {name}"), suite=suite, route=route, index=index
            )
            yield made


class RouteTest(pytest.Item):
    """One test of a route."""

    def __init__(self, *, suite: "Suite", route: str, index: int, **more: Any) -> None:
        super().__init__(**more)
        self._suite = suite
        self._route = route
        self._index = index

    def runtest(self) -> None:
        """Run the test; raises RouteTestFailed."""
        verdict = self._suite.run_one(self._route, self._index)
        if not verdict.passed:
            raise RouteTestFailed(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the differences, without a traceback."""
        if isinstance(excinfo.value, RouteTestFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place of the test in the file."""
        place = self._suite.loaded.findings.locate(("routes", self._route, "tests", self._index))
        return Path(place.file).absolute(), place.line - 1, self.name


class RouteTestFailed(Exception):
    """A test did not pass; the text has its differences."""

    def __init__(self, verdict: "Verdict") -> None:
        from router.runtime.config.secret_values import WRITTEN
        from router.tools.dev.compare import table

        text = "\n".join([f"{verdict.route}: {verdict.name}", *table(verdict.differences)])
        super().__init__(WRITTEN.mask(text))
