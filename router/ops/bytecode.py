"""Bytecode for the package: Lambda's folder of code cannot be written, so without it each cold start compiles anew."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from router.errors import UsageError
from router.ops.contents import Entry
from router.ops.smoke_test import find_interpreter
from router.ops.targets import Target

# Checked by nothing at run time (PEP 552): the package is never edited, and times of files mean nothing in it.
_COMPILE = """
import json, os, py_compile, sys
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
os.chdir(sys.argv[1])
for name in json.load(sys.stdin):
    try:
        py_compile.compile(name, dfile=name, doraise=True, invalidation_mode=unchecked)
    except py_compile.PyCompileError:
        pass
"""
_SECONDS = 300


def bytecode_entries(entries: Sequence[Entry], target: Target, folder: Path) -> Iterator[Entry]:
    """Bytecode of Python sources, where the target's Python looks for it; what is no Python of its version has none.

    `folder` is to work in, and has to be there until the entries are read. Raises UsageError without a CPython of the
    target's version on this machine; of which processor does not matter.
    """
    interpreter = find_interpreter(target, any_machine=True)
    if interpreter is None:
        raise UsageError(
            f"bytecode for {target.runtime} is compiled by a Python {target.python}, and this machine has none; "
            "install one, or build without --bytecode"
        )
    sources = {entry.name: entry for entry in entries if entry.name.endswith(".py")}
    for name, entry in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.read())
    _compile(interpreter, sorted(sources), folder)
    for name, entry in sources.items():
        package, _, module = name.rpartition("/")
        compiled = f"{package}/" * bool(package) + f"__pycache__/{module.removesuffix('.py')}.{_tag(target)}.pyc"
        if (folder / compiled).is_file():
            yield Entry(entry.part, compiled, (folder / compiled).read_bytes)


def _compile(interpreter: str, names: Sequence[str], folder: Path) -> None:
    result = subprocess.run(  # noqa: S603 — an interpreter of this machine, and our own lines
        [interpreter, "-s", "-S", "-P", "-W", "ignore", "-c", _COMPILE, str(folder)],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        errors="replace",
        # The order of sets is in the bytecode.
        env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"},
        timeout=_SECONDS,
        check=False,
    )
    if result.returncode:
        raise UsageError(f"{interpreter} cannot compile the package: {result.stderr.strip().splitlines()[-1:]}")


def _tag(target: Target) -> str:
    return f"cpython-{target.python.replace('.', '')}"
