"""Pins what each group needs, with hashes: `python -m requirements.lock [--upgrade]`, which `make lock` runs.

All groups are resolved together, so that a package has one version in all of them; a lock file has what those before
it leave out. The programs of the site, the audit and uv are apart.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from requirements.install import HERE, LAYERS

WANTED = {
    "worker": ["--extra", "worker", "--group", "build"],
    "demo": ["--extra", "local"],
    "tests": ["--extra", "console", "--extra", "otel", "--group", "tests"],
    "browser": ["--group", "browser"],
    "bench": ["--group", "bench"],
    "lint": ["--group", "lint"],
}
"""The extras and dependency groups of `pyproject.toml` that are in each lock file."""
ALONE = ("site", "audit", "uv")
PROJECT = "pyproject.toml"
_ENTRY = re.compile(r"^([\w.-]+)(?:\[.*?\])?==.*(?:\n    .*)*\n", re.MULTILINE)


def _compile(target: Path, *words: str) -> None:
    command = [
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
    ]
    command += ["--no-header", "--no-annotate", "--no-strip-extras", "-o", str(target), *words]
    subprocess.run(command, cwd=HERE.parent, check=True)


def _entries(text: str) -> dict[str, str]:
    return {match[1]: match[0] for match in _ENTRY.finditer(text)}


def _text(files: Iterable[Path]) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in files if file.exists())


def lock(upgrade: bool) -> None:
    """Write the lock files; without `upgrade`, packages keep the versions that they have."""
    files = {name: HERE / f"{name}.lock" for name in (*WANTED, *ALONE)}
    more = ["--upgrade"] if upgrade else []
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder, "whole.txt"), Path(folder, "part.txt")
        pinned = _entries(_text(files[name] for name in WANTED))
        whole.write_text("".join(pinned.values()), encoding="utf-8")
        _compile(whole, *more, PROJECT, *(word for words in WANTED.values() for word in words))
        for name, words in WANTED.items():
            part.unlink(missing_ok=True)
            _compile(part, "--constraints", str(whole), PROJECT, *words)
            before = _entries(_text(files[other] for other in LAYERS[name] if other != name))
            wanted = {
                key: text for key, text in _entries(_text([part])).items() if key not in before
            }
            files[name].write_text("".join(wanted.values()), encoding="utf-8")
    for name in ALONE:
        _compile(files[name], *more, "--group", name)


if __name__ == "__main__":
    lock("--upgrade" in sys.argv)
