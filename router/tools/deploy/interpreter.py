"""Runs the Python of a target, if this machine has one: to compile a package, and to test it before it is deployed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path, PurePosixPath

from msgspec import Struct

from router.errors import UsageError
from router.tools.deploy.archive import Entry
from router.tools.deploy.requirements import LAMBDA_MODULES
from router.tools.deploy.targets import Target

_COMPILE_SECONDS, _IMPORT_SECONDS = 300, 120
_DESCRIBE = (
    "import json, platform, sys; "
    "print(json.dumps(['%d.%d' % sys.version_info[:2], sys.implementation.name, sys.platform, platform.machine()]))"
)
# Plugins are loaded but not started: that may call services that are available only where they run.
_IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import router.runtime.aws.http.service, router.runtime.program.load, router.runtime.deliver.delivery
from router.errors import ConfigError
from router.runtime.program.hooks.registry import Plugins
Plugins.start = lambda self, router: None
try:
    import router.lambda_handler
except ConfigError:
    sys.exit(3)
"""
_CONFIG_ERRORS = 3
_MISSING = re.compile(r"No module named '(\w+)")
_QUOTED_LINES = 8
"""The number of the interpreter's last lines that an error quotes."""
_MACHINES = {62: "x86_64", 183: "aarch64"}
"""`e_machine` of an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html"""
_BINARY = re.compile(r"\.so(\.\d+)*$")
_PYTHON_OF_BINARY = re.compile(r"\.cpython-(\d+)-")


class SmokeTest(Struct, frozen=True):
    """The result: how many binaries are for the target, and which interpreter imported the handler.

    If `interpreter` is empty, `reason` says why none did.
    """

    binaries: int
    interpreter: str
    reason: str = ""

    def __str__(self) -> str:
        """The result as a sentence."""
        binaries = f"all binaries ({self.binaries}) match" if self.binaries else "no binaries"
        if self.interpreter:
            return f"{binaries}; the handler imports in a clean {self.interpreter}"
        return f"{binaries}; the import was not tested: {self.reason}"


def find_interpreter(target: Target, any_machine: bool = False) -> str | None:
    """Return a CPython of the target's version on this machine, if this is Linux on the same processor.

    With `any_machine`, the system and the processor do not matter.
    """
    wanted = [target.python, "cpython", "linux", target.machine]
    count = 2 if any_machine else 4
    # All of the path: the first may be a version manager's shim, for a Python that is not active here.
    on_path = (shutil.which(target.runtime, path=folder) for folder in os.get_exec_path())
    for candidate in filter(None, (sys.executable, *on_path)):
        command = [candidate, "-I", "-S", "-c", _DESCRIBE]
        try:
            described = json.loads(_run(command, _path(), _IMPORT_SECONDS).stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            continue
        if described[:count] == wanted[:count]:
            return candidate
    return None


def why_no_bytecode(target: Target) -> str:
    """Return why this machine cannot compile for a target; empty if it can."""
    if find_interpreter(target, any_machine=True):
        return ""
    return f"this machine has no Python {target.python}, the function's"


def bytecode_entries(entries: Sequence[Entry], target: Target, folder: Path) -> Iterator[Entry]:
    """Yield the bytecode of Python sources, as files beside them.

    A source that the target's Python cannot compile has none. `folder` is a working folder. Raises UsageError if this
    machine has no CPython of the target's version; the processor does not matter.
    """
    tag = f"cpython-{target.python.replace('.', '')}"
    sources = {
        entry.name: entry
        for entry in sorted(entries, key=attrgetter("name"))
        if entry.name.endswith(".py")
    }
    _compile(sources, target, folder)
    for name, entry in sources.items():
        source = PurePosixPath(name)
        compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        if (folder / compiled).is_file():
            yield Entry(entry.part, str(compiled), partial(bytes, (folder / compiled).read_bytes()))


def _compile(sources: Mapping[str, Entry], target: Target, folder: Path) -> None:
    """Compile sources in a folder. The code folder of Lambda is read-only, so each cold start would do it otherwise."""
    interpreter = find_interpreter(target, any_machine=True)
    if interpreter is None:
        raise UsageError(
            f"bytecode for {target.runtime} needs a Python {target.python}, and this machine has none; "
            "install one, or build without --bytecode"
        )
    for name, entry in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.read())
    # Not checked at run time (PEP 552): the package is never edited, and it has no modification times.
    options = ["-qq", "--invalidation-mode", "unchecked-hash", "-s", str(folder), str(folder)]
    # The order of sets is part of the bytecode.
    command = [interpreter, "-s", "-S", "-P", "-W", "ignore", "-m", "compileall", *options]
    result = _run(command, {**_path(), "PYTHONHASHSEED": "0"}, _COMPILE_SECONDS)
    # 1: some source has a syntax error.
    if result.returncode not in (0, 1):
        raise UsageError(
            f"{interpreter} cannot compile the package: {result.stderr.strip().splitlines()[-1:]}"
        )


