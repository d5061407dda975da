"""What tests take from a package index: they are skipped where it cannot be reached."""

import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 120


def download(requirement: str, folder: Path, *options: str) -> None:
    """Download a distribution into the folder with pip; skip the test, with pip's reason, if that fails."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [*options, "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"pip did not download {requirement} in {SECONDS} seconds")
    if done.returncode:
        pytest.skip(f"pip could not download {requirement}:\n{done.stderr}")
