"""Proves a package before anybody deploys it: it imports in a clean interpreter, and its binaries are the target's."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.ops.missing_imports import LAMBDA_HAS
from router.ops.targets import Target

_MACHINES = {62: "x86_64", 183: "aarch64"}
"""`e_machine` of an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html"""
_BINARY = re.compile(r"\.so(\.\d+)*$")
_INTERPRETER = re.compile(r"\.cpython-(\d+)-")
_MISSING = re.compile(r"No module named '(\w+)")
_SAID = 8
"""Lines of what the interpreter said that are repeated."""
_SECONDS = 120

_ASK = (
    "import json, platform, sys; "
    "print(json.dumps(['%d.%d' % sys.version_info[:2], sys.implementation.name, sys.platform, platform.machine()]))"
)
# Plugins are loaded, and not started: that is for where they run, and may reach for what is there.
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
_CONFIG_FAULTS = 3


class Proof(Struct, frozen=True):
    """What was proved: how many binaries are the target's, and how the import went.

    `interpreter` is the one that imported it, or empty; then `why` says why none did.
    """

    binaries: int
    interpreter: str
    why: str = ""

    def __str__(self) -> str:
        """As people read it."""
        checked = f"its binaries ({self.binaries}) are for that" if self.binaries else "it has no binaries"
        if self.interpreter:
            return f"{checked}; the handler imports in a clean {self.interpreter}"
        return f"{checked}; not imported, because {self.why}"


def prove(archive: Path, target: Target, environment: Mapping[str, str], unset: tuple[str, ...] = ()) -> Proof:
    """Prove a package; raises UsageError if it would not start.

    `environment` is what the function will have; of the variables in it, those of `unset` only have placeholders.
    """
    binaries = check_binaries(archive, target)
    interpreter = find_interpreter(target)
    if interpreter is None:
        return Proof(binaries, "", f"there is no {target.runtime} for {target.machine} on this machine")
    with tempfile.TemporaryDirectory(prefix="router-package-") as folder:
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder)
        code, said = _import(interpreter, folder, environment)
    if code == _CONFIG_FAULTS and unset:
        return Proof(binaries, "", f"the config needs values that are not set here: {', '.join(unset)}")
    missing = _MISSING.search(said)
    if code and missing and missing[1] in LAMBDA_HAS:
        return Proof(binaries, "", f"a plugin imports {missing[1]}, which is in Lambda, and not in a clean interpreter")
    if code:
        lines = [f"  {line.replace(f'{folder}/', '')}" for line in said.strip().splitlines()[-_SAID:]]
        raise UsageError("\n".join([f"the package does not import in {target.runtime}:", *lines]))
    return Proof(binaries, f"Python {target.python}")


def _import(interpreter: str, folder: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Import the handler of an unpacked package; the exit code, and what was said."""
    try:
        result = subprocess.run(  # noqa: S603 — an interpreter of this machine, and our own lines
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
        return 1, f"it did not end in {_SECONDS} seconds; a plugin may wait for something when it is imported"
    return result.returncode, result.stderr or result.stdout


def check_binaries(archive: Path, target: Target) -> int:
    """How many binaries a package has; raises UsageError for one of another machine or another Python."""
    count = 0
    for name, machine in binaries(archive):
        count += 1
        built = _INTERPRETER.search(name)
        if machine != target.machine:
            raise UsageError(
                f"{name} is a binary for {machine or 'no machine that is known'}, and the package is for {target}"
            )
        if built and built[1] != target.python.replace(".", ""):
            raise UsageError(f"{name} is a binary for another Python, and the package is for {target}")
    return count


def binaries(archive: Path) -> Iterator[tuple[str, str]]:
    """The binaries of a package, with the machine that their ELF header names, or nothing."""
    with zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            if _BINARY.search(name):
                with content.open(name) as stream:
                    yield name, _machine(stream.read(20))


def _machine(header: bytes) -> str:
    # Magic, 64 bits, least significant byte first; the machine is at 18.
    if header[:6] != b"\x7fELF\x02\x01":
        return ""
    return _MACHINES.get(int.from_bytes(header[18:20], "little"), "")


def find_interpreter(target: Target, any_machine: bool = False) -> str | None:
    """A CPython of the target's version on this machine, if that is one of the target's kind, or is to be any."""
    wanted = [target.python, "cpython", "linux", target.machine]
    count = 2 if any_machine else len(wanted)
    # Each of the path: the first may be a stand-in of a version manager for a Python that is not chosen here.
    on_path = (shutil.which(target.runtime, path=folder) for folder in os.get_exec_path())
    for candidate in filter(None, (sys.executable, *on_path)):
        described = _describe(candidate)
        if described and described[:count] == wanted[:count]:
            return candidate
    return None


def _describe(interpreter: str) -> list[str] | None:
    try:
        result = subprocess.run(  # noqa: S603 — an interpreter of this machine
            [interpreter, "-I", "-S", "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            env={"PATH": os.environ.get("PATH", "")},
            check=True,
        )
        described: list[str] = json.loads(result.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return described
