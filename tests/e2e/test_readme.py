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


SOURCES = ("router", "message_router_pytest.py", "pyproject.toml", "README.md", "LICENSE")
"""What of a checkout is needed to build the router."""


def start(repo: Path) -> tuple[str, list[str], list[str]]:
    """The section of README, its commands, and the lines that they print."""
    section = (repo / "README.md").read_text(encoding="utf-8").partition("## Start\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    return section, commands, [line for line in block.splitlines() if not line.startswith("$ ")]


def beside(folder: Path, repo: Path) -> Path:
    """A checkout, and an empty folder beside it."""
    checkout = folder / "message-router"
    checkout.mkdir()
    for name in SOURCES:
        source = repo / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, checkout)
    (folder / "empty").mkdir()
    return folder / "empty"


@pytest.mark.timeout(TIMEOUT + 20)
@pytest.mark.parametrize("of", ["checkout", "wheel"])
def test_from_an_empty_folder_to_a_stored_message(of: str, wheel: Path, tmp_path: Path, repo: Path) -> None:
    """The commands of README make an environment, install the router, make a route from a sample, and store it."""
    section, commands, shown = start(repo)
    folder = beside(tmp_path, repo)
    if of == "wheel":
        (install,) = re.findall(r"`(pip install '\./.*?')`", section)
        (place,) = [number for number, command in enumerate(commands) if command.startswith("pip install")]
        commands[place] = install
        shutil.copy(wheel, folder)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
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
