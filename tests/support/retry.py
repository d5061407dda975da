"""A plugin for pytest: tests marked `timing` that failed run once more at the end, each alone.

Only with `--retry-timing`. Those that pass then do not fail the run, and are listed as flaky at its
end: each is a defect of the test or of the program. Tests without the mark never run again.
pytest-rerunfailures does another thing: it runs a test again at once, while the machine is as busy
as before, and in the process whose state may be the cause.
"""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from textwrap import indent

import pytest

MARK = "timing"
MOST = 20
"""More tests do not fail by chance: if more failed, none runs again."""
SECONDS = 600
FAILED_ONCE, FLAKY = "failed once", "flaky"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--retry-timing` and `--flaky-list FILE`."""
    group = parser.getgroup("retry of tests that depend on time")
    help_ = f"run failed tests marked `{MARK}` once more at the end, each alone; list those that pass then as flaky"
    group.addoption("--retry-timing", action="store_true", default=False, help=help_)
    group.addoption("--flaky-list", metavar="FILE", type=Path, help="append the names of flaky tests to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Watch the reports, where they come together: not in a process of pytest-xdist."""
    if config.getoption("--retry-timing") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Retry(config), "retry-timing")


class Retry:
    """Holds back the failures of tests marked `timing` until they have run once more."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._held: dict[str, list[pytest.TestReport]] = defaultdict(list)
        self._holds = True
        self._flaky: list[pytest.TestReport] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hold a failure back, before any other plugin counts it as one."""
        if self._holds and report.failed and MARK in report.keywords:
            report.outcome = FAILED_ONCE  # type: ignore[assignment]
            self._held[report.nodeid].append(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Name the state of a test that will run once more."""
        return (FAILED_ONCE, "R", "FAILED ONCE") if report.outcome == FAILED_ONCE else None

    # The last wrapper is the innermost: pytest-cov, whose wrapper is around it, then reads what it has measured.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self) -> Iterator[None]:
        """Run the held tests once more, and report those as failed that fail again."""
        passed: set[str] = set()
        try:
            result = yield
            if len(self._held) <= MOST:
                passed = self._run_again()
        finally:
            self._release(passed)
        return result

    def _run_again(self) -> set[str]:
        passed = set()
        for number, test in enumerate(self._held):
            self._write(f"\nonce more, alone: {test}")
            output = _run_alone(self._config, test, number)
            if output is None:
                passed.add(test)
            else:
                # Indented: the closing line of this run is not the one of the whole.
                self._write(indent(output, "    "))
        return passed

    def _release(self, passed: Collection[str]) -> None:
        self._holds = False
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal:
            terminal.stats.pop(FAILED_ONCE, None)
        for test, reports in self._held.items():
            if test in passed:
                self._flaky += reports[:1]
                continue
            for report in reports:
                report.outcome = "failed"
                self._config.hook.pytest_runtest_logreport(report=report)
        if terminal and self._flaky:
            # For the closing line, such as "7 passed, 1 flaky".
            terminal.stats[FLAKY] = self._flaky

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the flaky tests, with what failed at first."""
        if not self._flaky:
            return
        terminalreporter.section("flaky tests: they failed, and passed alone")
        for report in self._flaky:
            terminalreporter.write_line(report.nodeid, bold=True)
            terminalreporter.write_line(report.longreprtext)
            for title, text in report.sections:
                terminalreporter.write_line(f"-- {title}\n{text}")
        terminalreporter.section("flaky tests: each is a defect of the test or of the program")
        for report in self._flaky:
            terminalreporter.write_line(f"FLAKY {report.nodeid}")
        file = self._config.getoption("--flaky-list")
        if file:
            with file.open("a", encoding="utf-8") as lines:
                lines.writelines(f"{report.nodeid}\n" for report in self._flaky)

    def _write(self, text: str) -> None:
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal:
            terminal.write_line(text)


def _run_alone(config: pytest.Config, test: str, number: int) -> str | None:
    """Run a test in a process of its own; return the output if it fails, else None."""
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", f"--rootdir={config.rootpath}"]
    if config.inipath:
        command += ["-c", str(config.inipath)]
    environment = dict(os.environ)
    sources = config.getoption("cov_source", None)
    if sources:
        command += ["--cov" if source is True else f"--cov={source}" for source in sources]
        command += ["--cov-report="]
        # pytest-cov reads all files of such a name in the end.
        environment["COVERAGE_FILE"] = str(config.rootpath / f".coverage.again-{number}")
    try:
        done = subprocess.run(
            [*command, test], cwd=config.rootpath, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"It did not end in {SECONDS} seconds."
    return done.stdout + done.stderr if done.returncode else None
