"""The site: its navigation, the links of its pages, its versions. `make site` builds it, and fails on dead links."""

import html
import json
import re
from pathlib import Path
from typing import Any

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
- [Recipes](how-to/README.md): for each case.
- [Reasons](why/README.md): many.

## Elsewhere

No list.
"""


def test_navigation(tmp_path: Path) -> None:
    """It is the lists of the page of all pages, and of pages of folders unless they are long; text is none of it."""
    many = "".join(f"- [Reason](r{number}.md): so.\n" for number in range(site.MOST_LISTED + 1))
    for name, text in {"README.md": INDEX, "how-to/README.md": "- [One](one.md): 1.\n", "why/README.md": many}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    assert site.navigation(tmp_path) == [
        {"Documentation": "README.md"},
        {
            "Start": [
                {"Begin": "start.md"},
                {"Tutorial": "tutorial.md"},
                {"Recipes": ["how-to/README.md", {"One": "how-to/one.md"}]},
                {"Reasons": "why/README.md"},
            ]
        },
    ]


def paths(entry: Any) -> list[str]:
    """The pages of a navigation."""
    if isinstance(entry, str):
        return [entry]
    below = entry.values() if isinstance(entry, dict) else entry
    return [path for each in below for path in paths(each)]


def test_each_page_of_the_navigation_is_there() -> None:
    """And the sections are in the order in which somebody needs them."""
    entries = site.navigation(ROOT / "docs")

    names = ["Documentation", "Start", "How to", "Reference", "Operate", "Decisions"]
    assert [name for entry in entries for name in entry] == names
    assert [path for path in paths(entries) if path not in site.pages()] == []


def test_pages_load_nothing_from_another_host(tmp_path: Path) -> None:
    """The program that search needs in a page that was opened as a file is beside the pages."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "codes").mkdir()
    for name in ("index.html", "codes/RT101.html"):
        (tmp_path / name).write_text('<script src="https://unpkg.com/iframe-worker/shim"></script>')

    site.without_other_hosts(tmp_path)

    loaded = [(tmp_path / name).read_text() for name in ("index.html", "codes/RT101.html")]
    assert loaded == [f'<script src="{folder}assets/iframe-worker.js"></script>' for folder in ("", "../")]
    assert (tmp_path / "assets" / "iframe-worker.js").is_file()


TERMINAL = """\
<div class="highlight"><pre><span></span><code>plain
</code></pre></div><div class="highlight"><pre><code><span class="gp">$ </span>cat &gt;&gt; a &lt;&lt;'END'
<span class="go">- &quot;b&quot;</span>
<span class="go">END</span>
<span class="gp">$ </span>router test \\
    -q
<span class="go">1 passed</span>
</code></pre></div>"""


def test_the_button_of_a_terminal_copies_commands(tmp_path: Path) -> None:
    """What is pasted runs: no prompt, and nothing that a command prints; other blocks are copied as they are."""
    (tmp_path / "index.html").write_text(TERMINAL)

    site.with_copied_commands(tmp_path)

    shown = (tmp_path / "index.html").read_text()
    copied = re.findall(r'<div class="highlight"(?: data-copy="([^"]*)")?>', shown)
    expected = ["cat >> a <<'END'", '- "b"', "END", "router test \\", "    -q"]
    assert [html.unescape(each) for each in copied] == ["", "\n".join(expected)]
    assert re.sub(r' data-copy="[^"]*"', "", shown) == TERMINAL


def test_search_finds_no_single_decision(tmp_path: Path) -> None:
    """Their many titles would stand above the page on a subject; the list of decisions is found."""
    locations = ["config.html#queues", "decisions/index.html#queues", "decisions/2026-11-25-batch-bytes.html"]
    index = {"config": {"lang": ["en"]}, "items": [{"location": each} for each in locations]}
    (tmp_path / "search.json").write_text(json.dumps(index))

    site.without_single_decisions(tmp_path)

    found = json.loads((tmp_path / "search.json").read_text())
    assert [each["location"] for each in found["items"]] == locations[:2]
    assert (tmp_path / "search.js").read_text() == f"var __index = {json.dumps(found)}"


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
