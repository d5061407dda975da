"""The third suite: cold starts, from the start of a process to the end of its first invocation."""

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from environment import HERE, BenchmarkError, prepare
from figures import FigureBudget, Figures
from messages import event
from rounds import Rounds
from serving import Server
from verifying import expected_digest

CPU, CLOCK, MEMORY = "cold start", "cold start, clock", "cold start, memory"
CASE = "first invocation"
COUNT = 10
COMPILED, FROM_YAML = "router", "router, from YAML"
BATCH_WRITER = "batch_writer"
PROGRAMS = {
    COMPILED: "router.lambda_handler",
    FROM_YAML: "router.lambda_handler",
    BATCH_WRITER: "peers.batch_writer",
    "powertools": "peers.powertools",
}
BUDGETS = (
    FigureBudget(CPU, CASE, COMPILED, BATCH_WRITER, 1 / 3),
    FigureBudget(CLOCK, CASE, COMPILED, BATCH_WRITER, 1 / 3),
    FigureBudget(MEMORY, CASE, COMPILED, BATCH_WRITER, 1),
)
_FOLDERS = (str(HERE.parent), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_EVENT = json.dumps(event("small", COUNT)).encode()
_MORE = 2
"""Cold starts are short, so a round has several of each."""


def _programs() -> list[str]:
    left_out = set() if importlib.util.find_spec("fastjsonschema") else {"powertools"}
    return [program for program in PROGRAMS if program not in left_out]


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * _MORE * len(_programs())


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure in rounds; raises BenchmarkError if a program did not write the expected items."""
    figures = {CPU: Figures("ms", 1e3), CLOCK: Figures("ms", 1e3), MEMORY: Figures("MB", 1e-6)}
    expected = expected_digest("small", COUNT)
    with TemporaryDirectory() as folder:
        compiled = compile_config(Path(folder))
        configs = {COMPILED: compiled, FROM_YAML: HERE / "routes.yaml"}
        for program in _programs():
            _start(server, program, configs.get(program), expected)  # the first start may have to write bytecode
        for _ in rounds:
            for program in _programs() * _MORE:
                cpu, clock, memory = _start(server, program, configs.get(program), expected)
                for figure, value in ((CPU, cpu), (CLOCK, clock), (MEMORY, memory)):
                    figures[figure].add(CASE, program, value)
                advance()
    return figures


def compile_config(folder: Path) -> Path:
    """Compile the configuration of the benchmarks into a folder without YAML and schemas."""
    target = folder / "routes.compiled"
    command = [sys.executable, "-m", "router", "compile", "-c", str(HERE / "routes.yaml"), "-o", str(target)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(f"the config cannot be compiled: {done.stderr.strip()}")
    return target


def _start(server: Server, program: str, config: Path | None, expected: str) -> tuple[float, float, float]:
    """Return processor seconds, wall-clock seconds and bytes of memory."""
    server.reset()
    # As in a deployment: `-S` skips what a development environment runs at each start.
    command = [sys.executable, "-S", str(HERE / "start.py"), PROGRAMS[program]]
    env = prepare(server.endpoint, config or HERE / "routes.yaml")
    env["PYTHONPATH"] = os.pathsep.join([env.get("PYTHONPATH", ""), *_FOLDERS]).strip(os.pathsep)
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    process.stdin.write(_EVENT)
    process.stdin.close()
    output = process.stdout.readline()
    clock = time.perf_counter() - began
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    report = server.report()
    if process.returncode or report["items"] != COUNT or report["digest"] != expected:
        raise BenchmarkError(
            f"the cold start of '{program}' wrote {report['items']} items, not the {COUNT} of its event"
        )
    return usage.ru_utime + usage.ru_stime, clock, int(output)
