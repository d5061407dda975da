"""What a package of the function requires: distributions, modules of the router, and imports that it lacks.

Distributions are those of the router at run time, and those in the files of plugins. Modules are found by the import
statements of the handler and of plugins.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

import router
from router.errors import UsageError
from router.runtime.filesystem import NOT_REGULAR, read_regular
from router.tools.deploy.targets import Target

DISTRIBUTION = "message-router"
"""The distribution of the router, which is packed from where it is installed."""
PROVIDED = frozenset(["boto3", "botocore", "s3transfer"])
"""The packages of the Lambda runtime: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html"""
FILE = "requirements.txt"
PLUGINS = "plugins"

_NOT_PACKED = PROVIDED | {DISTRIBUTION}
_NESTED = re.compile(r"(?:-r|--requirement)[ =]*(.+)")
_CONSTRAINTS = re.compile(r"(?:-c|--constraint)[ =]*(.+)")
_HASH = re.compile(r"\s--hash[= ]\S+")
PACKAGE = "router"
FOLDER = Path(router.__file__).parent
"""The folder of the router's modules."""
HANDLER = "router.lambda_handler"
"""The module of the handler."""
LAMBDA_MODULES = PROVIDED | {"dateutil", "jmespath", "six", "urllib3"}
"""The top-level modules that the Lambda runtime has besides Python's own: boto3 and its dependencies."""


class Requirements(Struct, frozen=True):
    """The requirements of files on a target.

    `lines` are for pip, `roots` are the requirements in them. `provided` are the names of those that Lambda provides.
    `pinned` are the names whose version is fixed. With `hashed`, pip requires a hash for each package.
    """

    lines: tuple[str, ...]
    roots: tuple[Requirement, ...]
    provided: tuple[str, ...] = ()
    pinned: frozenset[str] = frozenset()
    hashed: bool = False


def requirements_files(plugins: Iterable[Path], folder: Path) -> Iterator[Path]:
    """Yield `plugins/requirements.txt` and those beside plugins elsewhere, but not one in the config's own folder."""
    folders = {folder / PLUGINS, *(plugin.parent for plugin in plugins)}
    for each in sorted(folders):
        if each.resolve() != folder.resolve() and (each / FILE).exists():
            yield each / FILE


def files_of_requirements(lists: Iterable[Path]) -> Iterator[Path]:
    """Yield requirements files and what they name by path: other lists, constraints and wheels, each once, resolved."""
    pending, seen = list(lists), set[Path]()
    while pending:
        file = pending.pop(0).resolve()
        if file in seen:
            continue
        seen.add(file)
        yield file
        if file.suffix != ".whl":
            named = [_named_path(text) for _, text in _joined_lines(file, ())]
            pending += [file.parent / name for name in named if name]


def _named_path(line: str) -> str:
    """Return the path that a line of a requirements file names, or ""."""
    if match := _NESTED.fullmatch(line) or _CONSTRAINTS.fullmatch(line):
        return match[1]
    bare = _HASH.sub("", line).strip()
    return bare if bare.endswith(".whl") and "@" not in bare else ""


def applies(requirement: Requirement, target: Target, extra: str = "") -> bool:
    """Return whether the marker of a requirement holds on a target, with an extra."""
    return requirement.marker is None or requirement.marker.evaluate(
        {**target.markers, "extra": extra}
    )


def without_marker(requirement: Requirement) -> Requirement:
    """Return a requirement without its marker."""
    bare = Requirement(str(requirement))
    bare.marker = None
    return bare


