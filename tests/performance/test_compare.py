"""The comparison of the function with that of an earlier commit: what it needs is looked for before it measures."""

import shutil
import subprocess
import sys
from pathlib import Path

import compare
import pytest
import rust
from environment import HERE, BenchmarkError


def test_a_commit_that_does_not_exist_is_reported_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built and no server is started before."""
    monkeypatch.setattr(compare, "serve", lambda: pytest.fail("a server is started"))
    monkeypatch.setattr(rust, "build", lambda *_: pytest.fail("a program is built"))

    with pytest.raises(BenchmarkError, match=r"cannot unpack absent: \w+"):
        compare.measure("absent", 1, 0, 1)


def test_a_tree_without_the_router_is_refused(tmp_path: Path) -> None:
    """Python would take the router that is installed, and compare this version with itself."""
    if not shutil.which("git") or not (HERE.parent / ".git").exists():
        pytest.skip("it needs the repository")

    with pytest.raises(BenchmarkError, match="HEAD:docs has no program 'router'"):
        compare.check_out("HEAD:docs", tmp_path)


@pytest.mark.parametrize("option", ["--rounds", "--messages"])
def test_counts_are_at_least_one(option: str) -> None:
    """Nothing is measured without a round or a message."""
    command = [sys.executable, str(HERE / "compare.py"), "HEAD", option, "0"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)

    assert (done.returncode, f"argument {option}: 0 is not a positive number" in done.stderr) == (2, True)
