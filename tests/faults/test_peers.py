"""The function and the worker beside a peer that breaks HTTP; `python -m tests.faults.peers` runs all cases."""

from functools import cache
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from tests.faults.peers.cases import TOGETHER, Case, Channel, Program, all_cases, select
from tests.faults.peers.runs import run_cases

SEED = 1
MOST_WRONG = 3
"""After so many cases in which something is wrong, the others are left out: each may take a minute."""

selected = cache(select)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("channel", get_args(Channel))
@pytest.mark.parametrize("program", get_args(Program))
def test_no_message_is_lost(program: Program, channel: Channel, tmp_path: Path) -> None:
    """What a peer sends acknowledges no message that is not done, fails no other one, and takes no longer."""
    wrong = run_cases(program, channel, selected(SEED), tmp_path, MOST_WRONG)

    assert not wrong, "\n".join(wrong)


def test_selection() -> None:
    """It has each pair of choices that there is, and others that belong together."""

    def together(cases: list[Case]) -> set[tuple[tuple[str, object], ...]]:
        found = set()
        for case in cases:
            choices = case._asdict()
            for names in (*combinations(choices, 2), *TOGETHER):
                found.add(tuple((name, choices[name]) for name in names))
        return found

    assert together(selected(SEED)) == together([*all_cases()])
