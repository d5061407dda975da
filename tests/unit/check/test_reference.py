"""The page of the checks."""

import runpy
import sys
from pathlib import Path

import pytest

from router.check import reference
from router.check.codes import CODES
from router.check.examples import MAX_LINES
from router.check.reference import checks_reference

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests" / "checks"
FIRST = "### RT001\n\nCannot be read. Severity: error.\n\nThere is no config without a file of UTF-8 text.\n\n"


def example(folder: Path, config: bytes) -> str:
    """What the page shows of RT001 with a faulty config."""
    (folder / "RT001").mkdir()
    (folder / "RT001" / "bad.yaml").write_bytes(config)
    (folder / "RT001" / "expected.txt").write_text("bad.yaml: RT001 …\n", encoding="utf-8")
    page = checks_reference(folder)
    return page[page.index(FIRST) + len(FIRST) : page.index("### RT002")]


def test_the_page_in_docs_is_current() -> None:
    """Run `make docs` if this fails."""
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == checks_reference(EXAMPLES)


def test_each_code_has_its_section() -> None:
    """In the order of the codes, with or without examples."""
    sections = [line for line in checks_reference().splitlines() if line.startswith("### ")]

    assert sections == [f"### {name}" for name in CODES]


def test_a_mended_example(tmp_path: Path) -> None:
    """Comes last."""
    (tmp_path / "RT001").mkdir()
    (tmp_path / "RT001" / "good.yaml").write_bytes(b"version: 1\n")
    (tmp_path / "RT001" / "expected.txt").write_text("bad.yaml: RT001 …\n", encoding="utf-8")

    shown = "```text\nbad.yaml: RT001 …\n```\n\n```yaml title=good.yaml\nversion: 1\n```\n"
    assert FIRST + shown in checks_reference(tmp_path)


def test_an_example(tmp_path: Path) -> None:
    """The faulty config, and what is found in it."""
    assert example(tmp_path, b"version: 2\n") == (
        "```yaml title=bad.yaml\nversion: 2\n```\n\n```text\nbad.yaml: RT001 …\n```\n\n"
    )


def test_an_example_that_is_no_text(tmp_path: Path) -> None:
    """Only what is found is shown."""
    assert example(tmp_path, b"\xff") == "```text\nbad.yaml: RT001 …\n```\n\n"


def test_an_example_that_is_long(tmp_path: Path) -> None:
    """Only what is found is shown."""
    assert example(tmp_path, b"a\n" * MAX_LINES) == "```text\nbad.yaml: RT001 …\n```\n\n"


def test_an_example_that_is_empty(tmp_path: Path) -> None:
    """Only what is found is shown."""
    assert example(tmp_path, b"\n") == "```text\nbad.yaml: RT001 …\n```\n\n"


def test_the_module_prints_the_page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program, with the folder of the examples as its argument."""
    monkeypatch.delitem(sys.modules, "router.check.reference")
    monkeypatch.setattr(sys, "argv", ["reference", str(EXAMPLES)])

    runpy.run_path(str(reference.__file__), run_name="__main__")

    assert capsys.readouterr().out == checks_reference(EXAMPLES)


def test_the_module_prints_the_page_without_examples(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a program without an argument."""
    monkeypatch.delitem(sys.modules, "router.check.reference")
    monkeypatch.setattr(sys, "argv", ["reference"])

    runpy.run_path(str(reference.__file__), run_name="__main__")

    assert capsys.readouterr().out == checks_reference()
