"""The third suite: cold starts, from the start of a process to the end of its first invocation."""

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from environment import HERE, BenchmarkError, prepare
from figures import FigureBudget, Figures
from function import build_package, make_image
from messages import event
from rounds import Rounds
from serving import Server
from verifying import expected_digest

from router.runtime.program.precompiled import COMPILED_NAME

CPU, CLOCK, MEMORY = "cold start", "cold start, clock", "cold start, memory"
CASE, LOADED = "first invocation", "loaded, with its first client"
COUNTS = {CASE: 10, LOADED: 0}
"""The messages of the event: an event without any has the handler make its client, for AWS's own endpoint, with TLS."""
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
    FigureBudget(CPU, LOADED, COMPILED, TABLE, 1 / 5, aim=1 / 6),
    FigureBudget(CPU, CASE, COMPILED, BATCH_WRITER, 1 / 3),
    FigureBudget(CLOCK, CASE, COMPILED, BATCH_WRITER, 1 / 3),
    FigureBudget(MEMORY, CASE, COMPILED, BATCH_WRITER, 1),
)
Start = tuple[float, float, float]
"""Processor seconds, wall-clock seconds and bytes of memory of a start.

A program that is loaded only has the processor seconds from its import on, without those of the interpreter's start.
"""
_FOLDERS = (str(HERE.parent), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_MORE = 2
"""Cold starts are short, so a round has several of each."""
LEAST_OF = 5
"""Programs that are only loaded start so often in each round, in turn, and the least figures of each count: what else
runs on the machine adds to the time of a start, and takes nothing away."""


def _invoked() -> list[str]:
    """Return the programs that are invoked."""
    left_out = {TABLE} if importlib.util.find_spec("fastjsonschema") else {TABLE, "powertools"}
    return [program for program in PROGRAMS if program not in left_out]


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * (_MORE * len(_invoked()) + LEAST_OF * len(_OF_LOADED))


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure in rounds; raises BenchmarkError if a program did not write the expected items."""
    figures = (Figures("ms", 1e3), Figures("ms", 1e3), Figures("MB", 1e-6))
    with TemporaryDirectory() as folder:
        package, image = build_package(Path(folder)), make_image(Path(folder))

        def start(case: str, programs: Sequence[str], times: int) -> list[dict[str, Start]]:
            """Start the programs so often, in turn."""
            found = []
            for _ in range(times):
                found.append({program: _start(server, case, program, package, image) for program in programs})
                for _ in programs:
                    advance()
            return found

        for case, programs in ((CASE, _invoked()), (LOADED, _OF_LOADED)):
            for program in programs:
                _start(server, case, program, package, image)  # the first start may have to write bytecode
        for _ in rounds:
            for started in start(CASE, _invoked(), _MORE):
                for program, values in started.items():
                    _add(figures, CASE, program, values)
            loaded = start(LOADED, _OF_LOADED, LEAST_OF)
            for program in _OF_LOADED:
                starts = [started[program] for started in loaded]
                least = [min(values) for values in zip(*starts, strict=True)]
                _add(figures, LOADED, program, least)
    return dict(zip((CPU, CLOCK, MEMORY), figures, strict=True))


def _add(figures: Sequence[Figures], case: str, program: str, values: Sequence[float]) -> None:
    for figure, value in zip(figures, values, strict=True):
        figure.add(case, program, value)


def _start(server: Server, case: str, program: str, package: Path, image: Path) -> Start:
    """Start a program; the router runs as `router build` packs it. `image` is what Lambda's image has."""
    server.reset()
    count = COUNTS[case]
    # As in a deployment: `-S` skips what a development environment runs at each start.
    command = [sys.executable, "-S", str(HERE / "start.py"), PROGRAMS[program]]
    env = prepare(server.endpoint, package / COMPILED_NAME if program == COMPILED else HERE / "routes.yaml")
    folders = [str(package)] if program == COMPILED else [env.get("PYTHONPATH", ""), *_FOLDERS]
    if case == LOADED:
        # The client reads the certificates that verify AWS's endpoint, and connects to nothing.
        del env["AWS_ENDPOINT_URL"]
    env["PYTHONPATH"] = os.pathsep.join([*folders, str(image)]).strip(os.pathsep)
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
    seconds, memory = output.split()
    # The interpreter's own start is not the program's: Lambda makes it, whatever the program is.
    cpu = usage.ru_utime + usage.ru_stime if case == CASE else float(seconds)
    return cpu, clock, int(memory)
