"""Bytecode for the package."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from router.errors import UsageError
from router.ops.archive import Entry
from router.ops.interpreter import bytecode_entries, find_interpreter
from router.ops.targets import ARCHES, PYTHONS, Target

PYTHON = next(python for python in PYTHONS if python == f"{sys.version_info[0]}.{sys.version_info[1]}")
TARGETS = [Target(arch, PYTHON) for arch in ARCHES]
TAG = sys.implementation.cache_tag
SOURCES = {
    "alpha/__init__.py": b"SET = {'a', 'b', 'c'}\ndef f(x):\n    return x in {'d', 'e', 'f'}\n",
    "single.py": b"raise RuntimeError\n",
    "alpha/template.py": b"{{ this is no Python }}\n",
    "alpha/data.json": b"{}",
}


def compiled(folder: Path, target: Target) -> dict[str, bytes]:
    """The bytecode of the sources, by name."""
    entries = [Entry("p", name, partial(bytes, content)) for name, content in SOURCES.items()]
    return {entry.name: entry.read() for entry in bytecode_entries(entries, target, folder)}


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_names(tmp_path: Path, target: Target) -> None:
    """Each source but what is no Python has its bytecode where Python looks for it, whatever the processor."""
    assert sorted(compiled(tmp_path, target)) == [
        f"__pycache__/single.{TAG}.pyc",
        f"alpha/__pycache__/__init__.{TAG}.pyc",
    ]


def test_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another folder and another hash seed make the same bytes."""
    first = compiled(tmp_path / "first", TARGETS[0])
    monkeypatch.setenv("PYTHONHASHSEED", "7")

    assert compiled(tmp_path / "second", TARGETS[0]) == first


def test_used(tmp_path: Path) -> None:
    """Python runs the bytecode, whatever the time of the source, and names the source by where it is."""
    content = compiled(tmp_path / "work", TARGETS[0])[f"__pycache__/single.{TAG}.pyc"]
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / f"single.{TAG}.pyc").write_bytes(content)
    (tmp_path / "single.py").write_text("x = 'not compiled'")
    os.utime(tmp_path / "single.py", (0, 0))

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import single"],
        capture_output=True,
        text=True,
    )

    assert f'File "{tmp_path / "single.py"}", line 1, in <module>' in done.stderr
    assert done.stderr.endswith("RuntimeError\n")


def test_no_interpreter(tmp_path: Path) -> None:
    """Without a Python of the target's version it says what to do."""
    absent = next((python for python in PYTHONS if find_interpreter(Target("arm64", python), True) is None), None)
    if absent is None:
        pytest.skip("this machine has every Python that Lambda has")

    with pytest.raises(UsageError) as raised:
        compiled(tmp_path, Target("arm64", absent))

    assert str(raised.value) == (
        f"bytecode for python{absent} needs a Python {absent}, and this machine has none; "
        "install one, or build without --bytecode"
    )
