"""The site of the documentation: `python -m docs.generate.site FOLDER [VERSION]`, which `make site` runs.

It gathers the pages, makes links to files that are no pages links to the repository, and takes the navigation from the
lists in `docs/README.md`. Zensical builds the site, and fails on a link or an anchor that leads nowhere.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
REPOSITORY = "REPOSITORY_URL"
"""The variable with the address of the repository, such as a workflow has; without it, what is no page is no link."""
OTHER_PAGES = {"README.md": "start.md", ".github/CONTRIBUTING.md": "contributing.md"}
"""Pages outside of `docs`, by their names on the site."""
MOST_LISTED = 40
"""The most pages of a folder that the navigation lists below the page of the folder."""
_OFFLINE = Path(__file__).parent / "offline"
_WORKER = _OFFLINE / "iframe-worker.js"
_WORKER_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
_COPIED = (".md", ".svg", ".png", ".json")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_TYPED = re.compile(r'<div class="highlight">(<pre>(?:(?!</pre>).)*<span class="gp">.*?</pre>)', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_DECISION = re.compile(r"decisions/\d")
_ENTRY = re.compile(r"^- \[([^\]]+)\]\(([^)]+)\)", re.MULTILINE)


def pages(root: Path = ROOT) -> Mapping[str, Path]:
    """Return what is on the site, by its path there."""
    docs = root / "docs"
    found = [path for path in docs.rglob("*") if path.suffix in _COPIED and "generate" not in path.parts]
    of_docs = {path.relative_to(docs).as_posix(): path for path in sorted(found)}
    return of_docs | {name: root / path for path, name in OTHER_PAGES.items()}


def with_links(text: str, source: Path, name: str, repository: str, root: Path = ROOT) -> str:
    """Return the text of a page with links that hold on the site, where the page is called `name`."""
    on_site = {path.resolve(): each for each, path in pages(root).items()}

    def replaced(match: re.Match[str]) -> str:
        picture, title, path, anchor = match.groups()
        if "://" in path or not path:
            return match[0]
        target = (source.parent / path).resolve()
        if target in on_site:
            there = os.path.relpath(on_site[target], Path(name).parent).replace(os.sep, "/")
            return f"{picture}[{title}]({there}{anchor or ''})"
        if not repository or not target.is_relative_to(root):
            return title
        return f"{picture}[{title}]({repository}/blob/main/{target.relative_to(root).as_posix()}{anchor or ''})"

    parts = []
    end = 0
    for fence in _FENCE.finditer(text):
        # The title of a block, which GitHub ignores, has quotes on the site.
        shown = re.sub(r"^( *```\w+) title=(\S+)", r'\1 title="\2"', fence[0])
        parts += [_LINK.sub(replaced, text[end : fence.start()]), shown]
        end = fence.end()
    return "".join([*parts, _LINK.sub(replaced, text[end:])])


def navigation(docs: Path) -> list[dict[str, Any]]:
    """Return the navigation: the sections of the page of all pages, with their lists, and those of pages of folders."""
    sections = re.split(r"^## ", (docs / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = [
        {section.partition("\n")[0]: list(_below(section, docs))} for section in sections if _ENTRY.search(section)
    ]
    return [{"Documentation": "README.md"}, *found]


def _below(section: str, docs: Path) -> Iterator[dict[str, Any]]:
    for title, path in _ENTRY.findall(section):
        if outside := OTHER_PAGES.get(path.removeprefix("../")):
            yield {title: outside}
            continue
        folder, _, name = path.rpartition("/")
        listed = _ENTRY.findall((docs / path).read_text(encoding="utf-8")) if name == "README.md" else []
        pages_below = [{each: f"{folder}/{below}"} for each, below in listed]
        yield {title: [path, *pages_below] if 0 < len(listed) <= MOST_LISTED else path}


def make(folder: Path, version: str) -> None:
    """Build the site of a version, in a folder of its name beside those of other versions."""
    repository = os.environ.get(REPOSITORY, "")
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    for name, source in pages().items():
        target = work / "pages" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text = with_links(source.read_text(encoding="utf-8"), source, name, repository)
            target.write_text(text, encoding="utf-8")
        else:
            shutil.copy(source, target)
    shutil.copy(_OFFLINE / "site.css", work / "pages")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config["nav"] = navigation(ROOT / "docs")
    if repository:
        config |= {"repo_url": repository}
    (work / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "mkdocs.yml"]
    done = subprocess.run(  # noqa: S603 -- the words are those above
        command, cwd=work, env=os.environ | {"NO_COLOR": "1"}, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    # Its links are those of a site without versions.
    (work / "site" / "404.html").unlink()
    without_other_hosts(work / "site")
    with_copied_commands(work / "site")
    without_single_decisions(work / "site")
    shutil.rmtree(folder / version, ignore_errors=True)
    shutil.move(work / "site", folder / version)
    shutil.rmtree(work)
    write_versions(folder)


def without_other_hosts(site: Path) -> None:
    """Let the pages load from their own folder what they would load from another host: search then works in a file."""
    shutil.copy(_WORKER, site / "assets" / _WORKER.name)
    for page in site.rglob("*.html"):
        own = os.path.relpath(site / "assets" / _WORKER.name, page.parent).replace(os.sep, "/")
        page.write_text(page.read_text(encoding="utf-8").replace(_WORKER_ELSEWHERE, own), encoding="utf-8")


def with_copied_commands(site: Path) -> None:
    """Let the button of a block of a terminal copy the commands, without prompts and what they print."""

    def replaced(match: re.Match[str]) -> str:
        copied = html.escape(commands(html.unescape(_TAG.sub("", match[1]))))
        return f'<div class="highlight" data-copy="{copied}">{match[1]}'

    for page in site.rglob("*.html"):
        page.write_text(_TYPED.sub(replaced, page.read_text(encoding="utf-8")), encoding="utf-8")


def commands(block: str) -> str:
    """Return the commands of a block of a terminal, with their here-documents and continued lines."""
    copied: list[str] = []
    end = ""
    for line in block.splitlines():
        continued = bool(copied) and copied[-1].endswith("\\")
        if line.startswith("$ "):
            copied.append(line.removeprefix("$ "))
            _, _, end = line.partition("<<")
        elif end or continued:
            copied.append(line)
        if line == end.strip("'"):
            end = ""
    return "\n".join(copied)


def without_single_decisions(site: Path) -> None:
    """Leave pages of decisions out of the search, above those of their subjects; the page that lists them stays."""
    index = json.loads((site / "search.json").read_text(encoding="utf-8"))
    index["items"] = [each for each in index["items"] if not _DECISION.match(each["location"])]
    text = json.dumps(index, ensure_ascii=False)
    (site / "search.json").write_text(text, encoding="utf-8")
    (site / "search.js").write_text(f"var __index = {text}", encoding="utf-8")


def write_versions(folder: Path) -> None:
    """Write what the switch of versions reads, the newest first, and a page that leads to it."""
    found = sorted((path.name for path in folder.iterdir() if path.is_dir()), key=_order, reverse=True)
    listed = [{"version": name, "title": name, "aliases": []} for name in found]
    (folder / "versions.json").write_text(json.dumps(listed), encoding="utf-8")
    address = f"{found[0]}/index.html"
    page = f'<!doctype html><title>Message Router</title><meta http-equiv="refresh" content="0; url={address}">\n'
    (folder / "index.html").write_text(page, encoding="utf-8")


def _order(name: str) -> tuple[bool, list[int]]:
    """Releases by their numbers, before all else."""
    return bool(re.match(r"\d", name)), [int(each) for each in re.findall(r"\d+", name)]


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute(), sys.argv[2] if len(sys.argv) > 2 else "dev")
