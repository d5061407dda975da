"""The function in Rust, in a folder of the run: cargo builds it from Debian's packages of crates, or from crates.io."""

import shutil
import subprocess
from pathlib import Path

from environment import HERE

SOURCES = HERE / "peers" / "rust"
CRATES = Path("/usr/share/cargo/registry")
"""Where Debian's packages `librust-…-dev` install the sources of crates."""
_FROM_DEBIAN = """
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "{}"
"""
_SECONDS = 300


def build(folder: Path) -> Path | str:
    """Build the function in a new folder; return its executable, or the reason if it cannot be built."""
    if not shutil.which("cargo"):
        return "it needs cargo"
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("target", "Cargo.lock"))
    command = ["cargo", "build", "--release", "--quiet", "--target-dir", "target"]
    if CRATES.is_dir():
        (folder / ".cargo").mkdir()
        (folder / ".cargo" / "config.toml").write_text(_FROM_DEBIAN.format(CRATES))
        command.append("--offline")
    try:
        done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return f"cargo took longer than {_SECONDS} seconds"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("error")]
        # A package is named with the folder of this run.
        why = lines[0].partition(" (")[0].replace("`", "") if lines else f"exit code {done.returncode}"
        return f"cargo cannot build it ({why}); Debian has its crates: librust-NAME-dev"
    return folder / "target" / "release" / "benchmark-function"
