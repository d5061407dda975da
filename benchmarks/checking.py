"""The suite of `router check`: its processor time, from the start of the process to its end, against boto3's start.

`make bench ARGS='--only check'`. The peer imports boto3 and makes one Table, so that a ratio holds on other machines.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import counting_check
import probe
from cold import TABLE
from environment import HERE, BenchmarkError, prepare
from figures import FigureBudget, Figures
from rounds import Rounds
from serving import Server

CPU = "check"
SAMPLE, ROUTES, SCHEMAS = "the sample", "1,000 routes", "1,000 routes, as many schemas"
ONE_QUEUE, FEW, MANY = "routes of one queue", "1,000", "2,000"
COUNT = 1000
BUDGETS = (
    FigureBudget(CPU, SAMPLE, "router", TABLE, 0.45),
    FigureBudget(CPU, ROUTES, "router", TABLE, 2.6, aim=2.5),
    FigureBudget(CPU, SCHEMAS, "router", TABLE, 4),
    FigureBudget(CPU, ONE_QUEUE, MANY, FEW, 2),
)
LEAST_OF = 5
"""Programs start so often in each round, in turn, and the least figure of each counts, as for cold starts."""


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * LEAST_OF


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure in rounds; raises BenchmarkError if a program fails."""
    figures = Figures("ms", 1e3)
    env = prepare(server.endpoint)
    with TemporaryDirectory() as folder:
        files = {
            SAMPLE: HERE.parent / "routes.yaml",
            SCHEMAS: counting_check.config(Path(folder), COUNT, own_names=True),
        }
        configs = {
            ROUTES: probe.make_config(COUNT, own_queues=True),
            FEW: probe.make_config(COUNT, own_queues=False),
            MANY: probe.make_config(2 * COUNT, own_queues=False),
        }
        for name, config in configs.items():
            files[name] = Path(folder) / f"{name}.yaml"
            files[name].write_text(json.dumps(config), encoding="utf-8")
        for _ in rounds:
            least: dict[str, float] = {}
            for _ in range(LEAST_OF):
                commands = {TABLE: ["-c", "import peers.boto3_table"]}
                commands |= {case: ["-m", "router", "check", str(file)] for case, file in files.items()}
                for name, command in commands.items():
                    least[name] = min(_seconds(command, env), least.get(name, float("inf")))
                advance()
            for case in (SAMPLE, ROUTES, SCHEMAS):
                figures.add(case, "router", least[case])
                figures.add(case, TABLE, least[TABLE])
            for count in (FEW, MANY):
                figures.add(ONE_QUEUE, count, least[count])
    return {CPU: figures}


def _seconds(command: list[str], env: dict[str, str]) -> float:
    """Return the processor seconds of a program of Python."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *command], cwd=HERE, env=env, stdout=nowhere, stderr=nowhere)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"'{' '.join(command)}' ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime
