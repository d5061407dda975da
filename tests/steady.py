"""Runs the tests marked `timing` several times beside two busy loops, and counts the failures of each.

`make steady` starts it. On a busy machine, a test that waits for a time, not for a state, fails
sooner or later. It ends with 1 if any test failed in any round, and prints which and how often.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.marks import TIMING

ROOT = Path(__file__).parent.parent
BUSY = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
"""Ends when this program does, however that ends."""
STOP_SECONDS = 60
FAILED = 1


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """Keep so many processors busy."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run_round(arguments: Sequence[str], seconds: float) -> list[str]:
    """Run the tests once; return the names of those that failed, and of the round if it did not end as it should."""
    with tempfile.TemporaryDirectory() as cache:
        options = ["-m", "timing", "-o", f"cache_dir={cache}"]
        command = [sys.executable, "-m", "pytest", *options, *arguments, *_places(arguments)]
        with subprocess.Popen(command, cwd=ROOT) as tests:
            try:
                code: int | None = tests.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
                _stop(tests)
        file = Path(cache, "v/cache/lastfailed")
        failed = list(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []
    if code in (0, FAILED):
        return failed
    return [*failed, f"the round, which {'took too long' if code is None else f'ended with {code}'}"]


def _places(arguments: Sequence[str]) -> list[str]:
    """Return where tests have the mark, unless the arguments name places: collecting all takes each worker 20 s."""
    if any((ROOT / each.partition("::")[0]).exists() for each in arguments):
        return []
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    own = [str(file.relative_to(ROOT)) for file in files if "@pytest.mark.timing" in file.read_text(encoding="utf-8")]
    return [*TIMING, *own]


def _stop(tests: "subprocess.Popen[bytes]") -> None:
    # With SIGINT, pytest reports what failed and ends what it started.
    tests.send_signal(signal.SIGINT)
    try:
        tests.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        tests.kill()


def main() -> int:
    """Run the rounds, and print the failures of each test."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make steady", allow_abbrev=False)
    parser.add_argument("--times", type=int, default=10, help="rounds (default: 10)")
    parser.add_argument("--loops", type=int, default=2, help="busy loops (default: 2)")
    parser.add_argument("--minutes", type=float, default=90, help="end a round that takes longer (default: 90)")
    options, arguments = parser.parse_known_args()
    failures: Counter[str] = Counter()
    began = time.monotonic()
    with busy_loops(options.loops):
        for number in range(1, options.times + 1):
            print(f"round {number} of {options.times}, beside {options.loops} busy loops", flush=True)
            failures.update(run_round(arguments, options.minutes * 60))
    minutes = (time.monotonic() - began) / 60
    for name, count in failures.most_common():
        print(f"UNSTEADY {count} of {options.times}: {name}")
    print(f"{options.times} rounds, {len(failures)} unsteady, in {minutes:.1f} minutes")
    return FAILED if failures else 0


if __name__ == "__main__":
    sys.exit(main())
