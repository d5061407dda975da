"""The examples of codes, in the tests and as they are installed."""

import runpy
import sys
from pathlib import Path

import pytest

from router.check import examples
from router.check.examples import MAX_LINES, SHIPPED, Example, dump_examples, read_example, shipped_examples

EXAMPLES = Path(__file__).parents[3] / "tests" / "checks"


def write(folder: Path, **files: bytes) -> None:
    for name, content in {
        "expected.txt": b"RT001 x\n",
        **{f"{name}.yaml": text for name, text in files.items()},
    }.items():
        (folder / name).write_bytes(content)


def test_what_is_installed_is_current() -> None:
    """Run `make docs` if this fails."""
    assert SHIPPED.read_text(encoding="utf-8") == dump_examples(EXAMPLES)


def test_what_is_installed_can_be_read() -> None:
    """By code."""
    assert shipped_examples()["RT101"] == read_example(EXAMPLES / "RT101")


@pytest.mark.parametrize(
    ("files", "bad", "good"),
    [
        ({"bad": b"a: 1\n", "good": b"a: 2\n"}, "a: 1", "a: 2"),
        ({"bad": b"\xff", "good": b"a\n" * MAX_LINES}, "", ""),
        ({"bad": b"\n"}, "", ""),
    ],
)
def test_an_example(tmp_path: Path, files: dict[str, bytes], bad: str, good: str) -> None:
    """What cannot be shown is empty: what is no text, is long, or is not there."""
    write(tmp_path, **files)

    assert read_example(tmp_path) == Example("RT001 x", bad, good)


def test_no_example(tmp_path: Path) -> None:
    """A folder may be anything."""
    (tmp_path / "RT001").mkdir()

    assert (read_example(tmp_path), dump_examples(tmp_path)) == (None, "{}\n")


def test_the_module_prints_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program, with the folder of the examples as its argument."""
    monkeypatch.setattr(sys, "argv", ["examples", str(EXAMPLES)])

    runpy.run_path(str(examples.__file__), run_name="__main__")

    assert capsys.readouterr().out == SHIPPED.read_text(encoding="utf-8")


def test_what_is_found_in_aws(tmp_path: Path) -> None:
    """The lines of its cases, each once, with names for what the tests fill in; no lines of other codes."""
    (tmp_path / "aws" / "live" / "expected").mkdir(parents=True)
    for name in ("RT721-one", "RT721-two"):
        file = tmp_path / "aws" / "live" / "expected" / f"{name}.txt"
        file.write_text("x: RT721 no NAME-dlq, QUEUE-gone\nx: RT722 no\n", encoding="utf-8")

    assert (read_example(tmp_path / "checks" / "RT721"), read_example(tmp_path / "checks" / "RT722")) == (
        Example("x: RT721 no orders-dlq, arn:aws:sqs:eu-west-1:123456789012:orders-gone"),
        None,
    )
