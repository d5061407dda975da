"""Which modules of the router a Lambda function can come to import: the package has those and no others."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import router

PACKAGE = "router"
HANDLER = "router.lambda_handler"
"""The module of the handler."""


def package_folder() -> Path:
    """Where the router's own modules are: a checkout, or what a wheel installed."""
    return Path(router.__file__).parent


def run_time_modules(plugins: Iterable[Path] = ()) -> dict[str, Path]:
    """The files of the handler's modules, of all that these import, and of what plugin files import of the router.

    Imports inside functions count, those for type checkers do not. A text that is exactly the name of a module counts
    too: names of the package are imported when they are asked for.
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


def packages_of(modules: Mapping[str, Path]) -> set[str]:
    """The names of what modules import that is neither the router's nor Python's own."""
    names = {name.partition(".")[0] for file in modules.values() for name in _imported(file)}
    return names - sys.stdlib_module_names - {PACKAGE}


def _file(name: str) -> Path | None:
    """The file of a module of the router; None for anything else."""
    first, *rest = name.split(".")
    if first != PACKAGE:
        return None
    place = package_folder().joinpath(*rest)
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def _imported(file: Path) -> Iterator[str]:
    """Names that may be modules of the router, in the source of a module."""
    for node in _run_time_nodes(ast.parse(file.read_bytes(), str(file))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Name(id="import_modules")) if file.name == "__init__.py":
                # The package imports all of its modules: see router/discovery.py.
                package = ".".join((PACKAGE, *file.parent.relative_to(package_folder()).parts))
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
