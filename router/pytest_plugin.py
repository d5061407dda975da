"""A config and its tests as pytest collects them, for the plugin in `message_router_pytest`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from router.tools.dev.run_tests import Suite, Verdict


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

        super().__init__(WRITTEN.mask(f"{verdict.route}: {verdict.name}\n{verdict.text}"))
