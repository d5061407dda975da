"""The examples of codes: `python -m router.checks.examples tests/checks > router/checks/examples.json`."""

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

MAX_LINES = 40
"""An example of as many lines, or more, is not shown: it is large because size is its fault."""
SHIPPED = Path(__file__).with_name("examples.json")
"""The examples as they are installed, with the code that they are about."""


class Example(Struct, frozen=True, omit_defaults=True):
    """A faulty config, what is found in it, and the same config mended; one that cannot be shown is empty."""

    found: str
    bad: str = ""
    good: str = ""


def read_example(folder: Path) -> Example | None:
    """The example in a folder; None if it is none."""
    expected = folder / "expected.txt"
    if not expected.is_file():
        return None
    found = expected.read_text(encoding="utf-8").rstrip()
    return Example(found, _shown(folder / "bad.yaml"), _shown(folder / "good.yaml"))


def collect_examples(folder: Path) -> dict[str, Example]:
    """The examples in the folders of a folder, by their names, which are codes."""
    examples = {each.name: read_example(each) for each in sorted(folder.glob("RT*"))}
    return {code: example for code, example in examples.items() if example}


def shipped_examples() -> Mapping[str, Example]:
    """The examples that are installed, by code."""
    return msgspec.json.decode(SHIPPED.read_bytes(), type=dict[str, Example])


def dump_examples(folder: Path) -> str:
    """The text of the file that is installed."""
    return msgspec.json.format(msgspec.json.encode(collect_examples(folder)), indent=1).decode() + "\n"


def _shown(file: Path) -> str:
    """The text of a file; nothing for one that is missing, too long, or no text."""
    try:
        text = file.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError):
        return ""
    return text if len(text.splitlines()) < MAX_LINES else ""


if __name__ == "__main__":
    sys.stdout.write(dump_examples(Path(sys.argv[1])))
