"""A plugin for pytest: the `tests:` of a `routes.yaml` are tests of a pytest run.

It is imported by every pytest run where the router is installed, so it imports the router only when there is a config.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from router.dev.run_tests import Suite, Verdict

OPTION = "router_config"
_SUFFIXES = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--router-config FILE` and the ini option of that name."""
    group = parser.getgroup("router", "message router")
    help_ = "a config of the message router whose tests are run (may be repeated)"
    group.addoption("--router-config", action="append", dest=OPTION, metavar="FILE", default=[], help=help_)
    parser.addini(OPTION, "configs of the message router whose tests are run", type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Configs that the option or the ini file names are collected, wherever they are."""
    for path in _named(config):
        if not path.is_file():
            raise pytest.UsageError(f"router_config: there is no file {path}")
        if str(path) not in config.args:
            config.args.append(str(path))


def _named(config: pytest.Config) -> list[Path]:
    named = [Path(name).absolute() for name in config.getoption(OPTION)]
    # Whoever names tests to run means these, and not what the ini file adds.
    return named if config.args_source is pytest.Config.ArgsSource.ARGS else named + config.getini(OPTION)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ConfigFile | None":
    """A config that was named, by option, ini file or as a test to run; no other file is even looked at."""
    if file_path.suffix not in _SUFFIXES:
        return None
    arguments = [Path(argument.partition("::")[0]).absolute() for argument in parent.config.args]
    if file_path not in arguments:
        return None
    config: ConfigFile = ConfigFile.from_parent(parent, path=file_path)
    return config


class ConfigFile(pytest.File):
    """A config; its tests are items."""

    def collect(self) -> "Iterator[RouteTest]":
        """The tests, in the order of the file; raises CollectError with the findings if it has errors."""
        from router.dev.run_tests import Suite
        from router.errors import ConfigError

        try:
            suite = Suite(self.path, os.environ)
        except ConfigError as error:
            raise self.CollectError(str(error)) from None
        for route, name, index in suite.names():
            made: RouteTest = RouteTest.from_parent(
                self, name=f"{route}: {name}", suite=suite, route=route, index=index
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
        """Run it."""
        verdict = self._suite.run_one(self._route, self._index)
        if not verdict.passed:
            raise Failed(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Each difference, and nothing of how that was found."""
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test stands in the file."""
        place = self._suite.loaded.findings.locate(("routes", self._route, "tests", self._index))
        return Path(place.file).absolute(), place.line - 1, self.name


class Failed(Exception):
    """A test did not pass; the text has each difference."""

    def __init__(self, verdict: "Verdict") -> None:
        from router.dev.compare import table

        super().__init__("\n".join([f"{verdict.route}: {verdict.name}", *table(verdict.differences)]))
