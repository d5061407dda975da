"""What decides whether the suite is red: the marks, the examples of property tests, tests that run once more."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 200
# Each test notes that it runs.
PREAMBLE = """
import pytest
from pathlib import Path

def runs(name):
    file = Path(__file__).with_name(name)
    file.write_text((file.read_text() if file.exists() else "") + "x")
    return len(file.read_text())
"""
FLAKY = """
@pytest.mark.timing
def test_flaky():
    print("what the test printed")
    assert runs("flaky") == 2, "slow today"
"""
BROKEN = """
@pytest.mark.timing
def test_broken():
    assert not runs("broken"), "always slow"
"""
UNSTEADY = """
@pytest.mark.timing
class TestFixture:
    @pytest.fixture
    def server(self):
        assert runs("server") == 2, "no port"

    def test_served(self, server):
        pass
"""
RED = """
def test_red():
    assert runs("red") == 2, "a defect"
"""
GREEN = """
def test_green():
    assert runs("green") == 1
"""
COVERED = """
import covered

@pytest.mark.timing
def test_covered():
    assert runs("covered") == 2, "slow today"
    assert covered.answer() == 42
"""


class Ended(NamedTuple):
    """A run of pytest that has ended."""

    code: int
    output: str

    def lines(self, start: str) -> list[str]:
        """Return the lines that start so."""
        return [line for line in self.output.splitlines() if line.startswith(start)]


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest on tests of its own, with the plugin."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p tests.support.retry\nmarkers = timing: of time\n")
    inherited = {name: each for name, each in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    environment = inherited | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}

    def pytest_(tests: str, *words: str) -> Ended:
        (tmp_path / "test_own.py").write_text(f"{PREAMBLE}{tests}", encoding="utf-8")
        command = [sys.executable, "-m", "pytest", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return Ended(done.returncode, done.stdout + done.stderr)

    return pytest_


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_test_that_passes_alone_is_flaky(run: Run, tmp_path: Path, workers: str) -> None:
    """It is listed, and neither it nor its setup makes the run red; the closing line has no failure."""
    ended = run(FLAKY + UNSTEADY + GREEN, "-n", workers, "--retry-timing", "--flaky-list", str(tmp_path / "list"))

    flaky = ["test_own.py::test_flaky", "test_own.py::TestFixture::test_served"]
    assert ended.code == 0, ended.output
    assert sorted(ended.lines("FLAKY")) == sorted(f"FLAKY {name}" for name in flaky)
    assert sorted((tmp_path / "list").read_text().splitlines()) == sorted(flaky)
    assert ended.output.splitlines()[-1].startswith("1 passed, 2 flaky in ")
    # What failed at first, for whoever mends it.
    assert ["slow today" in ended.output, "what the test printed" in ended.output] == [True, True]


def test_a_test_that_fails_again_is_red(run: Run, tmp_path: Path) -> None:
    """Beside one that is flaky; it ran twice."""
    ended = run(FLAKY + BROKEN + GREEN, "-n", "2", "--retry-timing")

    assert (ended.code, (tmp_path / "broken").read_text()) == (1, "xx"), ended.output
    assert ended.lines("FAILED") == ["FAILED test_own.py::test_broken - AssertionError: always slow"]
    assert ended.lines("FLAKY") == ["FLAKY test_own.py::test_flaky"]
    assert ended.output.splitlines()[-1].startswith("1 failed, 1 passed, 1 flaky in ")


def test_a_test_without_the_mark_never_runs_again(run: Run, tmp_path: Path) -> None:
    """It is red at once, though it would pass."""
    ended = run(RED + GREEN, "-n", "2", "--retry-timing")

    assert (ended.code, (tmp_path / "red").read_text()) == (1, "x"), ended.output
    assert ended.output.splitlines()[-1].startswith("1 failed, 1 passed in ")


def test_nothing_runs_again_without_the_option(run: Run, tmp_path: Path) -> None:
    """As a person runs the tests."""
    ended = run(FLAKY)

    assert (ended.code, (tmp_path / "flaky").read_text()) == (1, "x"), ended.output


def test_too_many_failures_are_no_chance(run: Run) -> None:
    """If a server does not start, its tests do not run for an hour."""
    many = "".join(f"\n@pytest.mark.timing\ndef test_{number}():\n    assert not runs('x')\n" for number in range(21))

    ended = run(many, "--retry-timing")

    assert (ended.code, ended.lines("once more")) == (1, []), ended.output
    assert ended.output.splitlines()[-1].startswith("21 failed in ")


def test_an_interrupted_run_reports_what_failed(run: Run) -> None:
    """Without running it again."""
    interrupted = f"{FLAKY}\ndef test_interrupted():\n    raise KeyboardInterrupt\n"

    ended = run(interrupted, "--retry-timing")

    assert (ended.code, ended.lines("once more")) == (2, []), ended.output
    assert ended.lines("FAILED") == ["FAILED test_own.py::test_flaky - AssertionError: slow today"]


@pytest.mark.parametrize(
    ("more", "code", "share"), [("", 0, "100%"), ("\ndef other():\n    return 43\n", 1, "75%")], ids=["all", "not all"]
)
def test_coverage_is_of_both_runs(run: Run, tmp_path: Path, more: str, code: int, share: str) -> None:
    """The lines that only the second run has reached count, and the limit is applied."""
    (tmp_path / "covered.py").write_text(f"def answer():\n    return 42\n{more}", encoding="utf-8")

    ended = run(COVERED, "-n", "2", "--retry-timing", "--cov=covered", "--cov-report=term", "--cov-fail-under=100")

    assert ended.code == code, ended.output
    assert [line.split()[-1] for line in ended.lines("covered.py")] == [share]
    assert ended.lines("FLAKY") == ["FLAKY test_own.py::test_covered"]


DRAWS = """
import sys
sys.path[:0] = {path}
import {imported}
from hypothesis import given, strategies as st

@given(st.integers(), st.text())
def test_draws(number, text):
    print("DREW", number, ascii(text))
"""


def test_examples_do_not_depend_on_what_is_imported(tmp_path: Path) -> None:
    """Other tests of the process import modules of the project, whose constants Hypothesis likes to draw."""
    drawn = [_draw(tmp_path, imported) for imported in ("json", "router.tools.check.run", "json")]

    assert len(drawn[0]) > 50
    assert drawn[1:] == [drawn[0], drawn[0]]


def _draw(folder: Path, imported: str) -> list[str]:
    """Return the examples of a property test, drawn as the tests of the project draw theirs."""
    file = folder / "test_draws.py"
    file.write_text(DRAWS.format(path=sys.path, imported=imported), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "0", "-s", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    command += [f"--rootdir={folder}", "-c", os.devnull, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("DREW")]
