"""Finds which modules of the router a package needs, and which imports it lacks, from the import statements."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

import router
from router.errors import UsageError
from router.ops.requirements import DISTRIBUTION, PROVIDED

PACKAGE = "router"
FOLDER = Path(router.__file__).parent
"""The folder of the router's modules."""
HANDLER = "router.lambda_handler"
"""The module of the handler."""
LAMBDA_MODULES = PROVIDED | {"dateutil", "jmespath", "six", "urllib3"}
"""The top-level modules that the Lambda runtime has besides Python's own: boto3 and its dependencies."""


class MissingImport(Struct, frozen=True):
    """A module that a plugin file imports and that neither the package nor Lambda has."""

    file: str
    name: str


def run_time_modules(plugins: Iterable[Path] = ()) -> dict[str, Path]:
    """Return the files, by name, of the handler's module and of all modules of the router that it or plugins import.

    Imports inside functions count, those for type checkers do not. A string that is the name of a module counts too:
    `router` imports its public names lazily.
    """
    files: dict[str, Path] = {}
    pending = [PACKAGE, HANDLER]
    for plugin in plugins:
        pending += _imported(plugin)
    while pending:
        name = pending.pop()
        file = _file(name)
        if name in files or file is None:
            continue
        files[name] = file
        pending += [name.rpartition(".")[0], *_imported(file)]
    return dict(sorted(files.items()))


def top_names(names: Iterable[str]) -> set[str]:
    """Return the top-level modules and packages of a package's files."""
    return {name.partition("/")[0].partition(".")[0] for name in names}


def require_packages(modules: Mapping[str, Path], packed: Iterable[str]) -> None:
    """Raise UsageError unless the package has all that the router's modules import."""
    missing = _third_party(modules.values()) - top_names(packed) - LAMBDA_MODULES
    if missing:
        raise UsageError(
            f"the router imports {', '.join(sorted(missing))}, which its installed metadata does not list: "
            f"reinstall {DISTRIBUTION} to update the metadata"
        )


def find_missing_imports(plugins: Sequence[Path], packed: Iterable[str], folder: Path) -> Iterator[MissingImport]:
    """Yield the imports of plugin files, anywhere in them, that will fail; a plugin may handle that."""
    available = top_names(packed) | LAMBDA_MODULES
    for plugin in plugins:
        for name in sorted(_third_party([plugin]) - available):
            yield MissingImport(plugin.relative_to(folder).as_posix(), name)


def _third_party(files: Iterable[Path]) -> set[str]:
    names = {name.partition(".")[0] for file in files for name in _imported(file)}
    return names - sys.stdlib_module_names - {PACKAGE}


def _file(name: str) -> Path | None:
    """Return the file of a module of the router; None for any other name."""
    first, *rest = name.split(".")
    if first != PACKAGE:
        return None
    place = FOLDER.joinpath(*rest)
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def _imported(file: Path) -> Iterator[str]:
    """Yield the names in a module's source that it may import."""
    for node in _run_time_nodes(ast.parse(file.read_bytes(), str(file))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Name(id="import_modules")) if file.name == "__init__.py":
                # The package imports all of its modules: see router/discovery.py.
                package = ".".join((PACKAGE, *file.parent.relative_to(FOLDER).parts))
                yield from (f"{package}.{module.stem}" for module in file.parent.glob("[!_]*.py"))
            case ast.Constant(value=str() as text) if text.startswith(f"{PACKAGE}."):
                yield text


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
            continue
        yield node
        pending += ast.iter_child_nodes(node)
