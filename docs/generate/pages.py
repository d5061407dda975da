"""Writes every generated file: `python -m docs.generate.pages .`, which `make format` runs."""

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from docs.generate.checks import checks_page, code_pages, examples_file, runbooks_file
from docs.generate.commands import commands_page
from docs.generate.config import config_page
from docs.generate.observability import lambda_page, observability_page
from docs.generate.plugins import plugins_page, transforms_page
from docs.generate.schemas import make_exact_schemas, make_published_schemas
from router.runtime.program.load import load_program
from router.tools.dev.graph import graph_of
from router.tools.dev.graph_picture import as_svg


def schema_page() -> str:
    """Return the JSON Schema that `router schema` prints without a config."""
    return msgspec.json.format(msgspec.json.encode(make_published_schemas()["Config"])).decode() + "\n"


def published_schemas() -> str:
    """Return the schemas that the router prints, and gives to the page of the console."""
    return msgspec.json.format(msgspec.json.encode(make_published_schemas()), indent=1).decode() + "\n"


def exact_schemas() -> str:
    """Return the schemas by which the router reads a config."""
    return msgspec.json.format(msgspec.json.encode(make_exact_schemas()), indent=1).decode() + "\n"


def graph_picture() -> str:
    """Return the picture of the sample config that `router graph --format svg` draws."""
    return as_svg(graph_of(load_program(Path(__file__).parents[2] / "routes.yaml", {}).config))


def page_of_code(name: str) -> Callable[[], str]:
    """Return the function that makes the page of one code."""
    return lambda: all_code_pages()[name]


@cache
def all_code_pages() -> Mapping[str, str]:
    """Return the pages of all codes, whose examples are read once."""
    return code_pages()


PAGES: Mapping[str, Callable[[], str]] = {
    "router/runtime/config/exact.json": exact_schemas,
    "router/tools/check/published.json": published_schemas,
    "docs/checks.md": checks_page,
    "docs/cli.md": commands_page,
    "docs/config.md": config_page,
    "docs/lambda.md": lambda_page,
    "docs/observability.md": observability_page,
    "docs/transforms.md": transforms_page,
    "docs/plugins.md": plugins_page,
    "docs/graph.svg": graph_picture,
    "docs/routes.schema.json": schema_page,
    "router/tools/check/examples.json": examples_file,
    "router/tools/check/runbooks.json": runbooks_file,
    **{name: page_of_code(name) for name in all_code_pages()},
}
"""The function that makes each file, by its path in the repository; the first file is read to make others."""


def write_pages(folder: Path) -> None:
    """Write every file, by its path in a folder."""
    for name, page in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
