"""Writes `docs/checks.md` from the codes: `python -m router.checks.reference tests/checks > docs/checks.md`."""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from router.checks.codes import CODES
from router.model import Code

GROUPS = {
    "0": "The file",
    "1": "Its shape",
    "2": "Routes and queues",
    "3": "Schemas",
    "4": "Mappings",
    "5": "Plugins",
    "6": "Writes and keys",
    "7": "What is live in AWS",
    "8": "Outcomes: what logs and dead letters say",
}
"""Headings by the first digit of a code."""
MAX_LINES = 40
"""An example of as many lines, or more, is not shown: it is large because size is its fault."""

_INTRODUCTION = """\
# Checks

Made from the code by `python -m router.checks.reference tests/checks`; edit the codes and their examples instead of
this page.

`router check` proves a config and prints each fault as `file:line:column: RTnnn sentence; suggestion`. It exits with 1
if one of them is an error. `router check --explain RT101` prints an entry of this page. The codes from RT801 on are no
faults of a config: they say in logs and dead letters how a message ended, and why.

A code keeps its meaning for ever; new ones take new numbers.
"""


def checks_reference(examples: Path | None = None) -> str:
    """The page, in Markdown; `examples` is the folder with a folder a code: a faulty config and what is found in it."""
    sections = [_INTRODUCTION]
    for digit, codes in groupby(CODES.values(), key=lambda code: code.id[2]):
        sections.append(f"## {GROUPS[digit]}\n")
        sections += [_section(code, examples and examples / code.id) for code in codes]
    return "\n".join(sections)


def _section(code: Code, example: Path | None) -> str:
    title = code.title[0].upper() + code.title[1:]
    parts = [f"### {code.id}", f"{title}. Severity: {code.severity}.", code.why]
    if example is not None and example.is_dir():
        parts += _example(example)
    return "\n\n".join(parts) + "\n"


def _example(folder: Path) -> Iterator[str]:
    """The faulty config, if it can be shown, and the lines that `router check` prints for it."""
    config = _shown(folder / "bad.yaml")
    if config is not None:
        yield f"```yaml title=bad.yaml\n{config}\n```"
    yield f"```text\n{(folder / 'expected.txt').read_text(encoding='utf-8').rstrip()}\n```"


def _shown(file: Path) -> str | None:
    """The text of a file; None for one that is empty, too long, or no text."""
    try:
        text = file.read_text(encoding="utf-8").rstrip()
    except UnicodeDecodeError:
        return None
    return text if text and len(text.splitlines()) < MAX_LINES else None


if __name__ == "__main__":
    sys.stdout.write(checks_reference(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
