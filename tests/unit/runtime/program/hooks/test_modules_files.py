"""Loading of plugin files and modules."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from router.model import Place, names_file, plugin_name
from router.runtime.program.hooks.modules import CANNOT_LOAD, NO_SUCH_HOOK, load_module
from router.runtime.program.hooks.registry import load_plugins
from tests.support.config import ConfigFault, Findings


def output(entry: str, folder: Path) -> tuple[str, str]:
    fault = load_module(entry, folder)
    assert isinstance(fault, ConfigFault)
    assert fault.code in (CANNOT_LOAD, NO_SUCH_HOOK)
    return fault.sentence, fault.suggestion


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("plugins/devices.py", (True, "devices")),
        ("devices.py", (True, "devices")),
        ("plugins/devices", (True, "devices")),
        ("acme.plugins", (False, "acme.plugins")),
    ],
)
def test_an_entry_is_a_file_or_a_module(entry: str, named: tuple[bool, str]) -> None:
    """An entry that ends in .py or has a slash is a file; its name is the stem, else the module's."""
    assert (names_file(entry), plugin_name(entry)) == named


def test_an_edited_file_loads_fresh(tmp_path: Path) -> None:
    """A file that was edited within a second to the same size is loaded as it is now, and no cache is left behind."""
    file = tmp_path / "p.py"
    seen = []
    for text in ("X = 1", "X = 2"):
        file.write_text(text)
        module = load_module("p.py", tmp_path)
        assert isinstance(module, ModuleType)
        seen.append(module.X)
    assert (seen, [path.name for path in tmp_path.iterdir()]) == ([1, 2], ["p.py"])


def test_two_loads_do_not_meet(tmp_path: Path) -> None:
    """Two loads of one file are two modules, and a dataclass finds its own in each."""
    (tmp_path / "p.py").write_text(
        "from __future__ import annotations\nimport dataclasses, sys\n"
        "@dataclasses.dataclass\nclass C:\n    x: dataclasses.InitVar[int]\nHERE = sys.modules[C.__module__]\n"
    )
    one, two = load_module("p.py", tmp_path), load_module("p.py", tmp_path)
    assert isinstance(one, ModuleType)
    assert isinstance(two, ModuleType)
    assert (one.HERE is one, two.HERE is two, one is two) == (True, True, False)


def test_a_module_is_imported(tmp_path: Path) -> None:
    """An entry without slash or .py is an installed module."""
    assert load_module("msgspec.json", tmp_path) is sys.modules["msgspec.json"]


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there gives the nearest one that is."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "devices.py").touch()
    assert output("plugins/device.py", tmp_path) == (
        "plugin 'device' cannot be loaded: there is no file 'plugins/device.py'",
        "did you mean 'plugins/devices.py'?",
    )


def test_a_missing_file_with_no_other_near(tmp_path: Path) -> None:
    """Without a near one it says where paths start."""
    assert output("gone/x.py", tmp_path) == (
        "plugin 'x' cannot be loaded: there is no file 'gone/x.py'",
        "a path is relative to the folder of this file",
    )


@pytest.mark.parametrize("entry", ["../p.py", "linked.py"])
def test_a_file_outside(tmp_path: Path, entry: str) -> None:
    """A file outside of the folder of the config is not run, also not by a link."""
    folder = tmp_path / "config"
    folder.mkdir()
    (tmp_path / "p.py").touch()
    (folder / "linked.py").symlink_to(tmp_path / "p.py")
    assert output(entry, folder) == (
        f"plugin '{Path(entry).stem}' cannot be loaded: '{entry}' is outside of the folder of the config",
        "copy it into that folder, or install it as a module",
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("x = 1\ndef f(:", "SyntaxError: invalid syntax (p.py:2)"),
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it' (p.py:1)"),
        ("def f():\n    raise KeyError\nf()", "KeyError (p.py:2)"),
        ("import json\njson.loads('[')", "JSONDecodeError: Expecting value: line 1 column 2 (char 1) (p.py:2)"),
        ("raise ValueError('one\\ntwo')", "ValueError: one (p.py:1)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 (p.py:2)"),
    ],
)
def test_a_file_that_fails(code: str, why: str, tmp_path: Path) -> None:
    """What a file raises is reported in one line with the file's line, and the module is taken away again."""
    (tmp_path / "p.py").write_text(code)
    before = set(sys.modules)
    assert output("p.py", tmp_path) == (f"plugin 'p' cannot be loaded: {why}", "")
    assert [name for name in set(sys.modules) - before if "router_plugin" in name] == []


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """Source that cannot be read as Python has no line to show."""
    (tmp_path / "p.py").write_bytes(b"\xff")
    sentence, _ = output("p.py", tmp_path)
    assert sentence.startswith("plugin 'p' cannot be loaded: SyntaxError: (unicode error)")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    """What the file system refuses is a finding too."""
    sentence, _ = output(f"{'x' * 300}.py", tmp_path)
    assert "OSError" in sentence


