"""The site of the documentation: `python -m docs.generate.site FOLDER`, which `make site` runs.

It gathers the pages, makes those of the codes, and takes the navigation from the lists in `docs/README.md`.
Zensical builds the site, and fails on a link or an anchor that leads nowhere.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from docs.generate.codes import code_pages
from docs.generate.schemas import make_published_schemas

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OTHER_PAGES = {"README.md": "start.md", ".github/CONTRIBUTING.md": "contributing.md"}
"""Pages outside of `docs`, by their names on the site."""
CODES = {"Codes": "codes/README.md"}
_WORKER = HERE / "offline" / "iframe-worker.js"
_WORKER_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
_MOVED = (
    ("../.github/CONTRIBUTING.md", "contributing.md"),
    ("../README.md", "start.md"),
    (".github/CONTRIBUTING.md", "contributing.md"),
    ("../docs/", ""),
    ("docs/", ""),
)
"""Paths in links, each with the path on the site."""
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)*(?:Dockerfile|LICENSE|Makefile|routes\.yaml|router/|\.github/)[^)]*\)")
_TITLE = re.compile(r"^( *```\w+) title=([^\s\"]+)$", re.MULTILINE)
"""The title of a block, which GitHub ignores: on the site it has quotes."""
_ENTRY = re.compile(r"^- \[([^\]]+)\]\(([^)]+)\)", re.MULTILINE)


def with_links(text: str) -> str:
    """Return the text of a page with links that hold on the site; what is no page there is no link."""
    for path, there in _MOVED:
        text = text.replace(f"]({path}", f"]({there}")
    return _OUTSIDE.sub(r"\1", text)


def navigation(index: str) -> list[dict[str, Any]]:
    """Return the navigation: the sections of the page of all pages with their lists, and the pages of the codes."""
    sections = re.split(r"^## ", index, flags=re.MULTILINE)[1:]
    found = [{section.partition("\n")[0]: list(_below(section))} for section in sections if _ENTRY.search(section)]
    return [{"Documentation": "README.md"}, *found, CODES]


def _below(section: str) -> Iterator[dict[str, Any]]:
    for title, path in _ENTRY.findall(section):
        yield {title: OTHER_PAGES.get(path.removeprefix("../"), path)}


def write_sources(folder: Path) -> None:
    """Write what Zensical reads: the pages, and its settings with the navigation."""
    pages = folder / "pages"
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns(HERE.name, "*.toml"))
    for path, name in OTHER_PAGES.items():
        shutil.copy(ROOT / path, pages / name)
    made = {page: with_links(page.read_text(encoding="utf-8")) for page in pages.rglob("*.md")}
    made |= {pages / name: text for name, text in code_pages().items()}
    (pages / "codes").mkdir()
    for page, text in made.items():
        page.write_text(_TITLE.sub(r'\1 title="\2"', text), encoding="utf-8")
    (pages / "routes.schema.json").write_bytes(msgspec.json.encode(make_published_schemas()["Config"]))
    shutil.copy(HERE / "offline" / "site.css", pages)
    config = yaml.safe_load((HERE / "mkdocs.yml").read_text(encoding="utf-8"))
    config["nav"] = navigation(made[pages / "README.md"])
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def make(folder: Path) -> None:
    """Build the site in a folder."""
    work = folder.with_name(f"{folder.name}-sources")
    shutil.rmtree(work, ignore_errors=True)
    write_sources(work)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "mkdocs.yml"]
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run(command, cwd=work, env=environment, check=False)  # noqa: S603 -- the words are those above
    if done.returncode:
        sys.exit(done.returncode)
    without_other_hosts(work / "site")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(work / "site", folder)
    shutil.rmtree(work)


def without_other_hosts(site: Path) -> None:
    """Let the pages load from their own folder what they would load from another host: search then works in a file."""
    shutil.copy(_WORKER, site / "assets" / _WORKER.name)
    for page in site.rglob("*.html"):
        own = os.path.relpath(site / "assets" / _WORKER.name, page.parent).replace(os.sep, "/")
        page.write_text(page.read_text(encoding="utf-8").replace(_WORKER_ELSEWHERE, own), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())
