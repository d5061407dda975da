"""Compiles `routes.yaml` to the bytes of a compiled config."""

import glob
import os
import posixpath
from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path as FilePath
from typing import Any

from msgspec import structs

from router.errors import ConfigError
from router.model import Path, Place
from router.runtime.config import spec
from router.runtime.config.environment import (
    Reference,
    find_references,
    split_references,
)
from router.runtime.config.findings import Findings
from router.runtime.config.include import included_files
from router.runtime.config.merge import SourceFile, folder_of, relocate
from router.runtime.config.parse import without_empty_keys
from router.runtime.config.schema import (
    Node,
    branch_for,
    exact_schema,
    find_constraints,
    find_typed,
)
from router.runtime.config.source import read_source
from router.runtime.program.expressions.compile import is_plain_path, parse_expression
from router.runtime.program.load import load, without_garbage_collector
from router.runtime.program.precompiled import (
    MAP,
    TUPLE,
    Bundle,
    File,
    Files,
    Shape,
    list_places,
    write,
)
from router.runtime.program.schemas.compile import SchemaStore
from router.runtime.sources import SOURCES


def precompile(path: FilePath, env: Mapping[str, str] = os.environ) -> bytes:
    """Return the compiled config of the file at `path`.

    Raises ConfigError if it has errors. A variable that is not set is none, since only
    the environment of the start counts. Of `env` nothing gets into the bytes, but which
    files `include` names if it has a `${…}`.
    """
    loaded = load(path, env, unset="warning")
    if loaded.findings.failed or loaded.config is None:
        raise ConfigError(tuple(loaded.findings))
    given = loaded.config.include
    with without_garbage_collector():
        sources = list(_sources(path, given))
        include = (given,) if isinstance(given, str) else given
        return write(
            Files(include, _files(sources, path.parent)),
            _bundle(sources, path.parent),
            _trees(sources),
            [
                list_places(_needed(source.data), source.findings.locate)
                for source in sources
            ],
        )


def read_files(path: FilePath, include: str | tuple[str, ...]) -> tuple[File, ...]:
    """Return the files of a config without errors as a compiled config has them,
    without compiling anything.
    """
    with without_garbage_collector():
        return _files(list(_sources(path, include)), path.parent)


def _files(sources: list[SourceFile], root: FilePath) -> tuple[File, ...]:
    kinds: list[type[spec.Config | spec.Included]] = [
        spec.Config,
        *repeat(spec.Included, len(sources) - 1),
    ]
    return tuple(map(_file, sources, repeat(root), kinds))


def _sources(path: FilePath, include: str | tuple[str, ...]) -> Iterator[SourceFile]:
    """Yield the files of the config with their `${…}`."""
    yield _read(path, spec.Config)
    # Loading has reported its findings before.
    for file in included_files(
        path, include, Findings(lambda where, key: Place(str(path)))
    ):
        yield _read(file, spec.Included)


def _read(path: FilePath, cls: type[spec.Config | spec.Included]) -> SourceFile:
    source = read_source(path)
    return structs.replace(source, data=without_empty_keys(cls, source.data))


def _file(
    source: SourceFile, root: FilePath, cls: type[spec.Config | spec.Included]
) -> File:
    data = _needed(source.data)
    name = FilePath(source.file).relative_to(root).as_posix()
    references = tuple(find_references(data))
    typed = tuple(find_typed(cls, data, references))
    constraints = tuple(find_constraints(cls, data, references))
    schema = exact_schema(cls)
    shape = _shape(schema, {**schema, "title": cls.__name__}, data)
    return File(
        name,
        folder_of(FilePath(source.file), root),
        references,
        data,
        typed,
        constraints,
        shape,
    )


def _shape(schema: Node, node: Node, value: Any) -> Shape | None:
    """Return which parts of a value are structures or tuples; None if none is."""
    branch = branch_for(schema, node, value)
    if isinstance(value, list):
        if branch.get("type") != "array":
            return None
        inside = {
            str(index): _shape(schema, branch.get("items", {}), each)
            for index, each in enumerate(value)
        }
        return TUPLE, {index: each for index, each in inside.items() if each}
    if not isinstance(value, dict):
        return None
    known, other = branch.get("properties"), branch.get("additionalProperties")
    around = other if isinstance(other, dict) else {}
    inside = {
        name: _shape(schema, (known or {}).get(name, around), each)
        for name, each in value.items()
    }
    found = {name: each for name, each in inside.items() if each}
    if known is not None:
        return branch["title"], found
    return (MAP, found) if found else None


def _needed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data without `ignore` and `tests`, unless they have variables: a
    missing variable stops a start.
    """
    kept = {
        name: value
        for name, value in data.items()
        if name != "ignore" or find_references(value)
    }
    routes = {name: dict(route) for name, route in (data.get("routes") or {}).items()}
    for route in routes.values():
        if not find_references(route.get("tests")):
            route.pop("tests", None)
    return {**kept, "routes": routes} if routes else kept


def _trees(sources: list[SourceFile]) -> dict[str, dict[str, Any]]:
    """Return the trees of expressions without variables that are no plain paths."""
    texts = {
        text
        for source in sources
        for text in _expressions(source.data)
        if "${" not in text
    }
    return {
        text: parse_expression(text)
        for text in sorted(texts)
        if not is_plain_path(text)
    }


def _expressions(data: Mapping[str, Any]) -> Iterator[str]:
    for route in (data.get("routes") or {}).values():
        merge = route.get("merge")
        merged = merge.get("from") if isinstance(merge, dict) else merge
        given = (
            route.get("when"),
            route.get("for_each"),
            merged,
            (route.get("write") or {}).get("once_key"),
        )
        yield from (text for text in given if isinstance(text, str))
        for attribute in (route.get("item") or {}).values():
            if isinstance(attribute, str):
                yield attribute
                continue
            for source in SOURCES.values():
                value = attribute.get(source.key)
                # The braces of a variable would be taken for those of a template.
                if value is not None and not (isinstance(value, str) and "${" in value):
                    yield from (use.text for use in source.expressions(value))


def _bundle(sources: list[SourceFile], root: FilePath) -> Bundle:
    """Return the schema files that routes name, or may name with other variables, and
    those that they refer to.
    """
    store = SchemaStore(root)
    for source in sources:
        folder = folder_of(FilePath(source.file), root)
        for name, route in (source.data.get("routes") or {}).items():
            schema = route.get("schema")
            # A schema with faults is not in the bundle; a start that needs it reads it
            # beside the compiled config.
            findings = Findings(lambda where, key: Place(""))
            for each in (
                _possible_files(schema, root / folder)
                if isinstance(schema, str)
                else [schema]
            ):
                if each is not None:
                    path: Path = ("routes", name, "schema")
                    store.compile(
                        relocate(each, folder) if isinstance(each, str) else each,
                        findings,
                        path,
                    )
    return store.bundle()


def _possible_files(schema: str, folder: FilePath) -> list[str]:
    """Return the files that a name can stand for: with a variable, all in the folder of
    its default that match.
    """
    if "${" not in schema:
        return [schema]
    pieces = split_references(schema)
    pattern = "".join(
        _like(each.default or "") if isinstance(each, Reference) else glob.escape(each)
        for each in pieces
    )
    return sorted(glob.glob(pattern, root_dir=folder))  # noqa: PTH207 — as `include` finds files


def _like(default: str) -> str:
    return f"{glob.escape(posixpath.join(posixpath.dirname(default), ''))}*"