def test_a_missing_module(tmp_path: Path) -> None:
    """A module that is not installed, or whose package is not."""
    assert output("acme_plugins.main", tmp_path) == (
        "plugin 'acme_plugins.main' cannot be loaded: no module 'acme_plugins.main' is installed",
        "install it, or write a file as a path that ends in '.py'",
    )


@pytest.mark.parametrize("entry", ["", "acme-plugins", ".acme", "acme..x"])
def test_no_name_of_a_module(entry: str, tmp_path: Path) -> None:
    """What can be no module's name is said to be none."""
    assert output(entry, tmp_path) == (
        f"plugin {entry!r} cannot be loaded: {entry!r} is not a valid module name",
        "write a file as a path that ends in '.py'",
    )


def test_a_module_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module whose own import is missing is not said to be missing itself."""
    (tmp_path / "acme_needs.py").write_text("import nothing_like_it\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert output("acme_needs", tmp_path) == (
        (
            "plugin 'acme_needs' cannot be loaded: ModuleNotFoundError: No module named 'nothing_like_it' "
            "(acme_needs.py:1)"
        ),
        "",
    )


def test_a_plugin_knows_its_file(tmp_path: Path) -> None:
    """A plugin file finds what lies beside it."""
    (tmp_path / "beside.py").touch()

    module = load_module("beside.py", tmp_path)

    assert isinstance(module, ModuleType)
    assert module.__file__ == str(tmp_path / "beside.py")


NO_HOOK = ("is a module without a hook of the router", "take it out, or write the name of a plugin")


@pytest.mark.parametrize("entry", ["antigravity", "os.path"])
def test_a_module_of_python(entry: str, tmp_path: Path) -> None:
    """It is no plugin, and is not imported."""
    sys.modules.pop("antigravity", None)

    sentence, advice = output(entry, tmp_path)

    assert (sentence, advice) == (f"plugin '{entry}' {NO_HOOK[0]}", NO_HOOK[1])
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("code", "imported"),
    [
        ("import os, sys\nfrom os.path import join\n", False),
        ("x = 1\n", False),
        ("# a plugin of the router\n", True),
        ("from acme_hooks import *\n", True),
        ("import acme_hooks\n", True),
        ("from . import acme_hooks\n", True),
        ("x = (\n", True),
    ],
)
def test_an_installed_module_without_a_hook(
    code: str, imported: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not imported if its source shows that it has none; what it imports could be one."""
    (tmp_path / "acme_none.py").write_text(f"{code}raise ValueError('it ran')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    sentence, _ = output("acme_none", tmp_path)

    assert (NO_HOOK[0] not in sentence) is imported


def test_a_namespace_without_a_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is a module without a source: that it has no hook is known once it is imported."""
    (tmp_path / "acme_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    findings = Findings(lambda path, key: Place("routes.yaml"))

    plugins = load_plugins(["acme_folder"], tmp_path, findings)

    assert ([each.sentence for each in findings], plugins.left_out) == (
        [f"plugin 'acme_folder' {NO_HOOK[0]}"],
        ("acme_folder",),
    )


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    """Its name has no dots, and it has no package that is missing."""
    assert output("acme_nowhere", tmp_path)[0] == (
        "plugin 'acme_nowhere' cannot be loaded: no module 'acme_nowhere' is installed"
    )
