"""The pages of the codes, and the examples and runbooks that are installed."""

import re
from pathlib import Path

import pytest

from docs.generate.codes import MAX_LINES, code_pages, collect_examples
from tests.support.check import Example, known_codes, shipped_examples

FIRST = f"# RT001\n\nCannot be read. Severity: error.\n\n{known_codes()['RT001'].why}\n\n"


def write(folder: Path, **files: bytes) -> None:
    """Writes the fixture of RT001."""
    fixture = folder / "checks" / "RT001"
    fixture.mkdir(parents=True)
    (fixture / "expected.txt").write_bytes(b"bad.yaml: error RT001 x\n")
    for name in ("bad", "good"):
        (fixture / f"{name}.yaml").write_bytes(files.get(name, b""))


def test_each_code_has_a_row_and_a_page(tmp_path: Path) -> None:
    """The rows are in the order of the codes; a code has a page with or without an example."""
    pages = dict(code_pages(tmp_path))
    rows = re.findall(r"^\| \[(RT\d+)\]\((RT\d+)\.md\) \|", pages.pop("codes/README.md"), re.MULTILINE)

    assert rows == [(name, name) for name in known_codes()]
    assert list(pages) == [f"codes/{name}.md" for name in known_codes()]


def test_an_example_on_the_page(tmp_path: Path) -> None:
    """It has the faulty config, the findings and the fixed config."""
    write(tmp_path, bad=b"version: 2\n", good=b"version: 1\n")

    page = code_pages(tmp_path)["codes/RT001.md"]

    assert page.startswith(FIRST)
    assert page[len(FIRST) :] == (
        "```yaml title=bad.yaml\nversion: 2\n```\n\n```text\nbad.yaml: error RT001 x\n```\n\n"
        "```yaml title=good.yaml\nversion: 1\n```\n"
    )


@pytest.mark.parametrize(
    ("files", "bad", "good"),
    [
        ({"bad": b"a: 1\n", "good": b"a: 2\n"}, "a: 1", "a: 2"),
        ({"bad": b"\xff", "good": b"a\n" * MAX_LINES}, "", ""),
        ({"bad": b"\n"}, "", ""),
    ],
)
def test_an_example(tmp_path: Path, files: dict[str, bytes], bad: str, good: str) -> None:
    """A config that is not UTF-8, or long, is omitted."""
    write(tmp_path, **files)

    assert collect_examples(tmp_path) == {"RT001": Example("bad.yaml: error RT001 x", bad, good)}


def test_an_example_of_aws(tmp_path: Path) -> None:
    """It has the lines with its code, each once, with names for the placeholders."""
    folder = tmp_path / "aws" / "live" / "expected"
    folder.mkdir(parents=True)
    for name in ("RT721-one", "RT721-two"):
        (folder / f"{name}.txt").write_text("x: RT721 no NAME-dlq, QUEUE-gone\nx: RT722 no\n", encoding="utf-8")

    assert collect_examples(tmp_path) == {
        "RT721": Example("x: RT721 no orders-dlq, arn:aws:sqs:eu-west-1:123456789012:orders-gone")
    }


def test_a_code_of_a_message_leads_to_its_runbook(tmp_path: Path) -> None:
    """The page of another code says what is wrong with a config, and has none."""
    pages = code_pages(tmp_path)

    assert "[What to do](../runbooks.md#rt806-the-message-fails-its-schema)" in pages["codes/RT806.md"]
    assert "runbooks" not in pages["codes/RT101.md"]


def test_installed_examples() -> None:
    """Each code of a config has one."""
    assert shipped_examples()["RT101"].bad.startswith("version: 1")
