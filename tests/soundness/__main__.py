"""What commands say, beside what happens: `python -m tests.soundness [NAME [OPTIONS]]`, which `make soundness` starts.

Without a name, each runs in turn with its own defaults; the exit code is 1 if one says something wrong.
"""

import subprocess
import sys

RUNS = {
    "check": ["tests.soundness.run"],
    "documented": ["tests.soundness.run", "--documented"],
    "diff": ["tests.soundness.changes"],
    "pairs": ["tests.soundness.pairs"],
    "keys": ["tests.soundness.keys"],
    "verify": ["tests.soundness.verify"],
}


def main() -> int:
    """Run one program, or all."""
    name, *options = sys.argv[1:] or [""]
    if name and name not in RUNS:
        print(f"there is no run {name}: choose one of {', '.join(RUNS)}", file=sys.stderr)
        return 2
    failed = 0
    for each in [name] if name else RUNS:
        print(f"# {each}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", *RUNS[each], *options]).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
