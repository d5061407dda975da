"""Bundles the libraries of the console's page: `python -m docs.generate.vendored`, which `make vendor` runs.

It needs Node with npm. Versions are exact in `vendor/package-lock.json`, so that the result is the same bytes.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).with_name("vendor")
TARGET = Path(__file__).parents[2] / "router" / "tools" / "console" / "static" / "vendor"
BUNDLE = "codemirror.js"
LICENSES = "LICENSES.txt"
_INTRODUCTION = """\
# Vendored libraries

Made by `make vendor` from the packages below, which `docs/generate/vendor/package-lock.json` pins; do not edit. The
licences are in [LICENSES.txt](LICENSES.txt).

"""


def bundle() -> None:
    """Write the bundle, the licences and the page about them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in SOURCES.iterdir():
            if file.is_file():
                shutil.copy(file, folder)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True)  # noqa: S607
        options = ["--bundle", "--format=esm", "--minify", "--target=es2022", "--legal-comments=none", "--charset=utf8"]
        command = ["npx", "--no-install", "esbuild", "entry.js", *options, f"--outfile={BUNDLE}"]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 — fixed words
        TARGET.mkdir(exist_ok=True)
        shutil.copy(folder / BUNDLE, TARGET)
        packages = list(_packages(folder))
    texts = [f"{each['name']} {each['version']}\n\n{each['text'].strip()}\n" for each in packages]
    (TARGET / LICENSES).write_text(f"\n{'-' * 80}\n\n".join(texts), encoding="utf-8")
    (TARGET / "README.md").write_text(_INTRODUCTION + _tables(packages), encoding="utf-8")


def _packages(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the packages that are in the bundle, all but those of the tool that makes it."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    for path, entry in sorted(lock["packages"].items()):
        if path and not entry.get("dev"):
            content = json.loads((folder / path / "package.json").read_text(encoding="utf-8"))
            license_ = next((folder / path).glob("LICEN[CS]E*"))
            text = license_.read_text(encoding="utf-8")
            yield {"text": text, **{name: content[name] for name in ("name", "version", "license")}}


def _tables(packages: list[dict[str, Any]]) -> str:
    rows = [f"| {each['name']} | {each['version']} | {each['license']} |" for each in packages]
    hashes = [f"| {name} | {hashlib.sha256((TARGET / name).read_bytes()).hexdigest()} |" for name in (BUNDLE, LICENSES)]
    return "\n".join(
        ["| package | version | licence |", "|---|---|---|", *rows, "", "| file | sha256 |", "|---|---|", *hashes, ""]
    )


if __name__ == "__main__":
    bundle()
