"""The site: its navigation, the links of its pages, and that it is built strict and without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs.generate import site
from tests.support.check import known_codes
from tests.support.cli import code_pages

ROOT = Path(site.__file__).parents[2]


def paths(entry: Any) -> list[str]:
    """The pages of a navigation."""
    if isinstance(entry, str):
        return [entry]
    below = entry.values() if isinstance(entry, dict) else entry
    return [path for each in below for path in paths(each)]


def test_the_navigation_is_the_lists_of_the_index() -> None:
    """And the pages of the codes, which are made with the site; text is none of it."""
    index = "# Documentation\n\nSee [a](a.md).\n\n## Start\n\n- [Begin](../README.md): the first.\n- [Two](b.md): b.\n"
    assert site.navigation(index) == [
        {"Documentation": "README.md"},
        {"Start": [{"Begin": "start.md"}, {"Two": "b.md"}]},
        {"Codes": "codes/README.md"},
    ]


def test_the_site_is_built_and_each_address_of_a_code_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zensical is strict: a link or an anchor that leads nowhere ends it. The program writes addresses of codes."""
    folder = tmp_path / "site"
    command = [sys.executable, "-m", "docs.generate.site", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    published = {"get_all": staticmethod(lambda name: ["Documentation, https://acme.example/router/"])}
    monkeypatch.setattr(code_pages, "metadata", lambda name: type("Metadata", (), published))
    pages = {code_pages.page_of(code).removeprefix("https://acme.example/router/") for code in known_codes().values()}
    assert (len(pages) > 200, [page for page in pages if not (folder / page).is_file()]) == (True, [])
    foreign = [page for page in folder.rglob("*.html") if re.search(r'(src|href)="https://unpkg', page.read_text())]
    assert (foreign, (folder / "assets" / "iframe-worker.js").is_file()) == ([], True)


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[a](diff.md#x)", "[a](diff.md#x)"),
        ("[a](../README.md#start)", "[a](start.md#start)"),
        ("[a](../.github/CONTRIBUTING.md)", "[a](contributing.md)"),
        ("[a](docs/check.md)", "[a](check.md)"),
        ("[a](../Makefile)", "a"),
        ("[a](https://b.example/c.md)", "[a](https://b.example/c.md)"),
    ],
)
def test_links_of_a_page(link: str, shown: str) -> None:
    """A page is where the site has it, and another file of the repository is no link."""
    assert site.with_links(link) == shown
