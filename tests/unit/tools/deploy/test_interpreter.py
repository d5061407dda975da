"""Bytecode of a package, and a package that would not start."""

import platform
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import pytest

from router.errors import UsageError
from router.tools.deploy.archive import Entry
from router.tools.deploy.interpreter import (
    SmokeTest,
    bytecode_entries,
    check_binaries,
    find_interpreter,
    run_smoke_test,
    why_no_bytecode,
)
from router.tools.deploy.targets import ARCHES, PYTHONS, Arch, Target

PYTHON = next(python for python in PYTHONS if python == f"{sys.version_info[0]}.{sys.version_info[1]}")
TARGETS = [Target(arch, PYTHON) for arch in ARCHES]
TAG = sys.implementation.cache_tag
SOURCES = {
    "alpha/__init__.py": b"SET = {'a', 'b', 'c'}\ndef f(x):\n    return x in {'d', 'e', 'f'}\n",
    "single.py": b"raise RuntimeError\n",
    "alpha/template.py": b"{{ this is no Python }}\n",
    "alpha/data.json": b"{}",
    "router/__init__.py": b"",
    "router/runtime/__init__.py": b"",
    "router/lambda_handler.py": b"",
}
AARCH64, X86_64, RISCV = 183, 62, 243
HERE: Arch = "arm64" if platform.machine() == "aarch64" else "x86_64"
NATIVE = Target(HERE, PYTHON)
MACHINE = AARCH64 if HERE == "arm64" else X86_64
# The names that the test imports, and nothing behind them.
MODULES = {
    "router/__init__.py": "",
    "router/runtime/__init__.py": "",
    "router/runtime/aws/__init__.py": "",
    "router/runtime/aws/http/__init__.py": "",
    "router/runtime/aws/http/service.py": "",
    "router/runtime/program/__init__.py": "",
    "router/runtime/program/load.py": "",
    "router/runtime/deliver/delivery.py": "",
    "router/errors.py": "class ConfigError(Exception): pass",
    "router/runtime/program/hooks/__init__.py": "",
    "router/runtime/program/hooks/registry.py": "class Plugins: pass",
}
FAULTY = "from router.errors import ConfigError\nraise ConfigError"


def compiled(folder: Path, target: Target) -> dict[str, bytes]:
    """The bytecode of the sources, by name."""
    entries = [Entry("p", name, partial(bytes, content)) for name, content in SOURCES.items()]
    return {entry.name: entry.read() for entry in bytecode_entries(entries, target, folder)}


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_names(tmp_path: Path, target: Target) -> None:
    """Each source that is Python has its bytecode beside it, whatever the processor."""
    found = compiled(tmp_path, target)

    assert sorted(found) == [
        f"__pycache__/single.{TAG}.pyc",
        f"alpha/__pycache__/__init__.{TAG}.pyc",
        f"router/__pycache__/__init__.{TAG}.pyc",
        f"router/__pycache__/lambda_handler.{TAG}.pyc",
        f"router/runtime/__pycache__/__init__.{TAG}.pyc",
    ]


def test_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another folder and another hash seed make the same bytes."""
    first = compiled(tmp_path / "first", TARGETS[0])
    monkeypatch.setenv("PYTHONHASHSEED", "7")

    assert compiled(tmp_path / "second", TARGETS[0]) == first


def test_used(tmp_path: Path) -> None:
    """Python runs the bytecode, whatever the source, and a traceback quotes the source."""
    name = f"__pycache__/single.{TAG}.pyc"
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / name).write_bytes(compiled(tmp_path / "work", TARGETS[0])[name])
    source = tmp_path / "single.py"
    source.write_text("x = 'not compiled'")

    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import single"
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True)

    quoted = f"  File \"{source}\", line 1, in <module>\n    x = 'not compiled'\nRuntimeError\n"
    assert (done.returncode, done.stderr.endswith(quoted)) == (1, True), done.stderr


def test_no_interpreter(tmp_path: Path) -> None:
    """Without a Python of the target's version it says what to do."""
    absent = next((python for python in PYTHONS if find_interpreter(Target("arm64", python), True) is None), None)
    if absent is None:
        pytest.skip("this machine has every Python that Lambda has")

    with pytest.raises(UsageError) as raised:
        compiled(tmp_path, Target("arm64", absent))

    needed = (
        f"bytecode for python{absent} needs a Python {absent}, and this machine has none; install one, or build "
        "without --bytecode"
    )
    assert (str(raised.value), why_no_bytecode(Target("arm64", absent)), why_no_bytecode(TARGETS[0])) == (
        needed,
        f"this machine has no Python {absent}, the function's",
        "",
    )


