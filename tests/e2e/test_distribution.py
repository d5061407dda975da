"""What is published: the sources, the wheel that they make, and what a package index shows of it."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "node_modules", "target")


def build(source: Path, target: Path, kind: str) -> Path:
    """Make the sources (`sdist`) or the wheel of a folder, with the tools that the lock files pin."""
    code = f"import hatchling.build as b; b.build_{kind}({str(target)!r})"
    target.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, repo: Path) -> list[Path]:
    """The sources, made of two copies of the repository."""
    made = []
    for name in ("first", "second"):
        copy = tmp_path_factory.mktemp(name) / "copy"
        shutil.copytree(repo, copy, ignore=LEFT_OUT)
        for hidden in (".gitignore", ".pre-commit-hooks.yaml"):
            shutil.copy(repo / hidden, copy)
        (copy / "router" / "model.py").touch()
        made.append(build(copy, copy.parent / "dist", "sdist"))
    return made


def test_the_sources_are_the_same_bytes(sources: list[Path]) -> None:
    """Wherever and whenever they are made."""
    first, second = (hashlib.sha256(made.read_bytes()).hexdigest() for made in sources)
    assert first == second


def test_the_sources_have_docs_and_tests(sources: list[Path]) -> None:
    """Who packages the router can test it, and build its site; nothing that was made here is in it."""
    with tarfile.open(sources[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    needed = {
        "Makefile",
        "README.md",
        "docs/tutorial.md",
        "docs/generate/mkdocs.yml",
        "requirements/demo.lock",
        "tests/conftest.py",
    }
    assert needed - names == set()
    assert [name for name in names if re.search(r"(^|/)(\.venv|__pycache__|\.git)(/|$)", name)] == []


def test_what_a_package_index_shows(sources: list[Path], tmp_path: Path) -> None:
    """The wheel of the sources has the addresses of the project; the links of its description lead somewhere."""
    with tarfile.open(sources[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    wheel = build(source, tmp_path / "dist", "wheel")

    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    links = re.findall(r"\]\(([^)\s]+)\)", str(metadata.get_payload()))
    named = {text.partition(",")[0] for text in metadata.get_all("Project-URL", [])}
    pythons = [text for text in metadata.get_all("Classifier", []) if "Python :: 3." in text]
    assert ([link for link in links if "://" not in link], len(links) > 10) == ([], True)
    assert named == {"Documentation", "Repository", "Changelog", "Issues"}
    assert [text.rpartition(" ")[2] for text in pythons] == ["3.11", "3.12", "3.13", "3.14"]
