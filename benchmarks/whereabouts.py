"""Measures the time of a record by stage, for each size, and draws a flame graph."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from environment import HERE, BenchmarkError, ask, prepare
from rounds import Rounds
from serving import Server

RECORDS = {"small": 1000, "medium": 300, "large": 20}
FLAME = "flame.svg"
_SAMPLES = "250"

Stages = dict[str, dict[str, float]]
"""Seconds per record, by size and stage."""


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return len(RECORDS)


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> Stages:
    """Return the stages of each size; raises BenchmarkError if a stage no longer exists in the known form."""
    found = {}
    for size, records in RECORDS.items():
        command = ["stages.py", "--json", "--size", size, "--records", str(records)]
        stages = json.loads(ask(f"stages of {size} messages", [*command, "--repetitions", "3" if quick else "15"]))
        for name, seconds in stages.items():
            if isinstance(seconds, str):
                raise BenchmarkError(f"stage '{name}' is {seconds}; see benchmarks/stages.py")
        found[size] = stages
        advance()
    return found


def draw_flames(server: Server, folder: Path, *, quick: bool) -> str:
    """Write the flame graph of the handler into a folder; return the reason if there is none, or ""."""
    sampler = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if sampler is None:
        return "py-spy is not installed"
    server.reset()
    # The title of the graph is the command, so the command contains no path of this machine.
    command = ["py-spy", "record", "--rate", _SAMPLES, "--function", "-o", FLAME, "--", "python", "-m", "measure"]
    command += ["router", "small", "1000", "1" if quick else "6"]
    env = prepare(server.endpoint) | {"PYTHONPATH": str(HERE)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    done = subprocess.run(
        command, check=False, executable=sampler, cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        return f"py-spy failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
    return ""
