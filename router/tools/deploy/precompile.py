"""Compiles `routes.yaml` to the bytes of a compiled config."""

import glob
import os
import posixpath
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

import msgspec
from msgspec import Struct, structs

from router.errors import ConfigError, UsageError
from router.model import Path, Place, __version__
from router.runtime.config import spec
from router.runtime.config.environment import (
    Constraint,
    Reference,
    find_references,
    parts,
    split_references,
)
from router.runtime.config.findings import Findings, Locate
from router.runtime.config.include import included_files
from router.runtime.config.merge import SourceFile, folder_of, relocate
from router.runtime.config.parse import without_empty_keys
from router.runtime.config.schema import (
    Node,
    branch_for,
    branches,
    exact_schema,
    find_typed,
    follow,
    kind_at,
    kind_of_branch,
)
from router.runtime.config.source import read_source
from router.runtime.conversions import JSON_ENCODER
from router.runtime.program.expressions.compile import (
    is_plain_path,
    parse_expression,
)
from router.runtime.program.load import load, without_garbage_collector
from router.runtime.program.precompiled import (
    FORMAT,
    MAP,
    REVISION,
    TUPLE,
    Bundle,
    File,
    Files,
    Head,
    Shape,
    places_in,
)
from router.runtime.program.schemas.compile import SchemaStore
from router.runtime.sources import SOURCES

_DIGITS = frozenset("-0123456789")
_CONSTRAINTS = (
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
)


def precompile(path: FilePath, env: Mapping[str, str] = os.environ) -> bytes:
    """Return the compiled config of the file at `path`.

    Raises ConfigError if it has errors. A variable that is not set is none, since only
    the environment of the start counts. Of `env` nothing gets into the bytes, but which
    files `include` names if it has a `${…}`.
    """
    loaded = load(path, env, unset="warning")
    if loaded.findings.failed or loaded.config is None:
        raise ConfigError(tuple(loaded.findings))
    include = loaded.config.include
    root = path.parent
    with without_garbage_collector():
        sources = list(_sources(path, include))
        files = Files(include, _files(sources, root))
        places = [_places(source) for source in sources]
        return write(files, _bundle(sources, root), _trees(sources), places)


def read_files(path: FilePath, include: tuple[str, ...]) -> tuple[File, ...]:
    """Return the files of a config without errors, as a compiled config has them.

    Nothing is compiled.
    """
    with without_garbage_collector():
        return _files(list(_sources(path, include)), path.parent)


def _files(sources: list[SourceFile], root: FilePath) -> tuple[File, ...]:
    config, *included = sources
    others = [_file(source, root, spec.Included) for source in included]
    return (_file(config, root, spec.Config), *others)


def _sources(path: FilePath, include: tuple[str, ...]) -> Iterator[SourceFile]:
    """Yield the files of the config with their `${…}`."""
    yield _read(path, spec.Config)
    # Loading has reported its findings before.
    ignored = Findings(lambda where, key: Place(str(path)))
    for file in included_files(path, include, ignored):
        yield _read(file, spec.Included)


def _read(path: FilePath, cls: type[spec.Config | spec.Included]) -> SourceFile:
    source = read_source(path)
    return structs.replace(source, data=without_empty_keys(cls, source.data))


def _places(source: SourceFile) -> list[int]:
    return list_places(_needed(source.data), source.findings.locate)


def list_places(data: dict[str, Any], locate: Locate) -> list[int]:
    """Return line and column of each place in data."""
    places = [locate(path, key) for path, key in places_in(data)]
    return [number for place in places for number in (place.line, place.column)]


def _file(source: SourceFile, root: FilePath, cls: type[spec.Config | spec.Included]) -> File:
    file = FilePath(source.file)
    data = _needed(source.data)
    references = tuple(find_references(data))
    schema = exact_schema(cls)
    return File(
        name=file.relative_to(root).as_posix(),
        folder=folder_of(file, root),
        references=references,
        data=data,
        typed=tuple(find_typed(cls, data, references)),
        constraints=tuple(find_constraints(cls, data, references)),
        shape=_shape(schema, {**schema, "title": cls.__name__}, data),
    )


def find_constraints(
    root: type[spec.Config | spec.Included], data: Any, paths: Iterable[Path]
) -> Iterator[Constraint]:
    """Yield what the config takes at these paths of a file.

    Where it takes any text, or true and false, there is none.
    """
    schema = exact_schema(root)
    for path in paths:
        node, _ = follow(schema, data, path)
        if node is None:
            continue
        wanted = kind_at(schema, node) or "string"
        given = branches(schema, node)
        fitting = [each for each in given if not each or kind_of_branch(each) == wanted]
        choices = [_constraints(branch) for branch in fitting]
        if choices and all(choices):
            yield Constraint(path, tuple(choices))


def _constraints(branch: Node) -> Node:
    return {name: branch[name] for name in _CONSTRAINTS if name in branch}


