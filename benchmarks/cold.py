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
CASE, LOADED = "first invocation", "loaded, with its first client"
COUNTS = {CASE: 10, LOADED: 0}
"""The messages of the event: an event without any has the handler make its client."""
COMPILED, FROM_YAML = "router", "router, from YAML"
BATCH_WRITER, TABLE = "batch_writer", "boto3 table"
PROGRAMS = {
    COMPILED: "router.lambda_handler",
    FROM_YAML: "router.lambda_handler",
    BATCH_WRITER: "peers.batch_writer",
    "powertools": "peers.powertools",
    TABLE: "peers.boto3_table",
}
_OF_LOADED = (COMPILED, TABLE)
BUDGETS = (
    FigureBudget(CPU, LOADED, COMPILED, TABLE, 1 / 4),
    FigureBudget(CPU, CASE, COMPILED, BATCH_WRITER, 1 / 3),
    FigureBudget(CLOCK, CASE, COMPILED, BATCH_WRITER, 1 / 3),
    FigureBudget(MEMORY, CASE, COMPILED, BATCH_WRITER, 1),
)
_FOLDERS = (str(HERE.parent), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_MORE = 2
"""Cold starts are short, so a round has several of each."""


def _programs() -> list[tuple[str, str]]:
    """Return the cases with their programs."""
    left_out = {TABLE} if importlib.util.find_spec("fastjsonschema") else {TABLE, "powertools"}
    invoked = [(CASE, program) for program in PROGRAMS if program not in left_out]
    return [*invoked, *((LOADED, program) for program in _OF_LOADED)]


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * _MORE * len(_programs())


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure in rounds; raises BenchmarkError if a program did not write the expected items."""
    figures = {CPU: Figures("ms", 1e3), CLOCK: Figures("ms", 1e3), MEMORY: Figures("MB", 1e-6)}
    with TemporaryDirectory() as folder:
        compiled = compile_config(Path(folder))
        configs = {COMPILED: compiled, FROM_YAML: HERE / "routes.yaml"}
        for case, program in _programs():
            _start(server, case, program, configs.get(program))  # the first start may have to write bytecode
        for _ in rounds:
            for case, program in _programs() * _MORE:
                cpu, clock, memory = _start(server, case, program, configs.get(program))
                for figure, value in ((CPU, cpu), (CLOCK, clock), (MEMORY, memory)):
                    figures[figure].add(case, program, value)
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


def _start(server: Server, case: str, program: str, config: Path | None) -> tuple[float, float, float]:
    """Return processor seconds, wall-clock seconds and bytes of memory."""
    server.reset()
    count = COUNTS[case]
    # As in a deployment: `-S` skips what a development environment runs at each start.
    command = [sys.executable, "-S", str(HERE / "start.py"), PROGRAMS[program]]
    env = prepare(server.endpoint, config or HERE / "routes.yaml")
    env["PYTHONPATH"] = os.pathsep.join([env.get("PYTHONPATH", ""), *_FOLDERS]).strip(os.pathsep)
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(event("small", count)).encode())
    process.stdin.close()
    output = process.stdout.readline()
    clock = time.perf_counter() - began
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    report = server.report()
    if process.returncode or report["items"] != count or report["digest"] != expected_digest("small", count):
        raise BenchmarkError(
            f"the cold start of '{program}' wrote {report['items']} items, not the {count} of its event"
        )
    return usage.ru_utime + usage.ru_stime, clock, int(output)
