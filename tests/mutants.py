"""Mutation tests: change functions in many small ways, and show the changes that their unit tests do not notice.

mutmut makes the changes. The tests are collected once, in a process that runs none of them: each test, and then each
change, has a fork of that process, where a change replaces the code of the function in memory, also for a test that
imports the module anew. So the sources stay as they are, and a program that a test starts runs without the change.
Functions with decorators are not changed.
Read a change that survives: it shows a missing test, or code that makes no difference.
"""

import __future__

import argparse
import difflib
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial, reduce
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import libcst
import pytest
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).parent.parent
DEFAULT = (
    "router/runtime/engine",
    "router/runtime/deliver",
    "router/runtime/run",
    "router/tools/dlq",
    "router/tools/change",
)
MORE_TESTS = {"router/runtime/engine": ["tests/unit/runtime/modes", "tests/unit/runtime/program/test_put_text.py"]}
"""The unit tests of a package are those in the folder of its name; these are more of them."""
OPTIONS = ("--override-ini=timeout=0", "--hypothesis-profile=mutants", "--capture=no", "-pno:cacheprovider")
"""A fork has its own limits of time, and its output is discarded as a whole."""
MAX_MEMORY = 4 << 30
WAIT_HELP = "end a change whose test takes S seconds, and five times its usual ones (default: 20 s)"
SURVIVED, NOTICED, ERROR = 0, 1, 70
OUTCOMES = {SURVIVED: "survived", NOTICED: "noticed", ERROR: "error"}
OUTCOMES |= {-number: "out of time" for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL)}
"""By the exit status of a fork; any other is of a change that ended it, which the tests notice."""
COLUMNS = ("changes", "noticed", "out of time", "not reached", "survived", "error")


class Change(NamedTuple):
    """A change of the function `name` of a module."""

    module: Path
    name: str
    tree: libcst.Module
    mutation: Mutation

    def make(self) -> None:
        """Give the function the code and the defaults of the changed one, in this process."""
        module = importlib.import_module(self.import_name)
        function = self.mutation.contained_by_top_level_function
        changed = function.deep_replace(self.mutation.original_node, self.mutation.mutated_node)
        *classes, _ = self.name.split(".")
        for name in classes:  # with its class, for `super()`
            changed = libcst.ClassDef(libcst.Name(name), libcst.IndentedBlock([changed]))
        made = {**vars(module)}
        exec(compile(libcst.Module([changed]).code, self.module, "exec", __future__.annotations.compiler_flag), made)
        before, after = (reduce(getattr, self.name.split("."), each) for each in (module, SimpleNamespace(**made)))
        before, after = (getattr(each, "__func__", each) for each in (before, after))
        inner = zip(_functions_in(before.__code__), _functions_in(after.__code__), strict=False)
        for part in ("__code__", "__defaults__", "__kwdefaults__"):
            setattr(before, part, getattr(after, part))
        for old, new in inner:  # those that exist by now, such as in a table of a module
            for each in gc.get_referrers(old):
                if isinstance(each, FunctionType) and old.co_freevars == new.co_freevars:
                    each.__code__ = new
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find the changed module, as a finder of `sys.meta_path`: for a test that imports it anew."""
        if name != self.import_name:
            return None
        return spec_from_file_location(name, self.module.resolve(), loader=self)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave that to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed module."""
        exec(compile(self.changed.code, self.module.resolve(), "exec", dont_inherit=True), vars(module))

    @property
    def import_name(self) -> str:
        """The name by which the module is imported."""
        return ".".join(self.module.with_suffix("").parts).removesuffix(".__init__")

    @property
    def changed(self) -> libcst.Module:
        """The module with the change."""
        return self.tree.deep_replace(self.mutation.original_node, self.mutation.mutated_node)

    @property
    def place(self) -> str:
        """The function."""
        return f"{self.module}:{self.name}"

    @property
    def diff(self) -> str:
        """What is changed."""
        before, after = (code.splitlines() for code in (self.tree.code, self.changed.code))
        return "\n".join(difflib.unified_diff(before, after, str(self.module), self.name, lineterm=""))


