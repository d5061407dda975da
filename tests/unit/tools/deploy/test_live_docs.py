"""What the page about checks says of `router check --live`."""

import json
import re
from pathlib import Path

from tests.support.aws import ACTIONS

PAGE = (Path(__file__).parents[4] / "docs" / "check.md").read_text(encoding="utf-8")
EXPECTED = Path(__file__).parents[3] / "aws" / "live" / "expected"


def test_the_policy_has_each_call() -> None:
    """The policy allows the calls that are made, and no other."""
    (policy,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))

    assert [action for each in policy["Statement"] for action in each["Action"]] == list(ACTIONS)


def test_the_example_is_what_is_printed() -> None:
    """The findings of the example have the sentences that the command prints, apart from names and numbers."""
    shown = re.findall(r"^routes\.yaml:\d+:\d+: (\w+ RT7\d\d .*)$", PAGE, re.MULTILINE)
    printed = [(EXPECTED / f"{line.split()[1]}.txt").read_text(encoding="utf-8") for line in shown]

    known = {_general(line.partition(" ")[2]) for text in printed for line in text.splitlines()}
    assert ({_general(line) for line in shown} - known, len(shown)) == (set(), 3)


def _general(line: str) -> str:
    """A finding without names and numbers, and without the window, which is not always there."""
    return re.sub(r"'[^']*'", "''", re.sub(r"(?<!RT)\b\d+", "N", line.replace(" + 5 s of window", "")))
