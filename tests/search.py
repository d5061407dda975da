"""Runs the property tests with examples that no other run had, in rounds with a new seed each, until the time is up.

`make search` starts it. It ends at the first round with a failure, and prints how to run that round again. A failing
example is also kept in `.hypothesis`, and is tried first the next time.
"""

import argparse
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
LARGEST_SEED = 2**32


def run_round(seed: int, arguments: Sequence[str]) -> int:
    """Run all property tests with a seed; return pytest's exit code."""
    options = ["-m", "hypothesis", "--hypothesis-profile=free", f"--hypothesis-seed={seed}"]
    return subprocess.run([sys.executable, "-m", "pytest", *options, *arguments], cwd=ROOT).returncode


def main() -> int:
    """Run rounds."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make search", allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=30, help="begin no round after so many minutes (default: 30)")
    parser.add_argument("--seed", type=int, help="run one round, with this seed")
    options, arguments = parser.parse_known_args()
    end = time.monotonic() + options.minutes * 60
    rounds = 0
    while not rounds or (options.seed is None and time.monotonic() < end):
        seed = secrets.randbelow(LARGEST_SEED) if options.seed is None else options.seed
        rounds += 1
        print(f"round {rounds}, seed {seed}", flush=True)
        code = run_round(seed, arguments)
        if code:
            more = f" ARGS={shlex.quote(shlex.join(arguments))}" if arguments else ""
            print(f"to run this round again: make search SEED={seed}{more}")
            return code
    print(f"{rounds} rounds without a failure")
    return 0


if __name__ == "__main__":
    sys.exit(main())
