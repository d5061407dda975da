"""The files of the page: those that are vendored are as they were made, and all are in the wheel."""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from router.tools.console.server import STATIC

ROOT = Path(__file__).parents[4]


def test_vendored_files() -> None:
    """The libraries are the bytes that `npm run build` made, by the hashes in their README."""
    folder = STATIC / "vendor"
    expected = dict(re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (folder / "README.md").read_text("utf-8"), re.M))

    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "README.md"
    }

    assert (found, sorted(found)) == (expected, ["LICENSES.txt", "codemirror.js"])


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_no_markup_from_text(path: Path) -> None:
    """The page makes elements of texts in one way, which cannot be markup, and asks no other server."""
    text = path.read_text(encoding="utf-8")

    found = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?://(?!www\.w3\.org/2000/svg)",
        text,
    )

    assert found == []


def test_the_wheel(tmp_path: Path) -> None:
    """The wheel has each file of the page."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "router", source / "router", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "message_router_pytest.py"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]

    subprocess.run([*command, str(source)], check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("router/tools/console/static/")}
    assert names == {path.relative_to(ROOT).as_posix() for path in STATIC.rglob("*") if path.is_file()}