def _functions_in(code: CodeType) -> list[CodeType]:
    """The functions in a function."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    named = [each for each in inner if each.co_name.isidentifier() or each.co_name == "<lambda>"]
    return named + [each for code in inner for each in _functions_in(code)]


class Job(NamedTuple):
    """What a fork does, which returns a status and notes, and how many seconds of processor time it has for that."""

    of: Any
    work: Callable[[], tuple[int, str]]
    limit: int


def main(arguments: Sequence[str]) -> None:
    """Test the changes of modules, and show those that survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=DEFAULT, metavar="MODULE", help="a file or folder of router/")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="test N changes at a time (default: 2)")
    parser.add_argument("--longest", type=int, default=5, metavar="S", help="leave out longer tests (default: 5 s)")
    parser.add_argument("--wait", type=int, default=20, metavar="S", help=WAIT_HELP)
    parser.add_argument("--tests", nargs="+", metavar="TESTS", help="these tests, instead of the unit tests of MODULE")
    parser.add_argument("--functions", nargs="+", metavar="NAME", help="change only these, such as f or Class.method")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    changes: list[Change] = []
    tests: set[str] = set()
    for module in map(Path, options.modules):
        files = [module] if module.is_file() else sorted(module.rglob("*.py"))
        if not files:
            parser.error(f"there is no {module}")
        changes += [change for file in files for change in changes_of(file)]
        package = str(module.parent if module.is_file() else module)
        tests |= {package.replace("router", "tests/unit", 1), *MORE_TESTS.get(package, ())}
    if options.functions:
        if missing := set(options.functions) - {change.name for change in changes}:
            parser.error(f"there are no changes of {', '.join(sorted(missing))}")
        changes = [change for change in changes if change.name in options.functions]
    sys.exit(pytest.main([*OPTIONS, *(options.tests or sorted(tests))], plugins=[Mutants(changes, options)]))


def changes_of(module: Path) -> Iterator[Change]:
    """The changes of the functions of a module and of the methods of its classes."""
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = MetadataWrapper(libcst.parse_module(module.read_text(encoding="utf-8"))).visit(visitor)
    names: dict[object, str] = {}
    for node in tree.body:
        if isinstance(node, libcst.FunctionDef):
            names[node] = node.name.value
        elif isinstance(node, libcst.ClassDef):
            methods = [each for each in node.body.body if isinstance(each, libcst.FunctionDef)]
            names |= {each: f"{node.name.value}.{each.name.value}" for each in methods}
    for mutation in visitor.mutations:
        if mutation.contained_by_top_level_function in names:
            yield Change(module, names[mutation.contained_by_top_level_function], tree, mutation)


