"""Finds and imports plugins: a file beside the config, or an installed module."""

import importlib
import importlib.util
import sys
import uuid
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from router.codes import declare
from router.config.findings import ConfigFault, did_you_mean
from router.model import names_file
from router.program.hooks.implementations import describe

CANNOT_LOAD = declare(
    "RT501",
    "a plugin cannot be loaded",
    "The file or module is missing, is no Python, or raised an exception when it was imported; none of its hooks, "
    "transforms and envelopes exist.",
)


class _FreshLoader(SourceFileLoader):
    """Compiles the source each time.

    A cached file is valid by size and time in whole seconds, so that one which was just edited could load in its old
    version; and the folder of a config should not get cache files.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def plugin_name(entry: str) -> str:
    """Return the name of a plugin: the stem of the file, or the name of the module."""
    return Path(entry).stem if names_file(entry) else entry


def load_module(entry: str, folder: Path) -> ModuleType | ConfigFault:
    """Return the module of an entry of `plugins:`, or why there is none.

    A file is loaded each time, under a unique name, so that two configs in one process do not share state. An installed
    module is imported once, as everywhere in Python.
    """
    try:
        return _load_file(entry, folder) if names_file(entry) else _import_module(entry)
    except (Exception, SystemExit) as error:  # a script as a plugin may end itself
        return _fault(entry, describe(error, folder))


def _load_file(entry: str, folder: Path) -> ModuleType | ConfigFault:
    file = (folder / entry).absolute()
    if not file.is_file():
        beside = [(Path(entry).parent / path.name).as_posix() for path in file.parent.glob("*.py")]
        return _fault(
            entry,
            f"there is no file {entry!r}",
            did_you_mean(entry, beside, "a path is relative to the folder of this file"),
        )
    name = f"_router_plugin_{uuid.uuid4().hex}_{file.stem}"
    loader = _FreshLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses, typing and pickle look a class's module up there
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_module(entry: str) -> ModuleType | ConfigFault:
    if not all(part.isidentifier() for part in entry.split(".")):
        return _fault(entry, f"{entry!r} is no name of a module", "write a file as a path that ends in '.py'")
    try:
        return importlib.import_module(entry)
    except ModuleNotFoundError as error:
        if error.name and f"{entry}.".startswith(f"{error.name}."):
            return _fault(
                entry,
                f"no module {entry!r} is installed",
                "install it, or write a file as a path that ends in '.py'",
            )
        raise


def _fault(entry: str, why: str, suggestion: str = "") -> ConfigFault:
    return ConfigFault(CANNOT_LOAD, f"plugin {plugin_name(entry)!r} cannot be loaded: {why}", suggestion)
