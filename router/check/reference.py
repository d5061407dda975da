"""Writes `docs/checks.md` from the codes: `python -m router.check.reference tests/checks > docs/checks.md`."""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from router.check.codes import CODES
from router.check.examples import Example, read_example
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
_INTRODUCTION = """\
# Checks

Made from the code by `python -m router.check.reference tests/checks`; edit the codes and their examples instead of
this page.

`router check` proves a config and prints each fault as `file:line:column: RTnnn sentence; suggestion`. It exits with 1
if one of them is an error, and with `--strict` if one is a warning. `router check --explain RT101` prints an entry of
this page. What is known and accepted can be [ignored](config.md#what-is-known-and-accepted), with a reason; what stops
the router from starting cannot. The codes from RT801 on are no faults of a config: they say in logs and dead letters
how a message ended, and why.

## In CI

`--format github` prints workflow commands, which GitHub Actions shows at the lines of a pull request; `--format sarif`
prints SARIF 2.1.0, which code hosts and editors read; `--format json` is for everything else. `--no-env` is for where
the variables of the environment are not known yet: one that is not set is a warning then. The number of findings is on
standard error.

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
    parts += _example(read_example(example) if example else None)
    return "\n\n".join(parts) + "\n"


def _example(example: Example | None) -> Iterator[str]:
    """The faulty config, if it can be shown, the lines that `router check` prints for it, and the mended config."""
    if example is None:
        return
    if example.bad:
        yield f"```yaml title=bad.yaml\n{example.bad}\n```"
    yield f"```text\n{example.found}\n```"
    if example.good:
        yield f"```yaml title=good.yaml\n{example.good}\n```"


if __name__ == "__main__":
    sys.stdout.write(checks_reference(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