class Mutants:
    """A plugin of pytest that runs the collected tests for each change, instead of once."""

    def __init__(self, changes: Sequence[Change], options: argparse.Namespace) -> None:
        self._changes = changes
        self._processes = options.processes
        self._longest = options.longest
        self._wait = options.wait

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Record which test reaches which function; then test each change."""
        gc.freeze()  # so that a fork copies less
        seconds, waits, reaching = self._record_all(session.items)
        print(f"\n{len(seconds)} tests, {sum(seconds.values()):.0f} s; {len(self._changes)} changes", flush=True)
        counts: dict[Path, Counter[str]] = defaultdict(Counter)
        latest: dict[str, pytest.Item] = {}

        def jobs() -> Iterator[Job]:
            for change in self._changes:
                items = sorted(reaching[change.place], key=seconds.__getitem__)
                counts[change.module].update({"changes": 1, "not reached": not items})
                if items:
                    limit = 5 + int(4 * sum(seconds[item] for item in items))
                    # What noticed a change of a function notices the next.
                    items.sort(key=lambda item: item is not latest.get(change.place))
                    yield Job((change, items), partial(_try, change, items, waits), limit)

        for (change, items), status, _, notes in _in_forks(jobs(), self._processes):
            if status == NOTICED:
                latest[change.place] = items[int(notes)]
            counts[change.module][OUTCOMES.get(status, "noticed")] += 1
            if status in (SURVIVED, ERROR):
                print(f"\n# {OUTCOMES[status]}\n{change.diff}\n{notes}", flush=True)
        print("\n".join(sorted({f"no test reaches {place}" for place, items in reaching.items() if not items})))
        print("".join(f"{column:>12}" for column in COLUMNS), " module")
        for module, counted in counts.items():
            print("".join(f"{counted[column]:12}" for column in COLUMNS), f" {module}")
        return True

    def _record_all(
        self, items: Sequence[pytest.Item]
    ) -> tuple[dict[pytest.Item, float], dict[pytest.Item, float], dict[str, list[pytest.Item]]]:
        """Of each test its processor time and how long to wait for it, in seconds; the tests that reach a function."""
        seconds: dict[pytest.Item, float] = {}
        waits: dict[pytest.Item, float] = {}
        reaching: dict[str, list[pytest.Item]] = defaultdict(list)
        recordings = [Job(item, partial(_record, item), self._longest) for item in items]
        for item, status, seconds[item], notes in _in_forks(recordings, self._processes):
            if status > 0:
                pytest.exit(f"{item.nodeid} fails without a change\n{notes}", 1)
            if status < 0:
                print(f"left out: {item.nodeid}", flush=True)
            took, functions = json.loads(notes or "[0, []]")
            waits[item] = self._wait + 5 * took
            for function in functions:
                reaching[function].append(item)
        return seconds, waits, reaching


def _in_forks(jobs: Iterable[Job], processes: int) -> Iterator[tuple[Any, int, float, str]]:
    """Do jobs in forks, some at a time; of each the status (below zero at a limit), processor time, and notes."""
    waiting = iter(jobs)
    running: dict[int, tuple[Job, Path, float]] = {}
    while True:
        while len(running) < processes and (job := next(waiting, None)):
            folder = Path(tempfile.mkdtemp(prefix="mutants-"))
            running[_fork(job, folder)] = job, folder, time.perf_counter()
        if not running:
            return
        time.sleep(0.002)
        for process, (job, folder, start) in list(running.items()):
            ended, status, usage = os.wait4(process, os.WNOHANG)
            if ended or time.perf_counter() - start > 20 + 5 * job.limit:
                with suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)  # with the programs that its tests have started
                if not ended:
                    _, status, usage = os.wait4(process, 0)
                del running[process]
                text = notes.read_text() if (notes := folder / "notes").exists() else ""
                yield job.of, os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, text
                shutil.rmtree(folder, ignore_errors=True)


def _fork(job: Job, folder: Path) -> int:
    process = os.fork()
    if process:
        return process
    status, notes = ERROR, ""
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (job.limit, job.limit))
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
        os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.tempdir = str(folder)
        with (folder / "output").open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        status, notes = job.work()
    except BaseException:
        notes = traceback.format_exc()
    finally:
        (folder / "notes").write_text(notes)
        os._exit(status)


def _record(item: pytest.Item) -> tuple[int, str]:
    """Run a test; how many seconds it takes, and the functions that it reaches."""
    codes: dict[int, CodeType] = {}

    def trace(frame: FrameType, event: str, argument: object) -> None:
        codes[id(frame.f_code)] = frame.f_code

    threading.settrace(trace)
    sys.settrace(trace)
    start = time.perf_counter()
    passed = _passes(item)
    took = time.perf_counter() - start
    sys.settrace(None)
    places = {(code.co_filename, code.co_qualname.partition(".<locals>")[0]) for code in [*codes.values()]}
    reached = [f"{file.removeprefix(f'{ROOT}/')}:{name}" for file, name in places if file.startswith(f"{ROOT}/router")]
    return (SURVIVED if passed else NOTICED), json.dumps([took, reached])


def _try(change: Change, items: Sequence[pytest.Item], waits: Mapping[pytest.Item, float]) -> tuple[int, str]:
    """Make a change, and run tests until one fails: its number. One that takes too many seconds ends the process."""
    gc.unfreeze()
    change.make()
    for number, item in enumerate(items):
        signal.setitimer(signal.ITIMER_REAL, waits[item])
        if not _passes(item):
            return NOTICED, str(number)
    return SURVIVED, ""


def _passes(item: pytest.Item) -> bool:
    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
    return not item.session.testsfailed


if __name__ == "__main__":
    main(sys.argv[1:])
