"""The first steps in README, in an empty folder and exactly as printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MOST = 5
"""Commands from an empty folder to a stored message."""
TIMEOUT = 280
"""Seconds; one command installs what the router needs."""


@pytest.mark.timeout(TIMEOUT + 20)
def test_from_an_empty_folder_to_a_stored_message(wheel: Path, tmp_path: Path, repo: Path) -> None:
    """The commands of README make an environment, install the router, make a route from a sample, and store it."""
    section = (repo / "README.md").read_text(encoding="utf-8").partition("## Start\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    shown = [line for line in block.splitlines() if not line.startswith("$ ")]
    (tmp_path / "message-router" / "dist").mkdir(parents=True)
    shutil.copy(wheel, tmp_path / "message-router" / "dist")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "PIP_QUIET": "2"}

    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )

    printed = done.stdout.splitlines()
    assert (done.returncode, len(commands) <= MOST) == (0, True), done.stdout + done.stderr
    assert [line for line in shown if line != "..." and line not in printed] == [], done.stdout
