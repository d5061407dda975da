"""What the package lacks, found without running it."""

from pathlib import Path

import pytest

from router.errors import UsageError
from router.ops.contents import Entry
from router.ops.missing_imports import Absent, find_absent, require_packages


def entries(*names: str) -> list[Entry]:
    """Files of a package."""
    return [Entry("p", name, lambda: b"") for name in names]


def test_plugins(tmp_path: Path) -> None:
    """What a plugin imports is in the package, in Python, or in Lambda; anything else is told with its file."""
    plugin = tmp_path / "plugins" / "a.py"
    plugin.parent.mkdir()
    plugin.write_text(
        "import json, boto3, six, packed.part, single, binary, plugins.b\n"
        "from router import hookimpl\n"
        "def late():\n    from absent.part import x\n"
        "try:\n    import perhaps\nexcept ImportError:\n    perhaps = None\n"
    )

    there = entries("packed/__init__.py", "single.py", "binary.cpython-313-aarch64-linux-gnu.so", "plugins/a.py")
    assert list(find_absent([plugin], there, tmp_path)) == [
        Absent("plugins/a.py", "absent"),
        Absent("plugins/a.py", "perhaps"),
    ]


def test_router(tmp_path: Path) -> None:
    """A package that the router's modules import, and that its metadata do not name, stops the build."""
    module = tmp_path / "a.py"
    module.write_text("import httptools, boto3, msgspec\n")

    with pytest.raises(UsageError) as raised:
        require_packages({"router.a": module}, entries("msgspec/__init__.py"))

    assert str(raised.value) == (
        "the router imports httptools, which its installed metadata does not name: install message-router again, so "
        "that its metadata are those of its code"
    )