def read_requirements(files: Sequence[Path], target: Target) -> Requirements:
    """Read requirements files; raises UsageError, with the line, for a requirement that cannot be packed.

    Markers are evaluated here for the target: pip would evaluate them for the machine that it runs on.
    """
    lines: list[str] = []
    roots: list[Requirement] = []
    provided: list[str] = []
    pinned: set[str] = set()
    for file, number, text in (line for each in files for line in _logical_lines(each, ())):
        if match := _CONSTRAINTS.fullmatch(text):
            limits = (file.parent / match[1]).absolute()
            lines.append(f"-c {limits}")
            pinned |= read_requirements([limits], target).pinned
            continue
        if text.startswith(("-e", "--editable")):
            raise UsageError(
                f"{file}:{number}: an editable package cannot be packed; build a wheel and name its path"
            )
        if text.startswith("-"):
            lines.append(text)
            continue
        line, requirement = _read(_HASH.sub("", text).strip(), file, f"{file}:{number}")
        if not applies(requirement, target):
            continue
        name = canonicalize_name(requirement.name)
        if _is_exact(requirement):
            pinned.add(name)
        if name not in _NOT_PACKED:
            roots.append(requirement)
        elif name in PROVIDED:
            provided.append(name)
        hashes = "".join(_HASH.findall(text))
        # With hashes, pip needs those of all dependencies, packed or not.
        if hashes or name not in _NOT_PACKED:
            lines.append(line + hashes)
    hashed = any(_HASH.search(line) for line in lines)
    return Requirements(
        tuple(lines), tuple(roots), tuple(dict.fromkeys(provided)), frozenset(pinned), hashed
    )


def _is_exact(requirement: Requirement) -> bool:
    """Return whether only one version satisfies it: `==` without a wildcard, a URL, or the path of a wheel."""
    exact = any(
        each.operator in ("==", "===") and not each.version.endswith("*")
        for each in requirement.specifier
    )
    return exact or requirement.url is not None


def _read(text: str, file: Path, where: str) -> tuple[str, Requirement]:
    """Return the line for pip, without a marker, and the requirement of a line, which may be the path of a wheel."""
    try:
        if text.endswith(".whl") and "@" not in text:
            path = (file.parent / text).absolute()
            name, version, _, _ = parse_wheel_filename(path.name)
            if path.exists() and not path.is_file():  # pip would wait for a FIFO
                raise UsageError(f"{where}: cannot read {path}: {NOT_REGULAR}")
            return str(path), Requirement(f"{name}=={version}")
        requirement = Requirement(text)
    except (InvalidRequirement, InvalidWheelFilename):
        advice = "use NAME==VERSION or the path of a wheel"
        raise UsageError(
            f"{where}: {text!r} is not a requirement that can be packed; {advice}"
        ) from None
    return str(without_marker(requirement)), requirement


def _logical_lines(file: Path, parents: tuple[Path, ...]) -> Iterator[tuple[Path, int, str]]:
    """Yield the file, number and text of the lines of a file and its nested files, joined and without comments."""
    for number, whole in _joined_lines(file, parents):
        if match := _NESTED.fullmatch(whole):
            nested = file.parent / match[1]
            if nested.resolve() not in {other.resolve() for other in (*parents, file)}:
                yield from _logical_lines(nested, (*parents, file))
        else:
            yield file, number, whole


def _joined_lines(file: Path, parents: tuple[Path, ...]) -> Iterator[tuple[int, str]]:
    """Yield the number and text of the lines of one file that have any; `parents` are the files that lead to it."""
    try:
        content = read_regular(file).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        origin = f", which {parents[-1]} names" if parents else ""
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(f"cannot read {file}{origin}: {reason}") from None
    begun = ""
    number = 0
    for count, line in enumerate([*content.splitlines(), ""], 1):
        if not begun:
            number = count
        text = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        begun += text.removesuffix("\\")
        if text.endswith("\\"):
            continue
        if whole := begun.strip():
            yield number, whole
        begun = ""


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


def find_missing_imports(
    plugins: Sequence[Path], packed: Iterable[str], folder: Path
) -> Iterator[MissingImport]:
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
    return module_file(FOLDER.joinpath(*rest)) if first == PACKAGE else None


def module_file(place: Path) -> Path | None:
    """Return the file of the package or module at a place without an ending; None if there is none."""
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next(filter(Path.is_file, files), None)


def _imported(file: Path) -> Iterator[str]:
    """Yield the names in a module's source that it may import."""
    for node in _run_time_nodes(ast.parse(read_regular(file), str(file))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Name(id="import_modules")) if file.name == "__init__.py":
                # The package imports all of its modules: see router/runtime/discovery.py.
                package = ".".join((PACKAGE, *file.parent.relative_to(FOLDER).parts))
                yield from (f"{package}.{module.stem}" for module in file.parent.glob("[!_]*.py"))
            case ast.Constant(value=str() as text) if text.startswith(f"{PACKAGE}."):
                yield text


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    pending = [tree]
    while pending:
        node = pending.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pending += node.orelse
            case _:
                yield node
                pending += ast.iter_child_nodes(node)
