"""Runs all cases of a peer that breaks HTTP, or as many as there is time for, in an order that a seed decides.

`python -m tests.faults.peers`. It exits with 1 if a case ends wrongly, and prints that case.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from tests.faults.peers.cases import Case, Channel, Program, all_cases
from tests.faults.peers.runs import run_cases

PART = 100
"""The cases that run between two looks at the time."""
MOST_WRONG = 20


def main() -> int:
    """Run the cases and return the exit code."""
    options = _options()
    cases = [case for case in all_cases() if options.only in case.name]
    random.Random(options.seed).shuffle(cases)
    end = time.monotonic() + options.minutes * 60
    wrong: list[str] = []
    done = 0
    while done < len(cases) and time.monotonic() < end and len(wrong) < MOST_WRONG:
        part = cases[done : done + PART]
        wrong += _run(part)
        done += len(part)
        print(f"{done} of {len(cases)} cases, {len(wrong)} wrong", flush=True)
    return 1 if wrong else 0


def _run(cases: list[Case]) -> list[str]:
    wrong: list[str] = []
    for program in get_args(Program):
        for channel in get_args(Channel):
            with tempfile.TemporaryDirectory(prefix="router-peers-") as folder:
                found = run_cases(program, channel, cases, Path(folder), MOST_WRONG)
            for text in found:
                print(text, file=sys.stderr, flush=True)
            wrong += found
    return wrong


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="no part begins later (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="decides on the order (default: 1)")
    parser.add_argument("--only", default="", help="a text that the names of the cases have, as 'kind drip'")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
