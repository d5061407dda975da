"""Which modules of the router a function can come to import."""

import importlib.util
from pathlib import Path

import pytest

from router.errors import UsageError
from router.tools.deploy.requirements import MissingImport, find_missing_imports, require_packages, run_time_modules


def test_rooms() -> None:
    """It can import the engine and the clients, and nothing of the commands, the checks or the worker."""
    names = set(run_time_modules())
    rooms = {".".join(name.split(".")[1:3]) for name in names if name.startswith("router.runtime.")}

    assert {name.split(".")[1] for name in names - {"router"}} == {
        *("lambda_handler", "runtime"),
        *("codes", "errors", "model"),
    }
    assert {"runtime.engine", "runtime.aws", "runtime.program"} <= rooms
    assert "runtime.run" not in rooms


def test_names_of_the_package() -> None:
    """What plugins import from the package is there, though the package imports it only when asked."""
    assert {"router.errors", "router.model", "router.runtime.program.hooks.specs"} <= set(run_time_modules())


def test_modules_that_a_package_discovers() -> None:
    """The write modes and attribute sources are there, though no import statement names them."""
    assert {"router.runtime.modes.put", "router.runtime.sources.from_", "router.runtime.sources.ttl"} <= set(
        run_time_modules()
    )


def test_files() -> None:
    """Each has the file that Python imports for it, and its packages are there too."""
    modules = run_time_modules()

    specs = {name: importlib.util.find_spec(name) for name in modules if name != "router.lambda_handler"}
    assert {name: str(modules[name]) for name in specs} == {name: spec and spec.origin for name, spec in specs.items()}
    assert {name.rpartition(".")[0] for name in modules} - {""} <= set(modules)


@pytest.mark.parametrize(
    ("source", "there"),
    [
        ("from router.tools.dev import compare\n", True),
        ("import router.tools.dev.compare\n", True),
        ("def late():\n    from router.tools.dev.compare import table\n", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from router.tools.dev import compare\n", False),
        ("TEXT = 'see router.tools.dev.compare for more'\n", False),
    ],
)
def test_plugins(tmp_path: Path, source: str, there: bool) -> None:
    """What a plugin file imports of the router is packed, as far as it is imported where it runs."""
    plugin = tmp_path / "plugin.py"
    plugin.write_text(source)

    assert ("router.tools.dev.compare" in run_time_modules([plugin])) is there


def test_missing_imports(tmp_path: Path) -> None:
    """An import of a plugin that neither the package nor Python nor Lambda has is found, with its file."""
    plugin = tmp_path / "plugins" / "a.py"
    plugin.parent.mkdir()
    plugin.write_text(
        "import json, boto3, six, packed.part, single, binary, plugins.b\n"
        "from router import hookimpl\n"
        "def late():\n    from absent.part import x\n"
        "try:\n    import perhaps\nexcept ImportError:\n    perhaps = None\n"
    )

    packed = ("packed/__init__.py", "single.py", "binary.cpython-313-aarch64-linux-gnu.so", "plugins/a.py")
    assert list(find_missing_imports([plugin], packed, tmp_path)) == [
        MissingImport("plugins/a.py", "absent"),
        MissingImport("plugins/a.py", "perhaps"),
    ]


def test_packages_of_the_router(tmp_path: Path) -> None:
    """A package that the router imports and its metadata does not list stops the build."""
    module = tmp_path / "a.py"
    module.write_text("import httptools, boto3, msgspec\n")

    with pytest.raises(UsageError) as raised:
        require_packages({"router.a": module}, ["msgspec/__init__.py"])

    assert str(raised.value) == (
        "the router imports httptools, which its installed metadata does not list: reinstall message-router to "
        "update the metadata"
    )
