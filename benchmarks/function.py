"""The suite of the whole function: AWS's runtime client runs a package on one core, and calls take time.

A process is started for each batch size and each duration of a call. Its first answer is that of a cold start, its
first batch that of a fresh container, which has no connections; others count once the connections are there.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import awslambdaric
import rust
from drain import memory_of
from environment import HERE, BenchmarkError, prepare
from figures import FigureBudget, Figures
from messages import event, most, point, reject
from rounds import Rounds
from runtime_api import FunctionError, RuntimeApi
from serving import Server
from verifying import expected_digest

WALL, FRESH, CPU = "function", "function, first batch", "function, processor"
START, MEMORY = "function, first answer", "function, memory"
ROUTER, BATCH_WRITER, NOTHING, BOUND, RUST = "router", "batch_writer", "nothing", "bound", "rust"
RUST_TITLE = "Rust, hyper"
RUST_SOURCES = HERE / "peers" / "rust"
SIZE = "small"
CONFIGS = ("routes", "pointers")
_POINTERS = "router, pointers"
CALLS = 1.3
"""So many times the duration of a call may a batch take besides its processor time."""
PLOTTED = 5
"""The duration of a call for first answers and the largest batches, of which `batch_writer` takes seconds."""
WARM_UP, WARM_UP_LARGE = 10, 4
"""The batches before those that count, up to 1,000 messages and beyond: after them the router has its connections."""
PEER_BATCHES = 3
"""Batches of the others take so much longer that fewer are measured."""
# As Lambda's image does: the function's code first, then the runtime's, and nothing that is installed here.
_START = """
import sys
sys.path[:0] = sys.argv[1:-1]
from awslambdaric.__main__ import main
main(["bootstrap", sys.argv[-1]])
"""
_RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


@dataclass(frozen=True)
class FunctionCase:
    """A batch, what a call takes in milliseconds, whether by TLS, and how many batches are measured."""

    count: int
    latency: int
    batches: int
    secure: bool = False
    programs: tuple[str, ...] = (ROUTER, BATCH_WRITER)
    rejected: int = 0
    """Every so many-th message becomes a dead letter; none with 0."""
    points: bool = False
    """Whether the messages are pointers to their payloads in S3."""

    @property
    def name(self) -> str:
        """The name in tables."""
        rejected = f", {1 / self.rejected:.0%} dead letters" if self.rejected else ""
        kind = f"{' in S3' if self.points else ''}{rejected}"
        return f"{self.count:,} {SIZE}{kind}, {self.latency} ms a call{', TLS' if self.secure else ''}"

    @property
    def calls(self) -> float:
        """How many calls come one after the other, each so many times its duration."""
        return CALLS * (2 if self.points or self.rejected > 1 else 1)

    @property
    def letters(self) -> int:
        """How many messages of a batch become dead letters."""
        return -(-self.count // self.rejected) if self.rejected else 0

    def digest(self) -> str:
        """Return the digest of the items to write."""
        return expected_digest(SIZE, self.count, self.rejected)

    def event(self) -> bytes:
        """Return the batch as an event."""
        given = event(SIZE, self.count)
        given = point(given) if self.points else given
        return json.dumps(reject(given, self.rejected) if self.rejected else given).encode()


LATENCIES = (0, 1, 5, 8, 20)
BATCHES = {1: 15, 10: 15, 100: 11, 1000: 7}
IN_RUST = (0, 5, 8)
"""The durations of a call for the function in Rust."""
DEAD_LETTERS = tuple(FunctionCase(1000, 8, 5, programs=(ROUTER,), rejected=every) for every in (1, 10))
POINTERS = tuple(FunctionCase(count, 8, 5, programs=(ROUTER,), points=True) for count in (100, 1000))
CASES = (
    *(
        FunctionCase(count, each, batches, programs=(ROUTER, BATCH_WRITER, RUST)[: 2 + (each in IN_RUST)])
        for count, batches in BATCHES.items()
        for each in LATENCIES
    ),
    *(
        FunctionCase(most(SIZE), each, 3, programs=(ROUTER, BATCH_WRITER)[: 1 + (each == PLOTTED)])
        for each in LATENCIES
    ),
    *(FunctionCase(1000, latency, 5, secure=True, programs=(ROUTER,)) for latency in LATENCIES),
    *DEAD_LETTERS,
    *POINTERS,
)
THOUSAND = [case for case in CASES if case.count == 1000 and not (case.rejected or case.points)]
"""The batches whose wall-clock time is drawn by the duration of a call."""
FIRST = FunctionCase(10, PLOTTED, 1, programs=(ROUTER, BATCH_WRITER, NOTHING, RUST))
FIRST_TLS = FunctionCase(10, PLOTTED, 1, secure=True, programs=(ROUTER, BATCH_WRITER, NOTHING))
QUICK = (
    FunctionCase(10, PLOTTED, 5),
    FunctionCase(1000, 8, 3),
    FunctionCase(1000, 8, 3, secure=True, programs=(ROUTER,)),
    *DEAD_LETTERS,
    *POINTERS,
)
SLOW = FunctionCase(1000, 8, 0).name
IN_RUST_AT_MOST = {10: 1.1, 100: 1.1, 1000: 1.3}
"""How many times as long as the function in Rust a batch may take, by its messages."""
SLOW_TLS = FunctionCase(1000, 8, 0, secure=True).name
BUDGETS = (
    FigureBudget(WALL, SLOW, ROUTER, BATCH_WRITER, 1 / 24, aim=1 / 30),
    FigureBudget(WALL, SLOW, ROUTER, BOUND, 1),
    FigureBudget(FRESH, SLOW_TLS, ROUTER, BOUND, 1),
    *(FigureBudget(WALL, case.name, ROUTER, BOUND, 1) for case in (*DEAD_LETTERS, *POINTERS)),
    FigureBudget(START, FIRST_TLS.name, ROUTER, NOTHING, 2.4, aim=2.0),
    *(
        FigureBudget(WALL, FunctionCase(count, 8, 0).name, ROUTER, RUST, limit)
        for count, limit in IN_RUST_AT_MOST.items()
    ),
)
STARTS = 3
"""First answers are short, so a round has several of each."""


class FunctionRun(NamedTuple):
    """Seconds from the start of the process to its first answer; wall and processor seconds of each batch; bytes."""

    first_answer: float
    batches: list[tuple[float, float]]
    memory: int


def cases_of(*, quick: bool) -> tuple[FunctionCase, ...]:
    """Return the cases."""
    return QUICK if quick else CASES


def steps(*, quick: bool, rounds: int) -> int:
    """Return how often `measure` calls `advance`."""
    return rounds * (len(cases_of(quick=quick)) + 2 * STARTS)


def measure(server: Server, *, quick: bool, rounds: Rounds, advance: Callable[[], None]) -> dict[str, Figures]:
    """Measure all cases in rounds; raises BenchmarkError if a function did not write the expected items."""
    figures = {name: Figures("ms", 1e3) for name in (WALL, FRESH, CPU, START)} | {MEMORY: Figures("MB", 1e-6)}
    if sys.platform != "linux":
        figures[WALL].missing = {"the whole function": "it needs Linux, which tells the processor time of a process"}
        return figures
    digests = {case: case.digest() for case in (FIRST, FIRST_TLS, *cases_of(quick=quick))}
    with TemporaryDirectory() as folder:
        made = "a short run leaves it out" if quick else rust.build(RUST_SOURCES, Path(folder) / "rust")
        if isinstance(made, str):
            figures[WALL].missing = {RUST_TITLE: made}
        with own_core(server) as core:
            packages = {config: build_package(Path(folder), config) for config in CONFIGS}
            functions = Functions(server, packages, make_image(Path(folder)), core, made)
            for program in functions.programs(FIRST):
                functions.run(program, FIRST, digests[FIRST])  # the first start may have to write bytecode
            for _ in rounds:
                for case in cases_of(quick=quick):
                    for program in functions.programs(case):
                        run = functions.run(program, case, digests[case], sum(_batches(program, case)))
                        _add(figures, case, program, run)
                    advance()
                for first in (FIRST, FIRST_TLS) * STARTS:
                    for program in functions.programs(first):
                        started = functions.run(program, first, digests[first])
                        figures[START].add(first.name, program, started.first_answer)
                    advance()
    server.slow_down(0)
    return figures


def _batches(program: str, case: FunctionCase) -> tuple[int, int]:
    """Return how many batches do not count, and how many do; one that has one connection has it after the first."""
    if program not in (ROUTER, RUST):
        return 1, min(case.batches, PEER_BATCHES)
    return WARM_UP if case.count <= 1000 else WARM_UP_LARGE, case.batches


def _add(figures: Mapping[str, Figures], case: FunctionCase, program: str, run: FunctionRun) -> None:
    fresh, fresh_cpu = run.batches[0]
    counted = run.batches[_batches(program, case)[0] :]
    wall = statistics.median(each for each, _ in counted)
    cpu = statistics.median(each for _, each in counted)
    for name, value in ((WALL, wall), (FRESH, fresh), (CPU, cpu), (MEMORY, run.memory)):
        figures[name].add(case.name, program, value)
    if program == ROUTER:
        waiting = case.calls * case.latency / 1000
        figures[WALL].add(case.name, BOUND, cpu + waiting)
        figures[FRESH].add(case.name, BOUND, fresh_cpu + waiting)


class Functions:
    """Starts functions on one core: `packages` are the router's by their config, `image` is what Lambda's image has.

    `made` is the executable in Rust, or the reason why there is none.
    """

    def __init__(
        self, server: Server, packages: Mapping[str, Path], image: Path, core: set[int], made: Path | str = ""
    ) -> None:
        self._server = server
        self._core = core
        installed = [HERE, Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))]
        self._programs = {
            ROUTER: ([packages["routes"], image], "router.lambda_handler.handler"),
            _POINTERS: ([packages["pointers"], image], "router.lambda_handler.handler"),
            BATCH_WRITER: ([*installed, image], "peers.batch_writer.handler"),
            NOTHING: ([HERE, image], "peers.nothing.handler"),
        } | ({RUST: ([made], "bootstrap")} if isinstance(made, Path) else {})

    def programs(self, case: FunctionCase) -> list[str]:
        """Return those programs of a case that are there."""
        return [program for program in case.programs if program in self._programs]

    def run(self, program: str, case: FunctionCase, expected: str, batches: int = 1) -> FunctionRun:
        """Start a function and invoke it with so many batches; raises BenchmarkError if it wrote anything else."""
        self._server.reset()
        self._server.slow_down(case.latency)
        given = case.event()
        try:
            run = self._run(_POINTERS if case.points else program, given, batches, secure=case.secure)
        except (FunctionError, TimeoutError) as error:
            raise BenchmarkError(f"{program}, {case.name}: {error}") from error
        report = self._server.report()
        letters = batches * case.letters
        written = 0 if program == NOTHING else batches * case.count - letters
        if report["items"] != written or (written and report["digest"] != expected):
            raise BenchmarkError(f"{program}, {case.name}: it wrote {report['items']} items, not {written} as expected")
        if report["letters"] != letters:
            raise BenchmarkError(f"{program}, {case.name}: it sent {report['letters']} dead letters, not {letters}")
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
            return FunctionRun(first, found, memory_of(process.pid))
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


def build_package(folder: Path, config: str = "routes", checkout: Path | None = None) -> Path:
    """Build the router's package for a config with `router build` for this machine, and unpack it.

    The router is that of a `checkout`, if there is one, else the one that is installed.
    """
    package, target = folder / f"{config}.zip", folder / config
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    arch = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    command = [sys.executable, "-m", "router", "build", "-c", str(HERE / f"{config}.yaml"), "-o", str(package)]
    done = subprocess.run(
        [*command, "--python", python, "--arch", arch],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=checkout,
    )
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