def elf(machine: int) -> bytes:
    """The beginning of a binary."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + machine.to_bytes(2, "little")


def pack(folder: Path, files: dict[str, bytes]) -> Path:
    """A package of files."""
    path = folder / "lambda.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def importing(folder: Path, handler: str) -> Path:
    """A package with a handler of this source."""
    files = {**MODULES, "router/lambda_handler.py": handler}
    return pack(folder, {name: text.encode() for name, text in files.items()})


def test_right_binaries(tmp_path: Path) -> None:
    """Binaries of the target's machine, for its Python or for any, are counted."""
    files = {"a.cpython-313-aarch64-linux-gnu.so": elf(AARCH64), "b.abi3.so": elf(AARCH64), "c.so": elf(AARCH64)}

    assert check_binaries(pack(tmp_path, files), Target("arm64", "3.13")) == 3


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.so", elf(X86_64), "a.so is a binary for x86_64, not for python3.13 on arm64"),
        ("a.so", b"", "a.so is a binary for an unknown processor, not for python3.13 on arm64"),
        (
            "a.cpython-312-aarch64.so",
            elf(AARCH64),
            "a.cpython-312-aarch64.so is a binary for another Python, not for python3.13 on arm64",
        ),
    ],
)
def test_wrong_binaries(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    """A binary for another machine, or for another Python, is refused by name."""
    with pytest.raises(UsageError) as raised:
        check_binaries(pack(tmp_path, {name: content}), Target("arm64", "3.13"))

    assert str(raised.value) == sentence


def test_imported(tmp_path: Path) -> None:
    """The handler is imported with the package alone on the path, its own variables alone, and no plugin started."""
    handler = (
        "import os, sys\n"
        "from router.runtime.program.hooks.registry import Plugins\n"
        "assert Plugins().start(None) is None\n"
        "assert sorted(os.environ.keys() - {'LC_CTYPE'}) == ['LAMBDA_TASK_ROOT', 'STAGE'], os.environ\n"
        "assert [path for path in sys.path if 'site-packages' in path] == []\n"
        "assert os.getcwd() == os.environ['LAMBDA_TASK_ROOT'] == sys.path[0]\n"
    )
    package = importing(tmp_path, handler)
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("x.so", elf(MACHINE))

    result = run_smoke_test(package, NATIVE, {"STAGE": "dev"})

    assert (result, str(result)) == (
        SmokeTest(1, f"Python {PYTHON}"),
        f"all binaries (1) match; the handler imports in a clean Python {PYTHON}",
    )


def test_not_imported(tmp_path: Path) -> None:
    """Without a Python like the function's the binaries alone are checked, and it says so."""
    other = Target(next(arch for arch in ARCHES if arch != HERE), "3.13")

    result = run_smoke_test(importing(tmp_path, "raise Exception"), other, {})

    assert str(result) == (
        f"no binaries; the import was not tested: there is no python3.13 for {other.machine} on this machine"
    )


def test_missing_module(tmp_path: Path) -> None:
    """What the package lacks is reported in Python's words, without the name of a folder that is gone."""
    with pytest.raises(UsageError) as raised:
        run_smoke_test(importing(tmp_path, "import click"), NATIVE, {})

    first, *output = str(raised.value).splitlines()
    assert (first, output[-3:]) == (
        f"the package does not import in python{PYTHON}:",
        [
            '    File "router/lambda_handler.py", line 1, in <module>',
            "      import click",
            "  ModuleNotFoundError: No module named 'click'",
        ],
    )


def test_module_of_lambda(tmp_path: Path) -> None:
    """What Lambda has, and the package does not, is nothing to fail for; it cannot be proved here."""
    result = run_smoke_test(importing(tmp_path, "import boto3.session"), NATIVE, {})

    assert result == SmokeTest(0, "", "a plugin imports boto3, which only the Lambda runtime has")


def test_values_missing_here(tmp_path: Path) -> None:
    """A config that is sound but for variables without a value here cannot be proved, and that is reported."""
    result = run_smoke_test(importing(tmp_path, FAULTY), NATIVE, {"STAGE": "unset_STAGE"}, ("STAGE",))

    assert result == SmokeTest(0, "", "the config needs values that are not set here: STAGE")


def test_faulty_config(tmp_path: Path) -> None:
    """A config that the function would not take is a fault where all variables have values."""
    with pytest.raises(UsageError, match="the package does not import"):
        run_smoke_test(importing(tmp_path, FAULTY), NATIVE, {})