def run_smoke_test(
    archive: Path, target: Target, environment: Mapping[str, str], unset: tuple[str, ...] = ()
) -> SmokeTest:
    """Test a package; raises UsageError if the function would not start.

    `environment` has the variables of the function; those in `unset` only have placeholders.
    """
    binaries = check_binaries(archive, target)
    interpreter = find_interpreter(target)
    if interpreter is None:
        return SmokeTest(
            binaries, "", f"there is no {target.runtime} for {target.machine} on this machine"
        )
    with tempfile.TemporaryDirectory(prefix="router-package-") as folder:
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder)
        command = [interpreter, "-I", "-S", "-B", "-c", _IMPORT, folder]
        variables = {"LAMBDA_TASK_ROOT": folder, **environment}
        try:
            result = _run(command, variables, _IMPORT_SECONDS, folder)
        except subprocess.TimeoutExpired:
            code = 1
            advice = "a plugin may wait for something when imported"
            output = f"the import did not end within {_IMPORT_SECONDS} seconds; {advice}"
        else:
            code = result.returncode
            output = result.stderr or result.stdout
    if not code:
        return SmokeTest(binaries, f"Python {target.python}")
    if code == _CONFIG_ERRORS and unset:
        return SmokeTest(
            binaries, "", f"the config needs values that are not set here: {', '.join(unset)}"
        )
    missing = _MISSING.search(output)
    if missing and missing[1] in LAMBDA_MODULES:
        return SmokeTest(
            binaries, "", f"a plugin imports {missing[1]}, which only the Lambda runtime has"
        )
    lines = [
        f"  {line.replace(f'{folder}/', '')}"
        for line in output.strip().splitlines()[-_QUOTED_LINES:]
    ]
    raise UsageError("\n".join([f"the package does not import in {target.runtime}:", *lines]))


def _path() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "")}


def _run(
    command: Sequence[str], env: Mapping[str, str], seconds: int, folder: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 — an interpreter of this machine and a constant script
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def check_binaries(archive: Path, target: Target) -> int:
    """Return the number of binaries of a package; raises UsageError for one of another processor or Python."""
    count = 0
    with zipfile.ZipFile(archive) as content:
        for name in filter(_BINARY.search, content.namelist()):
            count += 1
            with content.open(name) as stream:
                header = stream.read(20)
            # Magic number, 64 bits, little endian; the machine is at offset 18.
            is_elf = header[:6] == b"\x7fELF\x02\x01"
            machine = _MACHINES.get(int.from_bytes(header[18:20], "little")) if is_elf else None
            python = _PYTHON_OF_BINARY.search(name)
            if machine != target.machine:
                raise UsageError(
                    f"{name} is a binary for {machine or 'an unknown processor'}, not for {target}"
                )
            if python and python[1] != target.python.replace(".", ""):
                raise UsageError(f"{name} is a binary for another Python, not for {target}")
    return count
