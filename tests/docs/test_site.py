"""The site: its navigation, the links of its pages, and that it is built strict and without a network."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs.generate import site
from router.tools.cli import code_pages
from tests.support.check import known_codes

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


@pytest.mark.parametrize(
    ("link", "repository", "shown"),
    [
        ("[a](diff.md#x)", "", "[a](diff.md#x)"),
        ("[a](../README.md#start)", "", "[a](start.md#start)"),
        ("[a](../.github/CONTRIBUTING.md)", "", "[a](contributing.md)"),
        ("[a](../Makefile)", "", "a"),
        ("[a](../Makefile)", "https://git.example/x", "[a](https://git.example/x/blob/main/Makefile)"),
        ("![a](concepts.svg)", "", "![a](concepts.svg)"),
        ("[a](https://b.example/c.md)", "", "[a](https://b.example/c.md)"),
        ("[a](#b)", "", "[a](#b)"),
        ("```text\n[a](../Makefile)\n```", "", "```text\n[a](../Makefile)\n```"),
    ],
)
def test_links_of_a_page(link: str, repository: str, shown: str) -> None:
    """A page is where the site has it, a file of the repository there, if the repository is known."""
    assert site.with_links(link, ROOT / "docs" / "check.md", "check.md", repository) == shown
