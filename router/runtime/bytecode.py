"""Imports modules from the one file of bytecode that `router build` packs, instead of from hundreds of files.

It begins with the size of a table of the modules, and the table; the code of each follows. It is not checked against
the sources beside it, which are for tracebacks: a package is never edited.
"""

import os
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from marshal import loads
from types import CodeType, ModuleType

_PACKAGE = "/__init__.py"
SIZE_BYTES = 4
"""The bytes of the size of the table."""


def name_file(tag: str) -> str:
    """Return the name of the file in a package, for the Python of a tag such as `cpython-312`."""
    return f"router/bytecode.{tag}"


def module_name(file: str) -> str:
    """Return the name of the module in a file of a package, such as `a/b.py` or `a/__init__.py`."""
    return file.removesuffix(_PACKAGE).removesuffix(".py").replace("/", ".")


def install(folder: str) -> None:
    """Import from the file in the folder of a package from now on, if it has one for this Python."""
    path = f"{folder}/{name_file(sys.implementation.cache_tag)}"
    if any(isinstance(finder, _Finder) and finder.path == path for finder in sys.meta_path):
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    sys.meta_path.insert(0, _Finder(folder, path, descriptor))


class _Finder:
    """Finds the modules of the file; `descriptor` stays open, since some are imported later."""

    def __init__(self, folder: str, path: str, descriptor: int) -> None:
        self.path = path
        self._folder = folder
        self._descriptor = descriptor
        size = int.from_bytes(os.pread(descriptor, SIZE_BYTES, 0), "little")
        self._start = SIZE_BYTES + size
        table: Mapping[str, tuple[str, int, int]] = loads(os.pread(descriptor, size, SIZE_BYTES))  # noqa: S302 — its own
        self._places = table

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return the spec of a module, as importlib calls it; None for what is not in the file."""
        place = self._places.get(name)
        if place is None:
            return None
        file, start, size = place
        origin = f"{self._folder}/{file}"
        loader = _Loader(name, origin, (self._descriptor, size, self._start + start))
        spec = ModuleSpec(name, loader, origin=origin)
        spec.has_location = True
        spec.cached = self.path
        if file.endswith(_PACKAGE):
            spec.submodule_search_locations = [origin.removesuffix(_PACKAGE)]
        return spec


class _Loader(SourceFileLoader):
    """Loads a module whose code is in the file, at `place`."""

    def __init__(self, name: str, origin: str, place: tuple[int, int, int]) -> None:
        self.name = name
        self.path = origin
        self._place = place

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that has the attributes which importlib would find missing, for an exception each."""
        module = ModuleType(spec.name)
        vars(module).update(__file__=spec.origin, __cached__=spec.cached)
        return module

    def get_code(self, fullname: str) -> CodeType:
        """Return the code, which names its source relative to the package."""
        code: CodeType = loads(os.pread(*self._place))  # noqa: S302 — of this package, as all its code
        return code
