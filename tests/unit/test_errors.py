"""Exceptions, and what raises them."""

from pathlib import Path
from typing import Any

import pytest

from router import errors
from router.errors import UsageError, refusing_file

CALLER = """
def caught(hook):
    try:
        hook()
    except Exception as error:
        return error
"""
PLUGIN = """
def hook():
    raise KeyError("private")
"""


def run(text: str, file: str) -> dict[str, Any]:
    """The globals of a module whose code names its source so."""
    module: dict[str, Any] = {"__name__": "packed", "__file__": f"/var/task/{file}"}
    exec(compile(text, file, "exec", dont_inherit=True), module)
    return module


def test_the_line_of_a_plugin_in_a_package() -> None:
    """The bytecode of a package names its sources relative to it: the plugin's line is found there, too."""
    packed = run(Path(errors.__file__).read_text(encoding="utf-8"), "router/errors.py")
    caught = run(CALLER, "router/runtime/program/hooks/registry.py")["caught"]
    raised = caught(run(PLUGIN, "plugins/fees.py")["hook"])

    assert packed["with_line"](raised) == "KeyError (fees.py:3)"


@pytest.mark.parametrize(
    ("action", "name", "reason"),
    [
        ("read", "gone/file", "no such file or directory"),
        ("write", "gone/file", "there is no folder {folder}/gone; create it"),
        ("write", "", "is a directory"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, action: str, name: str, reason: str) -> None:
    """The reason is that of the system, or says what to do."""
    file = tmp_path / name

    with pytest.raises(UsageError) as error, refusing_file(f"{action} {file}"):
        file.open(action[0])

    assert str(error.value) == f"cannot {action} {file}: {reason.format(folder=tmp_path)}"
