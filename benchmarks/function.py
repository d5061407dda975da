"""The suite of the whole function: AWS's runtime client runs it on one core of its own, and calls take time."""

import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import awslambdaric
import rust
from environment import HERE, BenchmarkError, prepare
from figures import Figures
from floors import BATCH_WRITER, CALL, FIRST, NOTHING, ROUTER, RUST, WAITING, WALL
from messages import event
from runtime_api import FunctionError, RuntimeApi
from serving import Server
from verifying import expected_digest

SIZE = "small"
# As Lambda's image does: the function's code first, then the runtime's, and nothing that is installed here.
_START = """
import sys
sys.path[:0] = sys.argv[1:-1]
from awslambdaric.__main__ import main
main(["bootstrap", sys.argv[-1]])
"""
_RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


class Case(NamedTuple):
    """A batch of small messages, and how long a call takes; by TLS or not."""

    messages: int
    latency_ms: int
    secure: bool = False


THOUSAND = Case(1000, 8)
TEN_TLS = Case(10, 5, secure=True)
BATCHES = {ROUTER: (10, 9), RUST: (10, 9), BATCH_WRITER: (1, 3)}
"""The batches that do not count, after which a program has its connections, and those that do."""
STARTS = 5
"""First answers are short, so a round has several."""


class FunctionRun(NamedTuple):
    """Seconds from the start of the process to its first answer; wall and processor seconds of each batch."""

    first_answer: float
    batches: list[tuple[float, float]]


def measure(server: Server, figures: Figures, rounds: Iterable[int]) -> None:
    """Measure in rounds; raises BenchmarkError if a function did not write the expected items."""
    if sys.platform != "linux":
        figures.missing["function"] = "it needs Linux, which tells the processor time of a process"
        return
    with TemporaryDirectory() as folder, own_core(server) as core:
        built = rust.build(Path(folder) / "rust")
        if isinstance(built, str):
            figures.missing[RUST] = built
        functions = Functions(server, build_package(Path(folder)), make_image(Path(folder)), core, built)
        for program in (ROUTER, NOTHING):
            functions.run(program, TEN_TLS)  # the first start may have to write bytecode
        for _ in rounds:
            _measure_round(functions, figures)
    server.slow_down(0)


def _measure_round(functions: "Functions", figures: Figures) -> None:
    for program, (first, counted) in BATCHES.items():
        if program in figures.missing:
            continue
        run = functions.run(program, THOUSAND, first + counted)
        figures.add(WALL, program, statistics.median(wall for wall, _ in run.batches[first:]))
        if program == ROUTER:
            figures.add(WAITING, ROUTER, statistics.median(wall - cpu for wall, cpu in run.batches[first:]))
            figures.add(WAITING, CALL, THOUSAND.latency_ms / 1000)
    for _ in range(STARTS):
        for program in (ROUTER, NOTHING):
            figures.add(FIRST, program, functions.run(program, TEN_TLS).first_answer)


class Functions:
    """Starts functions on one core: `package` is the router's, `image` is what Lambda's image has.

    `built` is the executable in Rust, or the reason why there is none.
    """

    def __init__(self, server: Server, package: Path, image: Path, core: set[int], built: Path | str = "") -> None:
        self._server = server
        self._core = core
        installed = [HERE, Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))]
        self._programs: Mapping[str, tuple[list[Path], str]] = {
            ROUTER: ([package, image], "router.lambda_handler.handler"),
            BATCH_WRITER: ([*installed, image], "peers.batch_writer.handler"),
            NOTHING: ([HERE, image], "peers.nothing.handler"),
            RUST: ([Path(built)], "bootstrap"),
        }

    def run(self, program: str, case: Case, batches: int = 1) -> FunctionRun:
        """Start a function and invoke it with so many batches; raises BenchmarkError if it wrote anything else."""
        self._server.reset()
        self._server.slow_down(case.latency_ms)
        given = json.dumps(event(SIZE, case.messages)).encode()
        try:
            run = self._run(program, given, batches, secure=case.secure)
        except (FunctionError, TimeoutError) as error:
            raise BenchmarkError(f"{program}, {case}: {error}") from error
        report = self._server.report()
        written = 0 if program == NOTHING else batches * case.messages
        if report["items"] != written or (written and report["digest"] != expected_digest(SIZE, case.messages)):
            raise BenchmarkError(f"{program}, {case}: it wrote {report['items']} items, not {written} as expected")
        return run

    def _run(self, program: str, given: bytes, batches: int, *, secure: bool) -> FunctionRun:
        api = RuntimeApi()
        began = time.perf_counter()
        process = self._start(program, api.address, secure=secure)
        # The id of the clock of a process, as glibc's clock_getcpuclockid makes it.
        clock = (~process.pid << 3) | 2
        found = []
        try:
            api.await_start()
            for _ in range(batches):
                cpu, moment = time.clock_gettime(clock), time.perf_counter()
                api.send(given)
                answer = api.receive()
                ended = time.perf_counter()
                found.append((ended - moment, time.clock_gettime(clock) - cpu))
                if len(found) == 1:
                    first = ended - began
                if json.loads(answer.body) not in ({"batchItemFailures": []}, None):
                    raise FunctionError(f"it answered {answer.body[:200].decode(errors='replace')}")
                api.accept(answer)
            return FunctionRun(first, found)
        finally:
            process.kill()
            process.wait()
            api.close()

    def _start(self, program: str, address: str, *, secure: bool) -> "subprocess.Popen[bytes]":
        """Start a function on its core, which a process inherits from the one that starts it."""
        paths, handler = self._programs[program]
        env = prepare(self._server.endpoint)
        if secure:
            env |= self._server.tls_environment(few_roots=program == ROUTER)
        del env["ROUTER_CONFIG"]  # the package has its own
        variables = {
            **env,
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "LAMBDA_TASK_ROOT": str(paths[0]),
            "_HANDLER": handler,
            "TZ": ":UTC",
        }
        command = [sys.executable, "-I", "-S", "-c", _START, *map(str, paths), handler]
        if program == RUST:
            command = [str(*paths)]
        others = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._core)
        try:
            nowhere = subprocess.DEVNULL
            return subprocess.Popen(command, env=variables, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        finally:
            os.sched_setaffinity(0, others)


@contextmanager
def own_core(server: Server) -> Iterator[set[int]]:
    """Keep a core for the function, and leave the others to the server and to this process, if there are others."""
    every = os.sched_getaffinity(0)
    core = {min(every)}
    others = (every - core) or core
    server.use_cores(others)
    os.sched_setaffinity(0, others)
    try:
        yield core
    finally:
        os.sched_setaffinity(0, every)
        server.use_cores(every)


def build_package(folder: Path) -> Path:
    """Build the router's package with `router build` for this machine, and unpack it."""
    package, target = folder / "package.zip", folder / "package"
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    arch = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    command = [sys.executable, "-m", "router", "build", "-c", str(HERE / "routes.yaml"), "-o", str(package)]
    command += ["--python", python, "--arch", arch]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise BenchmarkError(f"the package cannot be built: {done.stderr.strip()}")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(target)
    return target


def make_image(folder: Path) -> Path:
    """Make a folder with the runtime client and what it imports, and nothing else of what is installed here."""
    image = folder / "runtime"
    image.mkdir()
    for entry in Path(awslambdaric.__file__).parents[1].iterdir():
        if entry.name.partition(".")[0] in _RUNTIME:
            (image / entry.name).symlink_to(entry)
    return image
