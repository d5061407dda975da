"""Tests of router.ops.live_compare."""

import sys
from pathlib import Path

import pytest

from router.errors import MissingExtra
from router.ops.live_compare import Comparison
from router.program.load import load

CONFIG = """\
version: 1
tables: {users: {key: {id: S}}}
routes: {users: {queue: users, table: users}}
"""


def compare_without(module: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison where a module cannot be imported."""
    (folder / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    for name in [name for name in sys.modules if name.startswith(("router.aws.live", "router.aws.boto", module))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    Comparison()(load(folder / "routes.yaml", {}))


def test_no_boto3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 the error names the extra to install."""
    with pytest.raises(MissingExtra, match=r"^router check --live needs more packages: .*message-router\[worker\]"):
        compare_without("boto3", tmp_path, monkeypatch)


def test_other_missing_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module missing for another reason is not passed off as a missing extra."""
    with pytest.raises(ModuleNotFoundError, match=r"router\.aws\.faults"):
        compare_without("router.aws.faults", tmp_path, monkeypatch)


def test_a_config_with_errors(tmp_path: Path) -> None:
    """Is not compared, and that is a finding in each format; nobody is asked."""
    (tmp_path / "routes.yaml").write_text(
        "queues: {users: {dead_letter: letters}}\n" + CONFIG.replace("table: users}", "table: user}"), encoding="utf-8"
    )
    loaded = load(tmp_path / "routes.yaml", {})
    comparison = Comparison()

    comparison(loaded)

    assert ([f"{each.code.id} {each.sentence}; {each.suggestion}" for each in loaded.findings], comparison.seen) == (
        [
            "RT756 nothing is compared with AWS; mend the errors first",
            "RT201 unknown table 'user'; did you mean 'users'?",
        ],
        None,
    )
