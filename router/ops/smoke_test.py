"""Tests a package before it is deployed: its binaries match the target, and a clean interpreter imports the handler."""

import re
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.ops.imports import LAMBDA_MODULES
from router.ops.targets import Target, find_interpreter

_MACHINES = {62: "x86_64", 183: "aarch64"}
"""`e_machine` of an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html"""
_BINARY = re.compile(r"\.so(\.\d+)*$")
_PYTHON_OF_BINARY = re.compile(r"\.cpython-(\d+)-")
_MISSING = re.compile(r"No module named '(\w+)")
_QUOTED_LINES = 8
"""The number of the interpreter's last lines that an error quotes."""
_SECONDS = 120

# Plugins are loaded but not started: that may call services that are available only where they run.
_IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import router.aws.http.service, router.program.load, router.deliver.delivery
from router.errors import ConfigError
from router.program.hooks.registry import Plugins
Plugins.start = lambda self, router: None
try:
    import router.lambda_handler
except ConfigError:
    sys.exit(3)
"""
_CONFIG_ERRORS = 3


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


def run_smoke_test(
    archive: Path, target: Target, environment: Mapping[str, str], unset: tuple[str, ...] = ()
) -> SmokeTest:
    """Tests a package; raises UsageError if the function would not start.

    `environment` has the variables of the function; those in `unset` only have placeholders.
    """
    binaries = check_binaries(archive, target)
    interpreter = find_interpreter(target)
    if interpreter is None:
        return SmokeTest(binaries, "", f"there is no {target.runtime} for {target.machine} on this machine")
    with tempfile.TemporaryDirectory(prefix="router-package-") as folder:
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder)
        code, output = _import(interpreter, folder, environment)
    if code == _CONFIG_ERRORS and unset:
        return SmokeTest(binaries, "", f"the config needs values that are not set here: {', '.join(unset)}")
    missing = _MISSING.search(output)
    if code and missing and missing[1] in LAMBDA_MODULES:
        return SmokeTest(binaries, "", f"a plugin imports {missing[1]}, which only the Lambda runtime has")
    if code:
        lines = [f"  {line.replace(f'{folder}/', '')}" for line in output.strip().splitlines()[-_QUOTED_LINES:]]
        raise UsageError("\n".join([f"the package does not import in {target.runtime}:", *lines]))
    return SmokeTest(binaries, f"Python {target.python}")


def _import(interpreter: str, folder: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Imports the handler of an unpacked package; returns the exit code and the output."""
    try:
        result = subprocess.run(  # noqa: S603 — an interpreter of this machine and a constant script
            [interpreter, "-I", "-S", "-B", "-c", _IMPORT, folder],
            cwd=folder,
            env={"LAMBDA_TASK_ROOT": folder, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"the import did not end within {_SECONDS} seconds; a plugin may wait for something when imported"
    return result.returncode, result.stderr or result.stdout


def check_binaries(archive: Path, target: Target) -> int:
    """Returns the number of binaries of a package; raises UsageError for one of another processor or Python."""
    count = 0
    with zipfile.ZipFile(archive) as content:
        for name in filter(_BINARY.search, content.namelist()):
            count += 1
            with content.open(name) as stream:
                machine = _machine(stream.read(20))
            python = _PYTHON_OF_BINARY.search(name)
            if machine != target.machine:
                raise UsageError(f"{name} is a binary for {machine or 'an unknown processor'}, not for {target}")
            if python and python[1] != target.python.replace(".", ""):
                raise UsageError(f"{name} is a binary for another Python, not for {target}")
    return count


def _machine(header: bytes) -> str:
    """Returns the processor of an ELF header, or ""."""
    # Magic number, 64 bits, little endian; the machine is at offset 18.
    if header[:6] != b"\x7fELF\x02\x01":
        return ""
    return _MACHINES.get(int.from_bytes(header[18:20], "little"), "")
