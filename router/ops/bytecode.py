"""Bytecode for the package: the code folder of Lambda is read-only, so that each cold start would compile otherwise."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from router.errors import UsageError
from router.ops.contents import Entry
from router.ops.targets import Target, find_interpreter

# Not checked at run time (PEP 552): the package is never edited, and it has no modification times.
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
    """Yields the bytecode of Python sources; a source that the target's Python cannot compile has none.

    `folder` is a working folder. Raises UsageError if this machine has no CPython of the target's version; the
    processor does not matter.
    """
    interpreter = find_interpreter(target, any_machine=True)
    if interpreter is None:
        raise UsageError(
            f"bytecode for {target.runtime} needs a Python {target.python}, and this machine has none; "
            "install one, or build without --bytecode"
        )
    sources = {entry.name: entry for entry in entries if entry.name.endswith(".py")}
    for name, entry in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.read())
    _compile(interpreter, sorted(sources), folder)
    for name, entry in sources.items():
        source = PurePosixPath(name)
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-{target.python.replace('.', '')}.pyc"
        if (folder / compiled).is_file():
            yield Entry(entry.part, str(compiled), (folder / compiled).read_bytes)


def _compile(interpreter: str, names: Sequence[str], folder: Path) -> None:
    result = subprocess.run(  # noqa: S603 — an interpreter of this machine and a constant script
        [interpreter, "-s", "-S", "-P", "-W", "ignore", "-c", _COMPILE, str(folder)],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        errors="replace",
        # The order of sets is part of the bytecode.
        env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"},
        timeout=_SECONDS,
        check=False,
    )
    if result.returncode:
        raise UsageError(f"{interpreter} cannot compile the package: {result.stderr.strip().splitlines()[-1:]}")
