"""Programs in Rust, in a folder of the run: cargo builds them from Debian's packages of crates, or from crates.io."""

import shutil
import subprocess
import tomllib
from pathlib import Path

CRATES = Path("/usr/share/cargo/registry")
"""Where Debian's packages `librust-…-dev` install the sources of crates."""
_FROM_DEBIAN = """
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "{}"
"""
_SECONDS = 600


def build(sources: Path, folder: Path) -> Path | str:
    """Build a program in a new folder; return its executable, or the reason if it cannot be built."""
    if not shutil.which("cargo"):
        return "it needs cargo"
    shutil.copytree(sources, folder, ignore=shutil.ignore_patterns("target", "Cargo.lock"))
    command = ["cargo", "build", "--release", "--quiet", "--target-dir", "target"]
    if CRATES.is_dir():
        (folder / ".cargo").mkdir()
        (folder / ".cargo" / "config.toml").write_text(_FROM_DEBIAN.format(CRATES))
        command.append("--offline")
    try:
        done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return f"cargo took longer than {_SECONDS} seconds"
    manifest = tomllib.loads((folder / "Cargo.toml").read_text())
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("error")] or [done.stderr.strip()]
        packages = " ".join(f"librust-{name}-dev" for name in manifest["dependencies"])
        why = lines[0] or f"exit code {done.returncode}"
        return f"cargo cannot build it: {why}; Debian has its crates: apt-get install {packages}"
    return folder / "target" / "release" / str(manifest["package"]["name"])
