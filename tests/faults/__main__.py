"""The long runs under faults: `python -m tests.faults NAME [OPTIONS]`, as `make soak ONLY=NAME ARGS=OPTIONS` does."""

import runpy
import sys

RUNS = {
    "faults": "tests.faults.soak",
    "peers": "tests.faults.peers",
    "replay": "tests.faults.replay_killed",
    "losses": "tests.faults.losses",
    "stacks": "tests.aws.stack_runs",
}

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "faults"
    if name not in RUNS:
        sys.exit(f"there is no run {name}: choose one of {', '.join(RUNS)}")
    sys.argv = [f"make soak ONLY={name}", *sys.argv[2:]]
    runpy.run_module(RUNS[name], run_name="__main__")
