"""The tutorial, in an empty folder and as printed; what it deploys, it deploys to an embedded AWS."""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.dev import local_aws
from tests.support.downloads import download

SECONDS = 500
"""The longest that a command may take; one downloads the packages of the function."""
_BLOCK = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HERE = f'{{architecture: {platform.machine()}, python: "{sys.version_info[0]}.{sys.version_info[1]}"}}'.replace(
    "aarch64", "arm64"
)
"""An embedded AWS runs a function as a process of this machine."""


class Reader:
    """Somebody who follows the page: writes its files, and types its commands."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment

    def write(self, name: str, text: str) -> None:
        """Save a file that the page shows."""
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}function: {_HERE}\n" if name == "routes.yaml" else text, encoding="utf-8")

    def append(self, text: str) -> None:
        """Append to the configuration, before what only this test adds to it."""
        file = self._folder / "routes.yaml"
        own, _, _ = file.read_text(encoding="utf-8").partition("function: ")
        self.write("routes.yaml", own + text)

    def type(self, command: str, shown: list[str]) -> None:
        """Run a command; it succeeds, and prints what the page shows, at once or when a message has arrived."""
        if appended := re.fullmatch(
            r"(?:cat >> routes.yaml <<'END'\n(.*)END|echo '(.*)' >> routes.yaml)", command, re.S
        ):
            self.append(appended[1] or f"{appended[2]}\n")
            return
        end = time.monotonic() + SECONDS
        while True:
            done = subprocess.run(
                ["bash", "-ec", command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            missing = [line for line in shown if line != "..." and line not in done.stdout + done.stderr]
            if (done.returncode, missing) == (0, []) or "dlq list" not in command or time.monotonic() > end:
                assert (done.returncode, missing) == (0, []), f"$ {command}\n{done.stdout}{done.stderr}"
                return
            time.sleep(1)


def typed(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the lines that it shows."""
    commands: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        else:
            commands[-1][1].append(line)
    return commands


@pytest.mark.timeout(6 * SECONDS)
def test_the_tutorial(tmp_path: Path, repo: Path) -> None:
    """Each command succeeds, and prints the lines that the page has."""
    download("msgspec", tmp_path / "seen")
    page = (repo / "docs" / "tutorial.md").read_text(encoding="utf-8")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    git = {f"GIT_{who}_{what}": f"{who}@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    (tmp_path / "shop").mkdir()
    with local_aws() as aws:
        reader = Reader(tmp_path / "shop", os.environ | git | aws.environment() | {"PATH": programs, "NO_COLOR": "1"})
        for language, name, text in _BLOCK.findall(page):
            if name:
                reader.write(name, text)
            if language == "bash":
                reader.type(text.strip(), [])
            for command, shown in typed(text) if language == "console" else []:
                reader.type(command, shown)
