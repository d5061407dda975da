"""Imports from one file of bytecode."""

import marshal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from router.runtime.bytecode import install, name_file
from tests.support.ops import pack

CODES = {
    "packed_sample/__init__.py": "here = __file__, __path__",
    "packed_sample/part.py": "from packed_sample import here\nname = __name__",
}


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file of bytecode, for this Python."""
    path = tmp_path / name_file(sys.implementation.cache_tag)
    path.parent.mkdir()
    path.write_bytes(pack({file: marshal.dumps(compile(text, file, "exec")) for file, text in CODES.items()}))
    before = [*sys.meta_path]
    yield tmp_path
    sys.meta_path[:] = before
    for name in [name for name in sys.modules if name.startswith("packed_sample")]:
        del sys.modules[name]


def test_modules(package: Path) -> None:
    """Modules come from the file, whose sources need not exist, and are as if they came from these."""
    install(str(package))

    part = import_module("packed_sample.part")

    folder = package / "packed_sample"
    assert (part.here, part.name, part.__file__) == (
        (str(folder / "__init__.py"), [str(folder)]),
        "packed_sample.part",
        str(folder / "part.py"),
    )


def test_others(package: Path) -> None:
    """What is not in the file comes from where it came from before."""
    install(str(package))

    with pytest.raises(ModuleNotFoundError, match=r"No module named 'packed_sample\.other'"):
        import_module("packed_sample.other")


def test_again(package: Path) -> None:
    """A package is installed once; a folder without a file for this Python is not installed."""
    before = len(sys.meta_path)

    for folder in (package, package, package / "router"):
        install(str(folder))

    assert len(sys.meta_path) == before + 1