def _shape(schema: Node, node: Node, value: Any) -> Shape | None:
    """Return which parts of a value are structures or tuples; None if none is."""
    branch = branch_for(schema, node, value)
    if isinstance(value, list) and branch.get("type") == "array":
        element = branch.get("items", {})
        return TUPLE, _shapes(schema, ((step, element, each) for step, each in parts(value)))
    if not isinstance(value, dict):
        return None
    known = branch.get("properties")
    other = branch.get("additionalProperties")
    # Keys that are not known stand for themselves if any are allowed.
    around = other if isinstance(other, dict) else {}
    nodes = known or {}
    children = ((name, nodes.get(name, around), each) for name, each in value.items())
    found = _shapes(schema, children)
    if known is not None:
        return branch["title"], found
    return (MAP, found) if found else None


def _shapes(schema: Node, children: Iterable[tuple[str | int, Node, Any]]) -> dict[str, Shape]:
    """Return the shapes of the parts of a value that have one."""
    found = {}
    for step, node, child in children:
        shape = _shape(schema, node, child)
        if shape is not None:
            found[str(step)] = shape
    return found


def _needed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data without `ignore` and `tests`.

    Those with variables are kept: a missing variable stops a start.
    """
    needed = dict(data)
    if not find_references(data.get("ignore")):
        needed.pop("ignore", None)
    routes = {name: dict(route) for name, route in _routes(data)}
    for route in routes.values():
        if not find_references(route.get("tests")):
            route.pop("tests", None)
    if routes:
        needed["routes"] = routes
    return needed


def _routes(data: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    return (data.get("routes") or {}).items()


def _trees(sources: list[SourceFile]) -> dict[str, dict[str, Any]]:
    """Return the trees of expressions without variables that are no plain paths."""
    texts: set[str] = set()
    for source in sources:
        for _, route in _routes(source.data):
            texts.update(_expressions(route))
    return {
        text: parse_expression(text)
        for text in sorted(texts)
        if "${" not in text and not is_plain_path(text)
    }


def _expressions(route: Mapping[str, Any]) -> Iterator[str]:
    """Yield the expressions of a route as it is in its file.

    A text may have variables in it. A source of an attribute that is such a text is left
    out: the braces of a variable would be taken for those of a template.
    """
    merge = route.get("merge")
    settings = (
        route.get("when"),
        route.get("for_each"),
        merge.get("from") if isinstance(merge, dict) else merge,
        (route.get("write") or {}).get("once_key"),
    )
    yield from (each for each in settings if isinstance(each, str))
    for attribute in (route.get("item") or {}).values():
        given = {"from": attribute} if isinstance(attribute, str) else attribute
        for key in SOURCES.keys() & given.keys():
            value = given[key]
            has_variable = isinstance(value, str) and "${" in value
            if value is not None and not has_variable:
                yield from (use.text for use in SOURCES[key].expressions(value))


def _bundle(sources: list[SourceFile], root: FilePath) -> Bundle:
    """Return the schema files that routes may name, and those that they refer to.

    With other variables than now, a route may name another file.
    """
    store = SchemaStore(root)
    # A schema with faults is not in the bundle; a start that needs it reads it beside
    # the compiled config.
    ignored = Findings(lambda where, key: Place(""))
    for source in sources:
        folder = folder_of(FilePath(source.file), root)
        for name, route in _routes(source.data):
            path: Path = ("routes", name, "schema")
            schema = route.get("schema")
            if isinstance(schema, str):
                for file in _possible_files(schema, root / folder):
                    store.compile(relocate(file, folder), ignored, path)
            elif schema is not None:
                store.compile(schema, ignored, path)
    return store.bundle()


def _possible_files(schema: str, folder: FilePath) -> list[str]:
    """Return the files that a name can stand for.

    With a variable, these are all in the folder of its default that match.
    """
    if "${" not in schema:
        return [schema]
    pattern = "".join(map(_pattern, split_references(schema)))
    return sorted(glob.glob(pattern, root_dir=folder))  # noqa: PTH207 — as `include` finds files


def _pattern(piece: str | Reference) -> str:
    """Return the pattern of files for a piece of a name."""
    if not isinstance(piece, Reference):
        return glob.escape(piece)
    folder = posixpath.dirname(piece.default or "")
    return f"{glob.escape(posixpath.join(folder, ''))}*"


def write(
    files: Files,
    schemas: Bundle,
    trees: Mapping[str, dict[str, Any]],
    places: Sequence[Sequence[int]],
) -> bytes:
    """Return the bytes of a compiled config.

    Raises UsageError for text that UTF-8 cannot encode.
    """
    lines = [_exact(part) for part in (files, schemas, trees, places)]
    try:
        body = b"".join(JSON_ENCODER.encode(line) + b"\n" for line in lines)
    except UnicodeEncodeError:
        raise UsageError(
            "the config has half of a surrogate pair in it, which no file can hold"
        ) from None
    head = Head(FORMAT, __version__, zlib.crc32(body), REVISION)
    return JSON_ENCODER.encode(head) + b"\n" + body


def _exact(value: Any) -> Any:
    """Return the value with decimals as raw JSON.

    Without an exponent, a whole decimal would be read as an integer.
    """
    if isinstance(value, Struct):
        value = structs.asdict(value)
    if isinstance(value, dict):
        return {name: _exact(child) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(child) for child in value]
    if isinstance(value, Decimal) and _DIGITS.issuperset(str(value)):
        return msgspec.Raw(f"{value}e0".encode())
    return value
