"""The worker on Node, in a folder of the run: npm installs the packages that `peers/node/package-lock.json` pins."""

import shutil
import subprocess
from pathlib import Path

from environment import HERE

SOURCES = HERE / "peers" / "node"
CONSUMERS = 8
"""Consumers in its process: one alone waits for each call before it makes the next."""
_SECONDS = 90


def install(folder: Path) -> str:
    """Install the worker into a folder; return the reason if it cannot be, or ""."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "it needs node and npm"
    for file in SOURCES.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return f"npm took longer than {_SECONDS} seconds"
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return f"npm cannot install it: {lines[0] if lines else f'exit code {done.returncode}'}"
    return ""


def command(folder: Path, size: str) -> list[str]:
    """Return the command of the installed worker for a queue."""
    schema = HERE / "schemas" / f"{size}.json"
    return ["node", "--no-warnings", str(folder / "worker.js"), str(schema), size, str(CONSUMERS)]
