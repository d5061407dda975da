"""`make test` fails unless each test passed, at once or when the failed ones ran once more."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSES = "def test_passes(): pass\n"
FAILS_ONCE = """
from pathlib import Path
def test_fails_once():
    seen = Path(__file__).with_suffix(".seen")
    if not seen.exists():
        seen.touch()
        raise AssertionError
"""
CANNOT_BE_IMPORTED_ONCE = """
import os
from pathlib import Path
try:
    os.mkdir(Path(__file__).with_suffix(".seen"))
except FileExistsError:
    pass
else:
    raise ImportError
def test_passes(): pass
"""


@pytest.mark.skipif(not shutil.which("make"), reason="it runs make")
@pytest.mark.parametrize(
    ("test", "arguments", "passes"),
    [
        (FAILS_ONCE, "-n 0", True),
        (FAILS_ONCE, "-n 0 --maxfail 1", False),
        (CANNOT_BE_IMPORTED_ONCE, "-n 2", False),
    ],
    ids=["all tests ran", "the first failure ends the run", "two processes collected different tests"],
)
def test_the_failed_tests_run_once_more_if_all_ran(test: str, arguments: str, passes: bool, tmp_path: Path) -> None:
    """A run that was cut short fails, even if those of its tests that failed would pass now."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_sessionfinish\n")
    (tmp_path / "test_first.py").write_text(test)
    (tmp_path / "test_second.py").write_text(PASSES)
    variables = [f"RUN={sys.executable}", "STAMP=", "COVERAGE=", f"ARGS={arguments} -p no:router"]
    outer = ("MAKE", "MFLAGS", "PYTEST")
    env = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
    env["PYTHONPATH"] = str(ROOT)

    made = subprocess.run(
        ["make", "-f", ROOT / "Makefile", "test", *variables],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )

    assert (made.returncode == 0) is passes, made.stdout + made.stderr
