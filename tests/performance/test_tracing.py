"""Traces of which 1 % is sampled cost a record hardly anything; `python benchmarks/tracing.py` counts more cases."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "tracing.py"
MOST = 1.03


def test_a_record_costs_hardly_more() -> None:
    """Of instructions, for function and worker, wherever the context of a producer is; by route, too."""
    command = [sys.executable, str(SCRIPT), "--percent", "1"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)

    found = json.loads(done.stdout)
    assert ({name: ratio for name, ratio in found.items() if ratio > MOST}, len(found)) == ({}, 8), found
