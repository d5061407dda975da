"""The examples of codes: `python -m router.check.examples tests/checks > router/check/examples.json`."""

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

MAX_LINES = 40
"""An example of as many lines, or more, is not shown: it is large because size is its fault."""
SHIPPED = Path(__file__).with_name("examples.json")
"""The examples as they are installed, with the code that they are about."""


_STANDS_FOR = {
    "ROLE": "arn:aws:iam::123456789012:role/message-router",
    "TABLE": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    "QUEUE": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "NAME": "orders",
}
"""What the capitals in the lines of AWS stand for, on the page."""


class Example(Struct, frozen=True, omit_defaults=True):
    """A faulty config, what is found in it, and the same config mended; one that cannot be shown is empty."""

    found: str
    bad: str = ""
    good: str = ""


def read_example(folder: Path) -> Example | None:
    """The example in a folder, or of that name among those of AWS; None if there is none."""
    expected = folder / "expected.txt"
    if not expected.is_file():
        return _live_example(folder)
    found = expected.read_text(encoding="utf-8").rstrip()
    return Example(found, _shown(folder / "bad.yaml"), _shown(folder / "good.yaml"))


def collect_examples(folder: Path) -> dict[str, Example]:
    """The examples in the folders of a folder, by their names, which are codes."""
    names = {each.name for each in folder.glob("RT*")} | {each.stem[:5] for each in _live_files(folder, "RT")}
    examples = {name: read_example(folder / name) for name in sorted(names)}
    return {code: example for code, example in examples.items() if example}


def _live_files(folder: Path, name: str) -> list[Path]:
    """What is said of codes whose names begin so, beside an AWS instead of a config: a file for each case."""
    return sorted(folder.parent.glob(f"aws/live/*/{name}*.txt"))


def _live_example(folder: Path) -> Example | None:
    """The lines of a code that is found in AWS; there it depends on what is deployed, not on the config."""
    texts = [file.read_text(encoding="utf-8") for file in _live_files(folder.parent, folder.name)]
    lines = [line for text in texts for line in text.splitlines() if f" {folder.name} " in line]
    for word, shown in _STANDS_FOR.items():
        lines = [line.replace(word, shown) for line in lines]
    return Example("\n".join(dict.fromkeys(lines))) if lines else None


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
