"""Writes each file that is made and committed: `python -m docs.generate.pages .`, which `make format` runs."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from docs.generate.codes import collect_examples, runbooks
from docs.generate.commands import commands_page
from docs.generate.config import config_page
from docs.generate.schemas import make_exact_schemas, make_published_schemas


def _as_text(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "router/runtime/config/exact.json": lambda: _as_text(make_exact_schemas()),
    "router/tools/check/published.json": lambda: _as_text(make_published_schemas()),
    "docs/cli.md": commands_page,
    "docs/config.md": config_page,
    "router/tools/check/examples.json": lambda: _as_text(collect_examples()),
    "router/tools/check/runbooks.json": lambda: _as_text(runbooks()),
}
"""The function that makes each file, by its path in the repository; the first file is read to make others."""


def write_pages(folder: Path) -> None:
    """Write every file, by its path in a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
