"""The site: its navigation, the links of its pages, its versions. `make site` builds it, and fails on dead links."""

import json
from pathlib import Path

import pytest

from docs.generate import site

ROOT = Path(site.__file__).parents[2]
INDEX = """\
# Documentation

Text with a [link](a.md).

## Start

- [Begin](../README.md): the first steps.
- [Tutorial](tutorial.md): one example,
  on two lines; see [another](b.md).

## Elsewhere

No list.
"""


def test_navigation() -> None:
    """It is the lists of the page of all pages; links in text are none of it."""
    assert site.navigation(INDEX) == [
        {"Documentation": "README.md"},
        {"Start": [{"Begin": "start.md"}, {"Tutorial": "tutorial.md"}]},
    ]


def test_each_page_of_the_navigation_is_there() -> None:
    """And the sections are in the order in which somebody needs them."""
    first, *sections = site.navigation((ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    linked = [
        path for section in sections for entries in section.values() for each in entries for path in each.values()
    ]

    assert [name for section in sections for name in section] == [
        "Start",
        "How to",
        "Reference",
        "Operate",
        "Decisions",
    ]
    assert [path for path in [*first.values(), *linked] if path not in site.pages()] == []


@pytest.mark.parametrize(
    ("link", "repository", "shown"),
    [
        ("[a](diff.md#x)", "", "[a](diff.md#x)"),
        ("[a](../README.md#start)", "", "[a](start.md#start)"),
        ("[a](../.github/CONTRIBUTING.md)", "", "[a](contributing.md)"),
        ("[a](../Makefile)", "", "a"),
        ("[a](../Makefile)", "https://git.example/x", "[a](https://git.example/x/blob/main/Makefile)"),
        ("![a](graph.svg)", "", "![a](graph.svg)"),
        ("[a](https://b.example/c.md)", "", "[a](https://b.example/c.md)"),
        ("[a](#b)", "", "[a](#b)"),
        ("```text\n[a](../Makefile)\n```", "", "```text\n[a](../Makefile)\n```"),
        ("```yaml title=routes.yaml\na: 1\n```", "", '```yaml title="routes.yaml"\na: 1\n```'),
    ],
)
def test_links_of_a_page(link: str, repository: str, shown: str) -> None:
    """A page is where the site has it, a file of the repository there, if the repository is known."""
    assert site.with_links(link, ROOT / "docs" / "ci.md", "ci.md", repository) == shown


def test_links_of_a_page_that_is_elsewhere_on_the_site() -> None:
    """Contributing is beside the pages that it links to."""
    source = ROOT / ".github" / "CONTRIBUTING.md"

    assert site.with_links("[a](../docs/ci.md)", source, "contributing.md", "") == "[a](ci.md)"


def test_versions(tmp_path: Path) -> None:
    """The newest release is the first, and what `index.html` leads to; the working state is the last."""
    for name in ("dev", "0.9.0", "0.10.0"):
        (tmp_path / name).mkdir()

    site.write_versions(tmp_path)

    listed = json.loads((tmp_path / "versions.json").read_text())
    assert [each["version"] for each in listed] == ["0.10.0", "0.9.0", "dev"]
    assert "url=0.10.0/index.html" in (tmp_path / "index.html").read_text()
