"""Writes every generated page: `python -m docs.generate.pages docs`, which `make docs` runs."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from docs.generate.config import config_page
from docs.generate.plugins import plugins_page, transforms_page
from router.config.schema import config_schema


def schema_page() -> str:
    """Return the JSON Schema that `router schema` prints without a config."""
    return msgspec.json.format(msgspec.json.encode(config_schema())).decode() + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "config.md": config_page,
    "transforms.md": transforms_page,
    "plugins.md": plugins_page,
    "routes.schema.json": schema_page,
}
"""What makes each page, by the name of its file in `docs/`."""


def write_pages(folder: Path) -> None:
    """Write every page into a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
